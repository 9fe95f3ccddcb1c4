/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of tasks that the checks of credentials, namespaces and single tasks go through. */
#include <inttypes.h>

#include "checks/task_facts.h"
#include "linux/processes.h"

static uint64_t number(struct ksma_kernel *kernel, uint64_t task, int32_t offset)
{
	uint64_t value;

	return offset >= 0 && ksma_kernel_u64(kernel, task + (uint32_t)offset, &value) ? value : 0;
}

/* False when the task has gone: its credentials and its parent are let go of at the very end. */
static bool read_task(struct ksma_kernel *kernel, const struct ksma_process *process,
		      struct ksma_task_facts *ret)
{
	const struct ksma_offsets *off = &kernel->off;
	uint32_t login = KSMA_NO_LOGIN;

	if (off->task_struct__loginuid >= 0 &&
	    !ksma_kernel_u32(kernel, process->task + (uint32_t)off->task_struct__loginuid, &login))
		login = KSMA_NO_LOGIN;
	*ret = (struct ksma_task_facts){
		.task = process->task,
		.mm = process->mm,
		.pid = process->pid,
		.tid = process->tid,
		.flags = process->flags,
		.start_ns = process->start_ns,
		.kernel_thread = process->kernel_thread,
		.loginuid = login,
		.parent = number(kernel, process->task, off->task_struct__real_parent),
		.atomic_flags = number(kernel, process->task, off->task_struct__atomic_flags),
		.real_cred = number(kernel, process->task, off->task_struct__real_cred),
		.cred = number(kernel, process->task, off->task_struct__cred),
		.exec_id = number(kernel, process->task, off->task_struct__self_exec_id),
	};
	memcpy(ret->comm, process->comm, sizeof(ret->comm));
	ret->comm[sizeof(ret->comm) - 1] = 0;
	return ret->real_cred && ret->cred;
}

static int by_task(const void *a, const void *b)
{
	const struct ksma_task_facts *left = a, *right = b;

	return left->task < right->task ? -1 : left->task > right->task;
}

struct ksma_error *ksma_task_table_read(struct ksma_look *look, struct ksma_task_table *ret_table)
{
	_cleanup_(ksma_processes_free) struct ksma_processes list = { 0 };
	struct ksma_task_table table = { 0 };

	KSMA_TRY(KSMA_NEED(look->kernel, task_struct__real_cred));
	KSMA_TRY(KSMA_NEED(look->kernel, task_struct__cred));
	KSMA_TRY(KSMA_NEED(look->kernel, task_struct__real_parent));
	KSMA_TRY(ksma_linux_processes(look->kernel, KSMA_PROCESS_THREADS, look->coverage, &list));
	table.items = calloc(list.count + 1, sizeof(*table.items));
	if (!table.items)
		return ksma_error_nomem();
	for (size_t i = 0; i < list.count; i++)
		table.count += read_task(look->kernel, &list.items[i], &table.items[table.count]);
	qsort(table.items, table.count, sizeof(*table.items), by_task);
	*ret_table = table;
	return NULL;
}

void ksma_task_table_deinit(struct ksma_task_table *table)
{
	free(table->items);
	*table = (struct ksma_task_table){ 0 };
}

const struct ksma_task_facts *ksma_task_table_find(const struct ksma_task_table *table,
						   uint64_t task)
{
	const struct ksma_task_facts key = { .task = task };

	return table->count ? bsearch(&key, table->items, table->count, sizeof(key), by_task)
			    : NULL;
}

struct ksma_error *ksma_finding_task(struct ksma_finding *finding,
				     const struct ksma_task_facts *task)
{
	KSMA_TRY(ksma_finding_number(finding, "pid", (uint64_t)(uint32_t)task->pid));
	KSMA_TRY(ksma_finding_number(finding, "tid", (uint64_t)(uint32_t)task->tid));
	KSMA_TRY(ksma_finding_text(finding, "comm", "%.15s", task->comm));
	return ksma_finding_text(finding, "task", "0x%016" PRIx64, task->task);
}
