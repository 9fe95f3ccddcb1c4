/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma check: is this guest still itself? Findings with their evidence, and what was looked at to say so. */
#include "cli/exceptions.h"
#include "cli/hand_over.h"
#include "cli/ocsf.h"
#include "cli/progress.h"

static void list_json(struct cli *cli)
{
	struct cli_json json;

	cli_document_begin(cli, &json);
	cli_json_array(&json, "checks");
	for (size_t i = 0; i < ksma_check_count(); i++) {
		const struct ksma_check_info *c = ksma_check_info(i);

		cli_json_object(&json, NULL);
		cli_json_text(&json, "name", c->name);
		cli_json_text(&json, "title", c->title);
		cli_json_text(&json, "attack", c->attack);
		cli_json_text(&json, "needs", c->needs);
		cli_json_text(&json, "structures", c->structures);
		cli_json_text(&json, "cost", c->cost);
		cli_json_text(&json, "why", c->why);
		cli_json_text(&json, "false_alarms", c->false_alarms);
		cli_json_text(&json, "todo", c->todo);
		cli_json_close(&json);
	}
	cli_json_close(&json);
	cli_document_end(&json);
}

static struct ksma_error *list_checks(struct cli *cli)
{
	static const struct cli_column columns[] = {
		{ "CHECK", 0 }, { "NEEDS", 0 }, { "ATTACK", 0 }, { "TITLE", CLI_LAST }
	};
	_cleanup_table_ struct cli_table *table = NULL;

	if (cli_has(cli, CLI_JSON)) {
		list_json(cli);
		return NULL;
	}
	table = cli_table_create(cli, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < ksma_check_count(); i++) {
		const struct ksma_check_info *c = ksma_check_info(i);

		cli_table_line(table);
		cli_cell(table, "%s", c->name);
		cli_cell(table, "%s", c->needs);
		cli_cell(table, "%s", cli_dash(c->attack));
		cli_cell(table, "%s", c->title);
	}
	return cli_table_print(table);
}

static void print_json(struct cli *cli, const struct ksma_exceptions *exceptions,
		       const struct ksma_report *report)
{
	struct cli_json json;

	cli_document_begin(cli, &json);
	cli_json_kernel(&json, ksma_kernel_info(cli->kernel));
	cli_json_array(&json, "findings");
	for (size_t i = 0; i < report->findings.count; i++)
		cli_json_finding(&json, NULL, &report->findings.items[i]);
	cli_json_close(&json);
	cli_json_array(&json, "coverage");
	for (size_t i = 0; i < report->coverage.count; i++)
		cli_json_covered(&json, NULL, &report->coverage.items[i]);
	cli_json_close(&json);
	cli_json_exceptions(&json, exceptions, report);
	cli_json_first_look(&json, "first_look", cli, report);
	cli_json_number(&json, "duration_us", (ksma_now_ns() - cli->started_ns) / 1000);
	cli_document_end(&json);
}

static void print_finding(struct cli *cli, const struct ksma_finding *f)
{
	size_t width = 0;

	cli_text(cli, cli_severity_color(f->severity), "%-8s", ksma_severity_name(f->severity));
	putchar(' ');
	cli_line(cli, CLI_BOLD, "%s", f->title);
	cli_line(cli, CLI_DIM, "         %s%s%s", f->id,
		 f->attack && f->attack[0] ? "  ATT&CK " : "", f->attack ? f->attack : "");
	for (size_t i = 0; i < f->count; i++)
		if (strlen(f->items[i].key) > width)
			width = strlen(f->items[i].key);
	for (size_t i = 0; i < f->count; i++) {
		cli_text(cli, CLI_DIM, "           %-*s", (int)width, f->items[i].key);
		cli_line(cli, CLI_PLAIN, "  %s", f->items[i].value);
	}
	putchar('\n');
}

static enum cli_color state_color(const char *state)
{
	if (strcmp(state, "complete") == 0)
		return CLI_GREEN;
	return strcmp(state, "partial") == 0 ? CLI_YELLOW : CLI_RED;
}

static struct ksma_error *print_coverage(struct cli *cli, const struct ksma_report *report)
{
	static const struct cli_column columns[] = { { "CHECK", 0 },
						     { "COVERAGE", 0 },
						     { "AGAINST", 0 },
						     { "COST", CLI_RIGHT },
						     { "REASON", 0 } };
	_cleanup_table_ struct cli_table *table =
		cli_table_create(cli, columns, ARRAY_SIZE(columns));
	char buffer[CLI_BUFFER];

	for (size_t i = 0; i < report->coverage.count; i++) {
		const struct ksma_check_coverage *c = &report->coverage.items[i];

		cli_table_line(table);
		cli_cell(table, "%s", c->check);
		cli_cell(table, "%s", c->state);
		cli_cell_color(table, state_color(c->state));
		cli_cell(table, "%s", cli_dash(c->reference));
		if (c->reference && strcmp(c->reference, "baseline") == 0)
			cli_cell_color(table, CLI_YELLOW);
		cli_cell(table, "%s", cli_format_us(c->cost_us, buffer));
		cli_cell(table, "%s", c->reason ? c->reason : "");
	}
	return cli_table_print(table);
}

/* Modules that no vendor's build was found for, by name: what an attacker loaded stands here too. */
static void print_baselined(struct cli *cli, const struct ksma_report *report)
{
	for (size_t i = 0; i < report->coverage.count; i++) {
		const struct ksma_names *names = &report->coverage.items[i].baselined;

		if (!names->count)
			continue;
		putchar('\n');
		cli_text(cli, CLI_YELLOW, "%zu module%s without a vendor reference:", names->count,
			 names->count == 1 ? "" : "s");
		for (size_t j = 0; j < names->count; j++)
			cli_text(cli, CLI_PLAIN, " %s", names->items[j]);
		putchar('\n');
	}
}

static void print_summary(struct cli *cli, const struct ksma_report *report)
{
	size_t complete = 0, baselines = 0, n = report->findings.count;
	uint64_t pause_us = 0; /* one reading serves all checks of a pass: not the sum */
	char took[CLI_BUFFER], paused[CLI_BUFFER];

	for (size_t i = 0; i < report->coverage.count; i++) {
		complete += strcmp(report->coverage.items[i].state, "complete") == 0;
		pause_us = report->coverage.items[i].pause_us > pause_us
				   ? report->coverage.items[i].pause_us
				   : pause_us;
	}
	putchar('\n');
	cli_text(cli,
		 n				      ? CLI_RED
		 : complete == report->coverage.count ? CLI_GREEN
						      : CLI_YELLOW,
		 "%zu finding%s", n, n == 1 ? "" : "s");
	for (size_t i = 0; i < report->coverage.count; i++)
		baselines += report->coverage.items[i].reference &&
			     strcmp(report->coverage.items[i].reference, "baseline") == 0;
	if (baselines)
		cli_text(cli, CLI_YELLOW, ", %zu against the first look only", baselines);
	cli_line(cli, CLI_PLAIN, ", %zu of %zu checks complete, %s; the guest was paused for %s",
		 complete, report->coverage.count,
		 cli_format_us((ksma_now_ns() - cli->started_ns) / 1000, took),
		 cli_format_us(pause_us, paused));
}

/* When what no vendor vouches for was looked at first; only of interest where that outlives the command. */
static void print_first_look(struct cli *cli, const struct ksma_report *report)
{
	char time[CLI_BUFFER];

	if (!cli_has(cli, CLI_BASELINE) || !report->first_look_ns)
		return;
	cli_line(cli, report->first_look_note ? CLI_YELLOW : CLI_PLAIN, "first look: %s%s%s",
		 cli_format_time(report->first_look_ns, time), report->first_look_note ? "; " : "",
		 report->first_look_note ? report->first_look_note : "");
}

static struct ksma_error *print_people(struct cli *cli, const struct ksma_exceptions *exceptions,
				       const struct ksma_report *report)
{
	for (size_t i = 0; i < report->findings.count; i++)
		print_finding(cli, &report->findings.items[i]);
	cli_print_exceptions(cli, exceptions, report);
	KSMA_TRY(print_coverage(cli, report));
	print_baselined(cli, report);
	print_summary(cli, report);
	print_first_look(cli, report);
	return NULL;
}

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_OCSF };

/* --format json is --json, errors included. */
static struct ksma_error *parse_format(struct cli *cli, enum format *ret_format)
{
	static const char *const names[] = { "text", "json", "ocsf" };
	const char *name = cli_has(cli, CLI_FORMAT) ? cli->values[CLI_FORMAT]
			   : cli_has(cli, CLI_JSON) ? "json"
						    : "text";
	size_t i = 0;

	while (i < ARRAY_SIZE(names) && strcmp(names[i], name) != 0)
		i++;
	if (i == ARRAY_SIZE(names))
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "--format %s: it is text, json or ocsf", name);
	if (cli_has(cli, CLI_JSON) && i != FORMAT_JSON)
		return ksma_error_create(KSMA_ERROR_INVALID, "--json and --format %s disagree",
					 name);
	if (i == FORMAT_JSON)
		cli->values[CLI_JSON] = "";
	*ret_format = (enum format)i;
	return NULL;
}

static struct ksma_error *print(struct cli *cli, enum format format,
				const struct ksma_exceptions *exceptions,
				const struct ksma_report *report)
{
	if (format == FORMAT_TEXT)
		return print_people(cli, exceptions, report);
	if (format == FORMAT_JSON)
		print_json(cli, exceptions, report);
	else
		cli_ocsf_report(cli, exceptions, report);
	return NULL;
}

struct ksma_error *cli_check(struct cli *cli)
{
	_cleanup_(ksma_exceptions_free) struct ksma_exceptions exceptions = { 0 };
	_cleanup_(ksma_report_free) struct ksma_report report = { 0 };
	struct ksma_check_options options = {
		.memory_only = cli_has(cli, CLI_MEMORY_ONLY),
		.vendor = cli->values[CLI_VENDOR],
		.baseline = cli->values[CLI_BASELINE],
		.more = cli->more,
	};
	_cleanup_free_ const char **names = NULL;
	enum format format;

	KSMA_TRY(parse_format(cli, &format));
	if (cli_has(cli, CLI_LIST))
		return list_checks(cli);
	if (cli_has(cli, CLI_MANIFEST) && !cli->more)
		return cli_hand_over(cli, "ksma-files");
	KSMA_TRY(cli_exceptions_read(cli, &exceptions));
	KSMA_TRY(cli_check_names(cli, &names));
	options.names = names;
	KSMA_TRY(cli_open_kernel(cli));
	cli_progress_say(cli->progress, "checking");
	KSMA_TRY(ksma_check_run(cli->kernel, &options, &report));
	KSMA_TRY(cli_exceptions_apply(&exceptions, &report));
	for (size_t i = 0; i < report.coverage.count; i++)
		if (strcmp(report.coverage.items[i].state, "complete") != 0)
			cli_status_raise(cli, CLI_INCOMPLETE);
	if (report.findings.count)
		cli_status_raise(cli, CLI_FINDINGS);
	return print(cli, format, &exceptions, &report);
}
