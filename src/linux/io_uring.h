/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rings of io_uring that a task uses, and the files that each holds without a descriptor. */
#ifndef KSMA_LINUX_IO_URING_H
#define KSMA_LINUX_IO_URING_H

#include "linux/kernel.h"

/* One ring. */
struct ksma_ring {
	uint64_t context; /* struct io_ring_ctx */
	uint32_t flags;	  /* IORING_SETUP_*: SQPOLL is 2 */
	uint32_t files;	  /* places for files, taken or not */
	int32_t poller;	  /* the thread of the kernel that submits for it, or 0 */
};

enum { KSMA_RING_SQPOLL = 1 << 1 };

/* True when this kernel's types say how rings are made; false also where it has no io_uring. */
bool ksma_rings_known(const struct ksma_kernel *kernel);

/* Calls `fn` for each ring that a task has used. @return NULL, BAD_DATA, FAULT, LIMIT */
typedef bool (*ksma_ring_fn)(void *arg, const struct ksma_ring *ring);
struct ksma_error *ksma_rings_of_task(struct ksma_kernel *kernel, uint64_t task,
				      struct ksma_budget *budget, ksma_ring_fn fn,
				      void *arg) KSMA_MUST_CHECK;

/* Calls `fn` with the place and the struct file of each file that is registered with a ring.
 * @return NULL, BAD_DATA (it changed meanwhile), LIMIT */
typedef bool (*ksma_ring_file_fn)(void *arg, uint32_t place, uint64_t file);
struct ksma_error *ksma_ring_files(struct ksma_kernel *kernel, const struct ksma_ring *ring,
				   struct ksma_budget *budget, ksma_ring_file_fn fn,
				   void *arg) KSMA_MUST_CHECK;

#endif
