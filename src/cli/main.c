/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program ksma: all of it is in the library of its commands, for the sake of the tests and of the programs beside it. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	return cli_program(argc, argv, NULL);
}
