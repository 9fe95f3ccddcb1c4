/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lays out the structs that the readers of processes know, and fills a small world with them. */
#include "fake_processes.h"

#include "linux/window.h"
#include <sys/stat.h>

#define BASE 0xffff888000000000ull
#define USER 0x7ffd00001000ull

enum {
	STRUCT = 512, /* room for each */
	FIRST_AREA = 0x400000,
	S_DEV = 0x00100002,
};

/* Members follow one another, eight bytes apart, in structs that are as large as they come. */
static void layout(struct ksma_kernel *kernel, bool list)
{
	struct ksma_offsets *o = &kernel->off;
	int32_t at = 0;

#define NEXT(member) (o->member = at, at += 8)
#define BEGIN() (at = 8)
	BEGIN();
	NEXT(task_struct____state), NEXT(task_struct__flags), NEXT(task_struct__tasks), at += 8;
	NEXT(task_struct__mm), NEXT(task_struct__exit_state), NEXT(task_struct__pid),
		NEXT(task_struct__tgid);
	NEXT(task_struct__real_parent), NEXT(task_struct__thread_pid), NEXT(task_struct__pid_links),
		at += 56;
	NEXT(task_struct__thread_node), at += 8, NEXT(task_struct__start_boottime),
		NEXT(task_struct__real_cred);
	NEXT(task_struct__comm), at += 8, NEXT(task_struct__fs), NEXT(task_struct__files),
		NEXT(task_struct__nsproxy);
	NEXT(task_struct__signal), NEXT(task_struct__cgroups);
	BEGIN();
	NEXT(signal_struct__nr_threads), NEXT(signal_struct__thread_head);
	BEGIN();
	NEXT(cred__uid), NEXT(cred__gid), NEXT(cred__suid), NEXT(cred__sgid), NEXT(cred__euid),
		NEXT(cred__egid);
	NEXT(cred__fsuid), NEXT(cred__fsgid), NEXT(cred__cap_permitted), NEXT(cred__cap_effective),
		NEXT(cred__user_ns);
	BEGIN();
	NEXT(mm_struct__pgd), NEXT(mm_struct__map_count), NEXT(mm_struct__start_brk),
		NEXT(mm_struct__brk);
	NEXT(mm_struct__start_stack), NEXT(mm_struct__arg_start), NEXT(mm_struct__arg_end),
		NEXT(mm_struct__env_start);
	NEXT(mm_struct__env_end), NEXT(mm_struct__exe_file);
	if (list)
		NEXT(mm_struct__mmap);
	else
		NEXT(mm_struct__mm_mt);
	BEGIN();
	NEXT(vm_area_struct__vm_start), NEXT(vm_area_struct__vm_end), NEXT(vm_area_struct__vm_next),
		NEXT(vm_area_struct__vm_mm);
	NEXT(vm_area_struct__vm_flags), NEXT(vm_area_struct__vm_pgoff),
		NEXT(vm_area_struct__vm_file), NEXT(vm_area_struct__vm_ops);
	NEXT(vm_area_struct__vm_private_data), NEXT(vm_operations_struct__name),
		NEXT(vm_special_mapping__name);
	BEGIN();
	NEXT(file__f_path_mnt), NEXT(file__f_path_dentry), NEXT(file__f_inode), NEXT(file__f_flags),
		NEXT(file__f_mode);
	NEXT(file__f_pos);
	BEGIN();
	NEXT(inode__i_mode), NEXT(inode__i_sb), NEXT(inode__i_ino), NEXT(inode__i_rdev),
		NEXT(inode__i_private);
	BEGIN();
	NEXT(dentry__d_hash_pprev), NEXT(dentry__d_parent), NEXT(dentry__d_name_len),
		NEXT(dentry__d_name_name);
	NEXT(dentry__d_inode), NEXT(dentry__d_op), NEXT(dentry__d_sb),
		NEXT(dentry_operations__d_dname);
	kernel->size.dentry = 192;
	BEGIN();
	NEXT(super_block__s_dev), NEXT(super_block__s_type), NEXT(file_system_type__name);
	BEGIN();
	NEXT(mount__mnt_parent), NEXT(mount__mnt_mountpoint), NEXT(mount__mnt), at += 16,
		NEXT(mount__mnt_devname);
	NEXT(mount__mnt_list), at += 8, NEXT(mount__mnt_node), at += 16, NEXT(mount__mnt_ns),
		NEXT(mount__mnt_id);
	o->vfsmount__mnt_root = 0, o->vfsmount__mnt_sb = 8, o->vfsmount__mnt_flags = 16;
	BEGIN();
	NEXT(mnt_namespace__ns_inum), NEXT(mnt_namespace__mounts), NEXT(mnt_namespace__event);
	if (list)
		NEXT(mnt_namespace__list);
	else
		NEXT(mnt_namespace__nr_mounts);
	BEGIN();
	NEXT(fs_struct__root_mnt), NEXT(fs_struct__root_dentry);
	BEGIN();
	NEXT(files_struct__fdt), NEXT(fdtable__max_fds), NEXT(fdtable__fd);
	BEGIN();
	NEXT(nsproxy__mnt_ns), NEXT(nsproxy__uts_ns), NEXT(uts_namespace__ns_inum),
		NEXT(user_namespace__ns_inum);
	BEGIN();
	NEXT(pid__level), NEXT(pid__tasks), at += 24, NEXT(pid__numbers),
		NEXT(pid_namespace__ns_inum);
	NEXT(pid_namespace__child_reaper), NEXT(pid_namespace__idr);
	o->upid__ns = 8, kernel->size.upid = 16;
	BEGIN();
	NEXT(css_set__dfl_cgrp), NEXT(cgroup__kn), NEXT(kernfs_node__parent),
		NEXT(kernfs_node__name);
#undef NEXT
#undef BEGIN
}

static uint64_t make(struct fake_processes *p)
{
	return fake_kernel_alloc(p->k, STRUCT, 16);
}

static void put(struct fake_processes *p, uint64_t object, int32_t offset, uint64_t value)
{
	fake_kernel_put64(p->k, object + (uint32_t)offset, value);
}

static uint64_t make_text(struct fake_processes *p, const char *text)
{
	size_t length = strlen(text) + 1;
	uint64_t at = fake_kernel_alloc(p->k, length, 8);

	memcpy(fake_kernel_at(p->k, at, length), text, length);
	return at;
}

static uint64_t make_super(struct fake_processes *p, const char *type_name)
{
	const struct ksma_offsets *o = &p->k->kernel.off;
	uint64_t sb = make(p), type = make(p);

	put(p, sb, o->super_block__s_dev, S_DEV);
	put(p, sb, o->super_block__s_type, type);
	put(p, type, o->file_system_type__name, make_text(p, type_name));
	return sb;
}

/* Short names lie in the dentry itself. */
static uint64_t make_dentry(struct fake_processes *p, uint64_t parent, const char *name,
			    uint64_t sb, unsigned mode)
{
	const struct ksma_offsets *o = &p->k->kernel.off;
	uint64_t dentry = make(p), inode = make(p), at = dentry + 128;

	if (strlen(name) < 32)
		memcpy(fake_kernel_at(p->k, at, 32), name, strlen(name));
	else
		at = make_text(p, name);
	put(p, dentry, o->dentry__d_parent, parent ? parent : dentry);
	put(p, dentry, o->dentry__d_name_len, strlen(name));
	put(p, dentry, o->dentry__d_name_name, at);
	put(p, dentry, o->dentry__d_inode, inode);
	put(p, dentry, o->dentry__d_sb, sb);
	put(p, dentry, o->dentry__d_hash_pprev, 1);
	put(p, inode, o->inode__i_mode, mode);
	put(p, inode, o->inode__i_ino, 1000 + (p->k->used >> 4));
	put(p, inode, o->inode__i_sb, sb);
	return dentry;
}

static uint64_t make_file(struct fake_processes *p, uint64_t mount, uint64_t dentry)
{
	const struct ksma_offsets *o = &p->k->kernel.off;
	uint64_t file = make(p), inode;

	memcpy(&inode, fake_kernel_at(p->k, dentry + (uint32_t)o->dentry__d_inode, 8), 8);
	put(p, file, o->file__f_path_mnt, mount + (uint32_t)o->mount__mnt);
	put(p, file, o->file__f_path_dentry, dentry);
	put(p, file, o->file__f_inode, inode);
	put(p, file, o->file__f_flags, 0100002);
	put(p, file, o->file__f_pos, 42);
	return file;
}

static uint64_t make_mount(struct fake_processes *p, uint64_t parent, uint64_t mountpoint,
			   uint64_t root, uint64_t sb, int id)
{
	const struct ksma_offsets *o = &p->k->kernel.off;
	uint64_t mount = make(p);

	put(p, mount, o->mount__mnt_parent, parent ? parent : mount);
	put(p, mount, o->mount__mnt_mountpoint, mountpoint ? mountpoint : root);
	put(p, mount, o->mount__mnt + o->vfsmount__mnt_root, root);
	put(p, mount, o->mount__mnt + o->vfsmount__mnt_sb, sb);
	put(p, mount, o->mount__mnt_devname, make_text(p, "device"));
	put(p, mount, o->mount__mnt_ns, p->ns);
	put(p, mount, o->mount__mnt_id, (uint64_t)id);
	return mount;
}

static void make_files(struct fake_processes *p, bool list)
{
	const struct ksma_offsets *o = &p->k->kernel.off;
	uint64_t rootfs = make_super(p, "ext4"), tmpfs = make_super(p, "tmpfs"),
		 pipefs = make_super(p, "pipefs");
	uint64_t bin, pipe_mount, op = make(p), entries[FAKE_MOUNTS];

	p->ns = make(p);
	p->root = make_dentry(p, 0, "/", rootfs, S_IFDIR | 0755);
	p->tmp = make_dentry(p, p->root, "tmp", rootfs, S_IFDIR | 0755);
	bin = make_dentry(p, p->root, "bin", rootfs, S_IFDIR | 0755);
	p->program = make_dentry(p, bin, "a program whose name is too long for its dentry", rootfs,
				 S_IFREG | 0755);
	p->tmp_root = make_dentry(p, 0, "/", tmpfs, S_IFDIR | 01777);
	p->removed = make_dentry(p, p->tmp_root, "gone", tmpfs, S_IFREG | 0600);
	put(p, p->removed, o->dentry__d_hash_pprev, 0);
	p->pipe = make_dentry(p, 0, "", pipefs, S_IFIFO | 0600);
	put(p, p->pipe, o->dentry__d_op, op);
	put(p, op, o->dentry_operations__d_dname, BASE + 1);
	p->mounts[0] = make_mount(p, 0, 0, p->root, rootfs, 20);
	p->mounts[1] = make_mount(p, p->mounts[0], p->tmp, p->tmp_root, tmpfs, 21);
	pipe_mount = make_mount(p, 0, 0, make_dentry(p, 0, "pipe:", pipefs, S_IFDIR), pipefs, 5);
	p->open[0] = make_file(p, p->mounts[0], p->program);
	p->open[1] = make_file(p, p->mounts[1], p->removed);
	p->open[2] = make_file(p, pipe_mount, p->pipe);
	p->open[3] = make_file(p, p->mounts[0], p->root);
	put(p, p->ns, o->mnt_namespace__ns_inum, 4026531840);
	if (list) {
		put(p, p->ns, o->mnt_namespace__mounts, FAKE_MOUNTS);
		for (int i = 0; i < FAKE_MOUNTS; i++)
			entries[i] = p->mounts[i] + (uint32_t)o->mount__mnt_list;
		fake_kernel_list(p->k, p->ns + (uint32_t)o->mnt_namespace__list, entries,
				 FAKE_MOUNTS);
		return;
	}
	put(p, p->ns, o->mnt_namespace__nr_mounts, FAKE_MOUNTS);
	put(p, p->ns, o->mnt_namespace__mounts, p->mounts[0] + (uint32_t)o->mount__mnt_node);
	put(p, p->mounts[0], o->mount__mnt_node + 8, p->mounts[1] + (uint32_t)o->mount__mnt_node);
	put(p, p->mounts[1], o->mount__mnt_node, p->mounts[0] + (uint32_t)o->mount__mnt_node);
}

static void make_table(struct fake_processes *p)
{
	const struct ksma_offsets *o = &p->k->kernel.off;

	p->files = make(p);
	p->fdt = make(p);
	p->slots = make(p);
	put(p, p->files, o->files_struct__fdt, p->fdt);
	put(p, p->fdt, o->fdtable__max_fds, 64);
	put(p, p->fdt, o->fdtable__fd, p->slots);
	for (int i = 0; i < FAKE_FILES; i++)
		fake_kernel_put64(p->k, p->slots + 16 * (unsigned)i, p->open[i]); /* 0, 2, 4, 6 */
	p->fs = make(p);
	put(p, p->fs, o->fs_struct__root_mnt, p->mounts[0] + (uint32_t)o->mount__mnt);
	put(p, p->fs, o->fs_struct__root_dentry, p->root);
}

/* One page of user memory, four tables deep. */
static void make_user(struct fake_processes *p)
{
	const uint64_t gpa_of_base = 1 << 30, flags = KSMA_PTE_P | KSMA_PTE_W | KSMA_PTE_U;
	uint64_t table = fake_kernel_alloc(p->k, KSMA_PAGE_SIZE, KSMA_PAGE_SIZE), next;
	static const char arguments[] = "program\0with\0three";

	p->pgd = table;
	for (int shift = 39; shift >= 12; shift -= 9) {
		next = fake_kernel_alloc(p->k, KSMA_PAGE_SIZE, KSMA_PAGE_SIZE);
		fake_kernel_put64(p->k, table + 8 * (USER >> shift & 511),
				  (next - BASE + gpa_of_base) | flags);
		table = next;
	}
	p->stack = table;
	memcpy(fake_kernel_at(p->k, table + 0x100, sizeof(arguments)), arguments,
	       sizeof(arguments));
}

static void make_areas(struct fake_processes *p, bool list)
{
	static const struct {
		uint64_t start, end, flags;
		int file;
	} made[FAKE_AREAS] = { { FIRST_AREA, 0x402000, 5, 0 },
			       { 0x600000, 0x700000, 3, -1 },
			       { 0x800000, 0x801000, 0x83, 1 },
			       { USER, USER + 0x1000, 3, -1 } };
	const struct ksma_offsets *o = &p->k->kernel.off;
	uint64_t node = list ? 0 : fake_kernel_alloc(p->k, 256, 256);

	for (int i = 0; i < FAKE_AREAS; i++) {
		uint64_t area = p->areas[i] = make(p);

		put(p, area, o->vm_area_struct__vm_start, made[i].start);
		put(p, area, o->vm_area_struct__vm_end, made[i].end);
		put(p, area, o->vm_area_struct__vm_flags, made[i].flags);
		put(p, area, o->vm_area_struct__vm_mm, p->mm);
		put(p, area, o->vm_area_struct__vm_pgoff, 1);
		put(p, area, o->vm_area_struct__vm_file,
		    made[i].file < 0 ? 0 : p->open[made[i].file]);
		if (list && i)
			put(p, p->areas[i - 1], o->vm_area_struct__vm_next, area);
		if (list)
			continue;
		/* A leaf: gaps and areas in turn. Pivots are last indexes. */
		fake_kernel_put64(p->k, node + 8 + 16 * (unsigned)i, made[i].start - 1);
		fake_kernel_put64(p->k, node + 16 + 16 * (unsigned)i, made[i].end - 1);
		fake_kernel_put64(p->k, node + 128 + 8 + 16 * (unsigned)i, area);
	}
	if (list) {
		put(p, p->mm, o->mm_struct__mmap, p->areas[0]);
	} else {
		uint64_t tree = p->mm + (uint32_t)o->mm_struct__mm_mt;

		fake_kernel_put64(p->k, node, tree | 1);
		fake_kernel_put(p->k, node + 248, 2 * FAKE_AREAS, 1);
		fake_kernel_put64(p->k, tree + 8, node | 1 << 3 | 4 | 2);
	}
	put(p, p->mm, o->mm_struct__map_count, FAKE_AREAS);
}

static void make_mm(struct fake_processes *p, bool list)
{
	const struct ksma_offsets *o = &p->k->kernel.off;

	p->mm = make(p);
	make_user(p);
	put(p, p->mm, o->mm_struct__pgd, p->pgd);
	put(p, p->mm, o->mm_struct__start_brk, 0x600000);
	put(p, p->mm, o->mm_struct__brk, 0x680000);
	put(p, p->mm, o->mm_struct__start_stack, USER + 0x80);
	put(p, p->mm, o->mm_struct__arg_start, USER + 0x100);
	put(p, p->mm, o->mm_struct__arg_end, USER + 0x113);
	put(p, p->mm, o->mm_struct__exe_file, p->open[0]);
	make_areas(p, list);
}

static uint64_t make_pid(struct fake_processes *p, uint64_t task, uint64_t ns, int number)
{
	const struct ksma_offsets *o = &p->k->kernel.off;
	uint64_t pid = make(p);

	put(p, pid, o->pid__tasks + 8, task + (uint32_t)o->task_struct__pid_links + 16);
	fake_kernel_put(p->k, pid + (uint32_t)o->pid__numbers, (uint64_t)number, 4);
	put(p, pid, o->pid__numbers + o->upid__ns, ns);
	return pid;
}

static uint64_t make_cgroup(struct fake_processes *p)
{
	const struct ksma_offsets *o = &p->k->kernel.off;
	uint64_t set = make(p), cgroup = make(p), node = make(p), root = make(p);

	put(p, set, o->css_set__dfl_cgrp, cgroup);
	put(p, cgroup, o->cgroup__kn, node);
	put(p, node, o->kernfs_node__parent, root);
	put(p, node, o->kernfs_node__name, make_text(p, "group"));
	put(p, root, o->kernfs_node__name, make_text(p, ""));
	return set;
}

static void make_tasks(struct fake_processes *p)
{
	static const struct {
		const char *comm;
		int pid, tgid;
		uint32_t flags;
	} made[FAKE_TASKS] = { { "swapper/0", 0, 0, 0x200000 },
			       { "init", 1, 1, 0 },
			       { "kthreadd", 2, 2, 0x200000 },
			       { "program", FAKE_PROGRAM, FAKE_PROGRAM, 0 },
			       { "thread", FAKE_PROGRAM + 1, FAKE_PROGRAM, 0 } };
	const struct ksma_offsets *o = &p->k->kernel.off;
	uint64_t pids = make(p), user_ns = make(p), proxy = make(p), uts = make(p),
		 cgroups = make_cgroup(p), entries[FAKE_TASKS];

	p->cred = make(p);
	put(p, p->cred, o->cred__uid, 1000);
	put(p, p->cred, o->cred__cap_effective, 0x1ffffffffff);
	put(p, p->cred, o->cred__user_ns, user_ns);
	put(p, user_ns, o->user_namespace__ns_inum, 4026531837);
	put(p, proxy, o->nsproxy__mnt_ns, p->ns);
	put(p, proxy, o->nsproxy__uts_ns, uts);
	put(p, uts, o->uts_namespace__ns_inum, 4026531838);
	put(p, pids, o->pid_namespace__ns_inum, 4026531836);
	for (int i = 0; i < FAKE_TASKS; i++) {
		uint64_t task = p->tasks[i] = make(p);

		p->signals[i] = i == 4 ? p->signals[3] : make(p);
		put(p, task, o->task_struct____state, 1);
		put(p, task, o->task_struct__flags, made[i].flags);
		put(p, task, o->task_struct__pid, (uint64_t)made[i].pid);
		put(p, task, o->task_struct__tgid, (uint64_t)made[i].tgid);
		put(p, task, o->task_struct__real_parent, p->tasks[i > 1]);
		put(p, task, o->task_struct__start_boottime, 1000000u * (unsigned)i);
		put(p, task, o->task_struct__real_cred, p->cred);
		put(p, task, o->task_struct__signal, p->signals[i]);
		put(p, task, o->task_struct__thread_pid, make_pid(p, task, pids, made[i].pid));
		put(p, task, o->task_struct__nsproxy, proxy);
		put(p, task, o->task_struct__cgroups, cgroups);
		put(p, task, o->task_struct__fs, p->fs);
		put(p, task, o->task_struct__files, i == 1 || i > 2 ? p->files : 0);
		put(p, task, o->task_struct__mm, i == 1 || i > 2 ? p->mm : 0);
		memcpy(fake_kernel_at(p->k, task + (uint32_t)o->task_struct__comm, 16),
		       made[i].comm, strlen(made[i].comm));
		entries[0] = task + (uint32_t)o->task_struct__thread_node;
		fake_kernel_list(p->k, p->signals[i] + (uint32_t)o->signal_struct__thread_head,
				 entries, i == 4 ? 0 : 1);
	}
	for (int i = 1; i < 4; i++)
		entries[i - 1] = p->tasks[i] + (uint32_t)o->task_struct__tasks;
	fake_kernel_list(p->k, p->tasks[0] + (uint32_t)o->task_struct__tasks, entries, 3);
	for (int i = 3; i < 5; i++)
		entries[i - 3] = p->tasks[i] + (uint32_t)o->task_struct__thread_node;
	fake_kernel_list(p->k, p->signals[3] + (uint32_t)o->signal_struct__thread_head, entries, 2);
	put(p, p->signals[3], o->signal_struct__nr_threads, 2);
	put(p, pids, o->pid_namespace__child_reaper, p->tasks[1]);
	fake_kernel_symbol(p->k, "init_pid_ns", pids);
	fake_kernel_symbol(p->k, "init_task", p->tasks[0]);
}

void fake_processes_create(struct fake_processes *p, enum fake_kind kind, bool list)
{
	memset(p, 0, sizeof(*p));
	p->k = fake_kernel_create(BASE, FAKE_ARENA, kind);
	fake_layout_containers(&p->k->kernel);
	layout(&p->k->kernel, list);
	p->k->kernel.page_offset = 0;
	/* The first bytes are nobody's, so that no object has the arena's own address. */
	fake_kernel_alloc(p->k, 64, 16);
	make_files(p, list);
	make_table(p);
	make_mm(p, list);
	make_tasks(p);
}

void fake_processes_destroy(struct fake_processes *p)
{
	fake_kernel_destroy(p->k);
	p->k = NULL;
}
