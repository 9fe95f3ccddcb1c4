/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does every vCPU still have the protections on that the kernel switched on, and the model-specific registers that it set?
 *
 * Values as in arch/x86/kernel/cpu/common.c of the kernel: CR0_STATE, cr4_pinned_mask, syscall_init(). */
#include <inttypes.h>

#include "checks/check.h"
#include "checks/cpus.h"

#define CR4_FRED (1ull << 32)
/* __USER32_CS and __KERNEL_CS, where SYSRET and SYSCALL look for them. */
#define STAR_VALUE (0x23ull << 48 | 0x10ull << 32)
/* TF, IF, DF, IOPL, NT, AC: what every kernel since 4.x masks at a system call. Later ones mask more. */
#define FMASK_LEAST 0x47700ull

enum {
	KERNEL_CS = 0x10,
	OFFLINE_PERSIST_MS = 3000, /* a processor that comes up gets its registers one by one */
	FEATURE_NX = 1 * 32 + 20,
	FEATURE_SMEP = 9 * 32 + 7,
	FEATURE_SMAP = 9 * 32 + 20,
	FEATURE_UMIP = 16 * 32 + 2,
	FEATURE_NONE = -1,
};

/* A bit that has to be set. */
struct bit {
	const char *name;
	uint64_t mask;
	int feature; /* of the CPU, as the kernel found it; FEATURE_NONE: every x86-64 has it */
};

static const struct bit cr0_bits[] = {
	{ "PE", 1ull << 0, FEATURE_NONE },  { "NE", 1ull << 5, FEATURE_NONE },
	{ "WP", 1ull << 16, FEATURE_NONE }, { "AM", 1ull << 18, FEATURE_NONE },
	{ "PG", 1ull << 31, FEATURE_NONE },
};

static const struct bit cr4_bits[] = {
	{ "PAE", 1ull << 5, FEATURE_NONE },
	{ "UMIP", 1ull << 11, FEATURE_UMIP },
	{ "SMEP", 1ull << 20, FEATURE_SMEP },
	{ "SMAP", 1ull << 21, FEATURE_SMAP },
};

/* Those of cr4_pinned_mask that are known by nothing but having been set at boot. */
static const struct bit pinned_bits[] = {
	{ "UMIP", 1ull << 11, FEATURE_NONE }, { "FSGSBASE", 1ull << 16, FEATURE_NONE },
	{ "SMEP", 1ull << 20, FEATURE_NONE }, { "SMAP", 1ull << 21, FEATURE_NONE },
	{ "CET", 1ull << 23, FEATURE_NONE },  { "FRED", 1ull << 32, FEATURE_NONE },
};

static const struct bit efer_bits[] = {
	{ "SCE", 1ull << 0, FEATURE_NONE },
	{ "LME", 1ull << 8, FEATURE_NONE },
	{ "LMA", 1ull << 10, FEATURE_NONE },
	{ "NXE", 1ull << 11, FEATURE_NX },
};

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	uint64_t pinned; /* cr4_pinned_bits, 0 when not known */
	const struct ksma_vcpu *vcpu;
	unsigned cpu; /* to the kernel; KSMA_MAX_CPUS: not known */
};

/* boot_cpu_data is writable, so that a feature that it lacks proves nothing; see cr4_pinned_bits for the other half. */
static bool has_feature(struct survey *s, int feature)
{
	uint64_t at = ksma_kernel_symbol(s->kernel, "boot_cpu_data");
	uint32_t word;

	if (feature == FEATURE_NONE)
		return true;
	if (!at || s->kernel->off.cpuinfo_x86__x86_capability == KSMA_NO_MEMBER ||
	    !ksma_kernel_u32(s->kernel,
			     at + (uint64_t)s->kernel->off.cpuinfo_x86__x86_capability +
				     4ul * ((unsigned)feature / 32),
			     &word)) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel does not say what its processors can do");
		return false;
	}
	return word >> ((unsigned)feature % 32) & 1;
}

static struct ksma_error *report(struct survey *s, enum ksma_severity severity, const char *name,
				 uint64_t found, struct ksma_finding **ret_finding)
{
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(s->look, severity, &finding, "vcpu%u/%s", s->vcpu->index, name));
	if (s->cpu != KSMA_MAX_CPUS && !ksma_cpu_is_online(s->kernel, s->cpu))
		finding->persist_ms = OFFLINE_PERSIST_MS;
	KSMA_TRY(ksma_finding_number(finding, "vcpu", s->vcpu->index));
	KSMA_TRY(ksma_finding_text(finding, "register", "%s", name));
	KSMA_TRY(ksma_finding_text(finding, "found", "0x%016" PRIx64, found));
	*ret_finding = finding;
	return NULL;
}

static struct ksma_error *check_bits(struct survey *s, const char *name, uint64_t value,
				     const struct bit *bits, size_t count, uint64_t wanted)
{
	for (size_t i = 0; i < count; i++) {
		struct ksma_finding *finding;
		char id[32];

		if ((value & bits[i].mask) || !(wanted & bits[i].mask) ||
		    !has_feature(s, bits[i].feature))
			continue;
		snprintf(id, sizeof(id), "%s.%s", name, bits[i].name);
		KSMA_TRY(report(s, KSMA_SEVERITY_CRITICAL, id, value, &finding));
		KSMA_TRY(ksma_finding_title(finding, "%s of vCPU %u is off", id, s->vcpu->index));
		KSMA_TRY(ksma_finding_text(finding, "expected", "0x%016" PRIx64,
					   value | bits[i].mask));
	}
	return NULL;
}

/* The bits that the kernel would not let itself clear; those that it knows of twice are reported once. */
static struct ksma_error *check_cr4(struct survey *s)
{
	uint64_t value = s->vcpu->cr4, told = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cr4_bits); i++)
		told |= has_feature(s, cr4_bits[i].feature) ? cr4_bits[i].mask : 0;
	KSMA_TRY(check_bits(s, "CR4", value, cr4_bits, ARRAY_SIZE(cr4_bits), UINT64_MAX));
	return check_bits(s, "CR4", value, pinned_bits, ARRAY_SIZE(pinned_bits), s->pinned & ~told);
}

/* @other a second value that is right as well */
static struct ksma_error *check_value(struct survey *s, const char *name, uint64_t found,
				      uint64_t expected, uint64_t other, const char *what)
{
	struct ksma_finding *finding;

	if (found == expected || found == other)
		return NULL;
	KSMA_TRY(report(s, KSMA_SEVERITY_CRITICAL, name, found, &finding));
	KSMA_TRY(
		ksma_finding_title(finding, "%s of vCPU %u is not %s", name, s->vcpu->index, what));
	return ksma_finding_text(finding, "expected", "0x%016" PRIx64, expected);
}

static struct ksma_error *check_fmask(struct survey *s)
{
	const struct ksma_registers *registers = s->look->registers;
	uint64_t expected = FMASK_LEAST;
	struct ksma_finding *finding;

	/* All processors mask the same. */
	for (size_t i = 0; i < registers->count; i++)
		if (ksma_vcpu_runs(&registers->vcpus[i]) && registers->vcpus[i].has_msrs)
			expected |= registers->vcpus[i].fmask;
	if (s->vcpu->fmask == expected)
		return NULL;
	KSMA_TRY(report(s, KSMA_SEVERITY_CRITICAL, "SFMASK", s->vcpu->fmask, &finding));
	KSMA_TRY(ksma_finding_title(finding,
				    "system calls on vCPU %u keep flags that the kernel clears",
				    s->vcpu->index));
	return ksma_finding_text(finding, "expected", "0x%016" PRIx64, expected);
}

/* The kernel finds all that it has for each processor through GS: swapped in at entry, out at exit. */
static struct ksma_error *check_gs(struct survey *s)
{
	const struct ksma_vcpu *v = s->vcpu;
	uint64_t expected = s->cpu < s->kernel->cpus ? s->kernel->per_cpu[s->cpu] : 0;
	bool user = v->has_general && (v->cs.selector & 3) == 3;
	struct ksma_finding *finding;

	if (!expected || v->kernel_gs_base == expected || (!user && v->gs.base == expected))
		return NULL;
	KSMA_TRY(report(s, KSMA_SEVERITY_CRITICAL, "GS", user ? v->kernel_gs_base : v->gs.base,
			&finding));
	KSMA_TRY(ksma_finding_title(
		finding, "GS of vCPU %u does not lead to the kernel's data of this processor",
		v->index));
	KSMA_TRY(ksma_finding_text(finding, "other", "0x%016" PRIx64,
				   user ? v->gs.base : v->kernel_gs_base));
	return ksma_finding_text(finding, "expected", "0x%016" PRIx64, expected);
}

static struct ksma_error *check_msrs(struct survey *s)
{
	const struct ksma_vcpu *v = s->vcpu;
	uint64_t stack = s->cpu < s->kernel->cpus ? ksma_cpu_entry_stack_top(s->kernel, s->cpu) : 0;

	KSMA_TRY(check_gs(s));
	if (v->cr4 & CR4_FRED) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "vCPU %u enters the kernel through FRED, whose registers QEMU "
				  "does not show",
				  v->index);
		return NULL;
	}
	KSMA_TRY(check_value(s, "STAR", v->star, STAR_VALUE, STAR_VALUE, "as the kernel sets it"));
	KSMA_TRY(check_fmask(s));
	KSMA_TRY(check_value(s, "SYSENTER_CS", v->sysenter_cs, KERNEL_CS, 0,
			     "the kernel's code segment"));
	if (stack)
		return check_value(s, "SYSENTER_ESP", v->sysenter_esp, stack, 0,
				   "this processor's entry stack");
	ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
			  "this kernel's types do not say where entry stacks lie");
	return NULL;
}

static struct ksma_error *check_vcpu(struct survey *s)
{
	const struct ksma_vcpu *v = s->vcpu;

	KSMA_TRY(check_bits(s, "CR0", v->cr0, cr0_bits, ARRAY_SIZE(cr0_bits), UINT64_MAX));
	KSMA_TRY(check_cr4(s));
	/* It is an MSR, which the monitor's short form prints as well; a dump has it not. */
	if (v->has_msrs || s->kernel->guest->info.kind == KSMA_GUEST_LIVE)
		KSMA_TRY(check_bits(s, "EFER", v->efer, efer_bits, ARRAY_SIZE(efer_bits),
				    UINT64_MAX));
	if (v->has_msrs)
		return check_msrs(s);
	ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL, "%s",
			  s->look->registers_problem ?: "the MSRs of a vCPU could not be read");
	return NULL;
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look, .kernel = look->kernel };
	uint64_t pinned = ksma_kernel_symbol(look->kernel, "cr4_pinned_bits");

	if (!look->registers) {
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_UNKNOWN, "%s",
				  look->registers_problem);
		return NULL;
	}
	if (!pinned || !ksma_kernel_u64(look->kernel, pinned, &s.pinned))
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel does not say which bits of CR4 it keeps set");
	for (size_t i = 0; i < look->registers->count; i++) {
		s.vcpu = &look->registers->vcpus[i];
		if (!ksma_vcpu_runs(s.vcpu))
			continue; /* not started: it runs nothing */
		s.cpu = ksma_vcpu_cpu(look->kernel, s.vcpu);
		KSMA_TRY(check_vcpu(&s));
	}
	return NULL;
}

const struct ksma_check ksma_check_control_registers = {
	.info = {
		.name = "control-registers",
		.title = "Control registers and MSRs of every vCPU",
		.attack = "T1562.001",
		.needs = "registers",
		.structures = "CR0, CR4, EFER, STAR, SFMASK, SYSENTER_CS, SYSENTER_ESP, GS of every vCPU; cr4_pinned_bits, boot_cpu_data, "
			      "__per_cpu_offset, the CPU entry areas",
		.why = "With CR0.WP off the kernel's constants can be written, with SMEP or SMAP off its code can be made to run or read what user "
		       "space prepared; flags that are not masked and another GS take over a system call before its first instruction.",
		.cost = "under 0.01 ms",
		.false_alarms = "None known: what is asked for is what the kernel itself switched on at boot, a processor that comes up has some seconds for "
				"it, and no kernel since 5.0 clears CR0.WP to change its own text.",
		.todo = "A protection that is off is off for whatever runs on that processor: take the other findings beside this one "
			"for its consequences.",
	},
	.needs_registers = true,
	.run = run,
};
