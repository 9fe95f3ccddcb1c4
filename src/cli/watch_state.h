/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a watch remembers from one look to the next: the findings that stand, and what each check covered. */
#ifndef KSMA_CLI_WATCH_STATE_H
#define KSMA_CLI_WATCH_STATE_H

#include "base/util.h"
#include <ksma/check.h>

/* A finding that stands. */
struct cli_standing {
	char *id;
	char *check;
	char *title;
	enum ksma_severity severity;
	bool seen; /* in the look that is being taken in */
};

struct cli_covered {
	char *check;
	char *state;
	char *reason;
};

struct cli_watch_state {
	struct {
		struct cli_standing *items;
		size_t count, capacity;
	} standing;
	struct {
		struct cli_covered *items;
		size_t count, capacity;
	} covered;
};

/* What changed. The pointers live during the call. */
struct cli_watch_events {
	void *arg;
	void (*appeared)(void *arg, const struct ksma_finding *finding);
	void (*cleared)(void *arg, const struct cli_standing *standing);
	void (*coverage)(void *arg, const struct ksma_check_coverage *coverage);
};

/* Takes a look in and tells what changed. A finding clears only when its own check looked everywhere and did not see it: a check that
 * could not look, or was not asked, changes nothing. */
struct ksma_error *cli_watch_take(struct cli_watch_state *state, const struct ksma_report *report,
				  const struct cli_watch_events *events) KSMA_MUST_CHECK;

/* True when what a check last told was not "complete", for any check. */
bool cli_watch_incomplete(const struct cli_watch_state *state);

void cli_watch_state_deinit(struct cli_watch_state *state);

#endif
