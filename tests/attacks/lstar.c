// SPDX-License-Identifier: GPL-2.0-only
/* Points a system call entry register of the processor at code of its own, which goes on to the kernel's; undone at unload. */
#include "attack.h"

#include <asm/msr.h>
#include <linux/smp.h>

static char *msr = "lstar";
module_param(msr, charp, 0444);
MODULE_PARM_DESC(msr, "lstar, cstar or sysenter");
static int cpu = -1;
module_param(cpu, int, 0444);
MODULE_PARM_DESC(cpu, "processor (-1: all)");

unsigned long lstar_original;
void lstar_hook(void);
asm(".pushsection .text, \"ax\"\n"
    ".globl lstar_hook\n"
    "lstar_hook:\n"
    "	.byte 0xf3, 0x0f, 0x1e, 0xfa\n" /* endbr64 */
    "	jmp *lstar_original(%rip)\n"
    ".popsection\n");

static u32 number;

static u64 read_register(void)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
	return (u64)high << 32 | low;
}

static void set(void *value)
{
	unsigned long v = (unsigned long)value;

	asm volatile("wrmsr" : : "c"(number), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

static void set_where(unsigned long value)
{
	if (cpu < 0)
		on_each_cpu(set, (void *)value, 1);
	else
		smp_call_function_single(cpu, set, (void *)value, 1);
}

static int __init attack_init(void)
{
	/* Code of a module is not there yet when the entry runs on the user's page tables. */
	if (boot_cpu_has(X86_FEATURE_PTI)) {
		attack_log("failed=page-table-isolation");
		return -EOPNOTSUPP;
	}
	if (strcmp(msr, "lstar") == 0)
		number = 0xc0000082;
	else if (strcmp(msr, "cstar") == 0)
		number = 0xc0000083;
	else if (strcmp(msr, "sysenter") == 0)
		number = 0x176;
	else
		return -EINVAL;
	lstar_original = read_register();
	set_where((unsigned long)lstar_hook);
	attack_log("msr=%s cpu=%d value=0x%lx original=0x%lx", msr, cpu, (unsigned long)lstar_hook,
		   lstar_original);
	return 0;
}

static void __exit attack_exit(void)
{
	set_where(lstar_original);
	attack_log("restored msr=%s value=0x%lx", msr, lstar_original);
}

module_init(attack_init);
module_exit(attack_exit);
