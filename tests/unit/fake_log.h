/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small ring of the kernel log in a made-up kernel, and records in it as printk writes them. */
#ifndef KSMA_TESTS_FAKE_LOG_H
#define KSMA_TESTS_FAKE_LOG_H

#include "fake_kernel.h"

#define BASE 0xffffffff80000000ull

enum {
	ARENA = 1 << 18,
	COUNT_BITS = 3,
	COUNT = 1 << COUNT_BITS,
	SIZE_BITS = 8,
	SIZE = 1 << SIZE_BITS
};
enum { RESERVED, COMMITTED, FINALIZED, REUSABLE };

struct world {
	struct fake_kernel *k;
	uint64_t ring, descriptors, infos, data;
	uint64_t lpos; /* where the next text goes */
};

static inline struct world make(enum fake_kind kind)
{
	struct world w = { .k = fake_kernel_create(BASE, ARENA, kind) };
	uint64_t symbol = fake_kernel_alloc(w.k, 8, KSMA_PAGE_SIZE);

	fake_layout_log(&w.k->kernel);
	w.k->kernel.off.prb_data_ring__head_lpos = 16;
	w.k->kernel.off.prb_data_ring__tail_lpos = 24;
	w.ring = fake_kernel_alloc(w.k, 80, KSMA_PAGE_SIZE);
	w.descriptors = fake_kernel_alloc(w.k, 24 * COUNT, KSMA_PAGE_SIZE);
	w.infos = fake_kernel_alloc(w.k, 24 * COUNT, KSMA_PAGE_SIZE);
	w.data = fake_kernel_alloc(w.k, SIZE, KSMA_PAGE_SIZE);
	fake_kernel_put64(w.k, symbol, w.ring);
	fake_kernel_symbol(w.k, "prb", symbol);
	fake_kernel_put(w.k, w.ring, COUNT_BITS, 4);
	fake_kernel_put64(w.k, w.ring + 8, w.descriptors);
	fake_kernel_put64(w.k, w.ring + 16, w.infos);
	fake_kernel_put(w.k, w.ring + 40, SIZE_BITS, 4);
	fake_kernel_put64(w.k, w.ring + 48, w.data);
	return w;
}

static inline void put_ids(struct world *w, uint64_t tail, uint64_t head)
{
	fake_kernel_put64(w->k, w->ring + 24, head);
	fake_kernel_put64(w->k, w->ring + 32, tail);
}

static inline void put_descriptor(struct world *w, uint64_t id, uint64_t state, uint64_t begin,
				  uint64_t next)
{
	uint64_t at = w->descriptors + 24 * (id % COUNT);

	fake_kernel_put64(w->k, at, id | state << 62);
	fake_kernel_put64(w->k, at + 8, begin);
	fake_kernel_put64(w->k, at + 16, next);
}

static inline void put_info(struct world *w, uint64_t id, size_t length)
{
	uint64_t at = w->infos + 24 * (id % COUNT);

	fake_kernel_put64(w->k, at, id + 1000);
	fake_kernel_put64(w->k, at + 8, id * 1000000000);
	fake_kernel_put(w->k, at + 16, length, 2);
	fake_kernel_put(w->k, at + 18, 3, 1);
	fake_kernel_put(w->k, at + 19, 6 << 5 | 1, 1);
	fake_kernel_put(w->k, at + 20, 42, 4);
}

/* From where to where text lies; the ring's own struct has room for it. */
static inline void put_texts(struct world *w, uint64_t tail, uint64_t head)
{
	fake_kernel_put64(w->k, w->ring + 56, head);
	fake_kernel_put64(w->k, w->ring + 64, tail);
}

/* Writes a record as the kernel does: the block's id, the text, and where the block would cross the end, at the start again. */
static inline void put_record(struct world *w, uint64_t id, uint64_t state, const char *text)
{
	uint64_t size = ksma_align_up(8 + strlen(text), 8), begin = w->lpos, offset = begin % SIZE;

	w->lpos += size;
	if (offset + size > SIZE) {
		w->lpos = ksma_align_up(begin, SIZE) + size;
		offset = 0;
	}
	put_descriptor(w, id, state, begin, w->lpos);
	put_info(w, id, strlen(text));
	fake_kernel_put64(w->k, w->data + offset, id);
	memcpy(fake_kernel_at(w->k, w->data + offset + 8, strlen(text) ?: 1), text, strlen(text));
}

#endif
