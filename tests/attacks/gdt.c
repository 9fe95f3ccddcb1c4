// SPDX-License-Identifier: GPL-2.0-only
/* Puts a call gate into the table of segments, loads GDTR with a copy, or moves the stack of an exception; undone at unload. */
#include "attack.h"

#include <asm/desc.h>
#include <asm/processor.h>
#include <linux/percpu.h>
#include <linux/smp.h>

static char *what = "gate";
module_param(what, charp, 0444);
MODULE_PARM_DESC(
	what,
	"gate (a call gate in an unused entry), move (a copy of the table), stack (of double faults)");
static int cpu;
module_param(cpu, int, 0444);
MODULE_PARM_DESC(cpu, "processor");

enum { UNUSED_ENTRY = 7 };

static u64 *slot, original;
static void *copy;
static struct desc_ptr table;

static void move(void *unused)
{
	struct desc_ptr moved = { .address = (unsigned long)copy };

	asm volatile("sgdt %0" : "=m"(table));
	memcpy(copy, (void *)table.address, table.size + 1);
	moved.size = table.size;
	asm volatile("lgdt %0" : : "m"(moved));
}

static void move_back(void *unused)
{
	asm volatile("lgdt %0" : : "m"(table));
}

static int __init attack_init(void)
{
	u64 *gdt = (u64 *)per_cpu_ptr(&gdt_page, cpu), value;

	copy = (void *)get_zeroed_page(GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	if (strcmp(what, "move") == 0) {
		smp_call_function_single(cpu, move, NULL, 1);
		attack_log("what=move cpu=%d value=0x%016lx", cpu, (unsigned long)copy);
		return 0;
	}
	if (strcmp(what, "gate") == 0) {
		/* A gate of 64 bits for ring 3, to address 0 and to the null selector: whoever calls it faults. */
		slot = gdt + UNUSED_ENTRY;
		value = 0x0000ec0000000000ull;
	} else if (strcmp(what, "stack") == 0) {
		slot = &per_cpu_ptr(&cpu_tss_rw, cpu)->x86_tss.ist[0];
		value = (u64)copy + PAGE_SIZE;
	} else {
		return -EINVAL;
	}
	memcpy(&original, slot, 8);
	memcpy(slot, &value, 8);
	attack_log("what=%s cpu=%d slot=0x%016lx value=0x%016llx original=0x%016llx", what, cpu,
		   (unsigned long)slot, value, original);
	return 0;
}

static void __exit attack_exit(void)
{
	if (slot)
		memcpy(slot, &original, 8);
	else
		smp_call_function_single(cpu, move_back, NULL, 1);
	free_page((unsigned long)copy);
}

module_init(attack_init);
module_exit(attack_exit);
