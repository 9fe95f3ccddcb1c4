/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads what the allocator of the range of modules remembers of its pieces. */
#include "checks/bounds.h"

#include "linux/retry.h"

enum { MAX_PIECES = 1 << 17 };

struct reading {
	struct ksma_bounds pieces; /* of the cache; ends are not known yet */
	struct ksma_error *error;
	bool free;
};

void ksma_bounds_deinit(struct ksma_bounds *bounds)
{
	free(bounds->items);
	*bounds = (struct ksma_bounds){ 0 };
}

static int by_start(const void *a, const void *b)
{
	const struct ksma_bound *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void sort(struct ksma_bounds *bounds)
{
	if (bounds->count)
		qsort(bounds->items, bounds->count, sizeof(*bounds->items), by_start);
}

static struct ksma_error *add(struct ksma_bounds *bounds, uint64_t start, uint64_t end, bool free)
{
	struct ksma_bound *bound;

	if (bounds->count == MAX_PIECES)
		return ksma_budget_error("allocations of executable memory");
	KSMA_TRY(KSMA_ARRAY_PUSH(bounds, &bound));
	*bound = (struct ksma_bound){ start, end, free };
	return NULL;
}

static bool take_piece(void *arg, uint64_t index, uint64_t entry)
{
	struct reading *r = arg;

	(void)entry;
	r->error = add(&r->pieces, index, index, r->free);
	return !r->error;
}

/* Busy and free pieces together fill the areas of the cache, so that each ends where the next one begins. */
static struct ksma_error *read_cache(struct ksma_kernel *kernel, uint64_t cache, struct reading *r)
{
	const int32_t trees[] = { kernel->off.execmem_cache__busy_areas,
				  kernel->off.execmem_cache__free_areas };
	struct ksma_error *error = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(trees) && !error; i++) {
		struct ksma_budget budget = ksma_budget_default();

		if (trees[i] == KSMA_NO_MEMBER)
			return ksma_kernel_missing_member("execmem_cache.busy_areas");
		r->free = i == 1;
		error = ksma_kernel_maple(kernel, cache + (uint64_t)trees[i], &budget, take_piece,
					  r);
		if (r->error) {
			ksma_error_destroy(error);
			error = TAKE_PTR(r->error);
		}
	}
	return error;
}

static struct ksma_error *read_pieces(struct ksma_kernel *kernel, struct ksma_coverage *coverage,
				      struct ksma_bounds *ret_pieces)
{
	uint64_t cache = ksma_kernel_symbol(kernel, "execmem_cache");
	struct reading r = { 0 };
	struct ksma_error *error;
	unsigned attempt = 0;

	if (!cache)
		return NULL;
	do {
		r.pieces.count = 0;
		error = read_cache(kernel, cache, &r);
	} while (ksma_kernel_retry(kernel, &attempt, &error));
	*ret_pieces = r.pieces;
	if (!error)
		return NULL;
	ret_pieces->count = 0;
	if (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST)
		return error;
	ksma_coverage_error(coverage, KSMA_COVERAGE_PARTIAL, error,
			    "the cache of executable memory");
	return NULL;
}

/* An area, or the pieces that it was cut into. `at` goes along the pieces. */
static struct ksma_error *add_area(struct ksma_bounds *bounds, const struct ksma_vmap_area *area,
				   const struct ksma_bounds *pieces, size_t *at)
{
	while (*at < pieces->count && pieces->items[*at].start < area->start)
		++*at;
	if (*at == pieces->count || pieces->items[*at].start >= area->end)
		return add(bounds, area->start, area->end, false);
	for (; *at < pieces->count && pieces->items[*at].start < area->end; ++*at) {
		uint64_t end = *at + 1 < pieces->count ? pieces->items[*at + 1].start : area->end;

		KSMA_TRY(add(bounds, pieces->items[*at].start, end < area->end ? end : area->end,
			     pieces->items[*at].free));
	}
	return NULL;
}

struct ksma_error *ksma_bounds_init(struct ksma_kernel *kernel, const struct ksma_vmap *vmap,
				    struct ksma_coverage *coverage, struct ksma_bounds *ret_bounds)
{
	_cleanup_(ksma_bounds_deinit) struct ksma_bounds pieces = { 0 }, bounds = { 0 };
	size_t at = 0;

	KSMA_TRY(read_pieces(kernel, coverage, &pieces));
	sort(&pieces);
	for (size_t i = 0; i < vmap->count; i++)
		KSMA_TRY(add_area(&bounds, &vmap->items[i], &pieces, &at));
	*ret_bounds = bounds;
	bounds = (struct ksma_bounds){ 0 };
	return NULL;
}

bool ksma_bounds_clip(const struct ksma_bounds *bounds, uint64_t base, uint64_t size,
		      uint64_t *ret_end)
{
	size_t low = 0, high = bounds->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (bounds->items[middle].start < base)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_end = base;
	if (low == bounds->count || bounds->items[low].start != base || bounds->items[low].free)
		return false;
	*ret_end = bounds->items[low].end - base < size ? bounds->items[low].end : base + size;
	return *ret_end - base == size;
}
