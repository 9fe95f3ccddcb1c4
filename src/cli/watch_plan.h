/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which checks a look of a watch runs, when a watch may take only so much of a processor: cheap ones always, dear ones by turns. */
#ifndef KSMA_CLI_WATCH_PLAN_H
#define KSMA_CLI_WATCH_PLAN_H

#include "base/util.h"
#include <ksma/check.h>

enum { CLI_PLAN_LONGEST = 16 }; /* no check waits for more looks than that, whatever it costs */

struct cli_turn {
	const char *name;
	uint64_t cost_us; /* of processor time, for one look; 0: not known yet */
	unsigned period;  /* one look in so many, on average */
	unsigned wait;	  /* how many looks until its turn */
};

struct cli_plan {
	uint64_t budget_us;   /* of processor time, for one look on average; 0: there is no bound */
	uint64_t overhead_us; /* of a look, besides its checks */
	uint64_t looks;
	struct {
		struct cli_turn *items;
		size_t count, capacity;
	} turns;
	const char **due; /* those of the look at hand, NULL-terminated */
};

/* @names  NULL-terminated, or NULL: all */
struct ksma_error *cli_plan_init(struct cli_plan *plan, const char *const *names,
				 uint64_t budget_us) KSMA_MUST_CHECK;
void cli_plan_deinit(struct cli_plan *plan);

/* The checks whose turn it is, among `names`. Never none. @return belongs to the plan, until the next call */
const char *const *cli_plan_due(struct cli_plan *plan, const char *const *names);

/* Learns from a look what its checks cost, and settles how often each is run. @cpu_us of the whole look, @random any number */
void cli_plan_take(struct cli_plan *plan, const struct ksma_report *report, uint64_t cpu_us,
		   uint64_t random);

/* The next look is one of all checks: another kernel runs. */
void cli_plan_restart(struct cli_plan *plan);

/* How many looks pass between two of the check that waits longest, at most. */
unsigned cli_plan_longest(const struct cli_plan *plan);

#endif
