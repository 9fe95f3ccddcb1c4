/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's block device as the guest's kernel reads it.
 *
 * A page of the device's cache that is up to date is the device's content. One that is not may have buffers that are: file systems make and
 * read their metadata by buffers, each of which has a mark of its own. Sources: fs/buffer.c, include/linux/buffer_head.h. */
#include "files/cached_disk.h"

enum { BH_UPTODATE = 0, BUFFER_MIN = 512 };

struct cached_disk {
	struct ksma_block head;
	struct ksma_page_cache_reader *reader;
	struct ksma_inode_identity device;
	struct ksma_block *disk;
};

/* The first buffer of a folio, or 0. */
static uint64_t first_buffer(struct ksma_kernel *kernel, uint64_t gpa)
{
	const struct ksma_offsets *off = &kernel->off;
	int32_t member = off->folio__private >= 0 ? off->folio__private : off->page__private;
	uint64_t page = kernel->vmemmap + gpa / KSMA_PAGE_SIZE * kernel->size.page, buffer;

	if (member < 0 || off->buffer_head__b_state < 0 || off->buffer_head__b_size < 0 ||
	    off->buffer_head__b_this_page < 0 ||
	    !ksma_kernel_u64(kernel, page + (uint32_t)member, &buffer))
		return 0;
	return buffer;
}

/* Lays those buffers of a folio that are up to date over the bytes of one page of it. */
static void lay_buffers(struct ksma_kernel *kernel, const struct ksma_cached_folio *folio,
			uint64_t inside, uint8_t *page)
{
	const struct ksma_offsets *off = &kernel->off;
	uint64_t first = first_buffer(kernel, folio->gpa), buffer = first, at = 0;

	while (buffer && at < inside + KSMA_PAGE_SIZE) {
		uint64_t state, size;

		if (!ksma_kernel_u64(kernel, buffer + (uint32_t)off->buffer_head__b_state,
				     &state) ||
		    !ksma_kernel_u64(kernel, buffer + (uint32_t)off->buffer_head__b_size, &size) ||
		    size < BUFFER_MIN || (size & (size - 1)) ||
		    size > folio->pages * KSMA_PAGE_SIZE - at)
			return;
		if ((state >> BH_UPTODATE & 1) && at + size > inside) {
			uint64_t from = at < inside ? inside : at;
			uint64_t to = at + size < inside + KSMA_PAGE_SIZE ? at + size
									  : inside + KSMA_PAGE_SIZE;

			if (!ksma_guest_try_read(kernel->guest, folio->gpa + from,
						 page + (from - inside), to - from))
				return;
		}
		at += size;
		if (!ksma_kernel_u64(kernel, buffer + (uint32_t)off->buffer_head__b_this_page,
				     &buffer) ||
		    buffer == first)
			return;
	}
}

/* One page, or less at the device's end. */
static struct ksma_error *read_page(struct cached_disk *cached, uint64_t index, uint8_t *page)
{
	struct ksma_kernel *kernel = cached->reader->kernel;
	uint64_t start = index * KSMA_PAGE_SIZE, left = cached->head.size - start;
	struct ksma_cached_folio folio = { 0 };
	struct ksma_error *error;

	error = ksma_page_cache_find(cached->reader, &cached->device, index, &folio);
	/* A look that was torn is like a page that is not there: whoever asks looks again when what comes of it makes no sense. */
	if (error && error->code != KSMA_ERROR_BAD_DATA && error->code != KSMA_ERROR_FAULT)
		return error;
	ksma_error_destroy(error);
	if (folio.pages && (folio.flags & KSMA_CACHED_UPTODATE))
		return ksma_guest_read(kernel->guest, (ksma_gpa){ ksma_cached_gpa(&folio, index) },
				       page, KSMA_PAGE_SIZE);
	KSMA_TRY(ksma_block_read(cached->disk, start, page,
				 left < KSMA_PAGE_SIZE ? (size_t)left : KSMA_PAGE_SIZE));
	if (folio.pages)
		lay_buffers(kernel, &folio, (index - folio.index) * KSMA_PAGE_SIZE, page);
	return NULL;
}

static struct ksma_error *cached_read(struct ksma_block *block, uint64_t offset, void *buffer,
				      size_t length)
{
	struct cached_disk *cached = (struct cached_disk *)block;
	uint8_t page[KSMA_PAGE_SIZE], *to = buffer;

	while (length > 0) {
		size_t inside = offset % KSMA_PAGE_SIZE, n = KSMA_PAGE_SIZE - inside;

		if (n > length)
			n = length;
		KSMA_TRY(read_page(cached, offset / KSMA_PAGE_SIZE, page));
		memcpy(to, page + inside, n);
		to += n;
		offset += n;
		length -= n;
	}
	return NULL;
}

static const struct ksma_block_ops cached_ops = { .read = cached_read };

struct ksma_error *ksma_cached_disk(struct ksma_page_cache_reader *reader,
				    const struct ksma_inode_identity *device,
				    struct ksma_block *disk, struct ksma_block **ret_block)
{
	struct cached_disk *cached = calloc(1, sizeof(*cached));

	if (!cached)
		return ksma_error_nomem();
	cached->head = (struct ksma_block){ .ops = &cached_ops, .size = disk->size };
	cached->reader = reader;
	cached->device = *device;
	cached->disk = disk;
	*ret_block = &cached->head;
	return NULL;
}
