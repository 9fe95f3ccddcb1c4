/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spreads dear checks over looks, so that a look costs what it may on average. */
#include "cli/watch_plan.h"

/* The first looks make what later ones use, and are no measure. */
enum { WARM = 2 };

struct ksma_error *cli_plan_init(struct cli_plan *plan, const char *const *names,
				 uint64_t budget_us)
{
	*plan = (struct cli_plan){ .budget_us = budget_us };
	for (size_t i = 0; names ? names[i] != NULL : i < ksma_check_count(); i++) {
		struct cli_turn *turn;

		KSMA_TRY(KSMA_ARRAY_PUSH(&plan->turns, &turn));
		turn->name = names ? names[i] : ksma_check_info(i)->name;
		turn->period = 1;
	}
	plan->due = calloc(plan->turns.count + 1, sizeof(*plan->due));
	return plan->due ? NULL : ksma_error_nomem();
}

void cli_plan_deinit(struct cli_plan *plan)
{
	free(plan->turns.items);
	free(plan->due);
	*plan = (struct cli_plan){ 0 };
}

static bool is_named(const char *const *names, const char *name)
{
	if (!names)
		return true;
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

const char *const *cli_plan_due(struct cli_plan *plan, const char *const *names)
{
	const char *soonest = NULL;
	unsigned least = UINT32_MAX;
	size_t n = 0;

	for (size_t i = 0; i < plan->turns.count; i++) {
		struct cli_turn *turn = &plan->turns.items[i];

		if (!is_named(names, turn->name))
			continue;
		if (!turn->wait)
			plan->due[n++] = turn->name;
		else if (turn->wait < least) {
			least = turn->wait;
			soonest = turn->name;
		}
		turn->wait -= turn->wait > 0;
	}
	if (!n && soonest)
		plan->due[n++] = soonest;
	plan->due[n] = NULL;
	return plan->due;
}

static struct cli_turn *find(struct cli_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->turns.count; i++)
		if (strcmp(plan->turns.items[i].name, name) == 0)
			return &plan->turns.items[i];
	return NULL;
}

/* What is dearest for each look waits longer, until all together cost what they may. */
static void settle(struct cli_plan *plan)
{
	for (size_t i = 0; i < plan->turns.count; i++)
		plan->turns.items[i].period = 1;
	for (;;) {
		uint64_t total = plan->overhead_us, most = 0;
		struct cli_turn *dearest = NULL;

		for (size_t i = 0; i < plan->turns.count; i++) {
			struct cli_turn *turn = &plan->turns.items[i];
			uint64_t share = turn->cost_us / turn->period;

			total += share;
			if (share > most && turn->period < CLI_PLAN_LONGEST) {
				most = share;
				dearest = turn;
			}
		}
		if (total <= plan->budget_us || !dearest)
			return;
		dearest->period++;
	}
}

/* What it costs is the least that it cost of late: all else is the host's other work. */
static uint64_t learn(uint64_t known, uint64_t now)
{
	return !known || now < known ? now : known + (now - known) / 8;
}

void cli_plan_take(struct cli_plan *plan, const struct ksma_report *report, uint64_t cpu_us,
		   uint64_t random)
{
	uint64_t sum = 0;

	if (!plan->budget_us)
		return;
	for (size_t i = 0; i < report->coverage.count; i++) {
		const struct ksma_check_coverage *c = &report->coverage.items[i];
		struct cli_turn *turn = find(plan, c->check);

		if (!turn)
			continue;
		if (plan->looks)
			turn->cost_us = learn(turn->cost_us, c->cpu_us);
		sum += c->cpu_us;
	}
	if (plan->looks++ < WARM)
		return;
	plan->overhead_us = learn(plan->overhead_us, cpu_us > sum ? cpu_us - sum : 0);
	settle(plan);
	/* Those that were run wait for their next turn, a quarter sooner or later, so that nobody can know which look it will be. */
	for (size_t i = 0; i < report->coverage.count; i++) {
		struct cli_turn *turn = find(plan, report->coverage.items[i].check);
		unsigned quarter;

		if (!turn || turn->period == 1)
			continue;
		quarter = turn->period / 4 ?: 1;
		turn->wait = turn->period - 1 - quarter + (unsigned)(random % (2 * quarter + 1));
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		random ^= random >> 33;
	}
}

void cli_plan_restart(struct cli_plan *plan)
{
	for (size_t i = 0; i < plan->turns.count; i++)
		plan->turns.items[i].wait = 0;
}

unsigned cli_plan_longest(const struct cli_plan *plan)
{
	unsigned longest = 1;

	for (size_t i = 0; i < plan->turns.count; i++) {
		unsigned period = plan->turns.items[i].period,
			 most = period == 1 ? 1 : period + (period / 4 ?: 1);

		longest = most > longest ? most : longest;
	}
	return longest;
}
