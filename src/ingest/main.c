/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program ksma-vendor: what `ksma vendor add` and `ksma vendor verify` run. It understands the command line of ksma. */
#include "ingest/report.h"

int main(int argc, char **argv)
{
	return cli_program(argc, argv, ingest_run);
}
