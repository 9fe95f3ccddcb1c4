/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the kernel's tree of uprobes. Source: kernel/events/uprobes.c. */
#include "linux/uprobes.h"

#include "linux/retry.h"

enum { UPROBES_MAX = 1 << 16 };

struct gather {
	struct ksma_kernel *kernel;
	struct ksma_uprobe_list *list;
	struct ksma_error *error;
};

static bool take(void *arg, uint64_t node)
{
	struct gather *g = arg;
	const struct ksma_offsets *off = &g->kernel->off;
	uint64_t at = node - (uint32_t)off->uprobe__rb_node;
	struct ksma_uprobe *item, uprobe;

	if (!ksma_kernel_u64(g->kernel, at + (uint32_t)off->uprobe__inode, &uprobe.inode) ||
	    !ksma_kernel_u64(g->kernel, at + (uint32_t)off->uprobe__offset, &uprobe.offset))
		g->error = ksma_error_fault(at, "a uprobe went away");
	else if (g->list->count >= UPROBES_MAX)
		g->error = ksma_error_create(KSMA_ERROR_LIMIT, "more than %d uprobes", UPROBES_MAX);
	else
		g->error = KSMA_ARRAY_PUSH(g->list, &item);
	if (g->error)
		return false;
	*item = uprobe;
	return true;
}

static struct ksma_error *gather(struct ksma_kernel *kernel, uint64_t root,
				 struct ksma_uprobe_list *list)
{
	struct gather g = { .kernel = kernel, .list = list };
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_error *error;

	list->count = 0;
	error = ksma_kernel_rbtree(kernel, root, &budget, take, &g);
	if (!g.error)
		return error;
	ksma_error_destroy(error);
	return g.error;
}

struct ksma_error *ksma_linux_uprobes(struct ksma_kernel *kernel, struct ksma_uprobe_list *ret_list)
{
	uint64_t root = ksma_kernel_symbol(kernel, "uprobes_tree");
	struct ksma_uprobe_list list = { 0 };
	struct ksma_error *error = NULL;
	unsigned attempt = 0;

	if (root) {
		KSMA_TRY(KSMA_NEED(kernel, uprobe__rb_node));
		KSMA_TRY(KSMA_NEED(kernel, uprobe__inode));
		KSMA_TRY(KSMA_NEED(kernel, uprobe__offset));
		do
			error = gather(kernel, root, &list);
		while (ksma_kernel_retry(kernel, &attempt, &error));
	}
	if (error) {
		free(list.items);
		return error;
	}
	*ret_list = list;
	return NULL;
}
