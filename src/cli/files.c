/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma files: what a process of the guest has open. */
#include <inttypes.h>

#include "cli/output.h"
#include "cli/parse.h"

static void print_json(struct cli *cli, int32_t pid, const struct cli_look *look,
		       const struct ksma_files *files)
{
	struct cli_json json;

	cli_document_begin(cli, &json);
	cli_json_signed(&json, "pid", pid);
	cli_json_array(&json, "files");
	for (size_t i = 0; i < files->count; i++) {
		const struct ksma_file *f = &files->items[i];

		cli_json_object(&json, NULL);
		cli_json_signed(&json, "fd", f->fd);
		cli_json_text(&json, "type", f->type);
		cli_json_text(&json, "path", f->path);
		cli_json_hex(&json, "flags", f->flags);
		cli_json_number(&json, "mode", f->mode);
		cli_json_number(&json, "position", f->position);
		cli_json_number(&json, "inode", f->inode);
		cli_json_number(&json, "major", f->major);
		cli_json_number(&json, "minor", f->minor);
		cli_json_hex(&json, "file", f->file);
		cli_json_close(&json);
	}
	cli_json_close(&json);
	cli_json_look(&json, look);
	cli_document_end(&json);
}

/* How it was opened, as open(2) counts the low bits of its flags. */
static const char *access_name(uint32_t flags)
{
	static const char *const names[] = { "r", "w", "rw", "-" };

	return names[flags & 3];
}

static struct ksma_error *print_table(struct cli *cli, const struct ksma_files *files)
{
	static const struct cli_column columns[] = {
		{ "FD", CLI_RIGHT },	   { "TYPE", 0 },	 { "ACCESS", 0 },
		{ "POSITION", CLI_RIGHT }, { "DEV", CLI_RIGHT }, { "INODE", CLI_RIGHT },
		{ "PATH", CLI_LAST },
	};
	_cleanup_table_ struct cli_table *table =
		cli_table_create(cli, columns, ARRAY_SIZE(columns));

	for (size_t i = 0; i < files->count; i++) {
		const struct ksma_file *f = &files->items[i];

		cli_table_line(table);
		cli_cell(table, "%d", f->fd);
		cli_cell(table, "%s", f->type);
		cli_cell(table, "%s", access_name(f->flags));
		cli_cell(table, "%" PRIu64, f->position);
		cli_cell(table, "%u:%u", f->major, f->minor);
		cli_cell(table, "%" PRIu64, f->inode);
		cli_cell(table, "%s", cli_dash(f->path));
	}
	return cli_table_print(table);
}

struct ksma_error *cli_files(struct cli *cli)
{
	_cleanup_(ksma_files_free) struct ksma_files files = { 0 };
	_cleanup_look_ struct cli_look look = { 0 };
	int32_t pid;

	KSMA_TRY(cli_parse_pid(cli->operands[1], &pid));
	KSMA_TRY(cli_open_kernel(cli));
	look = cli_look_begin("files");
	KSMA_TRY(ksma_linux_files(cli->kernel, pid, &look.coverage, &files));
	cli_look_end(cli, &look);
	if (cli_has(cli, CLI_JSON))
		print_json(cli, pid, &look, &files);
	else
		KSMA_TRY(print_table(cli, &files));
	cli_warn_look(cli, &look);
	return NULL;
}
