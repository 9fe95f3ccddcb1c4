/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma manifest merge: several manifests become one file. As they were signed they stay, part by part, so that an update needs no private
 * key where it is used; made one anew (--flatten), they must be signed again. */
#include <inttypes.h>
#include <openssl/sha.h>

#include "base/replace.h"
#include "cli/output.h"
#include "signed/common.h"
#include "signed/run.h"
#include "vendor/manifest_write.h"
#include "vendor/signatures.h"

/* A part that is taken over. */
struct piece {
	struct ksma_manifest *manifest;
	uint32_t part;
	uint8_t head[KSMA_SHA256];
};

struct input {
	struct ksma_manifest *manifest;
};

struct merge {
	struct {
		struct input *items;
		size_t count, capacity;
	} inputs;
	struct {
		struct piece *items;
		size_t count, capacity;
	} pieces;
	struct ksma_signatures signatures;
	struct ksma_manifest_writer *writer; /* when it is made one */
};

static void merge_deinit(struct merge *m)
{
	for (size_t i = 0; i < m->inputs.count; i++)
		ksma_manifest_close(m->inputs.items[i].manifest);
	free(m->inputs.items);
	free(m->pieces.items);
	ksma_signatures_deinit(&m->signatures);
	ksma_manifest_writer_destroy(m->writer);
}

/* What comes again counts where it came last. */
static struct ksma_error *add_piece(struct merge *m, struct ksma_manifest *manifest, uint32_t part)
{
	struct piece p = { .manifest = manifest, .part = part }, *slot;
	size_t kept = 0;

	SHA256(manifest->parts.items[part].head, KSMA_MANIFEST_HEAD, p.head);
	for (size_t i = 0; i < m->pieces.count; i++)
		if (memcmp(m->pieces.items[i].head, p.head, KSMA_SHA256) != 0)
			m->pieces.items[kept++] = m->pieces.items[i];
	m->pieces.count = kept;
	KSMA_TRY(KSMA_ARRAY_PUSH(&m->pieces, &slot));
	*slot = p;
	return NULL;
}

static struct ksma_error *open_input(struct merge *m, const struct ksma_keys *keys,
				     const char *path)
{
	struct ksma_manifest *manifest;
	struct input *slot;

	KSMA_TRY(KSMA_ARRAY_PUSH(&m->inputs, &slot));
	KSMA_TRY(keys ? ksma_manifest_open_signed(path, keys, &slot->manifest)
		      : signed_open_checked(path, &slot->manifest));
	manifest = slot->manifest;
	KSMA_TRY(ksma_manifest_read_all(manifest));
	for (uint32_t part = 0; part < ksma_manifest_parts(manifest); part++)
		KSMA_TRY(add_piece(m, manifest, part));
	return NULL;
}

static struct ksma_error *open_inputs(struct cli *cli, struct merge *m)
{
	struct ksma_keys *keys = NULL;
	struct ksma_error *error = NULL;

	if (cli_has(cli, CLI_KEYS))
		KSMA_TRY(ksma_keys_open(cli->values[CLI_KEYS], &keys));
	for (size_t i = 1; i < cli->operand_count && !error; i++)
		error = open_input(m, keys, cli->operands[i]);
	ksma_keys_close(keys);
	return error;
}

static bool is_of(const struct merge *m, const struct ksma_signature *s)
{
	for (size_t i = 0; i < m->pieces.count; i++)
		if (memcmp(m->pieces.items[i].head, s->head, KSMA_SHA256) == 0)
			return true;
	return false;
}

/* @all also those of parts that are not taken over */
static struct ksma_error *add_signatures(const struct merge *m, const char *path, bool all,
					 struct ksma_signatures *list)
{
	_cleanup_(ksma_signatures_deinit) struct ksma_signatures own = { 0 };

	KSMA_TRY(ksma_signatures_read(path, &own));
	for (size_t i = 0; i < own.count; i++)
		if (all || is_of(m, &own.items[i]))
			KSMA_TRY(ksma_signatures_put(list, &own.items[i]));
	return NULL;
}

/* One part as it lies in its file, each chunk of it held against its hash. */
static struct ksma_error *write_piece(const struct piece *piece, int fd)
{
	static const uint8_t zeros[KSMA_MANIFEST_CHUNK];
	const struct ksma_manifest_part *p = &piece->manifest->parts.items[piece->part];
	uint64_t front = KSMA_MANIFEST_HEAD + p->chunks * KSMA_SHA256;
	const uint8_t *bytes;

	KSMA_TRY(ksma_write_all(fd, p->head, KSMA_MANIFEST_HEAD));
	KSMA_TRY(ksma_write_all(fd, p->table, p->chunks * KSMA_SHA256));
	KSMA_TRY(ksma_write_all(fd, zeros, ksma_align_up(front, KSMA_MANIFEST_CHUNK) - front));
	for (uint64_t i = 0; i < p->chunks; i++) {
		KSMA_TRY(ksma_manifest_bytes(piece->manifest, piece->part, i * KSMA_MANIFEST_CHUNK,
					     KSMA_MANIFEST_CHUNK, &bytes));
		KSMA_TRY(ksma_write_all(fd, bytes, KSMA_MANIFEST_CHUNK));
	}
	return NULL;
}

static struct ksma_error *write_pieces(void *arg, int fd)
{
	const struct merge *m = arg;

	for (size_t i = 0; i < m->pieces.count; i++)
		KSMA_TRY(write_piece(&m->pieces.items[i], fd));
	return NULL;
}

/* At every moment the manifest that is there has its signatures beside it: first come those of both, then the manifest, then what is left
 * over goes. */
static struct ksma_error *put_side_by_side(struct cli *cli, struct merge *m)
{
	_cleanup_(ksma_signatures_deinit) struct ksma_signatures both = { 0 };
	const char *output = cli->values[CLI_OUTPUT];

	if (m->pieces.count > KSMA_MANIFEST_MAX_PARTS)
		return ksma_error_create(
			KSMA_ERROR_LIMIT,
			"these are %zu manifests, and at most %d lie in one file: merge with "
			"--flatten, and sign it again",
			m->pieces.count, KSMA_MANIFEST_MAX_PARTS);
	for (size_t i = 1; i < cli->operand_count; i++) {
		KSMA_TRY(add_signatures(m, cli->operands[i], false, &m->signatures));
		KSMA_TRY(add_signatures(m, cli->operands[i], false, &both));
	}
	KSMA_TRY(add_signatures(m, output, true, &both));
	if (both.count)
		KSMA_TRY(ksma_signatures_write(output, &both));
	KSMA_TRY(ksma_replace_file(output, 0644, write_pieces, m));
	return both.count ? ksma_signatures_write(output, &m->signatures) : NULL;
}

static struct ksma_error *write_one(void *arg, int fd)
{
	uint64_t time;

	KSMA_TRY(signed_created(&time));
	return ksma_manifest_writer_write(arg, fd, time);
}

static struct ksma_error *make_one(struct cli *cli, struct merge *m)
{
	KSMA_TRY(ksma_manifest_writer_create(&m->writer));
	for (size_t i = 0; i < m->inputs.count; i++)
		KSMA_TRY(ksma_manifest_writer_add_all(m->writer, m->inputs.items[i].manifest));
	return ksma_replace_file(cli->values[CLI_OUTPUT], 0644, write_one, m->writer);
}

static void report(struct cli *cli, const struct merge *m)
{
	size_t parts = m->writer ? 1 : m->pieces.count;
	uint64_t entries = m->writer ? ksma_manifest_writer_count(m->writer) : 0;
	struct cli_json json;

	for (size_t i = 0; !m->writer && i < parts; i++)
		entries +=
			ksma_manifest_count(m->pieces.items[i].manifest, m->pieces.items[i].part);
	if (cli_has(cli, CLI_JSON)) {
		cli_document_begin(cli, &json);
		cli_json_text(&json, "manifest", cli->values[CLI_OUTPUT]);
		cli_json_number(&json, "parts", parts);
		cli_json_number(&json, "entries", entries);
		cli_json_number(&json, "signatures", m->signatures.count);
		cli_document_end(&json);
		return;
	}
	cli_line(cli, CLI_PLAIN, "%s: %zu part%s, %" PRIu64 " paths, %zu signature%s",
		 cli->values[CLI_OUTPUT], parts, parts == 1 ? "" : "s", entries,
		 m->signatures.count, m->signatures.count == 1 ? "" : "s");
}

struct ksma_error *signed_manifest_merge(struct cli *cli)
{
	_cleanup_(merge_deinit) struct merge m = { 0 };

	KSMA_TRY(signed_operands(cli, 2, SIZE_MAX, "the manifests to merge"));
	KSMA_TRY(signed_need(cli, CLI_OUTPUT));
	KSMA_TRY(open_inputs(cli, &m));
	KSMA_TRY(cli_has(cli, CLI_FLATTEN) ? make_one(cli, &m) : put_side_by_side(cli, &m));
	report(cli, &m);
	return NULL;
}
