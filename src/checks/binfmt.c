/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who loads programs, and which interpreters get the rights of the file that they run? */
#include "checks/registry.h"

#include "base/bytes.h"

static struct ksma_error *check_all(struct ksma_sweep *sweep)
{
	static const struct ksma_registry row = {
		"formats", KSMA_REGISTRY_LIST, "linux_binfmt", "lh", 0, true, NULL
	};
	uint64_t address = 0;

	/* Another file of some kernels has a variable of this name: the list is the one that leads to a format and back. */
	for (const struct ksma_symbol *symbol =
		     ksma_symbols_find(&sweep->kernel->symbols, row.symbol);
	     symbol; symbol = ksma_symbols_find_next(&sweep->kernel->symbols, symbol)) {
		uint64_t at = ksma_symbol_address(&sweep->kernel->symbols, symbol), first, back;

		if (ksma_kernel_u64(sweep->kernel, at, &first) &&
		    ksma_kernel_u64(sweep->kernel, first + 8, &back) && back == at)
			address = at;
	}
	if (address)
		return ksma_registry_walk_at(sweep, &row, address, NULL, NULL);
	ksma_coverage_gap(sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
			  "the list of program formats was not found");
	return NULL;
}

static struct ksma_error *run(struct ksma_look *look)
{
	return ksma_sweep_run(look, check_all);
}

const struct ksma_check ksma_check_binfmt = {
	.info = {
		.name = "binfmt",
		.title = "Loaders of programs",
		.attack = "T1546",
		.needs = "memory",
		.structures = "formats: struct linux_binfmt",
		.why = "A loader of its own sees every program that is started, before any other one does, and may start something else.",
		.cost = "0.03 ms",
		.false_alarms = "None known: a loader belongs to the kernel or to a module on the list.",
		.todo = "Whoever registers a format runs at each exec: look at the owner of the handler, and at what was started since.",
	},
	.run = run,
};
