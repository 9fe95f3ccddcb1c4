// SPDX-License-Identifier: GPL-2.0-only
/* Replaces one pointer of an object or of a table: by a copy of the table in this module, or by a function of it. Undone at unload. */
#include "hooks.h"

#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/init_task.h>
#include <linux/lsm_hooks.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/tty.h>
#include <linux/tty_driver.h>
#include <linux/tty_ldisc.h>
#include <net/inet_connection_sock.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <net/tcp.h>

/* Whatever it stands in for, nobody calls it while the test lasts, or it does what the default is. */
static long own(void)
{
	return 0;
}

static void *slot_of(const char *symbol, size_t offset)
{
	unsigned long at = attack_symbol(symbol);

	return at ? (void *)(at + offset) : NULL;
}

static int change_symbol(const char *symbol, size_t offset)
{
	void *at = slot_of(symbol, offset);

	return at ? hooks_change(at, (unsigned long)own) : -ENOENT;
}

static int set_tcp_prot(void *function)
{
	return change_symbol("tcp_prot", offsetof(struct proto, shutdown));
}

static struct socket *sock;
static struct proto_ops sock_ops;

/* A listening socket, as a connection would be accepted by. */
static int set_socket(void *function)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(7777) };
	int error = sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_TCP, &sock);

	if (error)
		return error;
	kernel_bind(sock, (void *)&address, sizeof(address));
	error = kernel_listen(sock, 1);
	if (error)
		return error;
	sock_ops = *sock->ops;
	sock_ops.mmap = (void *)own;
	return hooks_change(&sock->ops, (unsigned long)&sock_ops);
}

static void undo_socket(void)
{
	hooks_restore();
	sock_release(sock);
}

static int set_data_ready(void *function)
{
	int error = sock_create_kern(&init_net, AF_INET, SOCK_DGRAM, IPPROTO_UDP, &sock);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(7778) };

	if (error)
		return error;
	kernel_bind(sock, (void *)&address, sizeof(address));
	return hooks_change(&sock->sk->sk_data_ready, (unsigned long)function);
}

static struct net_device_ops device_ops;

static int set_device(void *function)
{
	struct net_device *lo = init_net.loopback_dev;

	device_ops = *lo->netdev_ops;
	device_ops.ndo_get_stats = (void *)own;
	return hooks_change(&lo->netdev_ops, (unsigned long)&device_ops);
}

static int set_ldisc(void *function)
{
	return change_symbol("n_tty_ops", offsetof(struct tty_ldisc_ops, receive_buf));
}

static struct tty_operations tty_ops;

static int set_tty(void *function)
{
	struct list_head *drivers = (void *)attack_symbol("tty_drivers");
	struct tty_driver *driver;
	unsigned int i;

	if (!drivers)
		return -ENOENT;
	list_for_each_entry(driver, drivers, tty_drivers)
	{
		for (i = 0; driver->ttys && i < driver->num; i++) {
			if (!driver->ttys[i])
				continue;
			tty_ops = *driver->ttys[i]->ops;
			tty_ops.get_icount = (void *)own;
			return hooks_change(&driver->ttys[i]->ops, (unsigned long)&tty_ops);
		}
	}
	return -ENODEV;
}

static struct path root;

static int get_root(const char *name)
{
	return kern_path(name, LOOKUP_FOLLOW, &root);
}

static void undo_path(void)
{
	hooks_restore();
	path_put(&root);
}

static struct file_operations file_ops;

static int set_inode(void *function)
{
	struct inode *inode;
	int error = get_root("/etc");

	if (error)
		return error;
	inode = d_inode(root.dentry);
	file_ops = *inode->i_fop;
	file_ops.mmap = (void *)own;
	return hooks_change(&inode->i_fop, (unsigned long)&file_ops);
}

static struct super_operations super_ops;

static int set_super(void *function)
{
	int error = get_root("/");

	if (error)
		return error;
	super_ops = *root.mnt->mnt_sb->s_op;
	super_ops.umount_begin = (void *)own;
	return hooks_change(&root.mnt->mnt_sb->s_op, (unsigned long)&super_ops);
}

static struct dentry_operations dentry_ops;

static int set_dentry(void *function)
{
	int error = get_root("/etc");

	if (error)
		return error;
	if (root.dentry->d_op)
		dentry_ops = *root.dentry->d_op;
	dentry_ops.d_prune = (void *)own;
	return hooks_change(&root.dentry->d_op, (unsigned long)&dentry_ops);
}

static struct address_space_operations mapping_ops;

static int set_mapping(void *function)
{
	struct inode *inode;
	int error = get_root("/init");

	if (error)
		return error;
	inode = d_inode(root.dentry);
	mapping_ops = *inode->i_data.a_ops;
	mapping_ops.swap_activate = (void *)own;
	return hooks_change(&inode->i_data.a_ops, (unsigned long)&mapping_ops);
}

/* The kernfs_ops of a file of /sys lie somewhere in its node. */
static unsigned long kernfs_copy[32];

static int set_sysfs(void *function)
{
	unsigned long ops = attack_symbol("sysfs_file_kfops_rw"), *node;
	int error = get_root("/sys/kernel/uevent_seqnum"), i;

	if (error || !ops)
		return error ?: -ENOENT;
	node = d_inode(root.dentry)->i_private;
	memcpy(kernfs_copy, (void *)ops, 12 * sizeof(long));
	for (i = 0; node && i < 24; i++)
		if (node[i] == ops)
			return hooks_change(&node[i], (unsigned long)kernfs_copy);
	return -ENOENT;
}

/* --- security hooks --- */

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
static struct security_hook_list inserted;

static int set_lsm_insert(void *function)
{
	struct security_hook_heads *heads = (void *)attack_symbol("security_hook_heads");
	struct hlist_node *first;

	if (!heads)
		return -ENOENT;
	first = heads->inode_getsecid.first;
	inserted.head = &heads->inode_getsecid;
	inserted.hook.inode_getsecid = (void *)own;
	inserted.list.next = first;
	inserted.list.pprev = &heads->inode_getsecid.first;
	return hooks_change(&heads->inode_getsecid.first, (unsigned long)&inserted.list);
}

static int set_lsm_cut(void *function)
{
	struct security_hook_heads *heads = (void *)attack_symbol("security_hook_heads");

	return heads ? hooks_change(&heads->ptrace_traceme.first, 0) : -ENOENT;
}

static int set_lsm_replace(void *function)
{
	struct security_hook_heads *heads = (void *)attack_symbol("security_hook_heads");
	struct security_hook_list *hook;

	if (!heads)
		return -ENOENT;
	hook = hlist_entry(heads->ptrace_traceme.first, struct security_hook_list, list);
	return hooks_change(&hook->hook, (unsigned long)own);
}
#else
static int set_lsm_insert(void *function)
{
	return -ENOENT;
}

static int set_lsm_cut(void *function)
{
	struct lsm_static_calls_table *table = (void *)attack_symbol("static_calls_table");

	if (!table)
		return -ENOENT;
	attack_log("what=%s base=0x%lx", what, (unsigned long)table->ptrace_traceme);
	return hooks_change(&table->ptrace_traceme[0].hl, 0);
}

static int set_lsm_replace(void *function)
{
	struct lsm_static_calls_table *table = (void *)attack_symbol("static_calls_table");
	struct lsm_static_call *call;
	int i;

	for (i = 0; table && i < MAX_LSM_COUNT; i++) {
		call = &table->ptrace_traceme[i];
		if (call->hl)
			return hooks_change(&call->key->func, (unsigned long)own);
	}
	return -ENOENT;
}
#endif

/* Has a security module's hook call another function of the kernel: one that takes other things, or the same. */
static struct security_hook_list *swapped;

/* From 6.12 static calls follow the entry, as if the boot had made them so. */
static void swap_call(unsigned long function)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	void (*update)(void *key, void *trampoline, void *function);
	struct lsm_static_call *call = swapped->scalls;
	int i;

	update = (void *)attack_symbol("__static_call_update");
	for (i = 0; update && i < MAX_LSM_COUNT; i++)
		if (call[i].hl == swapped)
			update(call[i].key, call[i].trampoline, (void *)function);
#endif
}

static int swap_lsm(const char *with)
{
	unsigned long function = attack_symbol(with), hook = attack_symbol("apparmor_file_open");
	int i, error;

	swapped = (void *)attack_symbol("apparmor_hooks");
	if (!function || !hook || !swapped)
		return -ENOENT;
	for (i = 0; i < 64; i++, swapped++)
		if ((unsigned long)swapped->hook.file_open == hook) {
			error = hooks_change(&swapped->hook, function);
			if (!error)
				swap_call(function);
			return error;
		}
	return -ENOENT;
}

static int set_lsm_swap(void *function)
{
	return swap_lsm("cap_settime");
}

static int set_lsm_twin(void *function)
{
	return swap_lsm("apparmor_file_receive");
}

static void undo_lsm(void)
{
	hooks_restore();
	swap_call(hooks_original);
}

/* Changes a number of 32 bits as part of the word that it lies in. */
static int change_number(const char *symbol, u32 value)
{
	unsigned long number = attack_symbol(symbol), word;

	if (!number)
		return -ENOENT;
	word = *(unsigned long *)(number & ~7ul);
	memcpy((char *)&word + (number & 7), &value, sizeof(value));
	attack_log("what=%s slot=0x%lx", what, number);
	return hooks_change((void *)(number & ~7ul), word);
}

static int set_apparmor(void *function)
{
	return change_number("apparmor_enabled", 0);
}

static int set_helpers(void *function)
{
	return change_number("usermodehelper_disabled", 2); /* UMH_DISABLED */
}

static const struct hooks_case cases[] = {
	{ "tcp_prot", set_tcp_prot },
	{ "socket", set_socket, undo_socket },
	{ "data_ready", set_data_ready, undo_socket },
	{ "device", set_device },
	{ "ldisc", set_ldisc },
	{ "tty", set_tty },
	{ "inode", set_inode, undo_path },
	{ "super", set_super, undo_path },
	{ "dentry", set_dentry, undo_path },
	{ "mapping", set_mapping, undo_path },
	{ "sysfs", set_sysfs, undo_path },
	{ "lsm_insert", set_lsm_insert },
	{ "lsm_cut", set_lsm_cut },
	{ "lsm_replace", set_lsm_replace },
	{ "lsm_swap", set_lsm_swap, undo_lsm },
	{ "lsm_twin", set_lsm_twin, undo_lsm },
	{ "apparmor", set_apparmor },
	{ "helpers", set_helpers },
};

static const struct hooks_case *chosen;

static int __init attack_init(void)
{
	void *function = own;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if (strcmp(what, cases[i].what) == 0)
			chosen = &cases[i];
	if (!chosen)
		return -EINVAL;
	if (strcmp(what, "data_ready") == 0)
		function = hooks_page(0);
	return function ? chosen->set(function) : -ENOENT;
}

static void __exit attack_exit(void)
{
	if (chosen->undo)
		chosen->undo();
	else
		hooks_restore();
	synchronize_rcu();
	hooks_page_free();
}

module_init(attack_init);
module_exit(attack_exit);
