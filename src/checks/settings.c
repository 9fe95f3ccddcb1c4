/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Are the kernel's defences and its memory of its own taints what its own code would have left? Settings contradict what depends
 * on them, the command line, or the modules when they were written past that code; those that only go one way never come back. */
#include <inttypes.h>

#include "checks/check.h"
#include "checks/settings.h"
#include "linux/module_symbols.h"

enum {
	TAINT_UNSIGNED_MODULE = 13,
	FTRACE_PERSIST_MS = 3000, /* switching all of ftrace off or on takes a while */
};

/* Settings that are remembered from look to look. Which values are stricter is what ksma_setting_rank() tells. */
static const struct ksma_setting settings[] = {
	{ "modules_disabled", 4, "loading of modules is forbidden", KSMA_RANK_VALUE, 1 },
	{ "kexec_load_disabled", 4, "loading of another kernel is forbidden", KSMA_RANK_VALUE, 1 },
	{ "sig_enforce", 1, "modules must be signed", KSMA_RANK_VALUE, 1 },
	{ "kernel_locked_down", 4, "lockdown", KSMA_RANK_VALUE, 1 },
	{ "ptrace_scope", 4, "who may trace whom", KSMA_RANK_VALUE, 3 },
	{ "sysctl_unprivileged_bpf_disabled", 4, "BPF for ordinary users", KSMA_RANK_BPF, 2 },
	{ "audit_enabled", 4, "auditing", KSMA_RANK_VALUE, 2 },
	{ "dmesg_restrict", 4, "the kernel log for root only", KSMA_RANK_VALUE, KSMA_NEVER_FINAL },
	{ "kptr_restrict", 4, "kernel addresses for root only", KSMA_RANK_VALUE, KSMA_NEVER_FINAL },
	{ "sysctl_perf_event_paranoid", 4, "perf for root only", KSMA_RANK_VALUE,
	  KSMA_NEVER_FINAL },
	{ "randomize_va_space", 4, "random addresses of processes", KSMA_RANK_VALUE,
	  KSMA_NEVER_FINAL },
	{ "ftrace_enabled", 4, "function tracing", KSMA_RANK_VALUE, KSMA_NEVER_FINAL },
	{ "mmap_min_addr", 8, "the lowest address that programs may map", KSMA_RANK_VALUE,
	  KSMA_NEVER_FINAL },
};

/* What programs that the kernel starts by itself may ever do, or are given: root can take from these, and nobody gives back
 * (proc_cap_handler() of kernel/umh.c). */
static const char *const helper_capabilities[] = { "usermodehelper_bset",
						   "usermodehelper_inheritable" };

/* The strictest ranks that were seen, and every taint that was. */
struct history {
	int64_t ranks[ARRAY_SIZE(settings)];
	bool known[ARRAY_SIZE(settings)];
	uint64_t taints;
	uint64_t helpers[ARRAY_SIZE(
		helper_capabilities)]; /* capabilities that some look did not see */
};

int64_t ksma_setting_rank(enum ksma_rank rank, int64_t value)
{
	if (rank ==
	    KSMA_RANK_BPF) /* 2 may be changed, 1 may not (Documentation/admin-guide/sysctl/kernel.rst) */
		return value == 1 ? 2 : value == 2 ? 1 : value;
	return value;
}

bool ksma_command_line_has(const char *line, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = line; at && (at = strstr(at, word)); at++)
		if ((at == line || at[-1] == ' ') && (at[length] == 0 || at[length] == ' '))
			return true;
	return false;
}

static const char *command_line(const struct ksma_look *look)
{
	return look->kernel->info.command_line ?: "";
}

/* False when the kernel has no such variable, or it cannot be read, which is a gap. */
static bool read_value(struct ksma_look *look, const char *symbol, unsigned size,
		       uint64_t *ret_address, int64_t *ret)
{
	uint64_t address = ksma_kernel_symbol(look->kernel, symbol), value = 0;

	if (!address)
		return false;
	if (!ksma_kernel_bytes(look->kernel, address, &value, size)) {
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL, "%s cannot be read",
				  symbol);
		return false;
	}
	*ret_address = address;
	*ret = size == 4 ? (int32_t)value : (int64_t)value;
	return true;
}

static struct ksma_error *report(struct ksma_look *look, enum ksma_severity severity,
				 const char *symbol, uint64_t address, int64_t found,
				 struct ksma_finding **ret_finding, const char *title)
{
	KSMA_TRY(ksma_finding_add(look, severity, ret_finding, "%s", symbol));
	KSMA_TRY(ksma_finding_title(*ret_finding, "%s", title));
	KSMA_TRY(ksma_finding_address(look, *ret_finding, "address", address));
	return ksma_finding_text(*ret_finding, "found", "%" PRId64, found);
}

/* What was stricter at an earlier look. */
static struct ksma_error *check_lowered(struct ksma_look *look, struct history *history, size_t i)
{
	const struct ksma_setting *setting = &settings[i];
	struct ksma_finding *finding;
	int64_t value, rank;
	uint64_t address;
	bool was_final;

	if (!read_value(look, setting->symbol, setting->size, &address, &value))
		return NULL;
	rank = ksma_setting_rank(setting->rank, value);
	if (!history->known[i] || rank > history->ranks[i])
		history->ranks[i] = rank;
	history->known[i] = true;
	if (rank >= history->ranks[i])
		return NULL;
	was_final = history->ranks[i] >= setting->final_rank;
	KSMA_TRY(ksma_finding_add(look, was_final ? KSMA_SEVERITY_HIGH : KSMA_SEVERITY_LOW,
				  &finding, "lowered/%s", setting->symbol));
	KSMA_TRY(ksma_finding_title(finding, "%s: weaker than it was%s", setting->what,
				    was_final ? ", which the kernel itself never allows" : ""));
	KSMA_TRY(ksma_finding_address(look, finding, "address", address));
	KSMA_TRY(ksma_finding_text(finding, "found", "%" PRId64, value));
	return ksma_finding_text(finding, "was", "%" PRId64, history->ranks[i]);
}

static struct ksma_error *check_helpers(struct ksma_look *look, struct history *history)
{
	struct ksma_finding *finding;
	uint64_t address;
	int64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(helper_capabilities); i++) {
		const char *symbol = helper_capabilities[i];

		if (!read_value(look, symbol, 8, &address, &value))
			continue;
		if ((uint64_t)value & history->helpers[i]) {
			KSMA_TRY(report(
				look, KSMA_SEVERITY_HIGH, symbol, address, value, &finding,
				"the kernel's helper programs were given back capabilities, which it never does"));
			KSMA_TRY(ksma_finding_number(finding, "given_back",
						     (uint64_t)value & history->helpers[i]));
		}
		history->helpers[i] |= ~(uint64_t)value;
	}
	return NULL;
}

/* A program receives the records of auditing, and there are none. auditctl -e 0 does that too. */
static struct ksma_error *check_audit(struct ksma_look *look)
{
	uint64_t address, receiver_at;
	int64_t enabled, receiver;
	struct ksma_finding *finding;

	if (!read_value(look, "audit_enabled", 4, &address, &enabled) || enabled ||
	    !read_value(look, "auditd_conn", 8, &receiver_at, &receiver) || !receiver)
		return NULL;
	return report(look, KSMA_SEVERITY_LOW, "audit_enabled", address, enabled, &finding,
		      "auditing is off, and a program waits for what it tells");
}

/* dmesg -n goes down to 1; 0 keeps even emergencies from the console. */
static struct ksma_error *check_console(struct ksma_look *look)
{
	struct ksma_finding *finding;
	uint64_t address;
	int64_t level;

	if (!read_value(look, "console_printk", 4, &address, &level) || level > 0)
		return NULL;
	return report(look, KSMA_SEVERITY_LOW, "console_printk", address, level, &finding,
		      "nothing reaches the console, not even emergencies");
}

/* ftrace_enable_sysctl() keeps the two the same; ftrace_kill(), after a bug was found, does not. */
static struct ksma_error *check_ftrace(struct ksma_look *look)
{
	struct ksma_finding *finding;
	uint64_t address, last_address, killed_address;
	int64_t now, last, killed = 0;

	if (!read_value(look, "ftrace_enabled", 4, &address, &now) ||
	    !read_value(look, "last_ftrace_enabled", 4, &last_address, &last) ||
	    (read_value(look, "ftrace_disabled", 4, &killed_address, &killed) && killed) ||
	    (now != 0) == (last != 0))
		return NULL;
	KSMA_TRY(report(look, KSMA_SEVERITY_HIGH, "ftrace_enabled", address, now, &finding,
			"function tracing was switched past the code that switches it"));
	finding->persist_ms = FTRACE_PERSIST_MS;
	return ksma_finding_text(finding, "expected", "%" PRId64, last);
}

static struct ksma_error *check_min_address(struct ksma_look *look)
{
	struct ksma_finding *finding;
	uint64_t address, wanted_address;
	int64_t now, wanted;

	if (!read_value(look, "dac_mmap_min_addr", 8, &wanted_address, &wanted) ||
	    !read_value(look, "mmap_min_addr", 8, &address, &now))
		return NULL;
	if ((uint64_t)now < (uint64_t)wanted) {
		KSMA_TRY(report(look, KSMA_SEVERITY_HIGH, "mmap_min_addr", address, now, &finding,
				"programs may map lower addresses than the setting says"));
		return ksma_finding_text(finding, "expected", "%" PRId64, wanted);
	}
	if (now)
		return NULL;
	return report(look, KSMA_SEVERITY_LOW, "mmap_min_addr", address, now, &finding,
		      "programs may map address 0");
}

static struct ksma_error *check_command_line(struct ksma_look *look)
{
	const char *line = command_line(look);
	struct ksma_finding *finding;
	uint64_t address;
	int64_t value;

	if ((ksma_command_line_has(line, "module.sig_enforce") ||
	     ksma_command_line_has(line, "module.sig_enforce=1") ||
	     ksma_command_line_has(line, "module.sig_enforce=y")) &&
	    read_value(look, "sig_enforce", 1, &address, &value) && !value)
		KSMA_TRY(
			report(look, KSMA_SEVERITY_HIGH, "sig_enforce", address, value, &finding,
			       "unsigned modules are accepted though the command line forbids it"));
	if ((ksma_command_line_has(line, "lockdown=integrity") ||
	     ksma_command_line_has(line, "lockdown=confidentiality")) &&
	    read_value(look, "kernel_locked_down", 4, &address, &value) && !value)
		KSMA_TRY(report(look, KSMA_SEVERITY_HIGH, "kernel_locked_down", address, value,
				&finding,
				"the kernel is not locked down though the command line says so"));
	if (ksma_command_line_has(line, "audit=1") &&
	    read_value(look, "audit_enabled", 4, &address, &value) && !value)
		KSMA_TRY(report(look, KSMA_SEVERITY_MEDIUM, "audit_enabled", address, value,
				&finding,
				"auditing is off though the command line switches it on"));
	if (!ksma_command_line_has(line, "norandmaps") &&
	    read_value(look, "randomize_va_space", 4, &address, &value) && !value)
		KSMA_TRY(report(look, KSMA_SEVERITY_LOW, "randomize_va_space", address, value,
				&finding, "the addresses of processes are not random"));
	if (!strstr(line, "hardened_usercopy=") &&
	    read_value(look, "bypass_usercopy_checks", 4, &address, &value) && value)
		KSMA_TRY(report(
			look, KSMA_SEVERITY_MEDIUM, "bypass_usercopy_checks", address, value,
			&finding,
			"copies to and from user memory are not checked, and no option says so"));
	return NULL;
}

const char *ksma_taint_letters(uint64_t taints, char buffer[65])
{
	static const char letters[] = "PFSRMBUDAWCIOELKXTNJ"; /* kernel/panic.c */
	size_t used = 0;

	for (unsigned i = 0; i < 64; i++)
		if (taints & 1ull << i)
			buffer[used++] = i < sizeof(letters) - 1 ? letters[i] : '?';
	buffer[used] = 0;
	return buffer;
}

/* load_module() marks a module whose signature it did not accept; nothing takes the mark away. */
static struct ksma_error *check_module(struct ksma_look *look, const struct ksma_module *module)
{
	int32_t member = look->kernel->off.module__sig_ok;
	struct ksma_finding *finding;
	uint8_t ok;

	if (member < 0 || strcmp(module->state, "live") != 0 ||
	    !ksma_kernel_bytes(look->kernel, module->address + (uint32_t)member, &ok, 1) || ok ||
	    (module->taints & 1u << TAINT_UNSIGNED_MODULE))
		return NULL;
	KSMA_TRY(ksma_finding_add(look, KSMA_SEVERITY_HIGH, &finding, "module/%s", module->name));
	KSMA_TRY(ksma_finding_title(
		finding, "module %s has no accepted signature, and its taint for that was erased",
		module->name));
	KSMA_TRY(ksma_finding_text(finding, "module", "0x%016" PRIx64, module->address));
	return ksma_finding_text(finding, "taints", "0x%x", module->taints);
}

static struct ksma_error *check_taints(struct ksma_look *look, struct history *history)
{
	const struct ksma_modules *list;
	struct ksma_finding *finding;
	uint64_t address, expected = 0;
	char missing[65], tainters[160] = "";
	size_t used = 0;
	int64_t now;

	/* add_taint_module() taints the kernel first: so the modules are read first. */
	KSMA_TRY(ksma_module_symbols_update(look->kernel, look->coverage, &list));
	for (size_t i = 0; i < list->count; i++) {
		expected |= list->items[i].taints;
		KSMA_TRY(check_module(look, &list->items[i]));
	}
	if (!read_value(look, "tainted_mask", 8, &address, &now)) {
		if (!ksma_kernel_symbol(look->kernel, "tainted_mask"))
			ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
					  "this kernel has no symbol tainted_mask");
		return NULL;
	}
	expected |= history->taints;
	history->taints |= (uint64_t)now;
	if (!(expected & ~(uint64_t)now))
		return NULL;
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].taints & ~(uint64_t)now && used < sizeof(tainters))
			used += (size_t)snprintf(tainters + used, sizeof(tainters) - used, "%s%s",
						 used ? ", " : "", list->items[i].name);
	KSMA_TRY(report(look, KSMA_SEVERITY_HIGH, "tainted_mask", address, now, &finding,
			"taints of the kernel were erased"));
	KSMA_TRY(ksma_finding_text(finding, "missing", "%s",
				   ksma_taint_letters(expected & ~(uint64_t)now, missing)));
	return ksma_finding_text(finding, "modules", "%s", tainters);
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct ksma_memory *memory = &look->kernel->memories[KSMA_MEMORY_OF_SETTINGS];
	struct history *history = memory->data;

	if (!history) {
		history = calloc(1, sizeof(*history));
		if (!history)
			return ksma_error_nomem();
		*memory = (struct ksma_memory){ history, free };
	}
	KSMA_TRY(check_taints(look, history));
	KSMA_TRY(check_ftrace(look));
	KSMA_TRY(check_min_address(look));
	KSMA_TRY(check_command_line(look));
	KSMA_TRY(check_audit(look));
	KSMA_TRY(check_console(look));
	KSMA_TRY(check_helpers(look, history));
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		KSMA_TRY(check_lowered(look, history, i));
	return NULL;
}

const struct ksma_check ksma_check_settings = {
	.info = {
		.name = "settings",
		.title = "Taints and defences of the kernel",
		.attack = "T1562.001",
		.needs = "memory",
		.structures = "tainted_mask, taints and sig_ok of every module, ftrace_enabled and last_ftrace_enabled, mmap_min_addr and "
			      "dac_mmap_min_addr, sig_enforce, kernel_locked_down, audit_enabled, modules_disabled, kexec_load_disabled, ptrace_scope, "
			      "restrictions of BPF, perf, dmesg and addresses, randomize_va_space, bypass_usercopy_checks, usermodehelper_bset and _inheritable, "
			      "auditd_conn, console_printk, the command line",
		.why = "A rootkit wipes the kernel's mark that an unsigned module was loaded, and lowers what would stop its next step: signatures, "
		       "lockdown, auditing, tracing.",
		.cost = "0.04 ms",
		.false_alarms = "An administrator may weaken most settings, so that their value alone is no finding; a change while the guest is watched "
				"is one of low severity. High are only contradictions and ways back that the kernel does not have. Low too: no random "
				"addresses, or address 0 for programs, as debuggers and old emulators want it; a console at level 0; auditing that is off "
				"with auditd there, as auditctl -e 0 has it.",
		.todo = "Find out who turned it, and when (ksma dmesg). What it protected is to be taken as unprotected since.",
	},
	.run = run,
};
