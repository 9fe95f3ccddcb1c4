/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the memory areas of a process from the kernel's own container of them.
 *
 * Source: include/linux/mm_types.h, mm/mmap.c. */
#include "linux/areas.h"

enum { AREAS_MAX = 1 << 20 /* sysctl_max_map_count is 65530 unless root raises it */ };

struct collect {
	struct ksma_area_reader *reader;
	struct ksma_areas *areas;
	uint64_t mm;
	struct ksma_error *error; /* of the walk's callback */
	bool torn;
};

static void add_window(struct ksma_area_reader *reader)
{
	const struct ksma_offsets *off = &reader->kernel->off;
	const int32_t words[] = {
		off->vm_area_struct__vm_start, off->vm_area_struct__vm_end,
		off->vm_area_struct__vm_flags, off->vm_area_struct__vm_pgoff,
		off->vm_area_struct__vm_file,  off->vm_area_struct__vm_ops,
		off->vm_area_struct__vm_mm,    off->vm_area_struct__vm_private_data
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		ksma_window_add(&reader->window, words[i], 8);
}

bool ksma_area_read(struct ksma_area_reader *reader, uint64_t address, struct ksma_area *ret_area)
{
	const struct ksma_offsets *off = &reader->kernel->off;
	const struct ksma_window *w = &reader->window;
	uint8_t bytes[KSMA_WINDOW_MAX];

	if (!ksma_window_read(reader->kernel, w, address, bytes))
		return false;
	*ret_area = (struct ksma_area){
		.address = address,
		.start = ksma_window_u64(w, bytes, off->vm_area_struct__vm_start),
		.end = ksma_window_u64(w, bytes, off->vm_area_struct__vm_end),
		.flags = ksma_window_u64(w, bytes, off->vm_area_struct__vm_flags),
		.pgoff = ksma_window_u64(w, bytes, off->vm_area_struct__vm_pgoff),
		.file = ksma_window_u64(w, bytes, off->vm_area_struct__vm_file),
		.ops = ksma_window_u64(w, bytes, off->vm_area_struct__vm_ops),
		.private = ksma_window_u64(w, bytes, off->vm_area_struct__vm_private_data),
		.mm = ksma_window_u64(w, bytes, off->vm_area_struct__vm_mm),
	};
	return true;
}

/* An area belongs to this process, has a length, and lies behind the one before it. @return false to end the walk */
static bool take_area(struct collect *collect, uint64_t address)
{
	const struct ksma_area *last =
		collect->areas->count ? &collect->areas->items[collect->areas->count - 1] : NULL;
	struct ksma_area area, *item;

	if (!ksma_area_read(collect->reader, address, &area) || area.mm != collect->mm ||
	    area.start >= area.end || (last && area.start < last->end)) {
		collect->torn = true;
		return false;
	}
	if (collect->areas->count >= AREAS_MAX)
		collect->error =
			ksma_error_create(KSMA_ERROR_LIMIT, "more than %d memory areas", AREAS_MAX);
	else
		collect->error = KSMA_ARRAY_PUSH(collect->areas, &item);
	if (collect->error)
		return false;
	*item = area;
	return true;
}

static bool take_maple(void *arg, uint64_t index, uint64_t entry)
{
	struct collect *collect = arg;
	bool more = take_area(collect, entry);

	if (more && collect->areas->items[collect->areas->count - 1].start != index) {
		collect->torn = true;
		return false;
	}
	return more;
}

/* A maple tree since 524e00b36e8c ("mm: remove rb tree.", 6.1), before it a list. */
static struct ksma_error *walk_areas(struct collect *collect, struct ksma_budget *budget)
{
	struct ksma_kernel *kernel = collect->reader->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t area;

	if (off->mm_struct__mm_mt >= 0)
		return ksma_kernel_maple(kernel, collect->mm + (uint32_t)off->mm_struct__mm_mt,
					 budget, take_maple, collect);
	if (!ksma_kernel_u64(kernel, collect->mm + (uint32_t)off->mm_struct__mmap, &area))
		collect->torn = true;
	while (!collect->torn && area) {
		if (!ksma_budget_spend(budget))
			return ksma_budget_error("the list of memory areas");
		/* Areas only rise, so that the list cannot go in circles. */
		if (!take_area(collect, area))
			break;
		collect->torn = !ksma_kernel_u64(
			kernel, area + (uint32_t)off->vm_area_struct__vm_next, &area);
	}
	return NULL;
}

static struct ksma_error *check_members(const struct ksma_kernel *kernel)
{
	KSMA_TRY(KSMA_NEED(kernel, mm_struct__map_count));
	KSMA_TRY(KSMA_NEED(kernel, vm_area_struct__vm_start));
	KSMA_TRY(KSMA_NEED(kernel, vm_area_struct__vm_end));
	KSMA_TRY(KSMA_NEED(kernel, vm_area_struct__vm_flags));
	KSMA_TRY(KSMA_NEED(kernel, vm_area_struct__vm_mm));
	KSMA_TRY(KSMA_NEED(kernel, vm_area_struct__vm_file));
	if (kernel->off.mm_struct__mm_mt < 0) {
		KSMA_TRY(KSMA_NEED(kernel, mm_struct__mmap));
		KSMA_TRY(KSMA_NEED(kernel, vm_area_struct__vm_next));
	}
	return NULL;
}

struct ksma_error *ksma_area_reader_init(struct ksma_area_reader *reader,
					 struct ksma_kernel *kernel)
{
	*reader = (struct ksma_area_reader){ .kernel = kernel };
	KSMA_TRY(check_members(kernel));
	add_window(reader);
	reader->special_name = ksma_kernel_symbol(kernel, "special_mapping_name");
	return ksma_window_check(&reader->window, "vm_area_struct");
}

struct ksma_error *ksma_areas_read(struct ksma_area_reader *reader, uint64_t mm,
				   struct ksma_areas *areas, bool *ret_torn)
{
	struct collect collect = { .reader = reader, .areas = areas, .mm = mm };
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_error *error;
	uint32_t count;

	areas->count = 0;
	error = walk_areas(&collect, &budget);
	if (collect.error) {
		ksma_error_destroy(error);
		return collect.error;
	}
	if (error && error->code != KSMA_ERROR_BAD_DATA && error->code != KSMA_ERROR_FAULT)
		return error;
	*ret_torn =
		error || collect.torn ||
		!ksma_kernel_u32(reader->kernel,
				 mm + (uint32_t)reader->kernel->off.mm_struct__map_count, &count) ||
		count != areas->count;
	ksma_error_destroy(error);
	return NULL;
}

const struct ksma_area *ksma_area_at(const struct ksma_areas *areas, uint64_t address)
{
	size_t low = 0, high = areas->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (areas->items[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < areas->count && areas->items[low].start <= address ? &areas->items[low] : NULL;
}

bool ksma_area_special_name(struct ksma_area_reader *reader, const struct ksma_area *area,
			    char *buffer, size_t size)
{
	const struct ksma_offsets *off = &reader->kernel->off;
	uint64_t function, name;

	return area->ops && reader->special_name && off->vm_operations_struct__name >= 0 &&
	       off->vm_special_mapping__name >= 0 &&
	       ksma_kernel_u64(reader->kernel,
			       area->ops + (uint32_t)off->vm_operations_struct__name, &function) &&
	       function == reader->special_name &&
	       ksma_kernel_u64(reader->kernel,
			       area->private + (uint32_t)off->vm_special_mapping__name, &name) &&
	       ksma_kernel_string(reader->kernel, name, buffer, size) && buffer[0];
}
