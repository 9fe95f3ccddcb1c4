/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's physical memory as QEMU's `info mtree -f` prints it: which bytes of which backend lie where. */
#ifndef KSMA_GUEST_MTREE_H
#define KSMA_GUEST_MTREE_H

#include "base/util.h"

enum { KSMA_MTREE_MAX = 4096, KSMA_BACKEND_NAME_MAX = 128 };

/* A run of guest physical memory that is RAM of a named backend. */
struct ksma_mtree_range {
	uint64_t gpa;
	uint64_t size;
	uint64_t offset; /* in the backend */
	char backend[KSMA_BACKEND_NAME_MAX];
};

struct ksma_mtree {
	struct ksma_mtree_range *items;
	size_t count, capacity;
};

/* Reads the flat view of the address space "memory". Ranges of type ram are taken, and those of type rom, too: RAM that the
 * chipset has write-protected (the PAM areas below 1 MiB) reads as RAM. ROMs are told apart by their backend's name, which is
 * the caller's business; ranges that go on in the same backend are one. Ranges are sorted and do not overlap.
 * @ret_mtree freed with ksma_mtree_free(); untouched on error
 * @return NULL, BAD_DATA (no such view, a line that does not fit), LIMIT, NOMEM */
struct ksma_error *ksma_mtree_parse(const char *text, size_t length,
				    struct ksma_mtree *ret_mtree) KSMA_MUST_CHECK;
void ksma_mtree_free(struct ksma_mtree *mtree);

/* Merges neighbours in place, and leaves out backends for which `keep` says false. */
void ksma_mtree_filter(struct ksma_mtree *mtree, bool (*keep)(const char *backend, void *arg),
		       void *arg);

#endif
