/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inodes, page caches and what lies behind an overlay's inode: the guest's kernel may have them say anything, sizes and frames first of all. */
#include "kernel_input.h"
#include "linux/page_cache.h"

/* Where they lie in the input. */
enum { INODE = 128, OVERLAY = 640, PAGES = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* What is told has to hang together, whatever it was made of. */
static void look_at(struct ksma_page_cache_reader *reader, const struct ksma_inode_identity *file)
{
	struct ksma_cached_folios folios;
	struct ksma_cached_folio folio;
	struct ksma_error *error;
	uint64_t next = 0;

	ksma_error_destroy(ksma_page_cache_find(reader, file, 3, &folio));
	ksma_error_destroy(ksma_page_cache_find(reader, file, file->size / 4096, &folio));
	error = ksma_page_cache_list(reader, file, &folios);
	if (error) {
		ksma_error_destroy(error);
		return;
	}
	for (size_t i = 0; i < folios.count; i++) {
		const struct ksma_cached_folio *f = &folios.items[i];

		if (f->pages == 0 || f->index < next ||
		    ksma_cached_folio_at(&folios, f->index + f->pages - 1) != f)
			abort();
		next = f->index + f->pages;
	}
	free(folios.items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_page_cache_reader reader;
	struct ksma_inode_identity file;
	struct fake_kernel *k;
	uint64_t gpa, real;

	if (length > KERNEL_INPUT_MAX)
		return 0;
	k = kernel_of_input(data, length);
	fake_layout_containers(&k->kernel);
	fake_layout_page_cache(&k->kernel);
	if (!ksma_space_try_translate(&k->kernel.space, 0, &gpa))
		abort();
	k->kernel.vmemmap = PAGES - gpa / 4096 * 64;
	if (ksma_page_cache_init(&reader, &k->kernel))
		abort();
	if (ksma_inode_identify(&reader, INODE, &file))
		look_at(&reader, &file);
	reader.huge_units = true;
	if (ksma_inode_identify(&reader, OVERLAY, &file))
		look_at(&reader, &file);
	ksma_error_destroy(ksma_overlay_real(&reader, OVERLAY, &real));
	fake_kernel_destroy(k);
	return 0;
}
