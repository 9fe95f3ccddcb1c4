/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of checks, as operands give them: wrong ones are refused before a guest is opened. */
#include "cli/cli.h"

#include "checks/check.h"

static bool is_check(const struct cli *cli, const char *name)
{
	if (cli->more && strcmp(cli->more->check->info.name, name) == 0)
		return true;
	for (size_t i = 0; i < ksma_check_count(); i++)
		if (strcmp(ksma_check_info(i)->name, name) == 0)
			return true;
	return false;
}

/* All that there are, by name. */
static struct ksma_error *all_names(const struct cli *cli, const char ***ret_names)
{
	size_t count = ksma_check_count();
	const char **names = calloc(count + 2, sizeof(*names));

	if (!names)
		return ksma_error_nomem();
	for (size_t i = 0; i < count; i++)
		names[i] = ksma_check_info(i)->name;
	names[count] = cli->more->check->info.name;
	*ret_names = names;
	return NULL;
}

struct ksma_error *cli_check_names(const struct cli *cli, const char ***ret_names)
{
	const char **names;

	if (cli->operand_count < 2 && cli->more)
		return all_names(cli, ret_names);
	if (cli->operand_count < 2) {
		*ret_names = NULL;
		return NULL;
	}
	for (size_t i = 1; i < cli->operand_count; i++)
		if (!is_check(cli, cli->operands[i]))
			return ksma_error_create(
				KSMA_ERROR_INVALID,
				"there is no check '%s' (see 'ksma check --list')%s",
				cli->operands[i],
				strcmp(cli->operands[i], "files") == 0
					? "; files is one with --manifest"
					: "");
	names = calloc(cli->operand_count, sizeof(*names));
	if (!names)
		return ksma_error_nomem();
	for (size_t i = 1; i < cli->operand_count; i++)
		names[i - 1] = cli->operands[i];
	*ret_names = names;
	return NULL;
}
