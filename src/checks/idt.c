/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does every vCPU take its interrupts through the kernel's own table, and does each gate lead where it should?
 *
 * Gates as in the Intel SDM, volume 3, section "64-Bit Mode IDT"; vectors as in arch/x86/include/asm/trapnr.h and irq_vectors.h,
 * handlers as in arch/x86/kernel/idt.c of the kernel. */
#include <inttypes.h>

#include "base/bytes.h"
#include "checks/check.h"

#define CR0_PG (1ull << 31)
#define CR4_FRED (1ull << 32)

enum {
	VECTORS = 256,
	GATE_SIZE = 16,
	FIRST_OPTIONAL = 20, /* exceptions from here on are set up only where the CPU has them */
	FIRST_DEVICE_VECTOR = 0x20,
	SYSCALL_VECTOR = 0x80,
	KERNEL_CS = 0x10,
	GATE_INTERRUPT = 0xe,
	MAX_EARLY_STUB = 16, /* EARLY_IDT_HANDLER_SIZE: 9, or 13 with ENDBR */
	STUB_SIZE = 8,	     /* of irq_entries_start[]; 16 where the stubs begin with ENDBR */
};

/* The handlers that an exception vector may have. NULL ends the list; an empty list: the kernel uses no gate there. */
static const char *const exceptions[FIRST_DEVICE_VECTOR][4] = {
	[0] = { "asm_exc_divide_error" },
	[1] = { "asm_exc_debug" },
	[2] = { "asm_exc_nmi", "asm_exc_nmi_noist", "asm_exc_nmi_kvm_vmx" },
	[3] = { "asm_exc_int3" },
	[4] = { "asm_exc_overflow" },
	[5] = { "asm_exc_bounds" },
	[6] = { "asm_exc_invalid_op" },
	[7] = { "asm_exc_device_not_available" },
	[8] = { "asm_exc_double_fault" },
	[9] = { "asm_exc_coproc_segment_overrun" },
	[10] = { "asm_exc_invalid_tss" },
	[11] = { "asm_exc_segment_not_present" },
	[12] = { "asm_exc_stack_segment" },
	[13] = { "asm_exc_general_protection" },
	[14] = { "asm_exc_page_fault" },
	[15] = { "asm_exc_spurious_interrupt_bug" },
	[16] = { "asm_exc_coprocessor_error" },
	[17] = { "asm_exc_alignment_check" },
	[18] = { "asm_exc_machine_check" },
	[19] = { "asm_exc_simd_coprocessor_error" },
	[20] = { "asm_exc_virtualization_exception" },
	[21] = { "asm_exc_control_protection" },
	[29] = { "asm_exc_vmm_communication" },
};

struct gate {
	uint64_t handler;
	uint16_t selector;
	uint8_t type, dpl, ist;
	bool present;
};

static struct gate decode_gate(const uint8_t *bytes)
{
	return (struct gate){
		.handler = ksma_le16(bytes) | (uint64_t)ksma_le16(bytes + 6) << 16 |
			   (uint64_t)ksma_le32(bytes + 8) << 32,
		.selector = ksma_le16(bytes + 2),
		.ist = bytes[4] & 7,
		.type = bytes[5] & 0xf,
		.dpl = (bytes[5] >> 5) & 3,
		.present = bytes[5] & 0x80,
	};
}

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Vectors without a handler keep the stub of early boot, one a vector, though its memory is given back once boot is over. */
static bool is_early_stub(unsigned vector, const char *name, uint64_t offset)
{
	return strcmp(name, "early_idt_handler_array") == 0 && vector && offset % vector == 0 &&
	       offset / vector <= MAX_EARLY_STUB;
}

/* Stubs of device vectors stand in two arrays of code, one stub a vector. */
static bool is_stub(unsigned vector, const char *name, uint64_t offset)
{
	unsigned index = vector - FIRST_DEVICE_VECTOR;

	if (strcmp(name, "irq_entries_start") == 0 || strcmp(name, "__irqentry_text_start") == 0)
		return offset == (uint64_t)index * STUB_SIZE ||
		       offset == (uint64_t)index * 2 * STUB_SIZE;
	/* spurious_entries_start[] begins at FIRST_SYSTEM_VECTOR, which configurations move. */
	return strcmp(name, "spurious_entries_start") == 0 && offset % STUB_SIZE == 0 &&
	       offset <= (uint64_t)index * 2 * STUB_SIZE;
}

static bool handler_fits(const struct ksma_kernel *kernel, unsigned vector, uint64_t handler)
{
	const struct ksma_symbol *symbol = ksma_symbols_at(&kernel->symbols, handler);
	const char *name;
	uint64_t offset;

	if (!symbol)
		return false;
	name = ksma_symbol_name(&kernel->symbols, symbol);
	offset = handler - ksma_symbol_address(&kernel->symbols, symbol);
	if (vector < FIRST_DEVICE_VECTOR &&
	    (!exceptions[vector][0] || !ksma_kernel_symbol(kernel, exceptions[vector][0]) ||
	     vector >= FIRST_OPTIONAL) &&
	    is_early_stub(vector, name, offset))
		return true;
	if (!ksma_kernel_is_text(kernel, handler))
		return false;
	if (vector < FIRST_DEVICE_VECTOR) {
		for (size_t i = 0; i < ARRAY_SIZE(exceptions[0]) && exceptions[vector][i]; i++)
			if (ksma_kernel_symbol(kernel, exceptions[vector][i]) == handler)
				return true;
		return offset == 0 && starts_with(name, "asm_exc_xen_");
	}
	if (vector == SYSCALL_VECTOR && offset == 0 &&
	    (strcmp(name, "entry_INT80_compat") == 0 || strcmp(name, "asm_int80_emulation") == 0 ||
	     strcmp(name, "int80_emulation") == 0))
		return true;
	return is_stub(vector, name, offset) ||
	       (offset == 0 &&
		(starts_with(name, "asm_sysvec_") || starts_with(name, "asm_exc_xen_")));
}

/* Breakpoint and overflow may be raised by user space, and so may the system call vector. */
static bool dpl_fits(unsigned vector, uint8_t dpl)
{
	return dpl == 0 || (dpl == 3 && (vector == 3 || vector == 4 || vector == SYSCALL_VECTOR));
}

static struct ksma_error *report_gate(struct ksma_look *look, const char *table, uint64_t base,
				      unsigned vector, const struct gate *gate, const char *what)
{
	const char *expected = vector < FIRST_DEVICE_VECTOR ? exceptions[vector][0] : NULL;
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(look, KSMA_SEVERITY_CRITICAL, &finding, "%s/vector%u", table,
				  vector));
	KSMA_TRY(ksma_finding_title(finding, "interrupt gate %u %s", vector, what));
	KSMA_TRY(ksma_finding_number(finding, "vector", vector));
	KSMA_TRY(ksma_finding_address(look, finding, "gate", base + (uint64_t)vector * GATE_SIZE));
	KSMA_TRY(ksma_finding_code(look, finding, "found", gate->handler));
	KSMA_TRY(ksma_finding_text(finding, "selector", "0x%x", gate->selector));
	KSMA_TRY(ksma_finding_number(finding, "dpl", gate->dpl));
	if (expected && ksma_kernel_symbol(look->kernel, expected))
		return ksma_finding_address(look, finding, "expected",
					    ksma_kernel_symbol(look->kernel, expected));
	return ksma_finding_text(finding, "expected", "%s",
				 vector == SYSCALL_VECTOR
					 ? "the kernel's int 0x80 entry"
					 : "a stub of irq_entries_start or a system vector");
}

/* @name of the table, for the ids of findings */
static struct ksma_error *check_gates(struct ksma_look *look, const char *name, uint64_t base,
				      unsigned limit)
{
	uint8_t table[VECTORS * GATE_SIZE];
	unsigned count = (limit + 1) / GATE_SIZE;

	if (count > VECTORS)
		count = VECTORS;
	KSMA_TRY(ksma_error_prefix(ksma_space_read(&look->kernel->space, ksma_gva_of(base), table,
						   (size_t)count * GATE_SIZE),
				   "the interrupt table"));
	for (unsigned vector = 0; vector < count; vector++) {
		struct gate gate = decode_gate(table + (size_t)vector * GATE_SIZE);

		if (!gate.present)
			continue;
		if (!handler_fits(look->kernel, vector, gate.handler))
			KSMA_TRY(report_gate(look, name, base, vector, &gate,
					     "does not lead to the kernel's handler for it"));
		else if (gate.selector != KERNEL_CS || gate.type != GATE_INTERRUPT)
			KSMA_TRY(report_gate(
				look, name, base, vector, &gate,
				"is not an interrupt gate into the kernel's code segment"));
		else if (!dpl_fits(vector, gate.dpl))
			KSMA_TRY(report_gate(look, name, base, vector, &gate,
					     "was opened to user space"));
	}
	return NULL;
}

static struct ksma_error *report_base(struct ksma_look *look, const struct ksma_vcpu *vcpu,
				      uint64_t table, uint64_t found_gpa, uint64_t table_gpa)
{
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(look, KSMA_SEVERITY_CRITICAL, &finding, "vcpu%u/idtr",
				  vcpu->index));
	KSMA_TRY(ksma_finding_title(
		finding,
		"the interrupt table register of vCPU %u does not point to the kernel's table",
		vcpu->index));
	KSMA_TRY(ksma_finding_number(finding, "vcpu", vcpu->index));
	KSMA_TRY(ksma_finding_address(look, finding, "found", vcpu->idt.base));
	KSMA_TRY(ksma_finding_text(finding, "found_frame", "0x%" PRIx64, found_gpa));
	KSMA_TRY(ksma_finding_address(look, finding, "expected", table));
	return ksma_finding_text(finding, "expected_frame", "0x%" PRIx64, table_gpa);
}

/* The register holds the read-only alias of idt_table in the CPU entry area: another address, the same frame. */
static struct ksma_error *check_base(struct ksma_look *look, const struct ksma_vcpu *vcpu,
				     uint64_t table, uint64_t table_gpa, bool *ret_ours)
{
	uint64_t gpa = 0;

	*ret_ours = ksma_space_try_translate(&look->kernel->space, vcpu->idt.base, &gpa) &&
		    gpa == table_gpa;
	return *ret_ours ? NULL : report_base(look, vcpu, table, gpa, table_gpa);
}

static struct ksma_error *run(struct ksma_look *look)
{
	uint64_t table, table_gpa;

	KSMA_TRY(ksma_kernel_need_symbol(look->kernel, "idt_table", &table));
	if (!ksma_space_try_translate(&look->kernel->space, table, &table_gpa))
		return ksma_error_fault(table, "the kernel's interrupt table is not mapped");
	/* The kernel's own table is looked at in any case; a register that points elsewhere adds that table. */
	KSMA_TRY(check_gates(look, "idt_table", table, VECTORS * GATE_SIZE - 1));
	if (!look->registers) {
		ksma_coverage_gap(
			look->coverage, KSMA_COVERAGE_PARTIAL,
			"only the table at idt_table was looked at, not the one that the vCPUs use: %s",
			look->registers_problem);
		return NULL;
	}
	for (size_t i = 0; i < look->registers->count; i++) {
		const struct ksma_vcpu *vcpu = &look->registers->vcpus[i];
		char name[32];
		bool ours;

		if (!(vcpu->cr0 & CR0_PG))
			continue; /* not started: it runs nothing */
		if (vcpu->cr4 & CR4_FRED) {
			ksma_coverage_gap(
				look->coverage, KSMA_COVERAGE_PARTIAL,
				"vCPU %u takes its interrupts through FRED, which is not looked at yet",
				vcpu->index);
			continue;
		}
		KSMA_TRY(check_base(look, vcpu, table, table_gpa, &ours));
		snprintf(name, sizeof(name), "vcpu%u", vcpu->index);
		if (!ours)
			ksma_coverage_error(look->coverage, KSMA_COVERAGE_PARTIAL,
					    check_gates(look, name, vcpu->idt.base,
							vcpu->idt.limit),
					    "the table in use");
	}
	return NULL;
}

const struct ksma_check ksma_check_idt = {
	.info = {
		.name = "idt",
		.title = "Interrupt descriptor table",
		.attack = "T1014",
		.needs = "registers",
		.structures = "IDTR of every vCPU, idt_table, the handlers asm_exc_*, asm_sysvec_*, irq_entries_start, spurious_entries_start",
		.why = "A changed gate hands the attacker every page fault, breakpoint or int 0x80; a moved table does so without touching the kernel's.",
		.cost = "0.04 ms",
		.false_alarms = "None known: the table is read-only once the kernel is up. Vectors that a hypervisor interface claims are told by their names.",
		.todo = "Follow `found_leads_to`: the code there runs at each such exception or interrupt. Restore the guest; its own "
			"tools run on top of that code.",
	},
	.needs_registers = true,
	.run = run,
};
