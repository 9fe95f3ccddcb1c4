/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma vendor add and verify: one file or object after the other, with what became of each. */
#include "ingest/report.h"

#include <inttypes.h>

#include "cli/progress.h"
#include "ingest/add.h"
#include "ingest/confine.h"
#include "ingest/signature.h"

/* A file, and what became of it. */
struct outcome {
	const char *file;
	struct ingest_result result;
	struct ksma_error *refused; /* or NULL */
};

static void print_outcome(struct cli *cli, const struct outcome *o)
{
	const struct ingest_result *r = &o->result;
	char size[CLI_BUFFER];

	if (o->refused) {
		cli_warn(cli, "refused: %s", o->refused->message);
		return;
	}
	if (!r->kernels && !r->modules)
		cli_warn(cli, "%s holds neither a kernel nor modules", o->file);
	else
		cli_line(cli, CLI_PLAIN, "%s: %zu kernel%s, %zu module%s; %zu new, %s", o->file,
			 r->kernels, r->kernels == 1 ? "" : "s", r->modules,
			 r->modules == 1 ? "" : "s", r->kernels + r->modules - r->known,
			 cli_format_size(r->bytes, size));
	if (r->passed_over)
		cli_warn(cli, "%s: %zu modules have no build id and were passed over", o->file,
			 r->passed_over);
}

static void print_json(struct cli *cli, const char *path, const struct outcome *outcomes,
		       size_t count)
{
	struct cli_json json;

	cli_document_begin(cli, &json);
	cli_json_text(&json, "store", path);
	cli_json_array(&json, "files");
	for (size_t i = 0; i < count; i++) {
		const struct outcome *o = &outcomes[i];

		cli_json_object(&json, NULL);
		cli_json_text(&json, "file", o->file);
		cli_json_number(&json, "kernels", o->result.kernels);
		cli_json_number(&json, "modules", o->result.modules);
		cli_json_number(&json, "known", o->result.known);
		cli_json_number(&json, "passed_over", o->result.passed_over);
		cli_json_number(&json, "bytes", o->result.bytes);
		cli_json_text(&json, "refused", o->refused ? o->refused->message : NULL);
		cli_json_close(&json);
	}
	cli_json_close(&json);
	cli_document_end(&json);
}

static struct ksma_error *add_all(struct cli *cli, struct ksma_vendor *vendor,
				  const struct ingest_trust *trust, struct outcome *outcomes,
				  size_t count)
{
	size_t useful = 0;

	for (size_t i = 0; i < count; i++) {
		struct outcome *o = &outcomes[i];

		o->file = cli->operands[1 + i];
		cli_progress_say(cli->progress, "adding a file");
		o->refused = ingest_add(vendor, o->file, trust, &o->result);
		if (o->refused && o->refused->code == KSMA_ERROR_NOMEM)
			return TAKE_PTR(o->refused);
		if (o->refused)
			cli_status_raise(cli, CLI_INCOMPLETE);
		else
			useful += o->result.kernels + o->result.modules;
		if (!cli_has(cli, CLI_JSON))
			print_outcome(cli, o);
	}
	/* Some packages of a set hold nothing; when none holds anything, something is wrong. */
	if (!useful)
		cli_status_raise(cli, CLI_INCOMPLETE);
	return NULL;
}

static struct ksma_error *run_add(struct cli *cli)
{
	size_t count = cli->operand_count - 1;
	struct ingest_trust *trust = NULL;
	struct ksma_vendor *vendor = NULL;
	struct outcome *outcomes;
	struct ksma_error *error;

	if (!count)
		return ksma_error_create(KSMA_ERROR_INVALID, "vendor add needs a file to add");
	outcomes = calloc(count, sizeof(*outcomes));
	error = outcomes ? NULL : ksma_error_nomem();
	if (!error && cli_has(cli, CLI_TRUST))
		error = ingest_trust_load(cli->values[CLI_TRUST], &trust);
	if (!error)
		error = ksma_vendor_create(cli->values[CLI_VENDOR], &vendor);
	if (!error)
		error = ingest_confine(ksma_vendor_path(vendor));
	if (!error)
		error = add_all(cli, vendor, trust, outcomes, count);
	if (!error && cli_has(cli, CLI_JSON))
		print_json(cli, ksma_vendor_path(vendor), outcomes, count);
	for (size_t i = 0; outcomes && i < count; i++)
		ksma_error_destroy(outcomes[i].refused);
	free(outcomes);
	ingest_trust_destroy(trust);
	ksma_vendor_close(vendor);
	return error;
}

static struct ksma_error *verify_one(struct ksma_vendor *vendor,
				     const struct ksma_vendor_entry *entry)
{
	_cleanup_(ksma_vendor_object_deinit) struct ksma_vendor_object object = { 0 };

	KSMA_TRY(ksma_vendor_map(vendor, entry, &object));
	return ingest_verify(&object);
}

static struct ksma_error *verify_all(struct cli *cli, struct ksma_vendor *vendor,
				     const struct ksma_vendor_entries *entries)
{
	bool documents = cli_has(cli, CLI_JSON);
	struct cli_json json;
	size_t damaged = 0;

	if (documents) {
		cli_document_begin(cli, &json);
		cli_json_text(&json, "store", ksma_vendor_path(vendor));
		cli_json_number(&json, "objects", entries->count);
		cli_json_array(&json, "damaged");
	}
	for (size_t i = 0; i < entries->count; i++) {
		const struct ksma_vendor_entry *e = &entries->items[i];
		_cleanup_error_ struct ksma_error *error = verify_one(vendor, e);

		if (!error)
			continue;
		damaged++;
		if (!documents) {
			cli_warn(cli, "%s %s (%s): %s", ksma_vendor_kind_name(e->kind), e->name,
				 e->sha256, error->message);
			continue;
		}
		cli_json_object(&json, NULL);
		cli_json_text(&json, "sha256", e->sha256);
		cli_json_text(&json, "kind", ksma_vendor_kind_name(e->kind));
		cli_json_text(&json, "name", e->name);
		cli_json_text(&json, "problem", error->message);
		cli_json_close(&json);
	}
	if (documents) {
		cli_json_close(&json);
		cli_document_end(&json);
	} else {
		cli_line(cli, CLI_PLAIN, "%zu objects, %zu damaged", entries->count, damaged);
	}
	if (damaged)
		cli_status_raise(cli, CLI_INCOMPLETE);
	return NULL;
}

static struct ksma_error *run_verify(struct cli *cli)
{
	_cleanup_(ksma_vendor_entries_free) struct ksma_vendor_entries entries = { 0 };
	struct ksma_vendor *vendor;
	struct ksma_error *error;

	if (cli->operand_count > 1)
		return ksma_error_create(KSMA_ERROR_INVALID, "vendor verify takes no '%s'",
					 cli->operands[1]);
	KSMA_TRY(ksma_vendor_open(cli->values[CLI_VENDOR], &vendor));
	error = ksma_vendor_list(vendor, &entries);
	if (!error)
		error = verify_all(cli, vendor, &entries);
	ksma_vendor_close(vendor);
	return error;
}

struct ksma_error *ingest_run(struct cli *cli)
{
	const char *action = cli->operand_count ? cli->operands[0] : "";

	if (cli->command->run == cli_vendor && strcmp(action, "add") == 0)
		return run_add(cli);
	if (cli->command->run == cli_vendor && strcmp(action, "verify") == 0)
		return run_verify(cli);
	return ksma_error_create(KSMA_ERROR_INVALID,
				 "ksma-vendor only does what ksma vendor asks it to");
}
