/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma vendor: what the vendor built. Looking at the store is done here; filling and verifying it by ksma-vendor, which needs
 * libraries that would slow the start of every other command. */
#include <inttypes.h>

#include "cli/hand_over.h"
#include "cli/output.h"
#include "vendor/write.h"

static void close_vendor(struct ksma_vendor **vendor)
{
	ksma_vendor_close(*vendor);
}
#define _cleanup_vendor_ _cleanup_(close_vendor)

static struct ksma_error *hand_over(struct cli *cli)
{
	return cli_hand_over(cli, "ksma-vendor");
}

static void json_entry(struct cli_json *json, const struct ksma_vendor_entry *e)
{
	char id[CLI_BUILD_ID];

	cli_json_object(json, NULL);
	cli_json_text(json, "kind", ksma_vendor_kind_name(e->kind));
	cli_json_text(json, "name", e->name);
	cli_json_text(json, "release", e->release[0] ? e->release : NULL);
	cli_json_text(json, "build_id", cli_format_build_id(e->build_id, e->build_id_length, id));
	cli_json_text(json, "sha256", e->sha256);
	cli_json_number(json, "size", e->size);
	cli_json_time(json, "added", e->added * 1000000000u);
	cli_json_text(json, "package", e->package[0] ? e->package : NULL);
	cli_json_text(json, "version", e->version[0] ? e->version : NULL);
	cli_json_text(json, "architecture", e->architecture[0] ? e->architecture : NULL);
	cli_json_text(json, "file", e->file[0] ? e->file : NULL);
	cli_json_text(json, "source", e->source[0] ? e->source : NULL);
	cli_json_text(json, "signature", ksma_vendor_signature_name(e->signature));
	cli_json_text(json, "signer", e->signer[0] ? e->signer : NULL);
	cli_json_close(json);
}

static void print_json(struct cli *cli, const struct ksma_vendor *vendor, const char *key,
		       const struct ksma_vendor_entries *entries)
{
	struct cli_json json;

	cli_document_begin(cli, &json);
	cli_json_text(&json, "store", ksma_vendor_path(vendor));
	cli_json_array(&json, key);
	for (size_t i = 0; i < entries->count; i++)
		json_entry(&json, &entries->items[i]);
	cli_json_close(&json);
	cli_document_end(&json);
}

/* A release: its kernels, how many modules, how large. */
static struct ksma_error *print_list(struct cli *cli, const struct ksma_vendor_entries *entries)
{
	static const struct cli_column columns[] = {
		{ "RELEASE", 0 },	  { "KERNEL", 0 },  { "SIGNATURE", 0 },
		{ "MODULES", CLI_RIGHT }, { "VERSION", 0 }, { "PACKAGE", CLI_LAST },
	};
	_cleanup_table_ struct cli_table *table =
		cli_table_create(cli, columns, ARRAY_SIZE(columns));

	/* Kernels come first; a release with modules alone has a line of its own, by its first module. */
	for (size_t i = 0; i < entries->count; i++) {
		const struct ksma_vendor_entry *e = &entries->items[i];
		size_t modules = 0;
		bool shown = false;
		char id[17];

		for (size_t k = 0; k < i && e->kind == KSMA_VENDOR_MODULE && !shown; k++)
			shown = strcmp(entries->items[k].release, e->release) == 0;
		if (shown)
			continue;
		for (size_t k = 0; k < entries->count; k++)
			modules += entries->items[k].kind == KSMA_VENDOR_MODULE &&
				   strcmp(entries->items[k].release, e->release) == 0;
		cli_format_build_id(e->build_id, e->build_id_length < 8 ? e->build_id_length : 8,
				    id);
		cli_table_line(table);
		cli_cell(table, "%s", cli_dash(e->release));
		cli_cell(table, "%s", e->kind == KSMA_VENDOR_KERNEL ? id : "-");
		cli_cell(table, "%s", ksma_vendor_signature_name(e->signature));
		cli_cell(table, "%zu", modules);
		cli_cell(table, "%s", cli_dash(e->version));
		cli_cell(table, "%s", cli_dash(e->package));
	}
	return cli_table_print(table);
}

static struct ksma_error *no_operands(const struct cli *cli)
{
	if (cli->operand_count == 1)
		return NULL;
	return ksma_error_create(KSMA_ERROR_INVALID, "vendor %s takes no '%s'", cli->operands[0],
				 cli->operands[1]);
}

static struct ksma_error *some_operands(const struct cli *cli)
{
	if (cli->operand_count > 1)
		return NULL;
	return ksma_error_create(
		KSMA_ERROR_INVALID,
		"vendor %s needs a build id, a SHA-256, a release, a package or a module's name",
		cli->operands[0]);
}

static struct ksma_error *run_list(struct cli *cli)
{
	_cleanup_(ksma_vendor_entries_free) struct ksma_vendor_entries entries = { 0 };
	_cleanup_vendor_ struct ksma_vendor *vendor = NULL;

	KSMA_TRY(no_operands(cli));
	KSMA_TRY(ksma_vendor_open(cli->values[CLI_VENDOR], &vendor));
	KSMA_TRY(ksma_vendor_list(vendor, &entries));
	if (cli_has(cli, CLI_JSON))
		print_json(cli, vendor, "entries", &entries);
	else
		KSMA_TRY(print_list(cli, &entries));
	return NULL;
}

enum { MIN_DIGITS = 6 };

/* Is this entry what the word means? */
static bool means(const struct ksma_vendor_entry *e, const char *word)
{
	char id[CLI_BUILD_ID];
	size_t length = strlen(word);

	if (strcmp(e->release, word) == 0 || strcmp(e->package, word) == 0 ||
	    (e->kind == KSMA_VENDOR_MODULE && strcmp(e->name, word) == 0))
		return true;
	cli_format_build_id(e->build_id, e->build_id_length, id);
	return length >= MIN_DIGITS &&
	       (strncmp(id, word, length) == 0 || strncmp(e->sha256, word, length) == 0);
}

/* Keeps the entries that the operands mean. */
static struct ksma_error *select_entries(const struct cli *cli, const struct ksma_vendor *vendor,
					 struct ksma_vendor_entries *entries)
{
	size_t kept = 0;

	for (size_t k = 1; k < cli->operand_count; k++) {
		bool found = false;

		for (size_t i = 0; i < entries->count && !found; i++)
			found = means(&entries->items[i], cli->operands[k]);
		if (!found)
			return ksma_error_create(
				KSMA_ERROR_NOT_PRESENT,
				"the vendor store %s holds nothing that is called %s",
				ksma_vendor_path(vendor), cli->operands[k]);
	}
	for (size_t i = 0; i < entries->count; i++) {
		bool wanted = false;

		for (size_t k = 1; k < cli->operand_count && !wanted; k++)
			wanted = means(&entries->items[i], cli->operands[k]);
		if (wanted) {
			struct ksma_vendor_entry e = entries->items[kept];

			entries->items[kept++] = entries->items[i];
			entries->items[i] = e;
		}
	}
	for (size_t i = kept; i < entries->count; i++)
		ksma_vendor_entry_deinit(&entries->items[i]);
	entries->count = kept;
	return NULL;
}

static void pair(struct cli *cli, const char *key, const char *value)
{
	if (!value[0])
		return;
	cli_text(cli, CLI_DIM, "%-12s", key);
	cli_line(cli, CLI_PLAIN, "  %s", value);
}

static void print_entry(struct cli *cli, const struct ksma_vendor_entry *e)
{
	char text[CLI_BUILD_ID] = "";

	cli_line(cli, CLI_BOLD, "%s %s", ksma_vendor_kind_name(e->kind), e->name);
	pair(cli, "release", e->release);
	pair(cli, "build id", cli_format_build_id(e->build_id, e->build_id_length, text));
	pair(cli, "sha256", e->sha256);
	pair(cli, "size", cli_format_size(e->size, text));
	pair(cli, "package", e->package);
	pair(cli, "version", e->version);
	pair(cli, "architecture", e->architecture);
	pair(cli, "file", e->file);
	pair(cli, "source", e->source);
	pair(cli, "added", cli_format_time(e->added * 1000000000u, text));
	pair(cli, "signature", ksma_vendor_signature_name(e->signature));
	pair(cli, "signer", e->signer);
}

static struct ksma_error *run_show(struct cli *cli)
{
	_cleanup_(ksma_vendor_entries_free) struct ksma_vendor_entries entries = { 0 };
	_cleanup_vendor_ struct ksma_vendor *vendor = NULL;

	KSMA_TRY(some_operands(cli));
	KSMA_TRY(ksma_vendor_open(cli->values[CLI_VENDOR], &vendor));
	KSMA_TRY(ksma_vendor_list(vendor, &entries));
	KSMA_TRY(select_entries(cli, vendor, &entries));
	if (cli_has(cli, CLI_JSON)) {
		print_json(cli, vendor, "entries", &entries);
		return NULL;
	}
	for (size_t i = 0; i < entries.count; i++) {
		if (i)
			putchar('\n');
		print_entry(cli, &entries.items[i]);
	}
	return NULL;
}

static struct ksma_error *run_remove(struct cli *cli)
{
	_cleanup_(ksma_vendor_entries_free) struct ksma_vendor_entries entries = { 0 };
	_cleanup_vendor_ struct ksma_vendor *vendor = NULL;

	KSMA_TRY(some_operands(cli));
	KSMA_TRY(ksma_vendor_open(cli->values[CLI_VENDOR], &vendor));
	KSMA_TRY(ksma_vendor_list(vendor, &entries));
	KSMA_TRY(select_entries(cli, vendor, &entries));
	KSMA_TRY(ksma_vendor_remove(vendor, entries.items, entries.count));
	if (cli_has(cli, CLI_JSON))
		print_json(cli, vendor, "removed", &entries);
	else
		cli_line(cli, CLI_PLAIN, "%zu object%s removed", entries.count,
			 entries.count == 1 ? "" : "s");
	return NULL;
}

struct ksma_error *cli_vendor(struct cli *cli)
{
	static const struct {
		const char *name;
		struct ksma_error *(*run)(struct cli *cli);
	} actions[] = {
		{ "add", hand_over },	  { "list", run_list },	   { "show", run_show },
		{ "remove", run_remove }, { "verify", hand_over },
	};

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(cli->operands[0], actions[i].name) == 0)
			return actions[i].run(cli);
	return ksma_error_create(KSMA_ERROR_INVALID,
				 "vendor knows add, list, show, remove, verify, and not '%s'",
				 cli->operands[0]);
}
