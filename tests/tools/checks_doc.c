/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes docs/checks.md from the table of checks, so that the document cannot say something else than the program. */
#include <stdio.h>

#include <ksma/check.h>

int main(void)
{
	puts("# Checks\n");
	puts("Made by `build/tests/tools/checks_doc > docs/checks.md` from the table of checks; a test holds the two together.\n");
	puts("The cost is that of a first look, processor time, at a 6.1 guest with 1 GiB, 160 processes and 38 modules, with a vendor reference; later looks\n"
	     "of a watch cost less. The first check that needs the kernel's types pays for reading them.\n");
	puts("| check | question | ATT&CK | needs | cost |");
	puts("|---|---|---|---|---|");
	for (size_t i = 0; i < ksma_check_count(); i++) {
		const struct ksma_check_info *info = ksma_check_info(i);

		printf("| [%s](#%s) | %s | %s | %s | %s |\n", info->name, info->name, info->title,
		       info->attack, info->needs, info->cost);
	}
	for (size_t i = 0; i < ksma_check_count(); i++) {
		const struct ksma_check_info *info = ksma_check_info(i);

		printf("\n## %s\n\n%s (%s).\n\n**Why.** %s\n\n**What it reads.** %s.\n\n**False alarms.** %s\n",
		       info->name, info->title, info->attack, info->why, info->structures,
		       info->false_alarms);
		if (info->todo)
			printf("\n**What to do.** %s\n", info->todo);
	}
	return 0;
}
