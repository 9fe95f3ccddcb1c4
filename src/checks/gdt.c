/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Are the tables of segments and the task state of every processor the kernel's, and as the kernel makes them?
 *
 * Descriptors as in the Intel SDM, volume 3, "Segment Descriptors" and "System Descriptor Types"; their places as in
 * arch/x86/include/asm/segment.h and gdt_page in arch/x86/kernel/cpu/common.c; stacks as in tss_setup_ist() there. */
#include "checks/gdt.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "checks/check.h"
#include "checks/cpus.h"

#define PRESENT (1ull << 47)
#define SEGMENT (1ull << 44) /* clear: a gate, a TSS or an LDT */
#define CODE (1ull << 43)
#define LONG (1ull << 53)
#define DEFAULT_32 (1ull << 54)
#define CR4_FRED (1ull << 32)

enum {
	GDT_SIZE = KSMA_GDT_ENTRIES * 8,
	TLS_FIRST = 12,
	TLS_LAST = 14,
	CPU_NODE = 15,
	TYPE_LDT = 2,
	TYPE_TSS = 9,
	TYPE_TSS_BUSY = 11,
	LDT_MAX = 8192 * 8,
	STACKS = 7,
	TSS_WINDOW = 104,
};

bool ksma_descriptor_is_present(uint64_t entry)
{
	return entry & PRESENT;
}

static unsigned type_of(uint64_t entry)
{
	return entry >> 40 & 0xf;
}

static unsigned dpl_of(uint64_t entry)
{
	return entry >> 45 & 3;
}

uint64_t ksma_descriptor_base(uint64_t low, uint64_t high)
{
	return (low >> 16 & 0xffffff) | (low >> 56 & 0xff) << 24 | high << 32;
}

uint32_t ksma_descriptor_limit(uint64_t low)
{
	return (uint32_t)((low & 0xffff) | (low >> 32 & 0xf0000));
}

/* What a flat segment has to be. */
struct flat {
	uint8_t dpl;
	bool code;
	uint64_t mode; /* of code: LONG or DEFAULT_32 */
};

/* By place: kernel code of 32 bits, kernel code, kernel data, user code of 32 bits, user data, user code. */
static const struct flat flats[] = {
	[1] = { 0, true, DEFAULT_32 }, [2] = { 0, true, LONG }, [3] = { 0, false, 0 },
	[4] = { 3, true, DEFAULT_32 }, [5] = { 3, false, 0 },	[6] = { 3, true, LONG },
};

static const char *flat_verdict(unsigned index, uint64_t entry)
{
	const struct flat *flat = &flats[index];

	if (!(entry & PRESENT) || !(entry & SEGMENT))
		return "is no segment";
	if (dpl_of(entry) != flat->dpl)
		return "has another privilege level than the kernel gives it";
	if (!!(entry & CODE) != flat->code)
		return flat->code ? "is data where the kernel has code"
				  : "is code where the kernel has data";
	/* Readable code that does not conform, and data that can be written and grows up. */
	if ((type_of(entry) & 6) != 2)
		return "has rights that the kernel does not give it";
	if (flat->code && (entry & (LONG | DEFAULT_32)) != flat->mode)
		return "runs code in another mode";
	if (ksma_descriptor_base(entry, 0) || ksma_descriptor_limit(entry) != 0xfffff)
		return "does not span all addresses";
	return NULL;
}

static const char *system_verdict(uint64_t entry, bool tss)
{
	unsigned type = type_of(entry);

	if (!(entry & PRESENT))
		return tss && entry ? "is no task state" : NULL;
	if ((entry & SEGMENT) || dpl_of(entry) != 0 ||
	    (tss ? type != TYPE_TSS && type != TYPE_TSS_BUSY : type != TYPE_LDT))
		return tss ? "is no task state" : "is no local table";
	return NULL;
}

const char *ksma_gdt_verdict(unsigned index, uint64_t entry)
{
	if (index >= 1 && index < ARRAY_SIZE(flats))
		return flat_verdict(index, entry);
	switch (index) {
	case 0:
	case 7:
		return entry & PRESENT ? "is in use, and the kernel uses none there" : NULL;
	case KSMA_GDT_TSS:
		return system_verdict(entry, true);
	case KSMA_GDT_LDT:
		return system_verdict(entry, false);
	case KSMA_GDT_TSS + 1:
	case KSMA_GDT_LDT + 1:
		return NULL;
	default:
		/* Thread-local storage, and the number of the processor in a limit. */
		if (!(entry & PRESENT))
			return NULL;
		if (!(entry & SEGMENT))
			return "is a gate or another system descriptor";
		return (entry & CODE) || dpl_of(entry) != 3 ? "is no data of user space" : NULL;
	}
}

const char *ksma_ldt_verdict(uint64_t entry)
{
	if (!(entry & PRESENT))
		return NULL;
	if (!(entry & SEGMENT))
		return "is a gate or another system descriptor";
	return dpl_of(entry) != 3		  ? "is no segment of user space"
	       : (entry & CODE) && (entry & LONG) ? "is code of 64 bits"
						  : NULL;
}

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
};

static struct ksma_error *report_entry(struct survey *s, const char *holder, const char *table,
				       unsigned index, uint64_t place, uint64_t entry,
				       const char *verdict)
{
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "%s/%s%u", holder,
				  table, index));
	KSMA_TRY(ksma_finding_title(finding, "entry %u of the %s of %s %s", index,
				    strcmp(table, "gdt") == 0 ? "GDT" : "LDT", holder, verdict));
	KSMA_TRY(ksma_finding_number(finding, "entry", index));
	KSMA_TRY(ksma_finding_address(s->look, finding, "place", place));
	return ksma_finding_text(finding, "found", "0x%016" PRIx64, entry);
}

static struct ksma_error *check_ldt(struct survey *s, const char *holder, uint64_t low,
				    uint64_t high)
{
	uint64_t base = ksma_descriptor_base(low, high);
	uint32_t size = ksma_descriptor_limit(low) + 1;
	_cleanup_free_ uint8_t *table = NULL;

	if (!ksma_descriptor_is_present(low))
		return NULL;
	if (size > LDT_MAX)
		size = LDT_MAX;
	table = malloc(size);
	if (!table)
		return ksma_error_nomem();
	/* With KPTI it is mapped for its process alone. */
	if (!ksma_kernel_bytes(s->kernel, base, table, size)) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "the local table of segments of %s cannot be read", holder);
		return NULL;
	}
	for (uint32_t i = 0; i + 8 <= size; i += 8) {
		uint64_t entry = ksma_le64(table + i);
		const char *verdict = ksma_ldt_verdict(entry);

		if (verdict)
			KSMA_TRY(report_entry(s, holder, "ldt", i / 8, base + i, entry, verdict));
	}
	return NULL;
}

/* One table of segments. `tss`: where the task state of its processor has to lie; 0: not known. */
static struct ksma_error *check_gdt(struct survey *s, const char *holder, uint64_t at, uint64_t tss)
{
	uint64_t entries[KSMA_GDT_ENTRIES], base;
	uint8_t table[GDT_SIZE];

	if (!ksma_kernel_bytes(s->kernel, at, table, sizeof(table))) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "the table of segments of %s cannot be read", holder);
		return NULL;
	}
	for (unsigned i = 0; i < KSMA_GDT_ENTRIES; i++) {
		const char *verdict;

		entries[i] = ksma_le64(table + 8 * i);
		verdict = ksma_gdt_verdict(i, entries[i]);
		if (verdict)
			KSMA_TRY(
				report_entry(s, holder, "gdt", i, at + 8 * i, entries[i], verdict));
	}
	base = ksma_descriptor_base(entries[KSMA_GDT_TSS], entries[KSMA_GDT_TSS + 1]);
	if (tss && ksma_descriptor_is_present(entries[KSMA_GDT_TSS]) && base != tss)
		KSMA_TRY(report_entry(s, holder, "gdt", KSMA_GDT_TSS, at + 8 * KSMA_GDT_TSS,
				      entries[KSMA_GDT_TSS],
				      "leads to a task state that is not the kernel's"));
	return check_ldt(s, holder, entries[KSMA_GDT_LDT], entries[KSMA_GDT_LDT + 1]);
}

static struct ksma_error *report_stack(struct survey *s, const char *holder, const char *what,
				       uint64_t place, uint64_t found, uint64_t expected)
{
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "%s/tss.%s", holder,
				  what));
	KSMA_TRY(ksma_finding_title(finding,
				    "%s of %s's task state does not lead to the kernel's own stack",
				    what, holder));
	KSMA_TRY(ksma_finding_address(s->look, finding, "place", place));
	KSMA_TRY(ksma_finding_text(finding, "found", "0x%016" PRIx64, found));
	return ksma_finding_text(finding, "expected", "0x%016" PRIx64, expected);
}

/* Where the stack of an exception ends: at the guard page before the next. -1 where the kernel has no such stack. */
static int32_t stack_end(const struct ksma_offsets *off, unsigned index)
{
	const int32_t ends[STACKS] = {
		off->cea_exception_stacks__NMI_stack_guard, /* of the double fault */
		off->cea_exception_stacks__DB_stack_guard,
		off->cea_exception_stacks__MCE_stack_guard,
		off->cea_exception_stacks__VC_stack_guard != KSMA_NO_MEMBER
			? off->cea_exception_stacks__VC_stack_guard
			: off->cea_exception_stacks__IST_top_guard,
		off->cea_exception_stacks__VC2_stack_guard, /* of #VC */
		KSMA_NO_MEMBER,
		KSMA_NO_MEMBER,
	};

	return ends[index];
}

/* The stacks that the processor takes by itself. */
static struct ksma_error *check_tss(struct survey *s, const char *holder, unsigned cpu, uint64_t at,
				    uint64_t area, bool fred)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t stack = ksma_cpu_entry_stack_top(s->kernel, cpu);
	uint8_t tss[TSS_WINDOW];

	if (off->x86_hw_tss__ist == KSMA_NO_MEMBER || off->x86_hw_tss__sp0 == KSMA_NO_MEMBER ||
	    off->x86_hw_tss__ist + STACKS * 8 > TSS_WINDOW ||
	    off->x86_hw_tss__sp0 + 8 > TSS_WINDOW ||
	    off->cpu_entry_area__estacks == KSMA_NO_MEMBER ||
	    !ksma_kernel_bytes(s->kernel, at, tss, sizeof(tss))) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "the task state of %s cannot be read", holder);
		return NULL;
	}
	for (unsigned i = 0; i < STACKS; i++) {
		uint64_t place = at + (uint64_t)off->x86_hw_tss__ist + 8 * i;
		uint64_t found = ksma_le64(tss + off->x86_hw_tss__ist + 8 * i);
		int32_t end = stack_end(off, i);
		uint64_t expected =
			end == KSMA_NO_MEMBER
				? 0
				: area + (uint64_t)off->cpu_entry_area__estacks + (uint64_t)end;
		char what[8];

		snprintf(what, sizeof(what), "ist%u", i + 1);
		if (found && found != expected)
			KSMA_TRY(report_stack(s, holder, what, place, found, expected));
	}
	if (!fred && stack && ksma_le64(tss + off->x86_hw_tss__sp0) != stack)
		return report_stack(s, holder, "sp0", at + (uint64_t)off->x86_hw_tss__sp0,
				    ksma_le64(tss + off->x86_hw_tss__sp0), stack);
	return NULL;
}

static uint64_t tss_in(const struct ksma_kernel *kernel, uint64_t area)
{
	return area && kernel->off.cpu_entry_area__tss != KSMA_NO_MEMBER &&
			       kernel->off.tss_struct__x86_tss != KSMA_NO_MEMBER
		       ? area + (uint64_t)kernel->off.cpu_entry_area__tss +
				 (uint64_t)kernel->off.tss_struct__x86_tss
		       : 0;
}

/* The tables as the kernel keeps them in memory. */
static struct ksma_error *check_cpu(struct survey *s, unsigned cpu, bool fred)
{
	struct ksma_kernel *kernel = s->kernel;
	uint64_t gdt = ksma_kernel_per_cpu(kernel, "gdt_page", cpu);
	uint64_t tss = ksma_kernel_per_cpu(kernel, "cpu_tss_rw", cpu);
	uint64_t area = ksma_cpu_entry_area(kernel, cpu);
	char holder[16];

	snprintf(holder, sizeof(holder), "cpu%u", cpu);
	if (!gdt || !tss || !area || kernel->off.tss_struct__x86_tss == KSMA_NO_MEMBER) {
		ksma_coverage_gap(
			s->look->coverage, KSMA_COVERAGE_PARTIAL,
			"this kernel does not say where the tables of its processors lie");
		return NULL;
	}
	KSMA_TRY(check_gdt(s, holder, gdt, tss_in(kernel, area)));
	return check_tss(s, holder, cpu, tss + (uint64_t)kernel->off.tss_struct__x86_tss, area,
			 fred);
}

static struct ksma_error *report_register(struct survey *s, const struct ksma_vcpu *vcpu,
					  const char *name, const char *what, uint64_t found,
					  uint64_t expected)
{
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "vcpu%u/%s",
				  vcpu->index, name));
	KSMA_TRY(ksma_finding_title(finding, "%s of vCPU %u %s", name, vcpu->index, what));
	KSMA_TRY(ksma_finding_number(finding, "vcpu", vcpu->index));
	KSMA_TRY(ksma_finding_address(s->look, finding, "found", found));
	return ksma_finding_address(s->look, finding, "expected", expected);
}

/* Two addresses of one frame: tables are written at one, and used, read-only, at the other. */
static bool same_frame(struct survey *s, uint64_t a, uint64_t b)
{
	uint64_t x, y;

	return ksma_space_try_translate(&s->kernel->space, a, &x) &&
	       ksma_space_try_translate(&s->kernel->space, b, &y) && x == y;
}

/* What the processor itself uses. */
static struct ksma_error *check_vcpu(struct survey *s, const struct ksma_vcpu *vcpu)
{
	unsigned cpu = ksma_vcpu_cpu(s->kernel, vcpu);
	uint64_t area = ksma_cpu_entry_area(s->kernel, cpu), tss = tss_in(s->kernel, area);
	uint64_t gdt = ksma_kernel_per_cpu(s->kernel, "gdt_page", cpu);
	uint64_t state = ksma_kernel_per_cpu(s->kernel, "cpu_tss_rw", cpu);
	char holder[32];

	if (!area || !gdt || !tss || !state)
		return NULL; /* said already */
	if ((vcpu->gdt.base != area + (uint64_t)s->kernel->off.cpu_entry_area__gdt &&
	     vcpu->gdt.base != gdt) ||
	    !same_frame(s, vcpu->gdt.base, gdt)) {
		KSMA_TRY(report_register(s, vcpu, "GDTR", "does not lead to the kernel's table",
					 vcpu->gdt.base, area));
		snprintf(holder, sizeof(holder), "vcpu%u", vcpu->index);
		KSMA_TRY(check_gdt(s, holder, vcpu->gdt.base, tss));
	} else if (vcpu->gdt.limit != GDT_SIZE - 1) {
		KSMA_TRY(report_register(s, vcpu, "GDTR.limit", "is not the kernel's",
					 vcpu->gdt.limit, GDT_SIZE - 1));
	}
	if (vcpu->tr.base != tss ||
	    !same_frame(s, tss, state + (uint64_t)s->kernel->off.tss_struct__x86_tss))
		return report_register(s, vcpu, "TR", "does not lead to the kernel's task state",
				       vcpu->tr.base, tss);
	return NULL;
}

static bool uses_fred(const struct ksma_look *look)
{
	for (size_t i = 0; look->registers && i < look->registers->count; i++)
		if (look->registers->vcpus[i].cr4 & CR4_FRED)
			return true;
	return false;
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look, .kernel = look->kernel };
	bool fred = uses_fred(look);

	for (unsigned cpu = 0; cpu < look->kernel->cpus; cpu++)
		if (look->kernel->per_cpu[cpu] && ksma_cpu_is_online(look->kernel, cpu))
			KSMA_TRY(check_cpu(&s, cpu, fred));
	if (!look->registers) {
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "only the tables in memory were looked at, not GDTR and TR: %s",
				  look->registers_problem);
		return NULL;
	}
	for (size_t i = 0; i < look->registers->count; i++)
		if (ksma_vcpu_runs(&look->registers->vcpus[i]))
			KSMA_TRY(check_vcpu(&s, &look->registers->vcpus[i]));
	return NULL;
}

const struct ksma_check ksma_check_gdt = {
	.info = {
		.name = "gdt",
		.title = "Segment tables and task state of every processor",
		.attack = "T1014",
		.needs = "registers",
		.structures = "GDTR and TR of every vCPU; gdt_page, cpu_tss_rw and the CPU entry area of every processor, local tables",
		.why = "A call gate lets user space into the kernel's privilege level at an address of the attacker's choice; a moved stack of an "
		       "exception or another task state takes over at the next interrupt.",
		.cost = "0.02 ms",
		.false_alarms = "None known: the kernel fills these tables when a processor comes up; only thread-local segments and local tables change, "
				"and those hold nothing but data and segments of user space.",
		.todo = "A descriptor or stack that is not the kernel's is a way into it from user space: restore the guest from a "
			"known image.",
	},
	.needs_registers = true,
	.run = run,
};
