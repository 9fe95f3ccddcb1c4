/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pages of a file one after another, as the guest would get them: those in its page cache, and what is not there from the disk. */
#include "guard/pages.h"

enum { AHEAD = 512 };

struct ksma_error *ksma_file_pages_init(struct ksma_subject_reader *reader,
					const struct ksma_disk_source *disk,
					const struct ksma_inode_identity *file,
					uint64_t deadline_ns, struct ksma_file_pages *ret_contents)
{
	struct ksma_cached_folios folios = { 0 };

	KSMA_TRY(ksma_page_cache_list(&reader->pages, file, &folios));
	memset(ret_contents, 0, sizeof(*ret_contents));
	ret_contents->kernel = reader->kernel;
	ret_contents->disk = disk;
	ret_contents->file = *file;
	ret_contents->pages = file->size / KSMA_PAGE_SIZE + (file->size % KSMA_PAGE_SIZE != 0);
	ret_contents->deadline_ns = deadline_ns;
	ret_contents->folios = folios;
	return NULL;
}

void ksma_file_pages_deinit(struct ksma_file_pages *contents)
{
	free(contents->folios.items);
	free(contents->batch);
	memset(contents, 0, sizeof(*contents));
}

void ksma_file_pages_rewind(struct ksma_file_pages *contents)
{
	contents->folio = 0;
	contents->index = 0;
	contents->from_disk = 0;
}

/* The folio that holds the page, or NULL. Both go up, so that no search is needed. */
static const struct ksma_cached_folio *folio_of(struct ksma_file_pages *contents, uint64_t index)
{
	const struct ksma_cached_folios *folios = &contents->folios;

	while (contents->folio < folios->count &&
	       folios->items[contents->folio].index + folios->items[contents->folio].pages <= index)
		contents->folio++;
	if (contents->folio == folios->count || folios->items[contents->folio].index > index)
		return NULL;
	return &folios->items[contents->folio];
}

/* How many pages from `index` on are not in memory, at most a batch. */
static uint64_t missing_run(const struct ksma_file_pages *contents, uint64_t index)
{
	const struct ksma_cached_folios *folios = &contents->folios;
	uint64_t end = contents->pages;

	if (contents->folio < folios->count && folios->items[contents->folio].index > index &&
	    folios->items[contents->folio].index < end)
		end = folios->items[contents->folio].index;
	return end - index < KSMA_DISK_BATCH ? end - index : KSMA_DISK_BATCH;
}

static enum ksma_page_state page_from_disk(struct ksma_file_pages *contents, uint64_t index,
					   const uint8_t **ret_page)
{
	if (contents->skip_missing)
		return KSMA_PAGE_MISSING;
	if (index - contents->batch_first >= contents->batch_count) {
		uint64_t count = missing_run(contents, index);
		struct ksma_error *error;

		contents->batch_count = 0;
		if (!contents->disk || !contents->disk->read)
			return KSMA_PAGE_INCOMPLETE;
		if (!contents->batch)
			contents->batch = malloc((size_t)KSMA_DISK_BATCH * KSMA_PAGE_SIZE);
		if (!contents->batch)
			return KSMA_PAGE_INCOMPLETE;
		error = contents->disk->read(contents->disk->arg, &contents->file, index, count,
					     contents->batch);
		if (error) {
			ksma_error_destroy(error);
			return KSMA_PAGE_INCOMPLETE;
		}
		contents->batch_first = index;
		contents->batch_count = count;
	}
	contents->from_disk++;
	*ret_page = contents->batch + (index - contents->batch_first) * KSMA_PAGE_SIZE;
	return KSMA_PAGE_HERE;
}

/* Pages of a file lie anywhere in memory, where the processor does not foresee the next one. Its first lines are enough: from there on it does. */
static void fetch_ahead(const struct ksma_file_pages *contents, uint64_t index)
{
	const struct ksma_cached_folios *folios = &contents->folios;
	const struct ksma_cached_folio *folio = &folios->items[contents->folio];
	const char *page;

	if (index >= folio->index + folio->pages && ++folio == folios->items + folios->count)
		return;
	if (folio->index > index || (folio->flags & KSMA_CACHED_AWAY))
		return;
	page = (const char *)ksma_guest_mapped(contents->kernel->guest,
					       ksma_cached_gpa(folio, index), KSMA_PAGE_SIZE);
	for (size_t i = 0; page && i < AHEAD; i += 64)
		__builtin_prefetch(page + i);
}

enum ksma_page_state ksma_file_pages_next(struct ksma_file_pages *contents,
					  const uint8_t **ret_page)
{
	uint64_t index = contents->index;
	const struct ksma_cached_folio *folio;

	if (index >= contents->pages)
		return KSMA_PAGE_END;
	if (contents->deadline_ns && index % 16 == 0 && ksma_now_ns() > contents->deadline_ns)
		return KSMA_PAGE_TIMEOUT;
	contents->index++;
	folio = folio_of(contents, index);
	/* In swap: neither a frame nor a place on the file system's disk. */
	if (folio && (folio->flags & (KSMA_CACHED_AWAY | KSMA_CACHED_POISONED)))
		return KSMA_PAGE_INCOMPLETE;
	/* A page that is being read in will be what the disk holds. */
	if (!folio || !(folio->flags & KSMA_CACHED_UPTODATE))
		return page_from_disk(contents, index, ret_page);
	*ret_page = contents->in_place
			    ? ksma_guest_mapped(contents->kernel->guest,
						ksma_cached_gpa(folio, index), KSMA_PAGE_SIZE)
			    : NULL;
	if (*ret_page) {
		fetch_ahead(contents, index + 1);
		return KSMA_PAGE_HERE;
	}
	if (!ksma_guest_try_read(contents->kernel->guest, ksma_cached_gpa(folio, index),
				 contents->page, sizeof(contents->page)))
		return KSMA_PAGE_UNREADABLE;
	*ret_page = contents->page;
	return KSMA_PAGE_HERE;
}
