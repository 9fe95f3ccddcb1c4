/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The agent of the command channel alone, for a guest that has everything else. */
#include "../gtool.h"

int main(int argc, char **argv)
{
	return gtool_agent(argc, argv);
}
