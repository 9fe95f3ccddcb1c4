/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What checks that go from task to task want to know of each: threads too, with a quick way from a task to its parent. */
#ifndef KSMA_CHECKS_TASK_FACTS_H
#define KSMA_CHECKS_TASK_FACTS_H

#include "checks/check.h"

/* task->flags (include/linux/sched.h) */
enum {
	KSMA_PF_EXITING = 0x4,
	KSMA_PF_FORKNOEXEC = 0x40, /* forked and has not called exec() since */
};

/* task->atomic_flags */
enum { KSMA_PFA_NO_NEW_PRIVS = 0 };

#define KSMA_NO_LOGIN UINT32_MAX /* loginuid of what no login started */

struct ksma_task_facts {
	uint64_t task, mm, parent, real_cred, cred;
	uint64_t exec_id;      /* self_exec_id: rises at each exec() */
	uint64_t atomic_flags; /* 0 where the kernel has none */
	uint64_t start_ns;
	int32_t pid, tid;
	uint32_t flags, loginuid;
	bool kernel_thread;
	char comm[16];
};

struct ksma_task_table {
	struct ksma_task_facts *items; /* sorted by task */
	size_t count;
};

/* Reads all tasks of the task list and their threads; gaps go to the look's coverage.
 * @ret_table freed with ksma_task_table_deinit() */
struct ksma_error *ksma_task_table_read(struct ksma_look *look,
					struct ksma_task_table *ret_table) KSMA_MUST_CHECK;
void ksma_task_table_deinit(struct ksma_task_table *table);

/* The facts of the task at `task`, or NULL. */
const struct ksma_task_facts *ksma_task_table_find(const struct ksma_task_table *table,
						   uint64_t task);

/* Adds pid, tid, comm and task to a finding. */
struct ksma_error *ksma_finding_task(struct ksma_finding *finding,
				     const struct ksma_task_facts *task) KSMA_MUST_CHECK;

#endif
