/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who reads what is typed? Terminals, their line disciplines, the input layer, the console and the magic keys. */
#include "checks/registry.h"

#include "base/bytes.h"

enum { MAX_TTYS = 8192 };

static const struct ksma_registry rows[] = {
	{ "tty_ldiscs", KSMA_REGISTRY_POINTERS, "tty_ldisc_ops", NULL, 0, true, "name" },
	{ "sysrq_key_table", KSMA_REGISTRY_POINTERS, "sysrq_key_op", NULL, 0, false, "help_msg" },
	{ "input_handler_list", KSMA_REGISTRY_LIST, "input_handler", "node", 0, false, "name" },
	{ "input_dev_list", KSMA_REGISTRY_LIST, "input_dev", "node", 0, false, "name" },
	{ "console_drivers", KSMA_REGISTRY_CHAIN, "console", "next", 0, false, "name" },
	{ "console_list", KSMA_REGISTRY_HLIST, "console", "node", 0, false, "name" },
	{ "con_driver_map", KSMA_REGISTRY_OBJECTS, "con_driver", NULL, 0, false, NULL },
	{ "conswitchp", KSMA_REGISTRY_POINTER, "consw", NULL, 0, false, NULL },
	{ "tty_drivers", KSMA_REGISTRY_LIST, "tty_driver", "tty_drivers", 0, true, "name" },
};

/* Where things lie, worked out once. */
struct ttys {
	struct ksma_sweep *sweep;
	int32_t ttys, num, ops, ldisc, ldisc_ops, driver_ops, flags, name;
	unsigned left;
};

/* A terminal calls its driver's operations, which no driver exchanges for one of its terminals. */
static struct ksma_error *check_tty(struct ttys *t, uint64_t tty, uint64_t driver_ops)
{
	uint64_t ops, ldisc = 0, discipline;
	char name[64], holder[80];

	if (!ksma_kernel_string(t->sweep->kernel, tty + (uint64_t)t->name, name, sizeof(name)))
		return NULL; /* it was closed */
	ksma_sweep_clean_name(name);
	snprintf(holder, sizeof(holder), "tty %s", name);
	KSMA_TRY(ksma_sweep_object(t->sweep, "tty_struct", tty, holder));
	if (ksma_kernel_u64(t->sweep->kernel, tty + (uint64_t)t->ops, &ops) && ops &&
	    ops != driver_ops)
		KSMA_TRY(ksma_sweep_report_table(t->sweep, "ops", tty + (uint64_t)t->ops, ops,
						 holder, "are not those of its driver",
						 "the operations of the driver"));
	if (ksma_kernel_u64(t->sweep->kernel, tty + (uint64_t)t->ldisc, &ldisc) && ldisc &&
	    ksma_kernel_u64(t->sweep->kernel, ldisc + (uint64_t)t->ldisc_ops, &discipline))
		return ksma_sweep_table(t->sweep, "tty_ldisc_ops", discipline, holder);
	return NULL;
}

static struct ksma_error *check_driver(void *arg, const struct ksma_registry *row, uint64_t driver)
{
	struct ttys *t = arg;
	struct ksma_kernel *kernel = t->sweep->kernel;
	uint64_t ttys, ops, tty;
	uint32_t num;

	if (strcmp(row->type, "tty_driver") != 0)
		return NULL;
	if (!ksma_kernel_u64(kernel, driver + (uint64_t)t->ttys, &ttys) ||
	    !ksma_kernel_u32(kernel, driver + (uint64_t)t->num, &num) ||
	    !ksma_kernel_u64(kernel, driver + (uint64_t)t->driver_ops, &ops)) {
		ksma_coverage_gap(t->sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "a driver of terminals cannot be read");
		return NULL;
	}
	/* Pseudo terminals that are not numbered by their driver have no such array. */
	for (uint32_t i = 0; ttys && i < num; i++) {
		if (!t->left) {
			ksma_coverage_gap(t->sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
					  "more than %d terminals", MAX_TTYS);
			return NULL;
		}
		t->left--;
		if (ksma_kernel_u64(kernel, ttys + 8ull * i, &tty) && tty)
			KSMA_TRY(check_tty(t, tty, ops));
	}
	return NULL;
}

static struct ksma_error *check_all(struct ksma_sweep *sweep)
{
	struct ttys t = {
		.sweep = sweep,
		.ttys = ksma_sweep_offset(sweep, "tty_driver", "ttys"),
		.num = ksma_sweep_offset(sweep, "tty_driver", "num"),
		.driver_ops = ksma_sweep_offset(sweep, "tty_driver", "ops"),
		.ops = ksma_sweep_offset(sweep, "tty_struct", "ops"),
		.ldisc = ksma_sweep_offset(sweep, "tty_struct", "ldisc"),
		.name = ksma_sweep_offset(sweep, "tty_struct", "name"),
		.ldisc_ops = ksma_sweep_offset(sweep, "tty_ldisc", "ops"),
		.left = MAX_TTYS,
	};

	if (t.ttys == KSMA_NO_MEMBER || t.num == KSMA_NO_MEMBER || t.driver_ops == KSMA_NO_MEMBER ||
	    t.ops == KSMA_NO_MEMBER || t.ldisc == KSMA_NO_MEMBER || t.name == KSMA_NO_MEMBER ||
	    t.ldisc_ops == KSMA_NO_MEMBER)
		return ksma_kernel_missing_member(
			"tty_driver or tty_struct as they are known here");
	return ksma_registry_sweep(sweep, rows, ARRAY_SIZE(rows), check_driver, &t);
}

static struct ksma_error *run(struct ksma_look *look)
{
	return ksma_sweep_run(look, check_all);
}

const struct ksma_check ksma_check_tty = {
	.info = {
		.name = "tty",
		.title = "Terminals, consoles and keyboards",
		.attack = "T1056.001",
		.needs = "memory",
		.structures = "tty_drivers with the operations of each driver and each open terminal, tty_ldiscs, input_handler_list, input_dev_list, "
			      "sysrq_key_table, the list of consoles: tty_operations, tty_ldisc_ops, input_handler, console",
		.why = "A replaced receive_buf of a line discipline, or an input handler of its own, sees every password that is typed.",
		.cost = "0.3 ms",
		.false_alarms = "None known: these tables are constant in the kernel and in its modules, and a terminal uses its driver's.",
		.todo = "What is typed on that terminal may be read: change the passwords that were, from another machine.",
	},
	.run = run,
};
