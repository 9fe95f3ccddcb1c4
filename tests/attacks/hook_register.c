// SPDX-License-Identifier: GPL-2.0-only
/* Registers itself where the kernel lets modules register, with a function that belongs to nobody, as code of a hidden module does. */
#include "hooks.h"

#include <linux/binfmts.h>
#include <linux/fs.h>
#include <linux/input.h>
#include <linux/keyboard.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/notifier.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/sysctl.h>
#include <linux/user_namespace.h>
#include <net/net_namespace.h>

static unsigned int own_hook(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

static struct nf_hook_ops filter = {
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_LOCAL_IN,
	.priority = NF_IP_PRI_FIRST,
};
static struct net *filter_net;

static int set_filter(void *function)
{
	filter.hook = strcmp(code, "own") == 0 ? own_hook : function;
	filter_net = &init_net;
	return nf_register_net_hook(filter_net, &filter);
}

static void undo_filter(void)
{
	nf_unregister_net_hook(filter_net, &filter);
}

/* In a network namespace that is made for it. */
static int set_filter_net(void *function)
{
	struct net *(*copy)(unsigned long flags, struct user_namespace *user, struct net *old);

	copy = (void *)attack_symbol("copy_net_ns");
	if (!copy)
		return -ENOENT;
	filter.hook = function;
	filter_net = copy(CLONE_NEWNET, &init_user_ns, &init_net);
	return IS_ERR(filter_net) ? PTR_ERR(filter_net) : nf_register_net_hook(filter_net, &filter);
}

static void undo_filter_net(void)
{
	nf_unregister_net_hook(filter_net, &filter);
	put_net(filter_net);
}

static struct packet_type packets = { .type = htons(0x88b5) }; /* an experimental one */

static int set_packets(void *function)
{
	packets.func = function;
	dev_add_pack(&packets);
	return 0;
}

static void undo_packets(void)
{
	dev_remove_pack(&packets);
}

static int set_rx(void *function)
{
	int error;

	rtnl_lock();
	error = netdev_rx_handler_register(init_net.loopback_dev, function, NULL);
	rtnl_unlock();
	return error;
}

static void undo_rx(void)
{
	rtnl_lock();
	netdev_rx_handler_unregister(init_net.loopback_dev);
	rtnl_unlock();
}

static struct notifier_block notifier;

static int set_keyboard(void *function)
{
	notifier.notifier_call = function;
	return register_keyboard_notifier(&notifier);
}

static void undo_keyboard(void)
{
	unregister_keyboard_notifier(&notifier);
}

static int set_module(void *function)
{
	notifier.notifier_call = function;
	return register_module_notifier(&notifier);
}

static void undo_module(void)
{
	unregister_module_notifier(&notifier);
}

static int set_netdev(void *function)
{
	notifier.notifier_call = function;
	return register_netdevice_notifier_net(&init_net, &notifier);
}

static void undo_netdev(void)
{
	unregister_netdevice_notifier_net(&init_net, &notifier);
}

static struct linux_binfmt format;

static int set_format(void *function)
{
	format.load_binary = function;
	insert_binfmt(&format);
	return 0;
}

static void undo_format(void)
{
	unregister_binfmt(&format);
}

static const struct input_device_id no_device[] = { {} };
static struct input_handler handler = { .name = "ksma", .id_table = no_device };

static int set_input(void *function)
{
	handler.event = function;
	handler.connect = function;
	handler.disconnect = function;
	return input_register_handler(&handler);
}

static void undo_input(void)
{
	input_unregister_handler(&handler);
}

static struct ctl_table sysctls[2] = { { .procname = "ksma-attack", .mode = 0400 } };
static struct ctl_table_header *sysctl_header;

static int set_sysctl(void *function)
{
	sysctls[0].proc_handler = function;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
	sysctl_header = register_sysctl("kernel", sysctls); /* up to an empty one */
#else
	sysctl_header = register_sysctl_sz("kernel", sysctls, 1);
#endif
	return sysctl_header ? 0 : -ENOMEM;
}

static void undo_sysctl(void)
{
	unregister_sysctl_table(sysctl_header);
}

static const struct hooks_case cases[] = {
	{ "netfilter", set_filter, undo_filter, NF_ACCEPT },
	{ "net", set_filter_net, undo_filter_net, NF_ACCEPT },
	{ "packets", set_packets, undo_packets, NET_RX_DROP },
	{ "rx", set_rx, undo_rx, RX_HANDLER_PASS },
	{ "keyboard", set_keyboard, undo_keyboard, NOTIFY_DONE },
	{ "module", set_module, undo_module, NOTIFY_DONE },
	{ "netdev", set_netdev, undo_netdev, NOTIFY_DONE },
	{ "binfmt", set_format, undo_format, -ENOEXEC },
	{ "input", set_input, undo_input, -ENODEV },
	{ "sysctl", set_sysctl, undo_sysctl, 0 },
};

static const struct hooks_case *chosen;

static int __init attack_init(void)
{
	void *function;
	size_t i;
	int error;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if (strcmp(what, cases[i].what) == 0)
			chosen = &cases[i];
	if (!chosen)
		return -EINVAL;
	function = strcmp(code, "own") == 0 ? own_hook : hooks_page(chosen->result);
	if (!function)
		return -ENOENT;
	error = chosen->set(function);
	if (error) {
		attack_log("failed=register what=%s error=%d", what, error);
		hooks_page_free();
		return error;
	}
	attack_log("what=%s page=0x%lx value=0x%lx", what, (unsigned long)function,
		   (unsigned long)function);
	return 0;
}

static void __exit attack_exit(void)
{
	chosen->undo();
	synchronize_rcu();
	hooks_page_free();
}

module_init(attack_init);
module_exit(attack_exit);
