/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma sockets: the sockets of the guest, and which process holds each. */
#include <inttypes.h>

#include "cli/output.h"

static void print_json(struct cli *cli, const struct cli_look *look,
		       const struct ksma_sockets *sockets)
{
	struct cli_json json;

	cli_document_begin(cli, &json);
	cli_json_array(&json, "sockets");
	for (size_t i = 0; i < sockets->count; i++) {
		const struct ksma_socket *s = &sockets->items[i];

		cli_json_object(&json, NULL);
		cli_json_text(&json, "protocol", s->protocol);
		cli_json_text(&json, "state", s->state);
		cli_json_text(&json, "local", s->local);
		cli_json_text(&json, "remote", s->remote);
		cli_json_number(&json, "inode", s->inode);
		cli_json_number(&json, "uid", s->uid);
		if (s->pid) {
			cli_json_signed(&json, "pid", s->pid);
			if (s->fd >= 0)
				cli_json_signed(&json, "fd", s->fd);
			else
				cli_json_null(&json, "fd");
			cli_json_bytes(&json, "comm", s->comm, strnlen(s->comm, sizeof(s->comm)));
		} else {
			cli_json_null(&json, "pid");
			cli_json_null(&json, "fd");
			cli_json_null(&json, "comm");
		}
		cli_json_number(&json, "netns", s->netns);
		cli_json_hex(&json, "sock", s->sock);
		cli_json_close(&json);
	}
	cli_json_close(&json);
	cli_json_look(&json, look);
	cli_document_end(&json);
}

static struct ksma_error *print_table(struct cli *cli, const struct ksma_sockets *sockets)
{
	static const struct cli_column columns[] = {
		{ "PROTO", 0 },	      { "STATE", 0 },	      { "LOCAL", 0 },
		{ "REMOTE", 0 },      { "INODE", CLI_RIGHT }, { "UID", CLI_RIGHT },
		{ "PID", CLI_RIGHT }, { "FD", CLI_RIGHT },    { "COMMAND", CLI_LAST },
	};
	_cleanup_table_ struct cli_table *table =
		cli_table_create(cli, columns, ARRAY_SIZE(columns));

	for (size_t i = 0; i < sockets->count; i++) {
		const struct ksma_socket *s = &sockets->items[i];

		cli_table_line(table);
		cli_cell(table, "%s", s->protocol);
		cli_cell(table, "%s", cli_dash(s->state));
		cli_cell(table, "%s", cli_dash(s->local));
		cli_cell(table, "%s", cli_dash(s->remote));
		cli_cell(table, "%" PRIu64, s->inode);
		cli_cell(table, "%u", s->uid);
		if (s->pid) {
			cli_cell(table, "%d", s->pid);
			if (s->fd >= 0)
				cli_cell(table, "%d", s->fd);
			else
				cli_cell(table, "ring");
			cli_cell_bytes(table, s->comm, strnlen(s->comm, sizeof(s->comm)));
		} else {
			for (int k = 0; k < 3; k++)
				cli_cell(table, "-");
		}
	}
	return cli_table_print(table);
}

struct ksma_error *cli_sockets(struct cli *cli)
{
	_cleanup_(ksma_sockets_free) struct ksma_sockets sockets = { 0 };
	_cleanup_look_ struct cli_look look = { 0 };

	KSMA_TRY(cli_open_kernel(cli));
	look = cli_look_begin("sockets");
	KSMA_TRY(ksma_linux_sockets(cli->kernel, &look.coverage, &sockets));
	cli_look_end(cli, &look);
	if (cli_has(cli, CLI_JSON))
		print_json(cli, &look, &sockets);
	else
		KSMA_TRY(print_table(cli, &sockets));
	cli_warn_look(cli, &look);
	return NULL;
}
