/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vCPU states of a dump, from its ELF notes: without them the kernel must be searched for.
 *
 * Source: QEMU target/i386/arch_dump.c (x86_64_elf_prstatus; struct QEMUCPUState, note name "QEMU", version 1), and
 * struct user_regs_struct of the kernel's arch/x86/include/asm/user_64.h. All little-endian. */
#include <elf.h>

#include "base/bytes.h"
#include "guest/dump_internal.h"

enum {
	MAX_VCPUS = 4096,
	PRSTATUS_REGS = 112, /* offset of the registers in the note */
	PRSTATUS_MIN = 112 + 27 * 8,
	QEMU_STATE_VERSION = 1,
	QEMU_STATE_MIN = 432, /* without kernel_gs_base, as QEMU before 2.11 wrote it */
	QEMU_STATE_GS = 440,
};

/* How many states of each kind were seen so far: the i-th of one kind belongs to the i-th vCPU. */
struct counts {
	size_t prstatus, qemu;
};

static struct ksma_error *vcpu_at(struct ksma_dump *dump, size_t *capacity, size_t index,
				  struct ksma_vcpu **ret_vcpu)
{
	if (index >= MAX_VCPUS)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "%s has the states of more than %d vCPUs", dump->file.name,
					 MAX_VCPUS);
	if (index >= *capacity)
		KSMA_TRY(ksma_array_grow(&dump->vcpus, capacity, index + 1, sizeof(*dump->vcpus)));
	if (index >= dump->vcpu_count) { /* both counters grow one by one: index is vcpu_count */
		dump->vcpus[index] = (struct ksma_vcpu){ .index = (unsigned)index };
		dump->vcpu_count = index + 1;
	}
	*ret_vcpu = &dump->vcpus[index];
	return NULL;
}

/* NT_PRSTATUS: general registers and the bases of fs and gs. */
static void read_prstatus(struct ksma_vcpu *vcpu, const uint8_t *note)
{
	/* The order of user_regs_struct, as numbers of the instruction encoding: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx
	 * rdx rsi rdi, then orig_rax, rip, cs, eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs. */
	static const uint8_t order[] = { 15, 14, 13, 12, 5, 3, 11, 10, 9, 8, 0, 1, 2, 6, 7 };
	const uint8_t *regs = note + PRSTATUS_REGS;

	if (vcpu->has_general) /* the QEMU note came first and says more */
		return;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		vcpu->gpr[order[i]] = ksma_le64(regs + i * 8);
	vcpu->rip = ksma_le64(regs + 16 * 8);
	vcpu->cs.selector = (uint16_t)ksma_le64(regs + 17 * 8);
	vcpu->rflags = ksma_le64(regs + 18 * 8);
	vcpu->gpr[4] = ksma_le64(regs + 19 * 8);
	vcpu->ss.selector = (uint16_t)ksma_le64(regs + 20 * 8);
	vcpu->fs.base = ksma_le64(regs + 21 * 8);
	vcpu->gs.base = ksma_le64(regs + 22 * 8);
	vcpu->ds.selector = (uint16_t)ksma_le64(regs + 23 * 8);
	vcpu->es.selector = (uint16_t)ksma_le64(regs + 24 * 8);
	vcpu->fs.selector = (uint16_t)ksma_le64(regs + 25 * 8);
	vcpu->gs.selector = (uint16_t)ksma_le64(regs + 26 * 8);
	vcpu->has_general = true;
}

static void read_segment(struct ksma_bytes *b, struct ksma_segment *segment)
{
	segment->selector = (uint16_t)ksma_bytes_le32(b);
	segment->limit = ksma_bytes_le32(b);
	segment->flags = ksma_bytes_le32(b);
	ksma_bytes_le32(b); /* pad */
	segment->base = ksma_bytes_le64(b);
}

/* struct QEMUCPUState. A version that we do not know is passed over. */
static void read_qemu_state(struct ksma_vcpu *vcpu, const uint8_t *note, size_t length)
{
	static const uint8_t order[] = {
		0, 3, 1, 2, 6, 7, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15
	}; /* rax rbx rcx rdx rsi rdi rsp rbp */
	struct ksma_bytes b = ksma_bytes_of(note, length);
	struct ksma_segment *segments[] = {
		&vcpu->cs, &vcpu->ds,  &vcpu->es, &vcpu->fs,  &vcpu->gs,
		&vcpu->ss, &vcpu->ldt, &vcpu->tr, &vcpu->gdt, &vcpu->idt
	};

	if (ksma_bytes_le32(&b) != QEMU_STATE_VERSION)
		return;
	ksma_bytes_le32(&b); /* size, the same as the note's */
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		vcpu->gpr[order[i]] = ksma_bytes_le64(&b);
	vcpu->rip = ksma_bytes_le64(&b);
	vcpu->rflags = ksma_bytes_le64(&b);
	for (size_t i = 0; i < ARRAY_SIZE(segments); i++)
		read_segment(&b, segments[i]);
	vcpu->cr0 = ksma_bytes_le64(&b);
	ksma_bytes_le64(&b); /* cr1 is no register */
	vcpu->cr2 = ksma_bytes_le64(&b);
	vcpu->cr3 = ksma_bytes_le64(&b);
	vcpu->cr4 = ksma_bytes_le64(&b);
	if (length >= QEMU_STATE_GS)
		vcpu->kernel_gs_base = ksma_bytes_le64(&b);
	vcpu->has_general = true;
}

static struct ksma_error *read_note(struct ksma_dump *dump, size_t *capacity, struct counts *counts,
				    uint32_t type, const char *name, size_t name_length,
				    const uint8_t *data, size_t length)
{
	struct ksma_vcpu *vcpu;

	if (name_length == 5 && memcmp(name, "CORE", 5) == 0 && type == NT_PRSTATUS &&
	    length >= PRSTATUS_MIN) {
		KSMA_TRY(vcpu_at(dump, capacity, counts->prstatus++, &vcpu));
		read_prstatus(vcpu, data);
	} else if (name_length == 5 && memcmp(name, "QEMU", 5) == 0 && type == 0 &&
		   length >= QEMU_STATE_MIN) {
		KSMA_TRY(vcpu_at(dump, capacity, counts->qemu++, &vcpu));
		read_qemu_state(vcpu, data, length);
		dump->by_qemu = true;
	}
	return NULL;
}

struct ksma_error *ksma_dump_notes(struct ksma_dump *dump, const uint8_t *notes, size_t length)
{
	struct ksma_bytes b = ksma_bytes_of(notes, length);
	struct counts counts = { 0 };
	size_t capacity = 0;

	if (dump->vcpu_count) /* a second PT_NOTE: QEMU writes one */
		return NULL;
	while (b.length - b.position >= sizeof(Elf64_Nhdr)) {
		uint32_t name_length = ksma_bytes_le32(&b);
		uint32_t data_length = ksma_bytes_le32(&b);
		uint32_t type = ksma_bytes_le32(&b);
		const uint8_t *name = ksma_bytes_take(&b, (size_t)ksma_align_up(name_length, 4));
		const uint8_t *data = ksma_bytes_take(&b, (size_t)ksma_align_up(data_length, 4));

		if (b.failed)
			return ksma_error_create(
				KSMA_ERROR_BAD_DATA,
				"%s is damaged: a note reaches past the end of the notes",
				dump->file.name);
		KSMA_TRY(read_note(dump, &capacity, &counts, type, (const char *)name, name_length,
				   data, data_length));
	}
	return NULL;
}
