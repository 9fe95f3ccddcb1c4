/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading task_structs, for the readers and checks that start at a task: linked into the kernel's list or not. */
#ifndef KSMA_LINUX_PROCESSES_H
#define KSMA_LINUX_PROCESSES_H

#include "linux/paths.h"
#include <ksma/linux.h>

enum { KSMA_PF_KTHREAD = 0x00200000 };

/* What may be unreadable for some processes: counted, and reported once. */
enum ksma_task_field {
	KSMA_TASK_CREDENTIALS,
	KSMA_TASK_EXE,
	KSMA_TASK_CMDLINE,
	KSMA_TASK_CGROUP,
	KSMA_TASK_NAMESPACES,
	KSMA_TASK_FIELDS,
};

struct ksma_field_gap {
	uint32_t count;
	int32_t first_pid;
};

/* What is worked out once for many tasks. In the caller's storage; holds no resources. */
struct ksma_task_reader {
	struct ksma_kernel *kernel;
	unsigned flags; /* KSMA_PROCESS_* */
	struct ksma_window head, body, cred, mm;
	bool have_paths;
	struct ksma_paths paths;
	size_t text_left; /* bytes that all paths and command lines together may still take */
	unsigned
		missing; /* a bit for each field that the last reads lacked; the caller clears and counts it */
	bool fleeting; /* something of it may be there a moment later; the caller clears it */
	struct ksma_field_gap gaps[KSMA_TASK_FIELDS];
};

enum ksma_task_state {
	KSMA_TASK_READ,	      /* as it was at one moment */
	KSMA_TASK_GONE,	      /* a task_struct that the kernel let go of */
	KSMA_TASK_TORN,	      /* it changed while it was read */
	KSMA_TASK_UNREADABLE, /* not mapped */
};

/* @return NULL or UNSUPPORTED */
struct ksma_error *ksma_task_reader_init(struct ksma_task_reader *reader,
					 struct ksma_kernel *kernel,
					 unsigned flags) KSMA_MUST_CHECK;

/* The plain facts of a task (those that no flag asks for). Owns nothing. @ret_links may be NULL: next and prev of `tasks` */
enum ksma_task_state ksma_task_read(struct ksma_task_reader *reader, uint64_t task,
				    struct ksma_process *ret_process, uint64_t ret_links[2]);

/* What the reader's flags ask for besides, into a process that ksma_task_read() filled. */
struct ksma_error *ksma_task_details(struct ksma_task_reader *reader,
				     struct ksma_process *process) KSMA_MUST_CHECK;

/* Counts what a process that is reported lacks. */
void ksma_task_count_missing(struct ksma_task_reader *reader, unsigned missing, int32_t pid);

/* Adds what was counted to the coverage. */
void ksma_task_reader_report(const struct ksma_task_reader *reader, struct ksma_coverage *coverage);

/* The leader of a process. Searches the task list; a process that hides from it is still found through the kernel's table of
 * pids. @return NULL or NOT_PRESENT, BAD_DATA, UNSUPPORTED */
struct ksma_error *ksma_task_find(struct ksma_kernel *kernel, int32_t pid,
				  uint64_t *ret_task) KSMA_MUST_CHECK;

/* Process 1 has no memory of its own until it executes init; before it exists, nothing was executed either. False where that cannot be read. */
bool ksma_init_is_to_come(struct ksma_kernel *kernel);

/* True where a second look needs a refresh first, because live memory is seen through copies. A dump stays as it is. */
static inline bool ksma_kernel_is_copied(const struct ksma_kernel *kernel)
{
	return kernel->guest->info.access == KSMA_RAM_COPIED &&
	       kernel->guest->info.kind == KSMA_GUEST_LIVE;
}

/* One open file of a task: its number and struct file. */
struct ksma_fd {
	int32_t fd;
	uint64_t file;
};

struct ksma_fds {
	struct ksma_fd *items;
	size_t count, capacity;
};

/* The table of open files of a task, as it was at one moment. @ret_fds freed with free(items)
 * @return NULL, BAD_DATA (it kept changing, or is no table), LOST, LIMIT, NOMEM */
struct ksma_error *ksma_task_fds(struct ksma_kernel *kernel, uint64_t task,
				 struct ksma_fds *ret_fds) KSMA_MUST_CHECK;

#endif
