/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client of QEMU's gdbstub: hardware breakpoints, registers of one vCPU, and the guest going on, in as few turns as there can be.
 *
 * A guest stops when a client connects, and again at each breakpoint: all its vCPUs at once. A client that vanishes leaves the guest
 * as it is, so whoever connects sees to it that ksma_gdb_detach() is called in the end by somebody (guard/keeper.h). Breakpoints are
 * those of the processor (Z1): nothing is written to guest memory. Source: gdbstub.c of QEMU. */
#ifndef KSMA_GUEST_GDBSTUB_H
#define KSMA_GUEST_GDBSTUB_H

#include "guest/rsp.h"

struct ksma_gdb;

enum { KSMA_GDB_BREAKPOINTS = 4, KSMA_GDB_TIMEOUT_MS = 5000 };

/* Registers of one vCPU; what the guest has not got is 0. */
struct ksma_gdb_registers {
	unsigned thread; /* vCPU number plus one */
	uint64_t value[KSMA_RSP_REGISTERS];
};

/* What to change in a stopped vCPU. */
struct ksma_gdb_change {
	enum ksma_rsp_register which;
	uint64_t value;
};

/* Connects to "unix:PATH" or "tcp:HOST:PORT" (any other text is a path), and says nothing yet; QEMU stops the guest.
 * @return NULL, NOT_PRESENT, PERMISSION, OS, INVALID, NOMEM */
struct ksma_error *ksma_gdb_connect(const char *address, unsigned timeout_ms,
				    struct ksma_gdb **ret_gdb) KSMA_MUST_CHECK;

/* Takes over a connected stream socket; it is closed on failure too. */
struct ksma_error *ksma_gdb_create(int fd, const char *name, unsigned timeout_ms,
				   struct ksma_gdb **ret_gdb) KSMA_MUST_CHECK;

/* Closes the connection. The guest stays as it is: see ksma_gdb_detach(). */
void ksma_gdb_destroy(struct ksma_gdb *gdb);

/* Begins the conversation, once for each connection: the guest is stopped afterwards, has no breakpoints, whoever set them, and its
 * vCPUs and registers are known. @return NULL, TIMEOUT, LOST, BAD_DATA, UNSUPPORTED, NOMEM */
struct ksma_error *ksma_gdb_hello(struct ksma_gdb *gdb) KSMA_MUST_CHECK;

/* Removes all breakpoints and lets the guest run on. Nothing more can be said on this connection: QEMU 7.2 dies of it. */
struct ksma_error *ksma_gdb_detach(struct ksma_gdb *gdb) KSMA_MUST_CHECK;

/* The whole way out for a guest in any state, on a connection of its own: breakpoints are removed, the guest runs.
 * @resume false: the guest stays paused, for somebody else paused it */
struct ksma_error *ksma_gdb_release(const char *address, unsigned timeout_ms,
				    bool resume) KSMA_MUST_CHECK;

/* Sets or removes hardware breakpoints at all vCPUs of a stopped guest, in one turn.
 * @return NULL, LIMIT (the processor has no more), or the connection's end */
struct ksma_error *ksma_gdb_break(struct ksma_gdb *gdb, const uint64_t *addresses, size_t count,
				  bool set) KSMA_MUST_CHECK;

/* Registers of one vCPU of a stopped guest. */
struct ksma_error *ksma_gdb_read(struct ksma_gdb *gdb, unsigned thread,
				 struct ksma_gdb_registers *ret_registers) KSMA_MUST_CHECK;

/* Changes registers of one vCPU of a stopped guest and lets all vCPUs run; nothing is said in between, so that a client that dies has
 * done both or nothing. `count` may be 0. */
struct ksma_error *ksma_gdb_resume(struct ksma_gdb *gdb, unsigned thread,
				   const struct ksma_gdb_change *changes,
				   size_t count) KSMA_MUST_CHECK;

/* Lets one vCPU execute one instruction, past a breakpoint at `address`, while the others stand. The guest is stopped again then.
 * @ret_stop how it ended: not by signal 5 where somebody paused the guest */
struct ksma_error *ksma_gdb_step(struct ksma_gdb *gdb, unsigned thread, uint64_t address,
				 struct ksma_rsp_stop *ret_stop) KSMA_MUST_CHECK;

/* Waits for a running guest to stop. @timeout_ms 0 looks only, -1 for ever; *ret_stop is NO_STOP when nothing came. A signal ends
 * the waiting as its end does. @return NULL, LOST, BAD_DATA, OS */
struct ksma_error *ksma_gdb_wait(struct ksma_gdb *gdb, int timeout_ms,
				 struct ksma_rsp_stop *ret_stop) KSMA_MUST_CHECK;

/* Waits until there is something to hear from a running guest, and does not hear it yet. A signal ends the waiting.
 * @timeout_ms as for ksma_gdb_wait() @return NULL, OS */
struct ksma_error *ksma_gdb_poll(struct ksma_gdb *gdb, int timeout_ms,
				 bool *ret_ready) KSMA_MUST_CHECK;

/* Stops a running guest, and waits until it stands. @ret_stop a breakpoint may have been hit first; NO_STOP: it stood already, and nobody tells why */
struct ksma_error *ksma_gdb_interrupt(struct ksma_gdb *gdb,
				      struct ksma_rsp_stop *ret_stop) KSMA_MUST_CHECK;

/* How many vCPUs there were at the last ksma_gdb_hello() or ksma_gdb_count(). */
unsigned ksma_gdb_threads(const struct ksma_gdb *gdb);

/* Counts the vCPUs of a stopped guest: one may have been plugged in. */
struct ksma_error *ksma_gdb_count(struct ksma_gdb *gdb) KSMA_MUST_CHECK;

int ksma_gdb_fd(const struct ksma_gdb *gdb); /* to poll; stays the client's */

#endif
