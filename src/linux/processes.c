/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The task list of a running guest, as it was at some moment of the look.
 *
 * Nothing is locked, so a walk is believed for what it can prove: every entry pointed back at the one before it, and still hung
 * between its neighbours after it had been read; the walk came back to the head. Otherwise it starts again, a bounded number of
 * times. What a task points at is read afterwards, and counts only when the task is still the same one then. */
#include "linux/processes.h"
#include "linux/retry.h"

enum {
	TASKS_MAX = 1 << 18,   /* more than a guest runs, few enough to hold */
	LOOKS_AT_NOTHING = 16, /* at a page that is not there: some milliseconds */
};

struct task_walk {
	struct ksma_task_reader *reader;
	struct ksma_budget *budget;
	struct ksma_processes *list;
	bool tolerant; /* the last attempt: broken links are followed, and make the answer partial */
	bool broken;
};

static struct ksma_error *torn(uint64_t entry, const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "the task list at 0x%llx %s",
				 (unsigned long long)entry, what);
}

static void clear(struct ksma_processes *processes)
{
	for (size_t i = 0; i < processes->count; i++)
		ksma_process_deinit(&processes->items[i]);
	processes->count = 0;
}

static struct ksma_error *append(struct task_walk *walk, const struct ksma_process *process)
{
	struct ksma_process *item;

	if (walk->list->count >= TASKS_MAX)
		return ksma_error_create(KSMA_ERROR_LIMIT, "more than %d tasks", TASKS_MAX);
	KSMA_TRY(KSMA_ARRAY_PUSH(walk->list, &item));
	*item = *process;
	return NULL;
}

/* Back pointers rule out a circle; where they are not believed, Brent's way finds it. */
struct circle {
	uint64_t mark, lap, steps;
};

static bool is_circle(struct circle *circle, uint64_t entry)
{
	if (entry == circle->mark)
		return true;
	if (++circle->steps >= circle->lap) {
		circle->mark = entry;
		circle->lap = circle->lap * 2 + 1;
		circle->steps = 0;
	}
	return false;
}

/* What one step of a list of tasks found. */
struct step {
	uint64_t next;
	struct ksma_process process;
	bool usable; /* the process is to be listed */
};

/* Reads the task whose list_head at offset `node` is `entry`, which follows `previous`. */
static struct ksma_error *take_step(struct task_walk *walk, uint64_t entry, uint64_t previous,
				    int32_t node, struct step *step)
{
	struct ksma_kernel *kernel = walk->reader->kernel;
	enum ksma_task_state state;
	uint64_t links[2], back;
	bool linked;

	if (!ksma_budget_spend(walk->budget))
		return ksma_budget_error("the task list");
	if (!ksma_kernel_bytes(kernel, entry, links, sizeof(links)))
		return torn(entry, "leads to memory that is not mapped");
	walk->reader->missing = 0;
	state = ksma_task_read(walk->reader, entry - (uint32_t)node, &step->process, NULL);
	linked = links[1] == previous && ksma_kernel_u64(kernel, previous, &back) && back == entry;
	step->next = links[0];
	step->usable = state == KSMA_TASK_READ;
	/* A task that ended is without a pid for a moment before it leaves the list; a moment lasts as long as the host lets it. */
	if (linked && (state == KSMA_TASK_READ || state == KSMA_TASK_GONE))
		return NULL;
	if (!walk->tolerant)
		return torn(entry, linked ? "holds a task that cannot be read, or changed meanwhile"
					  : "does not hang together");
	walk->broken = true;
	return NULL;
}

/* The other threads of a process, from signal->thread_head: in every kernel since 0c740d0afc3b ("introduce for_each_thread()",
 * 3.14), whereas thread_group is gone since 8e1f385104ac ("kill task_struct->thread_group", 6.7). */
static struct ksma_error *walk_threads(struct task_walk *walk, const struct ksma_process *leader)
{
	struct ksma_kernel *kernel = walk->reader->kernel;
	int32_t node = kernel->off.task_struct__thread_node;
	uint64_t signal, head, entry, previous, last;
	struct circle circle = { 0 };
	struct step step;

	if (!ksma_kernel_u64(kernel, leader->task + (uint32_t)kernel->off.task_struct__signal,
			     &signal) ||
	    signal == 0)
		return torn(leader->task, "lost its threads");
	previous = head = signal + (uint32_t)kernel->off.signal_struct__thread_head;
	if (!ksma_kernel_u64(kernel, head, &entry))
		return torn(head, "leads to memory that is not mapped");
	while (entry != head) {
		KSMA_TRY(take_step(walk, entry, previous, node, &step));
		if (step.usable && step.process.pid != leader->pid)
			return torn(entry, "mixes the threads of two processes");
		if (step.usable && step.process.task != leader->task)
			KSMA_TRY(append(walk, &step.process));
		if (is_circle(&circle, entry))
			return torn(entry, "goes in circles");
		previous = entry;
		entry = step.next;
	}
	if (!ksma_kernel_u64(kernel, head + 8, &last) || last != previous)
		return torn(head, "does not end where its head says");
	return NULL;
}

/* In the last attempt a process whose threads make no sense is listed without them. */
static struct ksma_error *add_threads(struct task_walk *walk, const struct ksma_process *leader)
{
	struct ksma_error *error;

	if (!(walk->reader->flags & KSMA_PROCESS_THREADS))
		return NULL;
	error = walk_threads(walk, leader);
	if (!error || !walk->tolerant || error->code != KSMA_ERROR_BAD_DATA)
		return error;
	ksma_error_destroy(error);
	walk->broken = true;
	return NULL;
}

static struct ksma_error *walk_tasks(struct task_walk *walk, uint64_t head)
{
	struct ksma_kernel *kernel = walk->reader->kernel;
	int32_t node = kernel->off.task_struct__tasks;
	uint64_t entry, previous = head, last;
	struct circle circle = { 0 };
	struct step step;

	if (!ksma_kernel_u64(kernel, head, &entry))
		return torn(head, "leads to memory that is not mapped");
	while (entry != head) {
		KSMA_TRY(take_step(walk, entry, previous, node, &step));
		if (step.usable) {
			KSMA_TRY(append(walk, &step.process));
			KSMA_TRY(add_threads(walk, &step.process));
		}
		if (is_circle(&circle, entry))
			return torn(entry, "goes in circles");
		previous = entry;
		entry = step.next;
	}
	if (!ksma_kernel_u64(kernel, head + 8, &last) || last != previous) {
		if (!walk->tolerant)
			return torn(head, "does not end where its head says");
		walk->broken = true;
	}
	return NULL;
}

/* What makes the walk's errors worth another try. */
static bool is_passing(const struct ksma_error *error)
{
	return error && error->code == KSMA_ERROR_BAD_DATA;
}

static struct ksma_error *list_tasks(struct ksma_task_reader *reader, struct ksma_budget *budget,
				     struct ksma_coverage *coverage, struct ksma_processes *list)
{
	struct ksma_kernel *kernel = reader->kernel;
	struct task_walk walk = { .reader = reader, .budget = budget, .list = list };
	struct ksma_error *error = NULL;
	unsigned look = 0;
	uint64_t init;
	bool again;

	KSMA_TRY(ksma_kernel_need_symbol(kernel, "init_task", &init));
	for (;;) {
		clear(list);
		error = walk_tasks(&walk, init + (uint32_t)kernel->off.task_struct__tasks);
		if (!is_passing(error) || walk.tolerant)
			break;
		ksma_error_destroy(error);
		KSMA_TRY(ksma_kernel_look_again(kernel, &look, &again));
		walk.tolerant = !again;
	}
	if (!error && !walk.broken)
		return NULL;
	if (error && error->code != KSMA_ERROR_BAD_DATA && error->code != KSMA_ERROR_LIMIT)
		return error;
	/* What was read is true, but it is not all there is to say. */
	ksma_coverage_gap(coverage, KSMA_COVERAGE_PARTIAL,
			  "the task list kept changing, or was tampered with, in %u looks", look);
	ksma_coverage_error(coverage, KSMA_COVERAGE_PARTIAL, error, "task list");
	return NULL;
}

static bool is_same(const struct ksma_process *a, const struct ksma_process *b)
{
	return a->task == b->task && a->pid == b->pid && a->tid == b->tid &&
	       a->start_ns == b->start_ns && a->mm == b->mm && a->pgd == b->pgd &&
	       a->uid == b->uid && a->euid == b->euid && a->suid == b->suid &&
	       a->fsuid == b->fsuid && a->gid == b->gid && a->egid == b->egid &&
	       a->sgid == b->sgid && a->fsgid == b->fsgid && a->cap_effective == b->cap_effective &&
	       a->cap_permitted == b->cap_permitted &&
	       memcmp(a->comm, b->comm, sizeof(a->comm)) == 0;
}

static void drop_details(struct ksma_process *process)
{
	free(process->exe);
	free(process->cmdline);
	free(process->cgroup);
	process->exe = process->cmdline = process->cgroup = NULL;
	process->cmdline_length = 0;
	process->exe_deleted = false;
	process->ns_pid = process->ns_mnt = process->ns_net = process->ns_user = 0;
	process->ns_uts = process->ns_ipc = process->ns_cgroup = process->ns_time = 0;
}

/* What is known of an entry while its details are looked up. */
struct pending {
	bool done, gone;
	bool fleeting; /* what is missing may come back */
	uint8_t missing;
};

/* Looks at the task again: the same as before, and what was read meanwhile is true of it; or another try; or it is gone. */
static void confirm(struct ksma_task_reader *reader, struct ksma_process *process,
		    struct pending *pending, unsigned look)
{
	struct ksma_process now;
	uint8_t missing = pending->missing;

	reader->missing = 0;
	switch (ksma_task_read(reader, process->task, &now, NULL)) {
	case KSMA_TASK_READ:
		break;
	case KSMA_TASK_TORN:
		return;
	default:
		pending->gone = pending->done = true;
		return;
	}
	if (now.pid != process->pid || now.tid != process->tid ||
	    now.start_ns != process->start_ns) {
		pending->gone = pending->done = true;
		return;
	}
	if (!is_same(&now, process)) {
		drop_details(process);
		*process = now;
		return;
	}
	if (pending->fleeting && look < LOOKS_AT_NOTHING)
		return;
	ksma_task_count_missing(reader, missing | reader->missing, process->pid);
	pending->done = true;
}

static struct ksma_error *look_up(struct ksma_task_reader *reader, struct ksma_processes *list,
				  struct pending *pending, unsigned look)
{
	for (size_t i = 0; i < list->count; i++) {
		if (pending[i].done)
			continue;
		drop_details(&list->items[i]);
		reader->missing = 0;
		reader->fleeting = false;
		KSMA_TRY(ksma_task_details(reader, &list->items[i]));
		pending[i].missing = (uint8_t)reader->missing;
		pending[i].fleeting = reader->fleeting;
		if (!ksma_kernel_is_copied(reader->kernel))
			confirm(reader, &list->items[i], &pending[i], look);
	}
	if (!ksma_kernel_is_copied(reader->kernel))
		return NULL;
	KSMA_TRY(ksma_kernel_refresh(reader->kernel));
	for (size_t i = 0; i < list->count; i++)
		if (!pending[i].done)
			confirm(reader, &list->items[i], &pending[i], look);
	return NULL;
}

/* Takes out the tasks that ended while we looked: they are no more. */
static void remove_gone(struct ksma_processes *list, const struct pending *pending)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (pending[i].gone)
			ksma_process_deinit(&list->items[i]);
		else
			list->items[kept++] = list->items[i];
	}
	list->count = kept;
}

static struct ksma_error *add_details(struct ksma_task_reader *reader, struct ksma_processes *list,
				      struct ksma_coverage *coverage)
{
	_cleanup_free_ struct pending *pending = calloc(list->count + 1, sizeof(*pending));
	size_t left = list->count, changing = 0;
	unsigned look = 0;
	bool again = true;

	if (!pending)
		return ksma_error_nomem();
	/* A dump shows nothing new to a second look. */
	if (reader->kernel->guest->info.kind != KSMA_GUEST_LIVE)
		look = LOOKS_AT_NOTHING;
	while (left && again) {
		KSMA_TRY(look_up(reader, list, pending, look));
		left = 0;
		for (size_t i = 0; i < list->count; i++)
			left += !pending[i].done;
		if (left)
			KSMA_TRY(ksma_kernel_look_again(reader->kernel, &look, &again));
	}
	for (size_t i = 0; i < list->count; i++) {
		if (pending[i].done)
			continue;
		changing++;
		drop_details(&list->items[i]);
	}
	if (changing)
		ksma_coverage_gap(coverage, KSMA_COVERAGE_PARTIAL,
				  "%zu processes kept changing in %u looks", changing, look);
	remove_gone(list, pending);
	return NULL;
}

/* Through a mapping each task was looked at twice while the walk was at it, which is enough where nothing else is asked for. */
static bool needs_details(const struct ksma_task_reader *reader)
{
	return (reader->flags & ~(unsigned)KSMA_PROCESS_THREADS) ||
	       ksma_kernel_is_copied(reader->kernel);
}

static struct ksma_error *check_flags(const struct ksma_kernel *kernel, unsigned flags)
{
	if (flags & ~(unsigned)KSMA_PROCESS_ALL)
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "0x%x are no flags of a list of processes", flags);
	if (flags & KSMA_PROCESS_THREADS) {
		KSMA_TRY(KSMA_NEED(kernel, task_struct__thread_node));
		KSMA_TRY(KSMA_NEED(kernel, signal_struct__thread_head));
	}
	return NULL;
}

KSMA_API struct ksma_error *ksma_linux_processes(struct ksma_kernel *kernel, unsigned flags,
						 struct ksma_coverage *coverage,
						 struct ksma_processes *ret_processes)
{
	_cleanup_(ksma_processes_free) struct ksma_processes list = { 0 };
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_task_reader reader;

	KSMA_TRY(check_flags(kernel, flags));
	KSMA_TRY(ksma_task_reader_init(&reader, kernel, flags));
	KSMA_TRY(list_tasks(&reader, &budget, coverage, &list));
	if (needs_details(&reader))
		KSMA_TRY(add_details(&reader, &list, coverage));
	else
		for (size_t i = 0; i < list.count; i++)
			if (list.items[i].uid == UINT32_MAX)
				ksma_task_count_missing(&reader, 1u << KSMA_TASK_CREDENTIALS,
							list.items[i].pid);
	ksma_task_reader_report(&reader, coverage);
	*ret_processes = list;
	list = (struct ksma_processes){ 0 };
	return NULL;
}

struct search {
	struct ksma_kernel *kernel;
	int32_t pid;
	uint64_t task;
};

static bool compare(void *arg, uint64_t entry)
{
	struct search *search = arg;
	uint64_t task = entry - (uint32_t)search->kernel->off.task_struct__tasks;
	uint32_t tgid;

	if (ksma_kernel_u32(search->kernel, task + (uint32_t)search->kernel->off.task_struct__tgid,
			    &tgid) &&
	    (int32_t)tgid == search->pid)
		search->task = task;
	return search->task == 0;
}

/* In the pid namespace's IDR: struct pid, whose second list holds the leader (PIDTYPE_TGID, since 6883f81aac6f, 4.19). */
static bool compare_pid(void *arg, uint64_t index, uint64_t entry)
{
	struct search *search = arg;
	const struct ksma_offsets *off = &search->kernel->off;
	uint64_t first, task;
	uint32_t tgid;

	if (index < (uint32_t)search->pid)
		return true;
	if (index == (uint32_t)search->pid &&
	    ksma_kernel_u64(search->kernel, entry + (uint32_t)off->pid__tasks + 8, &first) &&
	    first) {
		task = first - (uint32_t)off->task_struct__pid_links - 16;
		if (ksma_kernel_u32(search->kernel, task + (uint32_t)off->task_struct__tgid,
				    &tgid) &&
		    (int32_t)tgid == search->pid)
			search->task = task;
	}
	return false;
}

/* The walk of the list needs no proof that it is whole: what it finds is what was asked for. */
struct ksma_error *ksma_task_find(struct ksma_kernel *kernel, int32_t pid, uint64_t *ret_task)
{
	struct search search = { .kernel = kernel, .pid = pid };
	uint64_t init, pids;
	unsigned look = 0;
	bool again = pid > 0;

	KSMA_TRY(KSMA_NEED(kernel, task_struct__tasks));
	KSMA_TRY(KSMA_NEED(kernel, task_struct__tgid));
	KSMA_TRY(ksma_kernel_need_symbol(kernel, "init_task", &init));
	pids = ksma_kernel_symbol(kernel, "init_pid_ns");
	while (again) {
		struct ksma_budget budget = ksma_budget_default();
		_cleanup_error_ struct ksma_error *list_error = NULL, *idr_error = NULL;

		list_error =
			ksma_kernel_list(kernel, init + (uint32_t)kernel->off.task_struct__tasks,
					 &budget, compare, &search);
		if (!search.task && pids && kernel->off.pid_namespace__idr >= 0 &&
		    kernel->off.pid__tasks >= 0 && kernel->off.task_struct__pid_links >= 0)
			idr_error =
				ksma_kernel_xarray(kernel,
						   pids + (uint32_t)kernel->off.pid_namespace__idr,
						   &budget, compare_pid, &search);
		if (search.task) {
			*ret_task = search.task;
			return NULL;
		}
		if (!list_error && !idr_error)
			break;
		KSMA_TRY(ksma_kernel_look_again(kernel, &look, &again));
		if (!again)
			return ksma_error_prefix(list_error ? TAKE_PTR(list_error)
							    : TAKE_PTR(idr_error),
						 "process %d", pid);
	}
	return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "no process %d runs in the guest", pid);
}

KSMA_API struct ksma_error *ksma_linux_process(struct ksma_kernel *kernel, int32_t pid,
					       unsigned flags, struct ksma_coverage *coverage,
					       struct ksma_process *ret_process)
{
	_cleanup_(ksma_processes_free) struct ksma_processes list = { 0 };
	struct ksma_task_reader reader;
	struct ksma_process *item;
	unsigned look = 0;
	uint64_t task = 0;
	bool again;

	KSMA_TRY(check_flags(kernel, flags & ~(unsigned)KSMA_PROCESS_THREADS));
	KSMA_TRY(ksma_task_reader_init(&reader, kernel, flags & ~(unsigned)KSMA_PROCESS_THREADS));
	KSMA_TRY(ksma_task_find(kernel, pid, &task));
	KSMA_TRY(KSMA_ARRAY_PUSH(&list, &item));
	for (;;) {
		enum ksma_task_state state = ksma_task_read(&reader, task, item, NULL);

		if (state == KSMA_TASK_READ)
			break;
		if (state == KSMA_TASK_TORN) {
			KSMA_TRY(ksma_kernel_look_again(kernel, &look, &again));
			if (again)
				continue;
		}
		list.count = 0;
		return state == KSMA_TASK_GONE
			       ? ksma_error_create(KSMA_ERROR_NOT_PRESENT,
						   "process %d ended while it was looked at", pid)
			       : ksma_error_create(KSMA_ERROR_BAD_DATA,
						   "the task of process %d cannot be read", pid);
	}
	KSMA_TRY(add_details(&reader, &list, coverage));
	if (list.count == 0)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
					 "process %d ended while it was looked at", pid);
	ksma_task_reader_report(&reader, coverage);
	*ret_process = list.items[0];
	list.count = 0;
	return NULL;
}

KSMA_API void ksma_process_deinit(struct ksma_process *process)
{
	drop_details(process);
}

KSMA_API void ksma_processes_free(struct ksma_processes *processes)
{
	clear(processes);
	free(processes->items);
	*processes = (struct ksma_processes){ 0 };
}

bool ksma_init_is_to_come(struct ksma_kernel *kernel)
{
	uint64_t task = 0, mm;
	struct ksma_error *error = ksma_task_find(kernel, 1, &task);
	bool absent = error && error->code == KSMA_ERROR_NOT_PRESENT;

	if (error) {
		ksma_error_destroy(error);
		return absent;
	}
	return kernel->off.task_struct__mm >= 0 &&
	       ksma_kernel_u64(kernel, task + (uint32_t)kernel->off.task_struct__mm, &mm) &&
	       mm == 0;
}
