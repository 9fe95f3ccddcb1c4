/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma manifest verify: who vouches for a manifest, and is all of it what was signed? */
#include <inttypes.h>

#include "cli/output.h"
#include "signed/common.h"
#include "signed/run.h"
#include "vendor/digest.h"
#include "vendor/signatures.h"

/* What became of one manifest. */
struct check {
	struct ksma_manifest *manifest;
	struct ksma_verdict *verdicts; /* one a part */
	struct ksma_error *damage;     /* it is not what it should be; or NULL */
	bool refused;
};

static void check_deinit(struct check *c)
{
	ksma_manifest_close(c->manifest);
	free(c->verdicts);
	ksma_error_destroy(c->damage);
}

/* Damage is an answer, everything else a reason not to have one. */
static struct ksma_error *take_damage(struct check *c, struct ksma_error *error)
{
	if (!error || error->code != KSMA_ERROR_BAD_DATA)
		return error;
	c->damage = error;
	return NULL;
}

static struct ksma_error *judge(struct check *c, const char *path, const struct ksma_keys *keys)
{
	_cleanup_(ksma_signatures_deinit) struct ksma_signatures signatures = { 0 };
	struct ksma_error *error;

	KSMA_TRY(take_damage(c, ksma_signatures_read(path, &signatures)));
	if (c->damage)
		return NULL;
	KSMA_TRY(take_damage(c, ksma_manifest_open(path, &c->manifest)));
	if (c->damage)
		return NULL;
	c->verdicts = calloc(ksma_manifest_parts(c->manifest), sizeof(*c->verdicts));
	if (!c->verdicts)
		return ksma_error_nomem();
	for (uint32_t part = 0; part < ksma_manifest_parts(c->manifest); part++) {
		KSMA_TRY(ksma_manifest_vouched(c->manifest, part, &signatures, keys,
					       &c->verdicts[part]));
		c->refused |= c->verdicts[part].trust != KSMA_TRUST_GOOD;
	}
	error = ksma_manifest_check(c->manifest);
	if (!error)
		error = ksma_manifest_read_all(c->manifest);
	return take_damage(c, error);
}

static const char *state(const struct check *c)
{
	if (c->damage)
		return "damaged";
	return c->refused ? "refused" : "good";
}

static void print_json(struct cli *cli, const struct check *c)
{
	uint32_t parts = c->manifest ? ksma_manifest_parts(c->manifest) : 0;
	struct cli_json json;
	char hex[2 * KSMA_SHA256 + 1];

	cli_document_begin(cli, &json);
	cli_json_text(&json, "manifest", cli->operands[1]);
	cli_json_text(&json, "keys", cli->values[CLI_KEYS]);
	cli_json_text(&json, "state", state(c));
	cli_json_text(&json, "reason", c->damage ? c->damage->message : NULL);
	cli_json_array(&json, "parts");
	for (uint32_t i = 0; i < parts && c->verdicts; i++) {
		const struct ksma_verdict *v = &c->verdicts[i];

		cli_json_object(&json, NULL);
		signed_json_part(&json, c->manifest, i);
		cli_json_text(&json, "trust", ksma_trust_name(v->trust));
		cli_json_text(&json, "signer", v->signer[0] ? v->signer : NULL);
		cli_json_text(&json, "key",
			      v->trust == KSMA_TRUST_UNSIGNED ? NULL : signed_hex(v->key, hex));
		cli_json_text(&json, "reason", v->why[0] ? v->why : NULL);
		cli_json_close(&json);
	}
	cli_json_close(&json);
	cli_document_end(&json);
}

static void print_text(struct cli *cli, const struct check *c)
{
	uint32_t parts = c->manifest ? ksma_manifest_parts(c->manifest) : 0;
	char time[CLI_BUFFER];

	for (uint32_t i = 0; i < parts && c->verdicts; i++) {
		const struct ksma_verdict *v = &c->verdicts[i];
		bool good = v->trust == KSMA_TRUST_GOOD;

		cli_text(cli, good ? CLI_GREEN : CLI_RED, "%s", ksma_trust_name(v->trust));
		cli_line(cli, CLI_PLAIN, "  %" PRIu64 " paths, made %s%s%s%s%s",
			 ksma_manifest_count(c->manifest, i),
			 cli_format_time(ksma_manifest_created(c->manifest, i) * 1000000000u, time),
			 v->signer[0] ? ", signed by " : "", v->signer, good ? "" : ": ", v->why);
	}
	if (c->damage)
		cli_warn(cli, "%s", c->damage->message);
	else if (c->refused)
		cli_warn(cli, "the manifest %s is refused", cli->operands[1]);
}

struct ksma_error *signed_manifest_verify(struct cli *cli)
{
	_cleanup_(check_deinit) struct check c = { 0 };
	struct ksma_keys *keys;
	struct ksma_error *error;

	KSMA_TRY(signed_operands(cli, 2, 2, "M.ksma"));
	KSMA_TRY(signed_need(cli, CLI_KEYS));
	KSMA_TRY(ksma_keys_open(cli->values[CLI_KEYS], &keys));
	signed_warn_private(cli, keys);
	error = judge(&c, cli->operands[1], keys);
	ksma_keys_close(keys);
	KSMA_TRY(error);
	if (cli_has(cli, CLI_JSON))
		print_json(cli, &c);
	else
		print_text(cli, &c);
	if (c.damage || c.refused)
		cli_status_raise(cli, CLI_FINDINGS);
	return NULL;
}
