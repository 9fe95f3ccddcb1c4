/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is every process in the namespaces that it can have come into honestly? Who breaks out of a container by kernel memory takes the
 * host's namespaces, which no call gives him. */
#include <inttypes.h>

#include "checks/task_facts.h"

enum { LEVELS_MAX = 32, PERSIST_MS = 2000 };

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	struct ksma_task_table tasks;
	uint64_t init_proxy, init_mounts;
	uint32_t unread;
};

static bool follow(struct survey *s, uint64_t object, int32_t offset, uint64_t *ret)
{
	return ksma_kernel_u64(s->kernel, object + (uint32_t)offset, ret);
}

/* task_active_pid_ns(): of the deepest number that the task has. */
static bool active_pid_ns(struct survey *s, uint64_t task, uint64_t *ret_ns, uint32_t *ret_level)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t pid;

	return follow(s, task, off->task_struct__thread_pid, &pid) && pid &&
	       ksma_kernel_u32(s->kernel, pid + (uint32_t)off->pid__level, ret_level) &&
	       *ret_level <= LEVELS_MAX &&
	       follow(s,
		      pid + (uint32_t)off->pid__numbers +
			      (uint64_t)*ret_level * s->kernel->size.upid,
		      off->upid__ns, ret_ns);
}

/* True when `ns` is `ancestor` or below it. */
static bool is_within(struct survey *s, uint64_t ns, uint64_t ancestor)
{
	for (unsigned i = 0; i <= LEVELS_MAX && ns; i++) {
		if (ns == ancestor)
			return true;
		if (!follow(s, ns, s->kernel->off.pid_namespace__parent, &ns))
			return true; /* cannot be told */
	}
	return false;
}

static struct ksma_error *report(struct survey *s, const struct ksma_task_facts *task,
				 enum ksma_severity severity, const char *id, const char *what,
				 uint64_t found, uint64_t own)
{
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(s->look, severity, &finding, "%s/%d", id, task->tid));
	finding->persist_ms = severity < KSMA_SEVERITY_HIGH ? PERSIST_MS : 0;
	KSMA_TRY(ksma_finding_title(finding, "process %d (%.15s) %s", task->pid, task->comm, what));
	KSMA_TRY(ksma_finding_task(finding, task));
	KSMA_TRY(ksma_finding_address(s->look, finding, "found", found));
	return ksma_finding_address(s->look, finding, "own", own);
}

/* Children get the namespace that the task is in, or one below it (pidns_install(), kernel/pid_namespace.c): so a task of another pid
 * namespace than the first never has the first task's proxy, nor that of anybody outside. */
static struct ksma_error *check_proxy(struct survey *s, const struct ksma_task_facts *task,
				      uint64_t proxy, uint64_t pid_ns)
{
	uint64_t below;

	if (!follow(s, proxy, s->kernel->off.nsproxy__pid_ns_for_children, &below) || !below) {
		s->unread++;
		return NULL;
	}
	if (is_within(s, below, pid_ns))
		return NULL;
	return report(s, task, KSMA_SEVERITY_CRITICAL, "escaped",
		      proxy == s->init_proxy
			      ? "is in a container, and has the namespaces of the first process"
			      : "is in a container, and has the namespaces of a process outside",
		      proxy, pid_ns);
}

/* The root directory lies in the mounts that the task has, unless it came there by a file descriptor. */
static struct ksma_error *check_root(struct survey *s, const struct ksma_task_facts *task,
				     uint64_t proxy)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t fs, vfsmount, of_root, own;

	if (!follow(s, task->task, off->task_struct__fs, &fs) || !fs ||
	    !follow(s, fs, off->fs_struct__root_mnt, &vfsmount) || !vfsmount ||
	    !follow(s, vfsmount - (uint32_t)off->mount__mnt, off->mount__mnt_ns, &of_root) ||
	    !follow(s, proxy, off->nsproxy__mnt_ns, &own))
		return NULL;
	if (of_root != s->init_mounts || own == s->init_mounts)
		return NULL;
	return report(s, task, KSMA_SEVERITY_MEDIUM, "root",
		      "has mounts of its own, and its root directory in those of the first process",
		      of_root, own);
}

static struct ksma_error *check_task(struct survey *s, const struct ksma_task_facts *task)
{
	uint64_t proxy, pid_ns;
	uint32_t level;

	if (task->kernel_thread || (task->flags & KSMA_PF_EXITING) ||
	    !follow(s, task->task, s->kernel->off.task_struct__nsproxy, &proxy) || !proxy ||
	    !active_pid_ns(s, task->task, &pid_ns, &level))
		return NULL;
	KSMA_TRY(check_proxy(s, task, proxy, pid_ns));
	if (level == 0)
		return NULL;
	return check_root(s, task, proxy);
}

static struct ksma_error *prepare(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t first;

	KSMA_TRY(KSMA_NEED(s->kernel, task_struct__nsproxy));
	KSMA_TRY(KSMA_NEED(s->kernel, task_struct__thread_pid));
	KSMA_TRY(KSMA_NEED(s->kernel, task_struct__fs));
	KSMA_TRY(KSMA_NEED(s->kernel, nsproxy__pid_ns_for_children));
	KSMA_TRY(KSMA_NEED(s->kernel, nsproxy__mnt_ns));
	KSMA_TRY(KSMA_NEED(s->kernel, pid_namespace__parent));
	KSMA_TRY(KSMA_NEED(s->kernel, pid__level));
	KSMA_TRY(KSMA_NEED(s->kernel, pid__numbers));
	KSMA_TRY(KSMA_NEED(s->kernel, upid__ns));
	KSMA_TRY(KSMA_NEED(s->kernel, fs_struct__root_mnt));
	KSMA_TRY(KSMA_NEED(s->kernel, mount__mnt));
	KSMA_TRY(KSMA_NEED(s->kernel, mount__mnt_ns));
	KSMA_TRY(ksma_kernel_need_symbol(s->kernel, "init_task", &first));
	if (!follow(s, first, off->task_struct__nsproxy, &s->init_proxy) ||
	    !follow(s, s->init_proxy, off->nsproxy__mnt_ns, &s->init_mounts))
		return ksma_error_fault(first, "the namespaces of the first task cannot be read");
	return ksma_task_table_read(s->look, &s->tasks);
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look, .kernel = look->kernel };
	struct ksma_error *error = prepare(&s);

	for (size_t i = 0; i < s.tasks.count && !error; i++)
		error = check_task(&s, &s.tasks.items[i]);
	if (s.unread && !error)
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "the namespaces of %u tasks cannot be read", s.unread);
	ksma_task_table_deinit(&s.tasks);
	return error;
}

const struct ksma_check ksma_check_namespaces = {
	.info = {
		.name = "namespaces",
		.title = "Namespaces",
		.attack = "T1611",
		.needs = "memory",
		.structures = "nsproxy, thread_pid and fs of every task and thread, pid_namespace.parent, the mount of the root directory, init_nsproxy",
		.why = "Who breaks out of a container by kernel memory points his process at the host's namespaces or root directory.",
		.cost = "0.2 ms",
		.false_alarms = "None known for namespaces: a process keeps its pid namespace for life, and what its children get lies in it. A privileged "
				"container may change to a root directory outside by a file descriptor: medium, when it stays.",
		.todo = "The process sees the host's side of its container: look at its parents with ksma ps --tree, and at what it has "
			"open.",
	},
	.run = run,
};
