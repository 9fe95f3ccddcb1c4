/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One walk of the page tables: what is executable, written to, open to user
 * space, and of the image but not in its frames. */
#include "unit.h"

#include "checks/pages.h"
#include "fake_kernel.h"

#define BASE 0xffffffff80000000ull

enum { LARGE = 2 << 20, DIRECTORY = 2 * KSMA_PAGE_SIZE, FRAMES = 1 << 30 };

static void put_entry(struct fake_kernel *k, uint64_t at, uint64_t value)
{
	memcpy(fake_guest_at(k->fake, at, 8), &value, 8);
}

/* Four large pages where the fake kernel has one leaf of a gigabyte. */
static struct fake_kernel *make(void)
{
	struct fake_kernel *k = fake_kernel_create(BASE, 4 * LARGE, FAKE_MAPPED);
	const uint64_t leaf = KSMA_PTE_P | KSMA_PTE_PS;

	put_entry(k, KSMA_PAGE_SIZE + 8 * ((BASE >> 30) & 511),
		  DIRECTORY | KSMA_PTE_P | KSMA_PTE_W | KSMA_PTE_U);
	put_entry(k, 8 * ((BASE >> 39) & 511),
		  KSMA_PAGE_SIZE | KSMA_PTE_P | KSMA_PTE_W | KSMA_PTE_U);
	put_entry(k, DIRECTORY, FRAMES | leaf);
	put_entry(k, DIRECTORY + 8, (FRAMES + LARGE) | leaf);
	put_entry(k, DIRECTORY + 16, (FRAMES + 2 * LARGE) | leaf | KSMA_PTE_W | KSMA_PTE_NX);
	put_entry(k, DIRECTORY + 24, (FRAMES + 3 * LARGE) | leaf | KSMA_PTE_U | KSMA_PTE_NX);
	k->kernel.image = BASE;
	k->kernel.image_end = BASE + 2 * LARGE;
	k->kernel.physical_base = FRAMES;
	return k;
}

static struct ksma_pages walk(struct fake_kernel *k)
{
	struct ksma_pages pages;

	assert_ok(ksma_pages_walk(&k->kernel, &k->kernel.space, BASE, UINT64_MAX, &pages));
	return pages;
}

static void what_is_mapped(void **state)
{
	struct fake_kernel *k = make();
	struct ksma_pages pages = walk(k);

	assert_int_equal(pages.executable.count, 1); /* two that are neighbours are one */
	assert_int_equal(pages.executable.items[0].gva, BASE);
	assert_int_equal(pages.executable.items[0].size, 2 * LARGE);
	assert_int_equal(pages.writable.count, 1);
	assert_int_equal(pages.writable.items[0].gva, BASE + 2 * LARGE);
	assert_int_equal(pages.user.count, 1);
	assert_int_equal(pages.user.items[0].gva, BASE + 3 * LARGE);
	assert_int_equal(pages.foreign.count, 0);
	assert_true(ksma_pages_is_code(&pages, BASE));
	assert_true(ksma_pages_is_code(&pages, BASE + 2 * LARGE - 1));
	assert_false(ksma_pages_is_code(&pages, BASE + 2 * LARGE));
	assert_false(ksma_pages_is_code(&pages, 0x1000));
	ksma_pages_deinit(&pages);
	assert_null(pages.executable.items);
	fake_kernel_destroy(k);
}

/* A page of the image that is served from other frames, which is how a copy
 * takes its place. */
static void frames_of_somebody_else(void **state)
{
	struct fake_kernel *k = make();
	struct ksma_pages pages;

	put_entry(k, DIRECTORY + 8, (FRAMES + 3ull * LARGE) | KSMA_PTE_P | KSMA_PTE_PS);
	pages = walk(k);
	assert_int_equal(pages.foreign.count, 1);
	assert_int_equal(pages.foreign.items[0].gva, BASE + LARGE);
	assert_int_equal(pages.foreign.items[0].size, LARGE);
	ksma_pages_deinit(&pages);
	/* Only the part of a page that is the image's counts. */
	k->kernel.image_end = BASE + LARGE + KSMA_PAGE_SIZE;
	pages = walk(k);
	assert_int_equal(pages.foreign.items[0].size, KSMA_PAGE_SIZE);
	ksma_pages_deinit(&pages);
	fake_kernel_destroy(k);
}

/* Tables that lie outside of memory are a gap, and no end of the walk. */
static void tables_that_are_not_there(void **state)
{
	struct fake_kernel *k = make();
	struct ksma_pages pages;

	put_entry(k, KSMA_PAGE_SIZE + 8 * ((BASE >> 30) & 511), 0x7000000000 | KSMA_PTE_P);
	pages = walk(k);
	assert_int_equal(pages.executable.count, 0);
	assert_int_not_equal(pages.coverage.state, KSMA_COVERAGE_COMPLETE);
	ksma_pages_deinit(&pages);
	fake_kernel_destroy(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_mapped),
		cmocka_unit_test(frames_of_somebody_else),
		cmocka_unit_test(tables_that_are_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
