/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's physical memory as its command line implies it, for guests whose monitor is out of reach.
 *
 * Source: pc_init1() in hw/i386/pc_piix.c, pc_q35_init() in hw/i386/pc_q35.c, microvm_memory_init() in hw/i386/microvm.c,
 * pc_memory_init() in hw/i386/pc.c of QEMU 7.2; the same up to 10.1. */
#include "guest/layout.h"

#define GIB (UINT64_C(1) << 30)

enum { LAYOUT_DIMM_ALIGN = 2 << 20, VIDEO_START = 0xa0000, VIDEO_END = 0xc0000 };

/* How a machine lays out its memory. */
struct split {
	uint64_t low; /* size of the memory below 4 GiB */
	bool video;   /* has a window for video memory in it */
};

static bool is_machine(const char *machine, const char *alias, const char *prefix)
{
	return strcmp(machine, alias) == 0 || strncmp(machine, prefix, strlen(prefix)) == 0;
}

static struct ksma_error *find_split(const struct ksma_cmdline *cmdline, struct split *ret_split)
{
	uint64_t ram = cmdline->ram_bytes;
	uint64_t limit = cmdline->max_ram_below_4g;
	uint64_t low;

	if (is_machine(cmdline->machine, "q35", "pc-q35")) {
		low = ram >= 0xb0000000 ? 0x80000000 : 0xb0000000;
		if (limit && low > limit)
			low = limit;
	} else if (is_machine(cmdline->machine, "pc", "pc-i440fx")) {
		low = limit ? limit : 0xe0000000;
		if (ram >= low && low > 0xc0000000)
			low = 0xc0000000;
	} else if (is_machine(cmdline->machine, "microvm", "microvm")) {
		low = 0xc0000000;
	} else {
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"the memory map of machine type %s is not known without its "
			"monitor",
			cmdline->machine);
	}
	*ret_split = (struct split){ .low = ram < low ? ram : low,
				     .video = strncmp(cmdline->machine, "microvm", 7) != 0 };
	return NULL;
}

static struct ksma_error *add(struct ksma_mtree *layout, const char *backend, uint64_t gpa,
			      uint64_t offset, uint64_t size)
{
	struct ksma_mtree_range *item;

	if (size == 0)
		return NULL;
	if (strlen(backend) >= sizeof(item->backend) || gpa > UINT64_MAX - size ||
	    (layout->count &&
	     gpa < layout->items[layout->count - 1].gpa + layout->items[layout->count - 1].size))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the command line's memory does not fit together");
	KSMA_TRY(KSMA_ARRAY_PUSH(layout, &item));
	item->gpa = gpa;
	item->offset = offset;
	item->size = size;
	strcpy(item->backend, backend);
	return NULL;
}

/* Lays the part of a backend that is below or above the hole; it begins at `position` of the machine's memory. On a PC the
 * window of the video memory covers what lies below it. */
static struct ksma_error *add_main(struct ksma_mtree *layout,
				   const struct ksma_cmdline_backend *backend, uint64_t position,
				   const struct split *split, bool above)
{
	uint64_t low = split->low;
	uint64_t below = position < low ? low - position : 0;

	if (below > backend->size)
		below = backend->size;
	if (above)
		return add(layout, backend->id, 4 * GIB + position + below - low, below,
			   backend->size - below);
	if (position || !split->video || below <= VIDEO_END)
		return add(layout, backend->id, position, 0, below);
	KSMA_TRY(add(layout, backend->id, 0, 0, VIDEO_START));
	return add(layout, backend->id, VIDEO_END, VIDEO_END, below - VIDEO_END);
}

/* The machine's next backend in the order of nodes, after `last`; NULL at the end. */
static const struct ksma_cmdline_backend *next_main(const struct ksma_cmdline *cmdline,
						    const struct ksma_cmdline_backend *last)
{
	const struct ksma_cmdline_backend *best = NULL;

	for (size_t i = 0; i < cmdline->backend_count; i++) {
		const struct ksma_cmdline_backend *b = &cmdline->backends[i];

		if (b->in_machine && (!last || b->node > last->node) &&
		    (!best || b->node < best->node))
			best = b;
	}
	return best;
}

static struct ksma_error *add_dimms(struct ksma_mtree *layout, const struct ksma_cmdline *cmdline,
				    uint64_t base)
{
	for (size_t i = 0; i < cmdline->backend_count; i++) {
		const struct ksma_cmdline_backend *b = &cmdline->backends[i];

		if (!b->dimm)
			continue;
		if (b->size > UINT64_MAX / 4)
			return ksma_error_create(KSMA_ERROR_BAD_DATA, "a DIMM of impossible size");
		if (b->dimm_address)
			base = b->dimm_address;
		KSMA_TRY(add(layout, b->id, base, 0, b->size));
		base = ksma_align_up(base + b->size, LAYOUT_DIMM_ALIGN);
	}
	return NULL;
}

static struct ksma_error *add_all(struct ksma_mtree *layout, const struct ksma_cmdline *cmdline)
{
	const struct ksma_cmdline_backend *backend = NULL;
	uint64_t position = 0;
	struct split split;

	if (cmdline->ram_bytes > UINT64_C(1) << 52)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "impossible memory size on the command line");
	KSMA_TRY(find_split(cmdline, &split));
	/* Pieces below the hole first, for the list is sorted. */
	for (int above = 0; above < 2; above++) {
		position = 0;
		backend = NULL;
		while ((backend = next_main(cmdline, backend))) {
			if (backend->size == 0 || backend->size > cmdline->ram_bytes - position)
				return ksma_error_create(
					KSMA_ERROR_BAD_DATA,
					"the size of memory backend %s is not known from the "
					"command line",
					backend->id);
			KSMA_TRY(add_main(layout, backend, position, &split, above));
			position += backend->size;
		}
	}
	if (position == 0)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "no memory backend on the command line");
	return add_dimms(layout, cmdline,
			 ksma_align_up(4 * GIB + (position > split.low ? position - split.low : 0),
				       GIB));
}

struct ksma_error *ksma_layout_from_cmdline(const struct ksma_cmdline *cmdline,
					    struct ksma_mtree *ret_layout)
{
	struct ksma_mtree layout = { 0 };
	struct ksma_error *error = add_all(&layout, cmdline);

	if (error) {
		ksma_mtree_free(&layout);
		return error;
	}
	*ret_layout = layout;
	return NULL;
}
