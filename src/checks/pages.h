/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel's page tables map, gathered in one walk a pass for all checks that ask what is executable, writable or open to user space. */
#ifndef KSMA_CHECKS_PAGES_H
#define KSMA_CHECKS_PAGES_H

#include "base/budget.h"
#include "linux/kernel.h"

struct ksma_look;

/* By rising address where the walk made them so; joined while contiguous in both spaces with equal rights. */
struct ksma_page_list {
	struct ksma_range *items;
	size_t count, capacity;
};

struct ksma_pages {
	struct ksma_page_list executable; /* of the kernel half */
	struct ksma_page_list user;	  /* of the kernel half, and yet user space may reach it */
	struct ksma_page_list writable;	  /* data, not executable */
	struct ksma_page_list foreign;	  /* of the image, and not in the image's own frames */
	struct ksma_coverage coverage;	  /* what of the tables could not be walked */
	bool gathered;
};

/* First address of the kernel half. */
uint64_t ksma_pages_kernel_half(const struct ksma_kernel *kernel);

/* Walks [start, last] of one address space of the kernel. What cannot be walked is a gap in the coverage of the result.
 * @ret_pages ended with ksma_pages_deinit() @return NULL or NOMEM */
struct ksma_error *ksma_pages_walk(struct ksma_kernel *kernel, struct ksma_space *space,
				   uint64_t start, uint64_t last,
				   struct ksma_pages *ret_pages) KSMA_MUST_CHECK;
void ksma_pages_deinit(struct ksma_pages *pages);

/* The kernel's own tables in this look, walked when first asked for. Its gaps go into the coverage of each check that asks. */
struct ksma_error *ksma_look_pages(struct ksma_look *look,
				   const struct ksma_pages **ret_pages) KSMA_MUST_CHECK;

/* True when the byte at `gva` is executable. */
bool ksma_pages_is_code(const struct ksma_pages *pages, uint64_t gva);

#endif
