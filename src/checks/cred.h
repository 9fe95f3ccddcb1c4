/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One struct cred as numbers, and what the kernel's own code keeps true of any: apart from the walk, so that it can be tested. */
#ifndef KSMA_CHECKS_CRED_H
#define KSMA_CHECKS_CRED_H

#include "linux/kernel.h"

enum {
	KSMA_CAP_DAC_OVERRIDE = 1,
	KSMA_CAP_SETUID = 7,
	KSMA_CAP_SYS_MODULE = 16,
	KSMA_CAP_SYS_PTRACE = 19,
	KSMA_CAP_SYS_ADMIN = 21,
};

/* cred->securebits (include/uapi/linux/securebits.h) */
enum { KSMA_SECBIT_NO_SETUID_FIXUP = 1 << 2, KSMA_SECBIT_KEEP_CAPS = 1 << 4 };

struct ksma_cred {
	uint64_t address;
	int64_t usage;
	uint32_t uid, suid, euid, fsuid, securebits;
	uint64_t inheritable, permitted, effective, bounding, ambient;
	uint64_t user, user_ns, group_info, ucounts;
	uint32_t user_uid;    /* user->uid: follows uid */
	uint32_t ucounts_uid; /* ucounts->uid: follows uid too; uid where there are none */
	uint64_t ucounts_ns;  /* ucounts->ns: follows user_ns */
};

/* Reads a cred and what it points to. @return false when it is not mapped, or the kernel's types lack a member */
bool ksma_cred_read(struct ksma_kernel *kernel, uint64_t address, struct ksma_cred *ret);

/* What contradicts itself in a cred. */
enum ksma_cred_flaw {
	KSMA_CRED_UID =
		1 << 0, /* the user record is that of another uid: ids were overwritten in place */
	KSMA_CRED_EFFECTIVE = 1 << 1, /* effective capabilities that are not permitted */
	KSMA_CRED_AMBIENT =
		1 << 2, /* ambient capabilities that are not permitted and inheritable */
	KSMA_CRED_UNKNOWN = 1 << 3,   /* capabilities that this kernel does not have */
	KSMA_CRED_NAMESPACE = 1 << 4, /* the account record is that of another user namespace */
	KSMA_CRED_ALL =
		1
		<< 5, /* a user who is not root has them all, and nothing that the kernel keeps explains it */
};

/* @param all  every capability that the kernel has: what its first task is permitted
 * @param init_user_ns  its address: what is honest in a user namespace of one's own is not in the first
 * @return a set of enum ksma_cred_flaw */
unsigned ksma_cred_flaws(const struct ksma_cred *cred, uint64_t all, uint64_t init_user_ns);

/* True when nothing in these credentials lets their holder become root: no id is root's, no capability leads there. */
bool ksma_cred_is_unprivileged(const struct ksma_cred *cred);

/* True when a process that had `before` can have `now` only by exec() or by a change of the user namespace. */
bool ksma_cred_grew(const struct ksma_cred *before, const struct ksma_cred *now);

/* The credentials of a task at an earlier look. */
struct ksma_cred_past {
	uint64_t task, start_ns, exec_id;
	struct ksma_cred cred;
};

/* What is remembered of all tasks; sorted by task. Lives in kernel->memories. */
struct ksma_cred_history {
	struct ksma_cred_past *items;
	size_t count;
};

/* Holds a task as it is now against what was remembered of it, and puts what is to be remembered into `ret_next`: the earlier
 * credentials, while they grew in a way that is not honest, so that the next look sees it too.
 * @return the earlier credentials when they grew so, or NULL */
const struct ksma_cred *ksma_cred_compare(const struct ksma_cred_history *history,
					  const struct ksma_cred_past *now,
					  struct ksma_cred_past *ret_next);

void ksma_cred_history_destroy(void *history); /* NULL is fine */

#endif
