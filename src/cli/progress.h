/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tells the person at the terminal what takes so long, after a second of silence. */
#ifndef KSMA_CLI_PROGRESS_H
#define KSMA_CLI_PROGRESS_H

struct cli_progress;

/* Begins to watch the clock. Where standard error is no terminal, or a thread cannot be had, this is NULL and nothing is ever said. */
struct cli_progress *cli_progress_start(void);

/* What is being done, from now on. `what` must live as long as the progress; NULL progress is fine. */
void cli_progress_say(struct cli_progress *progress, const char *what);

/* Wipes the line and ends it; NULL is fine. */
void cli_progress_stop(struct cli_progress *progress);

#endif
