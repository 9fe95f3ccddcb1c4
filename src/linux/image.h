/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the guest kernel's image lies, in both address spaces, as the page tables that a vCPU uses say it. */
#ifndef KSMA_LINUX_IMAGE_H
#define KSMA_LINUX_IMAGE_H

#include "x86/space.h"

enum { KSMA_IMAGE_PARTS = 16 };

/* A run of the image with one set of rights. */
struct ksma_image_part {
	uint64_t gva, gpa, size;
	bool executable, writable;
};

/* The kernel image: contiguous in physical memory, mapped at -2 GiB. */
struct ksma_image {
	uint64_t gva, gpa, size;
	struct ksma_image_part parts
		[KSMA_IMAGE_PARTS]; /* by rising address; the largest ones when there are more */
	size_t part_count;
	uint64_t
		geometry; /* a hash of the sizes of text and read-only data: equal for equal builds */
	bool settled; /* read-only data is protected, so that boot has come far enough for `geometry` to mean something */
};

/* Reads the image's place from the page tables of `space`.
 * @return NULL, NOT_PRESENT (nothing executable is mapped there: no Linux kernel, or not yet), LIMIT, NOMEM */
struct ksma_error *ksma_image_find(struct ksma_space *space,
				   struct ksma_image *ret_image) KSMA_MUST_CHECK;

/* The physical address of an address in the image, or 0. */
static inline uint64_t ksma_image_gpa(const struct ksma_image *image, uint64_t gva)
{
	return gva - image->gva < image->size ? image->gpa + (gva - image->gva) : 0;
}

#endif
