/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma info: what is known of a guest and its kernel, and how it was learned. */
#include <inttypes.h>

#include "cli/output.h"

static void pair(struct cli *cli, const char *key, const char *format, ...) KSMA_PRINTF(3, 4);

static void pair(struct cli *cli, const char *key, const char *format, ...)
{
	_cleanup_free_ char *value = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&value, format, args) < 0)
		value = NULL;
	va_end(args);
	cli_text(cli, CLI_DIM, "%-15s", key);
	cli_line(cli, CLI_PLAIN, "  %s", value ? value : "out of memory");
}

static void print_guest(struct cli *cli)
{
	const struct ksma_guest_info *g = ksma_guest_info(cli->guest);
	const struct ksma_ram_region *regions;
	char size[CLI_BUFFER];
	size_t count;

	ksma_guest_regions(cli->guest, &regions, &count);
	cli_line(cli, CLI_BOLD, "GUEST");
	pair(cli, "name", "%s", cli_dash(g->name));
	pair(cli, "uuid", "%s", cli_dash(g->uuid));
	if (g->pid > 0)
		pair(cli, "process", "%d (%s)", g->pid, cli_dash(g->path));
	else
		pair(cli, "file", "%s (%s)", cli_dash(g->path), cli_kind_name(g->kind));
	if (g->pid > 0)
		pair(cli, "machine", "%s, %s, %zu vCPU%s", cli_dash(g->machine),
		     cli_dash(g->accelerator), g->vcpus, g->vcpus == 1 ? "" : "s");
	pair(cli, "memory", "%s in %zu region%s, %s", cli_format_size(g->ram_bytes, size), count,
	     count == 1 ? "" : "s",
	     g->access == KSMA_RAM_MAPPED ? "mapped (reading costs the guest nothing)"
					  : "copied page by page");
	for (size_t i = 0; i < count; i++)
		pair(cli, "", "0x%09" PRIx64 "-0x%09" PRIx64, regions[i].gpa,
		     regions[i].gpa + regions[i].size);
	pair(cli, "layout from", "%s",
	     g->layout == KSMA_LAYOUT_MONITOR	     ? "the monitor"
	     : g->layout == KSMA_LAYOUT_COMMAND_LINE ? "QEMU's command line and maps"
						     : "the dump's headers");
	if (g->monitor[0])
		pair(cli, "monitor", "%s", g->monitor);
	else
		pair(cli, "monitor", "none: %s", cli_dash(g->monitor_problem));
}

static void print_kernel(struct cli *cli)
{
	const struct ksma_kernel_info *k = ksma_kernel_info(cli->kernel);
	char time[CLI_BUFFER], id[CLI_BUILD_ID];

	putchar('\n');
	cli_line(cli, CLI_BOLD, "KERNEL");
	pair(cli, "release", "%s", k->release);
	pair(cli, "version", "%s", k->version);
	pair(cli, "host name", "%s", k->nodename);
	pair(cli, "banner", "%.*s", k->banner ? (int)strcspn(k->banner, "\n") : 1,
	     k->banner ? k->banner : "-");
	pair(cli, "build id", "%s",
	     cli_dash(cli_format_build_id(k->build_id.bytes, k->build_id.length, id)));
	pair(cli, "command line", "%s", cli_dash(k->command_line));
	pair(cli, "booted", "%s",
	     k->boot_time_ns ? cli_format_time(k->boot_time_ns, time) : "not known");
	pair(cli, "processors", "%u", k->cpus);
	pair(cli, "image", "virtual slide 0x%" PRIx64 ", physical base 0x%" PRIx64,
	     k->virtual_slide, k->physical_base);
	pair(cli, "paging", "%u levels, page table isolation %s", k->paging_levels,
	     k->kpti ? "on" : "off");
	pair(cli, "symbols", "%zu, from the guest's own kallsyms", k->symbols);
	pair(cli, "types", "%s",
	     k->types_from_guest ? "the guest's own BTF" : "the file given with --types");
	pair(cli, "found by", "%s%s", k->from_registers ? "a vCPU's registers" : "searching memory",
	     k->cached ? "; tables from the cache, verified" : "");
}

static void print_json(struct cli *cli, const struct cli_look *look)
{
	const struct ksma_ram_region *regions;
	struct cli_json json;
	size_t count;

	cli_document_begin(cli, &json);
	ksma_guest_regions(cli->guest, &regions, &count);
	cli_json_array(&json, "regions");
	for (size_t i = 0; i < count; i++) {
		cli_json_object(&json, NULL);
		cli_json_hex(&json, "base", regions[i].gpa);
		cli_json_number(&json, "size", regions[i].size);
		cli_json_close(&json);
	}
	cli_json_close(&json);
	if (cli->kernel)
		cli_json_kernel(&json, ksma_kernel_info(cli->kernel));
	else
		cli_json_null(&json, "kernel");
	cli_json_look(&json, look);
	cli_document_end(&json);
}

/* A guest whose kernel is not understood is still a guest: what is known of it is told, and why there is no more. */
static struct ksma_error *open_kernel(struct cli *cli, struct cli_look *look)
{
	struct ksma_error *error = cli_open_guest_kernel(cli);

	if (error && (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_INVALID))
		return error;
	ksma_coverage_error(&look->coverage, KSMA_COVERAGE_UNKNOWN, error, "kernel");
	return NULL;
}

struct ksma_error *cli_info(struct cli *cli)
{
	_cleanup_look_ struct cli_look look = cli_look_begin("info");

	KSMA_TRY(cli_open_guest(cli));
	KSMA_TRY(open_kernel(cli, &look));
	cli_look_end(cli, &look);
	if (cli_has(cli, CLI_JSON)) {
		print_json(cli, &look);
	} else {
		print_guest(cli);
		if (cli->kernel)
			print_kernel(cli);
	}
	cli_warn_look(cli, &look);
	return NULL;
}
