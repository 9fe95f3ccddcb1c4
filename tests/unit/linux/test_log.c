/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel log: records in every state, text that wraps around, rings that lie. And the clock, which is as small. */
#include "unit.h"

#include "fail_alloc.h"
#include "fake_log.h"
#include "linux/clock.h"
#include <ksma/linux.h>

static struct ksma_log read_log(struct world *w, enum ksma_coverage_state state)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_log log;

	assert_ok(ksma_linux_log(&w->k->kernel, &coverage, &log));
	assert_int_equal(coverage.state, state);
	ksma_coverage_deinit(&coverage);
	return log;
}

static void records_of_all_states(void **state)
{
	struct world w = make(FAKE_MAPPED);
	struct ksma_log log;

	put_ids(&w, 5, 11);
	put_descriptor(&w, 5, REUSABLE, 1, 1);
	put_record(&w, 6, FINALIZED, "first");
	put_descriptor(&w, 7, FINALIZED, 3, 3); /* an empty line */
	put_info(&w, 7, 0);
	put_descriptor(&w, 8, FINALIZED, 1, 1); /* its text did not fit */
	put_info(&w, 8, 10);
	put_record(&w, 9, COMMITTED, "still open");
	put_record(&w, 10, RESERVED, "not yet");
	put_record(&w, 11, FINALIZED, "last\nof two lines");
	log = read_log(&w, KSMA_COVERAGE_COMPLETE);
	assert_int_equal(log.count, 4);
	assert_string_equal(log.items[0].text, "first");
	assert_int_equal(log.items[0].sequence, 1006);
	assert_int_equal(log.items[0].time_ns, 6000000000);
	assert_int_equal(log.items[0].facility, 3);
	assert_int_equal(log.items[0].level, 6);
	assert_int_equal(log.items[0].caller, 42);
	assert_string_equal(log.items[1].text, "");
	assert_string_equal(log.items[2].text, "still open");
	assert_string_equal(log.items[3].text, "last\nof two lines");
	ksma_log_free(&log);
	fake_kernel_destroy(w.k);
}

/* Four blocks of 64 bytes end exactly where the ring does; blocks of 72 wrap. */
static void text_that_wraps(void **state)
{
	static const char
		exact[] = "0123456789012345678901234567890123456789012345678901",
		longer[] = "0123456789012345678901234567890123456789012345678901234567890123";

	static const uint64_t starts[] = { 1 << 20, -SIZE, -2 * SIZE };

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(starts); i++) {
		struct world w = make(FAKE_MAPPED);
		struct ksma_log log;
		bool wrap = i % 2;

		w.lpos = starts[i / 2]; /* the kernel's own first position is one ring below zero */
		put_ids(&w, 20u + wrap, 22u + wrap);
		for (uint64_t id = 16; id <= 22u + wrap; id++)
			put_record(&w, id, FINALIZED, wrap ? longer : exact);
		log = read_log(&w, KSMA_COVERAGE_COMPLETE);
		assert_int_equal(log.count, 3);
		for (size_t j = 0; j < log.count; j++)
			assert_string_equal(log.items[j].text, wrap ? longer : exact);
		ksma_log_free(&log);
		fake_kernel_destroy(w.k);
	}
}

static void a_nul_hides_nothing(void **state)
{
	struct world w = make(FAKE_MAPPED);
	struct ksma_log log;

	put_ids(&w, 1, 1);
	put_record(&w, 1, FINALIZED, "before.after");
	fake_kernel_put(w.k, w.data + 8 + 6, 0, 1);
	log = read_log(&w, KSMA_COVERAGE_COMPLETE);
	assert_string_equal(log.items[0].text, "before after");
	ksma_log_free(&log);
	fake_kernel_destroy(w.k);
}

static void damage_is_told(void **state)
{
	static const struct {
		uint64_t state_id, begin, next;
	} bad[] = {
		{ 3, 0, 32 },				/* another id */
		{ 2, 4, 32 },				/* not aligned */
		{ 2, 64, 32 },				/* ends before it begins */
		{ 2, 0, 8 },				/* shorter than its text */
		{ 2, 0, 1 << 20 },			/* many times around */
		{ 2, 40, 80 },				/* somebody else's block */
		{ 2, UINT64_MAX - 7, UINT64_MAX - 15 }, /* at the end of the numbers */
		{ 2, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct world w = make(FAKE_MAPPED);
		struct ksma_log log;

		put_ids(&w, 1, 3);
		put_record(&w, 1, FINALIZED, "one");
		put_record(&w, 2, FINALIZED, "two, a longer one");
		put_record(&w, 3, FINALIZED, "three");
		fake_kernel_put64(w.k, w.descriptors + 24 * 2,
				  bad[i].state_id | (uint64_t)FINALIZED << 62);
		fake_kernel_put64(w.k, w.descriptors + 24 * 2 + 8, bad[i].begin);
		fake_kernel_put64(w.k, w.descriptors + 24 * 2 + 16, bad[i].next);
		log = read_log(&w, KSMA_COVERAGE_PARTIAL);
		assert_int_equal(log.count, 2);
		assert_string_equal(log.items[1].text, "three");
		ksma_log_free(&log);
		fake_kernel_destroy(w.k);
	}
}

static void heads_that_lie(void **state)
{
	static const struct {
		uint64_t offset, value;
		unsigned size;
	} bad[] = { { 0, 0, 4 },   { 0, 99, 4 },       { 40, 2, 4 },
		    { 40, 40, 4 }, { 24, 1 << 20, 8 }, { 24, 0, 8 } };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct world w = make(FAKE_MAPPED);
		struct ksma_log log;

		put_ids(&w, 1, 2);
		fake_kernel_put(w.k, w.ring + bad[i].offset, bad[i].value, bad[i].size);
		log = read_log(&w, KSMA_COVERAGE_UNKNOWN);
		assert_int_equal(log.count, 0);
		ksma_log_free(&log);
		fake_kernel_destroy(w.k);
	}
}

static void kernels_that_have_no_ring(void **state)
{
	struct world w = make(FAKE_MAPPED);
	struct ksma_coverage coverage = { 0 };
	struct ksma_log log;

	w.k->kernel.size.printk_ringbuffer = 0;
	assert_error_says(ksma_linux_log(&w.k->kernel, &coverage, &log), KSMA_ERROR_UNSUPPORTED,
			  "before 5.10");
	fake_layout_log(&w.k->kernel);
	w.k->kernel.off.printk_info__caller_id = 24;
	assert_error(ksma_linux_log(&w.k->kernel, &coverage, &log), KSMA_ERROR_UNSUPPORTED);
	fake_kernel_destroy(w.k);
}

static struct ksma_error *run_log(struct world *w, bool fails)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_log log;
	struct ksma_error *error = ksma_linux_log(&w->k->kernel, &coverage, &log);

	if (!error) {
		assert_true(log.count == 2 || coverage.state != KSMA_COVERAGE_COMPLETE);
		assert_true(!fails || coverage.state != KSMA_COVERAGE_COMPLETE);
		ksma_log_free(&log);
	}
	ksma_coverage_deinit(&coverage);
	return error;
}

static struct ksma_error *run_alloc(void *state)
{
	return run_log(state, false);
}

static void failures_are_told(void **state)
{
	struct world w = make(FAKE_COPIED);

	put_ids(&w, 1, 2);
	put_record(&w, 1, FINALIZED, "one");
	put_record(&w, 2, FINALIZED, "two");
	for (unsigned long n = 1; n <= 7; n++) {
		struct ksma_error *error;

		w.k->fake->fetches = 0;
		w.k->fake->fail_at = n;
		fake_guest_forget(w.k->fake);
		ksma_space_flush(&w.k->kernel.space);
		error = run_log(&w, false);
		ksma_error_destroy(error);
	}
	w.k->fake->fail_at = 0;
	assert_true(fail_alloc_each(run_alloc, &w, FAIL_ALLOC_STRICT) >= 3);
	fake_kernel_destroy(w.k);
}

static void clock_of_two_kernels(void **state)
{
	struct fake_kernel *k = fake_kernel_create(BASE, ARENA, FAKE_MAPPED);
	uint64_t clock = fake_kernel_alloc(k, 128, 64), ns = 7;

	fake_layout_clock(&k->kernel);
	fake_kernel_symbol(k, "tk_core", clock);
	assert_error_says(ksma_linux_boot_time(&k->kernel, &ns), KSMA_ERROR_BAD_DATA, "contradict");
	assert_int_equal(ns, 7);
	fake_kernel_put64(k, clock + 16, 1700000000500000000);
	fake_kernel_put64(k, clock + 16 + 8, 1000);
	fake_kernel_put64(k, clock + 16 + 16, -1700000001ull);
	fake_kernel_put64(k, clock + 16 + 24, 500000000);
	assert_ok(ksma_linux_boot_time(
		&k->kernel, &ns)); /* the struct around it has no name: it is found by its sums */
	assert_int_equal(ns, 1700000000499999000);
	k->kernel.off.tk_data__timekeeper = 8;
	assert_error(ksma_linux_boot_time(&k->kernel, &ns), KSMA_ERROR_BAD_DATA);
	k->kernel.off.tk_data__timekeeper = 16;
	assert_ok(ksma_linux_boot_time(&k->kernel, &ns));
	fake_kernel_put64(k, clock + 16 + 24, 2000000000);
	assert_error(ksma_linux_boot_time(&k->kernel, &ns), KSMA_ERROR_BAD_DATA);
	k->kernel.size.timekeeper = 1 << 20;
	assert_error(ksma_linux_boot_time(&k->kernel, &ns), KSMA_ERROR_UNSUPPORTED);
	fake_kernel_destroy(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_of_all_states),
		cmocka_unit_test(text_that_wraps),
		cmocka_unit_test(a_nul_hides_nothing),
		cmocka_unit_test(damage_is_told),
		cmocka_unit_test(heads_that_lie),
		cmocka_unit_test(kernels_that_have_no_ring),
		cmocka_unit_test(failures_are_told),
		cmocka_unit_test(clock_of_two_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
