/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mounts that a process sees, as /proc/PID/mountinfo lists them: those below its own root directory.
 *
 * Source: fs/proc_namespace.c (show_mountinfo), fs/namespace.c, fs/mount.h. */
#include "linux/processes.h"
#include "linux/retry.h"

enum {
	MOUNTS_MAX = 1 << 20,	 /* sysctl_mount_max is 100000 unless root raises it */
	MNT_CURSOR = 0x10000000, /* a reader's place in the list, 5.8 to 6.7: no mount */
	NAME_LENGTH = 4096,
};

struct look {
	struct ksma_kernel *kernel;
	struct ksma_paths paths;
	struct ksma_window window;
	uint64_t task, ns, root_mnt, root_dentry;
	struct ksma_error *error;
	bool torn;
	uint64_t seen; /* mounts in the namespace, hidden ones too */
	struct ksma_mounts mounts;
	size_t unreadable;
	int32_t first_unreadable;
};

static void add_window(struct look *look)
{
	const struct ksma_offsets *off = &look->kernel->off;

	ksma_window_add(&look->window, off->mount__mnt_parent, 8);
	ksma_window_add(&look->window, off->mount__mnt_id, 4);
	ksma_window_add(&look->window, off->mount__mnt_ns, 8);
	ksma_window_add(&look->window, off->mount__mnt_devname, 8);
	ksma_window_add(&look->window, off->mount__mnt + off->vfsmount__mnt_root, 8);
	ksma_window_add(&look->window, off->mount__mnt + off->vfsmount__mnt_sb, 8);
	ksma_window_add(&look->window, off->mount__mnt + off->vfsmount__mnt_flags, 4);
}

/* "ext4", or "fuse.sshfs" where the super block has a subtype (show_type). */
static bool read_fstype(struct ksma_kernel *kernel, uint64_t sb, char *buffer, size_t size)
{
	uint64_t at = 0;
	size_t length;

	if (!ksma_super_type(kernel, sb, buffer, size))
		return false;
	if (kernel->off.super_block__s_subtype >= 0 &&
	    ksma_kernel_u64(kernel, sb + (uint32_t)kernel->off.super_block__s_subtype, &at) && at) {
		length = strlen(buffer);
		if (length + 2 < size) {
			buffer[length] = '.';
			return ksma_kernel_string(kernel, at, buffer + length + 1,
						  size - length - 1);
		}
	}
	return true;
}

/* What hangs on the super block and the names; false when some of it is not in memory. */
static bool describe(struct look *look, uint64_t sb, uint64_t root, uint64_t devname,
		     struct ksma_mount *mount)
{
	struct ksma_kernel *kernel = look->kernel;
	char name[NAME_LENGTH] = "none";
	struct ksma_path path;
	uint32_t dev;

	if (!ksma_kernel_u32(kernel, sb + (uint32_t)kernel->off.super_block__s_dev, &dev) ||
	    !read_fstype(kernel, sb, mount->fstype, sizeof(mount->fstype)) ||
	    (devname && !ksma_kernel_string(kernel, devname, name, sizeof(name))) ||
	    !ksma_path_inside(&look->paths, root, &path))
		return false;
	mount->major = ksma_dev_major(dev);
	mount->minor = ksma_dev_minor(dev);
	look->error = ksma_strdup(name, &mount->source);
	if (!look->error)
		look->error = ksma_strdup(path.text, &mount->root);
	return true;
}

/* Adds the mount unless it is out of the process's sight. */
static bool add_mount(struct look *look, uint64_t address, const uint8_t *bytes)
{
	const struct ksma_offsets *off = &look->kernel->off;
	const struct ksma_window *w = &look->window;
	uint64_t vfsmount = address + (uint32_t)off->mount__mnt;
	uint64_t root = ksma_window_u64(w, bytes, off->mount__mnt + off->vfsmount__mnt_root);
	uint64_t sb = ksma_window_u64(w, bytes, off->mount__mnt + off->vfsmount__mnt_sb);
	struct ksma_mount *mount;
	struct ksma_path path;
	uint32_t parent;
	bool whole;

	if (!ksma_path_below(&look->paths, vfsmount, root, look->root_mnt, look->root_dentry,
			     &path)) {
		look->torn = true;
		return false;
	}
	if (path.end != KSMA_PATH_AT_ROOT)
		return true;
	look->error = KSMA_ARRAY_PUSH(&look->mounts, &mount);
	if (look->error)
		return false;
	mount->id = (int32_t)ksma_window_u32(w, bytes, off->mount__mnt_id);
	mount->flags = ksma_window_u32(w, bytes, off->mount__mnt + off->vfsmount__mnt_flags);
	whole = ksma_kernel_u32(look->kernel,
				ksma_window_u64(w, bytes, off->mount__mnt_parent) +
					(uint32_t)off->mount__mnt_id,
				&parent);
	mount->parent = whole ? (int32_t)parent : 0;
	whole = describe(look, sb, root, ksma_window_u64(w, bytes, off->mount__mnt_devname),
			 mount) &&
		whole;
	if (!look->error)
		look->error = ksma_strdup(path.text, &mount->path);
	if (!whole && look->unreadable++ == 0)
		look->first_unreadable = mount->id;
	return !look->error;
}

static bool take_mount(struct look *look, uint64_t address)
{
	const struct ksma_offsets *off = &look->kernel->off;
	uint8_t bytes[KSMA_WINDOW_MAX];

	if (!ksma_window_read(look->kernel, &look->window, address, bytes)) {
		look->torn = true;
		return false;
	}
	if (off->mnt_namespace__list >= 0 &&
	    (ksma_window_u32(&look->window, bytes, off->mount__mnt + off->vfsmount__mnt_flags) &
	     MNT_CURSOR))
		return true;
	if (ksma_window_u64(&look->window, bytes, off->mount__mnt_ns) != look->ns) {
		look->torn = true;
		return false;
	}
	if (look->seen++ >= MOUNTS_MAX) {
		look->error =
			ksma_error_create(KSMA_ERROR_LIMIT, "more than %d mounts", MOUNTS_MAX);
		return false;
	}
	return add_mount(look, address, bytes);
}

static bool take_listed(void *arg, uint64_t entry)
{
	struct look *look = arg;

	return take_mount(look, entry - (uint32_t)look->kernel->off.mount__mnt_list);
}

static bool take_node(void *arg, uint64_t node)
{
	struct look *look = arg;

	return take_mount(look, node - (uint32_t)look->kernel->off.mount__mnt_node);
}

/* A tree by the mounts' unique ids since 2eea9ce4310d ("mounts: keep list of mounts in an rbtree", 6.8); a list before it,
 * when `mounts` was the number of them. */
static struct ksma_error *walk_mounts(struct look *look, struct ksma_budget *budget)
{
	struct ksma_kernel *kernel = look->kernel;
	const struct ksma_offsets *off = &kernel->off;

	if (off->mnt_namespace__list >= 0)
		return ksma_kernel_list(kernel, look->ns + (uint32_t)off->mnt_namespace__list,
					budget, take_listed, look);
	return ksma_kernel_rbtree(kernel, look->ns + (uint32_t)off->mnt_namespace__mounts, budget,
				  take_node, look);
}

/* The namespace's count of mounts and its count of changes: equal before and after means that nothing changed. */
static bool read_counts(struct look *look, uint64_t counts[2])
{
	const struct ksma_offsets *off = &look->kernel->off;
	int32_t at = off->mnt_namespace__nr_mounts >= 0 ? off->mnt_namespace__nr_mounts
							: off->mnt_namespace__mounts;
	uint32_t count;

	counts[1] = 0;
	if (!ksma_kernel_u32(look->kernel, look->ns + (uint32_t)at, &count))
		return false;
	counts[0] = count;
	return off->mnt_namespace__event < 0 ||
	       ksma_kernel_u64(look->kernel, look->ns + (uint32_t)off->mnt_namespace__event,
			       &counts[1]);
}

/* Where the process stands: its namespace and its root directory. A zombie has neither. */
static bool find_place(struct look *look)
{
	struct ksma_kernel *kernel = look->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t proxy, fs;

	look->ns = 0;
	if (!ksma_kernel_u64(kernel, look->task + (uint32_t)off->task_struct__nsproxy, &proxy) ||
	    !ksma_kernel_u64(kernel, look->task + (uint32_t)off->task_struct__fs, &fs))
		return false;
	if (proxy == 0 || fs == 0)
		return true;
	return ksma_kernel_u64(kernel, proxy + (uint32_t)off->nsproxy__mnt_ns, &look->ns) &&
	       ksma_kernel_u64(kernel, fs + (uint32_t)off->fs_struct__root_mnt, &look->root_mnt) &&
	       ksma_kernel_u64(kernel, fs + (uint32_t)off->fs_struct__root_dentry,
			       &look->root_dentry);
}

/* @ret_done false: it changed meanwhile */
static struct ksma_error *attempt(struct look *look, bool *ret_done)
{
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_error *error;
	uint64_t before[2], after[2];

	*ret_done = false;
	ksma_mounts_free(&look->mounts);
	look->torn = false;
	look->seen = look->unreadable = 0;
	if (!find_place(look))
		return NULL;
	if (look->ns == 0) {
		*ret_done = true;
		return NULL;
	}
	if (!read_counts(look, before))
		return NULL;
	error = walk_mounts(look, &budget);
	if (look->error) {
		ksma_error_destroy(error);
		return TAKE_PTR(look->error);
	}
	if (error && error->code != KSMA_ERROR_BAD_DATA && error->code != KSMA_ERROR_FAULT)
		return error;
	look->torn |= error != NULL;
	ksma_error_destroy(error);
	if (ksma_kernel_is_copied(look->kernel))
		KSMA_TRY(ksma_kernel_refresh(look->kernel));
	*ret_done = !look->torn && read_counts(look, after) && before[0] == after[0] &&
		    before[1] == after[1] && look->seen == before[0];
	return NULL;
}

static struct ksma_error *check_members(const struct ksma_kernel *kernel)
{
	KSMA_TRY(KSMA_NEED(kernel, task_struct__nsproxy));
	KSMA_TRY(KSMA_NEED(kernel, nsproxy__mnt_ns));
	KSMA_TRY(KSMA_NEED(kernel, mnt_namespace__mounts));
	KSMA_TRY(KSMA_NEED(kernel, mount__mnt_id));
	KSMA_TRY(KSMA_NEED(kernel, mount__mnt_ns));
	KSMA_TRY(KSMA_NEED(kernel, mount__mnt_devname));
	KSMA_TRY(KSMA_NEED(kernel, vfsmount__mnt_sb));
	KSMA_TRY(KSMA_NEED(kernel, vfsmount__mnt_flags));
	if (kernel->off.mnt_namespace__list >= 0)
		return KSMA_NEED(kernel, mount__mnt_list);
	KSMA_TRY(KSMA_NEED(kernel, mnt_namespace__nr_mounts));
	return KSMA_NEED(kernel, mount__mnt_node);
}

static struct ksma_error *look_until_stable(struct look *look, struct ksma_coverage *coverage)
{
	bool done = false, again = true;
	unsigned looks = 0;

	while (!done && again) {
		KSMA_TRY(attempt(look, &done));
		if (!done)
			KSMA_TRY(ksma_kernel_look_again(look->kernel, &looks, &again));
	}
	if (!done)
		ksma_coverage_gap(
			coverage, KSMA_COVERAGE_PARTIAL,
			"the mounts kept changing, or do not hang together, in %u looks: %zu are listed",
			looks, look->mounts.count);
	if (look->unreadable)
		ksma_coverage_gap(coverage, KSMA_COVERAGE_PARTIAL,
				  "%zu mounts are not wholly in memory, number %d the first",
				  look->unreadable, look->first_unreadable);
	return NULL;
}

KSMA_API struct ksma_error *ksma_linux_mounts(struct ksma_kernel *kernel, int32_t pid,
					      struct ksma_coverage *coverage,
					      struct ksma_mounts *ret_mounts)
{
	struct look look = { .kernel = kernel };
	struct ksma_error *error;

	KSMA_TRY(check_members(kernel));
	KSMA_TRY(ksma_paths_init(&look.paths, kernel));
	add_window(&look);
	KSMA_TRY(ksma_window_check(&look.window, "mount"));
	KSMA_TRY(ksma_task_find(kernel, pid, &look.task));
	error = look_until_stable(&look, coverage);
	if (error) {
		ksma_mounts_free(&look.mounts);
		return ksma_error_prefix(error, "mounts of process %d", pid);
	}
	*ret_mounts = look.mounts;
	return NULL;
}

KSMA_API void ksma_mounts_free(struct ksma_mounts *mounts)
{
	for (size_t i = 0; i < mounts->count; i++) {
		free(mounts->items[i].path);
		free(mounts->items[i].source);
		free(mounts->items[i].root);
	}
	free(mounts->items);
	*mounts = (struct ksma_mounts){ 0 };
}
