/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the socket reader: one socket, the kernel's tables of them, and who holds which. */
#ifndef KSMA_LINUX_SOCKETS_H
#define KSMA_LINUX_SOCKETS_H

#include "linux/window.h"
#include <ksma/linux.h>

/* What is worked out once for many sockets. In the caller's storage; holds no resources. */
struct ksma_socket_reader {
	struct ksma_kernel *kernel;
	struct ksma_window
		common; /* struct sock_common: all that a socket that waits to end, or begins, has */
	struct ksma_window body; /* the rest of struct sock */
	struct ksma_window unix_body;
	uint64_t net; /* of the last socket, and its number: there are few */
	uint32_t netns;
};

/* @return NULL or UNSUPPORTED */
struct ksma_error *ksma_socket_reader_init(struct ksma_socket_reader *reader,
					   struct ksma_kernel *kernel) KSMA_MUST_CHECK;

/* Reads the socket at `sock`: a struct sock, or the smaller inet_timewait_sock or request_sock, as its state says.
 * @ret_socket  local and remote are on the heap; no holder yet
 * @ret_net     may be NULL: the struct net
 * @return NULL, FAULT, BAD_DATA (it changed while it was read), NOMEM */
struct ksma_error *ksma_socket_read(struct ksma_socket_reader *reader, uint64_t sock,
				    struct ksma_socket *ret_socket,
				    uint64_t *ret_net) KSMA_MUST_CHECK;

/* The struct sock of an open file, or 0 when the file is no socket. @return false when it could not be read */
bool ksma_socket_of_file(struct ksma_kernel *kernel, uint64_t file, uint64_t *ret_sock);

/* Text of an address: "127.0.0.1:80", "[::1]:80", "0.0.0.0:*". `address` has 4 bytes for AF_INET, else 16. */
struct ksma_error *ksma_socket_address(unsigned family, const uint8_t *address, uint16_t port,
				       char **ret_text) KSMA_MUST_CHECK;

/* A walk over the kernel's tables. The caller sets the first five. */
typedef bool (*ksma_socket_fn)(void *arg, uint64_t sock);
struct ksma_socket_tables {
	struct ksma_kernel *kernel;
	struct ksma_budget *budget;
	struct ksma_coverage *coverage; /* what could not be read */
	ksma_socket_fn
		fn; /* called with each struct sock, perhaps more than once; returns false to stop */
	void *arg;
	unsigned torn; /* chains that changed under the reader, so that another look may help */
	bool stopped, spent;
	struct {
		uint64_t *items;
		size_t count, capacity;
	} seen; /* tables that namespaces may share; freed by the caller */
};

/* The tables that belong to no network namespace. @return NULL or NOMEM; the rest is a gap */
struct ksma_error *ksma_socket_tables_global(struct ksma_socket_tables *tables) KSMA_MUST_CHECK;

/* The tables of the struct net at `net`, those apart that it shares with one that was walked before. */
struct ksma_error *ksma_socket_tables_of_net(struct ksma_socket_tables *tables,
					     uint64_t net) KSMA_MUST_CHECK;

#endif
