/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rest of what the kernel calls through pointers: everything that registers itself somewhere and is no file, packet or terminal. */
#include "checks/registry.h"

static const struct ksma_registry rows[] = {
	{ "crypto_alg_list", KSMA_REGISTRY_LIST, "crypto_alg", "cra_list", 0, true, "cra_name" },
	{ "key_types_list", KSMA_REGISTRY_LIST, "key_type", "link", 0, false, "name" },
	{ "elv_list", KSMA_REGISTRY_LIST, "elevator_type", "list", 0, false, "elevator_name" },
	{ "clocksource_list", KSMA_REGISTRY_LIST, "clocksource", "list", 0, true, "name" },
	{ "clockevent_devices", KSMA_REGISTRY_LIST, "clock_event_device", "list", 0, false,
	  "name" },
	{ "syscore_ops_list", KSMA_REGISTRY_LIST, "syscore_ops", "node", 0, false, NULL },
	{ "syscore_list", KSMA_REGISTRY_LIST, "syscore", "node", 0, false, NULL },
	{ "shrinker_list", KSMA_REGISTRY_LIST, "shrinker", "list", 0, true, NULL },
	{ "cgroup_subsys", KSMA_REGISTRY_POINTERS, "cgroup_subsys", NULL, 0, false, "name" },
	{ "trace_types", KSMA_REGISTRY_CHAIN, "tracer", "next", 0, false, "name" },
	{ "ftrace_commands", KSMA_REGISTRY_LIST, "ftrace_func_command", "list", 0, false, "name" },
	{ "dump_list", KSMA_REGISTRY_LIST, "kmsg_dumper", "list", 0, false, NULL },
	{ "cpuidle_curr_governor", KSMA_REGISTRY_POINTER, "cpuidle_governor", NULL, 0, false,
	  "name" },
	{ "cpufreq_governor_list", KSMA_REGISTRY_LIST, "cpufreq_governor", "governor_list", 0,
	  false, "name" },
	{ "suspend_ops", KSMA_REGISTRY_POINTER, "platform_suspend_ops", NULL, 0, false, NULL },
	{ "hibernation_ops", KSMA_REGISTRY_POINTER, "platform_hibernation_ops", NULL, 0, false,
	  NULL },
	{ "rng_list", KSMA_REGISTRY_LIST, "hwrng", "list", 0, false, "name" },
	{ "pv_ops", KSMA_REGISTRY_OBJECT, "paravirt_patch_template", NULL, 0, false, NULL },
	{ "machine_ops", KSMA_REGISTRY_OBJECT, "machine_ops", NULL, 0, true, NULL },
	{ "x86_platform", KSMA_REGISTRY_OBJECT, "x86_platform_ops", NULL, 0, true, NULL },
	{ "smp_ops", KSMA_REGISTRY_OBJECT, "smp_ops", NULL, 0, false, NULL },
	{ "apic", KSMA_REGISTRY_POINTER, "apic", NULL, 0, true, "name" },
	{ "legacy_pic", KSMA_REGISTRY_POINTER, "legacy_pic", NULL, 0, false, NULL },
	{ "pm_power_off", KSMA_REGISTRY_FUNCTION, "", NULL, 0, false, NULL },
};

static struct ksma_error *check_all(struct ksma_sweep *sweep)
{
	return ksma_registry_sweep(sweep, rows, ARRAY_SIZE(rows), NULL, NULL);
}

static struct ksma_error *run(struct ksma_look *look)
{
	return ksma_sweep_run(look, check_all);
}

const struct ksma_check ksma_check_registries = {
	.info = {
		.name = "registries",
		.title = "Other functions that register themselves",
		.attack = "T1014",
		.needs = "memory",
		.structures = "crypto_alg_list, key_types_list, clocksource_list, clockevent_devices, syscore_ops_list, shrinker_list, cgroup_subsys, trace_types, "
			      "cpufreq and cpuidle governors, pv_ops, machine_ops, x86_platform, smp_ops, apic and others",
		.why = "Whatever the kernel calls now and then is a place from which code that hides is called again.",
		.cost = "0.4 ms",
		.false_alarms = "None known: what is registered belongs to the kernel or to a module on the list.",
		.todo = "Look at the owner of the function found: whoever uses the thing registered there runs that code.",
	},
	.run = run,
};
