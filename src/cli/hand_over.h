/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands that another program of ours runs, because it links libraries that would slow the start of every other command. */
#ifndef KSMA_CLI_HAND_OVER_H
#define KSMA_CLI_HAND_OVER_H

#include "cli/cli.h"

/* Runs `program` ("ksma-files") in our place, with this command, the options that were given and the operands. It reads them as we did,
 * by the same table. @return only when it could not be run */
struct ksma_error *cli_hand_over(struct cli *cli, const char *program) KSMA_MUST_CHECK;

#endif
