/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a stopped vCPU was about to do: from the arguments of the function that it entered to a question about a file.
 *
 * Source: the prototypes in include/linux/security.h of the kernel; asm/current.h for who runs: `current_task` is a variable of each processor,
 * and was a member of pcpu_hot from e57ef2ed97c1 ("x86: Put hot per CPU variables into a struct", 6.2) to 6.14. */
#include "guard/stop.h"

enum { PROT_EXEC = 4, VM_EXEC = 4, FMODE_READ = 1, FMODE_WRITE = 2 };

static uint64_t current_of(struct ksma_kernel *kernel, uint64_t gs_base)
{
	uint64_t task = 0, at;

	for (unsigned cpu = 0; cpu < kernel->cpus && cpu < KSMA_MAX_CPUS; cpu++) {
		if (!kernel->per_cpu[cpu] || kernel->per_cpu[cpu] != gs_base)
			continue;
		at = ksma_kernel_per_cpu(kernel, "current_task", cpu);
		if (!at && kernel->off.pcpu_hot__current_task >= 0) {
			at = ksma_kernel_per_cpu(kernel, "pcpu_hot", cpu);
			at += at ? (uint32_t)kernel->off.pcpu_hot__current_task : 0;
		}
		return at && ksma_kernel_u64(kernel, at, &task) ? task : 0;
	}
	return 0;
}

static bool member_u64(struct ksma_kernel *kernel, uint64_t object, int32_t offset, uint64_t *ret)
{
	return object && offset >= 0 && ksma_kernel_u64(kernel, object + (uint32_t)offset, ret);
}

static bool member_u32(struct ksma_kernel *kernel, uint64_t object, int32_t offset, uint32_t *ret)
{
	return object && offset >= 0 && ksma_kernel_u32(kernel, object + (uint32_t)offset, ret);
}

static void read_actor(struct ksma_kernel *kernel, uint64_t gs_base, struct ksma_stop *stop)
{
	const struct ksma_offsets *off = &kernel->off;
	struct ksma_actor *actor = &stop->actor;
	uint64_t task = current_of(kernel, gs_base);

	stop->has_actor =
		member_u32(kernel, task, off->task_struct__tgid, (uint32_t *)&actor->pid) &&
		member_u32(kernel, task, off->task_struct__pid, (uint32_t *)&actor->tid) &&
		member_u64(kernel, task, off->task_struct__cred, &actor->cred) &&
		member_u32(kernel, actor->cred, off->cred__uid, &actor->uid) &&
		off->task_struct__comm >= 0 &&
		ksma_kernel_bytes(kernel, task + (uint32_t)off->task_struct__comm, actor->comm,
				  sizeof(actor->comm));
	actor->comm[sizeof(actor->comm) - 1] = 0;
	actor->task = task;
	if (!stop->has_actor)
		*actor = (struct ksma_actor){ .task = task };
}

/* enum kernel_read_file_id and kernel_load_data_id have the same order. */
static bool func_of_id(const struct ksma_enumerators *enums, uint64_t id,
		       enum ksma_access_func *ret_func)
{
	const struct {
		int32_t id;
		enum ksma_access_func func;
	} known[] = {
		{ enums->READING_MODULE, KSMA_FUNC_MODULE_CHECK },
		{ enums->READING_MODULE_COMPRESSED, KSMA_FUNC_MODULE_CHECK },
		{ enums->READING_FIRMWARE, KSMA_FUNC_FIRMWARE_CHECK },
		{ enums->READING_KEXEC_IMAGE, KSMA_FUNC_KEXEC_KERNEL_CHECK },
		{ enums->READING_KEXEC_INITRAMFS, KSMA_FUNC_KEXEC_INITRAMFS_CHECK },
		{ enums->READING_POLICY, KSMA_FUNC_POLICY_CHECK },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].id > 0 && (uint32_t)known[i].id == (uint32_t)id) {
			*ret_func = known[i].func;
			return true;
		}
	return false;
}

static void read_bprm(struct ksma_kernel *kernel, uint64_t bprm, struct ksma_stop *stop)
{
	stop->asks = true;
	stop->func = KSMA_FUNC_BPRM_CHECK;
	stop->mask = KSMA_MAY_EXEC;
	member_u64(kernel, bprm, kernel->off.linux_binprm__file, &stop->file);
	member_u64(kernel, bprm, kernel->off.linux_binprm__cred, &stop->new_cred);
}

/* A mapping of a file that was not executable and is to become so. */
static void read_mprotect(struct ksma_kernel *kernel, uint64_t vma, uint64_t prot,
			  struct ksma_stop *stop)
{
	uint64_t flags = 0;

	if (!(prot & PROT_EXEC))
		return;
	member_u64(kernel, vma, kernel->off.vm_area_struct__vm_file, &stop->file);
	member_u64(kernel, vma, kernel->off.vm_area_struct__vm_flags, &flags);
	stop->asks = stop->file && !(flags & VM_EXEC);
	stop->func = KSMA_FUNC_MMAP_CHECK;
	stop->mask = KSMA_MAY_EXEC;
}

static void read_open(struct ksma_kernel *kernel, uint64_t file, uint64_t mask,
		      struct ksma_stop *stop)
{
	stop->asks = true;
	stop->func = KSMA_FUNC_FILE_CHECK;
	stop->file = file;
	stop->mask =
		(unsigned)mask & (KSMA_MAY_EXEC | KSMA_MAY_WRITE | KSMA_MAY_READ | KSMA_MAY_APPEND);
}

void ksma_stop_read(struct ksma_kernel *kernel, const struct ksma_site *site,
		    const struct ksma_gdb_registers *r, struct ksma_stop *ret_stop)
{
	const uint64_t first = r->value[KSMA_RSP_RDI], second = r->value[KSMA_RSP_RSI],
		       third = r->value[KSMA_RSP_RDX], fourth = r->value[KSMA_RSP_RCX];
	struct ksma_stop *stop = ret_stop;
	uint32_t mode = 0;

	memset(stop, 0, sizeof(*stop));
	switch (site->kind) {
	case KSMA_SITE_BPRM:
		read_bprm(kernel, first, stop);
		break;
	case KSMA_SITE_MMAP:
		stop->asks = first && (second & PROT_EXEC);
		stop->func = KSMA_FUNC_MMAP_CHECK;
		stop->mask = KSMA_MAY_EXEC;
		stop->file = first;
		break;
	case KSMA_SITE_MEASURE:
		stop->asks = true;
		stop->func = KSMA_FUNC_MMAP_CHECK;
		stop->mask = KSMA_MAY_EXEC;
		stop->file = first;
		break;
	case KSMA_SITE_READ:
		stop->asks = func_of_id(&kernel->enums, fourth, &stop->func);
		stop->mask = KSMA_MAY_READ;
		stop->file = first;
		stop->buffer = second;
		stop->buffer_size = third;
		break;
	case KSMA_SITE_DATA:
		stop->asks = func_of_id(&kernel->enums, third, &stop->func);
		stop->mask = KSMA_MAY_READ;
		stop->buffer = first;
		stop->buffer_size = second;
		break;
	case KSMA_SITE_OPEN:
		read_open(kernel, first, second, stop);
		break;
	case KSMA_SITE_OPENING:
		member_u32(kernel, first, kernel->off.file__f_mode, &mode);
		read_open(kernel, first,
			  (mode & FMODE_READ ? KSMA_MAY_READ : 0) |
				  (mode & FMODE_WRITE ? KSMA_MAY_WRITE : 0),
			  stop);
		break;
	case KSMA_SITE_MPROTECT:
		read_mprotect(kernel, first, third, stop);
		break;
	}
	if (stop->asks)
		read_actor(kernel, r->value[KSMA_RSP_GS_BASE], stop);
}
