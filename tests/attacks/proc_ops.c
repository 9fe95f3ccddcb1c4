// SPDX-License-Identifier: GPL-2.0-only
/* Replaces a function pointer that tools use to list things, the way hidden files and sockets are made; undone at unload. */
#include "attack.h"

#include <linux/fs.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

static char *what = "tcp4";
module_param(what, charp, 0444);
MODULE_PARM_DESC(
	what,
	"tcp4, tcp6, udp (seq_operations.show), proc_root, proc_tgid, ext4, shmem (file_operations.iterate_shared), "
	"modules (a proc_ops.proc_read), modules_fop (the inode's table), modules_pde (the entry's table)");

static int (*original_show)(struct seq_file *m, void *v);
static int (*original_iterate)(struct file *file, struct dir_context *ctx);
static ssize_t (*original_read)(struct file *file, char __user *to, size_t len, loff_t *pos);

static int hook_show(struct seq_file *m, void *v)
{
	return original_show(m, v);
}

static int hook_iterate(struct file *file, struct dir_context *ctx)
{
	return original_iterate(file, ctx);
}

static ssize_t hook_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	return original_read(file, to, len, pos);
}

static const struct {
	const char *what, *symbol;
	size_t offset;
	void *original, *hook;
} plain[] = {
	{ "tcp4", "tcp4_seq_ops", offsetof(struct seq_operations, show), &original_show,
	  hook_show },
	{ "tcp6", "tcp6_seq_ops", offsetof(struct seq_operations, show), &original_show,
	  hook_show },
	{ "udp", "udp_seq_ops", offsetof(struct seq_operations, show), &original_show, hook_show },
	{ "proc_root", "proc_root_operations", offsetof(struct file_operations, iterate_shared),
	  &original_iterate, hook_iterate },
	{ "proc_tgid", "proc_tgid_base_operations",
	  offsetof(struct file_operations, iterate_shared), &original_iterate, hook_iterate },
	{ "ext4", "ext4_dir_operations", offsetof(struct file_operations, iterate_shared),
	  &original_iterate, hook_iterate },
	{ "shmem", "simple_dir_operations", offsetof(struct file_operations, iterate_shared),
	  &original_iterate, hook_iterate },
	{ "modules", "modules_proc_ops", offsetof(struct proc_ops, proc_read), &original_read,
	  hook_read },
};

static unsigned long *changed, original;
static struct file_operations fop_copy;
static struct proc_ops ops_copy;
static struct inode *inode;

static int change(unsigned long *at, unsigned long value, const char *symbol)
{
	int error;

	changed = at;
	original = *at;
	error = attack_write_ptr(at, value);
	if (!error)
		attack_log("what=%s table=%s slot=0x%lx value=0x%lx original=0x%lx", what, symbol,
			   (unsigned long)at, value, original);
	return error;
}

/* The layouts of proc_inode and proc_dir_entry are private, so the word that holds the table's address is searched for. */
static unsigned long *find_pde_slot(unsigned long table)
{
	unsigned long *before = (unsigned long *)inode, entry, word;
	int i, j;

	for (i = 1; i <= 16; i++) {
		if (get_kernel_nofault(entry, before - i) || entry < PAGE_OFFSET)
			continue;
		for (j = 0; j < 32; j++)
			if (!get_kernel_nofault(word, (unsigned long *)entry + j) && word == table)
				return (unsigned long *)entry + j;
	}
	return NULL;
}

static int change_inode(void)
{
	struct file *file = filp_open("/proc/modules", O_RDONLY, 0);
	unsigned long table = attack_symbol("modules_proc_ops"), *slot;

	if (IS_ERR(file))
		return PTR_ERR(file);
	inode = igrab(file_inode(file));
	filp_close(file, NULL);
	if (strcmp(what, "modules_fop") == 0) {
		fop_copy = *inode->i_fop;
		return change((unsigned long *)&inode->i_fop, (unsigned long)&fop_copy, "i_fop");
	}
	slot = table ? find_pde_slot(table) : NULL;
	if (!slot)
		return -ENOENT;
	ops_copy = *(struct proc_ops *)table;
	return change(slot, (unsigned long)&ops_copy, "proc_dir_entry");
}

static int __init attack_init(void)
{
	unsigned long table;
	size_t i;

	if (strncmp(what, "modules_", 8) == 0)
		return change_inode();
	for (i = 0; i < ARRAY_SIZE(plain); i++) {
		if (strcmp(what, plain[i].what) != 0)
			continue;
		table = attack_symbol(plain[i].symbol);
		if (!table)
			return -ENOENT;
		*(unsigned long *)plain[i].original = *(unsigned long *)(table + plain[i].offset);
		return change((unsigned long *)(table + plain[i].offset),
			      (unsigned long)plain[i].hook, plain[i].symbol);
	}
	return -EINVAL;
}

static void __exit attack_exit(void)
{
	attack_write_ptr(changed, original);
	if (inode)
		iput(inode);
	attack_log("restored slot=0x%lx", (unsigned long)changed);
}

module_init(attack_init);
module_exit(attack_exit);
