/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does every vCPU enter the kernel where the kernel means it to? */
#include <inttypes.h>

#include "checks/check.h"

#define CR0_PG (1ull << 31)
#define CR4_FRED (1ull << 32)

enum { MAX_ALLOWED = 4 };

/* One entry register and the functions that it may hold, by what the kernel was built with and the CPU can do
 * (syscall_init() in arch/x86/kernel/cpu/common.c). */
struct entry {
	const char *name; /* of the MSR, as evidence and in the id */
	size_t offset;	  /* in struct ksma_vcpu */
	bool may_be_zero; /* where the kernel has no 32-bit entry */
	const char *allowed[MAX_ALLOWED];
};

static const struct entry entries[] = {
	{ "LSTAR", offsetof(struct ksma_vcpu, lstar), false, { "entry_SYSCALL_64" } },
	/* ignore_sysret became entry_SYSCALL32_ignore in 6.7 (f71e1d2ff8e6 "x86/entry: Rename ignore_sysret()"). */
	{ "CSTAR",
	  offsetof(struct ksma_vcpu, cstar),
	  false,
	  { "entry_SYSCALL_compat", "entry_SYSCALL32_ignore", "ignore_sysret" } },
	{ "SYSENTER_EIP",
	  offsetof(struct ksma_vcpu, sysenter_eip),
	  true,
	  { "entry_SYSENTER_compat" } },
};

static bool is_allowed(const struct ksma_kernel *kernel, const struct entry *entry, uint64_t value)
{
	if (entry->may_be_zero && value == 0)
		return true;
	for (size_t i = 0; i < MAX_ALLOWED && entry->allowed[i]; i++)
		if (value == ksma_kernel_symbol(kernel, entry->allowed[i]))
			return true;
	return false;
}

/* The first of the allowed functions that this kernel has. */
static const char *expected_name(const struct ksma_kernel *kernel, const struct entry *entry)
{
	for (size_t i = 0; i < MAX_ALLOWED && entry->allowed[i]; i++)
		if (ksma_kernel_symbol(kernel, entry->allowed[i]))
			return entry->allowed[i];
	return NULL;
}

static struct ksma_error *check_entry(struct ksma_look *look, const struct ksma_vcpu *vcpu,
				      const struct entry *entry)
{
	uint64_t value = *(const uint64_t *)(const void *)((const uint8_t *)vcpu + entry->offset);
	const char *expected = expected_name(look->kernel, entry);
	struct ksma_finding *finding;

	if (!expected) {
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel has no symbol %s to hold %s against",
				  entry->allowed[0], entry->name);
		return NULL;
	}
	if (is_allowed(look->kernel, entry, value))
		return NULL;
	KSMA_TRY(ksma_finding_add(look, KSMA_SEVERITY_CRITICAL, &finding, "vcpu%u/%s", vcpu->index,
				  entry->name));
	KSMA_TRY(ksma_finding_title(
		finding,
		"%s of vCPU %u does not lead to %s: every system call passes through other code",
		entry->name, vcpu->index, expected));
	KSMA_TRY(ksma_finding_text(finding, "msr", "%s", entry->name));
	KSMA_TRY(ksma_finding_number(finding, "vcpu", vcpu->index));
	KSMA_TRY(ksma_finding_code(look, finding, "found", value));
	return ksma_finding_address(look, finding, "expected",
				    ksma_kernel_symbol(look->kernel, expected));
}

static struct ksma_error *run(struct ksma_look *look)
{
	if (!look->registers) {
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_UNKNOWN, "%s",
				  look->registers_problem);
		return NULL;
	}
	for (size_t i = 0; i < look->registers->count; i++) {
		const struct ksma_vcpu *vcpu = &look->registers->vcpus[i];

		if (!(vcpu->cr0 & CR0_PG))
			continue; /* not started: it runs nothing */
		if (!vcpu->has_msrs) {
			ksma_coverage_gap(look->coverage, KSMA_COVERAGE_UNKNOWN, "%s",
					  look->registers_problem
						  ?: "the MSRs of a vCPU could not be read");
			continue;
		}
		if (vcpu->cr4 & CR4_FRED) {
			ksma_coverage_gap(
				look->coverage, KSMA_COVERAGE_PARTIAL,
				"vCPU %u enters the kernel through FRED, which is not looked at yet",
				vcpu->index);
			continue;
		}
		for (size_t j = 0; j < ARRAY_SIZE(entries); j++)
			KSMA_TRY(check_entry(look, vcpu, &entries[j]));
	}
	return NULL;
}

const struct ksma_check ksma_check_lstar = {
	.info = {
		.name = "lstar",
		.title = "System call entry registers",
		.attack = "T1014",
		.needs = "registers",
		.structures = "MSRs LSTAR, CSTAR and SYSENTER_EIP of every vCPU; entry_SYSCALL_64, entry_SYSCALL_compat, entry_SYSENTER_compat",
		.why = "A changed entry register sends every system call through the attacker's code and leaves kernel text and tables untouched.",
		.cost = "under 0.01 ms",
		.false_alarms = "None known: the kernel writes these registers once when a CPU comes up. A CPU that was never started is passed over.",
		.todo = "Every system call of that processor goes through the address found: follow `found_leads_to`, and restore the "
			"guest.",
	},
	.needs_registers = true,
	.run = run,
};
