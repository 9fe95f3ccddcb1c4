/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process that outlives the guard: whatever ends the guard, the guest gets its breakpoints removed and runs on.
 *
 * QEMU leaves a guest as it is when its debugger vanishes: stopped, where it happened to be stopped, with its breakpoints. So a second
 * process does nothing but wait for the end of the first, and then connects in its place. It is of another session, takes no signal
 * but those that nobody can refuse, and has nothing open but its end of the pair and the connection, to see whether it is read. It
 * is there before the first connects, for that is what stops the guest. See docs/decisions/0265. */
#ifndef KSMA_GUARD_KEEPER_H
#define KSMA_GUARD_KEEPER_H

#include "base/util.h"

struct ksma_keeper;

/* Starts the process; the guest counts as standing until ksma_keeper_beat() says otherwise.
 * @address for ksma_gdb_release(), once the guard is gone @paused by somebody else, see ksma_keeper_paused()
 * @limit_ms how long the guard may leave a stopped guest alone until it is ended by force; 0: for ever
 * @ret_keeper ended with ksma_keeper_stop() @return NULL, OS, NOMEM */
struct ksma_error *ksma_keeper_start(const char *address, bool paused, unsigned limit_ms,
				     struct ksma_keeper **ret_keeper) KSMA_MUST_CHECK;

/* Shows it the connection to the guest, so that it sees whether the guard reads what it is told. `gdb_fd` stays the caller's.
 * @return NULL, OS */
struct ksma_error *ksma_keeper_show(struct ksma_keeper *keeper, int gdb_fd) KSMA_MUST_CHECK;

/* The guard has let go of the guest: the keeper ends and touches nothing. NULL is fine. */
void ksma_keeper_stop(struct ksma_keeper *keeper);

/* Has the keeper let go of the guest now, as at the guard's end, and waits for that. The guard has closed its own connection: QEMU serves
 * one. NULL is fine. @return true when it is done, false when nobody listens there, or the keeper was ended */
bool ksma_keeper_release(struct ksma_keeper *keeper);

/* The same with no guard: lets go in a process that outlives the caller, which may be killed meanwhile, and waits for it. One try.
 * @return true when it is done; else ksma_gdb_release() tells why */
bool ksma_keeper_let_go(const char *address, bool paused);

/* Says where the guard is; costs two stores. It is said that the guest stands before that is read from the connection, and that it runs after
 * it was let go: whoever ends in between leaves a keeper that knows. @stopped the guest stands still on the guard's behalf */
void ksma_keeper_beat(struct ksma_keeper *keeper, bool stopped);

/* Somebody else paused the guest: it would be wrong to let it run. */
void ksma_keeper_paused(struct ksma_keeper *keeper, bool paused);

/* Is the process still there? Whoever finds it gone starts another one. */
bool ksma_keeper_is_alive(struct ksma_keeper *keeper);

/* To poll, beside the connection: it becomes readable when the keeper ends. */
int ksma_keeper_fd(const struct ksma_keeper *keeper);
int ksma_keeper_pid(const struct ksma_keeper *keeper);

#endif
