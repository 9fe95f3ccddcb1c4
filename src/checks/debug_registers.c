/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is each breakpoint on kernel addresses one that the kernel was asked for?
 *
 * Registers as in the Intel SDM, volume 3, "Debug Registers"; bp_per_reg[] as in arch/x86/kernel/hw_breakpoint.c. */
#include <inttypes.h>

#include "checks/check.h"
#include "checks/cpus.h"
#include "checks/owners.h"
#include "checks/pages.h"
#include "linux/module_symbols.h"

#define DR7_GD (1ull << 13)

enum { BREAKPOINTS = 4 };

static struct ksma_error *report(struct ksma_look *look, const struct ksma_vcpu *vcpu,
				 const char *name, uint64_t dr7, struct ksma_finding **ret_finding)
{
	KSMA_TRY(ksma_finding_add(look, KSMA_SEVERITY_CRITICAL, ret_finding, "vcpu%u/%s",
				  vcpu->index, name));
	KSMA_TRY(ksma_finding_number(*ret_finding, "vcpu", vcpu->index));
	return ksma_finding_text(*ret_finding, "dr7", "0x%016" PRIx64, dr7);
}

/* The event that the kernel put into a register of a processor, 0 when there is none. */
static bool read_event(struct ksma_kernel *kernel, unsigned cpu, unsigned i, uint64_t *ret_event,
		       uint64_t *ret_address)
{
	uint64_t slots = ksma_kernel_per_cpu(kernel, "bp_per_reg", cpu);

	*ret_event = *ret_address = 0;
	if (!slots || kernel->off.perf_event__hw_info_address == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(kernel, slots + 8ul * i, ret_event))
		return false;
	return !*ret_event ||
	       ksma_kernel_u64(kernel,
			       *ret_event + (uint64_t)kernel->off.perf_event__hw_info_address,
			       ret_address);
}

static struct ksma_error *check_vcpu(struct ksma_look *look, const struct ksma_vcpu *vcpu)
{
	unsigned cpu = ksma_vcpu_cpu(look->kernel, vcpu);
	uint64_t dr7 = vcpu->dr[7];
	struct ksma_finding *finding;

	if (dr7 & DR7_GD) {
		KSMA_TRY(report(look, vcpu, "DR7.GD", dr7, &finding));
		KSMA_TRY(ksma_finding_title(
			finding, "vCPU %u traps who looks at its debug registers", vcpu->index));
	}
	for (unsigned i = 0; i < BREAKPOINTS; i++) {
		uint64_t event, address;
		char name[8];

		/* User space's own breakpoints, as debuggers set them, lie in its own half. */
		if (!(dr7 >> (2 * i) & 3) || vcpu->dr[i] < ksma_pages_kernel_half(look->kernel))
			continue;
		if (!read_event(look->kernel, cpu, i, &event, &address)) {
			ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
					  "the kernel's own breakpoints cannot be read");
			continue;
		}
		if (event && address == vcpu->dr[i])
			continue;
		snprintf(name, sizeof(name), "DR%u", i);
		KSMA_TRY(report(look, vcpu, name, dr7, &finding));
		KSMA_TRY(ksma_finding_title(
			finding,
			"vCPU %u stops at a kernel address for which nobody asked the kernel",
			vcpu->index));
		KSMA_TRY(ksma_finding_address(look, finding, "found", vcpu->dr[i]));
		if (event)
			KSMA_TRY(ksma_finding_address(look, finding, "expected", address));
	}
	return NULL;
}

static bool is_known(struct ksma_look *look, uint64_t function)
{
	return ksma_module_function_start(look->kernel, function) == KSMA_FUNCTION_UNKNOWN ||
	       ksma_owners_is_function(look->kernel, look->owners, function) ||
	       (ksma_owners_find(look->owners, function) &&
		ksma_owners_find(look->owners, function)->kind == KSMA_OWNER_BPF);
}

/* What the kernel itself was asked for: each breakpoint ends in a function. */
static struct ksma_error *check_events(struct ksma_look *look, unsigned cpu)
{
	struct ksma_kernel *kernel = look->kernel;
	uint64_t event, address, handler;
	struct ksma_finding *finding;

	for (unsigned i = 0; i < BREAKPOINTS; i++) {
		if (!read_event(kernel, cpu, i, &event, &address) ||
		    (event &&
		     (kernel->off.perf_event__overflow_handler == KSMA_NO_MEMBER ||
		      !ksma_kernel_u64(kernel,
				       event + (uint64_t)kernel->off.perf_event__overflow_handler,
				       &handler)))) {
			ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
					  "the kernel's own breakpoints cannot be read");
			continue;
		}
		if (!event || !handler || is_known(look, handler))
			continue;
		KSMA_TRY(ksma_finding_add(look, KSMA_SEVERITY_CRITICAL, &finding, "cpu%u/event%u",
					  cpu, i));
		KSMA_TRY(ksma_finding_title(finding,
					    "a breakpoint of processor %u leads to code that is no "
					    "function of a known module",
					    cpu));
		KSMA_TRY(ksma_finding_address(look, finding, "address", address));
		KSMA_TRY(ksma_finding_address(
			look, finding, "place",
			event + (uint64_t)kernel->off.perf_event__overflow_handler));
		KSMA_TRY(ksma_finding_code(look, finding, "found", handler));
	}
	return NULL;
}

static struct ksma_error *run(struct ksma_look *look)
{
	for (unsigned cpu = 0; cpu < look->kernel->cpus; cpu++)
		if (look->kernel->per_cpu[cpu])
			KSMA_TRY(check_events(look, cpu));
	if (!look->registers) {
		ksma_coverage_gap(
			look->coverage, KSMA_COVERAGE_PARTIAL,
			"only the breakpoints that the kernel knows of were looked at: %s",
			look->registers_problem);
		return NULL;
	}
	for (size_t i = 0; i < look->registers->count; i++) {
		const struct ksma_vcpu *vcpu = &look->registers->vcpus[i];

		if (!ksma_vcpu_runs(vcpu))
			continue;
		if (vcpu->has_debug)
			KSMA_TRY(check_vcpu(look, vcpu));
		else
			ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
					  "the debug registers of a vCPU could not be read");
	}
	return NULL;
}

const struct ksma_check ksma_check_debug_registers = {
	.info = {
		.name = "debug-registers",
		.title = "Hardware breakpoints on the kernel",
		.attack = "T1014",
		.needs = "registers",
		.structures = "DR0-DR3 and DR7 of every vCPU; bp_per_reg of every processor and the perf events in it",
		.why = "A breakpoint hooks any instruction or variable of the kernel, and changes no byte of it.",
		.cost = "0.01 ms",
		.false_alarms = "Debuggers of user space set breakpoints in user space's half, which are passed over; perf, ftrace and kgdb ask the kernel, "
				"which keeps an event for each.",
		.todo = "The address under `found` is where the processor is stopped: look at its symbol, and at the handler of debug "
			"exceptions with the check idt.",
	},
	.needs_registers = true,
	.run = run,
};
