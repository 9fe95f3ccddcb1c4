/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which memory the kernel gave out for modules: what a module says of its own size is held against it. */
#ifndef KSMA_CHECKS_BOUNDS_H
#define KSMA_CHECKS_BOUNDS_H

#include "base/budget.h"
#include "linux/vmap.h"

/* Allocations in the range of modules, sorted by start. */
struct ksma_bounds {
	struct ksma_bound {
		uint64_t start, end;
		bool free; /* room of a cache that nobody was given */
	} * items;
	size_t count, capacity;
};

/* Makes the allocations from vmalloc areas, and from the cache of executable memory where the kernel has one: it cuts an area into
 * pieces (2e45474ab14f "execmem: add support for cache of large ROX pages", 6.13). What of that cannot be read is a gap, and its areas
 * are taken whole.
 * @return NULL, LOST or NOMEM */
struct ksma_error *ksma_bounds_init(struct ksma_kernel *kernel, const struct ksma_vmap *vmap,
				    struct ksma_coverage *coverage,
				    struct ksma_bounds *ret_bounds) KSMA_MUST_CHECK;
void ksma_bounds_deinit(struct ksma_bounds *bounds);

/* The part of [base, base + size) that lies in the allocation which begins at `base`.
 * @ret_end   `base` when no allocation begins there
 * @return true when that is all of it */
bool ksma_bounds_clip(const struct ksma_bounds *bounds, uint64_t base, uint64_t size,
		      uint64_t *ret_end);

#endif
