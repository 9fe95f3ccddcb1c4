// SPDX-License-Identifier: GPL-2.0-only
/* Switches a protection of the processor off, or sets a breakpoint on kernel code that is never reached; undone at unload. */
#include "attack.h"

#include <asm/msr.h>
#include <linux/smp.h>
#include <linux/timer.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define timer_delete_sync del_timer_sync
#endif

static char *what = "smep";
module_param(what, charp, 0444);
MODULE_PARM_DESC(
	what,
	"smep, smap, umip (of CR4), wp (of CR0), fmask (AC is not cleared at system calls), dr (a breakpoint), gd (of DR7)");
static int cpu;
module_param(cpu, int, 0444);
MODULE_PARM_DESC(cpu, "processor");

#define FMASK 0xc0000084u
#define AC (1ul << 18)
#define WP (1ul << 16)
#define GD (1ul << 13)

static unsigned long original, changed, address;
static unsigned long cr4_bit;

static unsigned long read_fmask(void)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(FMASK));
	return (unsigned long)high << 32 | low;
}

static void write_fmask(unsigned long v)
{
	asm volatile("wrmsr" : : "c"(FMASK), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

static void set(void *unused)
{
	if (cr4_bit) {
		asm volatile("mov %%cr4, %0" : "=r"(original));
		changed = original & ~cr4_bit;
		asm volatile("mov %0, %%cr4" : : "r"(changed) : "memory");
	} else if (strcmp(what, "wp") == 0) {
		asm volatile("mov %%cr0, %0" : "=r"(original));
		changed = original & ~WP;
		asm volatile("mov %0, %%cr0" : : "r"(changed) : "memory");
	} else if (strcmp(what, "fmask") == 0) {
		original = read_fmask();
		changed = original & ~AC;
		write_fmask(changed);
	} else {
		asm volatile("mov %%dr7, %0" : "=r"(original));
		asm volatile("mov %0, %%dr0" : : "r"(address));
		/* DR0 for instructions, on all tasks; or the trap of who looks at these registers. */
		changed = original | (strcmp(what, "gd") == 0 ? GD : 2ul);
		asm volatile("mov %0, %%dr7" : : "r"(changed) : "memory");
	}
}

/* The kernel writes CR4 anew when it flushes the TLB. */
static struct timer_list again;

static void clear_again(struct timer_list *timer)
{
	unsigned long cr4;

	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	if (cr4 & cr4_bit)
		asm volatile("mov %0, %%cr4" : : "r"(cr4 & ~cr4_bit) : "memory");
	timer->expires = jiffies + 1;
	add_timer_on(timer, cpu);
}

static void reset(void *unused)
{
	if (cr4_bit)
		asm volatile("mov %0, %%cr4" : : "r"(original) : "memory");
	else if (strcmp(what, "wp") == 0)
		asm volatile("mov %0, %%cr0" : : "r"(original) : "memory");
	else if (strcmp(what, "fmask") == 0)
		write_fmask(original);
	else
		asm volatile("mov %0, %%dr7" : : "r"(original) : "memory");
}

static int __init attack_init(void)
{
	if (strcmp(what, "smep") == 0)
		cr4_bit = X86_CR4_SMEP;
	else if (strcmp(what, "smap") == 0)
		cr4_bit = X86_CR4_SMAP;
	else if (strcmp(what, "umip") == 0)
		cr4_bit = X86_CR4_UMIP;
	if (!attack_lookup())
		return -ENOENT;
	address = attack_symbol("emergency_restart");
	smp_call_function_single(cpu, set, NULL, 1);
	if (original == changed)
		return -ENOENT; /* this processor has no such thing */
	timer_setup(&again, clear_again, TIMER_PINNED);
	again.expires = jiffies + 1;
	if (cr4_bit)
		add_timer_on(&again, cpu);
	attack_log("what=%s cpu=%d value=0x%016lx original=0x%016lx page=0x%016lx", what, cpu,
		   changed, original, address);
	return 0;
}

static void __exit attack_exit(void)
{
	if (cr4_bit)
		timer_delete_sync(&again);
	smp_call_function_single(cpu, reset, NULL, 1);
}

module_init(attack_init);
module_exit(attack_exit);
