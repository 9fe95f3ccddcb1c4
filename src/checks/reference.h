/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this guest's code is held against: the vendor's build, where the store has it, else the guest's own first look. */
#ifndef KSMA_CHECKS_REFERENCE_H
#define KSMA_CHECKS_REFERENCE_H

#include "checks/proof.h"

/* Modules on their way in or out, by their records and which loading of them it is. */
struct ksma_moving {
	struct ksma_moving_module {
		uint64_t module, instance;
	} * items;
	size_t count, capacity;
};

struct ksma_reference {
	struct ksma_proof *proof;   /* of the kernel's image; never NULL */
	struct ksma_vendor *vendor; /* the store, or NULL */
	char *problem;		    /* why there is no vendor's build, or NULL */
	struct ksma_kept *kept;	    /* first looks of earlier commands, or NULL */
	struct ksma_kept_boot boot;
	char *kept_path;	/* where they are kept, or NULL */
	char *kept_note;	/* why one that is there is not used, or NULL */
	uint64_t first_look_ns; /* since the epoch */
	uint64_t epoch;		/* of the guest when the state was read */
	bool have_state, have_modules;
	struct ksma_moving moving; /* at the last look at modules, if there was one */
	bool moving_known;
};

/* The reference of this kernel, made at the first look and kept with the kernel, brought up to date for this one.
 * @ret_reference belongs to the kernel */
struct ksma_error *ksma_look_reference(struct ksma_look *look,
				       struct ksma_reference **ret_reference) KSMA_MUST_CHECK;

/* Keeps what of the first looks is not kept yet, where the caller wants that. */
struct ksma_error *ksma_reference_keep(struct ksma_kernel *kernel) KSMA_MUST_CHECK;

/* Finds what earlier commands kept of this boot of this guest in folder `dir` (reference_kept.c). */
struct ksma_error *ksma_reference_find_kept(struct ksma_kernel *kernel, const char *dir,
					    struct ksma_reference *reference) KSMA_MUST_CHECK;

/* Brings the modules up to date: those that came are placed, linked and patched, those that went are forgotten. */
struct ksma_error *ksma_reference_modules(struct ksma_look *look,
					  struct ksma_reference *reference) KSMA_MUST_CHECK;

#endif
