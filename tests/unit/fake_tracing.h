/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layouts of what the kernel's own tracing is made of. */
#ifndef KSMA_TESTS_FAKE_TRACING_H
#define KSMA_TESTS_FAKE_TRACING_H

#include "fake_kernel.h"

void fake_layout_ftrace(struct ksma_kernel *kernel); /* a user of ftrace has 96 bytes */

void fake_layout_probes(
	struct ksma_kernel *kernel); /* kprobes, uprobes, tracepoints, live patches */
void fake_layout_bpf(struct ksma_kernel *kernel);
void fake_layout_rings(struct ksma_kernel *kernel);	/* files in a table of pointers */
void fake_layout_new_rings(struct ksma_kernel *kernel); /* and of nodes */

#endif
