/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma manifest show: what a manifest says, whoever made it. That its hashes fit is looked at on the way. */
#include <inttypes.h>

#include "cli/output.h"
#include "signed/common.h"
#include "signed/run.h"
#include "vendor/digest.h"

enum { HEX = 2 * KSMA_SHA256 + 1 };

/* What is told, and to whom. */
struct teller {
	struct cli *cli;
	struct cli_json json; /* when it is asked for */
	bool documents;
	struct ksma_manifest *manifest;
	struct ksma_sha256 *sha256;
};

static void json_pages(struct cli_json *json, struct ksma_manifest *m,
		       const struct ksma_manifest_entry *e, struct ksma_error **error)
{
	char hex[HEX];

	cli_json_array(json, "pages");
	for (uint64_t i = 0; i < e->pages && !*error; i++) {
		const uint8_t *hash;

		*error = ksma_manifest_page(m, e, i, &hash);
		if (!*error)
			cli_json_text(json, NULL, signed_hex(hash, hex));
	}
	cli_json_close(json);
}

static struct ksma_error *json_entry(struct teller *t, const struct ksma_manifest_entry *e,
				     bool pages)
{
	bool file = e->type == KSMA_MANIFEST_FILE, owner = e->flags & KSMA_MANIFEST_OWNER;
	struct cli_json *json = &t->json;
	struct ksma_error *error = NULL;
	uint8_t digest[KSMA_SHA256];
	char hex[HEX], mode[16];

	snprintf(mode, sizeof(mode), "%04o", e->mode & 07777);
	cli_json_object(json, NULL);
	cli_json_text(json, "path", e->path);
	cli_json_text(json, "type", file ? "file" : "symlink");
	cli_json_number(json, "part", e->part);
	cli_json_number(json, "size", e->size);
	cli_json_text(json, "mode", mode);
	if (owner) {
		cli_json_number(json, "uid", e->uid);
		cli_json_number(json, "gid", e->gid);
	} else {
		cli_json_null(json, "uid");
		cli_json_null(json, "gid");
	}
	cli_json_text(json, "target", file ? NULL : e->target);
	cli_json_text(json, "origin", e->origin[0] ? e->origin : NULL);
	cli_json_bool(json, "conffile", e->flags & KSMA_MANIFEST_CONFFILE);
	cli_json_text(json, "sha256", file ? signed_hex(e->sha256, hex) : NULL);
	cli_json_text(json, "verity_root", file ? signed_hex(e->verity_root, hex) : NULL);
	if (file)
		ksma_verity_digest(t->sha256, e->verity_root, e->size, digest);
	cli_json_text(json, "verity_digest", file ? signed_hex(digest, hex) : NULL);
	if (pages)
		json_pages(json, t->manifest, e, &error);
	cli_json_close(json);
	return error;
}

static void print_entry(struct cli *cli, const struct ksma_manifest_entry *e)
{
	char owner[32] = "-", hex[HEX];

	if (e->flags & KSMA_MANIFEST_OWNER)
		snprintf(owner, sizeof(owner), "%" PRIu32 ":%" PRIu32, e->uid, e->gid);
	if (e->type == KSMA_MANIFEST_SYMLINK)
		cli_line(cli, CLI_PLAIN, "%-16s  %4o  %9s  %10s  %s -> %s", "-", e->mode & 07777,
			 owner, "link", e->path, e->target);
	else
		cli_line(cli, CLI_PLAIN, "%.16s  %4o  %9s  %10" PRIu64 "  %s",
			 signed_hex(e->sha256, hex), e->mode & 07777, owner, e->size, e->path);
}

/* One entry, to whoever reads. */
static struct ksma_error *tell(struct teller *t, const struct ksma_manifest_entry *e, bool pages)
{
	if (t->documents)
		return json_entry(t, e, pages);
	print_entry(t->cli, e);
	return NULL;
}

static struct ksma_error *tell_all(struct teller *t)
{
	for (uint32_t part = 0; part < ksma_manifest_parts(t->manifest); part++)
		for (uint64_t i = 0; i < ksma_manifest_count(t->manifest, part); i++) {
			struct ksma_manifest_entry e;

			KSMA_TRY(ksma_manifest_at(t->manifest, part, i, &e));
			KSMA_TRY(tell(t, &e, false));
		}
	return NULL;
}

static struct ksma_error *tell_named(struct teller *t)
{
	for (size_t k = 2; k < t->cli->operand_count; k++) {
		struct ksma_manifest_entry e;
		bool found;

		KSMA_TRY(ksma_manifest_find(t->manifest, t->cli->operands[k], &found, &e));
		if (found) {
			KSMA_TRY(tell(t, &e, true));
			continue;
		}
		cli_warn(t->cli, "%s is not in the manifest", t->cli->operands[k]);
		cli_status_raise(t->cli, CLI_INCOMPLETE);
	}
	return NULL;
}

static void json_parts(struct cli_json *json, const struct ksma_manifest *m)
{
	cli_json_array(json, "parts");
	for (uint32_t part = 0; part < ksma_manifest_parts(m); part++) {
		cli_json_object(json, NULL);
		signed_json_part(json, m, part);
		cli_json_close(json);
	}
	cli_json_close(json);
}

static struct ksma_error *show(struct teller *t)
{
	struct cli *cli = t->cli;
	struct ksma_error *error;

	if (cli_has(cli, CLI_JSON)) {
		t->documents = true;
		cli->printed = true;
		cli_document_begin(cli, &t->json);
		cli_json_text(&t->json, "manifest", cli->operands[1]);
		json_parts(&t->json, t->manifest);
		cli_json_array(&t->json, "entries");
	}
	error = cli->operand_count > 2 ? tell_named(t) : tell_all(t);
	if (t->documents) {
		cli_json_close(&t->json);
		cli_document_end(&t->json);
	}
	return error;
}

struct ksma_error *signed_manifest_show(struct cli *cli)
{
	struct teller t = { .cli = cli };
	struct ksma_error *error;

	KSMA_TRY(signed_operands(cli, 2, SIZE_MAX, "M.ksma"));
	KSMA_TRY(signed_open_checked(cli->operands[1], &t.manifest));
	error = ksma_sha256_create(&t.sha256);
	if (!error)
		error = show(&t);
	ksma_sha256_destroy(t.sha256);
	ksma_manifest_close(t.manifest);
	return error;
}
