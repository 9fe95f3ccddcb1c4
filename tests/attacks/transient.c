// SPDX-License-Identifier: GPL-2.0-only
/* Replaces a slot of the system call table for a short time, again and again, at times that nobody knows before: what a monitor that
 * looks now and then sees of it is to be measured. */
#include "attack.h"
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/random.h>

static unsigned int ms = 100;
module_param(ms, uint, 0444);
MODULE_PARM_DESC(ms, "how long the hook stays (100)");
static unsigned int count = 10;
module_param(count, uint, 0444);
MODULE_PARM_DESC(count, "how often it is set (10)");
static unsigned int gap = 2000;
module_param(gap, uint, 0444);
MODULE_PARM_DESC(
	gap,
	"milliseconds between two of them, to which up to as many again come at random (2000)");

typedef asmlinkage long (*syscall_fn)(const struct pt_regs *regs);
static unsigned long *slot;
static syscall_fn original;
static struct task_struct *thread;

static asmlinkage long hook(const struct pt_regs *regs)
{
	return original(regs);
}

static int run(void *arg)
{
	unsigned int i, random;

	for (i = 0; i < count && !kthread_should_stop(); i++) {
		get_random_bytes(&random, sizeof(random));
		msleep(gap + random % gap);
		attack_write_ptr(slot, (unsigned long)hook);
		if (ms < 20)
			usleep_range(ms * 1000, ms * 1000 + 50);
		else
			msleep(ms);
		attack_write_ptr(slot, (unsigned long)original);
		attack_log("shown=%u", i);
	}
	attack_log("done");
	while (!kthread_should_stop())
		msleep(50);
	return 0;
}

static int __init attack_init(void)
{
	unsigned long at = attack_symbol("sys_call_table");

	if (!at || !gap)
		return -ENOENT;
	slot = (unsigned long *)at + 121; /* getpgid */
	original = (syscall_fn)*slot;
	attack_log("slot=0x%lx value=0x%lx original=0x%lx", (unsigned long)slot,
		   (unsigned long)hook, (unsigned long)original);
	thread = kthread_run(run, NULL, "transient");
	return PTR_ERR_OR_ZERO(thread);
}

static void __exit attack_exit(void)
{
	kthread_stop(thread);
}

module_init(attack_init);
module_exit(attack_exit);
