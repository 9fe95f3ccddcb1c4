// SPDX-License-Identifier: GPL-2.0-only
/* Has the kernel call code that no module owns: by a timer, as work, as a thread, as the handler of an interrupt. Undone at unload. */
#include "attack.h"

#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define timer_delete_sync del_timer_sync
#endif

static char *what = "timer";
module_param(what, charp, 0444);
MODULE_PARM_DESC(
	what,
	"timer, hrtimer, delayed (work behind a timer), work, kthread, irq, thread_irq (its thread), softirq, tasklet");

enum { CALL_AT = 12, FLAG_AT = 64, FIRST_IRQ = 5, LAST_IRQ = 15, POLL_SOFTIRQ = 5, HOUR = 3600 };

/* Sleeps a few ticks at a time until the flag is set; what only returns enters behind it. */
static const u8 code[] = {
	0xf3, 0x0f, 0x1e, 0xfa,	      /* endbr64 */
	0x53,			      /* push %rbx */
	0xbf, 0x0a, 0x00, 0x00, 0x00, /* again: mov $10, %edi */
	0x48, 0xb8, 0,	  0,	0,    0,    0,
	0,    0,    0,				  /* mov $schedule_timeout_uninterruptible, %rax */
	0xff, 0xd0,				  /* call *%rax */
	0x80, 0x3d, 0x23, 0x00, 0x00, 0x00, 0x00, /* cmpb $0, flag(%rip) */
	0x74, 0xe6,				  /* je again */
	0x31, 0xc0,				  /* xor %eax, %eax */
	0x5b,					  /* pop %rbx */
	0xc3,					  /* ret */
};
enum { RETURN_AT = 48 };
static const u8 returns[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0x31, 0xc0, 0xc3 };

static void *page;
static struct timer_list timer;
static struct hrtimer hrtimer;
static struct delayed_work delayed;
static struct work_struct work;
static struct task_struct *thread;
static unsigned int irq;
static unsigned long *softirq, original;
static struct tasklet_struct tasklets[64];

static int page_make(void)
{
	int (*set_x)(unsigned long at, int pages) = (void *)attack_symbol("set_memory_x");
	int (*set_ro)(unsigned long at, int pages) = (void *)attack_symbol("set_memory_ro");
	u8 bytes[FLAG_AT] = { 0 };
	void *call = schedule_timeout_uninterruptible;

	page = vmalloc(PAGE_SIZE);
	if (!page || !set_x || !set_ro)
		return -ENOMEM;
	memset(page, 0xcc, PAGE_SIZE);
	memcpy(bytes, code, sizeof(code));
	memcpy(bytes + CALL_AT, &call, sizeof(call));
	memcpy(bytes + RETURN_AT, returns, sizeof(returns));
	memcpy(page, bytes, sizeof(bytes));
	((u8 *)page)[FLAG_AT] = 0;
	set_ro((unsigned long)page, 1);
	set_x((unsigned long)page, 1);
	return 0;
}

static int make_irq(void)
{
	int err = -EBUSY;

	for (irq = FIRST_IRQ; irq <= LAST_IRQ && err; irq++)
		err = strcmp(what, "irq") == 0
			      ? request_irq(irq, page + RETURN_AT, 0, "ksma", &page)
			      : request_threaded_irq(irq, NULL, page + RETURN_AT, IRQF_ONESHOT,
						     "ksma", &page);
	irq--;
	return err;
}

static int __init attack_init(void)
{
	unsigned long value;
	unsigned int i;
	int err = 0;

	if (!attack_lookup())
		return -ENOENT;
	err = page_make();
	if (err)
		return err;
	value = (unsigned long)page + RETURN_AT;
	if (strcmp(what, "timer") == 0) {
		timer_setup(&timer, page + RETURN_AT, 0);
		mod_timer(&timer, jiffies + HOUR * HZ);
	} else if (strcmp(what, "hrtimer") == 0) {
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
		hrtimer_init(&hrtimer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
		hrtimer.function = page + RETURN_AT;
#else
		hrtimer_setup(&hrtimer, page + RETURN_AT, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
#endif
		hrtimer_start(&hrtimer, ktime_set(HOUR, 0), HRTIMER_MODE_REL);
	} else if (strcmp(what, "delayed") == 0) {
		INIT_DELAYED_WORK(&delayed, page + RETURN_AT);
		schedule_delayed_work(&delayed, HOUR * HZ);
	} else if (strcmp(what, "work") == 0) {
		INIT_WORK(&work, page);
		value = (unsigned long)page;
		queue_work(system_unbound_wq, &work);
	} else if (strcmp(what, "kthread") == 0) {
		value = (unsigned long)page;
		thread = kthread_run(page, NULL, "ksma");
		err = PTR_ERR_OR_ZERO(thread);
	} else if (strcmp(what, "tasklet") == 0) {
		/* Those that may not run are put back on their processor's list again and again. */
		for (i = 0; i < ARRAY_SIZE(tasklets); i++) {
			tasklet_setup(&tasklets[i], page + RETURN_AT);
			tasklet_disable(&tasklets[i]);
			tasklet_schedule(&tasklets[i]);
		}
	} else if (strcmp(what, "softirq") == 0) {
		softirq = (unsigned long *)attack_symbol("softirq_vec");
		if (!softirq)
			return -ENOENT;
		softirq += POLL_SOFTIRQ;
		original = *softirq;
		err = attack_write_ptr(softirq, value);
	} else {
		err = make_irq();
	}
	if (err)
		return err;
	attack_log("what=%s page=0x%016lx value=0x%016lx", what, (unsigned long)page, value);
	return 0;
}

static void __exit attack_exit(void)
{
	int (*set_nx)(unsigned long at, int pages) = (void *)attack_symbol("set_memory_nx");
	int (*set_rw)(unsigned long at, int pages) = (void *)attack_symbol("set_memory_rw");
	unsigned int i;
	u8 flag = 1;

	attack_write(page + FLAG_AT, &flag, 1);
	if (strcmp(what, "timer") == 0)
		timer_delete_sync(&timer);
	else if (strcmp(what, "hrtimer") == 0)
		hrtimer_cancel(&hrtimer);
	else if (strcmp(what, "delayed") == 0)
		cancel_delayed_work_sync(&delayed);
	else if (strcmp(what, "work") == 0)
		flush_work(&work);
	else if (strcmp(what, "kthread") == 0)
		kthread_stop(thread);
	else if (strcmp(what, "tasklet") == 0) {
		for (i = 0; i < ARRAY_SIZE(tasklets); i++) {
			tasklet_enable(&tasklets[i]);
			tasklet_kill(&tasklets[i]);
		}
	} else if (softirq)
		attack_write_ptr(softirq, original);
	else
		free_irq(irq, &page);
	set_nx((unsigned long)page, 1);
	set_rw((unsigned long)page, 1);
	vfree(page);
}

module_init(attack_init);
module_exit(attack_exit);
