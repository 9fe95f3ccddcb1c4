/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which command is whose. */
#include "signed/run.h"

struct ksma_error *signed_run(struct cli *cli)
{
	static const struct {
		struct ksma_error *(*asked)(struct cli *cli); /* as ksma knows it */
		struct ksma_error *(*run)(struct cli *cli);
	} commands[] = {
		{ cli_guard, signed_guard },	   { cli_manifest, signed_manifest },
		{ cli_appraise, signed_appraise }, { cli_check, signed_check },
		{ cli_watch, signed_watch },
	};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (cli->command->run == commands[i].asked)
			return commands[i].run(cli);
	return ksma_error_create(KSMA_ERROR_INVALID, "ksma-files only does what ksma asks it to");
}
