/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tests' own props do what they promise: a prop that never fails would make every test that leans on it pass. */
#include "unit.h"

#include "fail_alloc.h"
#include "fake_guest.h"

static struct ksma_error *three_allocations(void *state)
{
	_cleanup_free_ char *a = NULL, *b = NULL, *c = NULL;

	(*(unsigned *)state)++;
	a = malloc(1);
	if (!a)
		return ksma_error_nomem();
	b = strdup("b");
	if (!b)
		return ksma_error_nomem();
	if (asprintf(&c, "%s", "c") < 0) {
		c = NULL;
		return ksma_error_nomem();
	}
	return NULL;
}

static void test_each_allocation_fails(void **state)
{
	unsigned runs = 0;

	assert_int_equal(fail_alloc_each(three_allocations, &runs, FAIL_ALLOC_STRICT), 3);
	assert_int_equal(runs, 8);
}

static void test_disarmed_allocations_work(void **state)
{
	void *p, *q;

	fail_alloc_arm(1, true);
	assert_null(malloc(1));
	assert_null(malloc(1));
	assert_true(fail_alloc_disarm());
	fail_alloc_arm(2, false);
	p = malloc(1);
	q = malloc(1);
	assert_non_null(p);
	assert_null(q);
	free(p);
	p = malloc(1);
	assert_non_null(p);
	free(p);
	assert_true(fail_alloc_disarm());
	fail_alloc_arm(5, true);
	assert_false(fail_alloc_disarm());
}

static void test_fake_guest_reads(void **state)
{
	static const enum fake_kind kinds[] = { FAKE_MAPPED, FAKE_COPIED };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct fake_guest *fake = fake_guest_create();
		char buffer[6];
		uint8_t *bytes;

		bytes = fake_guest_add(fake, 0x5000, "hello", 6, kinds[i]);
		fake_guest_add(fake, 0x1000, NULL, 0x1000, kinds[i]);
		assert_int_equal(fake->guest.regions[0].gpa, 0x1000);
		assert_ok(ksma_guest_read(&fake->guest, ksma_gpa_of(0x5000), buffer, 6));
		assert_string_equal(buffer, "hello");
		assert_ptr_equal(fake_guest_at(fake, 0x5000, 6), bytes);
		assert_null(fake_guest_at(fake, 0x3000, 1));
		assert_error(ksma_guest_read(&fake->guest, ksma_gpa_of(0x3000), buffer, 1),
			     KSMA_ERROR_FAULT);
		assert_error(ksma_guest_read(&fake->guest, ksma_gpa_of(0x1fff), buffer, 2),
			     KSMA_ERROR_FAULT);
		bytes[0] = 'j';
		fake_guest_forget(fake);
		assert_ok(ksma_guest_read(&fake->guest, ksma_gpa_of(0x5000), buffer, 6));
		assert_string_equal(buffer, "jello");
		fake_guest_destroy(fake);
	}
}

static struct ksma_error *read_three_pages(struct fake_guest *fake, void *state)
{
	(*(unsigned *)state)++;
	for (uint64_t gpa = 0; gpa < 0x3000; gpa += 0x1000) {
		uint64_t value;

		KSMA_TRY(ksma_guest_read(&fake->guest, ksma_gpa_of(gpa), &value, sizeof(value)));
	}
	return NULL;
}

static void test_each_fetch_fails(void **state)
{
	struct fake_guest *fake = fake_guest_create();
	unsigned runs = 0;

	fake_guest_add(fake, 0, NULL, 0x3000, FAKE_COPIED);
	assert_int_equal(fake_guest_fail_each(fake, read_three_pages, &runs), 3);
	assert_int_equal(runs, 4);
	fake_guest_destroy(fake);
}

static void scribble(struct fake_guest *fake, uint64_t gpa)
{
	*fake_guest_at(fake, gpa, 1) = 9;
}

static void test_memory_changes_under_the_reader(void **state)
{
	struct fake_guest *fake = fake_guest_create();
	uint8_t byte = 0;

	fake_guest_add(fake, 0, NULL, 0x1000, FAKE_COPIED);
	fake->on_fetch = scribble;
	assert_ok(ksma_guest_read(&fake->guest, ksma_gpa_of(0), &byte, 1));
	assert_int_equal(byte, 9);
	fake_guest_destroy(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation_fails),
		cmocka_unit_test(test_disarmed_allocations_work),
		cmocka_unit_test(test_fake_guest_reads),
		cmocka_unit_test(test_each_fetch_fails),
		cmocka_unit_test(test_memory_changes_under_the_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
