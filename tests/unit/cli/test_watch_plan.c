/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Turns of checks: what is cheap runs always, what is dear in its turn, none waits for ever, and the average keeps to what it may cost. */
#include "unit.h"

#include "cli/watch_plan.h"

enum { CHECKS = 4, LOOKS = 4000 };

static const char *const names[CHECKS + 1] = { "vfs", "text", "modules", "lstar", NULL };
static const uint64_t costs[CHECKS] = { 12000, 2000, 400, 10 };

/* One look: runs what is due, and learns what it cost. @return what that was */
static uint64_t look(struct cli_plan *plan, const char *const *asked, uint64_t overhead,
		     unsigned runs[CHECKS], uint64_t random)
{
	struct ksma_report report = { 0 };
	struct ksma_check_coverage *c;
	const char *const *due = cli_plan_due(plan, asked);
	uint64_t total = overhead;

	for (; *due; due++)
		for (size_t i = 0; i < CHECKS; i++)
			if (strcmp(*due, names[i]) == 0) {
				assert_ok(KSMA_ARRAY_PUSH(&report.coverage, &c));
				c->check = names[i];
				c->cpu_us = costs[i];
				total += costs[i];
				runs[i]++;
			}
	cli_plan_take(plan, &report, total, random);
	free(report.coverage.items);
	return total;
}

static void test_keeps_to_it(void **state)
{
	unsigned runs[CHECKS] = { 0 }, last = 0, longest = 0;
	uint64_t total = 0, random = 1;
	struct cli_plan plan;

	(void)state;
	assert_ok(cli_plan_init(&plan, names, 5000));
	assert_int_equal(look(&plan, NULL, 1000000, runs, 0),
			 1000000 + 14410); /* the first is not what later ones cost */
	look(&plan, NULL, 1000000, runs, 0);
	memset(runs, 0, sizeof(runs));
	for (unsigned i = 0; i < LOOKS; i++) {
		unsigned before = runs[0];

		random = random * 6364136223846793005ull + 1;
		total += look(&plan, NULL, 100, runs, random >> 20);
		if (runs[0] > before) {
			longest = i - last > longest ? i - last : longest;
			last = i;
		}
	}
	assert_true(total / LOOKS <= 5300);
	assert_int_equal(runs[2], LOOKS);
	assert_int_equal(runs[3], LOOKS);
	assert_true(runs[0] >= LOOKS / CLI_PLAN_LONGEST && runs[0] < runs[1]);
	assert_true(longest <= cli_plan_longest(&plan));
	cli_plan_deinit(&plan);
}

/* Without a bound, and with room enough, all run always. */
static void test_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		unsigned runs[CHECKS] = { 0 };
		struct cli_plan plan;

		assert_ok(cli_plan_init(&plan, names, i ? 1000000 : 0));
		for (unsigned n = 0; n < 10; n++)
			look(&plan, NULL, 0, runs, n);
		for (size_t c = 0; c < CHECKS; c++)
			assert_int_equal(runs[c], 10);
		assert_int_equal(cli_plan_longest(&plan), 1);
		cli_plan_deinit(&plan);
	}
}

/* What can never fit is run all the same, once in so many looks; and a look is never empty. */
static void test_too_dear(void **state)
{
	static const char *const one[] = { "vfs", NULL };
	unsigned runs[CHECKS] = { 0 };
	struct cli_plan plan;

	(void)state;
	assert_ok(cli_plan_init(&plan, one, 1));
	for (unsigned n = 0; n < 100; n++) {
		unsigned before = runs[0];

		look(&plan, one, 0, runs, n);
		assert_int_equal(runs[0], before + 1);
	}
	cli_plan_deinit(&plan);
	memset(runs, 0, sizeof(runs));
	assert_ok(cli_plan_init(&plan, names, 1));
	for (unsigned n = 0; n < 160; n++)
		look(&plan, NULL, 0, runs, n);
	for (size_t c = 0; c < CHECKS - 1; c++)
		assert_in_range(runs[c], 160 / (CLI_PLAN_LONGEST + CLI_PLAN_LONGEST / 4), 40);
	cli_plan_restart(&plan);
	memset(runs, 0, sizeof(runs));
	look(&plan, NULL, 0, runs, 0);
	for (size_t c = 0; c < CHECKS; c++)
		assert_int_equal(runs[c], 1);
	cli_plan_deinit(&plan);
}

static void test_memory(void **state)
{
	struct cli_plan plan;

	(void)state;
	assert_ok(cli_plan_init(&plan, NULL, 1));
	assert_int_equal(plan.turns.count, ksma_check_count());
	cli_plan_deinit(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeps_to_it),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_too_dear),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
