/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unpacked kernel images of packages: whoever built the package wrote every byte, the relocation lists behind the ELF too. */
#include "vendor/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* Every place that is let through can be read, and the lists rise. */
static void check_list(const struct ksma_vendor_image *image,
		       const struct ksma_boot_relocations *list, unsigned width)
{
	uint64_t last = 0;

	for (size_t i = 0; i < list->count; i++) {
		uint64_t address = ksma_boot_relocation(list, i);
		const uint8_t *p = ksma_vendor_image_at(image, address, width);
		volatile uint8_t sum = 0;

		if (!p || address <= last || ksma_boot_relocation_from(list, address) != i)
			abort();
		for (unsigned k = 0; k < width; k++)
			sum = (uint8_t)(sum + p[k]);
		last = address;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_vendor_image image;
	struct ksma_error *error = ksma_vendor_image_init(data, length, &image);
	size_t size;

	if (error) {
		ksma_error_destroy(error);
		return 0;
	}
	check_list(&image, &image.add64, 8);
	check_list(&image, &image.subtract32, 4);
	check_list(&image, &image.add32, 4);
	ksma_elf_build_id(&image.elf, &size);
	ksma_vendor_image_deinit(&image);
	return 0;
}
