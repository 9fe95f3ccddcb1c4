/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads what io_uring keeps of a task's rings, in the ways that kernels have kept registered files.
 *
 * Source: io_uring/{tctx,filetable,rsrc}.[ch], include/linux/io_uring_types.h. */
#include "linux/io_uring.h"

enum {
	MAX_FILES = 1 << 20, /* IORING_MAX_FIXED_FILES */
	FILE_FLAGS = 7,	     /* FFS_*: in the low bits of a pointer to a file */
};

bool ksma_rings_known(const struct ksma_kernel *kernel)
{
	const struct ksma_offsets *off = &kernel->off;

	return off->task_struct__io_uring != KSMA_NO_MEMBER &&
	       off->io_uring_task__xa != KSMA_NO_MEMBER &&
	       off->io_tctx_node__ctx != KSMA_NO_MEMBER &&
	       off->io_ring_ctx__flags != KSMA_NO_MEMBER &&
	       ((off->io_ring_ctx__files != KSMA_NO_MEMBER &&
		 off->io_ring_ctx__nr_user_files != KSMA_NO_MEMBER) ||
		(off->io_ring_ctx__file_nodes != KSMA_NO_MEMBER &&
		 off->io_ring_ctx__file_nr != KSMA_NO_MEMBER &&
		 off->io_rsrc_node__file_ptr != KSMA_NO_MEMBER));
}

/* Since 6.13 a table of nodes; before, one of pointers. */
static bool has_nodes(const struct ksma_kernel *kernel)
{
	return kernel->off.io_ring_ctx__file_nodes != KSMA_NO_MEMBER;
}

struct rings {
	struct ksma_kernel *kernel;
	ksma_ring_fn fn;
	void *arg;
	struct ksma_error *error;
};

static int32_t read_poller(struct ksma_kernel *kernel, uint64_t context)
{
	const struct ksma_offsets *off = &kernel->off;
	uint64_t data, thread;
	uint32_t pid;

	if (off->io_ring_ctx__sq_data == KSMA_NO_MEMBER ||
	    off->io_sq_data__thread == KSMA_NO_MEMBER || off->task_struct__pid == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(kernel, context + (uint64_t)off->io_ring_ctx__sq_data, &data) ||
	    !data || !ksma_kernel_u64(kernel, data + (uint64_t)off->io_sq_data__thread, &thread) ||
	    !thread || !ksma_kernel_u32(kernel, thread + (uint64_t)off->task_struct__pid, &pid))
		return 0;
	return (int32_t)pid;
}

/* struct io_tctx_node { …; ctx } */
static bool take_node(void *arg, uint64_t index, uint64_t node)
{
	struct rings *rings = arg;
	struct ksma_kernel *kernel = rings->kernel;
	const struct ksma_offsets *off = &kernel->off;
	struct ksma_ring ring = { 0 };
	uint64_t count_at;

	(void)index;
	if (!ksma_kernel_u64(kernel, node + (uint64_t)off->io_tctx_node__ctx, &ring.context)) {
		rings->error = ksma_error_create(KSMA_ERROR_BAD_DATA, "a ring went away");
		return false;
	}
	count_at = ring.context + (uint64_t)(has_nodes(kernel) ? off->io_ring_ctx__file_nr
							       : off->io_ring_ctx__nr_user_files);
	if (!ksma_kernel_u32(kernel, ring.context + (uint64_t)off->io_ring_ctx__flags,
			     &ring.flags) ||
	    !ksma_kernel_u32(kernel, count_at, &ring.files)) {
		rings->error = ksma_error_create(KSMA_ERROR_BAD_DATA, "a ring went away");
		return false;
	}
	if (ring.flags & KSMA_RING_SQPOLL)
		ring.poller = read_poller(kernel, ring.context);
	return rings->fn(rings->arg, &ring);
}

struct ksma_error *ksma_rings_of_task(struct ksma_kernel *kernel, uint64_t task,
				      struct ksma_budget *budget, ksma_ring_fn fn, void *arg)
{
	struct rings rings = { kernel, fn, arg, NULL };
	struct ksma_error *error;
	uint64_t own;

	if (!ksma_kernel_u64(kernel, task + (uint64_t)kernel->off.task_struct__io_uring, &own))
		return ksma_error_fault(task, "a task is not mapped");
	if (!own)
		return NULL;
	error = ksma_kernel_xarray(kernel, own + (uint64_t)kernel->off.io_uring_task__xa, budget,
				   take_node, &rings);
	if (rings.error) {
		ksma_error_destroy(error);
		return rings.error;
	}
	return error;
}

struct ksma_error *ksma_ring_files(struct ksma_kernel *kernel, const struct ksma_ring *ring,
				   struct ksma_budget *budget, ksma_ring_file_fn fn, void *arg)
{
	const struct ksma_offsets *off = &kernel->off;
	bool nodes = has_nodes(kernel);
	uint64_t table, entry, file;

	if (!ring->files)
		return NULL;
	if (ring->files > MAX_FILES ||
	    !ksma_kernel_u64(kernel,
			     ring->context + (uint64_t)(nodes ? off->io_ring_ctx__file_nodes
							      : off->io_ring_ctx__files),
			     &table) ||
	    !table)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the files of a ring changed while they were read");
	for (uint32_t i = 0; i < ring->files; i++) {
		if (!ksma_budget_spend(budget))
			return ksma_budget_error("the files of rings");
		if (!ksma_kernel_u64(kernel, table + 8ul * i, &entry))
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "the files of a ring went away");
		if (!entry)
			continue;
		file = entry;
		if (nodes &&
		    !ksma_kernel_u64(kernel, entry + (uint64_t)off->io_rsrc_node__file_ptr, &file))
			return ksma_error_create(KSMA_ERROR_BAD_DATA, "a file of a ring went away");
		file &= ~(uint64_t)FILE_FLAGS;
		if (file && !fn(arg, i, file))
			return NULL;
	}
	return NULL;
}
