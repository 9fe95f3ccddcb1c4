/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma mounts: the file systems that a process of the guest sees. */
#include "cli/output.h"
#include "cli/parse.h"

static void print_json(struct cli *cli, int32_t pid, const struct cli_look *look,
		       const struct ksma_mounts *mounts)
{
	struct cli_json json;

	cli_document_begin(cli, &json);
	cli_json_signed(&json, "pid", pid);
	cli_json_array(&json, "mounts");
	for (size_t i = 0; i < mounts->count; i++) {
		const struct ksma_mount *m = &mounts->items[i];

		cli_json_object(&json, NULL);
		cli_json_signed(&json, "id", m->id);
		cli_json_signed(&json, "parent", m->parent);
		cli_json_text(&json, "path", m->path);
		cli_json_text(&json, "source", m->source);
		cli_json_text(&json, "root", m->root);
		cli_json_text(&json, "fstype", m->fstype);
		cli_json_number(&json, "major", m->major);
		cli_json_number(&json, "minor", m->minor);
		cli_json_hex(&json, "flags", m->flags);
		cli_json_close(&json);
	}
	cli_json_close(&json);
	cli_json_look(&json, look);
	cli_document_end(&json);
}

static struct ksma_error *print_table(struct cli *cli, const struct ksma_mounts *mounts)
{
	static const struct cli_column columns[] = {
		{ "ID", CLI_RIGHT }, { "PARENT", CLI_RIGHT }, { "DEV", CLI_RIGHT }, { "FSTYPE", 0 },
		{ "SOURCE", 0 },     { "ROOT", 0 },	      { "PATH", CLI_LAST },
	};
	_cleanup_table_ struct cli_table *table =
		cli_table_create(cli, columns, ARRAY_SIZE(columns));

	for (size_t i = 0; i < mounts->count; i++) {
		const struct ksma_mount *m = &mounts->items[i];

		cli_table_line(table);
		cli_cell(table, "%d", m->id);
		cli_cell(table, "%d", m->parent);
		cli_cell(table, "%u:%u", m->major, m->minor);
		cli_cell(table, "%s", m->fstype);
		cli_cell(table, "%s", cli_dash(m->source));
		cli_cell(table, "%s", cli_dash(m->root));
		cli_cell(table, "%s", cli_dash(m->path));
	}
	return cli_table_print(table);
}

struct ksma_error *cli_mounts(struct cli *cli)
{
	_cleanup_(ksma_mounts_free) struct ksma_mounts mounts = { 0 };
	_cleanup_look_ struct cli_look look = { 0 };
	int32_t pid = 1;

	if (cli->operand_count > 1)
		KSMA_TRY(cli_parse_pid(cli->operands[1], &pid));
	KSMA_TRY(cli_open_kernel(cli));
	look = cli_look_begin("mounts");
	KSMA_TRY(ksma_linux_mounts(cli->kernel, pid, &look.coverage, &mounts));
	cli_look_end(cli, &look);
	if (cli_has(cli, CLI_JSON))
		print_json(cli, pid, &look, &mounts);
	else
		KSMA_TRY(print_table(cli, &mounts));
	cli_warn_look(cli, &look);
	return NULL;
}
