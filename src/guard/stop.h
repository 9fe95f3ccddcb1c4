/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a stopped vCPU was about to do: from the arguments of the function that it entered to a question about a file. */
#ifndef KSMA_GUARD_STOP_H
#define KSMA_GUARD_STOP_H

#include "guard/decide.h"
#include "guard/sites.h"

/* Who does it. */
struct ksma_actor {
	uint64_t task, cred;
	int32_t pid, tid;
	uint32_t uid;
	char comm[16];
};

/* What it is about. */
struct ksma_stop {
	bool asks; /* false: nothing that any policy is about */
	enum ksma_access_func func;
	unsigned mask;
	uint64_t file;		      /* struct file; 0: none */
	uint64_t buffer, buffer_size; /* what the kernel has read already; 0: nothing */
	uint64_t new_cred;	      /* with an exec: the credentials that the program gets */
	bool has_actor;
	struct ksma_actor actor;
};

/* Understands the registers of a vCPU that stands at `site`. Never fails: what cannot be read is 0, and what asks says so. */
void ksma_stop_read(struct ksma_kernel *kernel, const struct ksma_site *site,
		    const struct ksma_gdb_registers *registers, struct ksma_stop *ret_stop);

#endif
