/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma bpf: the BPF programs of the guest, what they call, and from where they are reached. */
#include <inttypes.h>

#include "cli/output.h"

static const char *type_name(const struct ksma_bpf_program *p, char *buffer, size_t size)
{
	const char *name = ksma_bpf_type_name(p->type);

	snprintf(buffer, size, "%s", name ?: "");
	if (!name)
		snprintf(buffer, size, "type %u", p->type);
	return buffer;
}

static void tag_text(const struct ksma_bpf_program *p, char text[17])
{
	for (size_t i = 0; i < sizeof(p->tag); i++)
		snprintf(text + 2 * i, 3, "%02x", p->tag[i]);
}

static void print_helpers(struct cli_json *json, unsigned helpers)
{
	cli_json_array(json, "helpers");
	for (unsigned bit = 1; bit && bit <= helpers; bit <<= 1)
		if (helpers & bit && ksma_bpf_helper_name(bit))
			cli_json_text(json, NULL, ksma_bpf_helper_name(bit));
	cli_json_close(json);
}

static void print_attached(struct cli_json *json, const struct ksma_bpf *bpf, uint64_t program)
{
	cli_json_array(json, "attached");
	for (size_t i = 0; i < bpf->attachments.count; i++) {
		const struct ksma_bpf_attachment *at = &bpf->attachments.items[i];

		if (at->program != program || strcmp(at->kind, "name") == 0)
			continue;
		cli_json_object(json, NULL);
		cli_json_text(json, "kind", at->kind);
		cli_json_bytes(json, "where", at->where, strlen(at->where));
		cli_json_close(json);
	}
	cli_json_close(json);
}

static void print_json(struct cli *cli, const struct cli_look *look, const struct ksma_bpf *bpf)
{
	struct cli_json json;
	char text[32];

	cli_document_begin(cli, &json);
	cli_json_array(&json, "programs");
	for (size_t i = 0; i < bpf->programs.count; i++) {
		const struct ksma_bpf_program *p = &bpf->programs.items[i];

		cli_json_object(&json, NULL);
		cli_json_number(&json, "id", p->id);
		cli_json_text(&json, "type", type_name(p, text, sizeof(text)));
		cli_json_bytes(&json, "name", p->name, strnlen(p->name, sizeof(p->name)));
		tag_text(p, text);
		cli_json_text(&json, "tag", text);
		cli_json_number(&json, "loaded_ns", p->loaded_ns);
		cli_json_number(&json, "uid", p->uid);
		cli_json_number(&json, "instructions", p->instructions);
		cli_json_array(&json, "maps");
		for (uint32_t j = 0; j < p->map_count && j < ARRAY_SIZE(p->maps); j++)
			cli_json_number(&json, NULL, p->maps[j]);
		cli_json_close(&json);
		cli_json_number(&json, "map_count", p->map_count);
		print_helpers(&json, p->helpers);
		print_attached(&json, bpf, p->address);
		cli_json_number(&json, "holders", p->holders);
		if (p->holder)
			cli_json_signed(&json, "pid", p->holder);
		else
			cli_json_null(&json, "pid");
		cli_json_hex(&json, "address", p->address);
		cli_json_hex(&json, "code", p->code);
		cli_json_close(&json);
	}
	cli_json_close(&json);
	cli_json_look(&json, look);
	cli_document_end(&json);
}

/* "perf processor 0" once, however many places there are. */
static const char *attached_text(const struct ksma_bpf *bpf, uint64_t program, char *buffer,
				 size_t size)
{
	size_t used = 0, count = 0;

	buffer[0] = 0;
	for (size_t i = 0; i < bpf->attachments.count; i++) {
		const struct ksma_bpf_attachment *at = &bpf->attachments.items[i];

		if (at->program != program || strcmp(at->kind, "name") == 0)
			continue;
		if (++count <= 3 && used < size)
			used += (size_t)snprintf(buffer + used, size - used, "%s%s %s",
						 used ? ", " : "", at->kind, at->where);
	}
	if (count > 3 && used < size)
		snprintf(buffer + used, size - used, " and %zu more", count - 3);
	return buffer;
}

static struct ksma_error *print_table(struct cli *cli, const struct ksma_bpf *bpf)
{
	static const struct cli_column columns[] = {
		{ "ID", CLI_RIGHT },  { "TYPE", 0 },
		{ "NAME", 0 },	      { "TAG", 0 },
		{ "UID", CLI_RIGHT }, { "LOADED", CLI_RIGHT },
		{ "PID", CLI_RIGHT }, { "ATTACHED", CLI_LAST },
	};
	_cleanup_table_ struct cli_table *table =
		cli_table_create(cli, columns, ARRAY_SIZE(columns));
	char text[512];

	for (size_t i = 0; i < bpf->programs.count; i++) {
		const struct ksma_bpf_program *p = &bpf->programs.items[i];

		cli_table_line(table);
		cli_cell(table, "%u", p->id);
		cli_cell(table, "%s", type_name(p, text, sizeof(text)));
		cli_cell_bytes(table, p->name, strnlen(p->name, sizeof(p->name)));
		tag_text(p, text);
		cli_cell(table, "%s", text);
		cli_cell(table, "%u", p->uid);
		cli_cell(table, "%" PRIu64 ".%03" PRIu64 " s", p->loaded_ns / 1000000000,
			 p->loaded_ns / 1000000 % 1000);
		if (p->holder)
			cli_cell(table, "%d", p->holder);
		else
			cli_cell(table, "-");
		attached_text(bpf, p->address, text, sizeof(text));
		cli_cell_bytes(table, text[0] ? text : "-", text[0] ? strlen(text) : 1);
	}
	return cli_table_print(table);
}

struct ksma_error *cli_bpf(struct cli *cli)
{
	_cleanup_(ksma_bpf_free) struct ksma_bpf bpf = { 0 };
	_cleanup_look_ struct cli_look look = { 0 };

	KSMA_TRY(cli_open_kernel(cli));
	look = cli_look_begin("bpf");
	KSMA_TRY(ksma_linux_bpf(cli->kernel, &look.coverage, &bpf));
	cli_look_end(cli, &look);
	if (cli_has(cli, CLI_JSON))
		print_json(cli, &look, &bpf);
	else
		KSMA_TRY(print_table(cli, &bpf));
	cli_warn_look(cli, &look);
	return NULL;
}
