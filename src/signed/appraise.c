/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma appraise, and ksma check and watch with a manifest: the check `files` besides those of the table. */
#include "checks/check.h"
#include "files/appraise.h"
#include "signed/common.h"
#include "signed/run.h"
#include "vendor/signatures.h"

/* What decides, from the signed manifest on. */
struct reference {
	struct ksma_keys *keys;
	struct ksma_manifest *manifest;
	struct ksma_appraiser *appraiser;
	struct ksma_more_checks more;
};

static void reference_deinit(struct reference *r)
{
	ksma_appraiser_destroy(r->appraiser);
	ksma_manifest_close(r->manifest);
	ksma_keys_close(r->keys);
}

static struct ksma_error *need(const struct cli *cli, enum cli_option_id id)
{
	if (cli_has(cli, id))
		return NULL;
	return ksma_error_create(KSMA_ERROR_INVALID, "%s needs --%s %s", cli->command->name,
				 cli_options[id].name, cli_options[id].value);
}

static struct ksma_error *open_reference(struct cli *cli, struct reference *r)
{
	KSMA_TRY(need(cli, CLI_MANIFEST));
	KSMA_TRY(need(cli, CLI_KEYS));
	KSMA_TRY(ksma_keys_open(cli->values[CLI_KEYS], &r->keys));
	signed_warn_private(cli, r->keys);
	KSMA_TRY(ksma_manifest_open_signed(cli->values[CLI_MANIFEST], r->keys, &r->manifest));
	KSMA_TRY(ksma_appraiser_create(r->manifest, &r->appraiser));
	r->more = (struct ksma_more_checks){ .check = &ksma_check_files, .extra = r->appraiser };
	cli->more = &r->more;
	return NULL;
}

static struct ksma_error *with_reference(struct cli *cli,
					 struct ksma_error *(*run)(struct cli *cli))
{
	_cleanup_(reference_deinit) struct reference r = { .keys = NULL };
	struct ksma_error *error;

	KSMA_TRY(open_reference(cli, &r));
	error = run(cli);
	cli->more = NULL;
	return error;
}

struct ksma_error *signed_check(struct cli *cli)
{
	return with_reference(cli, cli_check);
}

struct ksma_error *signed_watch(struct cli *cli)
{
	return with_reference(cli, cli_watch);
}

/* The one check alone. */
struct ksma_error *signed_appraise(struct cli *cli)
{
	char *given = cli->operands[0], name[] = "files", *operands[] = { given, name };
	char **before = cli->operands;
	struct ksma_error *error;

	cli->operands = operands;
	cli->operand_count = ARRAY_SIZE(operands);
	error = with_reference(cli, cli_check);
	cli->operands = before;
	cli->operand_count = 1;
	return error;
}
