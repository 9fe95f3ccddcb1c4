/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's page cache: which pages of which file are in memory, where, and in what state.
 *
 * This is what the guest's processes read and execute, whatever its disk holds. (The cache of guest/page_cache.h is another thing: pages
 * of a guest that were copied.) The attacker owns the guest's kernel: inodes, folios and trees may say anything. */
#ifndef KSMA_LINUX_PAGE_CACHE_H
#define KSMA_LINUX_PAGE_CACHE_H

#include "linux/window.h"

/* Which file an inode is, and in which of its states. Two equal identities are the same content only as far as the guest's kernel keeps
 * its word: ctime and version change with every write that goes through it. */
struct ksma_inode_identity {
	uint64_t inode, sb, mapping; /* addresses: struct inode, super_block, address_space */
	uint32_t dev;		     /* s_dev, see ksma_dev_major() */
	char id[32];		     /* s_id: "vda1" */
	char fstype[32];	     /* "ext4" */
	uint64_t magic;		     /* s_magic */
	uint8_t uuid[16];	     /* zero where the file system has none */
	uint64_t number;	     /* i_ino */
	uint32_t generation;
	uint32_t mode, uid, gid;
	uint64_t size;	  /* in bytes */
	uint64_t version; /* i_version, without the bit that says that somebody asked for it */
	int64_t ctime_s;
	uint32_t ctime_ns;
};

enum ksma_cached_flags {
	KSMA_CACHED_UPTODATE = 1 << 0, /* without it the bytes are not the file's */
	KSMA_CACHED_DIRTY = 1 << 1,    /* the guest means to write it back */
	KSMA_CACHED_WRITEBACK = 1 << 2,
	KSMA_CACHED_LOCKED = 1 << 3,
	KSMA_CACHED_POISONED = 1 << 4, /* the guest's own memory error */
	KSMA_CACHED_AWAY = 1 << 5,     /* the content is in swap: no frame (tmpfs and memfd only) */
};

/* Pages of a file that lie in one piece. */
struct ksma_cached_folio {
	uint64_t index; /* of the first page, in pages of 4 KiB */
	uint64_t pages;
	uint64_t gpa; /* of the first page */
	unsigned flags;
};

/* By rising index; not overlapping. */
struct ksma_cached_folios {
	struct ksma_cached_folio *items;
	size_t count, capacity;
};

/* Layouts, worked out once for many files. In the caller's storage; holds no resources. */
struct ksma_page_cache_reader {
	struct ksma_kernel *kernel;
	struct ksma_window inode, sb, folio;
	int32_t mapping, index; /* in struct page or folio */
	int32_t pages;		/* how many pages a large folio has, from its first struct page */
	bool huge_units;	/* hugetlbfs counts in its own pages */
};

/* @return NULL or UNSUPPORTED */
struct ksma_error *ksma_page_cache_init(struct ksma_page_cache_reader *reader,
					struct ksma_kernel *kernel) KSMA_MUST_CHECK;

/* @return false when it is not wholly in memory, or no inode */
bool ksma_inode_identify(struct ksma_page_cache_reader *reader, uint64_t inode,
			 struct ksma_inode_identity *ret_identity);

/* True while nothing in the identity has changed. */
bool ksma_inode_is_same(const struct ksma_inode_identity *a, const struct ksma_inode_identity *b);

/* All pages of a file that are in memory, as they were at one moment; torn looks are repeated.
 * @file         as ksma_inode_identify() gave it; of an overlay's file: the inode behind it, see ksma_overlay_real()
 * @ret_folios   freed with free(items)
 * @return NULL, BAD_DATA, FAULT (it kept changing, or is no page cache), LIMIT, LOST, NOMEM */
struct ksma_error *ksma_page_cache_list(struct ksma_page_cache_reader *reader,
					const struct ksma_inode_identity *file,
					struct ksma_cached_folios *ret_folios) KSMA_MUST_CHECK;

/* The folio that holds one page; `pages` is 0 when it is not in memory.
 * @return NULL, BAD_DATA or FAULT (look again), UNSUPPORTED */
struct ksma_error *ksma_page_cache_find(struct ksma_page_cache_reader *reader,
					const struct ksma_inode_identity *file, uint64_t index,
					struct ksma_cached_folio *ret_folio) KSMA_MUST_CHECK;

/* The folio of a list that holds a page, or NULL. */
const struct ksma_cached_folio *ksma_cached_folio_at(const struct ksma_cached_folios *folios,
						     uint64_t index);

/* Where a page lies, that the folio holds. */
static inline uint64_t ksma_cached_gpa(const struct ksma_cached_folio *folio, uint64_t index)
{
	return folio->gpa + (index - folio->index) * KSMA_PAGE_SIZE;
}

/* The inode that holds the content of a regular file of an overlay: of its upper layer, or of the lowest where it was not copied up.
 * @return NULL or BAD_DATA (not to be told from the memory behind its inode) */
struct ksma_error *ksma_overlay_real(struct ksma_page_cache_reader *reader, uint64_t inode,
				     uint64_t *ret_inode) KSMA_MUST_CHECK;

#endif
