/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which programs does the kernel start as root by itself, and are they the ones that distributions ship? */
#include "checks/check.h"

enum { MAX_PATH = 256, MAX_KNOWN = 10, HELPERS_PERSIST_MS = 2000 };

/* One string of the kernel, and what honest systems have there. A piped core_pattern is known by its program alone. */
struct path {
	const char *symbol;
	const char *what; /* when the kernel runs it */
	const char *
		user; /* a function that no kernel with this string lacks: one without the other is a gap */
	bool only_piped; /* starts a program only when it begins with '|' */
	const char *known[MAX_KNOWN];
};

static const struct path paths[] = {
	{ "modprobe_path",
	  "loads a module on demand",
	  "__request_module",
	  false,
	  { "/sbin/modprobe", "/usr/sbin/modprobe", "/bin/modprobe", "/usr/bin/modprobe",
	    "/bin/true", "/bin/false", "/dev/null" } },
	{ "core_pattern",
	  "handles the crash of a process",
	  "do_coredump",
	  true,
	  { "/usr/lib/systemd/systemd-coredump", "/lib/systemd/systemd-coredump",
	    "/usr/share/apport/apport", "/usr/libexec/abrt-hook-ccpp", "/bin/false",
	    "/usr/bin/false", "/dev/null" } },
	{ "poweroff_cmd",
	  "powers off in good order",
	  "orderly_poweroff",
	  false,
	  { "/sbin/poweroff", "/usr/sbin/poweroff", "/bin/poweroff", "/usr/bin/poweroff" } },
	{ "reboot_cmd",
	  "reboots in good order",
	  NULL,
	  false,
	  { "/sbin/reboot", "/usr/sbin/reboot" } },
	{ "uevent_helper", "announces a device", NULL, false, { "/sbin/hotplug", "/sbin/mdev" } },
};

static bool is_known(const struct path *path, const char *program)
{
	for (size_t i = 0; i < MAX_KNOWN && path->known[i]; i++) {
		size_t length = strlen(path->known[i]);

		/* core_pattern has arguments behind the program. */
		if (strncmp(program, path->known[i], length) == 0 &&
		    (program[length] == 0 || (path->only_piped && program[length] == ' ')))
			return true;
	}
	return false;
}

/* Where anybody may write, or nobody looks. */
static bool is_suspicious(const char *program)
{
	static const char *const places[] = { "/tmp/", "/var/tmp/", "/dev/shm/",
					      "/run/", "/proc/",    "/home/" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strncmp(program, places[i], strlen(places[i])) == 0)
			return true;
	return strstr(program, "/.") != NULL || program[0] != '/';
}

static struct ksma_error *check_path(struct ksma_look *look, const struct path *path,
				     uint64_t address)
{
	struct ksma_finding *finding;
	char value[MAX_PATH];
	const char *program = value;

	if (!ksma_kernel_string(look->kernel, address, value, sizeof(value))) {
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL, "%s cannot be read",
				  path->symbol);
		return NULL;
	}
	if (path->only_piped) {
		if (value[0] != '|')
			return NULL; /* a file name: nothing is started */
		program++;
	}
	if (!program[0] || is_known(path, program))
		return NULL;
	KSMA_TRY(ksma_finding_add(
		look, is_suspicious(program) ? KSMA_SEVERITY_CRITICAL : KSMA_SEVERITY_MEDIUM,
		&finding, "%s", path->symbol));
	KSMA_TRY(ksma_finding_title(
		finding, "the kernel runs an unknown program as root when it %s", path->what));
	KSMA_TRY(ksma_finding_address(look, finding, "address", address));
	KSMA_TRY(ksma_finding_text(finding, "found", "%s", value));
	return ksma_finding_text(finding, "expected", "%s%s", path->only_piped ? "|" : "",
				 path->known[0]);
}

/* Freezing processes, going down and booting switch helpers off for a moment, and each says so elsewhere. */
static struct ksma_error *check_helpers(struct ksma_look *look)
{
	struct ksma_kernel *kernel = look->kernel;
	uint64_t at = ksma_kernel_symbol(kernel, "usermodehelper_disabled"),
		 state_at = ksma_kernel_symbol(kernel, "system_state"),
		 freezing_at = ksma_kernel_symbol(kernel, "pm_freezing");
	struct ksma_finding *finding;
	uint32_t disabled, state;
	uint8_t freezing = 0;

	if (!at || !state_at || kernel->enums.SYSTEM_RUNNING == KSMA_NO_MEMBER)
		return NULL; /* it has no such switch, or no way to tell why it is off */
	if (!ksma_kernel_u32(kernel, at, &disabled) || !ksma_kernel_u32(kernel, state_at, &state) ||
	    (freezing_at && !ksma_kernel_bytes(kernel, freezing_at, &freezing, 1))) {
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "usermodehelper_disabled cannot be read");
		return NULL;
	}
	if (!disabled || freezing || state != (uint32_t)kernel->enums.SYSTEM_RUNNING)
		return NULL;
	KSMA_TRY(ksma_finding_add(look, KSMA_SEVERITY_MEDIUM, &finding, "usermodehelper_disabled"));
	finding->persist_ms = HELPERS_PERSIST_MS;
	KSMA_TRY(ksma_finding_title(
		finding,
		"the kernel does not start helper programs, and nothing it does says why"));
	KSMA_TRY(ksma_finding_address(look, finding, "slot", at));
	KSMA_TRY(ksma_finding_number(finding, "found", disabled));
	return ksma_finding_number(finding, "expected", 0);
}

static struct ksma_error *run(struct ksma_look *look)
{
	KSMA_TRY(check_helpers(look));
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		uint64_t address = ksma_kernel_symbol(look->kernel, paths[i].symbol);

		if (address) /* a kernel built without it starts no such program */
			KSMA_TRY(check_path(look, &paths[i], address));
		else if (paths[i].user && ksma_kernel_symbol(look->kernel, paths[i].user))
			ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
					  "kallsyms has %s and not %s: not looked at",
					  paths[i].user, paths[i].symbol);
	}
	return NULL;
}

const struct ksma_check ksma_check_paths = {
	.info = {
		.name = "paths",
		.title = "Programs that the kernel starts",
		.attack = "T1574",
		.needs = "memory",
		.structures = "modprobe_path, core_pattern, poweroff_cmd, reboot_cmd, uevent_helper, usermodehelper_disabled",
		.why = "Whoever can write one of these strings has the kernel run a program of his choice as root, with no further change to the kernel.",
		.cost = "0.01 ms",
		.false_alarms = "A crash handler or module loader of a distribution that is not in the list of known ones: it is reported as medium, "
				"and an operator can tell it by its path.",
		.todo = "The program named there runs as root, outside of every container, at the next crash or missing module: look at "
			"it on the guest's disk.",
	},
	.run = run,
};
