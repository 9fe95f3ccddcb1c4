/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The walks over lists and trees: what they visit, and how each kind of damage ends them. */
#include "unit.h"

#include "fake_kernel.h"

#define BASE 0xffff888000000000ull

enum { ARENA = 1 << 20, VISITS = 64 };

struct visits {
	uint64_t entries[VISITS], indices[VISITS];
	size_t count, stop_after;
};

static bool on_entry(void *arg, uint64_t entry)
{
	struct visits *v = arg;

	assert_true(v->count < VISITS);
	v->entries[v->count++] = entry;
	return v->count != v->stop_after;
}

static bool on_indexed(void *arg, uint64_t index, uint64_t entry)
{
	struct visits *v = arg;

	assert_true(v->count < VISITS);
	v->indices[v->count] = index;
	return on_entry(v, entry);
}

static struct fake_kernel *kernel_create(enum fake_kind kind)
{
	struct fake_kernel *k = fake_kernel_create(BASE, ARENA, kind);

	fake_layout_containers(&k->kernel);
	return k;
}

/* Each node on a page of its own, so that each read of one is a fetch. */
static uint64_t page(struct fake_kernel *k)
{
	return fake_kernel_alloc(k, KSMA_PAGE_SIZE, KSMA_PAGE_SIZE);
}

/* --- lists --- */

static uint64_t make_list(struct fake_kernel *k, uint64_t entries[3])
{
	uint64_t head = page(k);

	for (int i = 0; i < 3; i++)
		entries[i] = page(k) + 8 * (uint64_t)i;
	fake_kernel_list(k, head, entries, 3);
	return head;
}

static struct ksma_error *walk_list(struct fake_kernel *k, uint64_t head, struct visits *v)
{
	struct ksma_budget budget = ksma_budget_default();

	return ksma_kernel_list(&k->kernel, head, &budget, on_entry, v);
}

static void list_is_visited_in_order(void **state)
{
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	struct visits v = { 0 };
	uint64_t entries[3], head = make_list(k, entries);

	assert_ok(walk_list(k, head, &v));
	assert_int_equal(v.count, 3);
	assert_memory_equal(v.entries, entries, sizeof(entries));
	v = (struct visits){ .stop_after = 2 };
	assert_ok(walk_list(k, head, &v));
	assert_int_equal(v.count, 2);
	fake_kernel_list(k, head, NULL, 0);
	v = (struct visits){ 0 };
	assert_ok(walk_list(k, head, &v));
	assert_int_equal(v.count, 0);
	fake_kernel_destroy(k);
}

static void list_that_does_not_come_back(void **state)
{
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	struct visits v = { 0 };
	uint64_t entries[3], head = make_list(k, entries);

	fake_kernel_put64(k, entries[2], entries[0]); /* a cycle without the head */
	assert_error_says(walk_list(k, head, &v), KSMA_ERROR_BAD_DATA, "does not point back");
	assert_int_equal(v.count, 3);
	fake_kernel_put64(k, entries[2], entries[2]); /* the smallest cycle */
	v.count = 0;
	assert_error(walk_list(k, head, &v), KSMA_ERROR_BAD_DATA);
	fake_kernel_put64(k, entries[2], head);
	fake_kernel_put64(k, head + 8,
			  entries[1]); /* the last one was added behind the head's back */
	v.count = 0;
	assert_error_says(walk_list(k, head, &v), KSMA_ERROR_BAD_DATA, "not the last");
	fake_kernel_destroy(k);
}

static void list_with_wild_pointers(void **state)
{
	static const uint64_t wild[] = {
		0, 1, 0xdead000000000100ull, UINT64_MAX, BASE + ARENA, BASE + ARENA - 8, BASE - 8
	};
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	uint64_t entries[3], head = make_list(k, entries);

	for (size_t i = 0; i < ARRAY_SIZE(wild); i++) {
		struct visits v = { 0 };
		struct ksma_error *error;

		fake_kernel_put64(k, entries[1], wild[i]);
		error = walk_list(k, head, &v);
		assert_non_null(error);
		assert_int_equal(error->code, KSMA_ERROR_FAULT);
		assert_int_equal(error->address, wild[i]);
		ksma_error_destroy(error);
		assert_int_equal(v.count, 2);
	}
	assert_error(walk_list(k, 0x1000, &(struct visits){ 0 }), KSMA_ERROR_FAULT);
	fake_kernel_destroy(k);
}

static void list_longer_than_the_budget(void **state)
{
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	struct ksma_budget budget = { .nodes = 2 };
	struct visits v = { 0 };
	uint64_t entries[3], head = make_list(k, entries);

	assert_error(ksma_kernel_list(&k->kernel, head, &budget, on_entry, &v), KSMA_ERROR_LIMIT);
	assert_int_equal(v.count, 2);
	fake_kernel_destroy(k);
}

/* --- xarrays --- */

static uint64_t make_node(struct fake_kernel *k, uint64_t parent, unsigned shift, unsigned offset)
{
	uint64_t node = page(k);

	fake_kernel_put(k, node, shift, 1);
	fake_kernel_put(k, node + 1, offset, 1);
	fake_kernel_put64(k, node + 8, parent);
	if (parent)
		fake_kernel_put64(k, parent + 40 + 8 * offset, node | 2);
	return node;
}

struct xarray {
	uint64_t root, top, low, high;
};

/* Two levels: entries at 0, 5, 63, 64 * 3 + 1. */
static struct xarray make_xarray(struct fake_kernel *k)
{
	struct xarray x = { .root = page(k) };

	x.top = make_node(k, 0, 6, 0);
	x.low = make_node(k, x.top, 0, 0);
	x.high = make_node(k, x.top, 0, 3);
	fake_kernel_put64(k, x.root + 8, x.top | 2);
	fake_kernel_put64(k, x.low + 40, 0x1000);
	fake_kernel_put64(k, x.low + 40 + 8 * 5, 77 << 1 | 1);	/* a value */
	fake_kernel_put64(k, x.low + 40 + 8 * 6, 5 << 2 | 2);	/* a sibling */
	fake_kernel_put64(k, x.low + 40 + 8 * 7, 257 << 2 | 2); /* reserved: a zero entry */
	fake_kernel_put64(k, x.low + 40 + 8 * 63, 0x2000);
	fake_kernel_put64(k, x.high + 40 + 8 * 1, 0x3000);
	return x;
}

static struct ksma_error *walk_xarray(struct fake_kernel *k, uint64_t root, struct visits *v)
{
	struct ksma_budget budget = ksma_budget_default();

	*v = (struct visits){ 0 };
	return ksma_kernel_xarray(&k->kernel, root, &budget, on_indexed, v);
}

static void xarray_is_visited_in_order(void **state)
{
	static const uint64_t indices[] = { 0, 5, 63, 193 },
			      entries[] = { 0x1000, 155, 0x2000, 0x3000 };
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	struct xarray x = make_xarray(k);
	struct visits v;

	assert_ok(walk_xarray(k, x.root, &v));
	assert_int_equal(v.count, 4);
	assert_memory_equal(v.indices, indices, sizeof(indices));
	assert_memory_equal(v.entries, entries, sizeof(entries));
	fake_kernel_destroy(k);
}

static void xarray_without_nodes(void **state)
{
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	uint64_t root = page(k);
	struct visits v;

	assert_ok(walk_xarray(k, root, &v));
	assert_int_equal(v.count, 0);
	fake_kernel_put64(k, root + 8, 0x1000);
	assert_ok(walk_xarray(k, root, &v));
	assert_int_equal(v.count, 1);
	assert_int_equal(v.indices[0], 0);
	fake_kernel_put64(k, root + 8, 257 << 2 | 2);
	assert_ok(walk_xarray(k, root, &v));
	assert_int_equal(v.count, 0);
	fake_kernel_destroy(k);
}

static void xarray_that_was_bent(void **state)
{
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	struct xarray x = make_xarray(k);
	struct visits v;

	fake_kernel_put64(k, x.top + 40 + 8 * 4, x.top | 2); /* a node in itself */
	assert_error_says(walk_xarray(k, x.root, &v), KSMA_ERROR_BAD_DATA, "level");
	fake_kernel_put64(k, x.top + 40 + 8 * 4, x.low | 2); /* a node in two places */
	assert_error_says(walk_xarray(k, x.root, &v), KSMA_ERROR_BAD_DATA, "slot");
	fake_kernel_put64(k, x.top + 40 + 8 * 4, 0);
	fake_kernel_put(k, x.high, 60, 1);
	assert_error_says(walk_xarray(k, x.root, &v), KSMA_ERROR_BAD_DATA, "level");
	fake_kernel_put(k, x.high, 3, 1);
	assert_error_says(walk_xarray(k, x.root, &v), KSMA_ERROR_BAD_DATA, "level");
	fake_kernel_put(k, x.high, 0, 1);
	fake_kernel_put64(k, x.high + 8, x.low);
	assert_error_says(walk_xarray(k, x.root, &v), KSMA_ERROR_BAD_DATA, "parent");
	fake_kernel_put64(k, x.high + 8, x.top);
	fake_kernel_put64(k, x.low + 40 + 8 * 8, 256 << 2 | 2); /* the node is being freed */
	assert_error_says(walk_xarray(k, x.root, &v), KSMA_ERROR_BAD_DATA, "freed");
	fake_kernel_put64(k, x.low + 40 + 8 * 8,
			  0x5002); /* looks like a node where there are only entries */
	assert_ok(walk_xarray(k, x.root, &v));
	assert_int_equal(v.count, 5);
	fake_kernel_put64(k, x.top + 40 + 8 * 4, 0xdead000000000102ull);
	assert_error(walk_xarray(k, x.root, &v), KSMA_ERROR_FAULT);
	fake_kernel_destroy(k);
}

static void xarray_is_asked_for_one_index(void **state)
{
	static const struct {
		uint64_t index, entry;
	} asked[] = {
		{ 0, 0x1000 },	 { 1, 0 },	 { 5, 155 },  { 6, 155 }, /* a sibling */
		{ 7, 0 },	 { 63, 0x2000 }, { 64, 0 },   { 192, 0 },
		{ 193, 0x3000 }, { 4095, 0 },	 { 4096, 0 }, { UINT64_MAX, 0 },
	};
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	struct xarray x = make_xarray(k);
	uint64_t entry;

	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		assert_ok(ksma_kernel_xarray_load(&k->kernel, x.root, asked[i].index, &entry));
		assert_int_equal(entry, asked[i].entry);
	}
	fake_kernel_put64(k, x.top + 40 + 8 * 4, x.top | 2); /* a node in itself */
	assert_error_says(ksma_kernel_xarray_load(&k->kernel, x.root, 4 * 64, &entry),
			  KSMA_ERROR_BAD_DATA, "level");
	fake_kernel_put64(k, x.low + 40 + 8 * 8, 256 << 2 | 2);
	assert_error_says(ksma_kernel_xarray_load(&k->kernel, x.root, 8, &entry),
			  KSMA_ERROR_BAD_DATA, "freed");
	fake_kernel_put64(k, x.low + 40 + 8 * 9, 10 << 2 | 2); /* siblings only look back */
	assert_ok(ksma_kernel_xarray_load(&k->kernel, x.root, 9, &entry));
	assert_int_equal(entry, 0);
	fake_kernel_put64(k, x.root + 8, 0x4000); /* no tree: one entry, at 0 */
	assert_ok(ksma_kernel_xarray_load(&k->kernel, x.root, 0, &entry));
	assert_int_equal(entry, 0x4000);
	assert_ok(ksma_kernel_xarray_load(&k->kernel, x.root, 1, &entry));
	assert_int_equal(entry, 0);
	fake_kernel_destroy(k);
}

static void xarray_of_an_unknown_kernel(void **state)
{
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	struct xarray x = make_xarray(k);
	struct visits v;

	k->kernel.off.xa_node__marks = 40 + 8 * 17;
	assert_error(walk_xarray(k, x.root, &v), KSMA_ERROR_UNSUPPORTED);
	fake_layout_containers(&k->kernel);
	k->kernel.size.xa_node = 8;
	assert_error(walk_xarray(k, x.root, &v), KSMA_ERROR_UNSUPPORTED);
	fake_layout_containers(&k->kernel);
	k->kernel.off.xa_node__parent = KSMA_NO_MEMBER;
	assert_error_says(walk_xarray(k, x.root, &v), KSMA_ERROR_UNSUPPORTED, "xa_node");
	fake_kernel_destroy(k);
}

/* --- red-black trees --- */

/* A node with its parent's address, children and colour. */
static void put_rb(struct fake_kernel *k, uint64_t node, uint64_t parent, uint64_t right,
		   uint64_t left, unsigned colour)
{
	fake_kernel_put64(k, node, parent | colour);
	fake_kernel_put64(k, node + 8, right);
	fake_kernel_put64(k, node + 16, left);
}

struct tree {
	uint64_t root, nodes[5];
};

/* In order: 0 1 2 3 4; 3 is the top, 1 is left of it, with 0 and 2. */
static struct tree make_tree(struct fake_kernel *k)
{
	struct tree t = { .root = page(k) };

	for (int i = 0; i < 5; i++)
		t.nodes[i] = page(k);
	fake_kernel_put64(k, t.root, t.nodes[3]);
	put_rb(k, t.nodes[3], 0, t.nodes[4], t.nodes[1], 1);
	put_rb(k, t.nodes[1], t.nodes[3], t.nodes[2], t.nodes[0], 0);
	put_rb(k, t.nodes[0], t.nodes[1], 0, 0, 1);
	put_rb(k, t.nodes[2], t.nodes[1], 0, 0, 1);
	put_rb(k, t.nodes[4], t.nodes[3], 0, 0, 1);
	return t;
}

static struct ksma_error *walk_tree(struct fake_kernel *k, uint64_t root, struct visits *v)
{
	struct ksma_budget budget = ksma_budget_default();

	v->count = 0;
	return ksma_kernel_rbtree(&k->kernel, root, &budget, on_entry, v);
}

static void tree_is_visited_in_order(void **state)
{
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	struct tree t = make_tree(k);
	struct visits v = { 0 };

	assert_ok(walk_tree(k, t.root, &v));
	assert_int_equal(v.count, 5);
	assert_memory_equal(v.entries, t.nodes, sizeof(t.nodes));
	v.stop_after = 2;
	assert_ok(walk_tree(k, t.root, &v));
	assert_int_equal(v.count, 2);
	fake_kernel_put64(k, t.root, 0);
	assert_ok(walk_tree(k, t.root, &v));
	assert_int_equal(v.count, 0);
	fake_kernel_destroy(k);
}

static void tree_that_was_bent(void **state)
{
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	struct tree t = make_tree(k);
	struct visits v = { 0 };

	put_rb(k, t.nodes[0], t.nodes[1], 0, t.nodes[3], 1); /* up again */
	assert_error_says(walk_tree(k, t.root, &v), KSMA_ERROR_BAD_DATA, "parent");
	put_rb(k, t.nodes[0], t.nodes[1], t.nodes[0], 0, 1); /* itself */
	assert_error(walk_tree(k, t.root, &v), KSMA_ERROR_BAD_DATA);
	put_rb(k, t.nodes[0], t.nodes[1], t.nodes[4], t.nodes[4], 1); /* one child twice */
	assert_error_says(walk_tree(k, t.root, &v), KSMA_ERROR_BAD_DATA, "twice");
	put_rb(k, t.nodes[0], t.nodes[1], 0, 0xdead000000000000ull, 1);
	assert_error(walk_tree(k, t.root, &v), KSMA_ERROR_FAULT);
	fake_kernel_destroy(k);
}

static void tree_that_is_a_line(void **state)
{
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	uint64_t root = page(k), parent = 0, first = 0;
	struct visits v = { 0 };

	for (int i = 0; i < 200; i++) {
		uint64_t node = fake_kernel_alloc(k, 24, 8);

		put_rb(k, node, parent, 0, 0, 1);
		if (parent)
			fake_kernel_put64(k, parent + 16, node);
		else
			first = node;
		parent = node;
	}
	fake_kernel_put64(k, root, first);
	assert_error_says(walk_tree(k, root, &v), KSMA_ERROR_BAD_DATA, "too deep");
	fake_kernel_destroy(k);
}

/* --- maple trees --- */

enum { LEAF = 1, RANGE = 2, ARANGE = 3 };

static uint64_t maple_node(struct fake_kernel *k)
{
	return fake_kernel_alloc(k, KSMA_PAGE_SIZE, KSMA_PAGE_SIZE);
}

static uint64_t maple_entry(uint64_t node, unsigned type)
{
	return node | type << 3 | 2 | 4;
}

struct maple {
	uint64_t root, top, leaves[2];
};

/* A top of two leaves: [0x1000, 0x2000) and [0x5000, 0x6000) in the first, [0x10000, 0x20000) in the second. */
static struct maple make_maple(struct fake_kernel *k, unsigned type)
{
	struct maple m = { .root = page(k) };
	unsigned slot = type == ARANGE ? 80 : 128, meta = type == ARANGE ? 240 : 248;

	m.top = maple_node(k);
	m.leaves[0] = maple_node(k);
	m.leaves[1] = maple_node(k);
	fake_kernel_put64(k, m.root + 8, maple_entry(m.top, type));
	fake_kernel_put64(k, m.top, m.root | 1);
	fake_kernel_put64(k, m.top + 8, 0xffff);
	fake_kernel_put64(k, m.top + slot, maple_entry(m.leaves[0], LEAF));
	fake_kernel_put64(k, m.top + slot + 8, maple_entry(m.leaves[1], LEAF));
	fake_kernel_put(k, m.top + meta, 1, 1);

	fake_kernel_put64(k, m.leaves[0], m.top | 2);
	fake_kernel_put64(k, m.leaves[0] + 8, 0xfff);
	fake_kernel_put64(k, m.leaves[0] + 16, 0x1fff);
	fake_kernel_put64(k, m.leaves[0] + 24, 0x4fff);
	fake_kernel_put64(k, m.leaves[0] + 32, 0x5fff);
	fake_kernel_put64(k, m.leaves[0] + 40, 0xffff);
	fake_kernel_put64(k, m.leaves[0] + 128 + 8, 0xa000);
	fake_kernel_put64(k, m.leaves[0] + 128 + 24, 0xb000);
	fake_kernel_put(k, m.leaves[0] + 248, 4, 1);

	fake_kernel_put64(k, m.leaves[1], m.top | 2 | 8);
	fake_kernel_put64(k, m.leaves[1] + 8, 0x1ffff);
	fake_kernel_put64(k, m.leaves[1] + 128, 0xc000);
	fake_kernel_put64(k, m.leaves[1] + 128 + 8, 1030); /* reserved */
	fake_kernel_put(k, m.leaves[1] + 248, 1, 1);
	return m;
}

static struct ksma_error *walk_maple(struct fake_kernel *k, uint64_t root, struct visits *v)
{
	struct ksma_budget budget = ksma_budget_default();

	*v = (struct visits){ 0 };
	return ksma_kernel_maple(&k->kernel, root, &budget, on_indexed, v);
}

static void maple_is_visited_in_order(void **state)
{
	static const uint64_t indices[] = { 0x1000, 0x5000, 0x10000 },
			      entries[] = { 0xa000, 0xb000, 0xc000 };
	struct visits v;

	for (unsigned type = RANGE; type <= ARANGE; type++) {
		struct fake_kernel *k = kernel_create(FAKE_MAPPED);
		struct maple m = make_maple(k, type);

		assert_ok(walk_maple(k, m.root, &v));
		assert_int_equal(v.count, 3);
		assert_memory_equal(v.indices, indices, sizeof(indices));
		assert_memory_equal(v.entries, entries, sizeof(entries));
		fake_kernel_destroy(k);
	}
}

static void maple_leaf_that_is_full(void **state)
{
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	uint64_t root = page(k), leaf = maple_node(k);
	struct visits v;

	fake_kernel_put64(k, root + 8, maple_entry(leaf, LEAF));
	fake_kernel_put64(k, leaf, root | 1);
	for (uint64_t i = 0; i < 16; i++) {
		if (i < 15)
			fake_kernel_put64(k, leaf + 8 + 8 * i, 0x1000 * (i + 1) - 1);
		fake_kernel_put64(k, leaf + 128 + 8 * i, 0x100000 + 0x1000 * i);
	}
	assert_ok(walk_maple(k, root, &v));
	assert_int_equal(v.count, 16);
	assert_int_equal(v.indices[15], 0xf000);
	/* The last pivot reaches the end: there is no last slot, and what lies there is the node's own business. */
	fake_kernel_put64(k, leaf + 8 + 8 * 14, UINT64_MAX);
	assert_ok(walk_maple(k, root, &v));
	assert_int_equal(v.count, 15);
	fake_kernel_destroy(k);
}

static void maple_without_nodes(void **state)
{
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	uint64_t root = page(k);
	struct visits v;

	assert_ok(walk_maple(k, root, &v));
	assert_int_equal(v.count, 0);
	fake_kernel_put64(k, root + 8, 0x1000);
	assert_ok(walk_maple(k, root, &v));
	assert_int_equal(v.count, 1);
	fake_kernel_destroy(k);
}

static void maple_that_was_bent(void **state)
{
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	struct maple m = make_maple(k, ARANGE);
	struct visits v;

	fake_kernel_put64(k, m.leaves[1], m.leaves[1]); /* replaced, and not yet freed */
	assert_error_says(walk_maple(k, m.root, &v), KSMA_ERROR_BAD_DATA, "parent");
	fake_kernel_put64(k, m.leaves[1], m.top);
	fake_kernel_put64(k, m.top + 88, maple_entry(m.top, ARANGE)); /* a node in itself */
	assert_error(walk_maple(k, m.root, &v), KSMA_ERROR_BAD_DATA);
	fake_kernel_put64(k, m.top + 88, maple_entry(m.leaves[1], 4));
	assert_error_says(walk_maple(k, m.root, &v), KSMA_ERROR_BAD_DATA, "type");
	fake_kernel_put64(k, m.top + 88, 0);
	assert_error_says(walk_maple(k, m.root, &v), KSMA_ERROR_BAD_DATA, "branch");
	fake_kernel_put64(k, m.top + 88, maple_entry(m.leaves[1], LEAF));
	fake_kernel_put64(k, m.leaves[0] + 24, 0x1fff);
	assert_error_says(walk_maple(k, m.root, &v), KSMA_ERROR_BAD_DATA, "pivots");
	fake_kernel_put64(k, m.leaves[0] + 24, 0x10000);
	assert_error_says(walk_maple(k, m.root, &v), KSMA_ERROR_BAD_DATA, "pivots");
	fake_kernel_put64(k, m.leaves[0] + 24, 0x4fff);
	fake_kernel_put(k, m.top + 240, 10, 1);
	assert_error_says(walk_maple(k, m.root, &v), KSMA_ERROR_BAD_DATA, "more slots");
	fake_kernel_put(k, m.top + 240, 1, 1);
	fake_kernel_put64(k, m.top, m.top | 1); /* the root of another tree */
	assert_error_says(walk_maple(k, m.root, &v), KSMA_ERROR_BAD_DATA, "parent");
	fake_kernel_put64(k, m.top, m.root | 1);
	assert_ok(walk_maple(k, m.root, &v));
	fake_kernel_destroy(k);
}

/* --- every read fails once --- */

struct runner {
	struct fake_kernel *k;
	uint64_t root;
	struct ksma_error *(*walk)(struct fake_kernel *k, uint64_t root, struct visits *v);
	size_t full;
};

static struct ksma_error *run(struct fake_guest *fake, void *state)
{
	struct runner *r = state;
	struct visits v = { 0 };
	struct ksma_error *error;

	ksma_space_flush(&r->k->kernel.space);
	error = r->walk(r->k, r->root, &v);
	/* What could not be read is an error, never a shorter answer. */
	if (error)
		assert_int_equal(error->code, KSMA_ERROR_FAULT);
	else
		assert_int_equal(v.count, r->full);
	return error;
}

static void every_failed_read_is_an_error(void **state)
{
	struct fake_kernel *k = kernel_create(FAKE_COPIED);
	uint64_t entries[3];
	const struct runner runners[] = {
		{ k, make_list(k, entries), walk_list, 3 },
		{ k, make_xarray(k).root, walk_xarray, 4 },
		{ k, make_tree(k).root, walk_tree, 5 },
		{ k, make_maple(k, ARANGE).root, walk_maple, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(runners); i++) {
		struct runner r = runners[i];

		assert_true(fake_guest_fail_each(k->fake, run, &r) >= 4);
	}
	fake_kernel_destroy(k);
}

static void budgets_end_every_walk(void **state)
{
	struct fake_kernel *k = kernel_create(FAKE_MAPPED);
	struct visits v = { 0 };
	uint64_t x = make_xarray(k).root, t = make_tree(k).root, m = make_maple(k, RANGE).root;

	for (uint64_t nodes = 0; nodes < 5; nodes++) {
		v.count = 0;
		assert_error(ksma_kernel_xarray(&k->kernel, x, &(struct ksma_budget){ nodes, 0 },
						on_indexed, &v),
			     KSMA_ERROR_LIMIT);
		assert_error(ksma_kernel_rbtree(&k->kernel, t, &(struct ksma_budget){ nodes, 0 },
						on_entry, &v),
			     KSMA_ERROR_LIMIT);
		assert_error(ksma_kernel_maple(&k->kernel, m, &(struct ksma_budget){ nodes, 0 },
					       on_indexed, &v),
			     KSMA_ERROR_LIMIT);
	}
	fake_kernel_destroy(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_is_visited_in_order),
		cmocka_unit_test(list_that_does_not_come_back),
		cmocka_unit_test(list_with_wild_pointers),
		cmocka_unit_test(list_longer_than_the_budget),
		cmocka_unit_test(xarray_is_visited_in_order),
		cmocka_unit_test(xarray_without_nodes),
		cmocka_unit_test(xarray_that_was_bent),
		cmocka_unit_test(xarray_is_asked_for_one_index),
		cmocka_unit_test(xarray_of_an_unknown_kernel),
		cmocka_unit_test(tree_is_visited_in_order),
		cmocka_unit_test(tree_that_was_bent),
		cmocka_unit_test(tree_that_is_a_line),
		cmocka_unit_test(maple_is_visited_in_order),
		cmocka_unit_test(maple_leaf_that_is_full),
		cmocka_unit_test(maple_without_nodes),
		cmocka_unit_test(maple_that_was_bent),
		cmocka_unit_test(every_failed_read_is_an_error),
		cmocka_unit_test(budgets_end_every_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
