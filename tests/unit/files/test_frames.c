/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames are hashed once, again when a bit of them changes, and forgotten when nobody asks. */
#include "unit.h"

#include "fail_alloc.h"
#include "fake_guest.h"
#include "files/frames.h"

enum { PAGES = 9000 };

static struct fake_guest *make(enum fake_kind kind)
{
	struct fake_guest *fake = fake_guest_create();
	uint8_t *bytes = fake_guest_add(fake, 0x10000, NULL, PAGES * 4096ul, kind);

	for (size_t i = 0; i < PAGES; i++)
		memcpy(bytes + i * 4096, &i, sizeof(i));
	return fake;
}

static uint8_t first_byte(struct ksma_frames *frames, struct fake_guest *fake, uint64_t gpa)
{
	struct ksma_frame *frame;

	assert_ok(ksma_frames_look(frames, &fake->guest, gpa, &frame));
	assert_non_null(frame);
	return frame->sha256[0];
}

static void a_page_is_hashed_when_it_changes(void **state)
{
	static const uint8_t zeros_sha256[4] = { 0xad, 0x7f, 0xac, 0xb2 };
	struct fake_guest *fake = make(FAKE_MAPPED);
	struct ksma_frames *frames;
	struct ksma_frame *frame;

	assert_ok(ksma_frames_create(&frames));
	assert_ok(ksma_frames_begin(frames));
	assert_ok(ksma_frames_look(frames, &fake->guest, 0x10000, &frame));
	assert_memory_equal(frame->sha256, zeros_sha256, sizeof(zeros_sha256));
	frame->good_for = 7;
	assert_ok(ksma_frames_look(frames, &fake->guest, 0x10000, &frame));
	assert_int_equal(ksma_frames_cost(frames).read, 1); /* once a pass */
	assert_ok(ksma_frames_begin(frames));
	assert_ok(ksma_frames_look(frames, &fake->guest, 0x10000, &frame));
	assert_int_equal(frame->good_for, 7);
	assert_int_equal(ksma_frames_cost(frames).read, 2);
	assert_int_equal(ksma_frames_cost(frames).hashed, 1);
	/* Each bit counts, the last one too. */
	for (size_t bit = 0; bit < 4096 * 8; bit += 997) {
		uint8_t *byte = fake_guest_at(fake, 0x10000 + bit / 8, 1);
		uint64_t before = ksma_frames_cost(frames).hashed;

		*byte ^= (uint8_t)(1 << bit % 8);
		assert_ok(ksma_frames_begin(frames));
		assert_ok(ksma_frames_look(frames, &fake->guest, 0x10000, &frame));
		assert_int_equal(frame->good_for, 0);
		assert_int_equal(ksma_frames_cost(frames).hashed, before + 1);
	}
	assert_ok(ksma_frames_look(frames, &fake->guest, 0x10000 + PAGES * 4096ul, &frame));
	assert_null(frame);
	ksma_frames_destroy(frames);
	fake_guest_destroy(fake);
}

static void many_frames_are_kept_and_forgotten(void **state)
{
	struct fake_guest *fake = make(FAKE_MAPPED);
	struct ksma_frames *frames;
	uint8_t first;

	assert_ok(ksma_frames_create(&frames));
	assert_ok(ksma_frames_begin(frames));
	first = first_byte(frames, fake, 0x10000);
	for (uint64_t i = 0; i < PAGES; i++)
		first_byte(frames, fake, 0x10000 + i * 4096);
	assert_int_equal(ksma_frames_cost(frames).hashed, PAGES);
	for (unsigned pass = 0; pass < 40; pass++) {
		assert_ok(ksma_frames_begin(frames));
		assert_int_equal(first_byte(frames, fake, 0x10000), first);
	}
	assert_int_equal(ksma_frames_cost(frames).hashed, PAGES);
	/* The others were not asked for in all that time. */
	first_byte(frames, fake, 0x10000 + 4096);
	assert_int_equal(ksma_frames_cost(frames).hashed, PAGES + 1);
	ksma_frames_destroy(frames);
	fake_guest_destroy(fake);
}

static struct ksma_error *create_and_look(void *data)
{
	struct fake_guest *fake = data;
	struct ksma_frames *frames;
	struct ksma_frame *frame;
	struct ksma_error *error;

	KSMA_TRY(ksma_frames_create(&frames));
	error = ksma_frames_begin(frames);
	for (uint64_t i = 0; i < 3000 && !error; i++)
		error = ksma_frames_look(frames, &fake->guest, 0x10000 + i * 4096, &frame);
	ksma_frames_destroy(frames);
	return error;
}

static void every_allocation_may_fail(void **state)
{
	struct fake_guest *fake = make(FAKE_MAPPED);

	assert_true(fail_alloc_each(create_and_look, fake, FAIL_ALLOC_STRICT) > 2);
	fake_guest_destroy(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_hashed_when_it_changes),
		cmocka_unit_test(many_frames_are_kept_and_forgotten),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
