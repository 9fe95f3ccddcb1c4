/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A made-up kernel with a few processes in it, whole enough for every reader of processes, files, maps and mounts. */
#ifndef KSMA_TESTS_FAKE_PROCESSES_H
#define KSMA_TESTS_FAKE_PROCESSES_H

#include "fake_kernel.h"

enum {
	FAKE_TASKS =
		5, /* 0: swapper; 1: init; 2: a kernel thread; 3: a program; 4: a thread of it */
	FAKE_FILES = 4,
	FAKE_AREAS = 4,
	FAKE_MOUNTS = 2, /* the root and /tmp */
	FAKE_PROGRAM = 300,
	FAKE_ARENA = 128 * 1024,
};

/* Where the things lie, so that a test can spoil them. */
struct fake_processes {
	struct fake_kernel *k;
	uint64_t tasks[FAKE_TASKS], cred, signals[FAKE_TASKS], mm, files, fdt, slots, fs;
	uint64_t open[FAKE_FILES];
	uint64_t areas[FAKE_AREAS];
	uint64_t mounts[FAKE_MOUNTS], ns;
	uint64_t root, tmp, tmp_root, program, removed, pipe; /* dentries */
	uint64_t pgd, stack; /* the page that holds the arguments */
};

/* @list  areas on a list and mounts on a list, as in old kernels; else a maple tree and a red-black tree */
void fake_processes_create(struct fake_processes *p, enum fake_kind kind, bool list);
void fake_processes_destroy(struct fake_processes *p);

#endif
