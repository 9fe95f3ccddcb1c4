// SPDX-License-Identifier: GPL-2.0-only
/* Changes one call or jump of the function that dispatches system calls where no table does (T1014); undone at unload. */
#include "attack.h"

#include "syscall_switch.h"

static char *function = "x64_sys_call";
module_param(function, charp, 0444);
MODULE_PARM_DESC(function, "x64_sys_call, ia32_sys_call or x32_sys_call");
static char *target = "__x64_sys_getpgid";
module_param(target, charp, 0444);
MODULE_PARM_DESC(target, "the system call whose branch is changed");

static asmlinkage long hook(const struct pt_regs *regs)
{
	return switch_original(regs);
}

static int __init attack_init(void)
{
	int error = switch_hook(function, target, (unsigned long)hook);

	if (!error)
		attack_log("function=%s target=%s branch=0x%lx value=0x%lx original=0x%lx",
			   function, target, switch_branch, (unsigned long)hook,
			   (unsigned long)switch_original);
	return error;
}

static void __exit attack_exit(void)
{
	switch_restore();
	attack_log("restored branch=0x%lx", switch_branch);
}

module_init(attack_init);
module_exit(attack_exit);
