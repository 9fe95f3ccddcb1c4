// SPDX-License-Identifier: GPL-2.0-only
/* Does what honest drivers do, near to what the attacks do, so that a false alarm shows: own /proc entry, own thread, memory. */
#include "attack.h"

#include <linux/kthread.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

static struct task_struct *thread;
static void *memory;

static int show(struct seq_file *m, void *v)
{
	seq_puts(m, "benign\n");
	return 0;
}

static int run(void *unused)
{
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	return 0;
}

static int __init attack_init(void)
{
	memory = vmalloc(16 * PAGE_SIZE);
	thread = kthread_run(run, NULL, "ksma-benign");
	if (!memory || IS_ERR(thread) || !proc_create_single("ksma-benign", 0444, NULL, show)) {
		if (!IS_ERR_OR_NULL(thread))
			kthread_stop(thread);
		vfree(memory);
		return -ENOMEM;
	}
	attack_log("memory=0x%lx", (unsigned long)memory);
	return 0;
}

static void __exit attack_exit(void)
{
	remove_proc_entry("ksma-benign", NULL);
	kthread_stop(thread);
	vfree(memory);
}

module_init(attack_init);
module_exit(attack_exit);
