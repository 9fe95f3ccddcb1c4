/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What d_path() would answer, computed from outside.
 *
 * Source: fs/d_path.c (d_path, prepend_path, dentry_path, simple_dname), and each pseudo file system's d_dname: fs/pipe.c,
 * net/socket.c, fs/anon_inodes.c, fs/nsfs.c, fs/pidfs.c, drivers/dma-buf/dma-buf.c. A pseudo file is told by the type of its
 * super block, not by the function in its dentry operations, which may be anybody's. */
#include "linux/paths.h"

/* Components and mounts of a path that still fits KSMA_PATH_MAX; a walk that takes longer goes in circles. */
enum { STEPS = KSMA_PATH_MAX / 2 + 256, ATTEMPTS = 8 };

struct ksma_error *ksma_window_check(const struct ksma_window *window, const char *type)
{
	if (window->end - window->start > KSMA_WINDOW_MAX)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"the members of struct %s lie %u bytes apart, which no known kernel has",
			type, window->end - window->start);
	return NULL;
}

/* The root of process 1 is what "as the guest's init sees it" means. Where there is none (yet), paths go up to the root of all
 * mounts, which is the same one on most systems. */
static void find_root(struct ksma_paths *paths)
{
	struct ksma_kernel *kernel = paths->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t ns = ksma_kernel_symbol(kernel, "init_pid_ns"), task, fs, root[2];

	if (!ns ||
	    !ksma_kernel_u64(kernel, ns + (uint32_t)off->pid_namespace__child_reaper, &task) ||
	    !ksma_kernel_u64(kernel, task + (uint32_t)off->task_struct__fs, &fs) ||
	    !ksma_kernel_u64(kernel, fs + (uint32_t)off->fs_struct__root_mnt, &root[0]) ||
	    !ksma_kernel_u64(kernel, fs + (uint32_t)off->fs_struct__root_dentry, &root[1]))
		return;
	paths->root_mnt = root[0];
	paths->root_dentry = root[1];
}

static void add_windows(struct ksma_paths *paths)
{
	const struct ksma_offsets *off = &paths->kernel->off;

	/* The whole dentry: its short name lies within. */
	paths->dentry = (struct ksma_window){ 0, paths->kernel->size.dentry };
	ksma_window_add(&paths->mount, off->mount__mnt_parent, 8);
	ksma_window_add(&paths->mount, off->mount__mnt_mountpoint, 8);
	ksma_window_add(&paths->mount, off->mount__mnt + off->vfsmount__mnt_root, 8);
	ksma_window_add(&paths->inode, off->inode__i_mode, 2);
	ksma_window_add(&paths->inode, off->inode__i_ino, 8);
	ksma_window_add(&paths->inode, off->inode__i_sb, 8);
	ksma_window_add(&paths->inode, off->inode__i_rdev, 4);
	ksma_window_add(&paths->file, off->file__f_path_mnt, 8);
	ksma_window_add(&paths->file, off->file__f_path_dentry, 8);
	ksma_window_add(&paths->file, off->file__f_inode, 8);
	ksma_window_add(&paths->file, off->file__f_flags, 4);
	ksma_window_add(&paths->file, off->file__f_mode, 4);
	ksma_window_add(&paths->file, off->file__f_pos, 8);
}

struct ksma_error *ksma_paths_init(struct ksma_paths *paths, struct ksma_kernel *kernel)
{
	*paths = (struct ksma_paths){ .kernel = kernel };
	KSMA_TRY(KSMA_NEED(kernel, dentry__d_parent));
	KSMA_TRY(KSMA_NEED(kernel, dentry__d_name_len));
	KSMA_TRY(KSMA_NEED(kernel, dentry__d_name_name));
	KSMA_TRY(KSMA_NEED(kernel, dentry__d_hash_pprev));
	KSMA_TRY(KSMA_NEED(kernel, dentry__d_sb));
	KSMA_TRY(KSMA_NEED(kernel, mount__mnt));
	KSMA_TRY(KSMA_NEED(kernel, mount__mnt_parent));
	KSMA_TRY(KSMA_NEED(kernel, mount__mnt_mountpoint));
	KSMA_TRY(KSMA_NEED(kernel, vfsmount__mnt_root));
	KSMA_TRY(KSMA_NEED(kernel, inode__i_mode));
	KSMA_TRY(KSMA_NEED(kernel, inode__i_ino));
	KSMA_TRY(KSMA_NEED(kernel, inode__i_sb));
	KSMA_TRY(KSMA_NEED(kernel, file__f_path_mnt));
	KSMA_TRY(KSMA_NEED(kernel, file__f_path_dentry));
	KSMA_TRY(KSMA_NEED(kernel, file__f_inode));
	KSMA_TRY(KSMA_NEED(kernel, fs_struct__root_mnt));
	KSMA_TRY(KSMA_NEED(kernel, fs_struct__root_dentry));
	KSMA_TRY(KSMA_NEED(kernel, task_struct__fs));
	KSMA_TRY(KSMA_NEED(kernel, pid_namespace__child_reaper));
	KSMA_TRY(KSMA_NEED(kernel, super_block__s_type));
	KSMA_TRY(KSMA_NEED(kernel, super_block__s_dev));
	KSMA_TRY(KSMA_NEED(kernel, file_system_type__name));
	add_windows(paths);
	KSMA_TRY(ksma_window_check(&paths->dentry, "dentry"));
	KSMA_TRY(ksma_window_check(&paths->mount, "mount"));
	KSMA_TRY(ksma_window_check(&paths->inode, "inode"));
	KSMA_TRY(ksma_window_check(&paths->file, "file"));
	paths->rename_lock = ksma_kernel_symbol(kernel, "rename_lock");
	paths->mount_lock = ksma_kernel_symbol(kernel, "mount_lock");
	find_root(paths);
	return NULL;
}

/* The name lies in the dentry itself where it is short (d_iname, d_shortname), else on its own. */
static bool read_name(struct ksma_paths *paths, const uint8_t *bytes,
		      struct ksma_dentry_facts *dentry)
{
	const struct ksma_offsets *off = &paths->kernel->off;
	uint64_t at = ksma_window_u64(&paths->dentry, bytes, off->dentry__d_name_name);
	uint32_t length = ksma_window_u32(&paths->dentry, bytes, off->dentry__d_name_len);

	if (length > KSMA_NAME_MAX)
		return false;
	if (ksma_in_range(at - dentry->address, length, paths->dentry.end))
		memcpy(dentry->name, bytes + (at - dentry->address), length);
	else if (!ksma_kernel_bytes(paths->kernel, at, dentry->name, length))
		return false;
	dentry->name[length] = 0;
	dentry->length = strlen(dentry->name);
	return true;
}

bool ksma_dentry_read(struct ksma_paths *paths, uint64_t address, struct ksma_dentry_facts *ret)
{
	const struct ksma_offsets *off = &paths->kernel->off;
	uint8_t bytes[KSMA_WINDOW_MAX];

	if (!ksma_window_read(paths->kernel, &paths->dentry, address, bytes))
		return false;
	ret->address = address;
	ret->parent = ksma_window_u64(&paths->dentry, bytes, off->dentry__d_parent);
	ret->inode = ksma_window_u64(&paths->dentry, bytes, off->dentry__d_inode);
	ret->op = ksma_window_u64(&paths->dentry, bytes, off->dentry__d_op);
	ret->sb = ksma_window_u64(&paths->dentry, bytes, off->dentry__d_sb);
	ret->unhashed = ksma_window_u64(&paths->dentry, bytes, off->dentry__d_hash_pprev) == 0;
	return read_name(paths, bytes, ret);
}

bool ksma_mount_read(struct ksma_paths *paths, uint64_t vfsmount, struct ksma_mount_facts *ret)
{
	const struct ksma_offsets *off = &paths->kernel->off;
	uint64_t address = vfsmount - (uint32_t)off->mount__mnt, parent;
	uint8_t bytes[KSMA_WINDOW_MAX];

	if (vfsmount == 0 || !ksma_window_read(paths->kernel, &paths->mount, address, bytes))
		return false;
	parent = ksma_window_u64(&paths->mount, bytes, off->mount__mnt_parent);
	ret->vfsmount = vfsmount;
	ret->topmost = parent == address;
	ret->parent = parent + (uint32_t)off->mount__mnt;
	ret->mountpoint = ksma_window_u64(&paths->mount, bytes, off->mount__mnt_mountpoint);
	ret->root =
		ksma_window_u64(&paths->mount, bytes, off->mount__mnt + off->vfsmount__mnt_root);
	return true;
}

static void path_start(struct ksma_path *path)
{
	path->text = path->buffer + sizeof(path->buffer) - 1;
	*path->text = 0;
	path->deleted = false;
	path->end = KSMA_PATH_UNREADABLE;
}

static bool prepend(struct ksma_path *path, const char *text, size_t length)
{
	if ((size_t)(path->text - path->buffer) < length)
		return false;
	path->text -= length;
	memcpy(path->text, text, length);
	return true;
}

static bool prepend_component(struct ksma_path *path, const char *name, size_t length)
{
	return prepend(path, name, length) && prepend(path, "/", 1);
}

static bool path_fail(struct ksma_path *path)
{
	path->text = NULL;
	path->end = KSMA_PATH_UNREADABLE;
	return false;
}

/* The made-up names are at the front of the buffer's end: formatted whole. */
static bool path_format(struct ksma_path *path, const char *format, ...) KSMA_PRINTF(2, 3);
static bool path_format(struct ksma_path *path, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(path->buffer, sizeof(path->buffer), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(path->buffer))
		return path_fail(path);
	path->text = path->buffer;
	path->end = KSMA_PATH_ELSEWHERE;
	return true;
}

/* Both sequence counters in one: equal before and after, and even, means that no tree was rearranged meanwhile. */
static uint64_t sequence(struct ksma_paths *paths)
{
	uint32_t renames = 0, mounts = 0;

	if (paths->rename_lock)
		ksma_kernel_u32(paths->kernel, paths->rename_lock, &renames);
	if (paths->mount_lock)
		ksma_kernel_u32(paths->kernel, paths->mount_lock, &mounts);
	return (uint64_t)renames << 32 | mounts;
}

static bool sequence_is_stable(struct ksma_paths *paths, uint64_t before)
{
	return !(before & 0x100000001ull) && sequence(paths) == before;
}

/* Puts the components from `dentry` up to the root before what `path` holds. */
static enum ksma_path_end walk_up(struct ksma_paths *paths, uint64_t mnt, uint64_t address,
				  uint64_t root_mnt, uint64_t root_dentry, struct ksma_path *path)
{
	struct ksma_dentry_facts dentry;
	struct ksma_mount_facts mount;

	if (!ksma_mount_read(paths, mnt, &mount))
		return KSMA_PATH_UNREADABLE;
	for (unsigned step = 0; step < STEPS; step++) {
		if (address == root_dentry && mount.vfsmount == root_mnt)
			return KSMA_PATH_AT_ROOT;
		if (address == mount.root) {
			if (mount.topmost)
				return KSMA_PATH_ELSEWHERE;
			address = mount.mountpoint;
			if (!ksma_mount_read(paths, mount.parent, &mount))
				return KSMA_PATH_UNREADABLE;
			continue;
		}
		if (!ksma_dentry_read(paths, address, &dentry))
			return KSMA_PATH_UNREADABLE;
		if (dentry.parent == address)
			return KSMA_PATH_ESCAPED;
		if (dentry.length == 0 || !prepend_component(path, dentry.name, dentry.length))
			return KSMA_PATH_UNREADABLE;
		address = dentry.parent;
	}
	return KSMA_PATH_UNREADABLE;
}

static bool path_from(struct ksma_paths *paths, uint64_t mnt, uint64_t dentry, uint64_t root_mnt,
		      uint64_t root_dentry, const char *suffix, struct ksma_path *path)
{
	for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
		uint64_t before = sequence(paths);
		bool deleted = path->deleted;
		char *end;

		path_start(path);
		path->deleted = deleted;
		if (!prepend(path, suffix, strlen(suffix)))
			break;
		end = path->text;
		path->end = walk_up(paths, mnt, dentry, root_mnt, root_dentry, path);
		if (!sequence_is_stable(paths, before))
			continue;
		if (path->end == KSMA_PATH_UNREADABLE)
			break;
		if (path->end == KSMA_PATH_ESCAPED)
			path->text = end;
		if (path->text == end && !prepend(path, "/", 1))
			break;
		return true;
	}
	return path_fail(path);
}

bool ksma_super_type(struct ksma_kernel *kernel, uint64_t sb, char *buffer, size_t size)
{
	uint64_t type, name;

	return ksma_kernel_u64(kernel, sb + (uint32_t)kernel->off.super_block__s_type, &type) &&
	       ksma_kernel_u64(kernel, type + (uint32_t)kernel->off.file_system_type__name,
			       &name) &&
	       ksma_kernel_string(kernel, name, buffer, size);
}

/* nsfs: "mnt:[4026531841]". The inode's private data is the namespace's ns_common, whose operations name its kind. */
static bool show_namespace(struct ksma_paths *paths, const struct ksma_inode_facts *inode,
			   struct ksma_path *path)
{
	struct ksma_kernel *kernel = paths->kernel;
	uint64_t ops, name;
	char kind[32];

	if (kernel->off.ns_common__ops < 0 || kernel->off.proc_ns_operations__name < 0 ||
	    !ksma_kernel_u64(kernel, inode->private + (uint32_t)kernel->off.ns_common__ops, &ops) ||
	    !ksma_kernel_u64(kernel, ops + (uint32_t)kernel->off.proc_ns_operations__name, &name) ||
	    !ksma_kernel_string(kernel, name, kind, sizeof(kind)))
		return path_fail(path);
	return path_format(path, "%s:[%llu]", kind, (unsigned long long)inode->number);
}

/* True for a dentry that hangs in no tree and whose file system makes names up. */
static bool is_pseudo(struct ksma_paths *paths, const struct ksma_dentry_facts *dentry,
		      uint64_t mnt)
{
	struct ksma_kernel *kernel = paths->kernel;
	struct ksma_mount_facts mount;
	uint64_t dname;

	return dentry->parent == dentry->address && ksma_mount_read(paths, mnt, &mount) &&
	       mount.root != dentry->address && dentry->op &&
	       kernel->off.dentry_operations__d_dname >= 0 &&
	       ksma_kernel_u64(kernel,
			       dentry->op + (uint32_t)kernel->off.dentry_operations__d_dname,
			       &dname) &&
	       dname;
}

static bool show_pseudo(struct ksma_paths *paths, const struct ksma_dentry_facts *dentry,
			struct ksma_path *path)
{
	struct ksma_inode_facts inode;
	char type[32];

	if (!ksma_super_type(paths->kernel, dentry->sb, type, sizeof(type)) ||
	    !ksma_inode_read(paths, dentry->inode, &inode))
		return path_fail(path);
	if (!strcmp(type, "pipefs"))
		return path_format(path, "pipe:[%llu]", (unsigned long long)inode.number);
	if (!strcmp(type, "sockfs"))
		return path_format(path, "socket:[%llu]", (unsigned long long)inode.number);
	if (!strcmp(type, "anon_inodefs"))
		return path_format(path, "anon_inode:%s", dentry->name);
	if (!strcmp(type, "pidfs"))
		return path_format(path, "anon_inode:[pidfd]");
	if (!strcmp(type, "nsfs"))
		return show_namespace(paths, &inode, path);
	if (!strcmp(type, "dmabuf"))
		return path_format(path, "/%s:", dentry->name);
	/* simple_dname(): memfd, System V and anonymous shared memory, secretmem, … */
	path->deleted = true;
	return path_format(path, "/%s (deleted)", dentry->name);
}

bool ksma_path_show(struct ksma_paths *paths, uint64_t mnt, uint64_t address,
		    struct ksma_path *ret_path)
{
	struct ksma_dentry_facts dentry;

	path_start(ret_path);
	if (!ksma_dentry_read(paths, address, &dentry))
		return path_fail(ret_path);
	if (is_pseudo(paths, &dentry, mnt))
		return show_pseudo(paths, &dentry, ret_path);
	ret_path->deleted = dentry.unhashed && dentry.parent != address;
	return path_from(paths, mnt, address, paths->root_mnt, paths->root_dentry,
			 ret_path->deleted ? " (deleted)" : "", ret_path);
}

bool ksma_path_below(struct ksma_paths *paths, uint64_t mnt, uint64_t dentry, uint64_t root_mnt,
		     uint64_t root_dentry, struct ksma_path *ret_path)
{
	path_start(ret_path);
	return path_from(paths, mnt, dentry, root_mnt, root_dentry, "", ret_path);
}

bool ksma_path_inside(struct ksma_paths *paths, uint64_t address, struct ksma_path *ret_path)
{
	struct ksma_inode_facts inode;
	struct ksma_dentry_facts dentry;
	char type[32];
	char *end;

	path_start(ret_path);
	for (unsigned step = 0; step < STEPS; step++) {
		if (!ksma_dentry_read(paths, address, &dentry))
			return path_fail(ret_path);
		if (step == 0) {
			ret_path->deleted = dentry.unhashed && dentry.parent != address;
			if (ret_path->deleted && !prepend(ret_path, "//deleted", 9))
				return path_fail(ret_path);
			end = ret_path->text;
		}
		if (dentry.parent == address)
			break;
		if (dentry.length == 0 || !prepend_component(ret_path, dentry.name, dentry.length))
			return path_fail(ret_path);
		address = dentry.parent;
		if (step == STEPS - 1)
			return path_fail(ret_path);
	}
	/* A namespace that is kept by a bind mount is the root of that mount (nsfs_show_path). */
	if (ret_path->text == end &&
	    ksma_super_type(paths->kernel, dentry.sb, type, sizeof(type)) &&
	    !strcmp(type, "nsfs") && ksma_inode_read(paths, dentry.inode, &inode) && inode.private)
		return show_namespace(paths, &inode, ret_path);
	if (ret_path->text == end && !prepend(ret_path, "/", 1))
		return path_fail(ret_path);
	ret_path->end = KSMA_PATH_AT_ROOT;
	return true;
}

bool ksma_file_read(struct ksma_paths *paths, uint64_t file, struct ksma_file_facts *ret_facts)
{
	const struct ksma_offsets *off = &paths->kernel->off;
	const struct ksma_window *w = &paths->file;
	uint8_t bytes[KSMA_WINDOW_MAX];

	if (file == 0 || !ksma_window_read(paths->kernel, w, file, bytes))
		return false;
	*ret_facts = (struct ksma_file_facts){
		.mnt = ksma_window_u64(w, bytes, off->file__f_path_mnt),
		.dentry = ksma_window_u64(w, bytes, off->file__f_path_dentry),
		.inode = ksma_window_u64(w, bytes, off->file__f_inode),
		.position = ksma_window_u64(w, bytes, off->file__f_pos),
		.flags = ksma_window_u32(w, bytes, off->file__f_flags),
		.mode = ksma_window_u32(w, bytes, off->file__f_mode),
	};
	return true;
}

bool ksma_inode_read(struct ksma_paths *paths, uint64_t inode, struct ksma_inode_facts *ret_facts)
{
	const struct ksma_offsets *off = &paths->kernel->off;
	const struct ksma_window *w = &paths->inode;
	uint8_t bytes[KSMA_WINDOW_MAX];
	const uint8_t *mode;
	uint32_t dev;
	uint64_t sb;

	if (inode == 0 || !ksma_window_read(paths->kernel, w, inode, bytes))
		return false;
	mode = ksma_window_at(w, bytes, off->inode__i_mode, 2);
	sb = ksma_window_u64(w, bytes, off->inode__i_sb);
	if (!mode || !ksma_kernel_u32(paths->kernel, sb + (uint32_t)off->super_block__s_dev, &dev))
		return false;
	*ret_facts = (struct ksma_inode_facts){
		.number = ksma_window_u64(w, bytes, off->inode__i_ino),
		.sb = sb,
		.mode = ksma_le16(mode),
		.dev = dev,
		.rdev = ksma_window_u32(w, bytes, off->inode__i_rdev),
	};
	if (off->inode__i_private >= 0)
		ksma_kernel_u64(paths->kernel, inode + (uint32_t)off->inode__i_private,
				&ret_facts->private);
	return true;
}

/* struct backing_file carries the user's path since def3ae83da02 ("fs: store real path instead of fake path in backing file
 * f_path", 6.7). FMODE_BACKING is bit 25 there and bit 24 since 6.14, where each of the two had other uses before and after:
 * so the path itself must make sense too, a dentry of the very file system that is mounted there. */
void ksma_file_user_path(struct ksma_paths *paths, uint64_t file, struct ksma_file_facts *facts)
{
	enum { BACKING_BITS = 3 << 24 };
	struct ksma_kernel *kernel = paths->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t path[2], mount_sb, dentry_sb, inode;

	if (off->backing_file__user_path < 0 || off->vfsmount__mnt_sb < 0 ||
	    !(facts->mode & BACKING_BITS))
		return;
	if (!ksma_kernel_bytes(kernel, file + (uint32_t)off->backing_file__user_path, path,
			       sizeof(path)) ||
	    !ksma_kernel_u64(kernel, path[0] + (uint32_t)off->vfsmount__mnt_sb, &mount_sb) ||
	    !ksma_kernel_u64(kernel, path[1] + (uint32_t)off->dentry__d_sb, &dentry_sb) ||
	    !ksma_kernel_u64(kernel, path[1] + (uint32_t)off->dentry__d_inode, &inode) ||
	    mount_sb != dentry_sb || inode == 0)
		return;
	facts->mnt = path[0];
	facts->dentry = path[1];
	facts->inode = inode;
}

/* kernfs_node.parent became __parent in 633488947ef6 ("kernfs: Use RCU to access kernfs_node::parent.", 6.15). */
bool ksma_kernfs_path(struct ksma_kernel *kernel, uint64_t node, struct ksma_path *ret_path)
{
	const struct ksma_offsets *off = &kernel->off;
	int32_t parent_offset = off->kernfs_node____parent >= 0 ? off->kernfs_node____parent
								: off->kernfs_node__parent;

	path_start(ret_path);
	if (parent_offset < 0 || off->kernfs_node__name < 0)
		return path_fail(ret_path);
	for (unsigned step = 0; step < STEPS; step++) {
		char name[KSMA_NAME_MAX + 1];
		uint64_t parent, at;

		if (!ksma_kernel_u64(kernel, node + (uint32_t)parent_offset, &parent))
			return path_fail(ret_path);
		if (parent == 0) {
			ret_path->end = KSMA_PATH_AT_ROOT;
			return *ret_path->text || prepend(ret_path, "/", 1) ? true
									    : path_fail(ret_path);
		}
		if (!ksma_kernel_u64(kernel, node + (uint32_t)off->kernfs_node__name, &at) ||
		    !ksma_kernel_string(kernel, at, name, sizeof(name)) ||
		    !prepend_component(ret_path, name, strlen(name)))
			return path_fail(ret_path);
		node = parent;
	}
	return path_fail(ret_path);
}
