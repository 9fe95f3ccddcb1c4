/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Budgets end every walk, and coverage never gets better. */
#include "unit.h"

#include "base/budget.h"
#include "fail_alloc.h"

static void test_nodes_run_out(void **state)
{
	struct ksma_budget budget = { .nodes = 3 };

	assert_true(ksma_budget_spend(&budget));
	assert_true(ksma_budget_spend(&budget));
	assert_true(ksma_budget_spend(&budget));
	assert_false(ksma_budget_spend(&budget));
	assert_false(ksma_budget_spend(&budget));
}

static void test_time_runs_out(void **state)
{
	struct ksma_budget budget = { .nodes = 1000000, .deadline_ns = ksma_now_ns() - 1 };
	unsigned spent = 0;

	while (ksma_budget_spend(&budget))
		spent++;
	assert_true(spent <= 256);
	assert_int_equal(budget.nodes, 0);
}

static void test_no_deadline(void **state)
{
	struct ksma_budget budget = { .nodes = 1000 };
	unsigned spent = 0;

	while (ksma_budget_spend(&budget))
		spent++;
	assert_int_equal(spent, 1000);
}

static void test_default_is_ample_and_finite(void **state)
{
	struct ksma_budget budget = ksma_budget_default();

	assert_true(budget.nodes >= 1 << 20);
	assert_true(budget.deadline_ns > ksma_now_ns());
	assert_true(budget.deadline_ns < ksma_now_ns() + 60 * 1000000000ull);
}

static void test_error_names_the_walk(void **state)
{
	assert_error_says(ksma_budget_error("the module list"), KSMA_ERROR_LIMIT,
			  "the module list");
}

static void test_state_only_worsens(void **state)
{
	struct ksma_coverage coverage = { 0 };

	assert_string_equal(ksma_coverage_state_name(coverage.state), "complete");
	ksma_coverage_gap(&coverage, KSMA_COVERAGE_UNKNOWN, "all");
	assert_int_equal(coverage.state, KSMA_COVERAGE_UNKNOWN);
	ksma_coverage_gap(&coverage, KSMA_COVERAGE_PARTIAL, "some");
	assert_int_equal(coverage.state, KSMA_COVERAGE_UNKNOWN);
	assert_int_equal(coverage.gaps, 2);
	assert_string_equal(coverage.reason, "all; some");
	ksma_coverage_deinit(&coverage);
	assert_null(coverage.reason);
	assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
}

static void test_reasons_are_said_once(void **state)
{
	struct ksma_coverage coverage = { 0 };

	for (int i = 0; i < 3; i++)
		ksma_coverage_gap(&coverage, KSMA_COVERAGE_PARTIAL, "pid %d is torn", 7);
	assert_string_equal(coverage.reason, "pid 7 is torn");
	assert_int_equal(coverage.gaps, 3);
	ksma_coverage_gap(&coverage, KSMA_COVERAGE_PARTIAL, "pid 7");
	ksma_coverage_gap(&coverage, KSMA_COVERAGE_PARTIAL, "7 is torn");
	assert_string_equal(coverage.reason, "pid 7 is torn; pid 7; 7 is torn");
	ksma_coverage_deinit(&coverage);
}

static void test_reasons_are_bounded(void **state)
{
	struct ksma_coverage coverage = { 0 };

	for (int i = 0; i < 100000; i++)
		ksma_coverage_gap(&coverage, KSMA_COVERAGE_PARTIAL, "reason %d", i);
	assert_int_equal(coverage.gaps, 100000);
	assert_true(strlen(coverage.reason) < 16384);
	ksma_coverage_deinit(&coverage);
}

static void test_an_error_becomes_a_gap(void **state)
{
	struct ksma_coverage coverage = { 0 };

	ksma_coverage_error(&coverage, KSMA_COVERAGE_PARTIAL, NULL, "nothing");
	assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
	assert_int_equal(coverage.gaps, 0);
	ksma_coverage_error(&coverage, KSMA_COVERAGE_PARTIAL, ksma_error_fault(1, "not mapped"),
			    "pid 3");
	assert_int_equal(coverage.state, KSMA_COVERAGE_PARTIAL);
	assert_string_equal(coverage.reason, "pid 3: not mapped");
	ksma_coverage_deinit(&coverage);
}

static void test_merge(void **state)
{
	struct ksma_coverage to = { 0 }, from = { 0 };

	ksma_coverage_merge(&to, &from);
	assert_int_equal(to.state, KSMA_COVERAGE_COMPLETE);
	assert_null(to.reason);
	ksma_coverage_gap(&to, KSMA_COVERAGE_PARTIAL, "a");
	ksma_coverage_gap(&from, KSMA_COVERAGE_UNKNOWN, "b");
	ksma_coverage_merge(&to, &from);
	assert_int_equal(to.state, KSMA_COVERAGE_UNKNOWN);
	assert_string_equal(to.reason, "a; b");
	assert_int_equal(to.gaps, 2);
	assert_null(from.reason);
	assert_int_equal(from.gaps, 0);
	ksma_coverage_deinit(&to);
}

static void test_state_names(void **state)
{
	assert_string_equal(ksma_coverage_state_name(KSMA_COVERAGE_PARTIAL), "partial");
	assert_string_equal(ksma_coverage_state_name(KSMA_COVERAGE_UNKNOWN), "unknown");
	assert_string_equal(ksma_coverage_state_name((enum ksma_coverage_state)99), "unknown");
}

/* Lack of memory may cost the words. The state must hold. */
static struct ksma_error *record_gaps(void *state)
{
	struct ksma_coverage coverage = { 0 }, more = { 0 };

	ksma_coverage_gap(&coverage, KSMA_COVERAGE_PARTIAL, "first %d", 1);
	ksma_coverage_gap(&coverage, KSMA_COVERAGE_PARTIAL, "second %d", 2);
	ksma_coverage_error(&more, KSMA_COVERAGE_UNKNOWN, ksma_error_create(KSMA_ERROR_OS, "x"),
			    "y");
	ksma_coverage_merge(&coverage, &more);
	assert_int_equal(coverage.state, KSMA_COVERAGE_UNKNOWN);
	assert_int_equal(coverage.gaps, 3);
	ksma_coverage_deinit(&coverage);
	return NULL;
}

static void test_without_memory_the_state_holds(void **state)
{
	assert_true(fail_alloc_each(record_gaps, NULL, FAIL_ALLOC_LENIENT) >= 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nodes_run_out),
		cmocka_unit_test(test_time_runs_out),
		cmocka_unit_test(test_no_deadline),
		cmocka_unit_test(test_default_is_ample_and_finite),
		cmocka_unit_test(test_error_names_the_walk),
		cmocka_unit_test(test_state_only_worsens),
		cmocka_unit_test(test_reasons_are_said_once),
		cmocka_unit_test(test_reasons_are_bounded),
		cmocka_unit_test(test_an_error_becomes_a_gap),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_state_names),
		cmocka_unit_test(test_without_memory_the_state_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
