/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ring of the kernel log, piece by piece: for the reader of the log, and for whoever asks whether the ring is what printk made. */
#ifndef KSMA_LINUX_LOG_H
#define KSMA_LINUX_LOG_H

#include "linux/kernel.h"

#define KSMA_LOG_ID_MASK (~0ull >> 2)
#define KSMA_LOG_STATE_SHIFT 62

/* enum desc_state */
enum ksma_log_state {
	KSMA_LOG_RESERVED,
	KSMA_LOG_COMMITTED,
	KSMA_LOG_FINALIZED,
	KSMA_LOG_REUSABLE
};

/* A data block position with the low bit set points nowhere: text that did not fit, or an empty line. */
enum { KSMA_LOG_DATALESS = 1 };

struct ksma_log_ring {
	struct ksma_kernel *kernel;
	uint64_t address; /* of struct printk_ringbuffer */
	uint64_t descriptors, infos, data;
	unsigned count_bits, size_bits;
	uint64_t head, tail; /* ids */
	uint64_t tail_address;
	uint64_t data_head,
		data_tail; /* positions of text; 0 when this kernel's types do not tell */
};

/* One descriptor. */
struct ksma_log_descriptor {
	uint64_t state_var, begin, next;
};

/* What a descriptor's record says of itself. */
struct ksma_log_info {
	uint64_t sequence, time_ns;
	uint32_t caller;
	uint16_t text_length;
	uint8_t facility, level;
};

/* Finds the ring in use, and reads where its parts lie. @return NULL, UNSUPPORTED, NOT_PRESENT, FAULT or BAD_DATA (torn) */
struct ksma_error *ksma_log_ring_open(struct ksma_kernel *kernel,
				      struct ksma_log_ring *ret_ring) KSMA_MUST_CHECK;

/* The place of an id in the arrays of descriptors and infos. */
static inline uint64_t ksma_log_slot(const struct ksma_log_ring *ring, uint64_t id)
{
	return id & ((1ull << ring->count_bits) - 1);
}

/* The descriptor, and the facts, at the place of an id; false where they cannot be read. */
bool ksma_log_descriptor_read(const struct ksma_log_ring *ring, uint64_t id,
			      struct ksma_log_descriptor *ret);
bool ksma_log_info_read(const struct ksma_log_ring *ring, uint64_t id, struct ksma_log_info *ret);

/* Where the block of a descriptor lies: offset in the data ring and size, the owner's id included. A block that would cross
 * the end of the ring lies whole at its start, so that `begin` tells only that it wraps. `next` may be exactly the end.
 * @return false when there can be no such block */
bool ksma_log_block(const struct ksma_log_ring *ring, const struct ksma_log_descriptor *descriptor,
		    uint64_t *ret_offset, uint64_t *ret_size);

#endif
