/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is everything that runs on the lists by which the kernel shows processes? Views that the scheduler, control groups and parents
 * need are held against the task list and the table of pids, by which /proc and ps go. */
#include <inttypes.h>

#include "checks/check.h"
#include "linux/processes.h"
#include "linux/retry.h"

enum {
	CSS_SET_BUCKETS = 128,
	MAX_TASKS = 1 << 22,
	LIST_TRIES = 16,
	RT_QUEUES = 100, /* MAX_RT_PRIO */
	PF_EXITING = 0x4,
	PERSIST_MS =
		1500, /* longer than a task takes from its death to its last switch, on a busy host */
};

enum view {
	VIEW_TASKS = 1 << 0, /* the task list and the lists of threads */
	VIEW_PIDS = 1 << 1,  /* the table of pids */
	VIEW_RUN_QUEUE = 1 << 2,
	VIEW_CGROUPS = 1 << 3,
	VIEW_PARENTS = 1 << 4,
	VIEW_CURRENT = 1 << 5, /* what a CPU runs now */
	VIEW_MEMORY = 1 << 6,  /* owners of page tables */
};

struct seen {
	uint64_t task; /* 0: the slot is free */
	unsigned views;
};

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	struct ksma_processes listed;
	struct seen *table; /* open addressing by task address; size is a power of two */
	size_t size, used;
	enum view view;	 /* of the walk that runs now */
	uint64_t offset; /* of its list_head in task_struct, or in what leads to one */
	uint64_t rq;	 /* whose queues are walked */
	struct ksma_error *error;
	bool have_pids;
};

static struct seen *slot_of(struct survey *s, uint64_t task)
{
	size_t i = (size_t)((task >> 6) * 0x9e3779b97f4a7c15ull >> 20) & (s->size - 1);

	while (s->table[i].task && s->table[i].task != task)
		i = (i + 1) & (s->size - 1);
	return &s->table[i];
}

static struct ksma_error *grow(struct survey *s)
{
	struct seen *old = s->table;
	size_t old_size = s->size;
	struct seen *table = calloc(old_size ? old_size * 2 : 1024, sizeof(*table));

	if (!table)
		return ksma_error_nomem();
	if (s->used > MAX_TASKS) {
		free(table);
		return ksma_error_create(KSMA_ERROR_LIMIT, "more than %d tasks", MAX_TASKS);
	}
	s->table = table;
	s->size = old_size ? old_size * 2 : 1024;
	for (size_t i = 0; i < old_size; i++)
		if (old[i].task)
			*slot_of(s, old[i].task) = old[i];
	free(old);
	return NULL;
}

static struct ksma_error *saw(struct survey *s, uint64_t task, enum view view)
{
	struct seen *seen;

	if (s->used * 2 >= s->size)
		KSMA_TRY(grow(s));
	seen = slot_of(s, task);
	if (!seen->task)
		s->used++;
	seen->task = task;
	seen->views |= view;
	return NULL;
}

static bool take_node(void *arg, uint64_t node)
{
	struct survey *s = arg;

	s->error = saw(s, node - s->offset, s->view);
	return !s->error;
}

/* Walks one list; one that changes meanwhile is walked again. What stays unread is a gap. */
static struct ksma_error *walk_with(struct survey *s, uint64_t head, int32_t member, enum view view,
				    ksma_list_fn take, const char *what)
{
	struct ksma_error *error;
	unsigned tries = 0, attempt = 0;

	s->view = view;
	s->offset = (uint64_t)member;
	do {
		struct ksma_budget budget = ksma_budget_default();

		error = ksma_kernel_list(s->kernel, head, &budget, take, s);
		if (s->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(s->error);
		}
		/* Lists of the scheduler change all the time: at first just look again. */
		if (error && error->code == KSMA_ERROR_BAD_DATA &&
		    !ksma_kernel_is_copied(s->kernel) && ++tries < LIST_TRIES) {
			ksma_error_destroy(TAKE_PTR(error));
			continue;
		}
		if (!error || !ksma_kernel_retry(s->kernel, &attempt, &error))
			break;
	} while (true);
	return ksma_coverage_take(s->look->coverage, KSMA_COVERAGE_PARTIAL, error, what);
}

static struct ksma_error *walk(struct survey *s, uint64_t head, int32_t member, enum view view,
			       const char *what)
{
	return walk_with(s, head, member, view, take_node, what);
}

/* True when the kernel's types have all of these members; else it is a gap. */
static bool known(struct survey *s, bool all, const char *what)
{
	if (!all)
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel's types do not say how %s are kept", what);
	return all;
}

static struct ksma_error *view_tasks(struct survey *s)
{
	KSMA_TRY(ksma_linux_processes(s->kernel, KSMA_PROCESS_THREADS, s->look->coverage,
				      &s->listed));
	for (size_t i = 0; i < s->listed.count; i++)
		KSMA_TRY(saw(s, s->listed.items[i].task, VIEW_TASKS));
	return NULL;
}

/* An entry of the table of pids: the task that has it as its own is the first of its hash list. */
static bool take_pid(void *arg, uint64_t index, uint64_t pid)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t type = (uint64_t)s->kernel->enums.PIDTYPE_PID, first;

	(void)index;
	if (ksma_kernel_u64(s->kernel, pid + (uint64_t)off->pid__tasks + 8 * type, &first) && first)
		s->error = saw(s, first - (uint64_t)off->task_struct__pid_links - 16 * type,
			       VIEW_PIDS);
	return !s->error;
}

static struct ksma_error *view_pids(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t ns = ksma_kernel_symbol(s->kernel, "init_pid_ns");
	struct ksma_error *error;
	unsigned attempt = 0;

	if (!known(s,
		   ns && off->pid_namespace__idr_rt != KSMA_NO_MEMBER &&
			   off->pid__tasks != KSMA_NO_MEMBER &&
			   off->task_struct__pid_links != KSMA_NO_MEMBER &&
			   s->kernel->enums.PIDTYPE_PID != KSMA_NO_MEMBER,
		   "pids"))
		return NULL;
	do {
		struct ksma_budget budget = ksma_budget_default();

		error = ksma_kernel_xarray(s->kernel, ns + (uint64_t)off->pid_namespace__idr_rt,
					   &budget, take_pid, s);
		if (s->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(s->error);
		}
	} while (ksma_kernel_retry(s->kernel, &attempt, &error));
	if (error && (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST))
		return error;
	s->have_pids = !error;
	ksma_coverage_error(s->look->coverage, KSMA_COVERAGE_PARTIAL, error, "the table of pids");
	return NULL;
}

/* Takes a pointer to a task out of kernel memory, unless it is the idle task of that CPU. */
static struct ksma_error *take_pointer(struct survey *s, uint64_t at, uint64_t idle, enum view view)
{
	uint64_t task;

	if (!ksma_kernel_u64(s->kernel, at, &task) || !task || task == idle)
		return NULL;
	return saw(s, task, view);
}

/* An entity of the real-time class that is a group and no task (CONFIG_RT_GROUP_SCHED) has a queue of its own. */
static bool take_rt(void *arg, uint64_t node)
{
	struct survey *s = arg;
	int32_t queue = s->kernel->off.sched_rt_entity__my_q;
	uint64_t own = 0;

	if (queue >= 0 && (!ksma_kernel_u64(s->kernel, node + (uint32_t)queue, &own) || own))
		return true;
	return take_node(arg, node);
}

/* Since 6.8 a queue itself has servers among its deadlines, which are no tasks. */
static bool take_deadline(void *arg, uint64_t node)
{
	struct survey *s = arg;

	if (node - s->rq < s->kernel->size.rq)
		return true;
	return take_node(arg, node);
}

static struct ksma_error *view_rt_queue(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t queues = s->rq + (uint64_t)off->rq__rt_queue, heads[2 * RT_QUEUES];

	if (off->rq__rt_queue == KSMA_NO_MEMBER ||
	    off->task_struct__rt_run_list == KSMA_NO_MEMBER ||
	    !ksma_kernel_bytes(s->kernel, queues, heads, sizeof(heads)))
		return NULL;
	for (unsigned i = 0; i < RT_QUEUES; i++)
		if (heads[2 * i] != queues + 16ul * i)
			KSMA_TRY(walk_with(s, queues + 16ul * i, off->task_struct__rt_run_list,
					   VIEW_RUN_QUEUE, take_rt, "a real-time queue"));
	return NULL;
}

/* The classes beside the fair one: few kernels have tasks there, and a member that is not there means that nor is the class. */
static struct ksma_error *view_other_classes(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_error *error = NULL;
	unsigned attempt = 0;

	KSMA_TRY(view_rt_queue(s));
	if (off->rq__scx_runnable_list != KSMA_NO_MEMBER &&
	    off->task_struct__scx_runnable_node != KSMA_NO_MEMBER)
		KSMA_TRY(walk(s, s->rq + (uint64_t)off->rq__scx_runnable_list,
			      off->task_struct__scx_runnable_node, VIEW_RUN_QUEUE,
			      "an extensible queue"));
	if (off->rq__dl_root == KSMA_NO_MEMBER || off->task_struct__dl_rb_node == KSMA_NO_MEMBER)
		return NULL;
	s->view = VIEW_RUN_QUEUE;
	s->offset = (uint64_t)off->task_struct__dl_rb_node;
	do {
		error = ksma_kernel_rbtree(s->kernel, s->rq + (uint64_t)off->rq__dl_root, &budget,
					   take_deadline, s);
		if (s->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(s->error);
		}
	} while (ksma_kernel_retry(s->kernel, &attempt, &error));
	return ksma_coverage_take(s->look->coverage, KSMA_COVERAGE_PARTIAL, error,
				  "a deadline queue");
}

static struct ksma_error *view_run_queues(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;

	if (!known(s,
		   off->rq__cfs_tasks != KSMA_NO_MEMBER && off->rq__curr != KSMA_NO_MEMBER &&
			   off->rq__idle != KSMA_NO_MEMBER &&
			   off->task_struct__se_group_node != KSMA_NO_MEMBER,
		   "run queues"))
		return NULL;
	for (unsigned cpu = 0; cpu < s->kernel->cpus; cpu++) {
		uint64_t rq = ksma_kernel_per_cpu(s->kernel, "runqueues", cpu), idle = 0;

		/* A CPU that is possible but was never brought up has a queue without an idle task. */
		if (!rq || !ksma_kernel_u64(s->kernel, rq + (uint64_t)off->rq__idle, &idle) ||
		    !idle)
			continue;
		KSMA_TRY(walk(s, rq + (uint64_t)off->rq__cfs_tasks, off->task_struct__se_group_node,
			      VIEW_RUN_QUEUE, "a run queue"));
		KSMA_TRY(take_pointer(s, rq + (uint64_t)off->rq__curr, idle, VIEW_CURRENT));
		s->rq = rq;
		KSMA_TRY(view_other_classes(s));
	}
	return NULL;
}

/* The page of a top page table knows its mm, and that knows a task that owns it. */
static bool take_page_table(void *arg, uint64_t node)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;
	int32_t to_mm = off->ptdesc__pt_mm >= 0 ? off->ptdesc__pt_mm : off->page__pt_mm;
	uint64_t mm, owner;

	if (ksma_kernel_u64(s->kernel, node - s->offset + (uint32_t)to_mm, &mm) && mm &&
	    ksma_kernel_u64(s->kernel, mm + (uint32_t)off->mm_struct__owner, &owner) && owner)
		s->error = saw(s, owner, VIEW_MEMORY);
	return !s->error;
}

/* Every top page table that user processes have: pgd_list, by which the kernel's half is kept the same in all of them. */
static struct ksma_error *view_memory(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t head = ksma_kernel_symbol(s->kernel, "pgd_list");
	int32_t node = off->ptdesc__pt_list >= 0 ? off->ptdesc__pt_list : off->page__lru;

	if (!known(s,
		   head && node >= 0 && (off->ptdesc__pt_mm >= 0 || off->page__pt_mm >= 0) &&
			   off->mm_struct__owner >= 0,
		   "owners of page tables"))
		return NULL;
	return walk_with(s, head, node, VIEW_MEMORY, take_page_table, "the list of page tables");
}

static struct ksma_error *view_css_set(struct survey *s, uint64_t set)
{
	const struct ksma_offsets *off = &s->kernel->off;

	KSMA_TRY(walk(s, set + (uint64_t)off->css_set__tasks, off->task_struct__cg_list,
		      VIEW_CGROUPS, "the tasks of a control group"));
	return walk(s, set + (uint64_t)off->css_set__mg_tasks, off->task_struct__cg_list,
		    VIEW_CGROUPS, "the tasks of a control group");
}

static struct ksma_error *view_cgroups(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t table = ksma_kernel_symbol(s->kernel, "css_set_table"), node;
	struct ksma_budget budget = ksma_budget_default();

	if (!known(s,
		   table && off->css_set__hlist != KSMA_NO_MEMBER &&
			   off->css_set__tasks != KSMA_NO_MEMBER &&
			   off->css_set__mg_tasks != KSMA_NO_MEMBER &&
			   off->task_struct__cg_list != KSMA_NO_MEMBER,
		   "control groups"))
		return NULL;
	for (unsigned i = 0; i < CSS_SET_BUCKETS; i++) {
		if (!ksma_kernel_u64(s->kernel, table + 8ul * i, &node))
			return ksma_error_fault(table + 8ul * i, "css_set_table cannot be read");
		while (node) {
			if (!ksma_budget_spend(&budget))
				return ksma_budget_error("css_set_table");
			KSMA_TRY(view_css_set(s, node - (uint64_t)off->css_set__hlist));
			if (!ksma_kernel_u64(s->kernel, node, &node)) {
				ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
						  "css_set_table changed while it was read");
				break;
			}
		}
	}
	return NULL;
}

/* True while the task is what it was when it was listed. */
static bool is_still(struct survey *s, const struct ksma_process *process)
{
	struct ksma_task_reader reader;
	struct ksma_process now;
	struct ksma_error *error = ksma_task_reader_init(&reader, s->kernel, 0);

	if (error) {
		ksma_error_destroy(error);
		return true;
	}
	return ksma_task_read(&reader, process->task, &now, NULL) == KSMA_TASK_READ &&
	       now.tid == process->tid && now.start_ns == process->start_ns;
}

/* A list that cannot be followed is a gap, unless its task exited meanwhile and took it along. */
static struct ksma_error *view_children(struct survey *s, const struct ksma_process *process,
					uint64_t head)
{
	struct ksma_error *error = NULL;

	s->view = VIEW_PARENTS;
	s->offset = (uint64_t)s->kernel->off.task_struct__sibling;
	for (unsigned tries = 0; tries < LIST_TRIES; tries++) {
		struct ksma_budget budget = ksma_budget_default();

		ksma_error_destroy(error);
		error = ksma_kernel_list(s->kernel, head, &budget, take_node, s);
		if (s->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(s->error);
		}
		if (!error || error->code == KSMA_ERROR_LIMIT)
			break;
	}
	if (error && !is_still(s, process)) {
		ksma_error_destroy(error);
		return NULL;
	}
	ksma_coverage_error(s->look->coverage, KSMA_COVERAGE_PARTIAL, error,
			    "the children of a process");
	return NULL;
}

/* The children of every process on the list, and of the first task. */
static struct ksma_error *view_parents(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t first = ksma_kernel_symbol(s->kernel, "init_task");

	if (!known(s,
		   first && off->task_struct__children != KSMA_NO_MEMBER &&
			   off->task_struct__sibling != KSMA_NO_MEMBER,
		   "children"))
		return NULL;
	KSMA_TRY(walk(s, first + (uint64_t)off->task_struct__children, off->task_struct__sibling,
		      VIEW_PARENTS, "the first task's children"));
	for (size_t i = 0; i < s->listed.count; i++) {
		uint64_t head = s->listed.items[i].task + (uint64_t)off->task_struct__children,
			 next;

		/* Most have none. */
		if (ksma_kernel_u64(s->kernel, head, &next) && next == head)
			continue;
		KSMA_TRY(view_children(s, &s->listed.items[i], head));
	}
	return NULL;
}

static const char *view_names(unsigned views, char *buffer, size_t size)
{
	static const char *const names[] = { "task list",      "pids",	  "run queue",
					     "control groups", "parents", "running now",
					     "page tables" };

	return ksma_finding_names(views, names, ARRAY_SIZE(names), buffer, size);
}

static struct ksma_error *report(struct survey *s, const struct seen *seen,
				 const struct ksma_process *process)
{
	unsigned missing = (VIEW_TASKS | (s->have_pids ? VIEW_PIDS : 0)) & ~seen->views;
	struct ksma_finding *finding;
	char names[128];

	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "hidden/%d-%llx",
				  process->tid, (unsigned long long)seen->task & 0xffffffffffull));
	/* A task that is being made owns its page tables long before it is on any list. */
	finding->persist_ms = seen->views & ~(unsigned)VIEW_MEMORY ? 0 : PERSIST_MS;
	KSMA_TRY(ksma_finding_title(finding, "process %d (%.15s) was taken off the kernel's %s",
				    process->tid, process->comm,
				    view_names(missing, names, sizeof(names))));
	KSMA_TRY(ksma_finding_number(finding, "pid", (uint64_t)(uint32_t)process->pid));
	KSMA_TRY(ksma_finding_number(finding, "tid", (uint64_t)(uint32_t)process->tid));
	KSMA_TRY(ksma_finding_text(finding, "comm", "%.15s", process->comm));
	KSMA_TRY(ksma_finding_number(finding, "uid", process->uid));
	KSMA_TRY(ksma_finding_number(finding, "ppid", (uint64_t)(uint32_t)process->ppid));
	KSMA_TRY(ksma_finding_text(finding, "task", "0x%016" PRIx64, seen->task));
	KSMA_TRY(ksma_finding_text(finding, "seen_in", "%s",
				   view_names(seen->views, names, sizeof(names))));
	return ksma_finding_text(finding, "missing_from", "%s",
				 view_names(missing, names, sizeof(names)));
}

enum life {
	LIFE_LIVES,
	LIFE_LEAVING, /* on its way out: it leaves one view after the other */
	LIFE_FORGED,  /* says that it is dead, and still has what a task gives up before that */
};

/* do_exit() sets PF_EXITING first, then gives up the memory, and only then says what became of the task (kernel/exit.c). A task
 * that the kernel freed looks the same. */
static enum life life_of(struct survey *s, uint64_t task)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint32_t state, flags;
	uint64_t mm;

	if (off->task_struct__exit_state == KSMA_NO_MEMBER ||
	    off->task_struct__flags == KSMA_NO_MEMBER || off->task_struct__mm == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(s->kernel, task + (uint64_t)off->task_struct__mm, &mm) ||
	    !ksma_kernel_u32(s->kernel, task + (uint64_t)off->task_struct__exit_state, &state))
		return LIFE_LEAVING;
	if (state == 0)
		return LIFE_LIVES;
	if (!ksma_kernel_u32(s->kernel, task + (uint64_t)off->task_struct__flags, &flags))
		return LIFE_LEAVING;
	return mm || !(flags & PF_EXITING) ? LIFE_FORGED : LIFE_LEAVING;
}

static struct ksma_error *report_forged(struct survey *s, const struct seen *seen,
					const struct ksma_process *process)
{
	struct ksma_finding *finding;
	char names[128];

	KSMA_TRY(
		ksma_finding_add(s->look, KSMA_SEVERITY_HIGH, &finding, "undead/%d", process->tid));
	finding->persist_ms = process->mm ? 0 : PERSIST_MS;
	KSMA_TRY(ksma_finding_title(finding, "process %d (%.15s) says that it is dead, and lives",
				    process->tid, process->comm));
	KSMA_TRY(ksma_finding_number(finding, "pid", (uint64_t)(uint32_t)process->pid));
	KSMA_TRY(ksma_finding_number(finding, "tid", (uint64_t)(uint32_t)process->tid));
	KSMA_TRY(ksma_finding_text(finding, "comm", "%.15s", process->comm));
	KSMA_TRY(ksma_finding_text(finding, "task", "0x%016" PRIx64, seen->task));
	KSMA_TRY(ksma_finding_text(finding, "state", "0x%x", process->state));
	return ksma_finding_text(finding, "seen_in", "%s",
				 view_names(seen->views, names, sizeof(names)));
}

/* Reads a task that changes until it holds still. False when it is gone, or no task at all. */
static bool read_settled(struct survey *s, struct ksma_task_reader *reader, uint64_t task,
			 struct ksma_process *ret)
{
	enum ksma_task_state state = KSMA_TASK_TORN;

	for (unsigned tries = 0; tries < LIST_TRIES && state == KSMA_TASK_TORN; tries++)
		state = ksma_task_read(reader, task, ret, NULL);
	if (state == KSMA_TASK_TORN && life_of(s, task) != LIFE_LEAVING)
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "a task that is not in all views kept changing");
	return state == KSMA_TASK_READ;
}

static struct ksma_error *compare(struct survey *s)
{
	unsigned needed = VIEW_TASKS | (s->have_pids ? VIEW_PIDS : 0);
	uint64_t first = ksma_kernel_symbol(s->kernel, "init_task");
	struct ksma_task_reader reader;

	KSMA_TRY(ksma_task_reader_init(&reader, s->kernel, 0));
	for (size_t i = 0; i < s->size; i++) {
		struct seen *seen = &s->table[i];
		struct ksma_process process;
		enum life life;
		bool hidden;

		if (!seen->task || seen->task == first)
			continue;
		hidden = (seen->views & needed) != needed;
		life = life_of(s, seen->task);
		/* Dead by all that it says, and yet it runs: for longer than its last switch takes, that is a lie too. */
		if (life == LIFE_LEAVING && (seen->views & (VIEW_RUN_QUEUE | VIEW_CURRENT)))
			life = LIFE_FORGED;
		if (life == LIFE_LEAVING || (life == LIFE_LIVES && !hidden) ||
		    !read_settled(s, &reader, seen->task, &process))
			continue;
		if (life == LIFE_FORGED)
			KSMA_TRY(report_forged(s, seen, &process));
		if (hidden && (life == LIFE_LIVES || process.mm))
			KSMA_TRY(report(s, seen, &process));
	}
	return NULL;
}

static struct ksma_error *survey(struct survey *s)
{
	KSMA_TRY(grow(s));
	/* The views that may hold more come first: a task that was born in between is then only in the later ones, which is no finding
	 * when the later ones are those that it must be in. */
	KSMA_TRY(view_run_queues(s));
	KSMA_TRY(view_cgroups(s));
	KSMA_TRY(view_memory(s));
	KSMA_TRY(view_pids(s));
	KSMA_TRY(view_tasks(s));
	KSMA_TRY(view_parents(s));
	return compare(s);
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look, .kernel = look->kernel };
	struct ksma_error *error = survey(&s);

	ksma_processes_free(&s.listed);
	free(s.table);
	return error;
}

const struct ksma_check ksma_check_processes = {
	.info = {
		.name = "processes",
		.title = "Hidden processes",
		.attack = "T1014",
		.needs = "memory",
		.structures = "init_task.tasks, threads, init_pid_ns.idr, runqueues (fair, real-time, deadline, extensible), css_set_table, children "
			      "of every task, the current task of every CPU, pgd_list and the owners of its page tables",
		.why = "A process that is taken off the task list or out of the table of pids is seen by no tool in the guest, and still runs.",
		.cost = "0.9 ms",
		.false_alarms = "A process that starts or ends is in some views before it is in others: it is gone, or in all of them, at the second "
				"look. Tasks that are exiting are passed over when they have given up what an exiting task gives up first.",
		.todo = "Look at it with ksma maps and ksma files by its pid, and dump the guest before it ends: a hidden process may "
			"have no file on disk.",
	},
	.run = run,
};
