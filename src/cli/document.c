/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts that JSON documents and tables have in common: guest, kernel, coverage, findings, times. docs/json.md describes them. */
#include <inttypes.h>
#include <time.h>

#include "cli/output.h"

const char *cli_kind_name(enum ksma_guest_kind kind)
{
	switch (kind) {
	case KSMA_GUEST_LIVE:
		return "live";
	case KSMA_GUEST_DUMP_ELF:
		return "dump-elf";
	case KSMA_GUEST_DUMP_KDUMP:
		return "dump-kdump";
	case KSMA_GUEST_DUMP_RAW:
		return "dump-raw";
	}
	return "unknown";
}

const char *cli_access_name(enum ksma_ram_access access)
{
	return access == KSMA_RAM_MAPPED ? "mapped" : "copied";
}

const char *cli_layout_name(enum ksma_layout_source layout)
{
	switch (layout) {
	case KSMA_LAYOUT_MONITOR:
		return "monitor";
	case KSMA_LAYOUT_COMMAND_LINE:
		return "command-line";
	case KSMA_LAYOUT_FILE:
		return "file";
	}
	return "unknown";
}

const char *cli_dash(const char *text)
{
	return text && text[0] ? text : "-";
}

enum cli_color cli_severity_color(enum ksma_severity severity)
{
	if (severity >= KSMA_SEVERITY_HIGH)
		return CLI_RED;
	return severity >= KSMA_SEVERITY_LOW ? CLI_YELLOW : CLI_CYAN;
}

const char *cli_format_size(uint64_t bytes, char *buffer)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(buffer, CLI_BUFFER, value == (double)(uint64_t)value ? "%.0f %s" : "%.1f %s",
		 value, units[unit]);
	return buffer;
}

const char *cli_format_us(uint64_t us, char *buffer)
{
	if (us < 1000)
		snprintf(buffer, CLI_BUFFER, "%" PRIu64 " us", us);
	else if (us < 1000000)
		snprintf(buffer, CLI_BUFFER, "%.1f ms", (double)us / 1e3);
	else
		snprintf(buffer, CLI_BUFFER, "%.2f s", (double)us / 1e6);
	return buffer;
}

const char *cli_format_time(uint64_t epoch_ns, char *buffer)
{
	time_t seconds = (time_t)(epoch_ns / 1000000000u);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || strftime(buffer, CLI_BUFFER, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		snprintf(buffer, CLI_BUFFER, "@%" PRIu64, epoch_ns / 1000000000u);
	else
		snprintf(buffer + strlen(buffer), CLI_BUFFER - strlen(buffer), ".%03uZ",
			 (unsigned)(epoch_ns / 1000000u % 1000u));
	return buffer;
}

const char *cli_format_build_id(const uint8_t *bytes, size_t length, char *buffer)
{
	buffer[0] = 0;
	for (size_t i = 0; i < length && i < KSMA_BUILD_ID_MAX; i++)
		snprintf(buffer + 2 * i, 3, "%02x", bytes[i]);
	return buffer;
}

void cli_json_build_id(struct cli_json *json, const char *key, const struct ksma_build_id *id)
{
	char buffer[CLI_BUILD_ID];

	cli_json_text(json, key,
		      id->length ? cli_format_build_id(id->bytes, id->length, buffer) : NULL);
}

void cli_json_time(struct cli_json *json, const char *key, uint64_t epoch_ns)
{
	char buffer[CLI_BUFFER];

	cli_json_text(json, key, epoch_ns ? cli_format_time(epoch_ns, buffer) : NULL);
}

/* "" is how the library says "none"; a document says null. */
static void text_or_null(struct cli_json *json, const char *key, const char *text)
{
	cli_json_text(json, key, text && text[0] ? text : NULL);
}

void cli_json_guest(struct cli_json *json, const struct ksma_guest_info *info)
{
	cli_json_object(json, "guest");
	cli_json_text(json, "kind", cli_kind_name(info->kind));
	text_or_null(json, "name", info->name);
	text_or_null(json, "uuid", info->uuid);
	if (info->pid > 0)
		cli_json_signed(json, "pid", info->pid);
	else
		cli_json_null(json, "pid");
	text_or_null(json, "path", info->path);
	text_or_null(json, "machine", info->machine);
	text_or_null(json, "accelerator", info->accelerator);
	cli_json_number(json, "memory_bytes", info->ram_bytes);
	if (info->vcpus)
		cli_json_number(json, "vcpus", info->vcpus);
	else
		cli_json_null(json, "vcpus");
	cli_json_text(json, "access", cli_access_name(info->access));
	cli_json_text(json, "layout", cli_layout_name(info->layout));
	text_or_null(json, "monitor", info->monitor);
	text_or_null(json, "monitor_problem", info->monitor_problem);
	cli_json_close(json);
}

void cli_json_kernel(struct cli_json *json, const struct ksma_kernel_info *info)
{
	cli_json_object(json, "kernel");
	cli_json_text(json, "release", info->release);
	cli_json_text(json, "version", info->version);
	cli_json_text(json, "machine", info->machine);
	cli_json_text(json, "nodename", info->nodename);
	cli_json_text(json, "banner", info->banner);
	cli_json_build_id(json, "build_id", &info->build_id);
	cli_json_text(json, "command_line", info->command_line);
	cli_json_hex(json, "virtual_slide", info->virtual_slide);
	cli_json_hex(json, "physical_base", info->physical_base);
	cli_json_number(json, "paging_levels", info->paging_levels);
	cli_json_bool(json, "kpti", info->kpti);
	cli_json_text(json, "found_by", info->from_registers ? "registers" : "search");
	cli_json_text(json, "types", info->types_from_guest ? "guest" : "file");
	cli_json_bool(json, "cached", info->cached);
	cli_json_number(json, "symbols", info->symbols);
	cli_json_number(json, "cpus", info->cpus);
	cli_json_time(json, "boot_time", info->boot_time_ns);
	cli_json_close(json);
}

void cli_json_coverage(struct cli_json *json, const char *check, const char *state,
		       const char *reason, uint64_t cost_us)
{
	cli_json_object(json, NULL);
	cli_json_text(json, "check", check);
	cli_json_text(json, "state", state);
	cli_json_text(json, "reason", reason);
	cli_json_number(json, "cost_us", cost_us);
	cli_json_close(json);
}

void cli_json_covered(struct cli_json *json, const char *key, const struct ksma_check_coverage *c)
{
	cli_json_object(json, key);
	cli_json_text(json, "check", c->check);
	cli_json_text(json, "state", c->state);
	cli_json_text(json, "reference", c->reference);
	cli_json_text(json, "reason", c->reason);
	cli_json_array(json, "baselined");
	for (size_t i = 0; i < c->baselined.count; i++)
		cli_json_text(json, NULL, c->baselined.items[i]);
	cli_json_close(json);
	cli_json_number(json, "cost_us", c->cost_us);
	cli_json_number(json, "pause_us", c->pause_us);
	cli_json_close(json);
}

void cli_json_first_look(struct cli_json *json, const char *key, const struct cli *cli,
			 const struct ksma_report *report)
{
	cli_json_object(json, key);
	cli_json_time(json, "taken", report->first_look_ns);
	cli_json_bool(json, "kept", cli_has(cli, CLI_BASELINE) && report->first_look_ns);
	cli_json_text(json, "note", report->first_look_note);
	cli_json_close(json);
}

/* A decimal number, as evidence says of itself; it is looked at all the same before it goes out unquoted. */
static bool is_number(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && digits <= 20 && !text[digits] && (text[0] != '0' || digits == 1);
}

/* How many earlier items have the key of this one: a second "entry" is called "entry_2". */
static unsigned same_key(const struct ksma_finding *finding, size_t index)
{
	unsigned n = 0;

	for (size_t i = 0; i < index; i++)
		n += strcmp(finding->items[i].key, finding->items[index].key) == 0;
	return n;
}

void cli_json_finding(struct cli_json *json, const char *key, const struct ksma_finding *finding)
{
	cli_json_object(json, key);
	cli_json_text(json, "id", finding->id);
	cli_json_text(json, "check", finding->check);
	cli_json_text(json, "severity", ksma_severity_name(finding->severity));
	cli_json_text(json, "title", finding->title);
	text_or_null(json, "attack", finding->attack);
	cli_json_object(json, "evidence");
	for (size_t i = 0; i < finding->count; i++) {
		const struct ksma_evidence *e = &finding->items[i];
		unsigned n = same_key(finding, i);
		char name[128];

		snprintf(name, sizeof(name), n ? "%s_%u" : "%s", e->key, n + 1);
		if (e->number && is_number(e->value))
			cli_json_literal(json, name, e->value);
		else
			cli_json_text(json, name, e->value);
	}
	cli_json_close(json);
	cli_json_object(json, "exception");
	cli_json_text(json, "finding", finding->id);
	cli_json_object(json, "evidence");
	for (size_t i = 0; i < finding->count; i++)
		if (ksma_evidence_is_stable(&finding->items[i]) && !same_key(finding, i))
			cli_json_text(json, finding->items[i].key, finding->items[i].value);
	cli_json_close(json);
	cli_json_close(json);
	cli_json_close(json);
}

void cli_document_begin(struct cli *cli, struct cli_json *json)
{
	cli_output_begin(cli);
	*json = (struct cli_json){ .out = stdout, .pretty = isatty(STDOUT_FILENO) };
	cli_json_object(json, NULL);
	if (cli->guest)
		cli_json_guest(json, ksma_guest_info(cli->guest));
}

void cli_document_end(struct cli_json *json)
{
	cli_json_close(json);
}

struct cli_look cli_look_begin(const char *name)
{
	return (struct cli_look){ .name = name, .started_ns = ksma_now_ns() };
}

void cli_look_end(struct cli *cli, struct cli_look *look)
{
	look->cost_us = (ksma_now_ns() - look->started_ns) / 1000;
	if (look->coverage.state != KSMA_COVERAGE_COMPLETE)
		cli_status_raise(cli, CLI_INCOMPLETE);
}

void cli_json_look(struct cli_json *json, const struct cli_look *look)
{
	cli_json_array(json, "coverage");
	cli_json_coverage(json, look->name, ksma_coverage_state_name(look->coverage.state),
			  look->coverage.reason, look->cost_us);
	cli_json_close(json);
}

void cli_warn_look(struct cli *cli, const struct cli_look *look)
{
	if (look->coverage.state != KSMA_COVERAGE_COMPLETE)
		cli_warn(cli, "%s: incomplete (%s): %s", look->name,
			 ksma_coverage_state_name(look->coverage.state),
			 look->coverage.reason ? look->coverage.reason : "no reason given");
}

void cli_look_deinit(struct cli_look *look)
{
	ksma_coverage_deinit(&look->coverage);
}
