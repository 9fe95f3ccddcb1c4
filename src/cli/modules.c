/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma modules: the kernel modules that the guest's own list holds. */
#include <inttypes.h>

#include "cli/output.h"

static void print_json(struct cli *cli, const struct cli_look *look,
		       const struct ksma_modules *modules)
{
	struct cli_json json;

	cli_document_begin(cli, &json);
	cli_json_array(&json, "modules");
	for (size_t i = 0; i < modules->count; i++) {
		const struct ksma_module *m = &modules->items[i];

		cli_json_object(&json, NULL);
		cli_json_text(&json, "name", m->name);
		cli_json_text(&json, "state", m->state);
		cli_json_hex(&json, "base", m->base);
		cli_json_number(&json, "size", m->size);
		cli_json_number(&json, "refcount", m->refcount);
		cli_json_hex(&json, "taints", m->taints);
		cli_json_text(&json, "srcversion", m->srcversion[0] ? m->srcversion : NULL);
		cli_json_build_id(&json, "build_id", &m->build_id);
		cli_json_hex(&json, "address", m->address);
		cli_json_array(&json, "memory");
		for (size_t k = 0; k < m->memory_count; k++) {
			cli_json_object(&json, NULL);
			cli_json_hex(&json, "base", m->memory[k].base);
			cli_json_number(&json, "size", m->memory[k].size);
			cli_json_bool(&json, "text", m->memory[k].text);
			cli_json_close(&json);
		}
		cli_json_close(&json);
		cli_json_close(&json);
	}
	cli_json_close(&json);
	cli_json_look(&json, look);
	cli_document_end(&json);
}

static struct ksma_error *print_table(struct cli *cli, const struct ksma_modules *modules)
{
	static const struct cli_column columns[] = {
		{ "NAME", 0 },	{ "SIZE", CLI_RIGHT }, { "REFS", CLI_RIGHT },
		{ "STATE", 0 }, { "BASE", 0 },	       { "SRCVERSION", CLI_LAST },
	};
	_cleanup_table_ struct cli_table *table =
		cli_table_create(cli, columns, ARRAY_SIZE(columns));

	for (size_t i = 0; i < modules->count; i++) {
		const struct ksma_module *m = &modules->items[i];

		cli_table_line(table);
		cli_cell(table, "%s", m->name);
		cli_cell(table, "%" PRIu64, m->size);
		cli_cell(table, "%u", m->refcount);
		cli_cell(table, "%s", m->state);
		cli_cell(table, "0x%" PRIx64, m->base);
		cli_cell(table, "%s", cli_dash(m->srcversion));
	}
	return cli_table_print(table);
}

struct ksma_error *cli_modules(struct cli *cli)
{
	_cleanup_(ksma_modules_free) struct ksma_modules modules = { 0 };
	_cleanup_look_ struct cli_look look = { 0 };

	KSMA_TRY(cli_open_kernel(cli));
	look = cli_look_begin("modules");
	KSMA_TRY(ksma_linux_modules(cli->kernel, &look.coverage, &modules));
	cli_look_end(cli, &look);
	if (cli_has(cli, CLI_JSON))
		print_json(cli, &look, &modules);
	else
		KSMA_TRY(print_table(cli, &modules));
	cli_warn_look(cli, &look);
	return NULL;
}
