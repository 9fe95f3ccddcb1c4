// SPDX-License-Identifier: GPL-2.0-only
/* Has itself called by a kprobe, a kretprobe, an fprobe, a tracepoint or a uprobe (T1014), and hides if asked to. */
#include "attack.h"
#include "modhide.h"

#include <linux/fs.h>
#include <linux/namei.h>
#include <linux/perf_event.h>
#include <linux/tracepoint.h>
#include <linux/uprobes.h>

static char *kind = "kprobe";
module_param(kind, charp, 0444);
MODULE_PARM_DESC(kind, "kprobe, post, kretprobe, tracepoint, uprobe, perf");
static char *on = "tcp4_seq_show";
module_param(on, charp, 0444);
MODULE_PARM_DESC(on, "the function, the tracepoint, or the file");
static int hide;
module_param(hide, int, 0444);
MODULE_PARM_DESC(hide, "1: leaves the list of modules");

static int pre(struct kprobe *probe, struct pt_regs *regs)
{
	return 0;
}

static void post(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

static int returned(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	return 0;
}

static void traced(void *unused, struct pt_regs *regs, long id)
{
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
static int reached(struct uprobe_consumer *consumer, struct pt_regs *regs, __u64 *data)
#else
static int reached(struct uprobe_consumer *consumer, struct pt_regs *regs)
#endif
{
	return 0;
}

static struct kprobe kprobe = {};
static struct kretprobe kretprobe = { .handler = returned, .maxactive = 4 };
static struct uprobe_consumer consumer = { .handler = reached };
static struct tracepoint *point;
static struct uprobe *uprobe;
static struct path file; /* of a uprobe, whose place is its first byte */
static struct perf_event *event;
static unsigned long value;

static int (*point_register)(struct tracepoint *, void *, void *);

static int add_tracepoint(void)
{
	char name[80];

	snprintf(name, sizeof(name), "__tracepoint_%s", on);
	point = (struct tracepoint *)attack_symbol(name);
	if (!point)
		return -ENOENT;
	point_register = tracepoint_probe_register;
	value = (unsigned long)traced;
	return point_register(point, traced, NULL);
}

/* Each kernel declares it differently. */
static int add_uprobe(void)
{
	int status = kern_path(on, LOOKUP_FOLLOW, &file);
	void *add;

	if (status)
		return status;
	value = (unsigned long)reached;
	add = (void *)attack_symbol("uprobe_register");
	if (!add)
		return -ENOENT;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	uprobe = ((struct uprobe * (*)(struct inode *, loff_t, loff_t, struct uprobe_consumer *))
			  add)(d_real_inode(file.dentry), 0, 0, &consumer);
	return PTR_ERR_OR_ZERO(uprobe);
#else
	return ((int (*)(struct inode *, loff_t, struct uprobe_consumer *))add)(
		d_real_inode(file.dentry), 0, &consumer);
#endif
}

static void overflowed(struct perf_event *of, struct perf_sample_data *data, struct pt_regs *regs)
{
}

/* A clock of processor 0 that ticks so rarely that it does no harm. */
static int add_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000000,
		.pinned = 1,
	};

	value = (unsigned long)overflowed;
	event = perf_event_create_kernel_counter(&attr, 0, NULL, overflowed, NULL);
	return PTR_ERR_OR_ZERO(event);
}

static int add(void)
{
	if (strcmp(kind, "perf") == 0)
		return add_perf();
	if (strcmp(kind, "tracepoint") == 0)
		return add_tracepoint();
	if (strcmp(kind, "uprobe") == 0)
		return add_uprobe();
	if (strcmp(kind, "kretprobe") == 0) {
		kretprobe.kp.symbol_name = on;
		value = (unsigned long)returned;
		return register_kretprobe(&kretprobe);
	}
	kprobe.symbol_name = on;
	if (strcmp(kind, "post") == 0)
		kprobe.post_handler = post;
	else
		kprobe.pre_handler = pre;
	value = kprobe.pre_handler ? (unsigned long)pre : (unsigned long)post;
	return register_kprobe(&kprobe);
}

static void hide_now(struct work_struct *work);
static DECLARE_DELAYED_WORK(hide_work, hide_now);

static void hide_now(struct work_struct *work)
{
	modhide_list();
	attack_log("hidden module=0x%lx value=0x%lx", (unsigned long)THIS_MODULE, value);
}

static int __init attack_init(void)
{
	int status = add();

	if (status)
		return status;
	attack_log("kind=%s on=%s value=0x%lx", kind, on, value);
	if (hide)
		schedule_delayed_work(&hide_work, HZ / 10);
	return 0;
}

static void __exit attack_exit(void)
{
	if (event) {
		perf_event_release_kernel(event);
	} else if (point) {
		tracepoint_probe_unregister(point, traced, NULL);
		tracepoint_synchronize_unregister();
	} else if (file.dentry) {
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
		void (*nosync)(struct uprobe *, struct uprobe_consumer *) =
			(void *)attack_symbol("uprobe_unregister_nosync");
		void (*sync)(void) = (void *)attack_symbol("uprobe_unregister_sync");

		if (nosync && sync) {
			nosync(uprobe, &consumer);
			sync();
		}
#else
		void (*del)(struct inode *, loff_t, struct uprobe_consumer *) =
			(void *)attack_symbol("uprobe_unregister");

		if (del)
			del(d_real_inode(file.dentry), 0, &consumer);
#endif
		path_put(&file);
	} else if (kretprobe.kp.addr) {
		unregister_kretprobe(&kretprobe);
	} else {
		unregister_kprobe(&kprobe);
	}
}

module_init(attack_init);
module_exit(attack_exit);
