/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A QMP conversation: whoever made a socket at the path of the monitor answers, and it need not be QEMU. */
#include <json-c/json.h>
#include <sys/socket.h>

#include "guest/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* All that the other side ever says is there from the start, and then it is gone: nothing waits. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_qmp_call calls[3] = { { .command = "query-status" },
					  { .command = "human-monitor-command",
					    .arguments = "{\"command-line\":\"info\"}" },
					  { .command = "stop" } };
	struct ksma_error *error;
	struct ksma_qmp *qmp;
	int fds[2];

	if (length > 1 << 16 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return 0;
	if (send(fds[1], data, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && length)
		abort();
	shutdown(fds[1], SHUT_WR);
	error = ksma_qmp_create(fds[0], "fuzz", 1000, &qmp);
	if (error)
		abort();
	error = ksma_qmp_run(qmp, calls, 3);
	for (int i = 0; i < 3; i++)
		if (error ? calls[i].result || calls[i].error : calls[i].result && calls[i].error)
			abort();
	ksma_qmp_calls_deinit(calls, 3);
	ksma_error_destroy(error);
	ksma_error_destroy(ksma_qmp_poll(qmp));
	ksma_qmp_destroy(qmp);
	close(fds[1]);
	return 0;
}
