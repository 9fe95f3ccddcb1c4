/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernel images: finds the relocation lists behind the ELF and holds each of their places against the image. */
#include "vendor/image.h"

static struct ksma_error *bad(const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "not a whole kernel image: %s", what);
}

const uint8_t *ksma_vendor_image_at(const struct ksma_vendor_image *image, uint64_t address,
				    uint64_t size)
{
	for (size_t i = 0; i < image->elf.segment_count; i++) {
		const struct ksma_elf_segment *s = &image->elf.segments[i];

		if (s->type == KSMA_PT_LOAD &&
		    ksma_in_range(address - (s->physical + KSMA_START_KERNEL_MAP), size,
				  s->file_size))
			return s->data + (address - (s->physical + KSMA_START_KERNEL_MAP));
	}
	return NULL;
}

/* Rising, and inside the image. */
static struct ksma_error *check_list(const struct ksma_vendor_image *image,
				     const struct ksma_boot_relocations *list, unsigned width)
{
	const struct ksma_elf_segment *s = NULL;
	uint64_t start = 0, last = 0;

	for (size_t i = 0; i < list->count; i++) {
		uint64_t address = ksma_boot_relocation(list, i);

		if (address <= last)
			return bad("its relocations are not in order");
		last = address;
		if (s && ksma_in_range(address - start, width, s->file_size))
			continue;
		s = NULL;
		for (size_t k = 0; k < image->elf.segment_count && !s; k++) {
			const struct ksma_elf_segment *other = &image->elf.segments[k];

			start = other->physical + KSMA_START_KERNEL_MAP;
			if (other->type == KSMA_PT_LOAD &&
			    ksma_in_range(address - start, width, other->file_size))
				s = other;
		}
		if (!s)
			return bad("a relocation lies outside");
	}
	return NULL;
}

/* The tail is 0, places, 0, places, or that with one more list. */
static struct ksma_error *read_lists(struct ksma_vendor_image *image)
{
	const uint8_t *tail = image->elf.data + image->elf.end;
	size_t words = (image->elf.length - image->elf.end) / 4;
	struct ksma_boot_relocations lists[3] = { 0 };
	size_t count = 0;

	if ((image->elf.length - image->elf.end) % 4 || (words && ksma_le32(tail) != 0))
		return bad("what follows its ELF is no list of relocations");
	for (size_t i = 0; i < words; i++) {
		if (ksma_le32(tail + i * 4) != 0) {
			lists[count - 1].count++;
			continue;
		}
		if (count == ARRAY_SIZE(lists))
			return bad("it has more lists of relocations than there are");
		lists[count++].data = tail + (i + 1) * 4;
	}
	if (count == 1)
		return bad("its relocations are cut");
	image->relocatable = count > 0;
	if (!count)
		return NULL;
	image->add64 = lists[0];
	image->add32 = lists[count - 1];
	if (count == 3)
		image->subtract32 = lists[1];
	KSMA_TRY(check_list(image, &image->add64, 8));
	KSMA_TRY(check_list(image, &image->subtract32, 4));
	return check_list(image, &image->add32, 4);
}

static struct ksma_error *check_segments(const struct ksma_vendor_image *image)
{
	size_t loadable = 0;

	if (image->elf.type != KSMA_ET_EXEC && image->elf.type != KSMA_ET_DYN)
		return bad("its ELF is not executable");
	for (size_t i = 0; i < image->elf.segment_count; i++) {
		const struct ksma_elf_segment *s = &image->elf.segments[i];

		if (s->type != KSMA_PT_LOAD)
			continue;
		loadable++;
		/* Inside the 2 GiB that the kernel's code model has. */
		if (!ksma_in_range(s->physical, s->memory_size, 1ull << 31))
			return bad("a segment lies outside of where kernels do");
	}
	return loadable ? NULL : bad("its ELF has nothing to load");
}

struct ksma_error *ksma_vendor_image_init(const void *data, size_t length,
					  struct ksma_vendor_image *ret_image)
{
	struct ksma_vendor_image image = { 0 };
	struct ksma_error *error;

	KSMA_TRY(ksma_elf_init(data, length, &image.elf));
	error = check_segments(&image);
	if (!error)
		error = read_lists(&image);
	if (error)
		ksma_vendor_image_deinit(&image);
	else
		*ret_image = image;
	return error;
}

void ksma_vendor_image_deinit(struct ksma_vendor_image *image)
{
	ksma_elf_deinit(&image->elf);
	memset(image, 0, sizeof(*image));
}

size_t ksma_boot_relocation_from(const struct ksma_boot_relocations *list, uint64_t address)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ksma_boot_relocation(list, middle) < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
