/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program ksma-files: the commands about signed files. It understands the command line of ksma. */
#include "signed/run.h"

int main(int argc, char **argv)
{
	return cli_program(argc, argv, signed_run);
}
