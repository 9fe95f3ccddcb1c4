/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One answer to "whose function is that", and one wording, for all the ways in which the kernel lets others hook themselves in. */
#include "checks/hooks.h"

#include <inttypes.h>

#include "checks/owners.h"
#include "linux/module_symbols.h"

enum { HALF_PAGE = 2048 };

/* Before 5.13 a BPF trampoline used the two halves of its page in turn, and had one name for both. */
static bool is_bpf_entry(const struct ksma_owner *owner, uint64_t function)
{
	return function == owner->start || (function == owner->start + HALF_PAGE &&
					    strncmp(owner->name, "bpf_trampoline_", 15) == 0);
}

enum ksma_hook_target ksma_hook_target(struct ksma_look *look, uint64_t function)
{
	const struct ksma_owner *owner;

	if (!function)
		return KSMA_HOOK_NONE;
	owner = ksma_owners_find(look->owners, function);
	if (!owner)
		return KSMA_HOOK_NOBODY;
	switch (owner->kind) {
	case KSMA_OWNER_MODULE:
		if (ksma_module_function_start(look->kernel, function) == KSMA_FUNCTION_UNKNOWN) {
			ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
					  "the symbols of module %s cannot be read", owner->name);
			return KSMA_HOOK_UNKNOWN;
		}
		return ksma_owners_is_function(look->kernel, look->owners, function)
			       ? KSMA_HOOK_MODULE
			       : KSMA_HOOK_STRAY;
	case KSMA_OWNER_BPF:
		return is_bpf_entry(owner, function) ? KSMA_HOOK_BPF : KSMA_HOOK_STRAY;
	case KSMA_OWNER_BPF_PACK:
		return KSMA_HOOK_BPF;
	case KSMA_OWNER_KERNEL:
		return ksma_owners_is_function(look->kernel, look->owners, function)
			       ? KSMA_HOOK_KERNEL
			       : KSMA_HOOK_STRAY;
	default:
		return KSMA_HOOK_STRAY;
	}
}

struct ksma_error *ksma_hook_check(struct ksma_look *look, const struct ksma_hook *hook,
				   struct ksma_finding **ret_finding)
{
	enum ksma_hook_target target = ksma_hook_target(look, hook->function);
	struct ksma_finding *finding;

	if (ret_finding)
		*ret_finding = NULL;
	if (target != KSMA_HOOK_STRAY && target != KSMA_HOOK_NOBODY)
		return NULL;
	KSMA_TRY(ksma_finding_add(look, KSMA_SEVERITY_CRITICAL, &finding, "%s", hook->id));
	KSMA_TRY(ksma_finding_title(finding, "%s leads to %s", hook->what,
				    target == KSMA_HOOK_NOBODY
					    ? "code that belongs to nobody"
					    : "a place where no function starts"));
	KSMA_TRY(ksma_finding_address(look, finding, "place", hook->place));
	KSMA_TRY(ksma_finding_code(look, finding, "found", hook->function));
	KSMA_TRY(ksma_finding_text(finding, "expected",
				   "a function of the kernel, of a listed module, or of BPF"));
	if (ret_finding)
		*ret_finding = finding;
	return NULL;
}

struct ksma_error *ksma_hook_member(struct ksma_look *look, uint64_t object, int32_t offset,
				    const char *id, const char *what,
				    enum ksma_hook_target *ret_target)
{
	struct ksma_hook hook = { id, what, object + (uint64_t)offset, 0 };

	if (ret_target)
		*ret_target = KSMA_HOOK_NONE;
	if (offset == KSMA_NO_MEMBER || !ksma_kernel_u64(look->kernel, hook.place, &hook.function))
		return NULL;
	if (ret_target)
		*ret_target = ksma_hook_target(look, hook.function);
	return ksma_hook_check(look, &hook, NULL);
}

struct ksma_error *ksma_hook_of_module(struct ksma_look *look, enum ksma_severity severity,
				       const char *id, const char *what, uint64_t function,
				       struct ksma_finding **ret_finding)
{
	const struct ksma_module *module = ksma_module_owner(look->kernel, function);
	struct ksma_finding *finding;

	if (ret_finding)
		*ret_finding = NULL;
	if (!module)
		return NULL;
	KSMA_TRY(ksma_finding_add(look, severity, &finding, "module/%s/%s", module->name, id));
	KSMA_TRY(ksma_finding_title(finding, "module %s %s", module->name, what));
	KSMA_TRY(ksma_finding_code(look, finding, "found", function));
	KSMA_TRY(ksma_finding_text(finding, "expected",
				   "tracers of the kernel, BPF and live patches only"));
	if (ret_finding)
		*ret_finding = finding;
	return NULL;
}

bool ksma_hook_is_sensitive(const char *function)
{
	/* One that ends in '*' is a beginning. */
	static const char *const names[] = {
		/* system calls, and their dispatch */
		"__x64_sys_*",
		"__ia32_sys_*",
		"__x32_compat_sys_*",
		"__ia32_compat_sys_*",
		"__do_sys_*",
		"__se_sys_*",
		"ksys_*",
		"x64_sys_call",
		"ia32_sys_call",
		"do_syscall_64",
		/* what is in a directory, and in a file */
		"filldir*",
		"compat_filldir*",
		"fillonedir",
		"iterate_dir",
		"verify_dirent_name",
		"vfs_read",
		"vfs_readv",
		"vfs_write",
		"vfs_statx",
		"vfs_getattr*",
		"proc_pid_*",
		"proc_readfd*",
		"proc_root_*",
		/* processes */
		"find_task_by_*",
		"find_pid_ns",
		"find_vpid",
		"find_get_pid",
		"find_get_task_by_vpid",
		"next_tgid",
		"pid_task",
		"get_pid_task",
		"loadavg_proc_show",
		"do_send_sig_info",
		"kill_*",
		/* connections and packets */
		"tcp4_seq_show",
		"tcp6_seq_show",
		"udp4_seq_show",
		"udp6_seq_show",
		"raw_seq_show",
		"raw6_seq_show",
		"unix_seq_show",
		"packet_seq_show",
		"inet_sk_diag_fill",
		"inet_csk_diag_*",
		"sk_diag_fill*",
		"sock_diag_*",
		"packet_rcv*",
		"tpacket_rcv",
		"ip_rcv",
		"ipv6_rcv",
		"tcp_v4_rcv",
		"tcp_v6_rcv",
		"udp_rcv",
		"icmp_rcv",
		"nf_hook_slow",
		/* modules, symbols, logs, BPF */
		"load_module",
		"find_module*",
		"m_show",
		"s_show",
		"kallsyms_*",
		"do_syslog",
		"devkmsg_read",
		"vprintk*",
		"audit_log_*",
		"bpf_prog_*",
		"bpf_map_*",
		"__sys_bpf",
		"is_module_*",
		"copy_from_kernel_nofault",
		/* rights */
		"commit_creds",
		"prepare_creds",
		"prepare_kernel_cred",
		"override_creds",
		"cap_capable",
		"capable",
		"ns_capable",
		"security_*",
		"selinux_*",
		"apparmor_*",
		"avc_has_perm*",
		"do_filp_open",
		"do_execveat_common*",
		"bprm_execve",
		"begin_new_exec",
		/* the keyboard and terminals */
		"input_event",
		"input_handle_event",
		"kbd_event",
		"n_tty_receive_buf*",
		"tty_read",
		"tty_write",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t length = strlen(names[i]);

		if (names[i][length - 1] == '*' ? strncmp(function, names[i], length - 1) == 0
						: strcmp(function, names[i]) == 0)
			return true;
	}
	return false;
}

const char *ksma_hook_name(struct ksma_kernel *kernel, uint64_t gva, char *buffer, size_t size)
{
	char *end;

	if (!ksma_kernel_describe(kernel, ksma_gva_of(gva), buffer, size)) {
		snprintf(buffer, size, "0x%" PRIx64, gva);
		return buffer;
	}
	end = buffer + strcspn(buffer, "+ ");
	*end = 0;
	return buffer;
}
