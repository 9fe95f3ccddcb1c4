/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's record of its vmalloc areas: who asked for which piece of virtual memory. */
#ifndef KSMA_LINUX_VMAP_H
#define KSMA_LINUX_VMAP_H

#include "linux/kernel.h"

struct ksma_vmap_area {
	uint64_t start, end; /* the guard page included */
	uint64_t size;	     /* of the allocation, 0 when the area has no vm_struct */
	uint64_t caller;     /* the code that asked for it, 0 when not known */
};

/* Sorted by start. Freed with ksma_vmap_free(). */
struct ksma_vmap {
	struct ksma_vmap_area *items;
	size_t count, capacity;
};

/* Reads the areas that overlap [start, end): from vmap_nodes[] (6.9 and newer: d093602919ad "mm: vmalloc: Remove global
 * vmap_area_root rb-tree") or from vmap_area_root.
 * @return NULL, UNSUPPORTED, NOT_PRESENT, BAD_DATA (it changed meanwhile: refresh and try again), LIMIT, NOMEM */
struct ksma_error *ksma_linux_vmap(struct ksma_kernel *kernel, uint64_t start, uint64_t end,
				   struct ksma_vmap *ret_vmap) KSMA_MUST_CHECK;
void ksma_vmap_free(struct ksma_vmap *vmap);

/* The area that holds an address, or NULL. */
const struct ksma_vmap_area *ksma_vmap_find(const struct ksma_vmap *vmap, uint64_t gva);

#endif
