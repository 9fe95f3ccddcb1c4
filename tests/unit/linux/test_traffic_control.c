/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disciplines and filters of a network device. */
#include "unit.h"

#include "fake_kernel.h"
#include "linux/traffic_control.h"

#define BASE 0xffff888000000000ull

struct world {
	struct fake_kernel *k;
	uint64_t device;
};

static struct world make(void)
{
	struct world w = { .k = fake_kernel_create(BASE, 1 << 20, FAKE_MAPPED) };

	fake_layout_traffic_control(&w.k->kernel);
	w.device = fake_kernel_alloc(w.k, 256, 64);
	return w;
}

/* `count` filters in a row. @return the first one */
static uint64_t make_filters(struct world *w, unsigned count)
{
	uint64_t next = 0;

	while (count--) {
		uint64_t filter = fake_kernel_alloc(w->k, 32, 8);

		fake_kernel_put64(w->k, filter, next);
		next = filter;
	}
	return next;
}

/* A block with two chains: of one filter, and of two. */
static uint64_t make_block(struct world *w, uint64_t qdisc)
{
	uint64_t block = fake_kernel_alloc(w->k, 64, 8), chains[2];

	for (unsigned i = 0; i < 2; i++) {
		chains[i] = fake_kernel_alloc(w->k, 32, 8);
		fake_kernel_put64(w->k, chains[i] + 16, make_filters(w, i + 1));
	}
	fake_kernel_list(w->k, block, chains, 2);
	fake_kernel_put64(w->k, block + 16, qdisc);
	return block;
}

/* A discipline with 40 bytes of its own. */
static uint64_t make_qdisc(struct world *w, const char *id, bool has_block, bool has_change)
{
	uint64_t qdisc = fake_kernel_alloc(w->k, 64, 8), ops = fake_kernel_alloc(w->k, 32, 8),
		 classes = fake_kernel_alloc(w->k, 16, 8);

	fake_kernel_put64(w->k, qdisc, ops);
	fake_kernel_put64(w->k, ops, classes);
	fake_kernel_put(w->k, ops + 8, 40, 4);
	memcpy(fake_kernel_at(w->k, ops + 16, 16), id, strlen(id) + 1);
	fake_kernel_put64(w->k, classes, has_block);
	fake_kernel_put64(w->k, classes + 8, has_change);
	return qdisc;
}

static void expect(struct world *w, size_t qdiscs, size_t filters, const char *classful)
{
	struct ksma_tc tc;
	struct ksma_error *error = ksma_tc_read(&w->k->kernel, w->device, &tc);

	assert_null(error);
	assert_int_equal(tc.qdiscs.count, qdiscs);
	assert_int_equal(tc.filters.count, filters);
	assert_string_equal(tc.classful, classful);
	ksma_tc_deinit(&tc);
	fake_kernel_destroy(w->k);
}

static void test_none(void **state)
{
	struct world w = make();

	(void)state;
	expect(&w, 0, 0, "");
}

/* What the device calls first, on both ways, and the other chains of its block. */
static void test_directions(void **state)
{
	struct world w = make();
	uint64_t mini = fake_kernel_alloc(w.k, 16, 8), other = fake_kernel_alloc(w.k, 16, 8),
		 entry = fake_kernel_alloc(w.k, 8, 8), holder = fake_kernel_alloc(w.k, 16, 8);

	(void)state;
	fake_kernel_put64(w.k, w.device, mini);
	fake_kernel_put64(w.k, mini, make_filters(&w, 2));
	fake_kernel_put64(w.k, mini + 8, make_block(&w, 0));
	fake_kernel_put64(w.k, w.device + 8, entry);
	fake_kernel_put64(w.k, entry, holder + 8);
	fake_kernel_put64(w.k, holder, other);
	fake_kernel_put64(w.k, other, make_filters(&w, 1));
	expect(&w, 0, 2 + 3 + 1, "");
}

/* Disciplines of queues, the root, and one that is in the hash table only; a block that is another's is none of theirs. */
static void test_queues(void **state)
{
	struct world w = make();
	uint64_t queues = fake_kernel_alloc(w.k, 16, 8),
		 root = make_qdisc(&w, "fq_codel", true, false),
		 child = make_qdisc(&w, "htb", true, true),
		 plain = make_qdisc(&w, "pfifo", false, true);

	(void)state;
	fake_kernel_put64(w.k, w.device + 16, queues);
	fake_kernel_put(w.k, w.device + 24, 2, 4);
	fake_kernel_put64(w.k, queues, plain);
	fake_kernel_put64(w.k, queues + 8, root);
	fake_kernel_put64(w.k, w.device + 32, root);
	fake_kernel_put64(w.k, w.device + 48 + 8ull * 15, child + 8);
	fake_kernel_put64(w.k, root + 24 + 32, make_block(&w, root));
	fake_kernel_put64(w.k, child + 24, make_block(&w, plain));
	fake_kernel_put64(w.k, plain + 24, make_block(&w, plain));
	expect(&w, 3, 3, "htb");
}

static void test_circles(void **state)
{
	struct world w = make();
	uint64_t mini = fake_kernel_alloc(w.k, 16, 8), filter = make_filters(&w, 1),
		 qdisc = make_qdisc(&w, "prio", false, false);

	(void)state;
	fake_kernel_put64(w.k, w.device, mini);
	fake_kernel_put64(w.k, mini, filter);
	fake_kernel_put64(w.k, filter, filter);
	fake_kernel_put64(w.k, w.device + 32, qdisc);
	expect(&w, 1, 1, "");
}

/* A hash chain that leads back to itself, and a number of queues that no device has. */
static void test_hostile(void **state)
{
	struct world w = make();
	uint64_t qdisc = make_qdisc(&w, "prio", false, false);
	struct ksma_error *error;
	struct ksma_tc tc;

	(void)state;
	fake_kernel_put64(w.k, w.device + 48, qdisc + 8);
	fake_kernel_put64(w.k, qdisc + 8, qdisc + 8);
	error = ksma_tc_read(&w.k->kernel, w.device, &tc);
	assert_non_null(error);
	assert_int_equal(error->code, KSMA_ERROR_BAD_DATA);
	ksma_error_destroy(error);
	ksma_tc_deinit(&tc);
	fake_kernel_put64(w.k, w.device + 48, 0);
	fake_kernel_put64(w.k, w.device + 16, qdisc);
	fake_kernel_put(w.k, w.device + 24, UINT32_MAX, 4);
	error = ksma_tc_read(&w.k->kernel, w.device, &tc);
	assert_non_null(error);
	assert_int_equal(error->code, KSMA_ERROR_LIMIT);
	ksma_error_destroy(error);
	ksma_tc_deinit(&tc);
	fake_kernel_put(w.k, w.device + 24, 0, 4);
	fake_kernel_put64(w.k, w.device, 0xdead0000); /* not mapped */
	error = ksma_tc_read(&w.k->kernel, w.device, &tc);
	assert_non_null(error);
	assert_int_equal(error->code, KSMA_ERROR_FAULT);
	ksma_error_destroy(error);
	ksma_tc_deinit(&tc);
	fake_kernel_destroy(w.k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),	cmocka_unit_test(test_directions),
		cmocka_unit_test(test_queues),	cmocka_unit_test(test_circles),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
