// SPDX-License-Identifier: GPL-2.0-only
/* Has itself called by the means of tracing that come after ftrace's first one (T1014): direct calls, function graphs, fprobes, and by perf
 * when it asks what a virtual machine does. Undone at unload. */
#include "hooks.h"

#include <linux/ftrace.h>
#include <linux/perf_event.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/fprobe.h>
#endif

static char *at = "tcp4_seq_show";
module_param(at, charp, 0444);
MODULE_PARM_DESC(at, "the function that is hooked");

/* Called in the place of the five bytes that tracing has at a function's start, and goes back behind them. */
static noinline notrace void direct(void)
{
}

static unsigned long place;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
static struct ftrace_ops direct_ops;

static int set_direct(void *function)
{
	int error = ftrace_set_filter(&direct_ops, at, strlen(at), 1);

	return error ?: register_ftrace_direct(&direct_ops, (unsigned long)direct);
}

static void undo_direct(void)
{
	unregister_ftrace_direct(&direct_ops, (unsigned long)direct, true);
}
#else
static int set_direct(void *function)
{
	unsigned long (*location)(unsigned long ip) = (void *)attack_symbol("ftrace_location");

	place = attack_symbol(at);
	if (!place || !location)
		return -ENOENT;
	place = location(place) ?: place;
	return register_ftrace_direct(place, (unsigned long)direct);
}

static void undo_direct(void)
{
	unregister_ftrace_direct(place, (unsigned long)direct);
}
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
static int notrace graph_entry(struct ftrace_graph_ent *entry, struct fgraph_ops *ops,
			       struct ftrace_regs *regs)
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
static int notrace graph_entry(struct ftrace_graph_ent *entry, struct fgraph_ops *ops)
#else
static int notrace graph_entry(struct ftrace_graph_ent *entry)
#endif
{
	return 0;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
static void notrace graph_return(struct ftrace_graph_ret *entry, struct fgraph_ops *ops,
				 struct ftrace_regs *regs)
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
static void notrace graph_return(struct ftrace_graph_ret *entry, struct fgraph_ops *ops)
#else
static void notrace graph_return(struct ftrace_graph_ret *entry)
#endif
{
}

static struct fgraph_ops graph = { .entryfunc = graph_entry, .retfunc = graph_return };

static int set_graph(void *function)
{
	int (*set)(struct fgraph_ops * ops) = (void *)attack_symbol("register_ftrace_graph");

	if (!set)
		return -ENOENT;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	if (ftrace_set_filter(&graph.ops, at, strlen(at), 1))
		return -EINVAL;
#endif
	return set(&graph);
}

static void undo_graph(void)
{
	void (*undo)(struct fgraph_ops * ops) = (void *)attack_symbol("unregister_ftrace_graph");

	undo(&graph);
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
static int probe_entry(struct fprobe *probe, unsigned long ip, unsigned long ret,
		       struct ftrace_regs *regs, void *data)
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
static int probe_entry(struct fprobe *probe, unsigned long ip, unsigned long ret,
		       struct pt_regs *regs, void *data)
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
{
	return 0;
}

static struct fprobe probe = { .entry_handler = probe_entry };

/* An fprobe is a user of ftrace, and from 6.14 one of the function graph with a table of its own. */
static int set_probe(void *function)
{
	if (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 14, 0))
		return -ENOENT;
	return register_fprobe(&probe, at, NULL);
}

static int set_probe_table(void *function)
{
	if (LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0))
		return -ENOENT;
	return register_fprobe(&probe, at, NULL);
}

static void undo_probe(void)
{
	unregister_fprobe(&probe);
}
#else
	static int set_probe(void *function)
{
	return -ENOENT;
}

static int set_probe_table(void *function)
{
	return -ENOENT;
}

static void undo_probe(void)
{
}
#endif

static struct perf_guest_info_callbacks guest;

static int set_guest(void *function)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 17, 0)
	guest.state = function;
	guest.get_ip = function;
	perf_register_guest_info_callbacks(&guest);
	return 0;
#else
	guest.is_in_guest = function;
	guest.is_user_mode = function;
	guest.get_guest_ip = function;
	return perf_register_guest_info_callbacks(&guest);
#endif
}

static void undo_guest(void)
{
	perf_unregister_guest_info_callbacks(&guest);
}

static const struct hooks_case cases[] = {
	{ "direct", set_direct, undo_direct }, { "graph", set_graph, undo_graph },
	{ "probe", set_probe, undo_probe },    { "probe_table", set_probe_table, undo_probe },
	{ "guest", set_guest, undo_guest },
};

static const struct hooks_case *chosen;

static int __init attack_init(void)
{
	void *function = direct;
	size_t i;
	int error;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if (strcmp(what, cases[i].what) == 0)
			chosen = &cases[i];
	if (!chosen)
		return -EINVAL;
	if (strcmp(what, "guest") == 0)
		function = hooks_page(0);
	else if (strcmp(what, "graph") == 0)
		function = graph_entry;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	else if (strncmp(what, "probe", 5) == 0)
		function = probe_entry;
#endif
	error = function ? chosen->set(function) : -ENOENT;
	if (error) {
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
