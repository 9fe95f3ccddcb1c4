/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma list: the guests of this host, as far as its /proc tells. */
#include "cli/output.h"

/* The option of the proc file system by which a host hides other users' processes. @return its value, or NULL; to be freed */
static char *hidden_processes(void)
{
	_cleanup_error_ struct ksma_error *error = NULL;
	_cleanup_free_ char *mounts = NULL;
	char *line, *save = NULL;

	if (geteuid() == 0)
		return NULL;
	error = ksma_read_file("/proc/self/mounts", 1 << 20, &mounts, NULL);
	if (error)
		return NULL;
	for (line = strtok_r(mounts, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *option = strstr(line, "hidepid=");

		if (!strstr(line, " /proc proc ") || !option)
			continue;
		option[strcspn(option, ", ")] = '\0';
		if (strcmp(option, "hidepid=0") != 0 && strcmp(option, "hidepid=off") != 0)
			return strdup(option);
	}
	return NULL;
}

static void json_monitors(struct cli_json *json, const struct ksma_guest_entry *e)
{
	cli_json_array(json, "monitors");
	for (char **m = e->monitors; m && *m; m++)
		cli_json_text(json, NULL, *m);
	cli_json_close(json);
}

static void print_json(struct cli *cli, const struct cli_look *look,
		       const struct ksma_guest_list *list)
{
	struct cli_json json;

	cli_document_begin(cli, &json);
	cli_json_array(&json, "guests");
	for (size_t i = 0; i < list->count; i++) {
		const struct ksma_guest_entry *e = &list->entries[i];

		cli_json_object(&json, NULL);
		cli_json_text(&json, "name", e->name && e->name[0] ? e->name : NULL);
		cli_json_text(&json, "uuid", e->uuid && e->uuid[0] ? e->uuid : NULL);
		cli_json_signed(&json, "pid", e->pid);
		cli_json_text(&json, "accelerator",
			      e->accelerator && e->accelerator[0] ? e->accelerator : NULL);
		cli_json_number(&json, "memory_bytes", e->ram_bytes);
		cli_json_number(&json, "vcpus", e->vcpus);
		cli_json_text(&json, "machine", e->machine && e->machine[0] ? e->machine : NULL);
		cli_json_text(&json, "binary", e->binary && e->binary[0] ? e->binary : NULL);
		cli_json_bool(&json, "running", e->running);
		json_monitors(&json, e);
		cli_json_close(&json);
	}
	cli_json_close(&json);
	cli_json_look(&json, look);
	cli_document_end(&json);
}

static struct ksma_error *print_table(struct cli *cli, const struct ksma_guest_list *list)
{
	static const struct cli_column columns[] = {
		{ "NAME", 0 },	  { "UUID", 0 },	   { "PID", CLI_RIGHT },
		{ "ACCEL", 0 },	  { "MEMORY", CLI_RIGHT }, { "VCPUS", CLI_RIGHT },
		{ "MACHINE", 0 }, { "MONITOR", CLI_LAST },
	};
	_cleanup_table_ struct cli_table *table =
		cli_table_create(cli, columns, ARRAY_SIZE(columns));
	char buffer[CLI_BUFFER];

	for (size_t i = 0; i < list->count; i++) {
		const struct ksma_guest_entry *e = &list->entries[i];

		cli_table_line(table);
		cli_cell(table, "%s", cli_dash(e->name));
		cli_cell_color(table, CLI_BOLD);
		cli_cell(table, "%s", cli_dash(e->uuid));
		cli_cell(table, "%d", e->pid);
		cli_cell(table, "%s", cli_dash(e->accelerator));
		cli_cell(table, "%s", e->ram_bytes ? cli_format_size(e->ram_bytes, buffer) : "-");
		cli_cell(table, "%u", e->vcpus);
		cli_cell(table, "%s", cli_dash(e->machine));
		cli_cell(table, "%s", cli_dash(e->monitors ? e->monitors[0] : NULL));
	}
	return cli_table_print(table);
}

struct ksma_error *cli_list(struct cli *cli)
{
	_cleanup_(ksma_guest_list_free) struct ksma_guest_list list = { 0 };
	_cleanup_look_ struct cli_look look = cli_look_begin("list");
	_cleanup_free_ char *hidden = hidden_processes();

	KSMA_TRY(ksma_guest_discover(&list));
	if (hidden)
		ksma_coverage_gap(
			&look.coverage, KSMA_COVERAGE_PARTIAL,
			"/proc is mounted with %s: guests of other users are hidden; run as root",
			hidden);
	cli_look_end(cli, &look);
	if (cli_has(cli, CLI_JSON))
		print_json(cli, &look, &list);
	else
		KSMA_TRY(print_table(cli, &list));
	if (list.count == 0 && !cli_has(cli, CLI_JSON))
		cli_warn(cli, "no QEMU system emulator runs here%s",
			 hidden ? ", as far as can be seen" : "");
	cli_warn_look(cli, &look);
	return NULL;
}
