/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client of QEMU's machine protocol (QMP) over a unix socket: pipelined calls, events in between, file descriptors along.
 *
 * QEMU is trusted, but what answers on a socket need not be QEMU: messages are bounded in size and depth, every step has a
 * time limit, and an answer that does not fit is BAD_DATA. QEMU serves one client a socket, and a second one waits in its
 * backlog without a greeting. Source: docs/interop/qmp-spec.txt of QEMU. */
#ifndef KSMA_GUEST_QMP_H
#define KSMA_GUEST_QMP_H

#include "base/util.h"

struct json_object;
struct ksma_qmp;

enum {
	KSMA_QMP_MESSAGE_MAX =
		16 << 20, /* bytes of one message; `info mtree -f` of a large machine is 100 KiB */
	KSMA_QMP_CALLS_MAX = 128, /* calls of one batch */
};

/* One command of a batch. The caller fills the upper half, the run fills the lower. */
struct ksma_qmp_call {
	const char *command;	    /* name of a QMP command */
	const char *arguments;	    /* JSON text of its arguments, or NULL */
	int fd;			    /* is passed along where it is above 0; stays the caller's */
	struct json_object *result; /* what it returned; NULL on failure */
	struct ksma_error *
		error; /* UNSUPPORTED where QEMU has no such command, else INVALID with QEMU's words */
	uint64_t
		elapsed_us; /* how long it took, where it ran by itself (libvirt); 0 in a pipeline */
};

/* Events seen so far. */
struct ksma_qmp_events {
	unsigned resets;    /* RESET: the guest rebooted or was reset */
	unsigned shutdowns; /* SHUTDOWN, POWERDOWN is only a request and not counted */
	unsigned stops, resumes;
	unsigned migrations; /* MIGRATION that completed */
	uint64_t stop_us;    /* wall clock of the last STOP, as QEMU gives it */
	uint64_t paused_us;  /* sum of the times from STOP to RESUME */
};

/* Takes over a connected stream socket, and waits for nothing. @name for messages, copied
 * @timeout_ms limit of each later step. @return NULL or NOMEM; the socket is closed on failure */
struct ksma_error *ksma_qmp_create(int fd, const char *name, unsigned timeout_ms,
				   struct ksma_qmp **ret_qmp) KSMA_MUST_CHECK;
void ksma_qmp_destroy(struct ksma_qmp *qmp);

/* Waits for the greeting, where it did not come yet. */
struct ksma_error *ksma_qmp_greet(struct ksma_qmp *qmp) KSMA_MUST_CHECK;

/* Runs calls, all written at once. A call that QEMU refuses has its own error and does not stop the others.
 * @return NULL, or the connection's end: TIMEOUT, LOST, BAD_DATA, NOMEM; then no call has a result */
struct ksma_error *ksma_qmp_run(struct ksma_qmp *qmp, struct ksma_qmp_call *calls,
				size_t count) KSMA_MUST_CHECK;

/* Reads what has come by itself, without waiting. @return NULL, LOST or BAD_DATA */
struct ksma_error *ksma_qmp_poll(struct ksma_qmp *qmp) KSMA_MUST_CHECK;

const struct ksma_qmp_events *ksma_qmp_events(const struct ksma_qmp *qmp);
const char *ksma_qmp_name(const struct ksma_qmp *qmp);
int ksma_qmp_fd(const struct ksma_qmp *qmp); /* to poll; stays the client's */

/* TIMEOUT for a monitor that takes the connection and does not greet. */
struct ksma_error *ksma_qmp_silent(const char *name) KSMA_MUST_CHECK;

/* Ends results and errors of calls, so that they can be used again. */
void ksma_qmp_calls_deinit(struct ksma_qmp_call *calls, size_t count);

/* Takes apart the answer to one command, {"return": …} or {"error": …}; also for monitors reached through libvirt.
 * @answer stays the caller's @return NULL with *ret_result (a new reference), or the error that it holds */
struct ksma_error *ksma_qmp_answer(struct json_object *answer, const char *command,
				   struct json_object **ret_result) KSMA_MUST_CHECK;

#endif
