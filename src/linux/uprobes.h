/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the guest's kernel has put breakpoints into programs, at the wish of tracers. */
#ifndef KSMA_LINUX_UPROBES_H
#define KSMA_LINUX_UPROBES_H

#include "linux/kernel.h"

struct ksma_uprobe {
	uint64_t inode;	 /* address */
	uint64_t offset; /* in the file */
};

struct ksma_uprobe_list {
	struct ksma_uprobe *items;
	size_t count, capacity;
};

/* All of them; none where the kernel was built without. @ret_list freed with free(items)
 * @return NULL, UNSUPPORTED, FAULT, BAD_DATA (it kept changing), LIMIT, LOST, NOMEM */
struct ksma_error *ksma_linux_uprobes(struct ksma_kernel *kernel,
				      struct ksma_uprobe_list *ret_list) KSMA_MUST_CHECK;

#endif
