/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes, files, maps and mounts of a made-up kernel: read whole, then damaged place by place: told, never believed. */
#include "unit.h"

#include "fail_alloc.h"
#include "fake_processes.h"
#include "linux/processes.h"
#include "linux/user.h"

#define OFF(p, member) ((uint32_t)(p).k->kernel.off.member)

static void put(struct fake_processes *p, uint64_t address, uint64_t value)
{
	fake_kernel_put64(p->k, address, value);
}

static void check_program(const struct ksma_process *process)
{
	assert_int_equal(process->pid, FAKE_PROGRAM);
	assert_int_equal(process->tid, FAKE_PROGRAM);
	assert_int_equal(process->ppid, 1);
	assert_int_equal(process->uid, 1000);
	assert_int_equal(process->euid, 0);
	assert_int_equal(process->cap_effective, 0x1ffffffffff);
	assert_int_equal(process->start_ns, 3000000);
	assert_int_equal(process->threads, 2);
	assert_int_equal(process->state, 1);
	assert_false(process->kernel_thread);
	assert_string_equal(process->comm, "program");
	assert_string_equal(process->exe, "/bin/a program whose name is too long for its dentry");
	assert_int_equal(process->cmdline_length, 18);
	assert_memory_equal(process->cmdline, "program\0with\0three", 19);
	assert_string_equal(process->cgroup, "/group");
	assert_int_equal(process->ns_mnt, 4026531840);
	assert_int_equal(process->ns_user, 4026531837);
	assert_int_equal(process->ns_pid, 4026531836);
	assert_int_equal(process->ns_uts, 4026531838);
	assert_int_equal(process->ns_net, 0);
}

static void everything_is_read(void **state)
{
	for (int form = 0; form < 4; form++) {
		struct ksma_coverage coverage = { 0 };
		struct ksma_processes list;
		struct fake_processes p;

		fake_processes_create(&p, form & 1 ? FAKE_COPIED : FAKE_MAPPED, form & 2);
		assert_ok(ksma_linux_processes(&p.k->kernel, KSMA_PROCESS_ALL, &coverage, &list));
		assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
		assert_int_equal(list.count, 4);
		assert_string_equal(list.items[0].comm, "init");
		assert_true(list.items[1].kernel_thread);
		assert_null(list.items[1].exe);
		assert_int_equal(list.items[1].mm, 0);
		check_program(&list.items[2]);
		assert_int_equal(list.items[3].pid, FAKE_PROGRAM);
		assert_int_equal(list.items[3].tid, FAKE_PROGRAM + 1);
		assert_string_equal(list.items[3].comm, "thread");
		ksma_processes_free(&list);
		assert_ok(ksma_linux_processes(&p.k->kernel, 0, &coverage, &list));
		assert_int_equal(list.count, 3);
		assert_null(list.items[2].exe);
		assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
		ksma_processes_free(&list);
		fake_processes_destroy(&p);
	}
}

static size_t count_list(struct fake_processes *p, unsigned flags,
			 enum ksma_coverage_state expected)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_processes list;
	size_t count;

	ksma_space_flush(&p->k->kernel.space);
	assert_ok(ksma_linux_processes(&p->k->kernel, flags, &coverage, &list));
	assert_int_equal(coverage.state, expected);
	count = list.count;
	ksma_processes_free(&list);
	ksma_coverage_deinit(&coverage);
	return count;
}

static void broken_lists_are_told(void **state)
{
	struct fake_processes p;
	uint64_t links[FAKE_TASKS];

	fake_processes_create(&p, FAKE_MAPPED, true);
	for (int i = 0; i < FAKE_TASKS; i++)
		links[i] = p.tasks[i] + OFF(p, task_struct__tasks);
	put(&p, links[2] + 8, links[0]); /* a back pointer that lies: the rest is still listed */
	assert_int_equal(count_list(&p, 0, KSMA_COVERAGE_PARTIAL), 3);
	put(&p, links[2] + 8, links[1]);
	put(&p, links[3], links[2]); /* a circle without the head */
	assert_true(count_list(&p, 0, KSMA_COVERAGE_PARTIAL) >= 3);
	put(&p, links[3], links[3]);
	assert_true(count_list(&p, 0, KSMA_COVERAGE_PARTIAL) >= 3);
	put(&p, links[3], 0x4141414141414141); /* into nowhere */
	assert_int_equal(count_list(&p, 0, KSMA_COVERAGE_PARTIAL), 3);
	put(&p, links[3], links[0]);
	put(&p, links[0] + 8, links[1]); /* the head names another last one */
	assert_int_equal(count_list(&p, 0, KSMA_COVERAGE_PARTIAL), 3);
	put(&p, links[0], 0);
	assert_int_equal(count_list(&p, 0, KSMA_COVERAGE_PARTIAL), 0);
	fake_processes_destroy(&p);
}

static void broken_threads_are_told(void **state)
{
	struct fake_processes p;
	uint64_t node;

	fake_processes_create(&p, FAKE_MAPPED, true);
	node = p.tasks[4] + OFF(p, task_struct__thread_node);
	put(&p, node, node);
	assert_true(count_list(&p, KSMA_PROCESS_THREADS, KSMA_COVERAGE_PARTIAL) >= 3);
	put(&p, node, p.signals[3] + OFF(p, signal_struct__thread_head));
	put(&p, p.tasks[4] + OFF(p, task_struct__tgid), 7); /* of another process */
	assert_int_equal(count_list(&p, KSMA_PROCESS_THREADS, KSMA_COVERAGE_PARTIAL), 3);
	put(&p, p.tasks[3] + OFF(p, task_struct__signal), 0);
	assert_int_equal(count_list(&p, KSMA_PROCESS_THREADS, KSMA_COVERAGE_PARTIAL), 3);
	fake_processes_destroy(&p);
}

/* A task that was released is left out; one that only lacks its pid is a fact. */
static void tasks_on_their_way_out(void **state)
{
	struct fake_processes p;

	fake_processes_create(&p, FAKE_MAPPED, true);
	put(&p, p.tasks[3] + OFF(p, task_struct__thread_pid), 0);
	assert_int_equal(count_list(&p, 0, KSMA_COVERAGE_COMPLETE), 3);
	assert_int_equal(count_list(&p, KSMA_PROCESS_NAMESPACES, KSMA_COVERAGE_PARTIAL), 3);
	/* One that says it is dead, and has its memory still, is as well. */
	fake_kernel_put(p.k, p.tasks[3] + OFF(p, task_struct__exit_state), 0x10, 4);
	assert_int_equal(count_list(&p, KSMA_PROCESS_NAMESPACES, KSMA_COVERAGE_PARTIAL), 3);
	put(&p, p.tasks[3] + OFF(p, task_struct__mm), 0);
	assert_int_equal(count_list(&p, KSMA_PROCESS_NAMESPACES, KSMA_COVERAGE_PARTIAL), 3);
	fake_kernel_put(p.k, p.tasks[3] + OFF(p, task_struct__flags), 0x4, 4);
	assert_int_equal(count_list(&p, KSMA_PROCESS_NAMESPACES, KSMA_COVERAGE_COMPLETE), 2);
	fake_processes_destroy(&p);
}

static void missing_fields_are_told(void **state)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_processes list;
	struct fake_processes p;

	fake_processes_create(&p, FAKE_MAPPED, true);
	put(&p, p.tasks[3] + OFF(p, task_struct__real_cred), 0x123);
	assert_int_equal(count_list(&p, 0, KSMA_COVERAGE_PARTIAL), 3);
	assert_ok(ksma_linux_processes(&p.k->kernel, KSMA_PROCESS_CGROUP, &coverage, &list));
	assert_int_equal(list.items[2].uid, UINT32_MAX); /* never root by accident */
	assert_non_null(strstr(coverage.reason, "credentials"));
	ksma_processes_free(&list);
	ksma_coverage_deinit(&coverage);
	put(&p, p.tasks[3] + OFF(p, task_struct__real_cred), p.cred);
	put(&p, p.tasks[3] + OFF(p, task_struct__cgroups), 0x123);
	assert_int_equal(count_list(&p, KSMA_PROCESS_CGROUP, KSMA_COVERAGE_PARTIAL), 3);
	put(&p, p.mm + OFF(p, mm_struct__exe_file), 0x123);
	assert_int_equal(count_list(&p, KSMA_PROCESS_EXE, KSMA_COVERAGE_PARTIAL), 3);
	put(&p, p.mm + OFF(p, mm_struct__exe_file), 0);
	assert_int_equal(count_list(&p, KSMA_PROCESS_EXE, KSMA_COVERAGE_COMPLETE), 3);
	fake_processes_destroy(&p);
}

/* --- user memory --- */

static uint64_t *leaf_entry(struct fake_processes *p)
{
	uint64_t table = p->pgd, entry;

	for (int shift = 39; shift > 12; shift -= 9) {
		memcpy(&entry,
		       fake_kernel_at(p->k, table + 8 * (0x7ffd00001000ull >> shift & 511), 8), 8);
		table = (entry & KSMA_PTE_FRAME) - (1 << 30) + p->k->base;
	}
	return (uint64_t *)(void *)fake_kernel_at(p->k, table + 8, 8);
}

static void pages_that_are_away(void **state)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_process process;
	struct fake_processes p;
	uint64_t *entry, present;

	fake_processes_create(&p, FAKE_MAPPED, true);
	entry = leaf_entry(&p);
	present = *entry;
	*entry = 0;
	assert_ok(ksma_linux_process(&p.k->kernel, FAKE_PROGRAM, KSMA_PROCESS_CMDLINE, &coverage,
				     &process));
	assert_null(process.cmdline);
	assert_int_equal(coverage.state, KSMA_COVERAGE_PARTIAL);
	assert_non_null(strstr(coverage.reason, "command line"));
	ksma_process_deinit(&process);
	ksma_coverage_deinit(&coverage);
	/* Kept from the process, but in memory: the frame number is inverted. */
	*entry = (~present & KSMA_PTE_FRAME) | KSMA_PTE_G;
	assert_ok(ksma_linux_process(&p.k->kernel, FAKE_PROGRAM,
				     KSMA_PROCESS_ALL & ~KSMA_PROCESS_THREADS, &coverage,
				     &process));
	check_program(&process);
	assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
	ksma_process_deinit(&process);
	fake_processes_destroy(&p);
}

static void reads_of_user_memory_end(void **state)
{
	struct fake_processes p;
	enum ksma_user_end end;
	uint64_t pgd, *entry;
	char buffer[8192];

	fake_processes_create(&p, FAKE_MAPPED, true);
	pgd = ksma_user_pgd(&p.k->kernel, p.pgd);
	assert_true(pgd != 0);
	assert_int_equal(ksma_user_pgd(&p.k->kernel, p.pgd + 8), 0);
	assert_int_equal(ksma_user_pgd(&p.k->kernel, 0x1000), 0);
	assert_int_equal(ksma_user_read(&p.k->kernel, pgd, 0x7ffd00001100, buffer, 8, &end), 8);
	assert_string_equal(buffer, "program");
	assert_int_equal(end, KSMA_USER_WHOLE);
	assert_int_equal(ksma_user_read(&p.k->kernel, pgd, 0x7ffd00001ff0, buffer, 100, &end), 16);
	assert_int_equal(end, KSMA_USER_NOTHING);
	assert_int_equal(ksma_user_read(&p.k->kernel, pgd, 0xffff888000000000, buffer, 8, &end), 0);
	assert_int_equal(ksma_user_read(&p.k->kernel, pgd, UINT64_MAX - 3, buffer, 8, &end), 0);
	assert_int_equal(ksma_user_read(&p.k->kernel, 0, 0x7ffd00001100, buffer, 8, NULL), 0);
	entry = leaf_entry(&p);
	*entry = 0x12345600ull; /* in swap */
	assert_int_equal(ksma_user_read(&p.k->kernel, pgd, 0x7ffd00001100, buffer, 8, &end), 0);
	assert_int_equal(end, KSMA_USER_AWAY);
	fake_processes_destroy(&p);
}

static void titles_over_arguments(void **state)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_process process;
	struct fake_processes p;

	fake_processes_create(&p, FAKE_MAPPED, true);
	memset(fake_kernel_at(p.k, p.stack + 0x100, 40), 't', 40);
	assert_ok(ksma_linux_process(&p.k->kernel, FAKE_PROGRAM, KSMA_PROCESS_CMDLINE, &coverage,
				     &process));
	assert_int_equal(process.cmdline_length, 40);
	ksma_process_deinit(&process);
	put(&p, p.mm + OFF(p, mm_struct__arg_end), 0x7ffd00001100); /* none */
	assert_ok(ksma_linux_process(&p.k->kernel, FAKE_PROGRAM, KSMA_PROCESS_CMDLINE, &coverage,
				     &process));
	assert_null(process.cmdline);
	assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
	ksma_process_deinit(&process);
	put(&p, p.mm + OFF(p, mm_struct__arg_end), UINT64_MAX); /* as much as it likes to say */
	assert_ok(ksma_linux_process(&p.k->kernel, FAKE_PROGRAM, KSMA_PROCESS_CMDLINE, &coverage,
				     &process));
	assert_int_equal(coverage.state, KSMA_COVERAGE_PARTIAL);
	ksma_process_deinit(&process);
	ksma_coverage_deinit(&coverage);
	fake_processes_destroy(&p);
}

/* --- one process --- */

/* Puts the program's pid, 300, in the table of pids: slot 4 of the root, slot 44 below it. */
static void add_to_pids(struct fake_processes *p)
{
	uint64_t root =
		ksma_kernel_symbol(&p->k->kernel, "init_pid_ns") + OFF(*p, pid_namespace__idr);
	uint64_t top = fake_kernel_alloc(p->k, 576, 64), bottom = fake_kernel_alloc(p->k, 576, 64),
		 pid;

	memcpy(&pid, fake_kernel_at(p->k, p->tasks[3] + OFF(*p, task_struct__thread_pid), 8), 8);
	put(p, root + 8, top | 2);
	fake_kernel_put(p->k, top, 6, 1);
	put(p, top + 40 + 4 * 8, bottom | 2);
	fake_kernel_put(p->k, bottom + 1, 4, 1);
	put(p, bottom + 8, top);
	put(p, bottom + 40 + 44 * 8, pid);
}

static void one_process_is_found(void **state)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_process process;
	struct fake_processes p;
	uint64_t next;

	fake_processes_create(&p, FAKE_MAPPED, true);
	assert_ok(ksma_linux_process(&p.k->kernel, FAKE_PROGRAM, KSMA_PROCESS_ALL, &coverage,
				     &process));
	check_program(&process);
	ksma_process_deinit(&process);
	assert_error(ksma_linux_process(&p.k->kernel, FAKE_PROGRAM + 1, 0, &coverage, &process),
		     KSMA_ERROR_NOT_PRESENT);
	assert_error(ksma_linux_process(&p.k->kernel, 0, 0, &coverage, &process),
		     KSMA_ERROR_NOT_PRESENT);
	assert_error(ksma_linux_process(&p.k->kernel, -1, 0, &coverage, &process),
		     KSMA_ERROR_NOT_PRESENT);
	assert_error(ksma_linux_process(&p.k->kernel, 1, 0x1000, &coverage, &process),
		     KSMA_ERROR_INVALID);
	/* Taken out of the list, as a rootkit does it. */
	memcpy(&next, fake_kernel_at(p.k, p.tasks[3] + OFF(p, task_struct__tasks), 8), 8);
	put(&p, p.tasks[2] + OFF(p, task_struct__tasks), next);
	put(&p, next + 8, p.tasks[2] + OFF(p, task_struct__tasks));
	assert_error(ksma_linux_process(&p.k->kernel, FAKE_PROGRAM, 0, &coverage, &process),
		     KSMA_ERROR_NOT_PRESENT);
	add_to_pids(&p);
	assert_ok(ksma_linux_process(&p.k->kernel, FAKE_PROGRAM, KSMA_PROCESS_ALL, &coverage,
				     &process));
	check_program(&process);
	ksma_process_deinit(&process);
	assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
	fake_processes_destroy(&p);
}

/* --- files --- */

static void files_are_read(void **state)
{
	static const struct {
		int fd;
		const char *type, *path;
	} expected[FAKE_FILES] = { { 0, "file",
				     "/bin/a program whose name is too long for its dentry" },
				   { 2, "file", "/tmp/gone (deleted)" },
				   { 4, "pipe", "pipe:[" },
				   { 6, "dir", "/" } };
	struct ksma_coverage coverage = { 0 };
	struct ksma_files files;
	struct fake_processes p;

	fake_processes_create(&p, FAKE_MAPPED, true);
	assert_ok(ksma_linux_files(&p.k->kernel, FAKE_PROGRAM, &coverage, &files));
	assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
	assert_int_equal(files.count, FAKE_FILES);
	for (int i = 0; i < FAKE_FILES; i++) {
		assert_int_equal(files.items[i].fd, expected[i].fd);
		assert_string_equal(files.items[i].type, expected[i].type);
		assert_memory_equal(files.items[i].path, expected[i].path,
				    strlen(expected[i].path));
		assert_int_equal(files.items[i].major, 1);
		assert_int_equal(files.items[i].minor, 2);
		assert_int_equal(files.items[i].position, 42);
	}
	ksma_files_free(&files);
	assert_ok(
		ksma_linux_files(&p.k->kernel, 2, &coverage, &files)); /* a kernel thread without */
	assert_int_equal(files.count, 0);
	ksma_files_free(&files);
	put(&p, p.fdt + OFF(p, fdtable__max_fds), UINT32_MAX);
	assert_error(ksma_linux_files(&p.k->kernel, FAKE_PROGRAM, &coverage, &files),
		     KSMA_ERROR_LIMIT);
	put(&p, p.fdt + OFF(p, fdtable__max_fds), 64);
	put(&p, p.slots, 0x4141);
	assert_ok(ksma_linux_files(&p.k->kernel, FAKE_PROGRAM, &coverage, &files));
	assert_int_equal(coverage.state, KSMA_COVERAGE_PARTIAL);
	assert_int_equal(files.count, FAKE_FILES); /* that there is one is known */
	assert_null(files.items[0].path);
	ksma_files_free(&files);
	ksma_coverage_deinit(&coverage);
	put(&p, p.fdt + OFF(p, fdtable__fd), 0x123);
	assert_error(ksma_linux_files(&p.k->kernel, FAKE_PROGRAM, &coverage, &files),
		     KSMA_ERROR_BAD_DATA);
	assert_error(ksma_linux_files(&p.k->kernel, 77, &coverage, &files), KSMA_ERROR_NOT_PRESENT);
	fake_processes_destroy(&p);
}

/* --- paths --- */

static bool show(struct fake_processes *p, uint64_t mount, uint64_t dentry, struct ksma_path *path)
{
	struct ksma_paths paths;

	assert_ok(ksma_paths_init(&paths, &p->k->kernel));
	return ksma_path_show(&paths, mount + OFF(*p, mount__mnt), dentry, path);
}

static void paths_that_lie(void **state)
{
	struct fake_processes p;
	struct ksma_path path;

	fake_processes_create(&p, FAKE_MAPPED, true);
	assert_true(show(&p, p.mounts[0], p.program, &path));
	put(&p, p.tmp + OFF(p, dentry__d_parent), p.program); /* a circle of two */
	put(&p, p.program + OFF(p, dentry__d_parent), p.tmp);
	assert_false(show(&p, p.mounts[0], p.program, &path));
	assert_null(path.text);
	put(&p, p.program + OFF(p, dentry__d_parent), p.root);
	put(&p, p.program + OFF(p, dentry__d_name_len), 256);
	assert_false(show(&p, p.mounts[0], p.program, &path));
	put(&p, p.program + OFF(p, dentry__d_name_len), 0);
	assert_false(show(&p, p.mounts[0], p.program, &path));
	put(&p, p.program + OFF(p, dentry__d_name_len), 5);
	put(&p, p.program + OFF(p, dentry__d_name_name), 0x123);
	assert_false(show(&p, p.mounts[0], p.program, &path));
	put(&p, p.program + OFF(p, dentry__d_name_name),
	    p.program + 190); /* runs out of the dentry */
	assert_true(show(&p, p.mounts[0], p.program, &path) || !path.text);
	assert_false(show(&p, p.mounts[0], 0x123, &path));
	assert_false(show(&p, 0x123, p.program, &path));
	/* Mounts that are mounted on each other. */
	put(&p, p.mounts[0] + OFF(p, mount__mnt_parent), p.mounts[1]);
	put(&p, p.mounts[0] + OFF(p, mount__mnt_mountpoint), p.tmp_root);
	put(&p, p.mounts[1] + OFF(p, mount__mnt_mountpoint), p.root);
	assert_true(show(&p, p.mounts[0], p.root,
			 &path)); /* the root is where it is, whatever lies below */
	put(&p, ksma_kernel_symbol(&p.k->kernel, "init_task"), 0);
	put(&p, p.fs + OFF(p, fs_struct__root_dentry), p.pipe);
	assert_false(show(&p, p.mounts[0], p.root, &path));
	fake_processes_destroy(&p);
}

static void paths_without_a_root(void **state)
{
	struct fake_processes p;
	struct ksma_path path;

	fake_processes_create(&p, FAKE_MAPPED, true);
	put(&p, p.removed + OFF(p, dentry__d_parent),
	    p.removed); /* hangs in no tree, and nobody makes a name for it */
	assert_true(show(&p, p.mounts[1], p.removed, &path));
	assert_string_equal(path.text, "/");
	assert_int_equal(path.end, KSMA_PATH_ESCAPED);
	put(&p, p.mounts[1] + OFF(p, mount__mnt_parent), p.mounts[1]); /* mounted nowhere */
	assert_true(show(&p, p.mounts[1], p.tmp_root, &path));
	assert_string_equal(path.text, "/");
	assert_int_equal(path.end, KSMA_PATH_ELSEWHERE);
	fake_processes_destroy(&p);
}

/* Before there is a process 1, or when its place is spoilt, the root of all mounts will do. */
static void paths_without_init(void **state)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_process process;
	struct fake_processes p;
	uint64_t reaper;

	fake_processes_create(&p, FAKE_MAPPED, true);
	reaper = ksma_kernel_symbol(&p.k->kernel, "init_pid_ns") +
		 OFF(p, pid_namespace__child_reaper);
	for (int i = 0; i < 2; i++) {
		put(&p, reaper, i ? 0x123 : 0);
		assert_ok(ksma_linux_process(&p.k->kernel, FAKE_PROGRAM,
					     KSMA_PROCESS_ALL & ~KSMA_PROCESS_THREADS, &coverage,
					     &process));
		check_program(&process);
		ksma_process_deinit(&process);
	}
	assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
	fake_processes_destroy(&p);
}

/* --- maps --- */

static void maps_are_read(void **state)
{
	static const struct {
		const char *perms, *path;
		uint64_t offset;
	} expected[FAKE_AREAS] = { { "r-xp", "/bin/a program whose name is too long for its dentry",
				     0x1000 },
				   { "rw-p", "[heap]", 0 },
				   { "rw-s", "/tmp/gone (deleted)", 0x1000 },
				   { "rw-p", "[stack]", 0 } };

	for (int form = 0; form < 4; form++) {
		struct ksma_coverage coverage = { 0 };
		struct fake_processes p;
		struct ksma_maps maps;

		fake_processes_create(&p, form & 1 ? FAKE_COPIED : FAKE_MAPPED, form & 2);
		assert_ok(ksma_linux_maps(&p.k->kernel, FAKE_PROGRAM, &coverage, &maps));
		assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
		assert_int_equal(maps.count, FAKE_AREAS);
		for (int i = 0; i < FAKE_AREAS; i++) {
			assert_string_equal(maps.items[i].perms, expected[i].perms);
			assert_string_equal(maps.items[i].path, expected[i].path);
			assert_int_equal(maps.items[i].offset, expected[i].offset);
		}
		ksma_maps_free(&maps);
		assert_ok(ksma_linux_maps(&p.k->kernel, 2, &coverage, &maps));
		assert_int_equal(maps.count, 0);
		ksma_maps_free(&maps);
		fake_processes_destroy(&p);
	}
}

static void check_partial_maps(struct fake_processes *p, size_t least, size_t most)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_maps maps;

	assert_ok(ksma_linux_maps(&p->k->kernel, FAKE_PROGRAM, &coverage, &maps));
	assert_int_equal(coverage.state, KSMA_COVERAGE_PARTIAL);
	assert_in_range(maps.count, least, most);
	ksma_maps_free(&maps);
	ksma_coverage_deinit(&coverage);
}

static void maps_that_lie(void **state)
{
	struct fake_processes p;

	fake_processes_create(&p, FAKE_MAPPED, true);
	put(&p, p.mm + OFF(p, mm_struct__map_count), FAKE_AREAS + 1); /* one was taken out */
	check_partial_maps(&p, FAKE_AREAS, FAKE_AREAS);
	put(&p, p.mm + OFF(p, mm_struct__map_count), FAKE_AREAS);
	put(&p, p.areas[3] + OFF(p, vm_area_struct__vm_next), p.areas[0]); /* a circle */
	check_partial_maps(&p, FAKE_AREAS, FAKE_AREAS);
	put(&p, p.areas[3] + OFF(p, vm_area_struct__vm_next), 0);
	put(&p, p.areas[2] + OFF(p, vm_area_struct__vm_mm), p.mm + 8); /* somebody else's */
	check_partial_maps(&p, 2, 2);
	put(&p, p.areas[2] + OFF(p, vm_area_struct__vm_mm), p.mm);
	put(&p, p.areas[1] + OFF(p, vm_area_struct__vm_end), 0); /* ends before it starts */
	check_partial_maps(&p, 1, 1);
	put(&p, p.areas[1] + OFF(p, vm_area_struct__vm_end), 0x700000);
	put(&p, p.areas[2] + OFF(p, vm_area_struct__vm_file), 0x123);
	check_partial_maps(&p, FAKE_AREAS, FAKE_AREAS);
	put(&p, p.mm + OFF(p, mm_struct__mmap), 0x123);
	check_partial_maps(&p, 0, 0);
	fake_processes_destroy(&p);
}

/* --- mounts --- */

static void mounts_are_read(void **state)
{
	for (int form = 0; form < 4; form++) {
		struct ksma_coverage coverage = { 0 };
		struct ksma_mounts mounts;
		struct fake_processes p;

		fake_processes_create(&p, form & 1 ? FAKE_COPIED : FAKE_MAPPED, form & 2);
		assert_ok(ksma_linux_mounts(&p.k->kernel, 1, &coverage, &mounts));
		assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
		assert_int_equal(mounts.count, FAKE_MOUNTS);
		assert_int_equal(mounts.items[1].id, 21);
		assert_int_equal(mounts.items[1].parent, 20);
		assert_string_equal(mounts.items[1].path, "/tmp");
		assert_string_equal(mounts.items[1].root, "/");
		assert_string_equal(mounts.items[1].fstype, "tmpfs");
		assert_string_equal(mounts.items[1].source, "device");
		assert_string_equal(mounts.items[0].path, "/");
		ksma_mounts_free(&mounts);
		/* One more than there are. */
		put(&p,
		    p.ns + (form & 2 ? OFF(p, mnt_namespace__mounts)
				     : OFF(p, mnt_namespace__nr_mounts)),
		    3);
		fake_guest_forget(p.k->fake);
		assert_ok(ksma_linux_mounts(&p.k->kernel, 1, &coverage, &mounts));
		assert_int_equal(coverage.state, KSMA_COVERAGE_PARTIAL);
		ksma_mounts_free(&mounts);
		ksma_coverage_deinit(&coverage);
		fake_processes_destroy(&p);
	}
}

/* --- each read and each allocation fails once --- */

static struct ksma_error *run_all(struct fake_guest *fake, void *state)
{
	struct fake_processes *p = state;
	struct ksma_coverage coverage = { 0 };
	struct ksma_processes list = { 0 };
	struct ksma_files files = { 0 };
	struct ksma_maps maps = { 0 };
	struct ksma_mounts mounts = { 0 };
	bool failed = false;
	struct ksma_error *errors[] = {
		ksma_linux_processes(&p->k->kernel, KSMA_PROCESS_ALL, &coverage, &list),
		ksma_linux_files(&p->k->kernel, FAKE_PROGRAM, &coverage, &files),
		ksma_linux_maps(&p->k->kernel, FAKE_PROGRAM, &coverage, &maps),
		ksma_linux_mounts(&p->k->kernel, FAKE_PROGRAM, &coverage, &mounts),
	};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		failed |= errors[i] != NULL;
		ksma_error_destroy(errors[i]);
	}
	if (!failed && coverage.state == KSMA_COVERAGE_COMPLETE) {
		assert_int_equal(list.count, 4);
		check_program(&list.items[2]);
		assert_int_equal(files.count, FAKE_FILES);
		assert_int_equal(maps.count, FAKE_AREAS);
		assert_int_equal(mounts.count, FAKE_MOUNTS);
	} else if (!fake->fail_at) {
		fail_msg("a good run that is not whole");
	}
	ksma_processes_free(&list);
	ksma_files_free(&files);
	ksma_maps_free(&maps);
	ksma_mounts_free(&mounts);
	ksma_coverage_deinit(&coverage);
	return NULL;
}

static void failed_reads_are_told(void **state)
{
	struct fake_processes p;

	for (int list = 0; list < 2; list++) {
		fake_processes_create(&p, FAKE_COPIED, list);
		for (unsigned long n = 0; n < 60; n++) {
			p.k->fake->fail_at = n;
			p.k->fake->fetches = 0;
			fake_guest_forget(p.k->fake);
			ksma_space_flush(&p.k->kernel.space);
			ksma_error_destroy(run_all(p.k->fake, &p));
		}
		fake_processes_destroy(&p);
	}
}

static struct ksma_error *run_processes(void *state)
{
	struct fake_processes *p = state;
	struct ksma_coverage coverage = { 0 };
	struct ksma_processes list;
	struct ksma_error *error =
		ksma_linux_processes(&p->k->kernel, KSMA_PROCESS_ALL, &coverage, &list);

	if (!error)
		ksma_processes_free(&list);
	ksma_coverage_deinit(&coverage);
	return error;
}

static struct ksma_error *run_files(void *state)
{
	struct fake_processes *p = state;
	struct ksma_coverage coverage = { 0 };
	struct ksma_files files;
	struct ksma_error *error = ksma_linux_files(&p->k->kernel, FAKE_PROGRAM, &coverage, &files);

	if (!error)
		ksma_files_free(&files);
	ksma_coverage_deinit(&coverage);
	return error;
}

static struct ksma_error *run_maps(void *state)
{
	struct fake_processes *p = state;
	struct ksma_coverage coverage = { 0 };
	struct ksma_maps maps;
	struct ksma_error *error = ksma_linux_maps(&p->k->kernel, FAKE_PROGRAM, &coverage, &maps);

	if (!error)
		ksma_maps_free(&maps);
	ksma_coverage_deinit(&coverage);
	return error;
}

static struct ksma_error *run_mounts(void *state)
{
	struct fake_processes *p = state;
	struct ksma_coverage coverage = { 0 };
	struct ksma_mounts mounts;
	struct ksma_error *error =
		ksma_linux_mounts(&p->k->kernel, FAKE_PROGRAM, &coverage, &mounts);

	if (!error)
		ksma_mounts_free(&mounts);
	ksma_coverage_deinit(&coverage);
	return error;
}

static void failed_allocations(void **state)
{
	struct fake_processes p;

	fake_processes_create(&p, FAKE_MAPPED, true);
	/* The last byte of a string may be given back or not. */
	assert_true(fail_alloc_each(run_processes, &p, FAIL_ALLOC_LENIENT) >= 8);
	assert_true(fail_alloc_each(run_files, &p, FAIL_ALLOC_STRICT) >= 7);
	assert_true(fail_alloc_each(run_maps, &p, FAIL_ALLOC_STRICT) >= 6);
	assert_true(fail_alloc_each(run_mounts, &p, FAIL_ALLOC_STRICT) >= 7);
	fake_processes_destroy(&p);
}

static void missing_members_are_named(void **state)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_processes list;
	struct ksma_files files;
	struct ksma_maps maps;
	struct ksma_mounts mounts;
	struct fake_processes p;

	fake_processes_create(&p, FAKE_MAPPED, true);
	p.k->kernel.off.mount__mnt_devname = KSMA_NO_MEMBER;
	assert_error_says(ksma_linux_mounts(&p.k->kernel, 1, &coverage, &mounts),
			  KSMA_ERROR_UNSUPPORTED, "mnt_devname");
	p.k->kernel.off.fdtable__fd = KSMA_NO_MEMBER;
	assert_error_says(ksma_linux_files(&p.k->kernel, 1, &coverage, &files),
			  KSMA_ERROR_UNSUPPORTED, "fdtable");
	p.k->kernel.off.vm_area_struct__vm_next = KSMA_NO_MEMBER;
	assert_error_says(ksma_linux_maps(&p.k->kernel, 1, &coverage, &maps),
			  KSMA_ERROR_UNSUPPORTED, "vm_next");
	p.k->kernel.off.task_struct__comm = 1 << 20;
	assert_error_says(ksma_linux_processes(&p.k->kernel, 0, &coverage, &list),
			  KSMA_ERROR_UNSUPPORTED, "task_struct");
	p.k->kernel.off.task_struct__comm = KSMA_NO_MEMBER;
	assert_error_says(ksma_linux_processes(&p.k->kernel, 0, &coverage, &list),
			  KSMA_ERROR_UNSUPPORTED, "comm");
	fake_processes_destroy(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_read),
		cmocka_unit_test(broken_lists_are_told),
		cmocka_unit_test(broken_threads_are_told),
		cmocka_unit_test(tasks_on_their_way_out),
		cmocka_unit_test(missing_fields_are_told),
		cmocka_unit_test(pages_that_are_away),
		cmocka_unit_test(reads_of_user_memory_end),
		cmocka_unit_test(titles_over_arguments),
		cmocka_unit_test(one_process_is_found),
		cmocka_unit_test(files_are_read),
		cmocka_unit_test(paths_that_lie),
		cmocka_unit_test(paths_without_a_root),
		cmocka_unit_test(paths_without_init),
		cmocka_unit_test(maps_are_read),
		cmocka_unit_test(maps_that_lie),
		cmocka_unit_test(mounts_are_read),
		cmocka_unit_test(failed_reads_are_told),
		cmocka_unit_test(failed_allocations),
		cmocka_unit_test(missing_members_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
