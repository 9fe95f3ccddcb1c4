/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernel images: the ELF that lies packed inside a bzImage, and the list of places that KASLR moves, which lies behind it.
 *
 * The list is made by arch/x86/tools/relocs.c and read by handle_relocations() of arch/x86/boot/compressed/misc.c: words of 32 bits
 * that are addresses with their upper half dropped, in lists that each begin with a zero: 64-bit places, then, on kernels
 * whose per-CPU data is linked at 0 (6.12 has them, 7.2 has not; told by counting), inverse 32-bit places, then 32-bit places. */
#ifndef KSMA_VENDOR_IMAGE_H
#define KSMA_VENDOR_IMAGE_H

#include "vendor/elf.h"

/* Where the kernel is linked to run: __START_KERNEL_map. A place's link address is its physical one plus this. */
#define KSMA_START_KERNEL_MAP 0xffffffff80000000ull

/* A list of places, by rising address. */
struct ksma_boot_relocations {
	const uint8_t *data; /* `count` words of 32 bits */
	size_t count;
};

/* The link address of one place. */
static inline uint64_t ksma_boot_relocation(const struct ksma_boot_relocations *list, size_t index)
{
	return (uint64_t)(int32_t)ksma_le32(list->data + index * 4);
}

struct ksma_vendor_image {
	struct ksma_elf elf;
	bool relocatable; /* the three lists are there; else this kernel is known at its link address only */
	struct ksma_boot_relocations add64;	 /* += slide, 8 bytes */
	struct ksma_boot_relocations subtract32; /* -= slide, 4 bytes: per-CPU offsets from RIP */
	struct ksma_boot_relocations add32;	 /* += slide, 4 bytes */
};

/* Reads an unpacked kernel image: an ELF of type EXEC or DYN with its loadable segments, and the lists behind it, if any.
 * @ret_image ended with ksma_vendor_image_deinit(); `data` must outlive it
 * @return NULL, BAD_DATA, UNSUPPORTED, LIMIT, NOMEM */
struct ksma_error *ksma_vendor_image_init(const void *data, size_t length,
					  struct ksma_vendor_image *ret_image) KSMA_MUST_CHECK;
void ksma_vendor_image_deinit(struct ksma_vendor_image *image);

/* The image's bytes at link address `address` (a segment's physical address plus KSMA_START_KERNEL_MAP), as they lie in the file,
 * not relocated. @return NULL unless all `size` bytes are there; those of .bss are not */
const uint8_t *ksma_vendor_image_at(const struct ksma_vendor_image *image, uint64_t address,
				    uint64_t size);

/* The index of the first place of a list that is not below `address`. */
size_t ksma_boot_relocation_from(const struct ksma_boot_relocations *list, uint64_t address);

#endif
