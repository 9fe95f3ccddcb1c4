/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a clock that stands still is noticed, and how often memory is searched because of it. */
#include "unit.h"

#include "linux/pulse.h"

#define S 1000000000ull

static void test_beats(void **state)
{
	struct ksma_pulse pulse;

	(void)state;
	ksma_pulse_init(&pulse, 100, 5 * S);
	for (uint64_t t = 5; t < 500; t += 5)
		assert_int_equal(ksma_pulse_take(&pulse, 100 + t, t * S), KSMA_PULSE_BEATS);
	assert_int_equal(ksma_pulse_still_s(&pulse, 500 * S), 5);
}

static void test_stands_still(void **state)
{
	struct ksma_pulse pulse;
	unsigned searches = 0;

	(void)state;
	ksma_pulse_init(&pulse, 100, 0);
	assert_int_equal(ksma_pulse_take(&pulse, 100, 9 * S), KSMA_PULSE_BEATS);
	for (uint64_t t = 10; t < 1000; t++)
		searches += ksma_pulse_take(&pulse, 100, t * S) == KSMA_PULSE_SEARCH;
	assert_int_equal(searches, 7); /* 10, 20, 40, … 640 s */
	assert_int_equal(ksma_pulse_take(&pulse, 100, 1001 * S), KSMA_PULSE_STILL);
	assert_int_equal(ksma_pulse_still_s(&pulse, 1001 * S), 1001);
	assert_int_equal(ksma_pulse_take(&pulse, 101, 1002 * S), KSMA_PULSE_BEATS);
	assert_int_equal(ksma_pulse_take(&pulse, 101, 1003 * S), KSMA_PULSE_BEATS);
	assert_int_equal(ksma_pulse_take(&pulse, 101, 1012 * S), KSMA_PULSE_SEARCH);
}

static void test_goes_backwards(void **state)
{
	struct ksma_pulse pulse;

	(void)state;
	ksma_pulse_init(&pulse, 100, 0);
	assert_int_equal(ksma_pulse_take(&pulse, 99, S), KSMA_PULSE_BACKWARDS);
	/* It stays told until the kernel is opened again. */
	assert_int_equal(ksma_pulse_take(&pulse, 99, 2 * S), KSMA_PULSE_BACKWARDS);
}

/* What is written over the clock of a kernel that is no more is no beat. */
static void test_leaps(void **state)
{
	struct ksma_pulse pulse;

	(void)state;
	ksma_pulse_init(&pulse, 100, 0);
	assert_int_equal(ksma_pulse_take(&pulse, 0xffffffff81000000, 2 * S), KSMA_PULSE_BEATS);
	assert_int_equal(ksma_pulse_still_s(&pulse, 2 * S), 2);
	assert_int_equal(ksma_pulse_take(&pulse, 0xffffffff81000000, 10 * S), KSMA_PULSE_SEARCH);
	/* A host that slept for an hour. */
	assert_int_equal(ksma_pulse_take(&pulse, 100 + 3600000, 11 * S), KSMA_PULSE_BEATS);
	assert_int_equal(ksma_pulse_still_s(&pulse, 11 * S), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beats),
		cmocka_unit_test(test_stands_still),
		cmocka_unit_test(test_leaps),
		cmocka_unit_test(test_goes_backwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
