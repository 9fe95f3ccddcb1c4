/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma doctor: tries each step of looking into a guest, and says what is missing and what to do about it. */
#include <errno.h>
#include <inttypes.h>
#include <sys/utsname.h>

#include "cli/output.h"
#include "cli/progress.h"
#include "cli/steps.h"
#include "guest/gdb_server.h"
#include "guest/live.h"
#include <ksma/vendor.h>

static bool has_capability(unsigned bit)
{
	_cleanup_error_ struct ksma_error *error = NULL;
	_cleanup_free_ char *status = NULL;
	const char *line;

	error = ksma_read_file("/proc/self/status", 1 << 16, &status, NULL);
	line = error ? NULL : strstr(status, "CapEff:");
	return line && strtoull(line + strlen("CapEff:"), NULL, 16) >> bit & 1;
}

enum { CAP_SYS_PTRACE_BIT = 19 };

static void device_step(struct cli_steps *steps, const char *name, const char *path,
			const char *what_for)
{
	if (access(path, R_OK | W_OK) == 0)
		cli_step(steps, CLI_STEP_OK, name, NULL, "%s", path);
	else
		cli_step(steps, CLI_STEP_NOTE, name, NULL, "%s: %s (%s)", path, strerror(errno),
			 what_for);
}

static void host_steps(struct cli *cli, struct cli_steps *steps)
{
	_cleanup_error_ struct ksma_error *error = NULL;
	_cleanup_free_ char *cache = NULL;
	struct utsname host;

	if (uname(&host) == 0)
		cli_step(steps, CLI_STEP_OK, "host", NULL, "Linux %s %s", host.release,
			 host.machine);
	device_step(steps, "kvm", "/dev/kvm", "guests under KVM need it, looking does not");
	device_step(steps, "userfaultfd", "/dev/userfaultfd", "only write traps need it");
	if (has_capability(CAP_SYS_PTRACE_BIT))
		cli_step(steps, CLI_STEP_OK, "permission", NULL, "CAP_SYS_PTRACE");
	else
		cli_step(steps, CLI_STEP_NOTE, "permission",
			 "run as root, or with CAP_SYS_PTRACE, for guests of other users",
			 "no CAP_SYS_PTRACE: only guests of user %u", (unsigned)geteuid());
	error = cli_cache_dir(&cache);
	if (cli_has(cli, CLI_NO_CACHE))
		cli_step(steps, CLI_STEP_NOTE, "cache", NULL, "not used (--no-cache)");
	else if (error)
		cli_step(steps, CLI_STEP_MISSING, "cache", "set XDG_CACHE_HOME, or use --no-cache",
			 "%s", error->message);
	else if (access(cache, W_OK | X_OK) == 0)
		cli_step(steps, CLI_STEP_OK, "cache", NULL, "%s", cache);
	else
		cli_step(steps, CLI_STEP_NOTE, "cache",
			 "it is made at the first look, or use --no-cache", "%s: %s", cache,
			 strerror(errno));
}

static bool guest_step(struct cli *cli, struct cli_steps *steps)
{
	_cleanup_error_ struct ksma_error *error = cli_open_guest(cli);
	const struct ksma_guest_info *g;

	if (error) {
		cli_step(steps, CLI_STEP_MISSING, "guest",
			 error->code == KSMA_ERROR_NOT_PRESENT
				 ? "see 'ksma list' for the guests of this host"
			 : error->code == KSMA_ERROR_PERMISSION
				 ? "run as root, or as the user of that QEMU with CAP_SYS_PTRACE"
				 : NULL,
			 "%s", error->message);
		cli_status_raise(cli,
				 error->code == KSMA_ERROR_INVALID ? CLI_USAGE : CLI_INCOMPLETE);
		return false;
	}
	g = ksma_guest_info(cli->guest);
	if (g->pid > 0)
		cli_step(steps, CLI_STEP_OK, "guest", NULL, "%s, process %d, %s, %s",
			 cli_dash(g->name), g->pid, cli_dash(g->machine), cli_dash(g->accelerator));
	else
		cli_step(steps, CLI_STEP_OK, "guest", NULL, "%s (%s)", cli_dash(g->path),
			 cli_kind_name(g->kind));
	return true;
}

static void memory_steps(struct cli *cli, struct cli_steps *steps)
{
	const struct ksma_guest_info *g = ksma_guest_info(cli->guest);
	const struct ksma_ram_region *regions;
	_cleanup_error_ struct ksma_error *error = NULL;
	char size[CLI_BUFFER], byte;
	size_t count;

	ksma_guest_regions(cli->guest, &regions, &count);
	error = count ? ksma_guest_read(cli->guest, ksma_gpa_of(regions[0].gpa), &byte, 1) : NULL;
	if (error)
		cli_step(steps, CLI_STEP_MISSING, "memory", NULL, "%s", error->message);
	else if (g->access == KSMA_RAM_MAPPED)
		cli_step(steps, CLI_STEP_OK, "memory", NULL, "%s, mapped, %zu region%s",
			 cli_format_size(g->ram_bytes, size), count, count == 1 ? "" : "s");
	else
		cli_step(
			steps, CLI_STEP_OK, "memory",
			g->pid > 0
				? "for faster looks give the guest shared memory: -object memory-backend-memfd,share=on,…"
				: NULL,
			"%s, copied page by page, %zu region%s",
			cli_format_size(g->ram_bytes, size), count, count == 1 ? "" : "s");
	cli_step(steps, CLI_STEP_OK, "layout", NULL, "from %s",
		 g->layout == KSMA_LAYOUT_MONITOR ? "the monitor"
		 : g->layout == KSMA_LAYOUT_FILE  ? "the dump's headers"
						  : "QEMU's command line and maps");
}

static void monitor_step(struct cli *cli, struct cli_steps *steps)
{
	const struct ksma_guest_info *g = ksma_guest_info(cli->guest);

	if (g->monitor[0])
		cli_step(steps, CLI_STEP_OK, "monitor", NULL, "%s", g->monitor);
	else if (g->pid <= 0)
		cli_step(steps, CLI_STEP_NOTE, "monitor", NULL, "a dump has none");
	else if (cli_has(cli, CLI_MEMORY_ONLY))
		cli_step(steps, CLI_STEP_NOTE, "monitor", NULL, "not used (--memory-only)");
	else
		cli_step(
			steps, CLI_STEP_MISSING, "monitor",
			"add -qmp unix:PATH,server=on,wait=off to QEMU, end the client that holds it, or name another with --monitor",
			"%s", cli_dash(g->monitor_problem));
}

/* @return true when the registers are there */
/* What a debugger, or a guard that was killed together with its keeper, leaves behind: a guest that stands for ever. */
static void debugger_step(struct cli *cli, struct cli_steps *steps)
{
	_cleanup_(ksma_gdb_server_deinit) struct ksma_gdb_server server = { 0 };
	const struct ksma_guest_info *g = ksma_guest_info(cli->guest);
	_cleanup_error_ struct ksma_error *error = NULL;

	if (g->kind != KSMA_GUEST_LIVE || !g->monitor[0])
		return;
	error = ksma_gdb_server_find(((struct ksma_live *)cli->guest->priv)->monitor, &server);
	if (error)
		cli_step(steps, CLI_STEP_NOTE, "debugger", NULL, "%s", error->message);
	else if (strcmp(server.status, "debug") == 0 && !server.connected)
		cli_step(
			steps, CLI_STEP_MISSING, "debugger", "ksma guard VM --off",
			"the guest stands at a breakpoint, and nobody is attached who would let it run");
	else if (server.connected)
		cli_step(steps, CLI_STEP_NOTE, "debugger", NULL, "attached (%s)",
			 cli_dash(server.address));
	else
		cli_step(steps, CLI_STEP_OK, "debugger", NULL, "none is attached");
}

static bool registers_step(struct cli *cli, struct cli_steps *steps, const char *name,
			   unsigned flags)
{
	_cleanup_(ksma_registers_free) struct ksma_registers registers = { 0 };
	_cleanup_error_ struct ksma_error *error =
		ksma_guest_registers(cli->guest, flags, &registers);
	bool dump = ksma_guest_info(cli->guest)->pid <= 0, chosen = cli_has(cli, CLI_MEMORY_ONLY);
	char paused[CLI_BUFFER];
	size_t with_msrs = 0;

	if (error) {
		cli_step(steps, dump || chosen ? CLI_STEP_NOTE : CLI_STEP_MISSING, name,
			 dump || chosen ? NULL : "registers come by the monitor: see above", "%s",
			 error->message);
		return false;
	}
	for (size_t i = 0; i < registers.count; i++)
		with_msrs += registers.vcpus[i].has_msrs;
	if (flags & KSMA_REGISTERS_MSRS && with_msrs < registers.count) {
		cli_step(steps, CLI_STEP_MISSING, name, NULL, "of %zu of %zu vCPUs only", with_msrs,
			 registers.count);
		return false;
	}
	if (registers.pause_us)
		cli_step(steps, CLI_STEP_OK, name, NULL, "%zu vCPU%s, the guest was paused for %s",
			 registers.count, registers.count == 1 ? "" : "s",
			 cli_format_us(registers.pause_us, paused));
	else
		cli_step(steps, CLI_STEP_OK, name, NULL, "%zu vCPU%s", registers.count,
			 registers.count == 1 ? "" : "s");
	return true;
}

static bool kernel_step(struct cli *cli, struct cli_steps *steps)
{
	_cleanup_error_ struct ksma_error *error = cli_open_guest_kernel(cli);
	const struct ksma_kernel_info *k;

	if (error) {
		cli_step(steps, CLI_STEP_MISSING, "kernel",
			 error->code == KSMA_ERROR_NOT_PRESENT
				 ? "is it a Linux guest, and has it booted? See its console"
				 : NULL,
			 "%s", error->message);
		return false;
	}
	k = ksma_kernel_info(cli->kernel);
	cli_step(steps, CLI_STEP_OK, "kernel", NULL, "Linux %s, found by %s%s", k->release,
		 k->from_registers ? "a vCPU's registers" : "searching memory",
		 k->cached ? ", known from the cache" : "");
	return true;
}

static void understanding_steps(struct cli *cli, struct cli_steps *steps)
{
	const struct ksma_kernel_info *k = ksma_kernel_info(cli->kernel);
	_cleanup_error_ struct ksma_error *error = NULL;
	ksma_gva banner;
	char byte;

	cli_step(steps, CLI_STEP_OK, "symbols", NULL, "%zu from the guest's kallsyms", k->symbols);
	cli_step(steps, CLI_STEP_OK, "types", NULL, "%s",
		 k->types_from_guest ? "the guest's own BTF" : "the file given with --types");
	error = ksma_kernel_lookup(cli->kernel, "linux_banner", &banner);
	if (!error)
		error = ksma_kernel_read(cli->kernel, banner, &byte, 1);
	if (error)
		cli_step(steps, CLI_STEP_MISSING, "page tables", NULL, "%s", error->message);
	else
		cli_step(steps, CLI_STEP_OK, "page tables", NULL,
			 "%u levels, isolation %s, virtual slide 0x%" PRIx64, k->paging_levels,
			 k->kpti ? "on" : "off", k->virtual_slide);
}

/* Is what the vendor built on hand, for the kernel and for its modules? */
static void vendor_step(struct cli *cli, struct cli_steps *steps)
{
	static const char cure[] =
		"get the package that the guest's kernel came in, and give it to 'ksma vendor add'";
	const struct ksma_build_id *id = &ksma_kernel_info(cli->kernel)->build_id;
	_cleanup_(ksma_vendor_object_deinit) struct ksma_vendor_object object = { 0 };
	_cleanup_error_ struct ksma_error *error = NULL;
	struct ksma_vendor *vendor = NULL;
	char text[CLI_BUILD_ID];

	if (!id->length) {
		cli_step(steps, CLI_STEP_NOTE, "vendor", NULL,
			 "the kernel says no build id that a reference could be found by");
		return;
	}
	error = ksma_vendor_open(NULL, &vendor);
	if (!error)
		error = ksma_vendor_find(vendor, KSMA_VENDOR_KERNEL, id->bytes, id->length,
					 &object);
	ksma_vendor_close(vendor);
	cli_format_build_id(id->bytes, id->length, text);
	if (!error)
		cli_step(steps, CLI_STEP_OK, "vendor", NULL, "%s %s, build id %s, signature %s",
			 cli_dash(object.entry.package), cli_dash(object.entry.version), text,
			 ksma_vendor_signature_name(object.entry.signature));
	else if (error->code == KSMA_ERROR_NOT_PRESENT)
		cli_step(steps, CLI_STEP_NOTE, "vendor", cure,
			 "no reference for this kernel (build id %s): %s", text, error->message);
	else
		cli_step(steps, CLI_STEP_MISSING, "vendor", "see 'ksma vendor verify'", "%s",
			 error->message);
}

static void check_steps(struct cli_steps *steps, bool kernel, bool registers)
{
	for (size_t i = 0; i < ksma_check_count(); i++) {
		const struct ksma_check_info *c = ksma_check_info(i);
		bool wants = strstr(c->needs, "registers") != NULL;
		char name[64];

		snprintf(name, sizeof(name), "check %s", c->name);
		if (!kernel)
			cli_step(steps, CLI_STEP_MISSING, name, NULL,
				 "needs the kernel, see above");
		else if (wants && !registers)
			cli_step(steps, CLI_STEP_MISSING, name, NULL,
				 "needs registers with MSRs, see above");
		else
			cli_step(steps, CLI_STEP_OK, name, NULL, "has what it needs (%s)",
				 c->needs);
	}
}

struct ksma_error *cli_doctor(struct cli *cli)
{
	_cleanup_(cli_steps_deinit) struct cli_steps steps = { 0 };
	_cleanup_look_ struct cli_look look = cli_look_begin("doctor");
	bool msrs, kernel;

	host_steps(cli, &steps);
	if (cli->operand_count && guest_step(cli, &steps)) {
		memory_steps(cli, &steps);
		monitor_step(cli, &steps);
		debugger_step(cli, &steps);
		cli_progress_say(cli->progress, "reading registers");
		registers_step(cli, &steps, "registers", KSMA_REGISTERS_BASIC);
		msrs = registers_step(cli, &steps, "msrs", KSMA_REGISTERS_MSRS);
		kernel = kernel_step(cli, &steps);
		if (kernel)
			understanding_steps(cli, &steps);
		if (kernel)
			vendor_step(cli, &steps);
		check_steps(&steps, kernel, msrs);
	}
	cli_look_end(cli, &look);
	return cli_steps_print(cli, &steps, &look);
}
