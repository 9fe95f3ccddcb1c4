/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who sees packets, and who answers for sockets? Hooks, handlers and operations of the network, in every network namespace. */
#include "checks/network.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "checks/owners.h"

enum {
	MAX_HOOKS = 1024,  /* MAX_HOOK_COUNT in net/netfilter/core.c */
	MAX_MESSAGES = 96, /* of RTM_NR_MSGTYPES in net/core/rtnetlink.c */
	MAX_FAMILIES = 128,
	NETLINK_TABLES = 32, /* MAX_LINKS in include/uapi/linux/netlink.h */
	MAX_SMALL_OPS = 256,
};

/* The registries of protocols. Which there are depends on how a kernel was built and how old it is. */
static const struct ksma_registry rows[] = {
	{ "ptype_base", KSMA_REGISTRY_LISTS, "packet_type", "list", 16, true, NULL },
	{ "ptype_all", KSMA_REGISTRY_LIST, "packet_type", "list", 0, false, NULL },
	{ "offload_base", KSMA_REGISTRY_LIST, "packet_offload", "list", 0, false, NULL },
	{ "inet_protos", KSMA_REGISTRY_POINTERS, "net_protocol", NULL, 256, true, NULL },
	{ "inet6_protos", KSMA_REGISTRY_POINTERS, "inet6_protocol", NULL, 256, false, NULL },
	{ "inet_offloads", KSMA_REGISTRY_POINTERS, "net_offload", NULL, 256, true, NULL },
	{ "inet6_offloads", KSMA_REGISTRY_POINTERS, "net_offload", NULL, 256, false, NULL },
	{ "inetsw", KSMA_REGISTRY_LISTS, "inet_protosw", "list", 11, true, NULL },
	{ "inetsw6", KSMA_REGISTRY_LISTS, "inet_protosw", "list", 11, false, NULL },
	{ "proto_list", KSMA_REGISTRY_LIST, "proto", "node", 0, true, "name" },
	{ "net_families", KSMA_REGISTRY_POINTERS, "net_proto_family", NULL, 64, true, NULL },
	{ "tcp_cong_list", KSMA_REGISTRY_LIST, "tcp_congestion_ops", "list", 0, true, "name" },
	{ "tcp_ulp_list", KSMA_REGISTRY_LIST, "tcp_ulp_ops", "list", 0, true, "name" },
	{ "nf_sockopts", KSMA_REGISTRY_LIST, "nf_sockopt_ops", "list", 0, false, NULL },
	{ "loggers", KSMA_REGISTRY_POINTERS, "nf_logger", NULL, 0, false, "name" },
	{ "nf_queue_handler", KSMA_REGISTRY_POINTER, "nf_queue_handler", NULL, 0, false, NULL },
	{ "nf_ct_hook", KSMA_REGISTRY_POINTER, "nf_ct_hook", NULL, 0, false, NULL },
	{ "nfnl_ct_hook", KSMA_REGISTRY_POINTER, "nfnl_ct_hook", NULL, 0, false, NULL },
	{ "nf_nat_hook", KSMA_REGISTRY_POINTER, "nf_nat_hook", NULL, 0, false, NULL },
	{ "nf_ipv6_ops", KSMA_REGISTRY_POINTER, "nf_ipv6_ops", NULL, 0, false, NULL },
	{ "ipv6_stub", KSMA_REGISTRY_POINTER, "ipv6_stub", NULL, 0, false, NULL },
	{ "ip_ct_attach", KSMA_REGISTRY_FUNCTION, "", NULL, 0, false, NULL },
	{ "vlan_ioctl_hook", KSMA_REGISTRY_FUNCTION, "", NULL, 0, false, NULL },
	{ "br_ioctl_hook", KSMA_REGISTRY_FUNCTION, "", NULL, 0, false, NULL },
	{ "qdisc_base", KSMA_REGISTRY_CHAIN, "Qdisc_ops", "next", 0, false, "id" },
	{ "tcf_proto_base", KSMA_REGISTRY_LIST, "tcf_proto_ops", "head", 0, false, "kind" },
	{ "act_base", KSMA_REGISTRY_LIST, "tc_action_ops", "head", 0, false, "kind" },
	{ "link_ops", KSMA_REGISTRY_LIST, "rtnl_link_ops", "list", 0, true, "kind" },
	{ "rtnl_af_ops", KSMA_REGISTRY_LIST, "rtnl_af_ops", "list", 0, false, NULL },
	{ "pernet_list", KSMA_REGISTRY_LIST, "pernet_operations", "list", 0, true, NULL },
	{ "sock_diag_handlers", KSMA_REGISTRY_POINTERS, "sock_diag_handler", NULL, 64, false,
	  NULL },
	{ "lwtun_encaps", KSMA_REGISTRY_POINTERS, "lwtunnel_encap_ops", NULL, 0, false, NULL },
	{ "neigh_tables", KSMA_REGISTRY_POINTERS, "neigh_table", NULL, 0, false, "id" },
	{ "xfrm_policy_afinfo", KSMA_REGISTRY_POINTERS, "xfrm_policy_afinfo", NULL, 0, false,
	  NULL },
	{ "xfrm_state_afinfo", KSMA_REGISTRY_POINTERS, "xfrm_state_afinfo", NULL, 0, false, NULL },
	{ "xfrm_input_afinfo", KSMA_REGISTRY_POINTERS, "xfrm_input_afinfo", NULL, 0, false, NULL },
	{ "xfrm_km_list", KSMA_REGISTRY_LIST, "xfrm_mgr", "list", 0, false, NULL },
	{ "esp4_handlers", KSMA_REGISTRY_CHAIN, "xfrm4_protocol", "next", 0, false, NULL },
	{ "ah4_handlers", KSMA_REGISTRY_CHAIN, "xfrm4_protocol", "next", 0, false, NULL },
	{ "ipcomp4_handlers", KSMA_REGISTRY_CHAIN, "xfrm4_protocol", "next", 0, false, NULL },
	{ "genl_fam_idr", KSMA_REGISTRY_IDR, "genl_family", NULL, 0, true, "name" },
};

/* Says of findings that were just added what is known of the hook besides. */
static struct ksma_error *add_hook_evidence(struct ksma_network *n, size_t findings, uint64_t ops)
{
	struct ksma_sweep *sweep = n->sweep;
	int32_t priority_at = ksma_sweep_offset(sweep, "nf_hook_ops", "priority"),
		number_at = ksma_sweep_offset(sweep, "nf_hook_ops", "hooknum");
	uint32_t priority, number;
	struct ksma_finding *finding;

	if (sweep->look->findings->count == findings || !ops || priority_at == KSMA_NO_MEMBER ||
	    number_at == KSMA_NO_MEMBER ||
	    !ksma_kernel_u32(sweep->kernel, ops + (uint64_t)priority_at, &priority) ||
	    !ksma_kernel_u32(sweep->kernel, ops + (uint64_t)number_at, &number))
		return NULL;
	finding = &sweep->look->findings->items[sweep->look->findings->count - 1];
	KSMA_TRY(ksma_finding_text(finding, "priority", "%" PRId32, (int32_t)priority));
	return ksma_finding_number(finding, "hooknum", number);
}

struct ksma_error *ksma_network_filters(struct ksma_network *n, uint64_t place, const char *holder)
{
	struct ksma_kernel *kernel = n->sweep->kernel;
	uint64_t entries, hook, ops;
	uint16_t count;

	if (!ksma_kernel_u64(kernel, place, &entries) || !entries)
		return NULL;
	if (!ksma_kernel_bytes(kernel, entries, &count, sizeof(count)) || count > MAX_HOOKS) {
		ksma_coverage_gap(n->sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "the packet filters of %s cannot be read", holder);
		return NULL;
	}
	/* Behind the hooks, each with a pointer of its own, lie the pointers to what was registered (include/linux/netfilter.h). */
	for (unsigned i = 0; i < count; i++) {
		uint64_t at = entries + 8 + 16ull * i;
		size_t findings = n->sweep->look->findings->count;

		if (!ksma_kernel_u64(kernel, at, &hook) ||
		    !ksma_kernel_u64(kernel, entries + 8 + 16ull * count + 8ull * i, &ops)) {
			ksma_coverage_gap(n->sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
					  "the packet filters of %s cannot be read", holder);
			return NULL;
		}
		KSMA_TRY(ksma_sweep_pointer(n->sweep, at, hook, "hook", holder));
		KSMA_TRY(add_hook_evidence(n, findings, ops));
	}
	return NULL;
}

static struct ksma_error *check_filters(struct ksma_network *n, uint64_t net)
{
	static const char *const families[] = { "hooks_ipv4", "hooks_ipv6", "hooks_arp",
						"hooks_bridge", "hooks_decnet" };
	char member[32], holder[96];

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		int32_t at;
		uint32_t count;

		snprintf(member, sizeof(member), "nf.%s", families[i]);
		at = ksma_sweep_offset(n->sweep, "net", member);
		count = ksma_sweep_elements(n->sweep, "net", member);
		for (uint32_t j = 0; at != KSMA_NO_MEMBER && j < count && j < 16; j++) {
			snprintf(holder, sizeof(holder), "netfilter %s %u%s", families[i], j,
				 n->net);
			KSMA_TRY(ksma_network_filters(n, net + (uint64_t)at + 8ull * j, holder));
		}
	}
	return NULL;
}

static struct ksma_error *take_device(void *arg, const struct ksma_registry *row, uint64_t device)
{
	(void)row;
	return ksma_network_device(arg, device);
}

/* What hangs from a network namespace: filters, handlers of packets, devices. */
static struct ksma_error *take_net(void *arg, const struct ksma_registry *row, uint64_t net)
{
	static const char *const handlers[] = { "ptype_all", "ptype_specific" };
	static const struct ksma_registry devices = {
		"devices", KSMA_REGISTRY_LIST, "net_device", "dev_list", 0, true, NULL
	};
	struct ksma_network *n = arg;
	int32_t inum = ksma_sweep_offset(n->sweep, "net", "ns.inum"), at;
	uint32_t number = 0;

	(void)row;
	if (inum != KSMA_NO_MEMBER &&
	    !ksma_kernel_u32(n->sweep->kernel, net + (uint64_t)inum, &number))
		return NULL; /* it went away */
	n->net[0] = 0;
	if (n->nets++) /* the first one is the machine's own */
		snprintf(n->net, sizeof(n->net), " of net %" PRIu32, number);
	KSMA_TRY(check_filters(n, net));
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
		const struct ksma_registry list = {
			handlers[i], KSMA_REGISTRY_LIST, "packet_type", "list", 0, false, NULL
		};

		at = ksma_sweep_offset(n->sweep, "net", handlers[i]);
		if (at != KSMA_NO_MEMBER)
			KSMA_TRY(ksma_registry_walk_at(n->sweep, &list, net + (uint64_t)at, NULL,
						       NULL));
	}
	at = ksma_sweep_offset(n->sweep, "net", "dev_base_head");
	if (at == KSMA_NO_MEMBER)
		return ksma_kernel_missing_member("net.dev_base_head");
	return ksma_registry_visit_at(n->sweep, &devices, net + (uint64_t)at, take_device, n);
}

static struct ksma_error *check_nets(struct ksma_network *n)
{
	static const struct ksma_registry nets = {
		"net_namespace_list", KSMA_REGISTRY_LIST, "net", "list", 0, true, NULL
	};

	return ksma_registry_visit(n->sweep, &nets, take_net, n);
}

/* A family of generic netlink has its commands in arrays. */
static struct ksma_error *take_row(void *arg, const struct ksma_registry *row, uint64_t object)
{
	static const struct {
		const char *array, *count, *type;
	} arrays[] = { { "ops", "n_ops", "genl_ops" },
		       { "small_ops", "n_small_ops", "genl_small_ops" },
		       { "split_ops", "n_split_ops", "genl_split_ops" } };
	struct ksma_network *n = arg;
	uint64_t table;
	uint8_t count;

	if (strcmp(row->type, "genl_family") != 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++) {
		int32_t at = ksma_sweep_offset(n->sweep, "genl_family", arrays[i].array),
			count_at = ksma_sweep_offset(n->sweep, "genl_family", arrays[i].count);
		uint32_t size = ksma_sweep_size(n->sweep, arrays[i].type);

		if (at == KSMA_NO_MEMBER || count_at == KSMA_NO_MEMBER || !size ||
		    !ksma_kernel_u64(n->sweep->kernel, object + (uint64_t)at, &table) ||
		    !ksma_kernel_bytes(n->sweep->kernel, object + (uint64_t)count_at, &count, 1))
			continue;
		for (unsigned j = 0; table && j < count; j++)
			KSMA_TRY(ksma_sweep_object(n->sweep, arrays[i].type,
						   table + (uint64_t)size * j,
						   "a family of generic netlink"));
	}
	return NULL;
}

/* rtnl_msg_handlers[family] -> array by message -> struct rtnl_link */
static struct ksma_error *check_messages(struct ksma_network *n)
{
	uint64_t families = ksma_kernel_symbol(n->sweep->kernel, "rtnl_msg_handlers"), messages;
	uint64_t links[MAX_MESSAGES];

	for (unsigned family = 0; families && family < MAX_FAMILIES; family++) {
		if (!ksma_kernel_u64(n->sweep->kernel, families + 8ull * family, &messages))
			break;
		if (!messages)
			continue;
		if (!ksma_kernel_bytes(n->sweep->kernel, messages, links, sizeof(links))) {
			ksma_coverage_gap(n->sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
					  "the handlers of a family of rtnetlink cannot be read");
			continue;
		}
		for (unsigned i = 0; i < MAX_MESSAGES; i++)
			if (ksma_sweep_is_kernel(links[i]))
				KSMA_TRY(ksma_sweep_object(n->sweep, "rtnl_link", links[i],
							   "a handler of rtnetlink"));
	}
	return NULL;
}

static struct ksma_error *check_netlink(struct ksma_network *n)
{
	uint64_t symbol = ksma_kernel_symbol(n->sweep->kernel, "nl_table"), tables;
	uint32_t size = ksma_sweep_size(n->sweep, "netlink_table");

	if (!symbol || !size || !ksma_kernel_u64(n->sweep->kernel, symbol, &tables) || !tables)
		return NULL;
	for (unsigned i = 0; i < NETLINK_TABLES; i++)
		KSMA_TRY(ksma_sweep_object(n->sweep, "netlink_table", tables + (uint64_t)size * i,
					   "a protocol of netlink"));
	return NULL;
}

/* One socket, in a state in which it is a whole struct sock. */
static struct ksma_error *check_socket(struct ksma_network *n, const struct ksma_socket *socket)
{
	struct ksma_sweep *sweep = n->sweep;
	int32_t socket_at = ksma_sweep_offset(sweep, "sock", "sk_socket"),
		ops_at = ksma_sweep_offset(sweep, "socket", "ops");
	uint64_t object, ops;
	char holder[64];

	if (strcmp(socket->state, "TIME-WAIT") == 0 || strcmp(socket->state, "SYN-RECV") == 0)
		return NULL;
	if (socket->pid)
		snprintf(holder, sizeof(holder), "%s socket %d of process %d", socket->protocol,
			 socket->fd, socket->pid);
	else
		snprintf(holder, sizeof(holder), "%s socket of the kernel", socket->protocol);
	if (strncmp(socket->protocol, "tcp", 3) == 0)
		KSMA_TRY(ksma_sweep_object(sweep, "inet_connection_sock", socket->sock, holder));
	else if (strcmp(socket->protocol, "netlink") == 0)
		KSMA_TRY(ksma_sweep_object(sweep, "netlink_sock", socket->sock, holder));
	else
		KSMA_TRY(ksma_sweep_object(sweep, "sock", socket->sock, holder));
	if (socket_at == KSMA_NO_MEMBER || ops_at == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(sweep->kernel, socket->sock + (uint64_t)socket_at, &object) ||
	    !object || !ksma_kernel_u64(sweep->kernel, object + (uint64_t)ops_at, &ops))
		return NULL; /* closed, or a connection that nobody has accepted yet */
	return ksma_sweep_table(sweep, "proto_ops", ops, holder);
}

static struct ksma_error *check_sockets(struct ksma_network *n)
{
	struct ksma_sockets sockets = { 0 };
	struct ksma_error *error;

	KSMA_TRY(ksma_linux_sockets(n->sweep->kernel, n->sweep->look->coverage, &sockets));
	error = NULL;
	for (size_t i = 0; i < sockets.count && !error; i++)
		error = check_socket(n, &sockets.items[i]);
	ksma_sockets_free(&sockets);
	return error;
}

static struct ksma_error *check_all(struct ksma_network *n)
{
	static const char *const hot[] = { "net_hotdata.offload_base", "net_hotdata.ptype_all" },
				 *const types[] = { "packet_offload", "packet_type" };
	uint64_t hotdata = ksma_kernel_symbol(n->sweep->kernel, "net_hotdata");

	KSMA_TRY(ksma_registry_sweep(n->sweep, rows, ARRAY_SIZE(rows), take_row, n));
	for (size_t i = 0; hotdata && i < ARRAY_SIZE(hot); i++) {
		const struct ksma_registry row = {
			hot[i], KSMA_REGISTRY_LIST, types[i], "list", 0, false, NULL
		};
		int32_t at = ksma_sweep_offset(n->sweep, "net_hotdata", strchr(hot[i], '.') + 1);

		if (at != KSMA_NO_MEMBER)
			KSMA_TRY(ksma_registry_walk_at(n->sweep, &row, hotdata + (uint64_t)at, NULL,
						       NULL));
	}
	if (hotdata)
		KSMA_TRY(ksma_sweep_object(n->sweep, "net_hotdata", hotdata, "net_hotdata"));
	KSMA_TRY(check_messages(n));
	KSMA_TRY(check_netlink(n));
	KSMA_TRY(check_nets(n));
	return check_sockets(n);
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct ksma_sweep sweep;
	struct ksma_network network = { .sweep = &sweep };
	struct ksma_error *error = ksma_sweep_init(look, &sweep);

	if (!error)
		error = check_all(&network);
	ksma_sweep_deinit(&sweep);
	return error;
}

const struct ksma_check ksma_check_network = {
	.info = {
		.name = "network",
		.title = "Hooks of the network",
		.attack = "T1205",
		.needs = "memory",
		.structures = "net_namespace_list: nf_hook_entries, packet_type, net_device with its operations, rx_handler, queues and classifiers; "
			      "registries of protocols (ptype_base, inet_protos, inetsw, proto_list, net_families, rtnl_link_ops, genl_family, xfrm and some "
			      "30 more); sockets: proto, proto_ops, inet_connection_sock_af_ops and callbacks",
		.why = "A packet filter or handler waits for a magic packet, opens a way in, and keeps the packet from every tool that would show it; a "
		       "replaced operation of a protocol or a socket reads along.",
		.cost = "1.7 ms",
		.false_alarms = "None known: a hook belongs to the kernel or to a module on the list. Modules that copy a protocol on purpose (tls, smc) are known "
				"by name. Registries that modules hold themselves, and netlink sockets of the kernel, are not looked at.",
		.todo = "Look at the owner of the hook, and at the traffic of the guest from the host's side, where the hook does not "
			"filter it.",
	},
	.run = run,
};
