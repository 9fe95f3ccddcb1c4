/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One socket: which protocol, between which addresses, in which state.
 *
 * Source: include/net/sock.h, include/net/inet_timewait_sock.h, include/net/request_sock.h, net/unix/af_unix.c, and for the
 * names of the states ss of iproute2. Memory of TCP and UDP sockets is reused at once for others (SLAB_TYPESAFE_BY_RCU), so
 * what identifies a socket is read again after the rest. */
#include "linux/sockets.h"

#include <errno.h>
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/* enum in include/net/tcp_states.h */
enum {
	STATE_ESTABLISHED = 1,
	STATE_SYN_RECV = 3,
	STATE_TIME_WAIT = 6,
	STATE_CLOSE = 7,
	STATE_NEW_SYN_RECV = 12,
};

enum { UNIX_NAME_MAX = sizeof(struct sockaddr_un) - offsetof(struct sockaddr_un, sun_path) };

static const char *const state_names[] = {
	[STATE_ESTABLISHED] = "ESTAB",
	[2] = "SYN-SENT",
	[STATE_SYN_RECV] = "SYN-RECV",
	[4] = "FIN-WAIT-1",
	[5] = "FIN-WAIT-2",
	[STATE_TIME_WAIT] = "TIME-WAIT",
	[STATE_CLOSE] = "UNCONN",
	[8] = "CLOSE-WAIT",
	[9] = "LAST-ACK",
	[10] = "LISTEN",
	[11] = "CLOSING",
	[STATE_NEW_SYN_RECV] = "SYN-RECV",
};

static const char *const netlink_names[] = {
	[NETLINK_ROUTE] = "route",	   [NETLINK_USERSOCK] = "usersock",
	[NETLINK_SOCK_DIAG] = "sock_diag", [NETLINK_NFLOG] = "nflog",
	[NETLINK_XFRM] = "xfrm",	   [NETLINK_SELINUX] = "selinux",
	[NETLINK_ISCSI] = "iscsi",	   [NETLINK_AUDIT] = "audit",
	[NETLINK_FIB_LOOKUP] = "fib",	   [NETLINK_CONNECTOR] = "connector",
	[NETLINK_NETFILTER] = "netfilter", [NETLINK_KOBJECT_UEVENT] = "uevent",
	[NETLINK_GENERIC] = "generic",	   [NETLINK_CRYPTO] = "crypto",
};

static const struct {
	unsigned family;
	const char *name;
} family_names[] = {
	{ AF_UNIX, "unix" },   { AF_NETLINK, "netlink" }, { AF_PACKET, "packet" },
	{ AF_VSOCK, "vsock" }, { AF_ALG, "alg" },	  { AF_BLUETOOTH, "bluetooth" },
	{ AF_KEY, "key" },     { AF_TIPC, "tipc" },	  { AF_CAN, "can" },
	{ AF_KCM, "kcm" },     { AF_QIPCRTR, "qipcrtr" }, { AF_SMC, "smc" },
	{ AF_XDP, "xdp" },     { AF_RDS, "rds" },	  { AF_PPPOX, "pppox" },
	{ AF_LLC, "llc" },     { AF_PHONET, "phonet" },	  { AF_RXRPC, "rxrpc" },
	{ AF_NFC, "nfc" },
};

/* What identifies a socket, and what is told of it from struct sock_common alone. */
struct common {
	uint64_t net, listener;
	uint8_t local[16], remote[16];
	uint16_t family, port, remote_port;
	uint8_t state;
	uint8_t pad; /* two of these are compared as bytes */
};

struct ksma_error *ksma_socket_reader_init(struct ksma_socket_reader *reader,
					   struct ksma_kernel *kernel)
{
	const struct ksma_offsets *off = &kernel->off;
	const struct {
		int32_t offset;
		uint32_t size;
	} common[] = {
		{ off->sock_common__skc_daddr, 4 },	{ off->sock_common__skc_rcv_saddr, 4 },
		{ off->sock_common__skc_dport, 2 },	{ off->sock_common__skc_num, 2 },
		{ off->sock_common__skc_family, 2 },	{ off->sock_common__skc_state, 1 },
		{ off->sock_common__skc_net, 8 },	{ off->sock_common__skc_listener, 8 },
		{ off->sock_common__skc_v6_daddr, 16 }, { off->sock_common__skc_v6_rcv_saddr, 16 },
	};

	*reader = (struct ksma_socket_reader){ .kernel = kernel };
	KSMA_TRY(KSMA_NEED(kernel, sock_common__skc_family));
	KSMA_TRY(KSMA_NEED(kernel, sock_common__skc_state));
	KSMA_TRY(KSMA_NEED(kernel, sock_common__skc_num));
	KSMA_TRY(KSMA_NEED(kernel, sock__sk_type));
	KSMA_TRY(KSMA_NEED(kernel, sock__sk_protocol));
	KSMA_TRY(KSMA_NEED(kernel, sock__sk_socket));
	/* A socket, its common part and the smaller kinds of socket all begin at one address. */
	if (off->sock____sk_common != 0 || off->inet_timewait_sock____tw_common > 0)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"struct sock of this kernel does not begin with its common part");
	for (size_t i = 0; i < ARRAY_SIZE(common); i++)
		ksma_window_add(&reader->common, common[i].offset, common[i].size);
	ksma_window_add(&reader->body, off->sock__sk_type, 2);
	ksma_window_add(&reader->body, off->sock__sk_protocol, 2);
	ksma_window_add(&reader->body, off->sock__sk_uid, 4);
	ksma_window_add(&reader->body, off->sock__sk_socket, 8);
	ksma_window_add(&reader->unix_body, off->unix_sock__addr, 8);
	ksma_window_add(&reader->unix_body, off->unix_sock__peer, 8);
	KSMA_TRY(ksma_window_check(&reader->common, "sock_common"));
	KSMA_TRY(ksma_window_check(&reader->body, "sock"));
	return ksma_window_check(&reader->unix_body, "unix_sock");
}

static uint16_t window_u16(const struct ksma_window *window, const uint8_t *bytes, int32_t offset)
{
	const uint8_t *p = ksma_window_at(window, bytes, offset, 2);

	return p ? ksma_le16(p) : 0;
}

static void window_copy(const struct ksma_window *window, const uint8_t *bytes, int32_t offset,
			uint8_t *to, uint32_t size)
{
	const uint8_t *p = ksma_window_at(window, bytes, offset, size);

	if (p)
		memcpy(to, p, size);
}

static bool read_common(struct ksma_socket_reader *reader, uint64_t sock, struct common *ret)
{
	const struct ksma_offsets *off = &reader->kernel->off;
	const struct ksma_window *window = &reader->common;
	uint8_t bytes[KSMA_WINDOW_MAX];

	memset(ret, 0, sizeof(*ret));
	if (!ksma_window_read(reader->kernel, window, sock, bytes))
		return false;
	ret->family = window_u16(window, bytes, off->sock_common__skc_family);
	window_copy(window, bytes, off->sock_common__skc_state, &ret->state, 1);
	ret->net = ksma_window_u64(window, bytes, off->sock_common__skc_net);
	if (ret->family != AF_INET && ret->family != AF_INET6)
		return true;
	ret->port = window_u16(window, bytes, off->sock_common__skc_num);
	ret->remote_port = ntohs(window_u16(window, bytes, off->sock_common__skc_dport));
	if (ret->state == STATE_NEW_SYN_RECV)
		ret->listener = ksma_window_u64(window, bytes, off->sock_common__skc_listener);
	if (ret->family == AF_INET) {
		window_copy(window, bytes, off->sock_common__skc_rcv_saddr, ret->local, 4);
		window_copy(window, bytes, off->sock_common__skc_daddr, ret->remote, 4);
	} else {
		window_copy(window, bytes, off->sock_common__skc_v6_rcv_saddr, ret->local, 16);
		window_copy(window, bytes, off->sock_common__skc_v6_daddr, ret->remote, 16);
	}
	return true;
}

struct ksma_error *ksma_socket_address(unsigned family, const uint8_t *address, uint16_t port,
				       char **ret_text)
{
	char text[INET6_ADDRSTRLEN], number[8] = "*";

	if (!inet_ntop(family == AF_INET ? AF_INET : AF_INET6, address, text, sizeof(text)))
		return ksma_error_os(errno, "inet_ntop");
	if (port)
		snprintf(number, sizeof(number), "%u", port);
	return ksma_asprintf(ret_text, family == AF_INET ? "%s:%s" : "[%s]:%s", text, number);
}

static void name_inet(unsigned family, unsigned type, unsigned protocol, char name[12])
{
	const char *base = NULL;

	if (type == SOCK_RAW)
		base = "raw";
	else if (protocol == IPPROTO_TCP)
		base = "tcp";
	else if (protocol == IPPROTO_UDP)
		base = "udp";
	else if (protocol == IPPROTO_UDPLITE)
		base = "udplite";
	else if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
		base = "ping";
	else if (protocol == IPPROTO_SCTP)
		base = "sctp";
	else if (protocol == IPPROTO_DCCP)
		base = "dccp";
	else if (protocol == IPPROTO_MPTCP)
		base = "mptcp";
	if (base)
		snprintf(name, 12, "%s%s", base, family == AF_INET6 ? "6" : "");
	else
		snprintf(name, 12, "ip-%u", protocol & 0xffff);
}

static void name_protocol(unsigned family, unsigned type, unsigned protocol, char name[12])
{
	if (family == AF_INET || family == AF_INET6) {
		name_inet(family, type, protocol, name);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(family_names); i++) {
		if (family_names[i].family == family) {
			snprintf(name, 12, "%s", family_names[i].name);
			return;
		}
	}
	snprintf(name, 12, "af-%u", family & 0xffff);
}

/* Families without connections leave the state at 0, or at TCP's closed. */
static void name_state(unsigned state, char name[16])
{
	if (state < ARRAY_SIZE(state_names) && state_names[state])
		snprintf(name, 16, "%s", state_names[state]);
	else if (state == 0)
		snprintf(name, 16, "UNCONN");
	else
		snprintf(name, 16, "state-%u", state);
}

/* A struct unix_address as /proc/net/unix prints it: "@" stands for the NUL bytes of an abstract name. */
static bool read_unix_name(struct ksma_kernel *kernel, uint64_t address,
			   char name[UNIX_NAME_MAX + 1])
{
	const struct ksma_offsets *off = &kernel->off;
	uint32_t length;

	name[0] = '\0';
	if (!address)
		return true;
	if (off->unix_address__len < 0 || off->unix_address__name < 0 ||
	    !ksma_kernel_u32(kernel, address + (uint64_t)off->unix_address__len, &length))
		return false;
	if (length < sizeof(sa_family_t) || length - sizeof(sa_family_t) > UNIX_NAME_MAX)
		return false;
	length -= sizeof(sa_family_t);
	if (!ksma_kernel_bytes(kernel,
			       address + (uint64_t)off->unix_address__name + sizeof(sa_family_t),
			       name, length))
		return false;
	/* The length of a path counts its terminator. */
	if (length && name[0])
		length = (uint32_t)strnlen(name, length);
	for (uint32_t i = 0; i < length; i++)
		name[i] = name[i] ?: '@';
	name[length] = '\0';
	return true;
}

static bool read_unix_names(struct ksma_socket_reader *reader, uint64_t sock, char *local,
			    char *remote)
{
	const struct ksma_offsets *off = &reader->kernel->off;
	uint8_t bytes[KSMA_WINDOW_MAX];
	uint64_t peer, address;

	if (!ksma_window_read(reader->kernel, &reader->unix_body, sock, bytes) ||
	    !read_unix_name(reader->kernel,
			    ksma_window_u64(&reader->unix_body, bytes, off->unix_sock__addr),
			    local))
		return false;
	peer = ksma_window_u64(&reader->unix_body, bytes, off->unix_sock__peer);
	remote[0] = '\0';
	/* The peer may go at any moment; its name is then not worth the socket. */
	if (peer && off->unix_sock__addr >= 0 &&
	    ksma_kernel_u64(reader->kernel, peer + (uint64_t)off->unix_sock__addr, &address) &&
	    !read_unix_name(reader->kernel, address, remote))
		remote[0] = '\0';
	return true;
}

static struct ksma_error *changed(uint64_t sock)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA,
				 "the socket at 0x%llx changed while it was read",
				 (unsigned long long)sock);
}

/* Local and remote text, by family. */
static struct ksma_error *read_addresses(struct ksma_socket_reader *reader,
					 const struct common *common, unsigned protocol,
					 struct ksma_socket *socket)
{
	char local[UNIX_NAME_MAX + 1], remote[UNIX_NAME_MAX + 1];
	const struct ksma_offsets *off = &reader->kernel->off;
	uint32_t port;

	switch (common->family) {
	case AF_INET:
	case AF_INET6:
		KSMA_TRY(ksma_socket_address(common->family, common->local, common->port,
					     &socket->local));
		return ksma_socket_address(common->family, common->remote, common->remote_port,
					   &socket->remote);
	case AF_UNIX:
		if (!read_unix_names(reader, socket->sock, local, remote))
			return changed(socket->sock);
		KSMA_TRY(ksma_strdup(local, &socket->local));
		return ksma_strdup(remote, &socket->remote);
	case AF_NETLINK:
		KSMA_TRY(ksma_strdup("", &socket->remote));
		if (off->netlink_sock__portid < 0 ||
		    !ksma_kernel_u32(reader->kernel,
				     socket->sock + (uint64_t)off->netlink_sock__portid, &port))
			return ksma_strdup("", &socket->local);
		if (protocol < ARRAY_SIZE(netlink_names) && netlink_names[protocol])
			return ksma_asprintf(&socket->local, "%s:%u", netlink_names[protocol],
					     port);
		return ksma_asprintf(&socket->local, "%u:%u", protocol, port);
	default:
		KSMA_TRY(ksma_strdup("", &socket->remote));
		return ksma_strdup("", &socket->local);
	}
}

static uint32_t netns_of(struct ksma_socket_reader *reader, uint64_t net)
{
	int32_t offset = reader->kernel->off.net__ns_inum;
	uint32_t inum;

	if (net != reader->net) {
		if (!net || offset < 0 ||
		    !ksma_kernel_u32(reader->kernel, net + (uint64_t)offset, &inum))
			return 0;
		reader->net = net;
		reader->netns = inum;
	}
	return reader->netns;
}

/* A struct socket lies in front of its inode. */
static bool read_inode(struct ksma_kernel *kernel, uint64_t socket, uint64_t *ret_inode)
{
	const struct ksma_offsets *off = &kernel->off;

	if (!socket || off->socket_alloc__vfs_inode < 0 || off->inode__i_ino < 0)
		return true;
	return ksma_kernel_u64(kernel,
			       socket + (uint64_t)off->socket_alloc__vfs_inode +
				       (uint64_t)off->inode__i_ino,
			       ret_inode);
}

static bool read_uid(struct ksma_kernel *kernel, uint64_t sock, uint32_t *ret_uid)
{
	int32_t offset = kernel->off.sock__sk_uid;

	return sock && offset >= 0 && ksma_kernel_u32(kernel, sock + (uint64_t)offset, ret_uid);
}

/* What a full socket has beyond the common part; for the smaller kinds, what stands for it. */
static struct ksma_error *read_rest(struct ksma_socket_reader *reader, const struct common *common,
				    unsigned *ret_protocol, struct ksma_socket *socket)
{
	struct ksma_kernel *kernel = reader->kernel;
	const struct ksma_offsets *off = &kernel->off;
	unsigned type = SOCK_STREAM, state = common->state;
	bool inet = common->family == AF_INET || common->family == AF_INET6;
	uint8_t bytes[KSMA_WINDOW_MAX], substate;

	*ret_protocol = IPPROTO_TCP;
	if (inet && state == STATE_TIME_WAIT) {
		if (off->inet_timewait_sock__tw_substate >= 0) {
			if (!ksma_kernel_bytes(
				    kernel,
				    socket->sock + (uint64_t)off->inet_timewait_sock__tw_substate,
				    &substate, 1))
				return changed(socket->sock);
			state = substate;
		}
	} else if (inet && state == STATE_NEW_SYN_RECV) {
		if (!read_uid(kernel, common->listener, &socket->uid))
			socket->uid = 0;
	} else {
		if (!ksma_window_read(kernel, &reader->body, socket->sock, bytes))
			return changed(socket->sock);
		type = window_u16(&reader->body, bytes, off->sock__sk_type);
		*ret_protocol = window_u16(&reader->body, bytes, off->sock__sk_protocol);
		socket->uid = ksma_window_u32(&reader->body, bytes, off->sock__sk_uid);
		if (!read_inode(kernel, ksma_window_u64(&reader->body, bytes, off->sock__sk_socket),
				&socket->inode))
			return changed(socket->sock);
	}
	name_protocol(common->family, type, *ret_protocol, socket->protocol);
	name_state(state, socket->state);
	return NULL;
}

struct ksma_error *ksma_socket_read(struct ksma_socket_reader *reader, uint64_t sock,
				    struct ksma_socket *ret_socket, uint64_t *ret_net)
{
	struct ksma_socket socket = { .sock = sock };
	struct common common, again;
	struct ksma_error *error;
	unsigned protocol;

	if (!read_common(reader, sock, &common))
		return ksma_error_fault(sock, "the socket at 0x%llx is not mapped",
					(unsigned long long)sock);
	if (common.family == AF_UNSPEC)
		return changed(sock);
	error = read_rest(reader, &common, &protocol, &socket);
	if (!error)
		error = read_addresses(reader, &common, protocol, &socket);
	if (!error &&
	    (!read_common(reader, sock, &again) || memcmp(&common, &again, sizeof(again)) != 0))
		error = changed(sock);
	if (error) {
		free(socket.local);
		free(socket.remote);
		return error;
	}
	socket.netns = netns_of(reader, common.net);
	if (ret_net)
		*ret_net = common.net;
	*ret_socket = socket;
	return NULL;
}

/* Only a socket's file is named by the struct socket that it names, and lies behind it in one allocation. */
bool ksma_socket_of_file(struct ksma_kernel *kernel, uint64_t file, uint64_t *ret_sock)
{
	const struct ksma_offsets *off = &kernel->off;
	uint64_t socket, inode, back, sock;

	if (off->file__private_data < 0 || off->file__f_inode < 0 || off->socket__file < 0 ||
	    off->socket__sk < 0 || off->socket_alloc__vfs_inode < 0)
		return false;
	if (!ksma_kernel_u64(kernel, file + (uint64_t)off->file__private_data, &socket) ||
	    !ksma_kernel_u64(kernel, file + (uint64_t)off->file__f_inode, &inode))
		return false;
	*ret_sock = 0;
	if (!socket || inode != socket + (uint64_t)off->socket_alloc__vfs_inode)
		return true;
	if (!ksma_kernel_u64(kernel, socket + (uint64_t)off->socket__file, &back) ||
	    !ksma_kernel_u64(kernel, socket + (uint64_t)off->socket__sk, &sock))
		return false;
	if (back == file)
		*ret_sock = sock;
	return true;
}
