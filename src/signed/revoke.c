/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma manifest revoke: takes trust back, in the folder of keys: from a key, a certificate, or a file's contents. */
#include <errno.h>
#include <time.h>

#include "cli/output.h"
#include "signed/common.h"
#include "signed/run.h"
#include "vendor/digest.h"
#include "vendor/keys_impl.h"
#include "vendor/revoked.h"
#include "vendor/store.h"

/* Hexadecimal digits, or a file to look into. */
static bool is_hash(const char *word, uint8_t *ret_hash)
{
	return strlen(word) == 64 && ksma_hex_parse(word, 64, ret_hash, KSMA_SHA256) == KSMA_SHA256;
}

static struct ksma_error *hash_stream(struct ksma_hash *hash, int fd, const char *path)
{
	_cleanup_free_ uint8_t *buffer = malloc(1 << 18);
	ssize_t n;

	if (!buffer)
		return ksma_error_nomem();
	while ((n = read(fd, buffer, 1 << 18)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ksma_error_os(errno, "cannot read %s", path);
		ksma_hash_add(hash, buffer, (size_t)n);
	}
	return NULL;
}

static struct ksma_error *hash_file(const char *path, uint8_t *ret_hash)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	uint8_t result[64];
	struct ksma_hash *hash;
	struct ksma_error *error;

	if (fd < 0)
		return ksma_error_os(errno, "cannot open %s", path);
	KSMA_TRY(ksma_hash_create("SHA256", &hash));
	error = hash_stream(hash, fd, path);
	ksma_hash_end(hash, result);
	ksma_hash_destroy(hash);
	memcpy(ret_hash, result, KSMA_SHA256);
	return error;
}

static struct ksma_error *find_hash(enum ksma_revoked_kind kind, const char *word,
				    uint8_t *ret_hash)
{
	if (is_hash(word, ret_hash))
		return NULL;
	if (kind == KSMA_REVOKED_FILE)
		return hash_file(word, ret_hash);
	return ksma_key_file_id(word, kind == KSMA_REVOKED_CERTIFICATE, ret_hash);
}

/* "2026-11-23T09:00:00Z lost" */
static struct ksma_error *words_of(const struct cli *cli, char **ret_words)
{
	const char *reason = cli->operand_count > 3 ? cli->operands[3] : "";
	time_t now = (time_t)(ksma_epoch_ns() / 1000000000u);
	char date[CLI_BUFFER] = "";
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return ksma_asprintf(ret_words, "%s%s%s", date, reason[0] ? " " : "", reason);
}

static void report(struct cli *cli, const char *kind, const uint8_t *hash, bool known)
{
	char hex[2 * KSMA_SHA256 + 1];
	struct cli_json json;

	signed_hex(hash, hex);
	if (cli_has(cli, CLI_JSON)) {
		cli_document_begin(cli, &json);
		cli_json_text(&json, "keys", cli->values[CLI_KEYS]);
		cli_json_text(&json, "kind", kind);
		cli_json_text(&json, "sha256", hex);
		cli_json_bool(&json, "known", known);
		cli_document_end(&json);
		return;
	}
	cli_line(cli, CLI_PLAIN, "%s %s %s", kind, hex,
		 known ? "was revoked already" : "is revoked");
}

struct ksma_error *signed_manifest_revoke(struct cli *cli)
{
	_cleanup_free_ char *words = NULL;
	uint8_t hash[KSMA_SHA256];
	bool known;

	KSMA_TRY(signed_need(cli, CLI_KEYS));
	KSMA_TRY(signed_operands(cli, 3, 4,
				 "key, certificate or file, and which: a SHA-256 or a file"));
	for (int kind = KSMA_REVOKED_KEY; kind <= KSMA_REVOKED_FILE; kind++) {
		const char *name = ksma_revoked_kind_name((enum ksma_revoked_kind)kind);

		if (strcmp(cli->operands[1], name) != 0)
			continue;
		KSMA_TRY(find_hash((enum ksma_revoked_kind)kind, cli->operands[2], hash));
		KSMA_TRY(words_of(cli, &words));
		KSMA_TRY(ksma_revoked_add(cli->values[CLI_KEYS], (enum ksma_revoked_kind)kind, hash,
					  words, &known));
		report(cli, name, hash, known);
		return NULL;
	}
	return ksma_error_create(KSMA_ERROR_INVALID,
				 "what is revoked is a key, a certificate or a file, and not '%s'",
				 cli->operands[1]);
}
