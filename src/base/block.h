/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A run of bytes as a disk has them, wherever they come from: a file, a running guest's block node, a partition of either. */
#ifndef KSMA_BASE_BLOCK_H
#define KSMA_BASE_BLOCK_H

#include "base/util.h"

struct ksma_block;

struct ksma_block_ops {
	/* [offset, offset+length) lies inside the block's size. */
	struct ksma_error *(*read)(struct ksma_block *block, uint64_t offset, void *buffer,
				   size_t length);
	void (*destroy)(struct ksma_block
				*block); /* ends what the maker added, not the block; may be NULL */
};

/* The head of what a maker allocates; ended with ksma_block_destroy(). One thread a block. */
struct ksma_block {
	const struct ksma_block_ops *ops;
	uint64_t size;
};

/* Reads bytes. Past the end is BAD_DATA: who asks has it from the disk itself. */
struct ksma_error *ksma_block_read(struct ksma_block *block, uint64_t offset, void *buffer,
				   size_t length) KSMA_MUST_CHECK;

void ksma_block_destroy(struct ksma_block *block); /* NULL is fine */

static inline void ksma_blockp(struct ksma_block **block)
{
	ksma_block_destroy(*block);
}

/* The bytes of a file that holds a disk as it is. @return NULL, OS, PERMISSION, INVALID (no file and no block device), NOMEM */
struct ksma_error *ksma_block_open(const char *path, struct ksma_block **ret_block) KSMA_MUST_CHECK;

/* One run of another block, at `start` of it. */
struct ksma_extent {
	struct ksma_block *block; /* not owned */
	uint64_t start, length;
};

/* Runs of other blocks, one after the other: a partition, a logical volume. The others must outlive it.
 * @return NULL, BAD_DATA (a run leaves its block), NOMEM */
struct ksma_error *ksma_block_join(const struct ksma_extent *extents, size_t count,
				   struct ksma_block **ret_block) KSMA_MUST_CHECK;

#endif
