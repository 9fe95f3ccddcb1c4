/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sorts the leaves of the kernel's page tables by what checks ask about them. */
#include "checks/pages.h"

#include "checks/check.h"

#define KERNEL_HALF 0xffff800000000000ull
#define KERNEL_HALF_L5 0xff00000000000000ull

/* Of one kind; an honest guest of a terabyte has a tenth of it. */
enum { MAX_RANGES = 1 << 20 };

struct gather {
	const struct ksma_kernel *kernel;
	struct ksma_pages *pages;
	struct ksma_error *error;
	bool full;
};

uint64_t ksma_pages_kernel_half(const struct ksma_kernel *kernel)
{
	return kernel->space.levels == 5 ? KERNEL_HALF_L5 : KERNEL_HALF;
}

void ksma_pages_deinit(struct ksma_pages *pages)
{
	free(pages->executable.items);
	free(pages->user.items);
	free(pages->writable.items);
	free(pages->foreign.items);
	ksma_coverage_deinit(&pages->coverage);
	*pages = (struct ksma_pages){ 0 };
}

static void keep(struct gather *g, struct ksma_page_list *list, const struct ksma_range *range)
{
	struct ksma_range *last = list->count ? &list->items[list->count - 1] : NULL;
	const uint64_t rights = KSMA_PTE_W | KSMA_PTE_U | KSMA_PTE_NX;

	if (g->error || g->full)
		return;
	if (last && last->gva + last->size == range->gva && last->gpa + last->size == range->gpa &&
	    ((last->flags ^ range->flags) & rights) == 0) {
		last->size += range->size;
		return;
	}
	g->full = list->count == MAX_RANGES;
	if (!g->full)
		g->error = KSMA_ARRAY_PUSH(list, &last);
	if (!g->full && !g->error)
		*last = *range;
}

/* The part of a range that lies in the image and is not where the rest of the image is. */
static void keep_foreign(struct gather *g, const struct ksma_range *range)
{
	const struct ksma_kernel *kernel = g->kernel;
	struct ksma_range part = *range;
	uint64_t last = range->gva + (range->size - 1);

	if (last < kernel->image || range->gva >= kernel->image_end ||
	    range->gpa - range->gva == kernel->physical_base - kernel->image)
		return;
	if (part.gva < kernel->image) {
		part.gpa += kernel->image - part.gva;
		part.gva = kernel->image;
	}
	if (last >= kernel->image_end)
		last = kernel->image_end - 1;
	part.size = last - part.gva + 1;
	keep(g, &g->pages->foreign, &part);
}

static bool take_range(void *arg, const struct ksma_range *range)
{
	struct gather *g = arg;

	if (!(range->flags & KSMA_PTE_NX))
		keep(g, &g->pages->executable, range);
	else if (range->flags & KSMA_PTE_W)
		keep(g, &g->pages->writable, range);
	if (range->flags & KSMA_PTE_U)
		keep(g, &g->pages->user, range);
	keep_foreign(g, range);
	return !g->error && !g->full;
}

struct ksma_error *ksma_pages_walk(struct ksma_kernel *kernel, struct ksma_space *space,
				   uint64_t start, uint64_t last, struct ksma_pages *ret_pages)
{
	struct ksma_pages pages = { .gathered = true };
	struct gather g = { .kernel = kernel, .pages = &pages };
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_error *error = ksma_space_walk(space, start, last, KSMA_WALK_ONCE, &budget,
						   &pages.coverage, take_range, &g);

	if (!g.error && error && error->code == KSMA_ERROR_NOMEM)
		g.error = TAKE_PTR(error);
	if (g.error) {
		ksma_error_destroy(error);
		ksma_pages_deinit(&pages);
		return g.error;
	}
	if (g.full)
		ksma_coverage_gap(&pages.coverage, KSMA_COVERAGE_PARTIAL,
				  "the page tables map more than %d pieces", MAX_RANGES);
	ksma_coverage_error(&pages.coverage, KSMA_COVERAGE_PARTIAL, error, "the page tables");
	*ret_pages = pages;
	return NULL;
}

struct ksma_error *ksma_look_pages(struct ksma_look *look, const struct ksma_pages **ret_pages)
{
	struct ksma_pages *pages = look->pages;
	struct ksma_coverage gaps = { 0 };

	if (!pages->gathered)
		KSMA_TRY(ksma_pages_walk(look->kernel, &look->kernel->space,
					 ksma_pages_kernel_half(look->kernel), UINT64_MAX, pages));
	if (pages->coverage.state != KSMA_COVERAGE_COMPLETE)
		ksma_coverage_gap(&gaps, pages->coverage.state, "%s",
				  pages->coverage.reason ?: "page tables");
	ksma_coverage_merge(look->coverage, &gaps);
	*ret_pages = pages;
	return NULL;
}

bool ksma_pages_is_code(const struct ksma_pages *pages, uint64_t gva)
{
	const struct ksma_page_list *list = &pages->executable;
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->items[middle].gva + (list->items[middle].size - 1) < gva)
			low = middle + 1;
		else
			high = middle;
	}
	return low < list->count && list->items[low].gva <= gva;
}
