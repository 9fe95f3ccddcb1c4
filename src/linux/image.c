/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the kernel image in a set of page tables: the one place that needs no symbol and that a guest cannot move without moving itself.
 *
 * The image mapping of x86-64 starts at __START_KERNEL_map (0xffffffff80000000) and spans at most 1 GiB
 * (Documentation/arch/x86/x86_64/mm.rst, arch/x86/include/asm/page_64_types.h). */
#include "linux/image.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define IMAGE_START 0xffffffff80000000ull
#define IMAGE_LAST 0xffffffffbfffffffull

enum { MAX_RANGES = 4096, MAX_DELTAS = 32, MAX_TABLES = 4096 /* 1 GiB takes 514 */ };

struct collector {
	struct {
		struct ksma_image_part *items;
		size_t count, capacity;
	} parts;
	struct ksma_error *error;
};

/* Keeps a range, joined to the one before where only the page size differs. */
static bool collect(void *arg, const struct ksma_range *range)
{
	struct collector *c = arg;
	bool executable = !(range->flags & KSMA_PTE_NX), writable = range->flags & KSMA_PTE_W;
	struct ksma_image_part *part;

	if (c->parts.count) {
		part = &c->parts.items[c->parts.count - 1];
		if (part->gva + part->size == range->gva && part->gpa + part->size == range->gpa &&
		    part->executable == executable && part->writable == writable) {
			part->size += range->size;
			return true;
		}
	}
	if (c->parts.count == MAX_RANGES)
		return false;
	c->error = KSMA_ARRAY_PUSH(&c->parts, &part);
	if (c->error)
		return false;
	*part = (struct ksma_image_part){ range->gva, range->gpa, range->size, executable,
					  writable };
	return true;
}

/* The difference between virtual and physical address that most executable bytes share. */
static bool main_delta(const struct ksma_image_part *parts, size_t count, uint64_t *ret_delta)
{
	struct {
		uint64_t delta, bytes;
	} deltas[MAX_DELTAS] = { 0 };
	size_t used = 0, best = 0;

	for (size_t i = 0; i < count; i++) {
		size_t j;

		if (!parts[i].executable)
			continue;
		for (j = 0; j < used && deltas[j].delta != parts[i].gva - parts[i].gpa; j++)
			;
		if (j == MAX_DELTAS)
			continue;
		if (j == used)
			deltas[used++].delta = parts[i].gva - parts[i].gpa;
		deltas[j].bytes += parts[i].size;
		if (deltas[j].bytes > deltas[best].bytes)
			best = j;
	}
	*ret_delta = deltas[best].delta;
	return used > 0;
}

/* Puts a part into the image; when the table is full the smallest part has to go. */
static void keep_part(struct ksma_image *image, const struct ksma_image_part *part)
{
	size_t smallest = 0;

	if (image->part_count == KSMA_IMAGE_PARTS) {
		for (size_t i = 1; i < image->part_count; i++)
			if (image->parts[i].size < image->parts[smallest].size)
				smallest = i;
		if (part->size <= image->parts[smallest].size)
			return;
		memmove(&image->parts[smallest], &image->parts[smallest + 1],
			(image->part_count - smallest - 1) * sizeof(image->parts[0]));
		image->part_count--;
	}
	image->parts[image->part_count++] = *part;
}

/* Equal builds have equal sizes of text and of read-only data; nothing else of the layout outlives boot unchanged. */
static void measure(struct ksma_image *image)
{
	uint64_t sizes[2] = { 0 };

	for (size_t i = 0; i < image->part_count; i++) {
		const struct ksma_image_part *part = &image->parts[i];

		if (part->executable && !part->writable && part->size > sizes[0])
			sizes[0] = part->size;
		if (!part->executable && !part->writable && part->size > sizes[1])
			sizes[1] = part->size;
	}
	image->settled = sizes[0] && sizes[1];
	image->geometry = XXH64(sizes, sizeof(sizes), 0);
}

static void assemble(struct ksma_image *image, const struct ksma_image_part *parts, size_t count,
		     uint64_t delta)
{
	uint64_t end = 0;

	for (size_t i = 0; i < count; i++) {
		if (parts[i].gva - parts[i].gpa != delta)
			continue;
		if (!image->size) {
			image->gva = parts[i].gva;
			image->gpa = parts[i].gpa;
		}
		end = parts[i].gva + parts[i].size;
		image->size = end - image->gva;
		keep_part(image, &parts[i]);
	}
	measure(image);
}

struct ksma_error *ksma_image_find(struct ksma_space *space, struct ksma_image *ret_image)
{
	struct ksma_budget budget = { .nodes = MAX_TABLES };
	_cleanup_(ksma_coverage_deinit) struct ksma_coverage coverage = { 0 };
	struct collector c = { 0 };
	struct ksma_image image = { 0 };
	struct ksma_error *error;
	uint64_t delta;

	error = ksma_space_walk(space, IMAGE_START, IMAGE_LAST, KSMA_WALK_ALL, &budget, &coverage,
				collect, &c);
	if (!error)
		error = c.error;
	if (!error && !main_delta(c.parts.items, c.parts.count, &delta))
		error = ksma_error_create(KSMA_ERROR_NOT_PRESENT,
					  "the page tables at 0x%llx map no kernel code at 0x%llx",
					  (unsigned long long)space->root, IMAGE_START);
	if (!error) {
		assemble(&image, c.parts.items, c.parts.count, delta);
		*ret_image = image;
	}
	free(c.parts.items);
	return error;
}
