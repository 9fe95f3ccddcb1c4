/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening manifests, and other small things of several actions. */
#include "signed/common.h"

#include "cli/parse.h"
#include "vendor/digest.h"
#include "vendor/store.h"

struct ksma_error *signed_open_checked(const char *path, struct ksma_manifest **ret_manifest)
{
	struct ksma_manifest *m;
	struct ksma_error *error;

	KSMA_TRY(ksma_manifest_open(path, &m));
	error = ksma_manifest_check(m);
	if (error)
		ksma_manifest_close(m);
	else
		*ret_manifest = m;
	return error;
}

const char *signed_hex(const uint8_t hash[KSMA_SHA256], char *buffer)
{
	ksma_hex_format(hash, KSMA_SHA256, buffer);
	return buffer;
}

struct ksma_error *signed_operands(const struct cli *cli, size_t min, size_t max, const char *what)
{
	if (cli->operand_count < min)
		return ksma_error_create(KSMA_ERROR_INVALID, "manifest %s needs %s",
					 cli->operands[0], what);
	if (cli->operand_count > max)
		return ksma_error_create(KSMA_ERROR_INVALID, "manifest %s takes no '%s'",
					 cli->operands[0], cli->operands[max]);
	return NULL;
}

struct ksma_error *signed_need(const struct cli *cli, enum cli_option_id id)
{
	if (cli_has(cli, id))
		return NULL;
	return ksma_error_create(KSMA_ERROR_INVALID, "manifest %s needs --%s %s", cli->operands[0],
				 cli_options[id].name, cli_options[id].value);
}

void signed_warn_private(struct cli *cli, const struct ksma_keys *keys)
{
	if (ksma_keys_private(keys))
		cli_warn(
			cli,
			"%s holds a private key, which is not needed to verify: keep it where manifests are made",
			ksma_keys_folder(keys));
}

void signed_json_part(struct cli_json *json, const struct ksma_manifest *m, uint32_t part)
{
	cli_json_time(json, "created", ksma_manifest_created(m, part) * 1000000000u);
	cli_json_number(json, "entries", ksma_manifest_count(m, part));
}

struct ksma_error *signed_created(uint64_t *ret_time)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	uint64_t time = ksma_epoch_ns() / 1000000000u;

	if (epoch)
		KSMA_TRY(cli_parse_number("SOURCE_DATE_EPOCH", epoch, &time));
	*ret_time = time;
	return NULL;
}
