/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Did every task come by its credentials honestly? The kernel copies a cred at fork and changes only copies, so that one cred
 * belongs to the threads of one process, is consistent in itself, and becomes root's by exec() of a setuid program alone. */
#include <inttypes.h>

#include "checks/cred.h"
#include "checks/task_facts.h"
#include "linux/paths.h"

enum {
	MAX_NAMED = 8,	     /* tasks of one cred that a finding names */
	USAGE_LOOKS = 16,    /* at a reference count that changes */
	PERSIST_MS = 2000,   /* longer than an override of credentials for one operation */
	S_IS_SETUID = 04000, /* inode->i_mode */
	PAGE_STRUCT_MAX = 256,
};

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	struct ksma_task_table tasks;
	const struct ksma_task_facts **by_cred; /* sorted by real_cred, then pid */
	struct ksma_paths paths;
	bool have_paths;
	uint64_t init_cred, init_user_ns, init_groups, cred_jar;
	uint64_t all; /* every capability */
	uint32_t unread;
};

static struct ksma_error *add_cred(struct survey *s, struct ksma_finding *finding,
				   const struct ksma_cred *cred)
{
	KSMA_TRY(ksma_finding_address(s->look, finding, "cred", cred->address));
	KSMA_TRY(ksma_finding_number(finding, "uid", cred->uid));
	KSMA_TRY(ksma_finding_number(finding, "euid", cred->euid));
	KSMA_TRY(ksma_finding_text(finding, "permitted", "0x%" PRIx64, cred->permitted));
	return ksma_finding_text(finding, "effective", "0x%" PRIx64, cred->effective);
}

/* Names the tasks from `first` on that have the same cred. */
static struct ksma_error *add_holders(struct survey *s, struct ksma_finding *finding, size_t first,
				      size_t count)
{
	char text[MAX_NAMED * 64];
	size_t used = 0;

	text[0] = 0;
	for (size_t i = first; i < first + count && i < first + MAX_NAMED; i++) {
		const struct ksma_task_facts *task = s->by_cred[i];
		int n = snprintf(text + used, sizeof(text) - used, "%s%d (%.15s) 0x%016" PRIx64,
				 used ? ", " : "", task->tid, task->comm, task->task);

		if (n < 0 || (size_t)n >= sizeof(text) - used)
			break;
		used += (size_t)n;
	}
	KSMA_TRY(ksma_finding_number(finding, "tasks", count));
	return ksma_finding_text(finding, "held_by", "%s", text);
}

static bool is_leaving(const struct ksma_task_facts *task)
{
	return task->flags & KSMA_PF_EXITING;
}

/* copy_creds() shares a cred with CLONE_THREAD alone, and the first task's belongs to tasks that are on no list. */
static struct ksma_error *check_sharing(struct survey *s, size_t first, size_t count)
{
	const struct ksma_task_facts *task = s->by_cred[first];
	bool is_init = task->real_cred == s->init_cred;
	struct ksma_finding *finding;
	struct ksma_cred cred;

	if (s->by_cred[first + count - 1]->pid == task->pid && !is_init)
		return NULL;
	if (!ksma_cred_read(s->kernel, task->real_cred, &cred)) {
		s->unread++;
		return NULL;
	}
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "%s/%d",
				  is_init ? "init-cred" : "shared", task->pid));
	if (is_init)
		KSMA_TRY(ksma_finding_title(
			finding,
			"process %d (%.15s) uses the credentials of the kernel's first task",
			task->pid, task->comm));
	else
		KSMA_TRY(ksma_finding_title(
			finding, "processes %d (%.15s) and %d (%.15s) share one set of credentials",
			task->pid, task->comm, s->by_cred[first + count - 1]->pid,
			s->by_cred[first + count - 1]->comm));
	KSMA_TRY(add_cred(s, finding, &cred));
	return add_holders(s, finding, first, count);
}

/* How many of these tasks hold the cred now: a task lets go of its pointer before it gives its reference back. */
static int64_t references(struct survey *s, size_t first, size_t count, uint64_t address)
{
	const struct ksma_offsets *off = &s->kernel->off;
	int64_t found = 0;

	for (size_t i = first; i < first + count; i++) {
		uint64_t task = s->by_cred[i]->task, real, cred;

		if (!ksma_kernel_u64(s->kernel, task + (uint32_t)off->task_struct__real_cred,
				     &real) ||
		    !ksma_kernel_u64(s->kernel, task + (uint32_t)off->task_struct__cred, &cred) ||
		    real != address)
			continue;
		found += cred == address ? 2 : 1;
	}
	return found;
}

static struct ksma_error *check_usage(struct survey *s, size_t first, size_t count)
{
	const struct ksma_task_facts *task = s->by_cred[first];
	struct ksma_finding *finding;
	struct ksma_cred before, after;
	int64_t found;

	if (task->real_cred == s->init_cred)
		return NULL;
	for (unsigned i = 0; i < USAGE_LOOKS; i++) {
		if (!ksma_cred_read(s->kernel, task->real_cred, &before))
			return NULL;
		found = references(s, first, count, task->real_cred);
		if (!ksma_cred_read(s->kernel, task->real_cred, &after) || found <= before.usage ||
		    found <= after.usage)
			return NULL;
	}
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_HIGH, &finding, "usage/%d", task->pid));
	KSMA_TRY(ksma_finding_title(
		finding,
		"the credentials of process %d (%.15s) are used more often than the kernel counts",
		task->pid, task->comm));
	KSMA_TRY(ksma_finding_task(finding, task));
	KSMA_TRY(add_cred(s, finding, &after));
	KSMA_TRY(ksma_finding_number(finding, "references", (uint64_t)found));
	return ksma_finding_text(finding, "usage", "%" PRId64, after.usage);
}

/* The kmem_cache of an object in the direct map, or 0: from its struct slab, which overlays the first struct page of the slab. */
static uint64_t cache_of(struct survey *s, uint64_t object)
{
	const struct ksma_kernel *kernel = s->kernel;
	int32_t member = kernel->off.slab__slab_cache >= 0 ? kernel->off.slab__slab_cache
							   : kernel->off.page__slab_cache;
	int32_t head = kernel->off.page__compound_head >= 0 ? kernel->off.page__compound_head
							    : kernel->off.page__compound_info;
	uint64_t page =
		kernel->vmemmap + ((object - kernel->page_offset) >> 12) * kernel->size.page;
	uint64_t link, cache;

	if (!ksma_kernel_u64(s->kernel, page + (uint32_t)head, &link))
		return 0;
	/* A tail page points to its head, or (since 7.0) says which bits of its own address are the head's. */
	if (link & 1)
		page = link - 1 >= kernel->vmemmap && link < kernel->image ? link - 1
									   : page & (link - 1);
	return ksma_kernel_u64(s->kernel, page + (uint32_t)member, &cache) ? cache : 0;
}

static bool knows_slabs(const struct survey *s)
{
	const struct ksma_kernel *kernel = s->kernel;

	return s->cred_jar && kernel->size.page && kernel->size.page <= PAGE_STRUCT_MAX &&
	       (kernel->off.slab__slab_cache >= 0 || kernel->off.page__slab_cache >= 0) &&
	       (kernel->off.page__compound_head >= 0 || kernel->off.page__compound_info >= 0);
}

/* Every cred but the first task's comes out of the slab cache that cred_init() made. */
static struct ksma_error *check_place(struct survey *s, const struct ksma_task_facts *task)
{
	struct ksma_finding *finding;
	uint64_t cache = 0;

	if (task->real_cred == s->init_cred || !knows_slabs(s))
		return NULL;
	if (task->real_cred >= s->kernel->page_offset && task->real_cred < s->kernel->vmalloc)
		cache = cache_of(s, task->real_cred);
	if (cache == s->cred_jar)
		return NULL;
	KSMA_TRY(
		ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "place/%d", task->pid));
	KSMA_TRY(ksma_finding_title(
		finding, "the credentials of process %d (%.15s) lie where the kernel keeps none",
		task->pid, task->comm));
	KSMA_TRY(ksma_finding_task(finding, task));
	KSMA_TRY(ksma_finding_address(s->look, finding, "cred", task->real_cred));
	KSMA_TRY(ksma_finding_text(finding, "cache", "0x%016" PRIx64, cache));
	return ksma_finding_text(finding, "expected", "0x%016" PRIx64, s->cred_jar);
}

static const char *const flaw_names[] = {
	"the account is that of another user",
	"effective capabilities that are not permitted",
	"ambient capabilities that are not permitted",
	"capabilities that this kernel does not have",
	"the account is that of another user namespace",
	"all capabilities without root, kept by nothing",
};

static struct ksma_error *check_flaws(struct survey *s, const struct ksma_task_facts *task,
				      const struct ksma_cred *cred)
{
	unsigned flaws = ksma_cred_flaws(cred, s->all, s->init_user_ns);
	struct ksma_finding *finding;
	char names[300];

	if (!flaws)
		return NULL;
	KSMA_TRY(ksma_finding_add(s->look,
				  flaws & ~(unsigned)KSMA_CRED_ALL ? KSMA_SEVERITY_CRITICAL
								   : KSMA_SEVERITY_MEDIUM,
				  &finding, "overwritten/%d", task->pid));
	KSMA_TRY(ksma_finding_title(
		finding, "the credentials of process %d (%.15s) contradict themselves: %s",
		task->pid, task->comm,
		ksma_finding_names(flaws, flaw_names, ARRAY_SIZE(flaw_names), names,
				   sizeof(names))));
	KSMA_TRY(ksma_finding_task(finding, task));
	KSMA_TRY(add_cred(s, finding, cred));
	KSMA_TRY(ksma_finding_number(finding, "account_uid", cred->user_uid));
	return ksma_finding_text(finding, "bounding", "0x%" PRIx64, cred->bounding);
}

/* The program file of a process: whether starting it makes whoever starts it root. */
static struct ksma_error *is_setuid_root(struct survey *s, const struct ksma_task_facts *task,
					 bool *ret)
{
	const struct ksma_offsets *off = &s->kernel->off;
	struct ksma_file_facts file;
	struct ksma_inode_facts inode;
	uint64_t at;
	uint32_t uid;

	*ret = false;
	if (!s->have_paths)
		KSMA_TRY(ksma_paths_init(&s->paths, s->kernel));
	s->have_paths = true;
	KSMA_TRY(KSMA_NEED(s->kernel, mm_struct__exe_file));
	KSMA_TRY(KSMA_NEED(s->kernel, inode__i_uid));
	*ret = ksma_kernel_u64(s->kernel, task->mm + (uint32_t)off->mm_struct__exe_file, &at) &&
	       ksma_file_read(&s->paths, at, &file) &&
	       ksma_inode_read(&s->paths, file.inode, &inode) && (inode.mode & S_IS_SETUID) &&
	       ksma_kernel_u32(s->kernel, file.inode + (uint32_t)off->inode__i_uid, &uid) &&
	       uid == 0;
	return NULL;
}

static bool no_new_privs(const struct ksma_task_facts *task)
{
	return task->atomic_flags & 1u << KSMA_PFA_NO_NEW_PRIVS;
}

/* A root process whose parent cannot make one. It is honest when it runs a setuid program, or ran one and then another (pkexec,
 * doas), or was there before its parent stepped down. What no such way leads to are the kernel's own supplementary groups: they
 * are inherited from the first process, given up by every login and daemon that changes users, and never come back. */
static struct ksma_error *check_lineage(struct survey *s, const struct ksma_task_facts *task,
					const struct ksma_cred *cred)
{
	const struct ksma_task_facts *parent = ksma_task_table_find(&s->tasks, task->parent);
	struct ksma_finding *finding;
	struct ksma_cred above;
	bool setuid, groups;

	if (task->kernel_thread || !task->mm || is_leaving(task) || cred->euid ||
	    cred->user_ns != s->init_user_ns || !parent || parent->kernel_thread ||
	    is_leaving(parent) || (task->flags & KSMA_PF_FORKNOEXEC) ||
	    !ksma_cred_read(s->kernel, parent->real_cred, &above) ||
	    above.user_ns != s->init_user_ns || !ksma_cred_is_unprivileged(&above))
		return NULL;
	groups = s->init_groups && cred->group_info == s->init_groups &&
		 above.group_info != s->init_groups;
	if (!groups && !(no_new_privs(task) && no_new_privs(parent)))
		return NULL;
	KSMA_TRY(is_setuid_root(s, task, &setuid));
	if (setuid && !groups)
		return NULL;
	KSMA_TRY(ksma_finding_add(s->look,
				  task->loginuid != KSMA_NO_LOGIN ? KSMA_SEVERITY_HIGH
								  : KSMA_SEVERITY_MEDIUM,
				  &finding, "lineage/%d", task->pid));
	KSMA_TRY(ksma_finding_title(
		finding,
		"process %d (%.15s) is root, its parent %d (%.15s) is not and could not make it so",
		task->pid, task->comm, parent->pid, parent->comm));
	KSMA_TRY(ksma_finding_task(finding, task));
	KSMA_TRY(add_cred(s, finding, cred));
	KSMA_TRY(ksma_finding_number(finding, "parent_pid", (uint64_t)(uint32_t)parent->pid));
	KSMA_TRY(ksma_finding_number(finding, "parent_uid", above.uid));
	if (task->loginuid != KSMA_NO_LOGIN)
		KSMA_TRY(ksma_finding_number(finding, "login_uid", task->loginuid));
	return ksma_finding_text(finding, "groups", "%s",
				 groups ? "those of the kernel's first task" : "its own");
}

/* cred != real_cred while the kernel acts for somebody else: for one operation, with a cred made for it or kept by a file. */
static struct ksma_error *check_override(struct survey *s, const struct ksma_task_facts *task,
					 const struct ksma_cred *real)
{
	struct ksma_finding *finding;
	struct ksma_cred cred;

	if (task->cred == task->real_cred || task->kernel_thread || is_leaving(task))
		return NULL;
	if (!ksma_cred_read(s->kernel, task->cred, &cred)) {
		s->unread++;
		return NULL;
	}
	if (!ksma_cred_grew(real, &cred))
		return NULL;
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_MEDIUM, &finding, "override/%d",
				  task->tid));
	finding->persist_ms = PERSIST_MS;
	KSMA_TRY(ksma_finding_title(
		finding, "process %d (%.15s) acts with other, stronger credentials than its own",
		task->pid, task->comm));
	KSMA_TRY(ksma_finding_task(finding, task));
	KSMA_TRY(add_cred(s, finding, &cred));
	return ksma_finding_number(finding, "real_uid", real->uid);
}

static int by_cred(const void *a, const void *b)
{
	const struct ksma_task_facts *left = *(const struct ksma_task_facts *const *)a,
				     *right = *(const struct ksma_task_facts *const *)b;

	if (left->real_cred != right->real_cred)
		return left->real_cred < right->real_cred ? -1 : 1;
	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	return left->tid < right->tid ? -1 : left->tid > right->tid;
}

/* All tasks of one cred. What is said of the cred itself is said once, of the first. */
static struct ksma_error *check_group(struct survey *s, size_t first, size_t count)
{
	const struct ksma_task_facts *task = s->by_cred[first];
	struct ksma_cred cred;

	KSMA_TRY(check_sharing(s, first, count));
	KSMA_TRY(check_place(s, task));
	if (!ksma_cred_read(s->kernel, task->real_cred, &cred)) {
		s->unread++;
		return NULL;
	}
	KSMA_TRY(check_usage(s, first, count));
	KSMA_TRY(check_flaws(s, task, &cred));
	for (size_t i = first; i < first + count; i++) {
		if (s->by_cred[i]->tid == s->by_cred[i]->pid)
			KSMA_TRY(check_lineage(s, s->by_cred[i], &cred));
		KSMA_TRY(check_override(s, s->by_cred[i], &cred));
	}
	return NULL;
}

/* A task that is more than it was at an earlier look, and has not called exec() since. */
static struct ksma_error *check_growth(struct survey *s, const struct ksma_task_facts *task,
				       const struct ksma_cred_history *history,
				       struct ksma_cred_past *ret_next)
{
	const struct ksma_offsets *off = &s->kernel->off;
	struct ksma_cred_past now = { .task = task->task, .start_ns = task->start_ns };
	const struct ksma_cred *before;
	struct ksma_finding *finding;

	*ret_next = now; /* known, and nothing more: no exec count is that high */
	ret_next->exec_id = UINT64_MAX;
	/* exec() counts before it changes credentials, so the count is read last. */
	if (task->kernel_thread || is_leaving(task) ||
	    !ksma_cred_read(s->kernel, task->real_cred, &now.cred) ||
	    !ksma_kernel_u64(s->kernel, task->task + (uint32_t)off->task_struct__self_exec_id,
			     &now.exec_id))
		return NULL;
	before = ksma_cred_compare(history, &now, ret_next);
	if (!before)
		return NULL;
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "escalated/%d",
				  task->tid));
	KSMA_TRY(ksma_finding_title(
		finding, "process %d (%.15s) gained privileges without starting a program",
		task->pid, task->comm));
	KSMA_TRY(ksma_finding_task(finding, task));
	KSMA_TRY(add_cred(s, finding, &now.cred));
	KSMA_TRY(ksma_finding_number(finding, "uid_before", before->uid));
	KSMA_TRY(ksma_finding_number(finding, "euid_before", before->euid));
	return ksma_finding_text(finding, "permitted_before", "0x%" PRIx64, before->permitted);
}

/* Every task against what was remembered of it, which only a guest that is watched has. */
static struct ksma_error *check_history(struct survey *s)
{
	struct ksma_memory *memory = &s->kernel->memories[KSMA_MEMORY_OF_CREDENTIALS];
	struct ksma_cred_history *next;

	if (s->kernel->off.task_struct__self_exec_id < 0)
		return NULL;
	next = calloc(1, sizeof(*next));
	if (!next || !(next->items = calloc(s->tasks.count + 1, sizeof(*next->items)))) {
		free(next);
		return ksma_error_nomem();
	}
	for (size_t i = 0; i < s->tasks.count; i++) {
		struct ksma_error *error = check_growth(s, &s->tasks.items[i], memory->data,
							&next->items[next->count++]);

		if (error) {
			ksma_cred_history_destroy(next);
			return error;
		}
	}
	ksma_cred_history_destroy(memory->data);
	*memory = (struct ksma_memory){ next, ksma_cred_history_destroy };
	return NULL;
}

static struct ksma_error *prepare(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t first, jar;
	struct ksma_cred cred;

	KSMA_TRY(ksma_task_table_read(s->look, &s->tasks));
	KSMA_TRY(ksma_kernel_need_symbol(s->kernel, "init_task", &first));
	if (!ksma_kernel_u64(s->kernel, first + (uint32_t)off->task_struct__real_cred,
			     &s->init_cred) ||
	    !ksma_cred_read(s->kernel, s->init_cred, &cred))
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"the credentials of the first task cannot be read, or have "
			"a layout that ksma does not know");
	s->all = cred.permitted;
	s->init_user_ns = cred.user_ns;
	s->init_groups = ksma_kernel_symbol(s->kernel, "init_groups");
	jar = ksma_kernel_symbol(s->kernel, "cred_jar");
	if (jar && !ksma_kernel_u64(s->kernel, jar, &s->cred_jar))
		s->cred_jar = 0;
	if (!knows_slabs(s) || !s->init_groups)
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel does not say where credentials are allocated, or "
				  "which groups its first task has");
	s->by_cred = calloc(s->tasks.count + 1, sizeof(void *));
	if (!s->by_cred)
		return ksma_error_nomem();
	for (size_t i = 0; i < s->tasks.count; i++)
		s->by_cred[i] = &s->tasks.items[i];
	qsort(s->by_cred, s->tasks.count, sizeof(void *), by_cred);
	return NULL;
}

static struct ksma_error *survey(struct survey *s)
{
	size_t end;

	KSMA_TRY(prepare(s));
	for (size_t i = 0; i < s->tasks.count; i = end) {
		for (end = i + 1; end < s->tasks.count &&
				  s->by_cred[end]->real_cred == s->by_cred[i]->real_cred;)
			end++;
		KSMA_TRY(check_group(s, i, end - i));
	}
	KSMA_TRY(check_history(s));
	if (s->unread)
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "the credentials of %u tasks cannot be read", s->unread);
	return NULL;
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look, .kernel = look->kernel };
	struct ksma_error *error = survey(&s);

	free(s.by_cred);
	ksma_task_table_deinit(&s.tasks);
	return error;
}

const struct ksma_check ksma_check_credentials = {
	.info = {
		.name = "credentials",
		.title = "Credentials",
		.attack = "T1068",
		.needs = "memory",
		.structures = "cred and real_cred of every task and thread, user_struct, ucounts, init_cred, init_groups, cred_jar, exe_file of "
			      "processes that run as root",
		.why = "Whoever writes kernel memory makes his process root: by overwriting its ids or capabilities in place, by pointing it at the "
		       "credentials of another, or by having the kernel make new ones.",
		.cost = "0.4 ms",
		.false_alarms = "A setuid program, what it executed, and a daemon's helper that stayed root are explained by their file, their groups "
				"and their not having called exec(). A daemon that starts a root helper and only then leaves root, with new groups, "
				"is reported as medium. Credentials that the kernel takes on for one operation count only when they stay.",
		.todo = "Look at the process with ksma ps, and at what started it. Whatever it could read since is to be taken as read.",
	},
	.run = run,
};
