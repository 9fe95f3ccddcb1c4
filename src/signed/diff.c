/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma manifest diff: what differs between two manifests, each taken at its latest word. */
#include "cli/output.h"
#include "signed/common.h"
#include "signed/run.h"

enum difference {
	DIFFERS_TYPE = 1 << 0,
	DIFFERS_CONTENTS = 1 << 1,
	DIFFERS_TARGET = 1 << 2,
	DIFFERS_MODE = 1 << 3,
	DIFFERS_OWNER = 1 << 4,
};

static const char *const words[] = { "type", "contents", "target", "mode", "owner" };

static unsigned compare(const struct ksma_manifest_entry *a, const struct ksma_manifest_entry *b)
{
	unsigned d = 0;

	if (a->type != b->type)
		return DIFFERS_TYPE;
	if (memcmp(a->sha256, b->sha256, KSMA_SHA256) != 0)
		d |= DIFFERS_CONTENTS;
	if (strcmp(a->target, b->target) != 0)
		d |= DIFFERS_TARGET;
	if (a->mode != b->mode)
		d |= DIFFERS_MODE;
	if (a->flags & b->flags & KSMA_MANIFEST_OWNER && (a->uid != b->uid || a->gid != b->gid))
		d |= DIFFERS_OWNER;
	return d;
}

/* Which of the two lists is made. */
enum pass { REMOVED, ADDED, CHANGED };

struct diff {
	struct cli *cli;
	struct cli_json json; /* when it is asked for */
	bool documents;
	struct ksma_manifest *from, *to;
	bool differs;
};

static void tell_change(struct diff *d, const char *path, unsigned what)
{
	const char *comma = "";

	if (!d->documents) {
		cli_text(d->cli, CLI_YELLOW, "~ ");
		cli_text(d->cli, CLI_PLAIN, "%s (", path);
		for (size_t i = 0; i < ARRAY_SIZE(words); i++)
			if (what >> i & 1) {
				cli_text(d->cli, CLI_PLAIN, "%s%s", comma, words[i]);
				comma = ", ";
			}
		cli_line(d->cli, CLI_PLAIN, ")");
		return;
	}
	cli_json_object(&d->json, NULL);
	cli_json_text(&d->json, "path", path);
	cli_json_array(&d->json, "what");
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (what >> i & 1)
			cli_json_text(&d->json, NULL, words[i]);
	cli_json_close(&d->json);
	cli_json_close(&d->json);
}

static void tell_path(struct diff *d, const char *path, enum pass pass)
{
	if (d->documents)
		cli_json_text(&d->json, NULL, path);
	else
		cli_line(d->cli, pass == ADDED ? CLI_GREEN : CLI_RED, "%c %s",
			 pass == ADDED ? '+' : '-', path);
}

static struct ksma_error *visit(struct diff *d, enum pass pass, struct ksma_manifest *other,
				const struct ksma_manifest_entry *e)
{
	struct ksma_manifest_entry theirs;
	unsigned what = 0;
	bool found;

	KSMA_TRY(ksma_manifest_find(other, e->path, &found, &theirs));
	if (pass != CHANGED && found)
		return NULL;
	if (pass == CHANGED && found)
		what = compare(e, &theirs);
	if (pass == CHANGED && !what)
		return NULL;
	d->differs = true;
	if (pass == CHANGED)
		tell_change(d, e->path, what);
	else
		tell_path(d, e->path, pass);
	return NULL;
}

/* Each path of `own` once, as its latest part has it. */
static struct ksma_error *each(struct diff *d, enum pass pass, struct ksma_manifest *own,
			       struct ksma_manifest *other)
{
	for (uint32_t part = 0; part < ksma_manifest_parts(own); part++)
		for (uint64_t i = 0; i < ksma_manifest_count(own, part); i++) {
			struct ksma_manifest_entry e, latest;
			bool found;

			KSMA_TRY(ksma_manifest_at(own, part, i, &e));
			KSMA_TRY(ksma_manifest_find(own, e.path, &found, &latest));
			if (found && latest.part == part)
				KSMA_TRY(visit(d, pass, other, &e));
		}
	return NULL;
}

static struct ksma_error *run(struct diff *d, enum pass pass, const char *key)
{
	struct ksma_error *error;

	if (d->documents)
		cli_json_array(&d->json, key);
	error = pass == ADDED ? each(d, pass, d->to, d->from) : each(d, pass, d->from, d->to);
	if (d->documents)
		cli_json_close(&d->json);
	return error;
}

static struct ksma_error *tell(struct diff *d)
{
	struct ksma_error *error;

	if (cli_has(d->cli, CLI_JSON)) {
		d->documents = true;
		d->cli->printed = true;
		cli_document_begin(d->cli, &d->json);
		cli_json_text(&d->json, "from", d->cli->operands[1]);
		cli_json_text(&d->json, "to", d->cli->operands[2]);
	}
	error = run(d, REMOVED, "removed");
	if (!error)
		error = run(d, ADDED, "added");
	if (!error)
		error = run(d, CHANGED, "changed");
	if (d->documents)
		cli_document_end(&d->json);
	return error;
}

struct ksma_error *signed_manifest_diff(struct cli *cli)
{
	struct diff d = { .cli = cli };
	struct ksma_error *error;

	KSMA_TRY(signed_operands(cli, 3, 3, "two manifests"));
	KSMA_TRY(signed_open_checked(cli->operands[1], &d.from));
	error = signed_open_checked(cli->operands[2], &d.to);
	if (!error)
		error = tell(&d);
	if (d.differs)
		cli_status_raise(cli, CLI_FINDINGS);
	ksma_manifest_close(d.to);
	ksma_manifest_close(d.from);
	return error;
}
