/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tricks with single tasks: a system call filter that was taken off, a tracer that nobody sees, a process that poses as a thread of
 * the kernel or runs from memory alone. */
#include <inttypes.h>

#include "checks/task_facts.h"
#include "checks/tasks.h"
#include "linux/paths.h"

enum {
	PERSIST_MS =
		2000, /* a helper of the kernel, or runc, is in such a state on its way to exec() */
	PT_PTRACED = 1,
	TIF_SECCOMP = 8,	  /* before 5.11 */
	SYSCALL_WORK_SECCOMP = 0, /* since */
	SECCOMP_MODE_STRICT = 1,
	SECCOMP_MODE_FILTER = 2,
	NAME_MAX_READ = 64,
};

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	struct ksma_task_table tasks;
};

const char *ksma_seccomp_flaw(const struct ksma_seccomp *seccomp)
{
	if (seccomp->mode == 0 && (seccomp->filter || seccomp->filters))
		return "is there, and its mode says that there is none";
	if (seccomp->mode == SECCOMP_MODE_FILTER && !seccomp->filter)
		return "is gone, and its mode says that there is one";
	if (seccomp->mode && !seccomp->asked)
		return "is not asked at system calls";
	return NULL;
}

bool ksma_is_kernel_name(const char *comm)
{
	static const char *const names[] = {
		"kworker/",  "ksoftirqd/",     "migration/", "cpuhp/",	   "idle_inject/",
		"kthreadd",  "rcu_preempt",    "rcu_sched",  "rcu_tasks_", "kswapd",
		"kcompactd", "khugepaged",     "kblockd",    "kauditd",	   "oom_reaper",
		"watchdogd", "kdevtmpfs",      "jbd2/",	     "scsi_eh_",   "ext4-rsv-conver",
		"ksmd",	     "pool_workqueue",
	};

	if (comm[0] == '[')
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strncmp(comm, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static bool u32_at(struct survey *s, const struct ksma_task_facts *task, int32_t offset,
		   uint32_t *ret)
{
	return offset >= 0 && ksma_kernel_u32(s->kernel, task->task + (uint32_t)offset, ret);
}

static bool u64_at(struct survey *s, const struct ksma_task_facts *task, int32_t offset,
		   uint64_t *ret)
{
	return offset >= 0 && ksma_kernel_u64(s->kernel, task->task + (uint32_t)offset, ret);
}

static struct ksma_error *check_seccomp(struct survey *s, const struct ksma_task_facts *task)
{
	const struct ksma_offsets *off = &s->kernel->off;
	bool work = off->task_struct__syscall_work >= 0;
	struct ksma_seccomp seccomp = { 0 };
	struct ksma_finding *finding;
	uint64_t flags;
	const char *flaw;

	if (!u32_at(s, task, off->task_struct__seccomp_mode, &seccomp.mode) ||
	    !u64_at(s, task, off->task_struct__seccomp_filter, &seccomp.filter) ||
	    !u64_at(s, task, work ? off->task_struct__syscall_work : off->task_struct__ti_flags,
		    &flags))
		return NULL;
	u32_at(s, task, off->task_struct__seccomp_filter_count, &seccomp.filters);
	seccomp.asked = flags & 1u << (work ? SYSCALL_WORK_SECCOMP : TIF_SECCOMP);
	flaw = ksma_seccomp_flaw(&seccomp);
	if (!flaw)
		return NULL;
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_HIGH, &finding, "seccomp/%d", task->tid));
	KSMA_TRY(ksma_finding_title(finding, "process %d (%.15s): its filter of system calls %s",
				    task->pid, task->comm, flaw));
	KSMA_TRY(ksma_finding_task(finding, task));
	KSMA_TRY(ksma_finding_number(finding, "mode", seccomp.mode));
	KSMA_TRY(ksma_finding_number(finding, "filters", seccomp.filters));
	return ksma_finding_text(finding, "filter", "0x%016" PRIx64, seccomp.filter);
}

/* The tracer is the parent while one traces, and the real parent else (kernel/ptrace.c). */
static struct ksma_error *check_tracer(struct survey *s, const struct ksma_task_facts *task)
{
	const struct ksma_offsets *off = &s->kernel->off;
	struct ksma_finding *finding;
	uint64_t tracer, first = ksma_kernel_symbol(s->kernel, "init_task");
	uint32_t traced;

	if (!u32_at(s, task, off->task_struct__ptrace, &traced) ||
	    !u64_at(s, task, off->task_struct__parent, &tracer))
		return NULL;
	if (traced ? ksma_task_table_find(&s->tasks, tracer) != NULL
		   : tracer == task->parent || tracer == first)
		return NULL;
	KSMA_TRY(ksma_finding_add(s->look,
				  traced & PT_PTRACED ? KSMA_SEVERITY_HIGH : KSMA_SEVERITY_MEDIUM,
				  &finding, "tracer/%d", task->tid));
	finding->persist_ms = PERSIST_MS;
	KSMA_TRY(ksma_finding_title(
		finding,
		traced ? "process %d (%.15s) is traced by a process that is on no list"
		       : "process %d (%.15s) has a tracer's place taken, and says that none traces it",
		task->pid, task->comm));
	KSMA_TRY(ksma_finding_task(finding, task));
	KSMA_TRY(ksma_finding_text(finding, "ptrace", "0x%x", traced));
	return ksma_finding_text(finding, "tracer", "0x%016" PRIx64, tracer);
}

static struct ksma_error *report(struct survey *s, const struct ksma_task_facts *task,
				 enum ksma_severity severity, const char *id, const char *what)
{
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(s->look, severity, &finding, "%s/%d", id, task->pid));
	finding->persist_ms = PERSIST_MS;
	KSMA_TRY(ksma_finding_title(finding, "process %d (%.15s) %s", task->pid, task->comm, what));
	KSMA_TRY(ksma_finding_task(finding, task));
	return ksma_finding_text(finding, "mm", "0x%016" PRIx64, task->mm);
}

/* A thread of the kernel may use the memory of a process for a while (vhost), but never owns any. */
static struct ksma_error *check_disguise(struct survey *s, const struct ksma_task_facts *task)
{
	uint64_t owner;

	if (task->kernel_thread) {
		if (task->mm && s->kernel->off.mm_struct__owner >= 0 &&
		    ksma_kernel_u64(s->kernel, task->mm + (uint32_t)s->kernel->off.mm_struct__owner,
				    &owner) &&
		    owner == task->task)
			return report(
				s, task, KSMA_SEVERITY_HIGH, "kernel-thread",
				"says that it is a thread of the kernel, and has memory of its own");
		return NULL;
	}
	if (!task->mm)
		return report(s, task, KSMA_SEVERITY_HIGH, "no-memory",
			      "says that it is no thread of the kernel, and has no memory");
	if (ksma_is_kernel_name(task->comm))
		return report(s, task, KSMA_SEVERITY_MEDIUM, "named",
			      "is called what only threads of the kernel are called");
	return NULL;
}

/* A file of memfd_create() has no name in any folder: its dentry is called memfd:something. */
static struct ksma_error *check_program(struct survey *s, const struct ksma_task_facts *task)
{
	const struct ksma_offsets *off = &s->kernel->off;
	char name[NAME_MAX_READ] = "";
	uint64_t file, dentry, text;
	struct ksma_finding *finding;

	if (!task->mm || task->kernel_thread || off->mm_struct__exe_file < 0 ||
	    off->file__f_path_dentry < 0 || off->dentry__d_name_name < 0 ||
	    !ksma_kernel_u64(s->kernel, task->mm + (uint32_t)off->mm_struct__exe_file, &file) ||
	    !file ||
	    !ksma_kernel_u64(s->kernel, file + (uint32_t)off->file__f_path_dentry, &dentry) ||
	    !ksma_kernel_u64(s->kernel, dentry + (uint32_t)off->dentry__d_name_name, &text) ||
	    !ksma_kernel_string(s->kernel, text, name, sizeof(name)) ||
	    strncmp(name, "memfd:", 6) != 0)
		return NULL;
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_LOW, &finding, "memory-file/%d",
				  task->pid));
	finding->persist_ms = PERSIST_MS;
	KSMA_TRY(ksma_finding_title(finding, "process %d (%.15s) runs a program that is on no disk",
				    task->pid, task->comm));
	KSMA_TRY(ksma_finding_task(finding, task));
	return ksma_finding_text(finding, "file", "%s", name);
}

static struct ksma_error *check_task(struct survey *s, const struct ksma_task_facts *task)
{
	if (task->flags & KSMA_PF_EXITING)
		return NULL;
	KSMA_TRY(check_seccomp(s, task));
	KSMA_TRY(check_tracer(s, task));
	if (task->tid != task->pid)
		return NULL;
	KSMA_TRY(check_disguise(s, task));
	return check_program(s, task);
}

static struct ksma_error *run(struct ksma_look *look)
{
	const struct ksma_offsets *off = &look->kernel->off;
	struct survey s = { .look = look, .kernel = look->kernel };
	struct ksma_error *error;

	if (off->task_struct__seccomp_mode < 0 || off->task_struct__seccomp_filter < 0 ||
	    (off->task_struct__syscall_work < 0 && off->task_struct__ti_flags < 0) ||
	    off->task_struct__ptrace < 0 || off->task_struct__parent < 0)
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel's types do not say how filters of system calls, or "
				  "tracers, are kept");
	error = ksma_task_table_read(look, &s.tasks);
	for (size_t i = 0; i < s.tasks.count && !error; i++)
		error = check_task(&s, &s.tasks.items[i]);
	ksma_task_table_deinit(&s.tasks);
	return error;
}

const struct ksma_check ksma_check_tasks = {
	.info = {
		.name = "tasks",
		.title = "Tricks with single tasks",
		.attack = "T1036.004",
		.needs = "memory",
		.structures = "of every task and thread: seccomp, thread_info, ptrace and parent, flags, mm and its owner, comm, the dentry of exe_file",
		.why = "A process whose filter of system calls was taken off breaks out of its sandbox; one that is traced in secret is another's puppet; "
		       "one that looks like a thread of the kernel, or runs from no disk, wants not to be looked at.",
		.cost = "0.3 ms",
		.false_alarms = "Helpers of the kernel and container runtimes look so for a moment before exec(): such signs count when they stay. Some "
				"loaders run programs from memory for good: low. Deleted programs are what every upgrade leaves: no finding. "
				"Names in argument lists, which are the process's own memory, are not looked at.",
		.todo = "Look at the process with ksma ps --full, ksma maps and ksma files: its name is not what it runs.",
	},
	.run = run,
};
