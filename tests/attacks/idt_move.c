// SPDX-License-Identifier: GPL-2.0-only
/* Loads the interrupt descriptor table register with a copy of the table elsewhere; undone at unload. */
#include "attack.h"

#include <asm/desc.h>
#include <linux/smp.h>

static int cpu = -1;
module_param(cpu, int, 0444);
MODULE_PARM_DESC(cpu, "processor (-1: all)");

static struct desc_ptr original, moved;

static void load(void *to)
{
	asm volatile("lidt %0" : : "m"(*(struct desc_ptr *)to));
}

static void load_where(struct desc_ptr *to)
{
	if (cpu < 0)
		on_each_cpu(load, to, 1);
	else
		smp_call_function_single(cpu, load, to, 1);
}

static int __init attack_init(void)
{
	void *copy;

	/* The processor reads the table on the user's page tables, where those are separate. */
	if (boot_cpu_has(X86_FEATURE_PTI)) {
		attack_log("failed=page-table-isolation");
		return -EOPNOTSUPP;
	}
	copy = (void *)get_zeroed_page(GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	asm volatile("sidt %0" : "=m"(original));
	memcpy(copy, (void *)original.address, original.size + 1);
	moved.size = original.size;
	moved.address = (unsigned long)copy;
	load_where(&moved);
	attack_log("cpu=%d value=0x%lx original=0x%lx", cpu, moved.address, original.address);
	return 0;
}

static void __exit attack_exit(void)
{
	load_where(&original);
	free_page(moved.address);
	attack_log("restored value=0x%lx", original.address);
}

module_init(attack_init);
module_exit(attack_exit);
