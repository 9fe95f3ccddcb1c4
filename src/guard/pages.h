/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pages of a file one after another, as the guest would get them: those in its page cache, and what is not there from the disk. */
#ifndef KSMA_GUARD_PAGES_H
#define KSMA_GUARD_PAGES_H

#include "guard/subject.h"

enum { KSMA_DISK_BATCH = 64 };

enum ksma_page_state {
	KSMA_PAGE_HERE,	   /* its bytes are there */
	KSMA_PAGE_MISSING, /* not in memory; with `skip_missing` only */
	KSMA_PAGE_END,
	KSMA_PAGE_INCOMPLETE, /* not in memory, and not to be had from the disk */
	KSMA_PAGE_UNREADABLE,
	KSMA_PAGE_TIMEOUT,
};

/* A walk through a file. */
struct ksma_file_pages {
	struct ksma_kernel *kernel;
	const struct ksma_disk_source *disk; /* or NULL */
	struct ksma_inode_identity file;
	uint64_t pages; /* of the whole file */
	bool skip_missing;
	bool in_place; /* pages are shown where they lie in the guest: for one that reads each byte once */
	uint64_t deadline_ns;
	/* the walk's own */
	struct ksma_cached_folios folios;
	size_t folio;	/* the first that may hold the next page */
	uint64_t index; /* of the next page */
	uint64_t from_disk;
	uint8_t *batch; /* pages of the disk */
	uint64_t batch_first, batch_count;
	uint8_t page[KSMA_PAGE_SIZE];
};

/* Begins a walk. @ret_contents ended with ksma_file_pages_deinit()
 * @return NULL, or what ksma_page_cache_list() says */
struct ksma_error *ksma_file_pages_init(struct ksma_subject_reader *reader,
					const struct ksma_disk_source *disk,
					const struct ksma_inode_identity *file,
					uint64_t deadline_ns,
					struct ksma_file_pages *ret_contents) KSMA_MUST_CHECK;
void ksma_file_pages_deinit(struct ksma_file_pages *contents);

/* From the first page again. */
void ksma_file_pages_rewind(struct ksma_file_pages *contents);

/* The next page, copied, unless it may be shown `in_place`: what is looked at twice is the same twice. @ret_page of the walk, until the next
 * call */
enum ksma_page_state ksma_file_pages_next(struct ksma_file_pages *contents,
					  const uint8_t **ret_page);

#endif
