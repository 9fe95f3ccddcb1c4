/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guard at work: it stands at a few places in the guest's kernel, asks what each file is, and lets pass or refuses.
 *
 * Whatever ends it, its keeper lets the guest run on (keeper.h). Nothing is written to guest memory: to pass a place RIP moves on, to refuse RAX is
 * -EACCES and the function returns at once. */
#ifndef KSMA_GUARD_ENGINE_H
#define KSMA_GUARD_ENGINE_H

#include "guard/keeper.h"
#include "guard/stop.h"
#include "guest/live.h"

enum ksma_guard_decided { KSMA_GUARD_ALLOW, KSMA_GUARD_DENY, KSMA_GUARD_LOG };

/* What was decided about one stop. Borrowed. */
struct ksma_guard_record {
	const struct ksma_site *site;
	const struct ksma_stop *stop;
	const struct ksma_decision *decision;
	enum ksma_guard_decided
		decided;  /* log: it would be denied, but for the mode or --fail open */
	uint64_t cost_ns; /* for how long the guest stood still, from here */
};

struct ksma_engine_setup {
	struct ksma_guest *guest; /* a live one, with a monitor */
	const struct ksma_policy *policy;
	struct ksma_manifest
		*manifest; /* for what the kernel got from a program's memory; may be NULL */
	bool from_start;   /* a guest that has not begun yet is to begin, though it is paused */
	bool enforce, fail_closed;
	unsigned limit_ms; /* for one decision */
	uint64_t
		share_millionths; /* of the time that the guest may stand still, before rules are given up; a million: any */
	void (*on_decision)(void *arg, const struct ksma_guard_record *record);
	void (*on_event)(void *arg, const char *event, const char *message);
	void *arg;
};

struct ksma_engine_counts {
	uint64_t stops, appraised, denied, undecided, odd; /* odd: stops that were none of ours */
	uint64_t stopped_ns;
	uint64_t stops_ns[1024]; /* of the last ones that were appraised, round and round */
	uint64_t timed;		 /* how many of these there ever were */
};

struct ksma_engine;

/* Connects to the guest's debugger socket, which is opened where there is none, and starts the keeper. The guest stands still afterwards.
 * @return NULL, PERMISSION (a debugger is attached: who put it there decides), UNSUPPORTED (no monitor), … */
struct ksma_error *ksma_engine_create(const struct ksma_engine_setup *setup,
				      struct ksma_engine **ret_engine) KSMA_MUST_CHECK;

/* Lets go of the guest: no breakpoints, and it runs, unless somebody else paused it. NULL is fine. */
void ksma_engine_destroy(struct ksma_engine *engine);

/* Puts the breakpoints where `kernel` has the functions. The guest stands, and stands afterwards. Both are borrowed until the next
 * ksma_engine_arm() or ksma_engine_disarm(). */
struct ksma_error *ksma_engine_arm(struct ksma_engine *engine, struct ksma_kernel *kernel,
				   struct ksma_decider *decider) KSMA_MUST_CHECK;
struct ksma_error *ksma_engine_disarm(struct ksma_engine *engine) KSMA_MUST_CHECK;

/* Lets the guest run; stops it. */
struct ksma_error *ksma_engine_resume(struct ksma_engine *engine) KSMA_MUST_CHECK;
struct ksma_error *ksma_engine_pause(struct ksma_engine *engine) KSMA_MUST_CHECK;

/* Serves stops for a time, or until a signal comes. With `first` it returns before the first stop is served, the guest standing there.
 * *ret_stopped tells that. @return NULL, LOST (the guest has ended), … */
struct ksma_error *ksma_engine_serve(struct ksma_engine *engine, unsigned ms, bool first,
				     bool *ret_stopped) KSMA_MUST_CHECK;

/* From now on this manifest counts for what comes from a program's memory. NULL: none is to be believed, and it is refused. */
void ksma_engine_trust(struct ksma_engine *engine, struct ksma_manifest *manifest);

const struct ksma_sites *ksma_engine_sites(const struct ksma_engine *engine);
const struct ksma_engine_counts *ksma_engine_counts(const struct ksma_engine *engine);

/* The way out for a guest whatever was done to it: ends a guard that runs, removes breakpoints, lets it run, closes the socket that was opened.
 * @ret_done what there was to do, in words; owned by the caller */
struct ksma_error *ksma_engine_off(struct ksma_guest *guest, char **ret_done) KSMA_MUST_CHECK;

#endif
