/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a name to the file, as the guest's kernel would find it, through what it has in memory of its trees of names. */
#ifndef KSMA_LINUX_LOOKUP_H
#define KSMA_LINUX_LOOKUP_H

#include "linux/page_cache.h"
#include "linux/paths.h"

/* A place in the tree of mounts and names: struct path, and the inode there. */
struct ksma_place {
	uint64_t mnt, dentry, inode;
};

/* The root directory of process 1. @return NULL or NOT_PRESENT */
struct ksma_error *ksma_lookup_root(struct ksma_paths *paths,
				    struct ksma_place *ret_root) KSMA_MUST_CHECK;

/* The root and the working directory of a task, where its own names start. @return NULL or NOT_PRESENT, FAULT */
struct ksma_error *ksma_lookup_task(struct ksma_paths *paths, uint64_t task,
				    struct ksma_place *ret_root,
				    struct ksma_place *ret_cwd) KSMA_MUST_CHECK;

/* Follows a name through mounts, "..", and symbolic links, the last one included.
 *
 * Only names that the guest has used lately are in its memory: NOT_PRESENT does not say that there is no such file.
 * @reader  reads the targets of links
 * @cwd     where names start that do not start with a slash; may be `root`
 * @return NULL, NOT_PRESENT (names the first part that is not there), BAD_DATA, LIMIT, LOST, NOMEM */
struct ksma_error *ksma_lookup(struct ksma_paths *paths, struct ksma_page_cache_reader *reader,
			       const struct ksma_place *root, const struct ksma_place *cwd,
			       const char *name, struct ksma_place *ret_place) KSMA_MUST_CHECK;

#endif
