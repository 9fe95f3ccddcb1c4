/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which exit status wins. */
#include "cli/cli.h"

void cli_status_raise(struct cli *cli, enum cli_status status)
{
	static const int rank[] = {
		[CLI_OK] = 0,	 [CLI_INCOMPLETE] = 1, [CLI_FINDINGS] = 2,
		[CLI_USAGE] = 3, [CLI_INTERNAL] = 4,
	};

	if (rank[status] > rank[cli->status])
		cli->status = status;
}
