/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What ksma doctor found, a step at a time. */
#ifndef KSMA_CLI_STEPS_H
#define KSMA_CLI_STEPS_H

#include "cli/output.h"

enum cli_step_state {
	CLI_STEP_OK,
	CLI_STEP_NOTE,	  /* not there, and not needed */
	CLI_STEP_MISSING, /* something that a look needs */
};

struct cli_step {
	char *name, *detail;
	const char *cure; /* or NULL */
	enum cli_step_state state;
};

struct cli_steps {
	struct cli_step *items;
	size_t count, capacity;
	bool failed; /* memory ran out: told by cli_steps_print() */
};

/* Adds a step. `cure` lives as long as the steps. */
void cli_step(struct cli_steps *steps, enum cli_step_state state, const char *name,
	      const char *cure, const char *detail, ...) KSMA_PRINTF(5, 6);

/* Prints all of them, and takes what is missing into the exit status and the coverage. */
struct ksma_error *cli_steps_print(struct cli *cli, const struct cli_steps *steps,
				   struct cli_look *look) KSMA_MUST_CHECK;
void cli_steps_deinit(struct cli_steps *steps);

#endif
