/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's own tables of sockets: what is in them exists, whether or not a process admits to holding it.
 *
 * Source: include/net/inet_hashtables.h, net/ipv4/inet_hashtables.c, include/net/udp.h, include/net/raw.h, net/unix/af_unix.c.
 * The layouts drifted: the hash of listeners by port went away in 5.19 (cae3873c5b3a, "net: inet: Retire port only
 * listening_hash"), tables of a network namespace's own came with 6.1 for TCP (d1e5e6408b30) and 6.2 for UDP (9804985bf27f),
 * unix sockets moved into their namespace in 6.0 (b6e811383062), and from 6.8 on (21cbd90a6fab and its followers) only the
 * table by port and address names the owners of a port. */
#include "linux/sockets.h"

enum {
	LISTEN_BUCKETS = 32,   /* INET_LHTABLE_SIZE */
	RAW_BUCKETS = 256,     /* MAX_INET_PROTOS */
	UNIX_BUCKETS = 512,    /* twice 256: names in files, and abstract ones */
	BUCKETS_MAX = 1 << 24, /* the kernel stops at 512 Ki connections' worth */
	STRIDE_MAX = 256,
	CHUNK = 8192,
	CHAIN_LOOKS = 4, /* at one chain, before the whole look counts as torn */
};

/* An array of buckets, each of which begins a chain. */
struct table {
	const char *name;
	uint64_t base;
	uint64_t count;
	uint32_t stride;
	uint32_t head; /* of the chain, in a bucket */
	int32_t link;  /* of the chain, in an element */
	bool binds;    /* the elements are ports, which chains of sockets hang from */
};

/* Chains end with NULL, or with a number that has the low bit set (include/linux/list_nulls.h). */
static bool is_end(uint64_t node)
{
	return node == 0 || node & 1;
}

enum chain { CHAIN_DONE, CHAIN_TORN };

typedef void (*element_fn)(struct ksma_socket_tables *tables, const struct table *table,
			   uint64_t element);

/* Walks one chain. Each node names the pointer that leads to it, so that a node which moved to another chain, and any cycle, is
 * noticed. Elements before the tear were reported; they are told apart by their addresses. */
static enum chain walk_chain(struct ksma_socket_tables *tables, const struct table *table,
			     uint64_t head, element_fn fn)
{
	uint64_t from = head, node, links[2];

	if (!ksma_kernel_u64(tables->kernel, head, &node))
		return CHAIN_TORN;
	while (!is_end(node)) {
		if (!ksma_budget_spend(tables->budget)) {
			tables->spent = true;
			return CHAIN_DONE;
		}
		/* struct hlist_node and hlist_nulls_node: next, pprev */
		if (!ksma_kernel_bytes(tables->kernel, node, links, sizeof(links)) ||
		    links[1] != from)
			return CHAIN_TORN;
		fn(tables, table, node - (uint64_t)table->link);
		if (tables->stopped || tables->spent)
			return CHAIN_DONE;
		from = node;
		node = links[0];
	}
	return CHAIN_DONE;
}

static void settle_chain(struct ksma_socket_tables *tables, const struct table *table,
			 uint64_t head, element_fn fn)
{
	for (unsigned i = 0; i < CHAIN_LOOKS; i++)
		if (walk_chain(tables, table, head, fn) == CHAIN_DONE)
			return;
	tables->torn++;
}

static void on_socket(struct ksma_socket_tables *tables, const struct table *table, uint64_t sock)
{
	if (!tables->fn(tables->arg, sock))
		tables->stopped = true;
}

static void on_bind2(struct ksma_socket_tables *tables, const struct table *table, uint64_t bucket)
{
	const struct ksma_offsets *off = &tables->kernel->off;
	const struct table owners = { .name = table->name,
				      .link = off->sock_common__skc_bind_node };

	settle_chain(tables, &owners, bucket + (uint64_t)off->inet_bind2_bucket__owners, on_socket);
}

/* A port in use, and the sockets bound to it. */
static void on_bind(struct ksma_socket_tables *tables, const struct table *table, uint64_t bucket)
{
	const struct ksma_offsets *off = &tables->kernel->off;
	const struct table owners = { .name = table->name,
				      .link = off->sock_common__skc_bind_node };
	const struct table addresses = { .name = table->name,
					 .link = off->inet_bind2_bucket__bhash_node };

	if (off->inet_bind_bucket__owners >= 0)
		settle_chain(tables, &owners, bucket + (uint64_t)off->inet_bind_bucket__owners,
			     on_socket);
	else
		settle_chain(tables, &addresses, bucket + (uint64_t)off->inet_bind_bucket__bhash2,
			     on_bind2);
}

static void gap(struct ksma_socket_tables *tables, const struct table *table, const char *why)
{
	ksma_coverage_gap(tables->coverage, KSMA_COVERAGE_PARTIAL, "the table of %s %s",
			  table->name, why);
}

/* Walks the chains of the buckets in one chunk of the table. */
static void walk_chunk(struct ksma_socket_tables *tables, const struct table *table,
		       uint64_t address, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count && !tables->stopped && !tables->spent; i++) {
		size_t at = i * table->stride + table->head;

		if (!is_end(ksma_le64(bytes + at)))
			settle_chain(tables, table, address + at,
				     table->binds ? on_bind : on_socket);
	}
}

static void walk_table(struct ksma_socket_tables *tables, const struct table *table)
{
	uint8_t bytes[CHUNK];
	uint64_t left = table->count, address = table->base;

	if (table->stride == 0 || table->stride > STRIDE_MAX ||
	    !ksma_in_range(table->head, 8, table->stride) || table->link < 0) {
		gap(tables, table, "has a layout that ksma does not know");
		return;
	}
	if (table->count > BUCKETS_MAX) {
		gap(tables, table, "has an impossible size");
		return;
	}
	while (left && !tables->stopped && !tables->spent) {
		size_t count = CHUNK / table->stride;

		if (count > left)
			count = left;
		if (!ksma_kernel_bytes(tables->kernel, address, bytes, count * table->stride)) {
			gap(tables, table, "is not mapped");
			return;
		}
		walk_chunk(tables, table, address, bytes, count);
		address += count * table->stride;
		left -= count;
		tables->budget->nodes -=
			tables->budget->nodes < count / 64 ? tables->budget->nodes : count / 64;
	}
	if (tables->spent)
		gap(tables, table, "is larger than the budget of one look");
}

/* A pointer or a count in a struct of the kernel. */
static bool field(struct ksma_socket_tables *tables, uint64_t base, int32_t offset, void *ret,
		  size_t size)
{
	return offset >= 0 && ksma_kernel_bytes(tables->kernel, base + (uint64_t)offset, ret, size);
}

static void walk_listeners(struct ksma_socket_tables *tables, uint64_t info)
{
	const struct ksma_offsets *off = &tables->kernel->off;
	struct table table = {
		.name = "listening TCP sockets",
		.stride = tables->kernel->size.inet_listen_hashbucket,
		.head = (uint32_t)off->inet_listen_hashbucket__nulls_head,
		.link = off->sock_common__skc_node,
	};
	uint32_t mask;

	if (off->inet_hashinfo__listening_hash >= 0) {
		table.base = info + (uint64_t)off->inet_hashinfo__listening_hash;
		table.count = LISTEN_BUCKETS;
	} else if (field(tables, info, off->inet_hashinfo__lhash2, &table.base, 8) &&
		   field(tables, info, off->inet_hashinfo__lhash2_mask, &mask, 4)) {
		table.count = (uint64_t)mask + 1;
	} else {
		gap(tables, &table, "was not found");
		return;
	}
	walk_table(tables, &table);
}

static void walk_connections(struct ksma_socket_tables *tables, uint64_t info)
{
	const struct ksma_offsets *off = &tables->kernel->off;
	struct table table = {
		.name = "TCP connections",
		.stride = tables->kernel->size.inet_ehash_bucket,
		.head = (uint32_t)off->inet_ehash_bucket__chain,
		.link = off->sock_common__skc_node,
	};
	uint32_t mask;

	if (!field(tables, info, off->inet_hashinfo__ehash, &table.base, 8) ||
	    !field(tables, info, off->inet_hashinfo__ehash_mask, &mask, 4)) {
		gap(tables, &table, "was not found");
		return;
	}
	table.count = (uint64_t)mask + 1;
	walk_table(tables, &table);
}

static void walk_binds(struct ksma_socket_tables *tables, uint64_t info)
{
	const struct ksma_offsets *off = &tables->kernel->off;
	struct table table = {
		.name = "TCP ports in use",
		.stride = tables->kernel->size.inet_bind_hashbucket,
		.head = (uint32_t)off->inet_bind_hashbucket__chain,
		.link = off->inet_bind_bucket__node,
		.binds = true,
	};
	uint32_t size;

	if ((off->inet_bind_bucket__owners < 0 &&
	     (off->inet_bind_bucket__bhash2 < 0 || off->inet_bind2_bucket__bhash_node < 0 ||
	      off->inet_bind2_bucket__owners < 0)) ||
	    off->sock_common__skc_bind_node < 0 ||
	    !field(tables, info, off->inet_hashinfo__bhash, &table.base, 8) ||
	    !field(tables, info, off->inet_hashinfo__bhash_size, &size, 4)) {
		gap(tables, &table, "was not found");
		return;
	}
	table.count = size;
	walk_table(tables, &table);
}

static void walk_tcp(struct ksma_socket_tables *tables, uint64_t info)
{
	walk_listeners(tables, info);
	walk_connections(tables, info);
	walk_binds(tables, info);
}

static void walk_udp(struct ksma_socket_tables *tables, uint64_t udp_table, const char *name)
{
	const struct ksma_offsets *off = &tables->kernel->off;
	struct table table = {
		.name = name,
		.stride = tables->kernel->size.udp_hslot,
		.head = (uint32_t)off->udp_hslot__head,
		.link = off->sock_common__skc_node,
	};
	uint32_t mask;

	if (!field(tables, udp_table, off->udp_table__hash, &table.base, 8) ||
	    !field(tables, udp_table, off->udp_table__mask, &mask, 4)) {
		gap(tables, &table, "was not found");
		return;
	}
	table.count = (uint64_t)mask + 1;
	walk_table(tables, &table);
}

/* An array of bare heads. */
static void walk_heads(struct ksma_socket_tables *tables, uint64_t base, uint64_t count,
		       const char *name)
{
	const struct table table = {
		.name = name,
		.base = base,
		.count = count,
		.stride = 8,
		.link = tables->kernel->off.sock_common__skc_node,
	};

	walk_table(tables, &table);
}

/* Namespaces may share a table, and then it is walked once. @return false when it was walked before, or is none */
static bool is_new(struct ksma_socket_tables *tables, uint64_t table)
{
	if (!table)
		return false;
	for (size_t i = 0; i < tables->seen.count; i++)
		if (tables->seen.items[i] == table)
			return false;
	return true;
}

static struct ksma_error *remember(struct ksma_socket_tables *tables, uint64_t table)
{
	uint64_t *item;

	KSMA_TRY(KSMA_ARRAY_PUSH(&tables->seen, &item));
	*item = table;
	return NULL;
}

struct ksma_error *ksma_socket_tables_global(struct ksma_socket_tables *tables)
{
	static const char *const raw[] = { "raw_v4_hashinfo", "raw_v6_hashinfo" };
	const struct ksma_offsets *off = &tables->kernel->off;
	uint64_t table;

	/* Tables that moved into the namespaces, or were never built, have no symbol. */
	table = ksma_kernel_symbol(tables->kernel, "tcp_hashinfo");
	if (is_new(tables, table) && off->net__tcp_hashinfo < 0) {
		KSMA_TRY(remember(tables, table));
		walk_tcp(tables, table);
	}
	table = ksma_kernel_symbol(tables->kernel, "udp_table");
	if (is_new(tables, table) && off->net__udp_table < 0) {
		KSMA_TRY(remember(tables, table));
		walk_udp(tables, table, "UDP sockets");
	}
	table = ksma_kernel_symbol(tables->kernel, "udplite_table");
	if (table)
		walk_udp(tables, table, "UDP-Lite sockets");
	for (size_t i = 0; i < ARRAY_SIZE(raw) && off->raw_hashinfo__ht >= 0; i++) {
		table = ksma_kernel_symbol(tables->kernel, raw[i]);
		if (table)
			walk_heads(tables, table + (uint64_t)off->raw_hashinfo__ht, RAW_BUCKETS,
				   "raw sockets");
	}
	table = ksma_kernel_symbol(tables->kernel, "unix_socket_table");
	if (table && off->net__unix_buckets < 0)
		walk_heads(tables, table, UNIX_BUCKETS, "unix sockets");
	return NULL;
}

struct ksma_error *ksma_socket_tables_of_net(struct ksma_socket_tables *tables, uint64_t net)
{
	const struct ksma_offsets *off = &tables->kernel->off;
	uint64_t tcp = 0, udp = 0, unix_buckets = 0;

	if ((off->net__tcp_hashinfo >= 0 && !field(tables, net, off->net__tcp_hashinfo, &tcp, 8)) ||
	    (off->net__udp_table >= 0 && !field(tables, net, off->net__udp_table, &udp, 8)) ||
	    (off->net__unix_buckets >= 0 &&
	     !field(tables, net, off->net__unix_buckets, &unix_buckets, 8))) {
		ksma_coverage_gap(tables->coverage, KSMA_COVERAGE_PARTIAL,
				  "a network namespace is not mapped");
		return NULL;
	}
	if (is_new(tables, tcp)) {
		KSMA_TRY(remember(tables, tcp));
		walk_tcp(tables, tcp);
	}
	if (is_new(tables, udp)) {
		KSMA_TRY(remember(tables, udp));
		walk_udp(tables, udp, "UDP sockets");
	}
	if (unix_buckets)
		walk_heads(tables, unix_buckets, UNIX_BUCKETS, "unix sockets");
	if (off->net__packet_sklist >= 0)
		walk_heads(tables, net + (uint64_t)off->net__packet_sklist, 1, "packet sockets");
	return NULL;
}
