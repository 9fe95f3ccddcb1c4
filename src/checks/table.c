/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one list of checks: the command, the documentation and the runner all read it. */
#include "checks/check.h"

/* One a line, so that two branches that add one merge. */
/* clang-format off */
const struct ksma_check *const ksma_checks[] = {
	&ksma_check_lstar,
	&ksma_check_idt,
	&ksma_check_syscall_table,
	&ksma_check_modules,
	&ksma_check_processes,
	&ksma_check_proc_ops,
	&ksma_check_paths,
	&ksma_check_credentials,
	&ksma_check_page_tables,
	&ksma_check_ftrace,
	&ksma_check_kprobes,
	&ksma_check_uprobes,
	&ksma_check_tracepoints,
	&ksma_check_perf,
	&ksma_check_livepatch,
	&ksma_check_settings,
	&ksma_check_control_registers,
	&ksma_check_debug_registers,
	&ksma_check_gdt,
	&ksma_check_bpf,
	&ksma_check_io_uring,
	&ksma_check_notifiers,
	&ksma_check_tty,
	&ksma_check_binfmt,
	&ksma_check_network,
	&ksma_check_lsm,
	&ksma_check_vfs,
	&ksma_check_registries,
	&ksma_check_timers,
	&ksma_check_interrupts,
	&ksma_check_kthreads,
	&ksma_check_kallsyms,
	&ksma_check_tasks,
	&ksma_check_namespaces,
	&ksma_check_log,
	/* These hold a copy of the kernel: what goes through all of the guest's memory comes before. */
	&ksma_check_text,
	&ksma_check_rodata,
	&ksma_check_module_text,
	&ksma_check_after_init,
};
/* clang-format on */

const size_t ksma_checks_count = ARRAY_SIZE(ksma_checks);

KSMA_API size_t ksma_check_count(void)
{
	return ksma_checks_count;
}

KSMA_API const struct ksma_check_info *ksma_check_info(size_t index)
{
	return index < ksma_checks_count ? &ksma_checks[index]->info : NULL;
}

KSMA_API const char *ksma_severity_name(enum ksma_severity severity)
{
	static const char *const names[] = {
		[KSMA_SEVERITY_INFO] = "info",	       [KSMA_SEVERITY_LOW] = "low",
		[KSMA_SEVERITY_MEDIUM] = "medium",     [KSMA_SEVERITY_HIGH] = "high",
		[KSMA_SEVERITY_CRITICAL] = "critical",
	};

	return (size_t)severity < ARRAY_SIZE(names) ? names[severity] : "info";
}
