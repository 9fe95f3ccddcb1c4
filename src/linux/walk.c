/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walks through the kernel's own containers: one place that knows how a hostile or changing one is told from a sound one.
 *
 * No walk recurses, and none trusts a back pointer to find its way: back pointers are only compared. In a list, a red-black
 * tree, an xarray and a maple tree every element names the one it hangs from, so that an element reached from two sides, and
 * with it every cycle, is a mismatch; what changes so fast that it looks endless ends with the budget. */
#include "linux/kernel.h"

#include "base/bytes.h"

enum {
	XA_DEPTH = 11, /* 64 bits of index, 6 a level */
	XA_SLOTS_MAX = 64,
	XA_NODE_MAX = 1024,
	XA_INTERNAL_MAX =
		4096, /* internal entries above it are nodes: xa_is_node() in include/linux/xarray.h */
	XA_RETRY = 256 << 2 | 2,
	MAPLE_DEPTH = 31, /* MAPLE_HEIGHT_MAX in lib/maple_tree.c */
	MAPLE_NODE = 256, /* also the alignment: the low byte of a node's address holds its type */
	MAPLE_DENSE = 0,
	MAPLE_LEAF = 1,
	MAPLE_RANGE = 2,
	MAPLE_ARANGE = 3,
	RB_DEPTH = 128, /* twice the logarithm of more nodes than memory holds */
};

/* Two kinds of entry share the low bits 10: small ones are marks of the container, large ones are nodes. */
static bool is_node(uint64_t entry)
{
	return (entry & 3) == 2 && entry > XA_INTERNAL_MAX;
}

static struct ksma_error *unreadable(const char *what, uint64_t root, uint64_t address)
{
	return ksma_error_fault(address, "%s at 0x%llx: the node at 0x%llx is not mapped", what,
				(unsigned long long)root, (unsigned long long)address);
}

static struct ksma_error *torn(const char *what, uint64_t root, uint64_t address, const char *how)
{
	return ksma_error_create(
		KSMA_ERROR_BAD_DATA,
		"%s at 0x%llx: the node at 0x%llx %s (it changed while it was read, or was tampered with)",
		what, (unsigned long long)root, (unsigned long long)address, how);
}

/* struct list_head { next, prev }: include/linux/types.h */
struct ksma_error *ksma_kernel_list(struct ksma_kernel *kernel, uint64_t head,
				    struct ksma_budget *budget, ksma_list_fn fn, void *arg)
{
	uint64_t links[2], previous = head, entry;

	if (!ksma_kernel_bytes(kernel, head, links, sizeof(links)))
		return unreadable("list", head, head);
	for (entry = links[0]; entry != head; previous = entry, entry = links[0]) {
		if (!ksma_budget_spend(budget))
			return ksma_budget_error("list");
		if (!ksma_kernel_bytes(kernel, entry, links, sizeof(links)))
			return unreadable("list", head, entry);
		if (links[1] != previous)
			return torn("list", head, entry,
				    "does not point back to the one before it");
		ksma_space_prefetch(&kernel->space, links[0]);
		if (!fn(arg, entry))
			return NULL;
	}
	if (!ksma_kernel_bytes(kernel, head, links, sizeof(links)))
		return unreadable("list", head, head);
	if (links[1] != previous)
		return torn("list", head, previous, "is not the last one that the head names");
	return NULL;
}

/* struct hlist_head { first }, struct hlist_node { next, pprev }: include/linux/types.h */
struct ksma_error *ksma_kernel_hlist(struct ksma_kernel *kernel, uint64_t head,
				     struct ksma_budget *budget, ksma_list_fn fn, void *arg)
{
	uint64_t links[2], pprev = head, entry;

	if (!ksma_kernel_u64(kernel, head, &entry))
		return unreadable("hash list", head, head);
	for (; entry; pprev = entry, entry = links[0]) {
		if (!ksma_budget_spend(budget))
			return ksma_budget_error("hash list");
		if (!ksma_kernel_bytes(kernel, entry, links, sizeof(links)))
			return unreadable("hash list", head, entry);
		if (links[1] != pprev)
			return torn("hash list", head, entry,
				    "does not point back to the one before it");
		if (!fn(arg, entry))
			return NULL;
	}
	return NULL;
}

/* One level of the way down an xarray. */
struct xa_level {
	uint64_t node;
	uint64_t index; /* of the first slot */
	unsigned shift;
	unsigned next; /* slot to look at next */
	uint64_t slots[XA_SLOTS_MAX];
};

struct xa_walk {
	struct ksma_kernel *kernel;
	uint64_t root;
	unsigned slots, bits; /* of a node, and the bits of an index that it decides */
	unsigned depth;
	struct xa_level levels[XA_DEPTH];
};

/* XA_CHUNK_SIZE is 64, or 16 where CONFIG_BASE_SMALL says so; the marks follow the slots. */
static struct ksma_error *xa_walk_init(struct xa_walk *walk, struct ksma_kernel *kernel,
				       uint64_t root)
{
	KSMA_TRY(KSMA_NEED(kernel, xarray__xa_head));
	KSMA_TRY(KSMA_NEED(kernel, xa_node__shift));
	KSMA_TRY(KSMA_NEED(kernel, xa_node__offset));
	KSMA_TRY(KSMA_NEED(kernel, xa_node__parent));
	KSMA_TRY(KSMA_NEED(kernel, xa_node__slots));
	KSMA_TRY(KSMA_NEED(kernel, xa_node__marks));
	walk->kernel = kernel;
	walk->root = root;
	walk->depth = 0;
	walk->slots = (unsigned)(kernel->off.xa_node__marks - kernel->off.xa_node__slots) / 8;
	walk->bits = walk->slots == 16 ? 4 : 6;
	if (kernel->off.xa_node__slots < 0 ||
	    kernel->off.xa_node__marks < kernel->off.xa_node__slots ||
	    walk->slots != 1u << walk->bits || kernel->size.xa_node > XA_NODE_MAX ||
	    kernel->off.xa_node__marks > (int32_t)kernel->size.xa_node ||
	    kernel->off.xa_node__shift >= (int32_t)kernel->size.xa_node ||
	    kernel->off.xa_node__offset >= (int32_t)kernel->size.xa_node ||
	    kernel->off.xa_node__parent > (int32_t)kernel->size.xa_node - 8)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"struct xa_node of this kernel has a layout that ksma does not know");
	return NULL;
}

/* Goes down to a node, reached through slot `offset` of the deepest level. */
static struct ksma_error *xa_push(struct xa_walk *walk, uint64_t entry, uint64_t index,
				  unsigned offset)
{
	const struct ksma_offsets *off = &walk->kernel->off;
	const struct xa_level *up = walk->depth ? &walk->levels[walk->depth - 1] : NULL;
	struct xa_level *level = &walk->levels[walk->depth];
	uint64_t node = entry - 2;
	uint8_t bytes[XA_NODE_MAX];
	unsigned shift;

	if (walk->depth == XA_DEPTH)
		return torn("xarray", walk->root, node, "lies too deep");
	if (!ksma_kernel_bytes(walk->kernel, node, bytes, walk->kernel->size.xa_node))
		return unreadable("xarray", walk->root, node);
	shift = bytes[off->xa_node__shift];
	if (shift >= 64 || shift % walk->bits || (up && shift + walk->bits != up->shift))
		return torn("xarray", walk->root, node, "is of the wrong level");
	if (up && bytes[off->xa_node__offset] != offset)
		return torn("xarray", walk->root, node, "names another slot of its parent");
	if (ksma_le64(bytes + off->xa_node__parent) != (up ? up->node : 0))
		return torn("xarray", walk->root, node, "has another parent");
	*level = (struct xa_level){ .node = node, .index = index, .shift = shift };
	memcpy(level->slots, bytes + off->xa_node__slots, walk->slots * 8u);
	walk->depth++;
	return NULL;
}

/* Looks at one slot of the deepest level. */
static struct ksma_error *xa_step(struct xa_walk *walk, ksma_xarray_fn fn, void *arg,
				  bool *ret_more)
{
	struct xa_level *level = &walk->levels[walk->depth - 1];
	unsigned slot = level->next;
	uint64_t entry, index;

	if (slot == walk->slots) {
		walk->depth--;
		return NULL;
	}
	level->next++;
	entry = level->slots[slot];
	index = level->index + ((uint64_t)slot << level->shift);
	if (entry == XA_RETRY)
		return torn("xarray", walk->root, level->node, "was being freed");
	if (entry == 0 || ((entry & 3) == 2 && !is_node(entry)))
		return NULL;
	if ((uint64_t)slot << level->shift >> level->shift != slot)
		return torn("xarray", walk->root, level->node, "goes beyond the last index");
	/* At the lowest level nothing is a node. */
	if (is_node(entry) && level->shift)
		return xa_push(walk, entry, index, slot);
	*ret_more = fn(arg, index, entry);
	return NULL;
}

/* Source: include/linux/xarray.h, lib/xarray.c. Radix trees and IDRs have this form since 4.20 (f8d5d0cc145c, "xarray: Add
 * definition of struct xarray", and its followers). */
struct ksma_error *ksma_kernel_xarray(struct ksma_kernel *kernel, uint64_t root,
				      struct ksma_budget *budget, ksma_xarray_fn fn, void *arg)
{
	struct xa_walk walk;
	bool more = true;
	uint64_t head;

	KSMA_TRY(xa_walk_init(&walk, kernel, root));
	if (!ksma_kernel_u64(kernel, root + (uint64_t)kernel->off.xarray__xa_head, &head))
		return unreadable("xarray", root, root);
	if (!is_node(head)) {
		if (head && (head & 3) != 2)
			fn(arg, 0, head);
		return NULL;
	}
	KSMA_TRY(xa_push(&walk, head, 0, 0));
	while (more && walk.depth) {
		if (!ksma_budget_spend(budget))
			return ksma_budget_error("xarray");
		KSMA_TRY(xa_step(&walk, fn, arg, &more));
	}
	return NULL;
}

/* Goes one slot down towards `index`. A sibling names the slot, before its own, that holds the entry of both.
 * @ret_entry the entry, where *ret_found says that the way ends here */
static struct ksma_error *xa_step_to(struct xa_walk *walk, uint64_t index, uint64_t *ret_entry,
				     bool *ret_found)
{
	struct xa_level *level = &walk->levels[walk->depth - 1];
	unsigned slot = (unsigned)(index >> level->shift) & (walk->slots - 1);
	uint64_t entry = level->slots[slot];

	if ((entry & 3) == 2 && entry >> 2 < slot) {
		slot = (unsigned)(entry >> 2);
		entry = level->slots[slot];
	}
	if (entry == XA_RETRY)
		return torn("xarray", walk->root, level->node, "was being freed");
	if (is_node(entry) && level->shift)
		return xa_push(walk, entry, 0, slot);
	*ret_found = true;
	*ret_entry = (entry & 3) == 2 && !is_node(entry) ? 0 : entry;
	return NULL;
}

struct ksma_error *ksma_kernel_xarray_load(struct ksma_kernel *kernel, uint64_t root,
					   uint64_t index, uint64_t *ret_entry)
{
	uint64_t head, entry = 0;
	struct xa_walk walk;
	bool found = false;
	unsigned bits;

	KSMA_TRY(xa_walk_init(&walk, kernel, root));
	if (!ksma_kernel_u64(kernel, root + (uint64_t)kernel->off.xarray__xa_head, &head))
		return unreadable("xarray", root, root);
	if (!is_node(head)) {
		*ret_entry = index == 0 && (head & 3) != 2 ? head : 0;
		return NULL;
	}
	KSMA_TRY(xa_push(&walk, head, 0, 0));
	bits = walk.levels[0].shift + walk.bits;
	if (bits < 64 && index >> bits) /* beyond what the tree holds */
		found = true;
	while (!found) /* each step goes down a level */
		KSMA_TRY(xa_step_to(&walk, index, &entry, &found));
	*ret_entry = entry;
	return NULL;
}

/* struct rb_node { __rb_parent_color, rb_right, rb_left }: include/linux/rbtree_types.h. The colour is in the low two bits. */
struct rb_level {
	uint64_t node, right;
};

struct rb_walk {
	struct ksma_kernel *kernel;
	struct ksma_budget *budget;
	uint64_t root;
	unsigned depth;
	struct rb_level levels[RB_DEPTH];
};

/* Goes down the left side from `node`, which hangs from `parent`. */
static struct ksma_error *rb_descend(struct rb_walk *walk, uint64_t node, uint64_t parent)
{
	uint64_t words[3];

	for (; node; parent = node, node = words[2]) {
		if (!ksma_budget_spend(walk->budget))
			return ksma_budget_error("red-black tree");
		if (walk->depth == RB_DEPTH)
			return torn("red-black tree", walk->root, node, "lies too deep");
		if (!ksma_kernel_bytes(walk->kernel, node, words, sizeof(words)))
			return unreadable("red-black tree", walk->root, node);
		if ((words[0] & ~3ull) != parent)
			return torn("red-black tree", walk->root, node, "has another parent");
		if (words[1] && words[1] == words[2])
			return torn("red-black tree", walk->root, node, "has one child twice");
		ksma_space_prefetch(&walk->kernel->space, words[1]);
		walk->levels[walk->depth++] = (struct rb_level){ .node = node, .right = words[1] };
	}
	return NULL;
}

struct ksma_error *ksma_kernel_rbtree(struct ksma_kernel *kernel, uint64_t root,
				      struct ksma_budget *budget, ksma_list_fn fn, void *arg)
{
	struct rb_walk walk = { .kernel = kernel, .budget = budget, .root = root, .depth = 0 };
	struct rb_level level;
	uint64_t top;

	if (!ksma_kernel_u64(kernel, root, &top))
		return unreadable("red-black tree", root, root);
	KSMA_TRY(rb_descend(&walk, top, 0));
	while (walk.depth) {
		level = walk.levels[--walk.depth];
		if (!fn(arg, level.node))
			return NULL;
		KSMA_TRY(rb_descend(&walk, level.right, level.node));
	}
	return NULL;
}

/* One level of the way down a maple tree. */
struct maple_level {
	uint64_t node;
	uint64_t max;	/* last index that the node holds */
	uint64_t first; /* first index of the next slot */
	unsigned type;
	unsigned next, last; /* slot to look at next, last slot in use */
	uint8_t bytes[MAPLE_NODE];
};

struct maple_walk {
	struct ksma_kernel *kernel;
	uint64_t root;
	unsigned depth;
	struct maple_level levels[MAPLE_DEPTH];
};

/* Where the pivots and slots of a type of node lie. */
struct maple_shape {
	unsigned pivot, pivots, slot, slots, end;
};

static struct maple_shape maple_shape(const struct ksma_offsets *off, unsigned type)
{
	if (type == MAPLE_DENSE)
		return (struct maple_shape){ .slot = 8, .slots = MAPLE_NODE / 8 - 1 };
	if (type == MAPLE_ARANGE)
		return (struct maple_shape){
			.pivot = (unsigned)off->maple_arange_64__pivot,
			.pivots = (unsigned)(off->maple_arange_64__slot -
					     off->maple_arange_64__pivot) /
				  8,
			.slot = (unsigned)off->maple_arange_64__slot,
			.slots =
				(unsigned)(off->maple_arange_64__gap - off->maple_arange_64__slot) /
				8,
			.end = (unsigned)(off->maple_arange_64__meta + off->maple_metadata__end),
		};
	return (struct maple_shape){
		.pivot = (unsigned)off->maple_range_64__pivot,
		.pivots = (unsigned)(off->maple_range_64__slot - off->maple_range_64__pivot) / 8,
		.slot = (unsigned)off->maple_range_64__slot,
		.slots = (unsigned)(off->maple_range_64__slot - off->maple_range_64__pivot) / 8 + 1,
		.end = (unsigned)(off->maple_range_64__meta + off->maple_metadata__end),
	};
}

static bool maple_shape_is_sane(const struct maple_shape *shape)
{
	return shape->pivots && shape->slots == shape->pivots + 1 && shape->end < MAPLE_NODE &&
	       ksma_in_range(shape->pivot, shape->pivots * 8ull, MAPLE_NODE) &&
	       ksma_in_range(shape->slot, shape->slots * 8ull, MAPLE_NODE);
}

static struct ksma_error *maple_walk_init(struct maple_walk *walk, struct ksma_kernel *kernel,
					  uint64_t root)
{
	struct maple_shape range, arange;

	KSMA_TRY(KSMA_NEED(kernel, maple_tree__ma_root));
	KSMA_TRY(KSMA_NEED(kernel, maple_range_64__pivot));
	KSMA_TRY(KSMA_NEED(kernel, maple_range_64__slot));
	KSMA_TRY(KSMA_NEED(kernel, maple_range_64__meta));
	KSMA_TRY(KSMA_NEED(kernel, maple_arange_64__pivot));
	KSMA_TRY(KSMA_NEED(kernel, maple_arange_64__slot));
	KSMA_TRY(KSMA_NEED(kernel, maple_arange_64__gap));
	KSMA_TRY(KSMA_NEED(kernel, maple_arange_64__meta));
	KSMA_TRY(KSMA_NEED(kernel, maple_metadata__end));
	walk->kernel = kernel;
	walk->root = root;
	walk->depth = 0;
	range = maple_shape(&kernel->off, MAPLE_RANGE);
	arange = maple_shape(&kernel->off, MAPLE_ARANGE);
	if (kernel->size.maple_node != MAPLE_NODE || !maple_shape_is_sane(&range) ||
	    !maple_shape_is_sane(&arange))
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"struct maple_node of this kernel has a layout that ksma does not know");
	return NULL;
}

/* The last slot in use, as ma_data_end() of lib/maple_tree.c finds it: a range node that is full has a slot where others keep
 * that number. */
static unsigned maple_last(const struct maple_level *level, const struct maple_shape *shape)
{
	uint64_t pivot;

	if (level->type == MAPLE_DENSE)
		return level->max - level->first < shape->slots - 1
			       ? (unsigned)(level->max - level->first)
			       : shape->slots - 1;
	if (level->type == MAPLE_ARANGE)
		return level->bytes[shape->end];
	pivot = ksma_le64(level->bytes + shape->pivot + 8 * (shape->pivots - 1));
	if (pivot == 0)
		return level->bytes[shape->end];
	return pivot == level->max ? shape->pivots - 1 : shape->pivots;
}

/* Goes down to a node that holds [first, max]. */
static struct ksma_error *maple_push(struct maple_walk *walk, uint64_t entry, uint64_t first,
				     uint64_t max)
{
	const struct maple_level *up = walk->depth ? &walk->levels[walk->depth - 1] : NULL;
	struct maple_level *level = &walk->levels[walk->depth];
	struct maple_shape shape;
	uint64_t parent;

	if (walk->depth == MAPLE_DEPTH)
		return torn("maple tree", walk->root, entry, "lies too deep");
	level->node = entry & ~(uint64_t)(MAPLE_NODE - 1);
	level->type = entry >> 3 & 0xf;
	level->first = first;
	level->max = max;
	level->next = 0;
	if (level->type > MAPLE_ARANGE)
		return torn("maple tree", walk->root, level->node, "is of an unknown type");
	if (!ksma_kernel_bytes(walk->kernel, level->node, level->bytes, sizeof(level->bytes)))
		return unreadable("maple tree", walk->root, level->node);
	/* A node that was replaced is its own parent; the root names its tree with the low bit set. */
	parent = ksma_le64(level->bytes);
	if (up ? (parent & ~(uint64_t)(MAPLE_NODE - 1)) != up->node : parent != (walk->root | 1))
		return torn("maple tree", walk->root, level->node, "has another parent");
	shape = maple_shape(&walk->kernel->off, level->type);
	level->last = maple_last(level, &shape);
	if (level->last >= shape.slots)
		return torn("maple tree", walk->root, level->node, "uses more slots than it has");
	walk->depth++;
	return NULL;
}

/* Looks at one slot of the deepest level. */
static struct ksma_error *maple_step(struct maple_walk *walk, ksma_xarray_fn fn, void *arg,
				     bool *ret_more)
{
	struct maple_level *level = &walk->levels[walk->depth - 1];
	struct maple_shape shape = maple_shape(&walk->kernel->off, level->type);
	unsigned slot = level->next;
	uint64_t entry, first = level->first, end = level->max;

	if (slot > level->last) {
		walk->depth--;
		return NULL;
	}
	if (level->type == MAPLE_DENSE)
		end = first;
	else if (slot < level->last)
		end = ksma_le64(level->bytes + shape.pivot + 8 * slot);
	if (end < first || end > level->max || (slot < level->last && end == level->max))
		return torn("maple tree", walk->root, level->node, "has pivots that do not rise");
	level->next++;
	level->first = end + 1;
	entry = ksma_le64(level->bytes + shape.slot + 8 * slot);
	if (level->type > MAPLE_LEAF) {
		/* Only the root carries the mark of a node (mte_mk_root); below it there is nothing else. */
		if (entry < XA_INTERNAL_MAX)
			return torn("maple tree", walk->root, level->node, "has an empty branch");
		return maple_push(walk, entry, first, end);
	}
	if (entry == 0 || ((entry & 3) == 2 && !is_node(entry)))
		return NULL;
	*ret_more = fn(arg, first, entry);
	return NULL;
}

/* Source: include/linux/maple_tree.h, lib/maple_tree.c (54a611b60590, "Maple Tree: add new data structure", 6.1). */
struct ksma_error *ksma_kernel_maple(struct ksma_kernel *kernel, uint64_t root,
				     struct ksma_budget *budget, ksma_xarray_fn fn, void *arg)
{
	struct maple_walk walk;
	bool more = true;
	uint64_t head;

	KSMA_TRY(maple_walk_init(&walk, kernel, root));
	if (!ksma_kernel_u64(kernel, root + (uint64_t)kernel->off.maple_tree__ma_root, &head))
		return unreadable("maple tree", root, root);
	if (!is_node(head)) {
		if (head && (head & 3) != 2)
			fn(arg, 0, head);
		return NULL;
	}
	KSMA_TRY(maple_push(&walk, head, 0, UINT64_MAX));
	while (more && walk.depth) {
		if (!ksma_budget_spend(budget))
			return ksma_budget_error("maple tree");
		KSMA_TRY(maple_step(&walk, fn, arg, &more));
	}
	return NULL;
}
