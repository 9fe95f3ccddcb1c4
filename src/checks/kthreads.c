/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose code do threads of the kernel run: the functions that they were made for, the work that they do, and what is on their stacks?
 *
 * struct kthread is behind worker_private (e32cf5dfbe22 "kthread: Generalize pf_io_worker so it can point to struct kthread", 5.17) or
 * behind set_child_tid; pools of workers as in kernel/workqueue.c. */
#include <inttypes.h>

#include "base/bytes.h"
#include "checks/check.h"
#include "checks/hooks.h"
#include "checks/owners.h"
#include "checks/pages.h"
#include "linux/processes.h"
#include "linux/retry.h"

enum {
	STACK_MAX = 64 << 10,
	INT3 = 0xcc,
	CALL_BYTES = 8,
	PERSIST_MS = 1500, /* code that ran once is freed a grace period later */
};

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	const struct ksma_pages *pages;
	uint8_t *stack;
	struct ksma_error *error;
	bool stale; /* the function is one that ran: its memory may be somebody else's by now */
};

static struct ksma_error *check(struct survey *s, uint64_t place, uint64_t function,
				const char *kind, const char *what)
{
	struct ksma_hook hook = { .place = place, .function = function, .what = what };
	enum ksma_hook_target target = ksma_hook_target(s->look, function);
	char id[96], name[128];
	uint64_t again;

	if (target != KSMA_HOOK_NOBODY && (target != KSMA_HOOK_STRAY || s->stale))
		return NULL;
	if (s->stale && !ksma_pages_is_code(s->pages, function))
		return NULL;
	if (!ksma_kernel_u64(s->kernel, place, &again) || again != function)
		return NULL; /* it is about something else by now */
	snprintf(id, sizeof(id), "%s/%.40s", kind,
		 ksma_hook_name(s->kernel, function, name, sizeof(name)));
	hook.id = id;
	return ksma_hook_check(s->look, &hook, NULL);
}

static struct ksma_error *check_thread(struct survey *s, const struct ksma_process *thread)
{
	const struct ksma_offsets *off = &s->kernel->off;
	int32_t member = off->task_struct__worker_private != KSMA_NO_MEMBER
				 ? off->task_struct__worker_private
				 : off->task_struct__set_child_tid;
	uint64_t kthread, function;
	char what[64];

	if (member == KSMA_NO_MEMBER || off->kthread__threadfn == KSMA_NO_MEMBER) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel does not say what its threads were made for");
		return NULL;
	}
	if (!ksma_kernel_u64(s->kernel, thread->task + (uint64_t)member, &kthread) || !kthread ||
	    !ksma_kernel_u64(s->kernel, kthread + (uint64_t)off->kthread__threadfn, &function))
		return NULL; /* kthreadd, and helpers that are about to become programs */
	snprintf(what, sizeof(what), "the function of kernel thread %d (%.16s)", thread->pid,
		 thread->comm);
	return check(s, kthread + (uint64_t)off->kthread__threadfn, function, "thread", what);
}

/* A return address follows a call; free room in a pool of executable memory is all traps. */
static bool follows_traps(struct survey *s, uint64_t address)
{
	uint8_t bytes[CALL_BYTES];

	if (!ksma_kernel_bytes(s->kernel, address - sizeof(bytes), bytes, sizeof(bytes)))
		return true;
	for (size_t i = 0; i < sizeof(bytes); i++)
		if (bytes[i] != INT3)
			return false;
	return true;
}

static struct ksma_error *report_stack(struct survey *s, const struct ksma_process *task,
				       uint64_t place, uint64_t found)
{
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "stack/pid%d",
				  task->pid));
	finding->persist_ms = PERSIST_MS;
	KSMA_TRY(ksma_finding_title(finding,
				    "process %d (%.16s) waits in code that belongs to nobody",
				    task->pid, task->comm));
	KSMA_TRY(ksma_finding_number(finding, "pid", (uint64_t)task->pid));
	KSMA_TRY(ksma_finding_address(s->look, finding, "place", place));
	return ksma_finding_code(s->look, finding, "found", found);
}

/* The part of a stack that is in use, of any task that sleeps. Only the first such word is told. */
static struct ksma_error *check_stack(struct survey *s, const struct ksma_process *task)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t stack, sp, size;

	if (off->task_struct__stack == KSMA_NO_MEMBER ||
	    off->task_struct__thread_sp == KSMA_NO_MEMBER) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel does not say where its stacks lie");
		return NULL;
	}
	if (!ksma_kernel_u64(s->kernel, task->task + (uint64_t)off->task_struct__stack, &stack) ||
	    !ksma_kernel_u64(s->kernel, task->task + (uint64_t)off->task_struct__thread_sp, &sp) ||
	    sp < stack || sp - stack >= STACK_MAX || (sp & 7))
		return NULL;
	/* Stacks are as large as they are aligned (THREAD_SIZE): 16 KiB, and 32 with a sanitizer. */
	size = ksma_align_up(sp + 1, 16384) - sp;
	if (!ksma_kernel_bytes(s->kernel, sp, s->stack, size))
		return NULL;
	for (uint64_t at = 0; at + 8 <= size; at += 8) {
		uint64_t word = ksma_le64(s->stack + at), again;

		if (word < s->kernel->page_offset || ksma_kernel_is_text(s->kernel, word) ||
		    !ksma_pages_is_code(s->pages, word) ||
		    (word >= s->kernel->image && word < s->kernel->image_end) ||
		    ksma_owners_has_page(s->look->owners, word & ~0xfffull) ||
		    follows_traps(s, word))
			continue;
		if (!ksma_kernel_u64(s->kernel, sp + at, &again) || again != word)
			continue;
		return report_stack(s, task, sp + at, word);
	}
	return NULL;
}

static struct ksma_error *check_tasks(struct survey *s)
{
	struct ksma_processes tasks = { 0 };
	struct ksma_error *error;

	KSMA_TRY(ksma_linux_processes(s->kernel, KSMA_PROCESS_THREADS, s->look->coverage, &tasks));
	error = NULL;
	for (size_t i = 0; i < tasks.count && !error; i++) {
		if (tasks.items[i].kernel_thread)
			error = check_thread(s, &tasks.items[i]);
		if (!error)
			error = check_stack(s, &tasks.items[i]);
	}
	ksma_processes_free(&tasks);
	return error;
}

/* One worker of a pool: what it does, and what it did last. */
static bool take_worker(void *arg, uint64_t node)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;
	const int32_t members[] = { off->worker__current_func, off->worker__last_func };
	uint64_t worker = node - (uint64_t)off->worker__node, function;

	for (size_t i = 0; i < ARRAY_SIZE(members) && !s->error; i++) {
		if (members[i] == KSMA_NO_MEMBER ||
		    !ksma_kernel_u64(s->kernel, worker + (uint64_t)members[i], &function))
			continue;
		s->stale = members[i] == off->worker__last_func;
		s->error = check(s, worker + (uint64_t)members[i], function, "work",
				 s->stale ? "the last work of a worker" : "the work of a worker");
	}
	s->stale = false;
	return !s->error;
}

static bool take_work(void *arg, uint64_t node)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t place =
		node - (uint64_t)off->work_struct__entry + (uint64_t)off->work_struct__func;
	uint64_t function;

	if (ksma_kernel_u64(s->kernel, place, &function))
		s->error = check(s, place, function, "work", "work that waits for a worker");
	return !s->error;
}

static struct ksma_error *walk(struct survey *s, uint64_t head, ksma_list_fn fn, const char *what)
{
	struct ksma_error *error = NULL;
	unsigned look = 0;
	bool again;

	do {
		struct ksma_budget budget = ksma_budget_default();

		ksma_error_destroy(error);
		error = ksma_kernel_list(s->kernel, head, &budget, fn, s);
		if (s->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(s->error);
		}
		if (!error ||
		    (error->code != KSMA_ERROR_BAD_DATA && error->code != KSMA_ERROR_FAULT))
			break;
		KSMA_TRY(ksma_kernel_look_again(s->kernel, &look, &again));
	} while (again);
	return ksma_coverage_take(s->look->coverage, KSMA_COVERAGE_PARTIAL, error, what);
}

static bool take_pool(void *arg, uint64_t id, uint64_t pool)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;

	(void)id;
	s->error = walk(s, pool + (uint64_t)off->worker_pool__workers, take_worker, "workers");
	if (!s->error)
		s->error = walk(s, pool + (uint64_t)off->worker_pool__worklist, take_work,
				"work that waits");
	return !s->error;
}

static struct ksma_error *check_pools(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t pools = ksma_kernel_symbol(s->kernel, "worker_pool_idr");
	struct ksma_error *error;
	unsigned attempt = 0;

	if (!pools || off->worker_pool__workers == KSMA_NO_MEMBER ||
	    off->worker_pool__worklist == KSMA_NO_MEMBER || off->worker__node == KSMA_NO_MEMBER ||
	    off->worker__current_func == KSMA_NO_MEMBER ||
	    off->work_struct__entry == KSMA_NO_MEMBER || off->work_struct__func == KSMA_NO_MEMBER) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel does not say how its workers are kept");
		return NULL;
	}
	do {
		struct ksma_budget budget = ksma_budget_default();

		/* idr_rt is the first member of struct idr. */
		error = ksma_kernel_xarray(s->kernel, pools, &budget, take_pool, s);
		if (s->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(s->error);
		}
	} while (ksma_kernel_retry(s->kernel, &attempt, &error));
	return ksma_coverage_take(s->look->coverage, KSMA_COVERAGE_PARTIAL, error,
				  "pools of workers");
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look, .kernel = look->kernel };
	struct ksma_error *error;

	KSMA_TRY(ksma_look_pages(look, &s.pages));
	s.stack = malloc(STACK_MAX);
	if (!s.stack)
		return ksma_error_nomem();
	error = check_tasks(&s);
	if (!error)
		error = check_pools(&s);
	free(s.stack);
	return error;
}

const struct ksma_check ksma_check_kthreads = {
	.info = {
		.name = "kthreads",
		.title = "Kernel threads, workqueues and kernel stacks",
		.attack = "T1014",
		.needs = "memory",
		.structures = "task_struct.worker_private or set_child_tid: kthread.threadfn; worker_pool_idr: workers and work; the kernel stacks of all tasks",
		.why = "A thread or a work item of its own lets hidden code watch and act; a task that sleeps inside hidden code gives it away by its "
		       "stack, whatever hook led there.",
		.cost = "0.8 ms",
		.false_alarms = "Work comes and goes: what leads nowhere is read again in its place. Stacks hold old return addresses into code that was "
				"freed: they count only where code still is, belongs to nobody, and stays.",
		.todo = "Its code is what to look at: `found_owner` names it. A thread without an owner outlives the module that was "
			"taken away from under it.",
	},
	.run = run,
};
