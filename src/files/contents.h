/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a file of a running guest holds, as the guest's processes would read it: its pages in the guest's memory, over the disk.
 *
 * No exit, no pause and no write happens in the guest; disks are read through its QEMU, and only when a page is asked for that is not in
 * memory. File systems that are not ext4, and what lies on encrypted or striped volumes, are read from memory alone, and the error of a page that is
 * not there says why. The attacker owns the guest's kernel and wrote its disks. */
#ifndef KSMA_FILES_CONTENTS_H
#define KSMA_FILES_CONTENTS_H

#include "linux/page_cache.h"

struct ksma_content_reader;
struct ksma_content;

/* Where a page's bytes came from. */
enum ksma_content_from {
	KSMA_CONTENT_CACHE, /* the guest's memory, as on its disk as far as the guest's kernel says */
	KSMA_CONTENT_DIRTY, /* the guest's memory; it means to write it back */
	KSMA_CONTENT_DISK,
};

/* Prepares; touches no disk yet. The kernel must outlive it. @return NULL, UNSUPPORTED, NOMEM */
struct ksma_error *
ksma_content_reader_create(struct ksma_kernel *kernel,
			   struct ksma_content_reader **ret_contents) KSMA_MUST_CHECK;
void ksma_content_reader_destroy(struct ksma_content_reader *contents);

/* Connects to the guest's disks now, where a later call should not wait for it. @return NULL, UNSUPPORTED (says why), TIMEOUT, LOST, … */
struct ksma_error *
ksma_content_reader_connect(struct ksma_content_reader *contents) KSMA_MUST_CHECK;

/* Lets go of disks, which are connected to again when they are needed: QEMU's export ends meanwhile. Contents that are open lose theirs,
 * and are to be closed before. */
void ksma_content_reader_rest(struct ksma_content_reader *contents);

/* Why disks could not be looked at in full, so far: damaged tables, volumes that are not read. */
const struct ksma_coverage *
ksma_content_reader_coverage(const struct ksma_content_reader *contents);

/* Opens a regular file by its inode in the guest's memory; of an overlay's file, the file behind it.
 * @return NULL, INVALID (not a regular file), FAULT, BAD_DATA, NOMEM */
struct ksma_error *ksma_content_open(struct ksma_content_reader *contents, uint64_t inode,
				     struct ksma_content **ret_content) KSMA_MUST_CHECK;

/* The same by a path, as process 1 would open it. What the guest has in memory of its names leads as far as it goes, its disk from there on: the
 * file may be one that the guest has not opened since it booted. @return NULL, NOT_PRESENT, INVALID, … */
struct ksma_error *ksma_content_open_path(struct ksma_content_reader *contents, const char *path,
					  struct ksma_content **ret_content) KSMA_MUST_CHECK;
void ksma_content_close(struct ksma_content *content);

uint64_t ksma_content_size(const struct ksma_content *content);

/* The inode that holds the bytes; NULL for one that is on the disk only. */
const struct ksma_inode_identity *ksma_content_identity(const struct ksma_content *content);

/* One page; bytes behind the file's end are zero.
 * @ret_from may be NULL
 * @return NULL, UNSUPPORTED (not in memory, and its file system is not read from disks: says why), NOT_PRESENT (in the guest's swap), BAD_DATA,
 *         FAULT (look again), TIMEOUT, LOST, NOMEM */
struct ksma_error *ksma_content_page(struct ksma_content *content, uint64_t index,
				     uint8_t page[KSMA_PAGE_SIZE],
				     enum ksma_content_from *ret_from) KSMA_MUST_CHECK;

/* After all pages were read: is the file still the one that was opened, in the same state, with its blocks where they were? Where it is not, what was
 * read may be of two states: open it again. */
struct ksma_error *ksma_content_settled(struct ksma_content *content,
					bool *ret_settled) KSMA_MUST_CHECK;

/* An extended attribute, such as "security.ima", from the disk's inode as the guest has it. @ret_value owned by the caller
 * @return NULL, NOT_PRESENT, UNSUPPORTED, BAD_DATA, … */
struct ksma_error *ksma_content_xattr(struct ksma_content *content, const char *name,
				      uint8_t **ret_value, size_t *ret_length) KSMA_MUST_CHECK;

/* For those who walk through a file's cached pages themselves: `count` whole pages from `index` on, of a file as it was identified, zeros behind
 * its end. Pages that came into memory meanwhile are taken from there. Reading on where the last call ended is cheap; anything else
 * looks anew where the file's blocks lie. @return as ksma_content_page() */
struct ksma_error *ksma_content_reader_pages(struct ksma_content_reader *reader,
					     const struct ksma_inode_identity *file, uint64_t index,
					     uint64_t count, uint8_t *pages) KSMA_MUST_CHECK;

/* One page as it lies on the disk, whatever the guest's memory has of it. @return as ksma_content_page() */
struct ksma_error *ksma_content_reader_disk_page(struct ksma_content_reader *reader,
						 const struct ksma_inode_identity *file,
						 uint64_t index,
						 uint8_t page[KSMA_PAGE_SIZE]) KSMA_MUST_CHECK;

/* The same for an attribute. @ret_length 0 when the file has none @return as ksma_content_xattr(), LIMIT when it is larger than `size` */
struct ksma_error *ksma_content_reader_xattr(struct ksma_content_reader *reader,
					     const struct ksma_inode_identity *file,
					     const char *name, uint8_t *buffer, size_t size,
					     size_t *ret_length) KSMA_MUST_CHECK;

#endif
