/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma maps: the memory areas of a process of the guest. */
#include <inttypes.h>

#include "cli/output.h"
#include "cli/parse.h"

static void print_json(struct cli *cli, int32_t pid, const struct cli_look *look,
		       const struct ksma_maps *maps)
{
	struct cli_json json;

	cli_document_begin(cli, &json);
	cli_json_signed(&json, "pid", pid);
	cli_json_array(&json, "maps");
	for (size_t i = 0; i < maps->count; i++) {
		const struct ksma_map *m = &maps->items[i];

		cli_json_object(&json, NULL);
		cli_json_hex(&json, "start", m->start);
		cli_json_hex(&json, "end", m->end);
		cli_json_text(&json, "perms", m->perms);
		cli_json_hex(&json, "flags", m->flags);
		cli_json_number(&json, "offset", m->offset);
		cli_json_number(&json, "major", m->major);
		cli_json_number(&json, "minor", m->minor);
		cli_json_number(&json, "inode", m->inode);
		cli_json_text(&json, "path", m->path);
		cli_json_close(&json);
	}
	cli_json_close(&json);
	cli_json_look(&json, look);
	cli_document_end(&json);
}

static struct ksma_error *print_table(struct cli *cli, const struct ksma_maps *maps)
{
	static const struct cli_column columns[] = {
		{ "START", CLI_RIGHT },	 { "END", CLI_RIGHT }, { "PERMS", 0 },
		{ "OFFSET", CLI_RIGHT }, { "DEV", 0 },	       { "INODE", CLI_RIGHT },
		{ "PATH", CLI_LAST },
	};
	_cleanup_table_ struct cli_table *table =
		cli_table_create(cli, columns, ARRAY_SIZE(columns));

	for (size_t i = 0; i < maps->count; i++) {
		const struct ksma_map *m = &maps->items[i];

		cli_table_line(table);
		cli_cell(table, "0x%" PRIx64, m->start);
		cli_cell(table, "0x%" PRIx64, m->end);
		cli_cell(table, "%s", m->perms);
		cli_cell(table, "0x%" PRIx64, m->offset);
		cli_cell(table, "%02x:%02x", m->major, m->minor);
		cli_cell(table, "%" PRIu64, m->inode);
		cli_cell(table, "%s", m->path ? m->path : "");
	}
	return cli_table_print(table);
}

struct ksma_error *cli_maps(struct cli *cli)
{
	_cleanup_(ksma_maps_free) struct ksma_maps maps = { 0 };
	_cleanup_look_ struct cli_look look = { 0 };
	int32_t pid;

	KSMA_TRY(cli_parse_pid(cli->operands[1], &pid));
	KSMA_TRY(cli_open_kernel(cli));
	look = cli_look_begin("maps");
	KSMA_TRY(ksma_linux_maps(cli->kernel, pid, &look.coverage, &maps));
	cli_look_end(cli, &look);
	if (cli_has(cli, CLI_JSON))
		print_json(cli, pid, &look, &maps);
	else
		KSMA_TRY(print_table(cli, &maps));
	cli_warn_look(cli, &look);
	return NULL;
}
