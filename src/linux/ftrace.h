/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The users of ftrace, as the kernel lists them: what they call, where, and by which trampoline. */
#ifndef KSMA_LINUX_FTRACE_H
#define KSMA_LINUX_FTRACE_H

#include "linux/kernel.h"

/* enum ftrace_ops flags, of include/linux/ftrace.h: the same bits from 5.10 to 7.2. */
enum {
	KSMA_FTRACE_OPS_ENABLED = 1 << 0,
	KSMA_FTRACE_OPS_SAVE_REGS = 1 << 2,
	KSMA_FTRACE_OPS_IPMODIFY = 1 << 12,
	KSMA_FTRACE_OPS_DIRECT = 1 << 17,
	KSMA_FTRACE_OPS_SUBOP = 1 << 18,
	/* it is being added, removed or changed */
	KSMA_FTRACE_OPS_MOVING = 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10,
};

/* Flags of a record, of include/linux/ftrace.h. The upper bits are the same everywhere; the counter has 23 bits in 5.10 and 6.1, and 19
 * where FTRACE_FL_CALL_OPS, TOUCHED and MODIFIED took four of them (6.12): so many users no place ever has. */
#define KSMA_FTRACE_REC_ENABLED (1ul << 31)
#define KSMA_FTRACE_REC_REGS (1ul << 30)
#define KSMA_FTRACE_REC_TRAMP (1ul << 28)
#define KSMA_FTRACE_REC_IPMODIFY (1ul << 26)
#define KSMA_FTRACE_REC_DISABLED (1ul << 25)
#define KSMA_FTRACE_REC_DIRECT (1ul << 24)
#define KSMA_FTRACE_REC_COUNT ((1ul << 19) - 1)

/* A place of a hash, and what it calls directly where it does. */
struct ksma_ftrace_entry {
	uint64_t ip;
	uint64_t direct;
};

/* Sorted by place. */
struct ksma_ftrace_hash {
	struct ksma_ftrace_entry *items;
	size_t count, capacity;
};

struct ksma_ftrace_ops {
	uint64_t address;
	uint64_t func, saved_func;
	uint64_t flags;
	uint64_t trampoline, trampoline_size;
	uint64_t direct_call; /* 0: none, or this kernel has no such member */
	uint64_t manager;     /* of a sub-user: the user that it is called by, else 0 */
	uint64_t filter_at, notrace_at;
	struct ksma_ftrace_hash filter; /* empty: every function */
	struct ksma_ftrace_hash notrace;
};

struct ksma_ftrace {
	struct ksma_ftrace_ops *items;
	size_t count, capacity;
	struct ksma_ftrace_hash direct; /* direct_functions, where the kernel has it */
};

/* Reads ftrace_ops_list and all the hashes of its users, as they were at one moment, and with them the sub-users of those that
 * manage others (fgraph, since 6.11).
 * @ret_ftrace ended with ksma_ftrace_deinit()
 * @return NULL, NOT_PRESENT (built without ftrace), UNSUPPORTED, FAULT, BAD_DATA (it changed meanwhile), LIMIT, NOMEM */
struct ksma_error *ksma_linux_ftrace(struct ksma_kernel *kernel,
				     struct ksma_ftrace *ret_ftrace) KSMA_MUST_CHECK;
void ksma_ftrace_deinit(struct ksma_ftrace *ftrace);

/* True when the list and its users are still as they were read. */
bool ksma_ftrace_is_current(struct ksma_kernel *kernel, const struct ksma_ftrace *ftrace);

const struct ksma_ftrace_entry *ksma_ftrace_lookup(const struct ksma_ftrace_hash *hash,
						   uint64_t ip);

/* How many users that the list has are called at this place. */
unsigned ksma_ftrace_users(const struct ksma_ftrace *ftrace, uint64_t ip);

/* Calls `fn` with each record that has a user or a flag of being patched. fn returns false to stop.
 * @return NULL, NOT_PRESENT, UNSUPPORTED, FAULT, BAD_DATA, LIMIT, NOMEM */
typedef bool (*ksma_ftrace_record_fn)(void *arg, uint64_t ip, uint64_t flags);
struct ksma_error *ksma_ftrace_records(struct ksma_kernel *kernel, ksma_ftrace_record_fn fn,
				       void *arg) KSMA_MUST_CHECK;

#endif
