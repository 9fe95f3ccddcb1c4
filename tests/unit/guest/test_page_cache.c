/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The page cache gives the guest's bytes, whatever is read in whatever order, and a failed fetch leaves no false page. */
#include "unit.h"

#include "fail_alloc.h"
#include "fake_guest.h"
#include "guest/page_cache.h"

enum {
	PAGES = 600,
	BASE = 16 * KSMA_PAGE_SIZE,
	SIZE = PAGES * KSMA_PAGE_SIZE,
	BIG_READ = 100 * KSMA_PAGE_SIZE, /* goes past the cache */
};

static uint8_t expected[SIZE], got[BIG_READ];

/* Fetches in batches as a live guest does; fails like the fake's single fetch. */
static struct ksma_error *fetch_pages(struct ksma_guest *guest,
				      const struct ksma_ram_region *region, uint64_t gpa,
				      uint8_t *const *pages, size_t count)
{
	for (size_t i = 0; i < count; i++)
		KSMA_TRY(guest->ops->fetch_page(guest, region, gpa + i * KSMA_PAGE_SIZE, pages[i]));
	return NULL;
}

struct props {
	struct fake_guest *fake;
	struct ksma_guest_ops ops;
};

static struct props make(size_t cache_pages, bool batched)
{
	struct props props = { .fake = fake_guest_create() };

	for (size_t i = 0; i < SIZE; i++)
		expected[i] = (uint8_t)(i * 2654435761u >> 13);
	fake_guest_add(props.fake, BASE, expected, SIZE, FAKE_COPIED);
	ksma_page_cache_destroy(props.fake->guest.cache);
	assert_ok(ksma_page_cache_create(cache_pages, &props.fake->guest.cache));
	props.ops = *props.fake->guest.ops;
	props.ops.fetch_pages = batched ? fetch_pages : NULL;
	return props;
}

static void assert_read(struct fake_guest *fake, size_t offset, size_t length)
{
	assert_ok(ksma_guest_read(&fake->guest, ksma_gpa_of(BASE + offset), got, length));
	assert_memory_equal(got, expected + offset, length);
}

/* The same reads in caches so small that everything is displaced, and in one that holds all. */
static void any_order(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 7, 8, 64, 4096 };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		struct props props = make(sizes[i / 2], i % 2);
		uint32_t seed = 12345;

		props.fake->guest.ops = &props.ops;
		for (size_t offset = 0; offset + 5000 < SIZE; offset += 5000) /* straight on */
			assert_read(props.fake, offset, 5000);
		for (unsigned n = 0; n < 3000; n++) {
			size_t offset, length;

			seed = seed * 1664525 + 1013904223;
			offset = (seed >> 8) % (SIZE - 10000);
			length = seed % 40 == 0 ? BIG_READ : seed % 9 == 0 ? 9000 : 8;
			if (length > SIZE - offset)
				length = SIZE - offset;
			assert_read(props.fake, offset, length);
		}
		fake_guest_destroy(props.fake);
	}
}

static void hits_fetch_nothing(void **state)
{
	struct props props = make(64, false);
	unsigned long fetches;

	(void)state;
	props.fake->guest.ops = &props.ops;
	for (size_t i = 0; i < 64; i++)
		assert_read(props.fake, i * KSMA_PAGE_SIZE, 8);
	fetches = props.fake->fetches;
	assert_int_equal(fetches, 64);
	for (size_t i = 0; i < 64; i++)
		assert_read(props.fake, i * KSMA_PAGE_SIZE + 100, 8);
	assert_int_equal(props.fake->fetches, fetches);
	/* A page that is used often stays while others pass. */
	for (size_t i = 64; i < 400; i++) {
		assert_read(props.fake, i * KSMA_PAGE_SIZE, 8);
		assert_read(props.fake, 0, 8);
	}
	/* The hand's first round finds every page in use, and takes the first: that page comes once again. */
	assert_in_range(props.fake->fetches, fetches + 400 - 64, fetches + 400 - 64 + 1);
	fake_guest_destroy(props.fake);
}

static void long_reads_displace_nothing(void **state)
{
	struct props props = make(64, true);
	unsigned long fetches;

	(void)state;
	props.fake->guest.ops = &props.ops;
	assert_read(props.fake, 500 * KSMA_PAGE_SIZE, 8);
	assert_read(props.fake, 0, BIG_READ);
	fetches = props.fake->fetches;
	assert_read(props.fake, 500 * KSMA_PAGE_SIZE, 8);
	assert_int_equal(props.fake->fetches, fetches);
	fake_guest_destroy(props.fake);
}

/* Reading on and on fetches ahead: fewer calls than pages. */
static size_t batches;

static struct ksma_error *count_batches(struct ksma_guest *guest,
					const struct ksma_ram_region *region, uint64_t gpa,
					uint8_t *const *pages, size_t count)
{
	batches++;
	return fetch_pages(guest, region, gpa, pages, count);
}

static void sequential_reads_fetch_ahead(void **state)
{
	struct props props = make(512, true);

	(void)state;
	props.ops.fetch_pages = count_batches;
	props.fake->guest.ops = &props.ops;
	batches = 0;
	for (size_t i = 0; i < PAGES; i++)
		assert_read(props.fake, i * KSMA_PAGE_SIZE, 8);
	assert_int_equal(props.fake->fetches, PAGES);
	assert_in_range(batches, 1, PAGES / 20);
	fake_guest_destroy(props.fake);
}

static void refresh_forgets(void **state)
{
	struct props props = make(64, false);

	(void)state;
	props.fake->guest.ops = &props.ops;
	assert_read(props.fake, 0, 8);
	fake_guest_at(props.fake, BASE, 1)[0] ^= 0xff;
	assert_read(props.fake, 0, 8); /* still the page as it was */
	expected[0] ^= 0xff;
	assert_ok(ksma_guest_refresh(&props.fake->guest));
	assert_read(props.fake, 0, 8);
	fake_guest_destroy(props.fake);
}

static struct ksma_error *read_about(struct fake_guest *fake, void *state)
{
	static const struct {
		size_t offset, length;
	} reads[] = { { 0, 8 },	       { 4090, 5000 },	{ 5 * 4096, 8 },	 { 6 * 4096, 8 },
		      { 7 * 4096, 8 }, { 8 * 4096, 8 }, { 20 * 4096, 40 * 4096 } };
	struct ksma_error *first = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
		struct ksma_error *error = ksma_guest_read(
			&fake->guest, ksma_gpa_of(BASE + reads[i].offset), got, reads[i].length);

		if (!error)
			assert_memory_equal(got, expected + reads[i].offset, reads[i].length);
		if (!first)
			first = error;
		else
			ksma_error_destroy(error);
	}
	/* After a failure everything can be read again. */
	for (size_t i = 0; i < ARRAY_SIZE(reads) && first; i++)
		assert_read(fake, reads[i].offset, reads[i].length);
	return first;
}

static void each_fetch_fails(void **state)
{
	(void)state;
	for (int batched = 0; batched < 2; batched++) {
		struct props props = make(8, batched);

		props.fake->guest.ops = &props.ops;
		assert_in_range(fake_guest_fail_each(props.fake, read_about, NULL), 40, 100);
		fake_guest_destroy(props.fake);
	}
}

static void bad_ranges(void **state)
{
	struct props props = make(8, true);
	struct ksma_page_cache *cache;
	const struct ksma_ram_region *region = &props.fake->guest.regions[0];
	uint8_t byte;

	(void)state;
	props.fake->guest.ops = &props.ops;
	assert_error(ksma_page_cache_read(&props.fake->guest, region, BASE - 1, &byte, 1),
		     KSMA_ERROR_FAULT);
	assert_error(ksma_page_cache_read(&props.fake->guest, region, BASE + SIZE, &byte, 1),
		     KSMA_ERROR_FAULT);
	assert_error(ksma_page_cache_read(&props.fake->guest, region, BASE, &byte, SIZE_MAX),
		     KSMA_ERROR_FAULT);
	assert_error(ksma_page_cache_create(0, &cache), KSMA_ERROR_INVALID);
	assert_error(ksma_page_cache_create(SIZE_MAX, &cache), KSMA_ERROR_INVALID);
	fake_guest_destroy(props.fake);
}

static struct ksma_error *create(void *state)
{
	struct ksma_page_cache *cache = NULL;
	struct ksma_error *error = ksma_page_cache_create(16, &cache);

	(void)state;
	if (error)
		assert_null(cache);
	ksma_page_cache_destroy(cache);
	return error;
}

static void no_memory(void **state)
{
	(void)state;
	assert_int_equal(fail_alloc_each(create, NULL, FAIL_ALLOC_STRICT), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order),
		cmocka_unit_test(hits_fetch_nothing),
		cmocka_unit_test(long_reads_displace_nothing),
		cmocka_unit_test(sequential_reads_fetch_ahead),
		cmocka_unit_test(refresh_forgets),
		cmocka_unit_test(each_fetch_fails),
		cmocka_unit_test(bad_ranges),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
