/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rings of a task and the files in them, in both ways of keeping these. */
#include "unit.h"

#include "fake_tracing.h"
#include "linux/io_uring.h"

#define BASE 0xffffffff80000000ull

enum { ARENA = 1 << 16, FILE_1 = 0x1000, FILE_2 = 0x2000 };

struct world {
	struct fake_kernel *k;
	uint64_t task, context;
	struct ksma_ring ring;
	unsigned rings, files;
};

/* A task with one ring, whose table has four places and files in the second and the last. */
static struct world make(bool nodes, enum fake_kind kind)
{
	struct world w = { .k = fake_kernel_create(BASE, ARENA, kind) };
	uint64_t own, node, table;

	fake_layout_containers(&w.k->kernel);
	if (nodes)
		fake_layout_new_rings(&w.k->kernel);
	else
		fake_layout_rings(&w.k->kernel);
	w.task = fake_kernel_alloc(w.k, 8, 8);
	own = fake_kernel_alloc(w.k, 16, 8);
	node = fake_kernel_alloc(w.k, 8, 8);
	w.context = fake_kernel_alloc(w.k, 16, 8);
	table = fake_kernel_alloc(w.k, 32, 8);
	fake_kernel_put64(w.k, w.task, own);
	fake_kernel_put64(w.k, own + 8, node);
	fake_kernel_put64(w.k, node, w.context);
	fake_kernel_put(w.k, w.context + 4, 4, 4);
	fake_kernel_put64(w.k, w.context + 8, table);
	for (unsigned i = 0; i < 2; i++) {
		/* The low bits of a pointer to a file are flags. */
		uint64_t value = (i ? FILE_2 : FILE_1) | 3, entry = value;

		if (nodes) {
			entry = fake_kernel_alloc(w.k, 24, 8);
			fake_kernel_put64(w.k, entry + 16, value);
		}
		fake_kernel_put64(w.k, table + (i ? 24 : 8), entry);
	}
	return w;
}

static bool take_file(void *arg, uint32_t place, uint64_t file)
{
	struct world *w = arg;

	assert_int_equal(place, w->files ? 3 : 1);
	assert_int_equal(file, w->files ? FILE_2 : FILE_1);
	w->files++;
	return true;
}

static bool take_ring(void *arg, const struct ksma_ring *ring)
{
	struct world *w = arg;

	w->ring = *ring;
	w->rings++;
	return true;
}

static void check_world(bool nodes)
{
	struct world w = make(nodes, FAKE_MAPPED);
	struct ksma_budget budget = ksma_budget_default();

	assert_true(ksma_rings_known(&w.k->kernel));
	assert_ok(ksma_rings_of_task(&w.k->kernel, w.task, &budget, take_ring, &w));
	assert_int_equal(w.rings, 1);
	assert_int_equal(w.ring.context, w.context);
	assert_int_equal(w.ring.files, 4);
	assert_ok(ksma_ring_files(&w.k->kernel, &w.ring, &budget, take_file, &w));
	assert_int_equal(w.files, 2);
	w.ring.files = UINT32_MAX;
	assert_error(ksma_ring_files(&w.k->kernel, &w.ring, &budget, take_file, &w),
		     KSMA_ERROR_BAD_DATA);
	w.ring.files = 1 << 19; /* more than is mapped */
	w.files = 0;
	budget.nodes = 3;
	assert_error(ksma_ring_files(&w.k->kernel, &w.ring, &budget, take_file, &w),
		     KSMA_ERROR_LIMIT);
	fake_kernel_put64(w.k, w.task, 0);
	budget = ksma_budget_default();
	assert_ok(ksma_rings_of_task(&w.k->kernel, w.task, &budget, take_ring, &w));
	assert_int_equal(w.rings, 1);
	fake_kernel_put64(w.k, w.task, 8);
	assert_error(ksma_rings_of_task(&w.k->kernel, w.task, &budget, take_ring, &w),
		     KSMA_ERROR_FAULT);
	fake_kernel_destroy(w.k);
}

static void test_pointers(void **state)
{
	(void)state;
	check_world(false);
}

static void test_nodes(void **state)
{
	(void)state;
	check_world(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
