/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One task_struct read so that what comes out was true at one moment, although the guest runs on.
 *
 * Source: include/linux/sched.h, include/linux/cred.h, fs/proc/array.c, fs/proc/base.c of the kernel. */
#include "linux/processes.h"
#include "linux/user.h"

enum {
	CMDLINE_MAX = 2 * 1024 *
		      1024, /* of one process: a quarter of the usual stack, what execve() takes */
	TEXT_MAX = 64 * 1024 * 1024, /* of all processes; thousands of honest ones take a few */
	PROCTITLE_MAX = KSMA_PAGE_SIZE,
	UNKNOWN_ID = -1, /* no user: (uid_t)-1 is reserved */
	CSS_ONLINE = 1 << 1,
	PF_EXITING = 0x4,
	EXIT_DEAD = 0x10,
};

static void add_head(struct ksma_task_reader *reader, const struct ksma_offsets *off)
{
	ksma_window_add(&reader->head, off->task_struct____state, 4);
	ksma_window_add(&reader->head, off->task_struct__state, 8);
	ksma_window_add(&reader->head, off->task_struct__flags, 4);
}

/* From `tasks` to `signal` in one read: about a kilobyte. */
static void add_body(struct ksma_task_reader *reader, const struct ksma_offsets *off)
{
	const int32_t words[] = { off->task_struct__mm,
				  off->task_struct__real_parent,
				  off->task_struct__thread_pid,
				  off->task_struct__start_boottime,
				  off->task_struct__real_start_time,
				  off->task_struct__start_time,
				  off->task_struct__real_cred,
				  off->task_struct__signal };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		ksma_window_add(&reader->body, words[i], 8);
	ksma_window_add(&reader->body, off->task_struct__tasks, 16);
	ksma_window_add(&reader->body, off->task_struct__exit_state, 4);
	ksma_window_add(&reader->body, off->task_struct__pid, 4);
	ksma_window_add(&reader->body, off->task_struct__tgid, 4);
	ksma_window_add(&reader->body, off->task_struct__comm, 16);
}

static void add_rest(struct ksma_task_reader *reader, const struct ksma_offsets *off)
{
	const int32_t ids[] = {
		off->cred__uid, off->cred__euid, off->cred__suid, off->cred__fsuid,
		off->cred__gid, off->cred__egid, off->cred__sgid, off->cred__fsgid
	};
	const int32_t mm[] = { off->mm_struct__arg_start, off->mm_struct__arg_end,
			       off->mm_struct__env_start, off->mm_struct__env_end };

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		ksma_window_add(&reader->cred, ids[i], 4);
	ksma_window_add(&reader->cred, off->cred__cap_effective, 8);
	ksma_window_add(&reader->cred, off->cred__cap_permitted, 8);
	ksma_window_add(&reader->cred, off->cred__user_ns, 8);
	for (size_t i = 0; i < ARRAY_SIZE(mm); i++)
		ksma_window_add(&reader->mm, mm[i], 8);
}

struct ksma_error *ksma_task_reader_init(struct ksma_task_reader *reader,
					 struct ksma_kernel *kernel, unsigned flags)
{
	memset(reader, 0, sizeof(*reader));
	reader->kernel = kernel;
	reader->flags = flags;
	reader->text_left = TEXT_MAX;
	KSMA_TRY(KSMA_NEED(kernel, task_struct__tasks));
	KSMA_TRY(KSMA_NEED(kernel, task_struct__pid));
	KSMA_TRY(KSMA_NEED(kernel, task_struct__tgid));
	KSMA_TRY(KSMA_NEED(kernel, task_struct__comm));
	KSMA_TRY(KSMA_NEED(kernel, task_struct__flags));
	KSMA_TRY(KSMA_NEED(kernel, task_struct__mm));
	KSMA_TRY(KSMA_NEED(kernel, task_struct__real_parent));
	KSMA_TRY(KSMA_NEED(kernel, task_struct__real_cred));
	KSMA_TRY(KSMA_NEED(kernel, task_struct__signal));
	KSMA_TRY(KSMA_NEED(kernel, task_struct__thread_pid));
	KSMA_TRY(KSMA_NEED(kernel, cred__uid));
	KSMA_TRY(KSMA_NEED(kernel, mm_struct__pgd));
	add_head(reader, &kernel->off);
	add_body(reader, &kernel->off);
	add_rest(reader, &kernel->off);
	KSMA_TRY(ksma_window_check(&reader->head, "task_struct"));
	KSMA_TRY(ksma_window_check(&reader->body, "task_struct"));
	KSMA_TRY(ksma_window_check(&reader->cred, "cred"));
	KSMA_TRY(ksma_window_check(&reader->mm, "mm_struct"));
	return NULL;
}

static const char *const field_names[KSMA_TASK_FIELDS] = {
	[KSMA_TASK_CREDENTIALS] = "credentials", [KSMA_TASK_EXE] = "path of the program",
	[KSMA_TASK_CMDLINE] = "command line",	 [KSMA_TASK_CGROUP] = "control group",
	[KSMA_TASK_NAMESPACES] = "namespaces",
};

static void lacks(struct ksma_task_reader *reader, enum ksma_task_field field)
{
	reader->missing |= 1u << field;
}

void ksma_task_count_missing(struct ksma_task_reader *reader, unsigned missing, int32_t pid)
{
	for (unsigned field = 0; field < KSMA_TASK_FIELDS; field++)
		if ((missing >> field & 1) && reader->gaps[field].count++ == 0)
			reader->gaps[field].first_pid = pid;
}

void ksma_task_reader_report(const struct ksma_task_reader *reader, struct ksma_coverage *coverage)
{
	for (unsigned field = 0; field < KSMA_TASK_FIELDS; field++)
		if (reader->gaps[field].count)
			ksma_coverage_gap(
				coverage, KSMA_COVERAGE_PARTIAL,
				"%s: not in memory, or not whole, for %u processes, pid %d the first",
				field_names[field], reader->gaps[field].count,
				reader->gaps[field].first_pid);
}

/* start_boottime since cf25e24db61c ("time: Rename tsk->real_start_time to ->start_boottime", 5.5). */
static int32_t start_offset(const struct ksma_offsets *off)
{
	if (off->task_struct__start_boottime >= 0)
		return off->task_struct__start_boottime;
	return off->task_struct__real_start_time >= 0 ? off->task_struct__real_start_time
						      : off->task_struct__start_time;
}

static void read_credentials(struct ksma_task_reader *reader, uint64_t cred,
			     struct ksma_process *process)
{
	const struct ksma_offsets *off = &reader->kernel->off;
	const struct ksma_window *w = &reader->cred;
	uint8_t bytes[KSMA_WINDOW_MAX];

	if (!ksma_window_read(reader->kernel, w, cred, bytes)) {
		process->uid = process->euid = process->suid = process->fsuid =
			(uint32_t)UNKNOWN_ID;
		process->gid = process->egid = process->sgid = process->fsgid =
			(uint32_t)UNKNOWN_ID;
		lacks(reader, KSMA_TASK_CREDENTIALS);
		return;
	}
	process->uid = ksma_window_u32(w, bytes, off->cred__uid);
	process->euid = ksma_window_u32(w, bytes, off->cred__euid);
	process->suid = ksma_window_u32(w, bytes, off->cred__suid);
	process->fsuid = ksma_window_u32(w, bytes, off->cred__fsuid);
	process->gid = ksma_window_u32(w, bytes, off->cred__gid);
	process->egid = ksma_window_u32(w, bytes, off->cred__egid);
	process->sgid = ksma_window_u32(w, bytes, off->cred__sgid);
	process->fsgid = ksma_window_u32(w, bytes, off->cred__fsgid);
	/* Two words or one (f122a08b197d, "capability: just use a 'u64' instead of a 'u32[2]' array", 6.3): the same bytes. */
	process->cap_effective = ksma_window_u64(w, bytes, off->cred__cap_effective);
	process->cap_permitted = ksma_window_u64(w, bytes, off->cred__cap_permitted);
}

/* True when the words that lead away from the task still say what the copy says. */
static bool is_unchanged(struct ksma_task_reader *reader, uint64_t task, const uint8_t *body)
{
	const struct ksma_offsets *off = &reader->kernel->off;
	const struct {
		int32_t offset;
		uint32_t size;
	} parts[] = {
		{ off->task_struct__pid, 4 },	 { off->task_struct__tgid, 4 },
		{ off->task_struct__mm, 8 },	 { off->task_struct__real_cred, 8 },
		{ off->task_struct__signal, 8 }, { off->task_struct__comm, 16 },
	};
	uint8_t now[16];

	if (ksma_kernel_is_copied(reader->kernel))
		return true; /* the same copy: whoever looks again refreshes first */
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const uint8_t *then =
			ksma_window_at(&reader->body, body, parts[i].offset, parts[i].size);

		if (!then ||
		    !ksma_kernel_bytes(reader->kernel, task + (uint32_t)parts[i].offset, now,
				       parts[i].size) ||
		    memcmp(then, now, parts[i].size) != 0)
			return false;
	}
	return true;
}

enum ksma_task_state ksma_task_read(struct ksma_task_reader *reader, uint64_t task,
				    struct ksma_process *ret_process, uint64_t ret_links[2])
{
	struct ksma_kernel *kernel = reader->kernel;
	const struct ksma_offsets *off = &kernel->off;
	const struct ksma_window *w = &reader->body;
	uint8_t head[KSMA_WINDOW_MAX], body[KSMA_WINDOW_MAX];
	struct ksma_process p = { .task = task };
	uint64_t signal, parent, pgd;
	uint32_t parent_pid;

	if (!ksma_window_read(kernel, w, task, body) ||
	    !ksma_window_read(kernel, &reader->head, task, head))
		return KSMA_TASK_UNREADABLE;
	p.tid = (int32_t)ksma_window_u32(w, body, off->task_struct__pid);
	p.pid = (int32_t)ksma_window_u32(w, body, off->task_struct__tgid);
	p.mm = ksma_window_u64(w, body, off->task_struct__mm);
	p.start_ns = ksma_window_u64(w, body, start_offset(off));
	p.flags = ksma_window_u32(&reader->head, head, off->task_struct__flags);
	p.kernel_thread = p.flags & KSMA_PF_KTHREAD;
	/* `state` became an unsigned __state in 2f064a59a11f ("sched: Change task_struct::state", 5.14). */
	p.state = ksma_window_u32(&reader->head, head,
				  off->task_struct____state >= 0 ? off->task_struct____state
								 : off->task_struct__state) |
		  ksma_window_u32(w, body, off->task_struct__exit_state);
	memcpy(p.comm, ksma_window_at(w, body, off->task_struct__comm, sizeof(p.comm)),
	       sizeof(p.comm));
	p.comm[sizeof(p.comm) - 1] = 0;
	signal = ksma_window_u64(w, body, off->task_struct__signal);
	/* release_task() took the pid away, after the task had been marked dead and had let go of its memory. Without all of that it is a
	 * fact to report. */
	if (ksma_window_u64(w, body, off->task_struct__thread_pid) == 0 && (p.state & EXIT_DEAD) &&
	    p.mm == 0 && (p.flags & PF_EXITING))
		return KSMA_TASK_GONE;
	if (off->signal_struct__nr_threads >= 0)
		ksma_kernel_u32(kernel, signal + (uint32_t)off->signal_struct__nr_threads,
				&p.threads);
	parent = ksma_window_u64(w, body, off->task_struct__real_parent);
	if (ksma_kernel_u32(kernel, parent + (uint32_t)off->task_struct__tgid, &parent_pid))
		p.ppid = (int32_t)parent_pid;
	if (p.mm && ksma_kernel_u64(kernel, p.mm + (uint32_t)off->mm_struct__pgd, &pgd))
		p.pgd = ksma_user_pgd(kernel, pgd);
	read_credentials(reader, ksma_window_u64(w, body, off->task_struct__real_cred), &p);
	if (!is_unchanged(reader, task, body))
		return KSMA_TASK_TORN;
	if (ret_links) {
		ret_links[0] = ksma_window_u64(w, body, off->task_struct__tasks);
		ret_links[1] = ksma_window_u64(w, body, off->task_struct__tasks + 8);
	}
	*ret_process = p;
	return KSMA_TASK_READ;
}

/* Hands a text on, unless the guest made up so many long ones that they would fill the host's memory. */
static struct ksma_error *take_text(struct ksma_task_reader *reader, enum ksma_task_field field,
				    const char *text, const char *suffix, char **ret_text)
{
	size_t length = strlen(text) + strlen(suffix) + 1;

	if (length > reader->text_left) {
		lacks(reader, field);
		return NULL;
	}
	reader->text_left -= length;
	return ksma_asprintf(ret_text, "%s%s", text, suffix);
}

/* mm->exe_file, as proc_exe_link() of fs/proc/base.c names it. */
static struct ksma_error *read_exe(struct ksma_task_reader *reader, struct ksma_process *process)
{
	struct ksma_kernel *kernel = reader->kernel;
	struct ksma_file_facts facts;
	struct ksma_path path;
	uint64_t file;

	if (!ksma_kernel_u64(kernel, process->mm + (uint32_t)kernel->off.mm_struct__exe_file,
			     &file)) {
		lacks(reader, KSMA_TASK_EXE);
		return NULL;
	}
	if (file == 0)
		return NULL;
	if (!ksma_file_read(&reader->paths, file, &facts) ||
	    !ksma_path_show(&reader->paths, facts.mnt, facts.dentry, &path)) {
		lacks(reader, KSMA_TASK_EXE);
		return NULL;
	}
	process->exe_deleted = path.deleted;
	return take_text(reader, KSMA_TASK_EXE, path.text, "", &process->exe);
}

/* Where the command line lies: get_mm_cmdline() of fs/proc/base.c. A process that wrote over its arguments (setproctitle) has
 * one string that may run on into its environment. */
static bool find_cmdline(struct ksma_task_reader *reader, const struct ksma_process *process,
			 uint64_t *ret_start, uint64_t *ret_length, bool *ret_title)
{
	const struct ksma_offsets *off = &reader->kernel->off;
	const struct ksma_window *w = &reader->mm;
	uint8_t bytes[KSMA_WINDOW_MAX];
	uint64_t start, end;
	char last;

	if (!ksma_window_read(reader->kernel, w, process->mm, bytes))
		return false;
	start = ksma_window_u64(w, bytes, off->mm_struct__arg_start);
	end = ksma_window_u64(w, bytes, off->mm_struct__arg_end);
	*ret_start = start;
	*ret_length = end > start ? end - start : 0;
	*ret_title = false;
	if (*ret_length == 0)
		return true;
	if (ksma_user_read(reader->kernel, process->pgd, end - 1, &last, 1, NULL) == 1 && last) {
		*ret_title = true;
		*ret_length = PROCTITLE_MAX;
	}
	return true;
}

static struct ksma_error *read_cmdline(struct ksma_task_reader *reader,
				       struct ksma_process *process)
{
	_cleanup_free_ char *text = NULL;
	enum ksma_user_end end;
	uint64_t start, length;
	size_t done, wanted;
	bool title;

	if (!find_cmdline(reader, process, &start, &length, &title)) {
		lacks(reader, KSMA_TASK_CMDLINE);
		return NULL;
	}
	if (length == 0)
		return NULL;
	wanted = length < CMDLINE_MAX ? (size_t)length : CMDLINE_MAX;
	if (wanted > reader->text_left)
		wanted = reader->text_left;
	text = malloc(wanted + 1);
	if (!text)
		return ksma_error_nomem();
	done = ksma_user_read(reader->kernel, process->pgd, start, text, wanted, &end);
	if (title) {
		/* Only what comes before its end is wanted, whatever lies behind that. */
		size_t used = strnlen(text, done);

		wanted = used < done ? used : wanted;
		done = used;
	} else if (done == length && text[done - 1] == 0) {
		done--;
		wanted--;
	}
	if (done < wanted || (!title && wanted + 1 < length)) {
		lacks(reader, KSMA_TASK_CMDLINE);
		/* Copying on write takes a page away for a moment. What is swapped out, or was cut, will not be whole next time. */
		reader->fleeting |= end == KSMA_USER_NOTHING;
	}
	if (done == 0 && wanted)
		return NULL;
	reader->text_left -= done;
	text[done] = 0;
	process->cmdline_length = done;
	process->cmdline = realloc(text, done + 1) ?: text;
	text = NULL;
	return NULL;
}

static struct ksma_error *read_cgroup(struct ksma_task_reader *reader, struct ksma_process *process)
{
	struct ksma_kernel *kernel = reader->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint32_t flags = CSS_ONLINE;
	struct ksma_path path;
	uint64_t set, cgroup, node;

	if (off->task_struct__cgroups < 0 || off->css_set__dfl_cgrp < 0 || off->cgroup__kn < 0 ||
	    !ksma_kernel_u64(kernel, process->task + (uint32_t)off->task_struct__cgroups, &set) ||
	    !ksma_kernel_u64(kernel, set + (uint32_t)off->css_set__dfl_cgrp, &cgroup) ||
	    !ksma_kernel_u64(kernel, cgroup + (uint32_t)off->cgroup__kn, &node) ||
	    !ksma_kernfs_path(kernel, node, &path)) {
		lacks(reader, KSMA_TASK_CGROUP);
		return NULL;
	}
	if (off->cgroup__self_flags >= 0)
		ksma_kernel_u32(kernel, cgroup + (uint32_t)off->cgroup__self_flags, &flags);
	return take_text(reader, KSMA_TASK_CGROUP, path.text,
			 flags & CSS_ONLINE ? "" : " (deleted)", &process->cgroup);
}

/* The inode number of the namespace that `holder` points at from `pointer`. A kernel without that kind has none: 0. */
static bool read_namespace(struct ksma_kernel *kernel, uint64_t holder, int32_t pointer,
			   int32_t inum, uint32_t *ret_inode)
{
	uint64_t ns;

	if (pointer < 0 || inum < 0)
		return true;
	return ksma_kernel_u64(kernel, holder + (uint32_t)pointer, &ns) &&
	       (ns == 0 || ksma_kernel_u32(kernel, ns + (uint32_t)inum, ret_inode));
}

/* The pid namespace is that of the deepest number that the task has: task_active_pid_ns(). */
static bool read_pid_namespace(struct ksma_kernel *kernel, uint64_t task, uint32_t *ret_inode)
{
	enum { LEVELS_MAX = 32 }; /* MAX_PID_NS_LEVEL */
	const struct ksma_offsets *off = &kernel->off;
	uint32_t level;
	uint64_t pid;

	if (off->pid__level < 0 || off->pid__numbers < 0 || off->upid__ns < 0)
		return false;
	if (!ksma_kernel_u64(kernel, task + (uint32_t)off->task_struct__thread_pid, &pid) ||
	    pid == 0 || !ksma_kernel_u32(kernel, pid + (uint32_t)off->pid__level, &level) ||
	    level > LEVELS_MAX)
		return false;
	return read_namespace(
		kernel, pid + (uint32_t)off->pid__numbers + (uint64_t)level * kernel->size.upid,
		off->upid__ns, off->pid_namespace__ns_inum, ret_inode);
}

static bool read_namespaces(struct ksma_task_reader *reader, struct ksma_process *p)
{
	struct ksma_kernel *kernel = reader->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t proxy, cred;

	if (off->task_struct__nsproxy < 0 ||
	    !ksma_kernel_u64(kernel, p->task + (uint32_t)off->task_struct__nsproxy, &proxy) ||
	    !ksma_kernel_u64(kernel, p->task + (uint32_t)off->task_struct__real_cred, &cred))
		return false;
	if (!read_namespace(kernel, cred, off->cred__user_ns, off->user_namespace__ns_inum,
			    &p->ns_user) ||
	    !read_pid_namespace(kernel, p->task, &p->ns_pid))
		return false;
	if (proxy == 0)
		return true; /* a zombie has let go of the others */
	return read_namespace(kernel, proxy, off->nsproxy__uts_ns, off->uts_namespace__ns_inum,
			      &p->ns_uts) &&
	       read_namespace(kernel, proxy, off->nsproxy__ipc_ns, off->ipc_namespace__ns_inum,
			      &p->ns_ipc) &&
	       read_namespace(kernel, proxy, off->nsproxy__mnt_ns, off->mnt_namespace__ns_inum,
			      &p->ns_mnt) &&
	       read_namespace(kernel, proxy, off->nsproxy__net_ns, off->net__ns_inum, &p->ns_net) &&
	       read_namespace(kernel, proxy, off->nsproxy__time_ns, off->time_namespace__ns_inum,
			      &p->ns_time) &&
	       read_namespace(kernel, proxy, off->nsproxy__cgroup_ns,
			      off->cgroup_namespace__ns_inum, &p->ns_cgroup);
}

struct ksma_error *ksma_task_details(struct ksma_task_reader *reader, struct ksma_process *process)
{
	bool user = process->mm && !process->kernel_thread;

	if ((reader->flags & KSMA_PROCESS_EXE) && user) {
		KSMA_TRY(KSMA_NEED(reader->kernel, mm_struct__exe_file));
		if (!reader->have_paths)
			KSMA_TRY(ksma_paths_init(&reader->paths, reader->kernel));
		reader->have_paths = true;
		KSMA_TRY(read_exe(reader, process));
	}
	if ((reader->flags & KSMA_PROCESS_CMDLINE) && user)
		KSMA_TRY(read_cmdline(reader, process));
	if (reader->flags & KSMA_PROCESS_CGROUP)
		KSMA_TRY(read_cgroup(reader, process));
	if ((reader->flags & KSMA_PROCESS_NAMESPACES) && !read_namespaces(reader, process))
		lacks(reader, KSMA_TASK_NAMESPACES);
	return NULL;
}
