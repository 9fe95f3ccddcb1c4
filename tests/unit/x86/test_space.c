/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Page tables made by hand: every page size, 4 and 5 levels, rights over all levels, and tables that lie. */
#include "unit.h"

#include "fake_guest.h"
#include "x86/space.h"

#define RW (KSMA_PTE_P | KSMA_PTE_W)
#define HIGH 0xffff888000000000ull

enum {
	ARENA = 4 << 20,
	PML5 = 0x1000,
	PML4 = 0x2000,
	PDPT = 0x3000,
	PD = 0x4000,
	PT = 0x5000,
	DATA = 0x10000,
	MAX_RANGES = 16
};

struct tables {
	struct fake_guest *fake;
	struct ksma_space space;
};

static void set(struct tables *t, uint64_t table, unsigned index, uint64_t entry)
{
	memcpy(fake_guest_at(t->fake, table + 8ul * index, 8), &entry, 8);
}

/* HIGH: one page of 4 KiB, then one not present, then one read-only and not executable; HIGH + 2M: a page of 2 MiB; HIGH + 1G: of 1 GiB. */
static void make(struct tables *t, unsigned levels, enum fake_kind kind)
{
	unsigned top = (HIGH >> 39) & 511;

	*t = (struct tables){ .fake = fake_guest_create() };
	fake_guest_add(t->fake, 0, NULL, ARENA, kind);
	set(t, PML5, (HIGH >> 48) & 511, PML4 | RW);
	set(t, PML4, top, PDPT | RW);
	set(t, PDPT, 0, PD | RW);
	set(t, PDPT, 1, KSMA_PTE_PS | RW); /* 1 GiB at 0 */
	set(t, PD, 0, PT | RW);
	set(t, PD, 1, 0x200000 | KSMA_PTE_PS | RW);
	set(t, PT, 0, DATA | RW);
	set(t, PT, 2, (DATA + 0x1000) | KSMA_PTE_P | KSMA_PTE_NX);
	assert_ok(ksma_space_init(&t->space, &t->fake->guest, (levels == 5 ? PML5 : PML4) | 0xfff,
				  levels));
}

static void unmake(struct tables *t)
{
	ksma_space_deinit(&t->space);
	fake_guest_destroy(t->fake);
}

static void translates(unsigned levels, enum fake_kind kind)
{
	uint64_t flags, size;
	struct tables t;
	ksma_gpa gpa;

	make(&t, levels, kind);
	assert_ok(ksma_space_translate(&t.space, ksma_gva_of(HIGH + 0x123), &gpa, &flags, &size));
	assert_int_equal(gpa.v, DATA + 0x123);
	assert_int_equal(size, 4096);
	assert_int_equal(flags & (KSMA_PTE_W | KSMA_PTE_U | KSMA_PTE_NX | KSMA_PTE_PS), KSMA_PTE_W);
	assert_ok(ksma_space_translate(&t.space, ksma_gva_of(HIGH + 0x2000), &gpa, &flags, &size));
	assert_int_equal(flags & (KSMA_PTE_W | KSMA_PTE_NX), KSMA_PTE_NX);
	assert_ok(
		ksma_space_translate(&t.space, ksma_gva_of(HIGH + 0x212345), &gpa, &flags, &size));
	assert_int_equal(gpa.v, 0x212345);
	assert_int_equal(size, 2 << 20);
	assert_ok(ksma_space_translate(&t.space, ksma_gva_of(HIGH + (1ull << 30) + 0x54321), &gpa,
				       &flags, &size));
	assert_int_equal(gpa.v, 0x54321);
	assert_int_equal(size, 1 << 30);
	assert_error_says(ksma_space_translate(&t.space, ksma_gva_of(HIGH + 0x1000), &gpa, NULL,
					       NULL),
			  KSMA_ERROR_FAULT, "level 1");
	unmake(&t);
}

static void test_four_levels(void **state)
{
	(void)state;
	translates(4, FAKE_MAPPED);
	translates(4, FAKE_COPIED);
}

static void test_five_levels(void **state)
{
	(void)state;
	translates(5, FAKE_MAPPED);
	translates(5, FAKE_COPIED);
}

static void test_bad_addresses(void **state)
{
	struct tables t;
	ksma_gpa gpa = { 42 };

	(void)state;
	make(&t, 4, FAKE_MAPPED);
	assert_error(ksma_space_translate(&t.space, ksma_gva_of(0x0000800000000000ull), &gpa, NULL,
					  NULL),
		     KSMA_ERROR_BAD_DATA);
	assert_int_equal(gpa.v, 42);
	set(&t, PML4, (HIGH >> 39) & 511, PDPT | RW | KSMA_PTE_PS); /* no page is that large */
	assert_error_says(ksma_space_translate(&t.space, ksma_gva_of(HIGH), &gpa, NULL, NULL),
			  KSMA_ERROR_BAD_DATA, "reserved");
	set(&t, PML4, (HIGH >> 39) & 511, 0x7ffff000 | RW);
	assert_error_says(ksma_space_translate(&t.space, ksma_gva_of(HIGH), &gpa, NULL, NULL),
			  KSMA_ERROR_FAULT, "outside guest memory");
	unmake(&t);
	assert_error(ksma_space_init(&t.space, NULL, 0, 3), KSMA_ERROR_INVALID);
}

static void test_reads_cross_pages(void **state)
{
	uint8_t buffer[32], expected[32];
	struct tables t;

	(void)state;
	make(&t, 4, FAKE_MAPPED);
	set(&t, PT, 1, (DATA + 0x5000) | RW); /* the next page lies elsewhere */
	for (int i = 0; i < 32; i++)
		expected[i] = (uint8_t)(i + 1);
	memcpy(fake_guest_at(t.fake, DATA + 0xff0, 16), expected, 16);
	memcpy(fake_guest_at(t.fake, DATA + 0x5000, 16), expected + 16, 16);
	assert_ok(ksma_space_read(&t.space, ksma_gva_of(HIGH + 0xff0), buffer, 32));
	assert_memory_equal(buffer, expected, 32);
	set(&t, PT, 1, 0);
	ksma_space_flush(&t.space);
	assert_false(ksma_space_try_read(&t.space, HIGH + 0xff0, buffer, 32));
	assert_error(ksma_space_read(&t.space, ksma_gva_of(HIGH + 0xff0), buffer, 32),
		     KSMA_ERROR_FAULT);
	unmake(&t);
}

static void test_cache_ends_with_the_look(void **state)
{
	struct tables t;
	uint64_t value;

	(void)state;
	make(&t, 4, FAKE_MAPPED);
	memcpy(fake_guest_at(t.fake, DATA, 8), "first...", 8);
	memcpy(fake_guest_at(t.fake, DATA + 0x1000, 8), "second..", 8);
	assert_true(ksma_space_try_u64(&t.space, HIGH, &value));
	set(&t, PT, 0, (DATA + 0x1000) | RW);
	fake_guest_forget(t.fake);
	assert_true(ksma_space_try_u64(&t.space, HIGH, &value));
	assert_memory_equal(&value, "second..", 8);
	unmake(&t);
}

/* One walk serves the pages of a large leaf, each in its own place; the cache ends with the look as well, and where the leaf reaches out of memory there is none. */
static void test_large_pages(void **state)
{
	uint64_t giant = HIGH + (1ull << 30);
	struct tables t;
	uint8_t byte;

	make(&t, 4, FAKE_MAPPED);
	for (unsigned i = 0; i < 512; i++)
		*(uint8_t *)fake_guest_at(t.fake, 0x200000 + 4096ul * i, 1) = (uint8_t)(i * 7);
	for (unsigned i = 0; i < 512; i++) {
		ksma_space_prefetch(&t.space, HIGH + 0x200000 + 4096ul * ((i + 1) & 511));
		assert_true(ksma_space_try_read(&t.space, HIGH + 0x200000 + 4096ul * i, &byte, 1));
		assert_int_equal(byte, (uint8_t)(i * 7));
		/* The same bytes by another leaf. */
		assert_true(ksma_space_try_read(&t.space, giant + 0x200000 + 4096ul * i, &byte, 1));
		assert_int_equal(byte, (uint8_t)(i * 7));
	}
	set(&t, PD, 1, KSMA_PTE_PS | RW);
	assert_ok(ksma_guest_refresh(&t.fake->guest));
	*(uint8_t *)fake_guest_at(t.fake, DATA, 1) = 0x77;
	assert_true(ksma_space_try_read(&t.space, HIGH + 0x200000 + DATA, &byte, 1));
	assert_int_equal(byte, 0x77);
	assert_false(ksma_space_try_read(&t.space, giant + ARENA, &byte, 1));
	assert_true(ksma_space_try_read(&t.space, giant + ARENA - 1, &byte, 1));
	ksma_space_prefetch(&t.space, 0x1234);
	ksma_space_prefetch(&t.space, 1ull << 63);
	unmake(&t);
}

static void test_strings(void **state)
{
	struct tables t;
	char text[16];

	(void)state;
	make(&t, 4, FAKE_MAPPED);
	strcpy((char *)fake_guest_at(t.fake, DATA + 0xffa, 6), "short");
	assert_ok(ksma_space_read_string(&t.space, ksma_gva_of(HIGH + 0xffa), text,
					 sizeof(text))); /* the page behind it is not there */
	assert_string_equal(text, "short");
	memset(fake_guest_at(t.fake, DATA, 64), 'x', 64);
	assert_ok(ksma_space_read_string(&t.space, ksma_gva_of(HIGH), text, sizeof(text)));
	assert_int_equal(strlen(text), 15);
	unmake(&t);
}

struct ranges {
	struct ksma_range items[MAX_RANGES];
	size_t count;
};

static bool take(void *arg, const struct ksma_range *range)
{
	struct ranges *r = arg;

	assert_true(r->count < MAX_RANGES);
	r->items[r->count++] = *range;
	return true;
}

static void walk(struct tables *t, unsigned kinds, struct ranges *r, struct ksma_coverage *coverage)
{
	struct ksma_budget budget = ksma_budget_default();

	*r = (struct ranges){ 0 };
	assert_ok(ksma_space_walk(&t->space, 0xffff800000000000ull, UINT64_MAX, kinds, &budget,
				  coverage, take, r));
}

static void test_walk(void **state)
{
	struct ksma_coverage coverage = { 0 };
	struct ranges r;
	struct tables t;

	(void)state;
	make(&t, 4, FAKE_MAPPED);
	set(&t, PT, 1, (DATA + 0x1000) | RW);
	walk(&t, KSMA_WALK_ALL, &r, &coverage);
	assert_int_equal(r.count, 4); /* two pages in one, one without rights, 2 MiB, 1 GiB */
	assert_int_equal(r.items[0].gva, HIGH);
	assert_int_equal(r.items[0].size, 0x2000);
	assert_int_equal(r.items[1].flags & (KSMA_PTE_W | KSMA_PTE_NX), KSMA_PTE_NX);
	assert_int_equal(r.items[2].size, 2 << 20);
	assert_int_equal(r.items[3].size, 1 << 30);
	walk(&t, KSMA_WALK_EXECUTABLE, &r, &coverage);
	assert_int_equal(r.count, 3);
	assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
	set(&t, PD, 2, 0x7ffff000 | RW);
	walk(&t, KSMA_WALK_ALL, &r, &coverage);
	assert_int_equal(coverage.state, KSMA_COVERAGE_PARTIAL);
	ksma_coverage_deinit(&coverage);
	unmake(&t);
}

/* A table of plain data that hangs at many places is shown once for each set of rights; one with code at each place. */
static void test_walk_once(void **state)
{
	struct ksma_coverage coverage = { 0 };
	struct ranges r;
	struct tables t;

	(void)state;
	make(&t, 4, FAKE_MAPPED);
	set(&t, PT, 0, DATA | RW | KSMA_PTE_NX);
	for (unsigned i = 1; i < 6; i++)
		set(&t, PD, i, PT | (i < 3 ? RW : KSMA_PTE_P));
	walk(&t, KSMA_WALK_ONCE, &r, &coverage);
	assert_int_equal(r.count, 2 + 2 + 1); /* twice with a different right to write, and 1 GiB */
	walk(&t, KSMA_WALK_ALL, &r, &coverage);
	assert_int_equal(r.count, 6 * 2 + 1);
	set(&t, PT, 0, DATA | RW);
	walk(&t, KSMA_WALK_ONCE, &r, &coverage);
	assert_int_equal(r.count, 6 * 2 + 1);
	set(&t, PT, 0, DATA | RW | KSMA_PTE_NX | KSMA_PTE_U);
	for (unsigned i = 0; i < 6; i++)
		set(&t, PD, i, PT | RW | KSMA_PTE_U);
	set(&t, PDPT, 0, PD | RW | KSMA_PTE_U);
	set(&t, PML4, (HIGH >> 39) & 511, PDPT | RW | KSMA_PTE_U);
	walk(&t, KSMA_WALK_ONCE, &r, &coverage);
	assert_int_equal(r.count, 6 * 2 + 1);
	ksma_coverage_deinit(&coverage);
	unmake(&t);
}

/* A table that is its own entry at every level is walked within the budget, and no deeper than there are levels. */
static void test_walk_of_a_loop(void **state)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_budget budget = { .nodes = 100000 };
	struct ranges r = { .count = 0 };
	struct ksma_error *error;
	struct tables t;

	(void)state;
	make(&t, 4, FAKE_MAPPED);
	for (unsigned i = 0; i < 512; i++)
		set(&t, PML4, i, PML4 | KSMA_PTE_P | (i < 511 ? KSMA_PTE_NX : 0));
	error = ksma_space_walk(&t.space, 0xffff800000000000ull, UINT64_MAX, KSMA_WALK_EXECUTABLE,
				&budget, &coverage, take, &r);
	assert_true(!error || error->code == KSMA_ERROR_LIMIT);
	ksma_error_destroy(error);
	ksma_coverage_deinit(&coverage);
	unmake(&t);
}

static struct ksma_error *read_something(struct fake_guest *fake, void *state)
{
	struct tables *t = state;
	uint64_t value = 0;
	struct ksma_error *error;

	ksma_space_flush(&t->space);
	error = ksma_space_read(&t->space, ksma_gva_of(HIGH), &value, sizeof(value));
	if (!error)
		assert_memory_equal(&value, "contents", 8);
	(void)fake;
	return error;
}

static void test_each_read_may_fail(void **state)
{
	struct tables t;

	(void)state;
	make(&t, 4, FAKE_COPIED);
	memcpy(fake_guest_at(t.fake, DATA, 8), "contents", 8);
	assert_int_equal(fake_guest_fail_each(t.fake, read_something, &t),
			 5); /* four tables and the page */
	unmake(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_four_levels),
		cmocka_unit_test(test_five_levels),
		cmocka_unit_test(test_bad_addresses),
		cmocka_unit_test(test_reads_cross_pages),
		cmocka_unit_test(test_cache_ends_with_the_look),
		cmocka_unit_test(test_large_pages),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_walk_once),
		cmocka_unit_test(test_walk_of_a_loop),
		cmocka_unit_test(test_each_read_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
