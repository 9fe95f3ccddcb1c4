/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the running kernel of a guest: through a vCPU's registers where there are any, else by a search of memory. */
#ifndef KSMA_LINUX_FIND_H
#define KSMA_LINUX_FIND_H

#include "linux/tables.h"

/* A kernel that was found and verified. */
struct ksma_found {
	struct ksma_space space; /* through init_top_pgt */
	struct ksma_image image;
	struct ksma_tables tables;
	bool from_registers;
};

void ksma_found_deinit(struct ksma_found *found);

/* Finds the kernel.
 *
 * With registers, the page tables of each vCPU are followed to the image that it runs, so that a decoy elsewhere in memory is
 * never looked at. Without, all of memory is searched for kallsyms tables and each candidate must agree with its own banner and
 * page tables; when several do, the one whose clock moves is the running one, and when that does not settle it, it is an error.
 *
 * @registers  of all vCPUs, or NULL
 * @cache_dir  or NULL
 * @ret_found  ended with ksma_found_deinit()
 * @return NULL, NOT_PRESENT, BAD_DATA, LOST, LIMIT, NOMEM */
struct ksma_error *ksma_find_kernel(struct ksma_guest *guest,
				    const struct ksma_registers *registers, const char *cache_dir,
				    struct ksma_found *ret_found) KSMA_MUST_CHECK;

#endif
