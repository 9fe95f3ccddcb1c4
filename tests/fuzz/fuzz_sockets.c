/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables of sockets and the sockets in them: whoever owns the guest's kernel writes them, and anyone in the guest names some. */
#include "kernel_input.h"

#include "linux/sockets.h"

enum { NET = 0 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static bool on_socket(void *arg, uint64_t sock)
{
	struct ksma_socket_reader *reader = arg;
	struct ksma_socket socket;
	struct ksma_error *error = ksma_socket_read(reader, sock, &socket, NULL);

	if (!error) {
		if (!memchr(socket.protocol, 0, sizeof(socket.protocol)) ||
		    !memchr(socket.state, 0, sizeof(socket.state)) || strlen(socket.local) > 128 ||
		    strlen(socket.remote) > 128)
			abort();
		free(socket.local);
		free(socket.remote);
	}
	ksma_error_destroy(error);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_budget budget = { KERNEL_INPUT_NODES, 0 };
	struct ksma_coverage coverage = { 0 };
	struct ksma_socket_reader reader;
	struct ksma_socket_tables tables = {
		.budget = &budget, .coverage = &coverage, .fn = on_socket, .arg = &reader
	};
	struct fake_kernel *k;
	uint64_t sock;

	if (length > KERNEL_INPUT_MAX)
		return 0;
	k = kernel_of_input(data, length);
	fake_layout_sockets(&k->kernel);
	fake_kernel_symbol(k, "raw_v4_hashinfo", 1024);
	tables.kernel = &k->kernel;
	if (ksma_socket_reader_init(&reader, &k->kernel))
		abort();
	ksma_error_destroy(ksma_socket_tables_global(&tables));
	ksma_error_destroy(ksma_socket_tables_of_net(&tables, NET));
	ksma_socket_of_file(&k->kernel, 2048, &sock);
	free(tables.seen.items);
	ksma_coverage_deinit(&coverage);
	fake_kernel_destroy(k);
	return 0;
}
