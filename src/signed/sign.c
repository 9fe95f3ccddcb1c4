/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma manifest sign: adds a signature to those beside a manifest. Each part is signed, and what others signed stays. */
#include <openssl/sha.h>

#include "cli/output.h"
#include "signed/common.h"
#include "signed/run.h"
#include "vendor/sign.h"
#include "vendor/signatures.h"

/* @key of the signer, @scheme how it signed */
static struct ksma_error *sign_part(struct ksma_manifest *m, uint32_t part,
				    const struct ksma_signer *signer, struct ksma_signatures *list,
				    uint8_t *key, enum ksma_scheme *scheme)
{
	_cleanup_(ksma_signature_deinit) struct ksma_signature signature = { 0 };
	const uint8_t *head = m->parts.items[part].head;

	KSMA_TRY(ksma_sign(signer, head, KSMA_MANIFEST_HEAD, &signature));
	SHA256(head, KSMA_MANIFEST_HEAD, signature.head);
	memcpy(key, signature.key, KSMA_SHA256);
	*scheme = signature.scheme;
	return ksma_signatures_put(list, &signature);
}

/* Signatures of what is not in the manifest any more are of no use. */
static void drop_strangers(const struct ksma_manifest *m, struct ksma_signatures *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		bool known = false;

		for (uint32_t part = 0; part < ksma_manifest_parts(m) && !known; part++) {
			uint8_t hash[KSMA_SHA256];

			SHA256(m->parts.items[part].head, KSMA_MANIFEST_HEAD, hash);
			known = memcmp(hash, list->items[i].head, sizeof(hash)) == 0;
		}
		if (known)
			list->items[kept++] = list->items[i];
		else
			ksma_signature_deinit(&list->items[i]);
	}
	list->count = kept;
}

static void report(struct cli *cli, const uint8_t *id, enum ksma_scheme scheme, uint32_t parts)
{
	char key[2 * KSMA_SHA256 + 1];
	struct cli_json json;

	signed_hex(id, key);
	if (!cli_has(cli, CLI_JSON)) {
		cli_line(cli, CLI_PLAIN, "%s.sig: signed as %s by key %s", cli->operands[1],
			 ksma_scheme_name(scheme), key);
		return;
	}
	cli_document_begin(cli, &json);
	cli_json_text(&json, "manifest", cli->operands[1]);
	cli_json_number(&json, "parts", parts);
	cli_json_text(&json, "scheme", ksma_scheme_name(scheme));
	cli_json_text(&json, "key", key);
	cli_document_end(&json);
}

static struct ksma_error *sign_all(struct cli *cli, struct ksma_manifest *m,
				   const struct ksma_signer *signer)
{
	_cleanup_(ksma_signatures_deinit) struct ksma_signatures list = { 0 };
	const char *path = cli->operands[1];
	uint32_t parts = ksma_manifest_parts(m);
	enum ksma_scheme scheme = KSMA_SCHEME_COUNT;
	uint8_t key[KSMA_SHA256];

	/* Nobody vouches for what was not looked at. */
	KSMA_TRY(ksma_manifest_read_all(m));
	KSMA_TRY(ksma_signatures_read(path, &list));
	drop_strangers(m, &list);
	for (uint32_t part = 0; part < parts; part++)
		KSMA_TRY(sign_part(m, part, signer, &list, key, &scheme));
	KSMA_TRY(ksma_signatures_write(path, &list));
	report(cli, key, scheme, parts);
	return NULL;
}

struct ksma_error *signed_manifest_sign(struct cli *cli)
{
	const char *scheme = cli->values[CLI_SCHEME];
	struct ksma_signer *signer;
	struct ksma_manifest *m;
	struct ksma_error *error;

	KSMA_TRY(signed_operands(cli, 2, 2, "M.ksma"));
	KSMA_TRY(signed_need(cli, CLI_KEY));
	if (scheme && strcmp(scheme, "pss") != 0 && strcmp(scheme, "pkcs1") != 0)
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "--scheme is pss or pkcs1, and not '%s'", scheme);
	KSMA_TRY(signed_open_checked(cli->operands[1], &m));
	error = ksma_signer_open(cli->values[CLI_KEY], cli->values[CLI_CERT],
				 scheme && strcmp(scheme, "pkcs1") == 0, &signer);
	if (!error) {
		error = sign_all(cli, m, signer);
		ksma_signer_close(signer);
	}
	ksma_manifest_close(m);
	return error;
}
