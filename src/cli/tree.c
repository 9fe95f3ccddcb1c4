/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of ps --tree: no recursion and no trust in parents, which a guest could make a circle. */
#include "cli/tree.h"

struct node {
	int32_t parent, id; /* sorted by parent, then by place in the list */
	size_t index;
};

static int by_parent(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* The first node of a parent, or `count`. */
static size_t first_child(const struct node *nodes, size_t count, int32_t parent)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (nodes[middle].parent < parent)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && nodes[low].parent == parent ? low : count;
}

struct walk {
	const struct node *nodes;
	size_t count;
	bool *seen; /* by node */
	struct cli_tree_line *lines;
	size_t filled;
	size_t *cursor; /* by depth: the next child to look at; never deeper than count */
};

/* Emits one node; its children are next. */
static void emit_one(struct walk *w, size_t node, size_t depth)
{
	w->seen[node] = true;
	w->lines[w->filled++] = (struct cli_tree_line){ w->nodes[node].index, (unsigned)depth };
	w->cursor[depth] = first_child(w->nodes, w->count, w->nodes[node].id);
}

/* Emits a node and all below it that were not seen yet. */
static void emit(struct walk *w, size_t top)
{
	size_t depth = 0;

	emit_one(w, top, 0);
	for (;;) {
		size_t next = w->cursor[depth];

		if (next < w->count) {
			bool more = next + 1 < w->count &&
				    w->nodes[next + 1].parent == w->nodes[next].parent;

			w->cursor[depth] = more ? next + 1 : w->count;
			if (!w->seen[next])
				emit_one(w, next, ++depth);
		} else if (depth-- == 0) {
			return;
		}
	}
}

/* A thread hangs below its process, by an id that is no process's. */
static void fill(struct node *nodes, const struct ksma_processes *processes)
{
	for (size_t i = 0; i < processes->count; i++) {
		const struct ksma_process *p = &processes->items[i];
		bool thread = p->tid != p->pid;

		nodes[i] = (struct node){ .parent = thread ? p->pid : p->ppid,
					  .id = p->tid,
					  .index = i };
	}
}

struct ksma_error *cli_tree(const struct ksma_processes *processes,
			    struct cli_tree_line **ret_lines)
{
	size_t n = processes->count;
	_cleanup_free_ struct node *nodes = calloc(n + 1, sizeof(*nodes));
	_cleanup_free_ bool *seen = calloc(n + 1, sizeof(*seen));
	_cleanup_free_ bool *has_parent = calloc(n + 1, sizeof(*has_parent));
	_cleanup_free_ size_t *cursor = calloc(n + 1, sizeof(*cursor));
	_cleanup_free_ struct cli_tree_line *lines = calloc(n + 1, sizeof(*lines));
	struct walk w = { nodes, n, seen, lines, 0, cursor };

	if (!nodes || !seen || !has_parent || !cursor || !lines)
		return ksma_error_nomem();
	fill(nodes, processes);
	qsort(nodes, n, sizeof(*nodes), by_parent);
	for (size_t i = 0; i < n; i++)
		for (size_t k = first_child(nodes, n, nodes[i].id);
		     k < n && nodes[k].parent == nodes[i].id && !has_parent[k]; k++)
			has_parent[k] = k != i;
	for (size_t i = 0; i < n; i++)
		if (!has_parent[i] && !seen[i])
			emit(&w, i);
	/* What is left is in a circle. */
	for (size_t i = 0; i < n; i++)
		if (!seen[i])
			emit(&w, i);
	*ret_lines = TAKE_PTR(lines);
	return NULL;
}
