/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma appraise: done by ksma-files, which links the library for hashes and signatures. */
#include "cli/hand_over.h"

struct ksma_error *cli_appraise(struct cli *cli)
{
	return cli_hand_over(cli, "ksma-files");
}
