/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma dmesg: the guest's kernel log, from the ring buffer itself, whatever the guest's own dmesg would show. */
#include <inttypes.h>

#include "cli/output.h"

static void print_json(struct cli *cli, const struct cli_look *look, const struct ksma_log *log)
{
	struct cli_json json;

	cli_document_begin(cli, &json);
	cli_json_array(&json, "records");
	for (size_t i = 0; i < log->count; i++) {
		const struct ksma_log_record *r = &log->items[i];

		cli_json_object(&json, NULL);
		cli_json_number(&json, "sequence", r->sequence);
		cli_json_number(&json, "time_ns", r->time_ns);
		cli_json_number(&json, "facility", r->facility);
		cli_json_number(&json, "level", r->level);
		cli_json_text(&json, "text", r->text);
		cli_json_close(&json);
	}
	cli_json_close(&json);
	cli_json_look(&json, look);
	cli_document_end(&json);
}

static enum cli_color level_color(uint8_t level)
{
	if (level <= 3)
		return CLI_RED;
	return level == 4 ? CLI_YELLOW : CLI_PLAIN;
}

/* A record of several lines becomes several lines with its time, as dmesg prints it. */
static void print_record(struct cli *cli, const struct ksma_log_record *r)
{
	const char *line = r->text ? r->text : "";

	for (;;) {
		size_t length = strcspn(line, "\n");

		cli_text(cli, CLI_GREEN, "[%5" PRIu64 ".%06" PRIu64 "]", r->time_ns / 1000000000u,
			 r->time_ns / 1000u % 1000000u);
		putchar(' ');
		cli_line(cli, level_color(r->level), "%.*s", (int)length, line);
		line += length;
		if (!*line || !*++line)
			return;
	}
}

struct ksma_error *cli_dmesg(struct cli *cli)
{
	_cleanup_(ksma_log_free) struct ksma_log log = { 0 };
	_cleanup_look_ struct cli_look look = { 0 };

	KSMA_TRY(cli_open_kernel(cli));
	look = cli_look_begin("dmesg");
	KSMA_TRY(ksma_linux_log(cli->kernel, &look.coverage, &log));
	cli_look_end(cli, &look);
	if (cli_has(cli, CLI_JSON))
		print_json(cli, &look, &log);
	else
		for (size_t i = 0; i < log.count; i++)
			print_record(cli, &log.items[i]);
	cli_warn_look(cli, &look);
	return NULL;
}
