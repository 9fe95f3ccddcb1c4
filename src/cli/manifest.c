/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma manifest: all of it is done by ksma-files, which links the libraries for hashes, signatures and packages. */
#include "cli/hand_over.h"

struct ksma_error *cli_manifest(struct cli *cli)
{
	return cli_hand_over(cli, "ksma-files");
}
