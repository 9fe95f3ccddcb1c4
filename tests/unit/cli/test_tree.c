/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of ps --tree, also for a guest whose processes are their own ancestors. */
#include "unit.h"

#include "cli/tree.h"
#include "fail_alloc.h"

struct row {
	int32_t pid, tid, ppid;
};

static struct ksma_processes make(const struct row *rows, size_t count)
{
	struct ksma_processes p = { calloc(count + 1, sizeof(*p.items)), count, count };

	for (size_t i = 0; i < count; i++) {
		p.items[i].pid = rows[i].pid;
		p.items[i].tid = rows[i].tid;
		p.items[i].ppid = rows[i].ppid;
	}
	return p;
}

static void expect(const struct row *rows, size_t count, const struct cli_tree_line *expected)
{
	struct ksma_processes p = make(rows, count);
	struct cli_tree_line *lines;

	assert_ok(cli_tree(&p, &lines));
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(lines[i].index, expected[i].index);
		assert_int_equal(lines[i].depth, expected[i].depth);
	}
	free(lines);
	free(p.items);
}

static void test_family(void **state)
{
	static const struct row rows[] = { { 1, 1, 0 },	  { 2, 2, 0 },	  { 5, 5, 2 },
					   { 10, 10, 1 }, { 11, 11, 10 }, { 12, 12, 1 },
					   { 13, 13, 10 } };
	static const struct cli_tree_line expected[] = { { 0, 0 }, { 3, 1 }, { 4, 2 }, { 6, 2 },
							 { 5, 1 }, { 1, 0 }, { 2, 1 } };

	expect(rows, ARRAY_SIZE(rows), expected);
}

static void test_threads_hang_below_their_process(void **state)
{
	static const struct row rows[] = { { 1, 1, 0 }, { 7, 7, 1 }, { 7, 8, 1 }, { 9, 9, 7 } };
	static const struct cli_tree_line expected[] = { { 0, 0 }, { 1, 1 }, { 2, 2 }, { 3, 2 } };

	expect(rows, ARRAY_SIZE(rows), expected);
}

static void test_orphans_stand_at_the_top(void **state)
{
	static const struct row rows[] = { { 3, 3, 99 }, { 4, 4, 3 } };
	static const struct cli_tree_line expected[] = { { 0, 0 }, { 1, 1 } };

	expect(rows, ARRAY_SIZE(rows), expected);
}

static void test_circles_end(void **state)
{
	static const struct row rows[] = { { 1, 1, 2 }, { 2, 2, 1 }, { 3, 3, 3 }, { 4, 4, 3 } };
	struct ksma_processes p = make(rows, ARRAY_SIZE(rows));
	struct cli_tree_line *lines;
	unsigned seen = 0;

	assert_ok(cli_tree(&p, &lines));
	for (size_t i = 0; i < p.count; i++)
		seen |= 1u << lines[i].index;
	assert_int_equal(seen, 15);
	free(lines);
	free(p.items);
}

/* Every forest and every tangle of five processes with ids that may clash: each comes out once. */
static void test_every_claim(void **state)
{
	enum { N = 4, IDS = 4 };

	for (unsigned claim = 0; claim < 65536; claim++) {
		struct row rows[N];
		struct ksma_processes p;
		struct cli_tree_line *lines;
		unsigned seen = 0;

		for (unsigned i = 0; i < N; i++) {
			int32_t id = (int32_t)(claim >> (4 * i) & 3),
				parent = (int32_t)(claim >> (4 * i + 2) & 3);

			rows[i] = (struct row){ id, id, parent };
		}
		p = make(rows, N);
		assert_ok(cli_tree(&p, &lines));
		for (size_t i = 0; i < N; i++) {
			assert_true(lines[i].depth < N);
			seen |= 1u << lines[i].index;
		}
		assert_int_equal(seen, (1u << N) - 1);
		free(lines);
		free(p.items);
	}
}

static struct ksma_error *run_tree(void *state)
{
	struct cli_tree_line *lines = NULL;
	struct ksma_error *error = cli_tree(state, &lines);

	if (error)
		assert_null(lines);
	free(lines);
	return error;
}

static void test_without_memory(void **state)
{
	static const struct row rows[] = { { 1, 1, 0 }, { 2, 2, 1 } };
	struct ksma_processes p = make(rows, ARRAY_SIZE(rows));

	assert_true(fail_alloc_each(run_tree, &p, FAIL_ALLOC_STRICT) >= 1);
	free(p.items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_threads_hang_below_their_process),
		cmocka_unit_test(test_orphans_stand_at_the_top),
		cmocka_unit_test(test_circles_end),
		cmocka_unit_test(test_every_claim),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
