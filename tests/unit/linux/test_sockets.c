/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sockets of each kind from memory, their names, and the chains of the tables that hold them. */
#include "unit.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "fail_alloc.h"
#include "fake_kernel.h"
#include "linux/sockets.h"

#define BASE 0xffff888000000000ull

enum { ARENA = 1 << 18, SOCK = 256 };
enum { ESTABLISHED = 1, TIME_WAIT = 6, CLOSED = 7, LISTENING = 10, NEW_SYN_RECV = 12 };

static struct fake_kernel *kernel_create(void)
{
	struct fake_kernel *k = fake_kernel_create(BASE, ARENA, FAKE_MAPPED);

	fake_layout_sockets(&k->kernel);
	fake_kernel_alloc(k, KSMA_PAGE_SIZE, KSMA_PAGE_SIZE);
	return k;
}

static uint64_t make_sock(struct fake_kernel *k, unsigned family, unsigned state, unsigned type,
			  unsigned protocol)
{
	uint64_t sock = fake_kernel_alloc(k, SOCK, 64), net = fake_kernel_alloc(k, 64, 64);

	fake_kernel_put(k, sock + 12, family, 2);
	fake_kernel_put(k, sock + 14, state, 1);
	fake_kernel_put64(k, sock + 16, net);
	fake_kernel_put(k, net + 16, 4026531840u, 4);
	fake_kernel_put(k, sock + 96, type, 2);
	fake_kernel_put(k, sock + 98, protocol, 2);
	fake_kernel_put(k, sock + 100, 1000, 4);
	return sock;
}

static void put_ports(struct fake_kernel *k, uint64_t sock, uint16_t port, uint16_t remote)
{
	fake_kernel_put(k, sock + 10, port, 2);
	fake_kernel_put(k, sock + 8, (uint16_t)(remote << 8 | remote >> 8), 2);
}

static struct ksma_error *read_sock(struct fake_kernel *k, uint64_t sock, struct ksma_socket *ret)
{
	struct ksma_socket_reader reader;

	KSMA_TRY(ksma_socket_reader_init(&reader, &k->kernel));
	return ksma_socket_read(&reader, sock, ret, NULL);
}

/* Reads a socket and holds its words against those expected. */
static void check(struct fake_kernel *k, uint64_t sock, const char *protocol, const char *state,
		  const char *local, const char *remote)
{
	struct ksma_socket socket;

	assert_ok(read_sock(k, sock, &socket));
	assert_string_equal(socket.protocol, protocol);
	assert_string_equal(socket.state, state);
	assert_string_equal(socket.local, local);
	assert_string_equal(socket.remote, remote);
	assert_int_equal(socket.netns, 4026531840u);
	free(socket.local);
	free(socket.remote);
}

static void addresses_are_written_as_everywhere(void **state)
{
	static const uint8_t v4[4] = { 192, 0, 2, 1 }, v6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 },
			     any[16];
	static const struct {
		unsigned family;
		const uint8_t *address;
		uint16_t port;
		const char *text;
	} cases[] = {
		{ AF_INET, v4, 80, "192.0.2.1:80" },
		{ AF_INET, any, 0, "0.0.0.0:*" },
		{ AF_INET6, v6, 65535, "[2001:db8::1]:65535" },
		{ AF_INET6, any, 22, "[::]:22" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text;

		assert_ok(ksma_socket_address(cases[i].family, cases[i].address, cases[i].port,
					      &text));
		assert_string_equal(text, cases[i].text);
		free(text);
	}
}

static void sockets_of_the_internet(void **state)
{
	struct fake_kernel *k = kernel_create();
	uint64_t sock = make_sock(k, AF_INET, ESTABLISHED, SOCK_STREAM, IPPROTO_TCP);
	uint64_t holder = fake_kernel_alloc(k, 64, 64);
	struct ksma_socket socket;

	put_ports(k, sock, 8001, 443);
	fake_kernel_put(k, sock + 4, 0x0100007f, 4);
	fake_kernel_put(k, sock, 0x010200c0, 4);
	fake_kernel_put64(k, sock + 104, holder);
	fake_kernel_put64(k, holder + 16 + 8, 4711); /* the inode behind the struct socket */
	check(k, sock, "tcp", "ESTAB", "127.0.0.1:8001", "192.0.2.1:443");
	assert_ok(read_sock(k, sock, &socket));
	assert_int_equal(socket.inode, 4711);
	assert_int_equal(socket.uid, 1000);
	free(socket.local);
	free(socket.remote);
	fake_kernel_put(k, sock + 96, SOCK_DGRAM, 2);
	fake_kernel_put(k, sock + 98, IPPROTO_UDP, 2);
	fake_kernel_put(k, sock + 14, CLOSED, 1);
	check(k, sock, "udp", "UNCONN", "127.0.0.1:8001", "192.0.2.1:443");
	sock = make_sock(k, AF_INET6, LISTENING, SOCK_STREAM, IPPROTO_TCP);
	put_ports(k, sock, 22, 0);
	check(k, sock, "tcp6", "LISTEN", "[::]:22", "[::]:*");
	sock = make_sock(k, AF_INET6, CLOSED, SOCK_RAW, IPPROTO_ICMPV6);
	put_ports(k, sock, 58, 0);
	check(k, sock, "raw6", "UNCONN", "[::]:58", "[::]:*");
	sock = make_sock(k, AF_INET, 99, SOCK_SEQPACKET, 1234);
	check(k, sock, "ip-1234", "state-99", "0.0.0.0:*", "0.0.0.0:*");
	fake_kernel_destroy(k);
}

/* What lies behind the common part of these is not a struct sock. */
static void sockets_that_begin_and_end(void **state)
{
	struct fake_kernel *k = kernel_create();
	uint64_t listener = make_sock(k, AF_INET, LISTENING, SOCK_STREAM, IPPROTO_TCP);
	uint64_t waiting = make_sock(k, AF_INET, TIME_WAIT, 0, 0);
	uint64_t request = make_sock(k, AF_INET, NEW_SYN_RECV, 0xffff, 0xffff);
	struct ksma_socket socket;

	fake_kernel_put(k, waiting + 96, 5, 1); /* tw_substate */
	fake_kernel_put64(k, waiting + 104, 0xdead);
	put_ports(k, waiting, 80, 5000);
	check(k, waiting, "tcp", "FIN-WAIT-2", "0.0.0.0:80", "0.0.0.0:5000");
	fake_kernel_put(k, waiting + 96, TIME_WAIT, 1);
	check(k, waiting, "tcp", "TIME-WAIT", "0.0.0.0:80", "0.0.0.0:5000");
	fake_kernel_put64(k, request + 24, listener);
	check(k, request, "tcp", "SYN-RECV", "0.0.0.0:*", "0.0.0.0:*");
	assert_ok(read_sock(k, request, &socket));
	assert_int_equal(socket.uid, 1000);
	free(socket.local);
	free(socket.remote);
	fake_kernel_put64(k, request + 24, 0xdead);
	check(k, request, "tcp", "SYN-RECV", "0.0.0.0:*", "0.0.0.0:*");
	fake_kernel_destroy(k);
}

static uint64_t make_unix_name(struct fake_kernel *k, const char *name, uint32_t length)
{
	uint64_t address = fake_kernel_alloc(k, 128, 8);

	fake_kernel_put(k, address, length + 2, 4);
	fake_kernel_put(k, address + 8, AF_UNIX, 2);
	memcpy(fake_kernel_at(k, address + 10, length ?: 1), name, length);
	return address;
}

static void sockets_of_unix(void **state)
{
	struct fake_kernel *k = kernel_create();
	uint64_t a = make_sock(k, AF_UNIX, ESTABLISHED, SOCK_STREAM, 0),
		 b = make_sock(k, AF_UNIX, ESTABLISHED, SOCK_STREAM, 0);
	const char longest[109] = "x";
	struct ksma_socket socket;

	check(k, a, "unix", "ESTAB", "", "");
	fake_kernel_put64(k, a + 112, make_unix_name(k, "/run/socket", 12));
	fake_kernel_put64(k, b + 112, make_unix_name(k, "\0name\0more", 10));
	fake_kernel_put64(k, a + 120, b);
	check(k, a, "unix", "ESTAB", "/run/socket", "@name@more");
	fake_kernel_put64(k, a + 120, 0xdead); /* the peer has just gone */
	check(k, a, "unix", "ESTAB", "/run/socket", "");
	fake_kernel_put64(k, a + 112, make_unix_name(k, "", 0));
	check(k, a, "unix", "ESTAB", "", "");
	fake_kernel_put64(k, a + 112,
			  make_unix_name(k, longest, sizeof(longest))); /* longer than any */
	assert_error(read_sock(k, a, &socket), KSMA_ERROR_BAD_DATA);
	fake_kernel_put64(k, a + 112, 0xdead);
	assert_error(read_sock(k, a, &socket), KSMA_ERROR_BAD_DATA);
	fake_kernel_destroy(k);
}

static void sockets_of_other_families(void **state)
{
	struct fake_kernel *k = kernel_create();
	uint64_t sock = make_sock(k, AF_NETLINK, 0, SOCK_RAW, 0);
	struct ksma_socket socket;

	fake_kernel_put(k, sock + 112, 321, 4);
	check(k, sock, "netlink", "UNCONN", "route:321", "");
	fake_kernel_put(k, sock + 98, 31, 2);
	check(k, sock, "netlink", "UNCONN", "31:321", "");
	fake_kernel_put(k, sock + 12, AF_PACKET, 2);
	check(k, sock, "packet", "UNCONN", "", "");
	fake_kernel_put(k, sock + 12, 65535, 2);
	check(k, sock, "af-65535", "UNCONN", "", "");
	fake_kernel_put(k, sock + 12, AF_UNSPEC, 2); /* freed */
	assert_error(read_sock(k, sock, &socket), KSMA_ERROR_BAD_DATA);
	assert_error(read_sock(k, 0xdead, &socket), KSMA_ERROR_FAULT);
	k->kernel.off.sock____sk_common = 8;
	assert_error(read_sock(k, sock, &socket), KSMA_ERROR_UNSUPPORTED);
	fake_kernel_destroy(k);
}

static void only_a_socket_has_a_socket(void **state)
{
	struct fake_kernel *k = kernel_create();
	uint64_t file = fake_kernel_alloc(k, 64, 64), socket = fake_kernel_alloc(k, 64, 64),
		 sock = 1;

	assert_true(ksma_socket_of_file(&k->kernel, file, &sock));
	assert_int_equal(sock, 0);
	fake_kernel_put64(k, file, socket);
	fake_kernel_put64(k, file + 8, socket + 16);
	fake_kernel_put64(k, socket, file);
	fake_kernel_put64(k, socket + 8, 0x5000);
	assert_true(ksma_socket_of_file(&k->kernel, file, &sock));
	assert_int_equal(sock, 0x5000);
	fake_kernel_put64(k, socket, file + 8); /* somebody else's */
	assert_true(ksma_socket_of_file(&k->kernel, file, &sock));
	assert_int_equal(sock, 0);
	fake_kernel_put64(k, file, 0xdead - 16);
	fake_kernel_put64(k, file + 8, 0xdead);
	assert_false(ksma_socket_of_file(&k->kernel, file, &sock));
	fake_kernel_destroy(k);
}

/* --- tables --- */

struct seen {
	uint64_t socks[16];
	size_t count;
};

static bool on_socket(void *arg, uint64_t sock)
{
	struct seen *seen = arg;

	assert_true(seen->count < ARRAY_SIZE(seen->socks));
	seen->socks[seen->count++] = sock;
	return true;
}

/* A network namespace with all tables of two buckets each. */
static uint64_t make_net(struct fake_kernel *k)
{
	uint64_t net = fake_kernel_alloc(k, 64, 64), tcp = fake_kernel_alloc(k, 64, 64),
		 udp = fake_kernel_alloc(k, 64, 64);

	fake_kernel_put64(k, net + 24, tcp);
	fake_kernel_put64(k, net + 32, udp);
	fake_kernel_put64(k, net + 40, fake_kernel_alloc(k, 512 * 8, 64));
	fake_kernel_put64(k, tcp, fake_kernel_alloc(k, 16, 64));
	fake_kernel_put(k, tcp + 8, 1, 4);
	fake_kernel_put(k, tcp + 12, 1, 4);
	fake_kernel_put64(k, tcp + 16, fake_kernel_alloc(k, 32, 64));
	fake_kernel_put64(k, tcp + 24, fake_kernel_alloc(k, 32, 64));
	fake_kernel_put(k, tcp + 32, 2, 4);
	fake_kernel_put64(k, udp, fake_kernel_alloc(k, 32, 64));
	fake_kernel_put(k, udp + 8, 1, 4);
	return net;
}

static uint64_t pointer(struct fake_kernel *k, uint64_t at)
{
	uint64_t value;

	memcpy(&value, fake_kernel_at(k, at, 8), 8);
	return value;
}

/* Puts elements behind a head, by the link in each; `end` is NULL or a marker. */
static void chain(struct fake_kernel *k, uint64_t head, const uint64_t *elements, size_t count,
		  uint64_t link, uint64_t end)
{
	uint64_t from = head;

	for (size_t i = 0; i < count; i++) {
		fake_kernel_put64(k, from, elements[i] + link);
		fake_kernel_put64(k, elements[i] + link + 8, from);
		from = elements[i] + link;
	}
	fake_kernel_put64(k, from, end);
}

static struct ksma_socket_tables walk(struct fake_kernel *k, uint64_t net,
				      struct ksma_budget *budget, struct ksma_coverage *coverage,
				      struct seen *seen)
{
	struct ksma_socket_tables tables = { .kernel = &k->kernel,
					     .budget = budget,
					     .coverage = coverage,
					     .fn = on_socket,
					     .arg = seen };

	*seen = (struct seen){ 0 };
	assert_ok(ksma_socket_tables_of_net(&tables, net));
	assert_ok(ksma_socket_tables_of_net(
		&tables, net)); /* shared tables are walked once; the namespace's own, again */
	free(tables.seen.items);
	return tables;
}

static void every_table_is_walked(void **state)
{
	struct fake_kernel *k = kernel_create();
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_coverage coverage = { 0 };
	uint64_t net = make_net(k), tcp = pointer(k, net + 24), socks[6], bucket, bucket2;
	struct seen seen;

	for (size_t i = 0; i < ARRAY_SIZE(socks); i++)
		socks[i] = fake_kernel_alloc(k, SOCK, 64);
	bucket = fake_kernel_alloc(k, 64, 64);
	bucket2 = fake_kernel_alloc(k, 64, 64);
	chain(k, pointer(k, tcp) + 8, socks, 2, 64, 3); /* connections, in the second bucket */
	chain(k, pointer(k, tcp + 16) + 8, &socks[2], 1, 64, 1); /* listeners */
	chain(k, pointer(k, tcp + 24) + 8, &bucket, 1, 0, 0);	 /* a port */
	chain(k, bucket + 16, &bucket2, 1, 0, 0);		 /* its address */
	chain(k, bucket2 + 16, &socks[3], 1, 80, 0);		 /* who is bound to it */
	chain(k, pointer(k, pointer(k, net + 32)) + 16, &socks[4], 1, 64, 0); /* UDP */
	chain(k, pointer(k, net + 40) + 8 * 511, &socks[5], 1, 64, 0);	      /* unix */
	walk(k, net, &budget, &coverage, &seen);
	assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
	assert_int_equal(seen.count, 7);
	assert_int_equal(seen.socks[0], socks[2]);
	assert_int_equal(seen.socks[1], socks[0]);
	assert_int_equal(seen.socks[2], socks[1]);
	assert_int_equal(seen.socks[3], socks[3]);
	assert_int_equal(seen.socks[4], socks[4]);
	assert_int_equal(seen.socks[5], socks[5]);
	assert_int_equal(seen.socks[6], socks[5]);
	fake_kernel_destroy(k);
}

static void damaged_tables_are_told(void **state)
{
	struct fake_kernel *k = kernel_create();
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_coverage coverage = { 0 };
	uint64_t net = make_net(k), tcp = pointer(k, net + 24), socks[2];
	struct ksma_socket_tables tables;
	struct seen seen;

	for (size_t i = 0; i < ARRAY_SIZE(socks); i++)
		socks[i] = fake_kernel_alloc(k, SOCK, 64);
	chain(k, pointer(k, tcp), socks, 2, 64, socks[0] + 64); /* a cycle */
	tables = walk(k, net, &budget, &coverage, &seen);
	assert_int_equal(tables.torn, 1);
	assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
	chain(k, pointer(k, tcp), socks, 2, 64, 0xdead000000000122); /* LIST_POISON2 and its like */
	tables = walk(k, net, &budget, &coverage, &seen);
	assert_int_equal(tables.torn, 1);
	chain(k, pointer(k, tcp), socks, 2, 64, 1);
	fake_kernel_put(k, tcp + 8, UINT32_MAX, 4); /* 4 billion buckets */
	walk(k, net, &budget, &coverage, &seen);
	assert_int_equal(coverage.state, KSMA_COVERAGE_PARTIAL);
	assert_non_null(strstr(coverage.reason, "impossible size"));
	ksma_coverage_deinit(&coverage);
	coverage = (struct ksma_coverage){ 0 };
	fake_kernel_put(k, tcp + 8, 1 << 20, 4); /* more than there is memory */
	walk(k, net, &budget, &coverage, &seen);
	assert_non_null(strstr(coverage.reason, "not mapped"));
	ksma_coverage_deinit(&coverage);
	coverage = (struct ksma_coverage){ 0 };
	fake_kernel_put(k, tcp + 8, 1, 4);
	budget.nodes = 1;
	walk(k, net, &budget, &coverage, &seen);
	assert_non_null(strstr(coverage.reason, "budget"));
	ksma_coverage_deinit(&coverage);
	coverage = (struct ksma_coverage){ 0 };
	walk(k, 0xdead, &budget, &coverage, &seen);
	assert_int_equal(coverage.state, KSMA_COVERAGE_PARTIAL);
	ksma_coverage_deinit(&coverage);
	fake_kernel_destroy(k);
}

struct alloc_run {
	struct fake_kernel *k;
	uint64_t sock;
};

static struct ksma_error *run_alloc(void *state)
{
	struct alloc_run *run = state;
	struct ksma_socket socket;

	KSMA_TRY(read_sock(run->k, run->sock, &socket));
	free(socket.local);
	free(socket.remote);
	return NULL;
}

static void failed_allocations(void **state)
{
	struct alloc_run run = { .k = kernel_create() };

	run.sock = make_sock(run.k, AF_INET, ESTABLISHED, SOCK_STREAM, IPPROTO_TCP);
	assert_int_equal(fail_alloc_each(run_alloc, &run, FAIL_ALLOC_STRICT), 2);
	fake_kernel_destroy(run.k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_written_as_everywhere),
		cmocka_unit_test(sockets_of_the_internet),
		cmocka_unit_test(sockets_that_begin_and_end),
		cmocka_unit_test(sockets_of_unix),
		cmocka_unit_test(sockets_of_other_families),
		cmocka_unit_test(only_a_socket_has_a_socket),
		cmocka_unit_test(every_table_is_walked),
		cmocka_unit_test(damaged_tables_are_told),
		cmocka_unit_test(failed_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
