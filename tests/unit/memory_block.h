/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A disk that is an array. */
#ifndef MEMORY_BLOCK_H
#define MEMORY_BLOCK_H

#include "base/block.h"

struct memory_block {
	struct ksma_block head;
	const uint8_t *bytes;
};

static inline struct ksma_error *memory_block_read(struct ksma_block *block, uint64_t offset,
						   void *buffer, size_t length)
{
	memcpy(buffer, ((struct memory_block *)block)->bytes + offset, length);
	return NULL;
}

static const struct ksma_block_ops memory_block_ops = { .read = memory_block_read };

static inline struct memory_block memory_block_of(const void *bytes, size_t size)
{
	return (struct memory_block){ .head = { .ops = &memory_block_ops, .size = size },
				      .bytes = bytes };
}

#endif
