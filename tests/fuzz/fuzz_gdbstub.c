/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A debugger's conversation: whoever listens where a gdbstub is looked for answers, and it need not be QEMU. */
#include <sys/socket.h>

#include "guest/gdbstub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* All that the other side ever says is there from the start, and then it is gone: nothing waits. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	const uint64_t address = 0xffffffff81000000;
	struct ksma_gdb_registers registers;
	struct ksma_rsp_stop stop;
	struct ksma_error *error;
	struct ksma_gdb *gdb;
	int fds[2];

	if (length > 1 << 16 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return 0;
	if (send(fds[1], data, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && length)
		abort();
	shutdown(fds[1], SHUT_WR);
	error = ksma_gdb_create(fds[0], "fuzz", 1000, &gdb);
	if (error)
		abort();
	error = ksma_gdb_hello(gdb);
	if (!error && ksma_gdb_threads(gdb) == 0)
		abort();
	if (!error)
		error = ksma_gdb_break(gdb, &address, 1, true);
	if (!error)
		error = ksma_gdb_read(gdb, 1, &registers);
	if (!error)
		error = ksma_gdb_step(gdb, 1, address, &stop);
	if (!error)
		error = ksma_gdb_resume(gdb, 1, NULL, 0);
	if (!error)
		error = ksma_gdb_wait(gdb, 0, &stop);
	ksma_error_destroy(error);
	ksma_gdb_destroy(gdb);
	close(fds[1]);
	return 0;
}
