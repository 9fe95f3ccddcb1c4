/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a kernel says of itself, out of its image: symbols, types, and the members that we read; new, or from the cache. */
#ifndef KSMA_LINUX_TABLES_H
#define KSMA_LINUX_TABLES_H

#include "linux/image.h"
#include "linux/types.h"

/* A piece of the image that was copied, and where it lies. */
struct ksma_piece {
	const uint8_t *data;
	size_t size;
	uint64_t offset; /* from the start of the image */
};

struct ksma_tables {
	struct ksma_symbols symbols; /* the slide is this boot's */
	struct ksma_piece kallsyms;  /* all of kallsyms' tables */
	struct ksma_piece btf;	     /* size 0: this kernel carries none */
	uint64_t
		slide_offset; /* of the symbols' slide from the start of the image: equal at each boot */
	struct ksma_layouts layouts;
	bool have_layouts;
	struct ksma_error
		*types_error; /* why there are none, where the image should have some; or NULL */
	bool cached;
	void *owned[2]; /* heap blocks, or NULLs */
	void *mapping;	/* of the cache file, or NULL */
	size_t mapping_size;
};

void ksma_tables_deinit(struct ksma_tables *tables);

/* Finds and decodes the tables in the read-only data of an image.
 * @return NULL, NOT_PRESENT (no kallsyms), BAD_DATA, FAULT, LIMIT, NOMEM */
struct ksma_error *ksma_tables_read(struct ksma_guest *guest, const struct ksma_image *image,
				    struct ksma_tables *ret_tables) KSMA_MUST_CHECK;

/* Copies the BTF that the symbols name into `tables`, and resolves the members. Kernels without BTF are left without. */
struct ksma_error *ksma_tables_read_types(struct ksma_guest *guest, const struct ksma_image *image,
					  struct ksma_tables *tables) KSMA_MUST_CHECK;

/* Copies [offset, offset+size) of the image into a new heap block. */
struct ksma_error *ksma_image_copy(struct ksma_guest *guest, const struct ksma_image *image,
				   uint64_t offset, size_t size,
				   uint8_t **ret_data) KSMA_MUST_CHECK;

#endif
