/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Puts a guest's processes in the order of their parenthood. The guest may claim any parent for any process. */
#ifndef KSMA_CLI_TREE_H
#define KSMA_CLI_TREE_H

#include "base/util.h"
#include <ksma/linux.h>

struct cli_tree_line {
	size_t index; /* into processes->items */
	unsigned depth;
};

/* Each process once, children after their parent and one deeper. Threads stand below their process. Who has no parent here, or is its
 * own ancestor, stands at the top.
 * @ret_lines processes->count of them, to be freed */
struct ksma_error *cli_tree(const struct ksma_processes *processes,
			    struct cli_tree_line **ret_lines) KSMA_MUST_CHECK;

#endif
