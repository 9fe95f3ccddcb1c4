/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Page tables of a guest whose kernel writes them as it likes, and the kernel image that they claim to map. */
#include "fake_guest.h"
#include "linux/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

enum { MAX_INPUT = 64 << 10, NODES = 1 << 12, HEADER = 16 };

static bool take(void *arg, const struct ksma_range *range)
{
	uint64_t *sum = arg;

	if (range->size == 0 || (range->gva & 0xfff) || range->gva + (range->size - 1) < range->gva)
		abort();
	*sum += range->size;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_budget budget = { .nodes = NODES };
	struct ksma_image image;
	struct ksma_space space;
	struct fake_guest *fake;
	uint64_t gva, sum = 0, gpa;
	uint8_t buffer[64];

	if (length < HEADER || length > MAX_INPUT)
		return 0;
	fake = fake_guest_create();
	fake_guest_add(fake, 0, data + HEADER, length - HEADER,
		       data[0] & 1 ? FAKE_COPIED : FAKE_MAPPED);
	memcpy(&gva, data + 8, sizeof(gva));
	ksma_error_destroy(ksma_space_init(&space, &fake->guest, (uint64_t)data[1] << 12,
					   data[0] & 2 ? 5 : 4));
	ksma_error_destroy(ksma_space_read(&space, ksma_gva_of(gva), buffer, sizeof(buffer)));
	if (ksma_space_try_translate(&space, gva, &gpa) && (gpa & 0xfff) != (gva & 0xfff))
		abort();
	ksma_error_destroy(ksma_space_walk(&space, 0xffff800000000000ull, UINT64_MAX,
					   data[0] & 4 ? KSMA_WALK_ALL : KSMA_WALK_EXECUTABLE,
					   &budget, &coverage, take, &sum));
	if (data[0] & 8)
		ksma_error_destroy(ksma_image_find(&space, &image));
	ksma_coverage_deinit(&coverage);
	ksma_space_deinit(&space);
	fake_guest_destroy(fake);
	return 0;
}
