/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where in the guest's kernel the guard stands: at most four places, for the processor has no more breakpoints.
 *
 * A place is the instruction that ftrace leaves at the start of a function, which does nothing and can be passed over without executing it; or a
 * call inside a function, where that is reached only for what is asked about. Found by symbol and by the code itself, never by version. */
#ifndef KSMA_GUARD_SITES_H
#define KSMA_GUARD_SITES_H

#include "guest/gdbstub.h"
#include "linux/kernel.h"

/* What is known from the registers there. */
enum ksma_site_kind {
	KSMA_SITE_BPRM,	   /* security_bprm_check(bprm) */
	KSMA_SITE_MMAP,	   /* security_mmap_file(file, prot, flags) */
	KSMA_SITE_MEASURE, /* the call of process_measurement(file, …) that asks about MMAP_CHECK */
	KSMA_SITE_READ,	   /* security_kernel_post_read_file(file, buffer, size, id) */
	KSMA_SITE_DATA,	   /* security_kernel_post_load_data(buffer, size, id, …) */
	KSMA_SITE_OPEN,	   /* security_file_post_open(file, mask), ima_file_check(file, mask) */
	KSMA_SITE_OPENING,  /* security_file_open(file) */
	KSMA_SITE_MPROTECT, /* security_file_mprotect(vma, reqprot, prot) */
};

struct ksma_site {
	enum ksma_site_kind kind;
	unsigned hook; /* KSMA_HOOK_… of policy.h that it covers */
	const char *function;
	uint64_t address;
	uint64_t stops; /* counted by the engine */
	uint64_t steps; /* of them passed by executing one instruction */
};

struct ksma_sites {
	struct ksma_site items[KSMA_GDB_BREAKPOINTS];
	size_t count;
	unsigned covered, left_out; /* KSMA_HOOK_… */
};

/* Chooses the places that cover these hooks, the most important ones first. What there is no breakpoint for, or no function, is in
 * `left_out`. @return NULL, or NOT_PRESENT: none could be covered */
struct ksma_error *ksma_sites_plan(struct ksma_kernel *kernel, unsigned hooks,
				   struct ksma_sites *ret_sites) KSMA_MUST_CHECK;

/* How to go on from a place where nothing is to be refused. */
enum ksma_passing {
	KSMA_PASS_NOP,	/* move RIP past it */
	KSMA_PASS_ZERO, /* the same, and 0 is what the call would return */
	KSMA_PASS_STEP, /* execute it: it is traced or probed at the moment, or the guest has a policy of its own */
};
enum ksma_passing ksma_site_passing(struct ksma_kernel *kernel, const struct ksma_site *site,
				    unsigned *ret_length);

/* True at a call, which is refused where it is made; else what is refused is the function that was entered, by returning from it. */
static inline bool ksma_site_is_call(const struct ksma_site *site)
{
	return site->kind == KSMA_SITE_MEASURE;
}

/* "exec", "mmap", … of one KSMA_HOOK_… bit */
const char *ksma_guard_hook_name(unsigned hook);

#endif
