/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma manifest: its actions. */
#include "signed/run.h"

struct ksma_error *signed_manifest(struct cli *cli)
{
	static const struct {
		const char *name;
		struct ksma_error *(*run)(struct cli *cli);
	} actions[] = {
		{ "build", signed_manifest_build },   { "sign", signed_manifest_sign },
		{ "verify", signed_manifest_verify }, { "show", signed_manifest_show },
		{ "diff", signed_manifest_diff },     { "merge", signed_manifest_merge },
		{ "revoke", signed_manifest_revoke },
	};

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(cli->operands[0], actions[i].name) == 0)
			return actions[i].run(cli);
	return ksma_error_create(
		KSMA_ERROR_INVALID,
		"manifest knows build, sign, verify, show, diff, merge, revoke, and not '%s'",
		cli->operands[0]);
}
