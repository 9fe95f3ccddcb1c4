/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads vmalloc areas out of their red-black trees, whichever way this kernel keeps them. */
#include "linux/vmap.h"

#include "base/bytes.h"

enum { MAX_NODES = 1024, VM_STRUCT_WINDOW = 128, AREA_WINDOW = 128 };

struct reader {
	struct ksma_kernel *kernel;
	uint64_t start, end;
	struct ksma_vmap vmap;
	struct ksma_error *error;
};

void ksma_vmap_free(struct ksma_vmap *vmap)
{
	free(vmap->items);
	*vmap = (struct ksma_vmap){ 0 };
}

static bool member_fits(int32_t offset, size_t window)
{
	return offset != KSMA_NO_MEMBER && (size_t)offset + 8 <= window;
}

/* One rb_node of a vmap_area. */
static bool take_area(void *arg, uint64_t node)
{
	struct reader *r = arg;
	const struct ksma_offsets *off = &r->kernel->off;
	uint64_t at = node - (uint64_t)off->vmap_area__rb_node, start, end, vm;
	uint8_t area[AREA_WINDOW], allocation[VM_STRUCT_WINDOW];
	struct ksma_vmap_area *item;

	if (!ksma_kernel_bytes(r->kernel, at, area, sizeof(area))) {
		r->error =
			ksma_error_create(KSMA_ERROR_BAD_DATA, "a vmalloc area at 0x%llx vanished",
					  (unsigned long long)at);
		return false;
	}
	start = ksma_le64(area + off->vmap_area__va_start);
	end = ksma_le64(area + off->vmap_area__va_end);
	vm = ksma_le64(area + off->vmap_area__vm);
	if (end <= r->start || start >= r->end)
		return true;
	r->error = KSMA_ARRAY_PUSH(&r->vmap, &item);
	if (r->error)
		return false;
	item->start = start;
	item->end = end;
	/* `vm` shares its place with something else while the area is free or being freed: believe it only when it fits. */
	if (vm && ksma_kernel_bytes(r->kernel, vm, allocation, sizeof(allocation)) &&
	    ksma_le64(allocation + off->vm_struct__addr) == start) {
		item->size = ksma_le64(allocation + off->vm_struct__size);
		item->caller = ksma_le64(allocation + off->vm_struct__caller);
	}
	return true;
}

static struct ksma_error *read_tree(struct reader *r, uint64_t root)
{
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_error *error = ksma_kernel_rbtree(r->kernel, root, &budget, take_area, r);

	if (r->error) {
		ksma_error_destroy(error);
		return TAKE_PTR(r->error);
	}
	return ksma_error_prefix(error, "the tree of vmalloc areas");
}

static struct ksma_error *read_nodes(struct reader *r, uint64_t nodes_at)
{
	uint64_t count_at, nodes;
	uint32_t count;

	KSMA_TRY(KSMA_NEED(r->kernel, vmap_node__busy_root));
	KSMA_TRY(ksma_kernel_need_symbol(r->kernel, "nr_vmap_nodes", &count_at));
	if (!ksma_kernel_u64(r->kernel, nodes_at, &nodes) ||
	    !ksma_kernel_u32(r->kernel, count_at, &count))
		return ksma_error_fault(nodes_at, "vmap_nodes cannot be read");
	if (!r->kernel->size.vmap_node || count > MAX_NODES)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "%u vmalloc nodes are more than any machine has", count);
	for (uint32_t i = 0; i < count; i++)
		KSMA_TRY(read_tree(r, nodes + (uint64_t)i * r->kernel->size.vmap_node +
					      (uint64_t)r->kernel->off.vmap_node__busy_root));
	return NULL;
}

static int by_start(const void *a, const void *b)
{
	const struct ksma_vmap_area *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

struct ksma_error *ksma_linux_vmap(struct ksma_kernel *kernel, uint64_t start, uint64_t end,
				   struct ksma_vmap *ret_vmap)
{
	struct reader r = { .kernel = kernel, .start = start, .end = end };
	uint64_t nodes = ksma_kernel_symbol(kernel, "vmap_nodes"),
		 root = ksma_kernel_symbol(kernel, "vmap_area_root");
	const struct ksma_offsets *off = &kernel->off;
	struct ksma_error *error;

	if (!member_fits(off->vmap_area__va_start, AREA_WINDOW) ||
	    !member_fits(off->vmap_area__va_end, AREA_WINDOW) ||
	    !member_fits(off->vmap_area__vm, AREA_WINDOW) ||
	    !member_fits(off->vmap_area__rb_node, AREA_WINDOW) ||
	    !member_fits(off->vm_struct__addr, VM_STRUCT_WINDOW) ||
	    !member_fits(off->vm_struct__size, VM_STRUCT_WINDOW) ||
	    !member_fits(off->vm_struct__caller, VM_STRUCT_WINDOW))
		return ksma_kernel_missing_member("vmap_area or vm_struct as it is known here");
	if (nodes)
		error = read_nodes(&r, nodes);
	else if (root)
		error = read_tree(&r, root);
	else
		error = ksma_error_create(KSMA_ERROR_NOT_PRESENT,
					  "this kernel has neither vmap_nodes nor vmap_area_root");
	if (error) {
		ksma_vmap_free(&r.vmap);
		return error;
	}
	if (r.vmap.count)
		qsort(r.vmap.items, r.vmap.count, sizeof(*r.vmap.items), by_start);
	*ret_vmap = r.vmap;
	return NULL;
}

const struct ksma_vmap_area *ksma_vmap_find(const struct ksma_vmap *vmap, uint64_t gva)
{
	size_t low = 0, high = vmap->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (vmap->items[middle].end <= gva)
			low = middle + 1;
		else
			high = middle;
	}
	return low < vmap->count && vmap->items[low].start <= gva ? &vmap->items[low] : NULL;
}
