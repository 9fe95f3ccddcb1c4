/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of ksma guard share. */
#ifndef KSMA_SIGNED_GUARD_H
#define KSMA_SIGNED_GUARD_H

#include "cli/cli.h"
#include "guard/disk.h"
#include "guard/engine.h"

struct signed_guard {
	struct cli *cli;
	struct ksma_policy *policy;
	struct ksma_keys *keys;
	struct ksma_manifest *manifest;
	struct ksma_engine_setup setup;
	struct ksma_engine *engine;
	struct ksma_decider *decider;
	struct ksma_guard_disk *disk;	/* of the kernel that is open; NULL at first */
	struct ksma_measurements *list; /* NULL without --measurements */
	const char *list_trouble;	/* as it was told last */
	bool distrusts;	      /* the manifest's signers were taken back: it vouches for nothing */
	bool troubled;	      /* it was told that what lies there now does not count, */
	uint64_t troubled_ns; /* since when */
	bool from_boot;
	bool early; /* armed before the guest's kernel knew its processors: it is opened again at the first stop */
	bool denied, late; /* a file was refused; something was opened before we stood there */
};

/* What is said while it runs. */
void signed_guard_decision(void *arg, const struct ksma_guard_record *record);
void signed_guard_event(void *arg, const char *event, const char *message);
/* Armed: where, what could not be covered, and whether anything came before. @files how many files the guest had open then; -1: not known */
void signed_guard_armed(struct signed_guard *guard, int64_t files, bool before_init);
void signed_guard_ended(struct signed_guard *guard, const char *why);

/* Begins the list of the boot whose kernel is open, or goes on with it. @again another boot of the guest, seen to begin */
struct ksma_error *signed_guard_list_begin(struct signed_guard *guard, bool again) KSMA_MUST_CHECK;
/* Writes what is outstanding; what cannot be written is told once, and waits. */
void signed_guard_list_flush(struct signed_guard *guard);
void signed_guard_list_end(struct signed_guard *guard);

/* Lets a guest that begins to boot run in slices until its kernel is known, and stops it there.
 * @return NULL, or NOT_PRESENT when it took too long, LOST */
struct ksma_error *signed_guard_find_kernel(struct signed_guard *guard) KSMA_MUST_CHECK;

/* Has the guest's kernel opened a file yet, and has init been executed? @ret_files -1: cannot be told */
void signed_guard_progress(struct ksma_kernel *kernel, int64_t *ret_files, bool *ret_before_init);

#endif
