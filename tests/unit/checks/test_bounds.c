/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel gave out for modules, and what a module may claim of it. */
#include "unit.h"

#include "checks/bounds.h"
#include "fake_kernel.h"

#define BASE 0xffffffffc0000000ull

static struct ksma_vmap_area areas[] = {
	{ .start = BASE, .end = BASE + 0x5000 },
	{ .start = BASE + 0x8000, .end = BASE + 0x10000 },
};

static struct ksma_bounds make(struct fake_kernel *k)
{
	const struct ksma_vmap vmap = { areas, ARRAY_SIZE(areas), ARRAY_SIZE(areas) };
	struct ksma_coverage coverage = { 0 };
	struct ksma_bounds bounds;

	assert_ok(ksma_bounds_init(&k->kernel, &vmap, &coverage, &bounds));
	assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
	return bounds;
}

static void an_allocation_is_the_limit(void **state)
{
	static const struct {
		uint64_t base, size, end;
		bool all;
	} claims[] = {
		{ BASE, 0x3000, BASE + 0x3000, true },
		{ BASE, 0x5000, BASE + 0x5000, true },
		{ BASE, 0x6000, BASE + 0x5000, false },
		{ BASE, UINT64_MAX, BASE + 0x5000, false },
		{ BASE + 0x1000, 0x1000, BASE + 0x1000, false }, /* in the midst of another one's */
		{ BASE + 0x6000, 0x1000, BASE + 0x6000, false }, /* in nobody's */
		{ BASE - 0x1000, 0x2000, BASE - 0x1000, false },
		{ BASE + 0x8000, 0x8000, BASE + 0x10000, true },
	};
	struct fake_kernel *k = fake_kernel_create(BASE, 1 << 16, FAKE_MAPPED);
	struct ksma_bounds bounds = make(k);
	uint64_t end;

	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		assert_int_equal(ksma_bounds_clip(&bounds, claims[i].base, claims[i].size, &end),
				 claims[i].all);
		assert_int_equal(end, claims[i].end);
	}
	ksma_bounds_deinit(&bounds);
	fake_kernel_destroy(k);
}

/* A cache that this kernel's types do not describe is a gap, and its areas count whole. */
static void an_unknown_cache(void **state)
{
	struct fake_kernel *k = fake_kernel_create(BASE, 1 << 16, FAKE_MAPPED);
	const struct ksma_vmap vmap = { areas, ARRAY_SIZE(areas), ARRAY_SIZE(areas) };
	struct ksma_coverage coverage = { 0 };
	struct ksma_bounds bounds;
	uint64_t end;

	fake_kernel_symbol(k, "execmem_cache", BASE + 64);
	assert_ok(ksma_bounds_init(&k->kernel, &vmap, &coverage, &bounds));
	assert_int_equal(coverage.state, KSMA_COVERAGE_PARTIAL);
	assert_true(ksma_bounds_clip(&bounds, BASE, 0x1000, &end));
	ksma_bounds_deinit(&bounds);
	ksma_coverage_deinit(&coverage);
	fake_kernel_destroy(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_allocation_is_the_limit),
		cmocka_unit_test(an_unknown_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
