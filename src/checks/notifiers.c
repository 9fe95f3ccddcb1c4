/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is told when a key is pressed, a module is loaded, a device appears, or the machine goes down? */
#include "checks/registry.h"

#include "linux/retry.h"

/* The four kinds of chain: struct atomic_notifier_head … in include/linux/notifier.h. They differ in the lock before the pointer. */
enum kind { ATOMIC, BLOCKING, RAW, SRCU, UNSURE, KINDS = UNSURE };

static const char *const kind_types[KINDS] = { "atomic_notifier_head", "blocking_notifier_head",
					       "raw_notifier_head", "srcu_notifier_head" };

struct chain {
	const char *symbol;
	enum kind kind;
	bool needed;
};

/* Those of Debian's kernels from 5.10 to 7.2. A kernel without one was built without what it tells of. */
static const struct chain chains[] = {
	{ "keyboard_notifier_list", ATOMIC, true },
	{ "vt_notifier_list", ATOMIC, true },
	{ "module_notify_list", BLOCKING, true },
	{ "reboot_notifier_list", BLOCKING, true },
	{ "panic_notifier_list", ATOMIC, true },
	{ "die_chain", ATOMIC, true },
	{ "netdev_chain", RAW, true },
	{ "inetaddr_chain", BLOCKING, true },
	{ "acpi_hed_notify_list", BLOCKING, false },
	{ "acpi_reconfig_chain", BLOCKING, false },
	{ "backlight_notifier", BLOCKING, false },
	{ "blocking_lsm_notifier_chain", BLOCKING, false },
	{ "cgroup_lifetime_notifier", BLOCKING, false },
	{ "cpufreq_policy_notifier_list", BLOCKING, false },
	{ "cpufreq_transition_notifier_list", SRCU, false },
	{ "crypto_chain", BLOCKING, false },
	{ "dcbevent_notif_chain", ATOMIC, false },
	{ "dpll_notifier_chain", RAW, false },
	{ "fb_notifier_list", BLOCKING, false },
	{ "fips_fail_notif_chain", ATOMIC, false },
	{ "ghes_report_chain", ATOMIC, false },
	{ "inet6addr_chain", ATOMIC, false },
	{ "inet6addr_validator_chain", BLOCKING, false },
	{ "inetaddr_validator_chain", BLOCKING, false },
	{ "iommu_ga_log_notifier", ATOMIC, false },
	{ "iosf_mbi_pmic_bus_access_notifier", BLOCKING, false },
	{ "lease_notifier_chain", SRCU, false },
	{ "memory_chain", BLOCKING, false },
	{ "munmap_notifier", BLOCKING, false },
	{ "netevent_notif_chain", ATOMIC, false },
	{ "netlink_chain", BLOCKING, false },
	{ "node_chain", BLOCKING, false },
	{ "nvmem_notifier", BLOCKING, false },
	{ "oom_notify_list", BLOCKING, false },
	{ "pm_chain_head", BLOCKING, false },
	{ "power_off_handler_list", ATOMIC, false },
	{ "power_off_prep_handler_list", BLOCKING, false },
	{ "power_supply_notifier", UNSURE, false },
	{ "ppr_notifier", ATOMIC, false },
	{ "pvclock_gtod_chain", RAW, false },
	{ "random_ready_chain", RAW, false },
	{ "random_ready_notifier", ATOMIC, false },
	{ "restart_handler_list", ATOMIC, false },
	{ "restart_prep_handler_list", BLOCKING, false },
	{ "switchdev_blocking_notif_chain", UNSURE, false },
	{ "switchdev_notif_chain", ATOMIC, false },
	{ "task_exit_notifier", BLOCKING, false },
	{ "task_free_notifier", ATOMIC, false },
	{ "thermal_genl_chain", BLOCKING, false },
	{ "tracepoint_notify_list", BLOCKING, false },
	{ "vendor_record_notify_list", BLOCKING, false },
	{ "vmap_notify_list", BLOCKING, false },
	{ "vmfork_chain", BLOCKING, false },
	{ "x86_mce_decoder_chain", BLOCKING, false },
	{ "xen_resume_notifier", RAW, false },
	{ "xenstore_chain", BLOCKING, false },
};

/* What this kernel's types say of the kinds. */
struct layout {
	int32_t head[KINDS];
	int32_t wait_list; /* of the lock in a blocking one: leads to itself when nobody waits */
};

/* A few chains changed their kind over time: a lock that sleeps is known by its list of waiters. */
static enum kind find_kind(struct ksma_sweep *sweep, const struct layout *layout, uint64_t address)
{
	uint64_t first;

	if (layout->wait_list != KSMA_NO_MEMBER &&
	    ksma_kernel_u64(sweep->kernel, address + (uint64_t)layout->wait_list, &first) &&
	    first == address + (uint64_t)layout->wait_list)
		return BLOCKING;
	if (ksma_kernel_u64(sweep->kernel, address, &first) && ksma_sweep_is_kernel(first))
		return RAW;
	return ATOMIC;
}

static struct ksma_error *check_chain(struct ksma_sweep *sweep, const struct layout *layout,
				      const struct chain *chain)
{
	const struct ksma_registry row = {
		chain->symbol, KSMA_REGISTRY_CHAIN, "notifier_block", "next", 0, chain->needed, NULL
	};
	uint64_t address = ksma_registry_variable(sweep->kernel, chain->symbol);
	enum kind kind;

	if (!address) {
		if (chain->needed)
			ksma_coverage_gap(sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
					  "this kernel has no symbol %s", chain->symbol);
		return NULL;
	}
	kind = chain->kind == UNSURE ? find_kind(sweep, layout, address) : chain->kind;
	if (layout->head[kind] == KSMA_NO_MEMBER) {
		ksma_coverage_gap(sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel's types do not say how struct %s is made",
				  kind_types[kind]);
		return NULL;
	}
	return ksma_registry_walk_at(sweep, &row, address + (uint64_t)layout->head[kind], NULL,
				     NULL);
}

/* Each network namespace has chains of its own. */
static struct ksma_error *check_net(void *arg, const struct ksma_registry *row, uint64_t net)
{
	static const struct {
		const char *member, *name;
	} nets[] = { { "netdev_chain.head", "netdev_chain of a network namespace" },
		     { "fib_chain.head", "fib_chain of a network namespace" },
		     { "ipv4.nexthop.notifier_chain.head", NULL },
		     { "nexthop.notifier_chain.head",
		       "nexthop.notifier_chain of a network namespace" } };
	struct ksma_sweep *sweep = arg;

	(void)row;
	for (size_t i = 0; i < ARRAY_SIZE(nets); i++) {
		const struct ksma_registry chain = {
			nets[i].name, KSMA_REGISTRY_CHAIN, "notifier_block", "next", 0, false, NULL
		};
		int32_t at = ksma_sweep_offset(sweep, "net", nets[i].member);

		if (at != KSMA_NO_MEMBER && nets[i].name)
			KSMA_TRY(ksma_registry_walk_at(sweep, &chain, net + (uint64_t)at, NULL,
						       NULL));
	}
	return NULL;
}

static struct ksma_error *check_all(struct ksma_sweep *sweep)
{
	static const struct ksma_registry nets = {
		"net_namespace_list", KSMA_REGISTRY_LIST, "net", "list", 0, true, NULL
	};
	struct layout layout;

	for (size_t i = 0; i < KINDS; i++)
		layout.head[i] = ksma_sweep_offset(sweep, kind_types[i], "head");
	layout.wait_list = ksma_sweep_offset(sweep, kind_types[BLOCKING], "rwsem.wait_list");
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		KSMA_TRY(check_chain(sweep, &layout, &chains[i]));
	return ksma_registry_visit(sweep, &nets, check_net, sweep);
}

static struct ksma_error *run(struct ksma_look *look)
{
	return ksma_sweep_run(look, check_all);
}

const struct ksma_check ksma_check_notifiers = {
	.info = {
		.name = "notifiers",
		.title = "Notifier chains",
		.attack = "T1056.001",
		.needs = "memory",
		.structures = "keyboard_notifier_list, vt_notifier_list, module_notify_list, reboot_notifier_list, panic_notifier_list, die_chain, netdev_chain, "
			      "restart_handler_list and some 50 more, and those of each network namespace: struct notifier_block",
		.why = "A function on the keyboard's chain reads every key; one on the modules' chain can undo a module that would look for it; one on the "
		       "reboot chain survives by acting last.",
		.cost = "0.4 ms",
		.false_alarms = "None known: a function on a chain belongs to the kernel or to a module on the list. Chains that modules hold themselves are "
				"not looked at.",
		.todo = "Look at the owner of the handler: on the keyboard's chain it reads what is typed, on the modules' it sees and "
			"stops who comes next.",
	},
	.run = run,
};
