/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The open files of a process, from its table of descriptors.
 *
 * Source: fs/file.c, fs/proc/fd.c, include/linux/fdtable.h. A descriptor is what the table's slot says: the bitmaps beside it
 * only help the kernel to find a free one. */
#include "linux/processes.h"
#include "linux/retry.h"

#include <sys/stat.h>

enum {
	FDS_MAX = 1 << 20, /* sysctl_nr_open as it is unless root raises it */
	CHUNK = 512,
	TYPE_MASK = 0170000,
};

struct table {
	uint64_t files, fdt, slots;
	uint32_t size;
};

/* A task without files (a zombie) has an empty table. */
static bool find_table(struct ksma_kernel *kernel, uint64_t task, struct table *ret)
{
	const struct ksma_offsets *off = &kernel->off;
	struct table t = { 0 };

	if (!ksma_kernel_u64(kernel, task + (uint32_t)off->task_struct__files, &t.files))
		return false;
	if (t.files &&
	    (!ksma_kernel_u64(kernel, t.files + (uint32_t)off->files_struct__fdt, &t.fdt) ||
	     !ksma_kernel_u64(kernel, t.fdt + (uint32_t)off->fdtable__fd, &t.slots) ||
	     !ksma_kernel_u32(kernel, t.fdt + (uint32_t)off->fdtable__max_fds, &t.size)))
		return false;
	*ret = t;
	return true;
}

static struct ksma_error *add_chunk(struct ksma_fds *fds, const uint64_t *slots, size_t count,
				    uint32_t first)
{
	for (size_t i = 0; i < count; i++) {
		struct ksma_fd *fd;

		if (slots[i] == 0)
			continue;
		KSMA_TRY(KSMA_ARRAY_PUSH(fds, &fd));
		*fd = (struct ksma_fd){ .fd = (int32_t)(first + i), .file = slots[i] };
	}
	return NULL;
}

/* @ret_torn the table is not there, or was replaced meanwhile */
static struct ksma_error *read_table(struct ksma_kernel *kernel, uint64_t task,
				     struct ksma_fds *fds, bool *ret_torn)
{
	struct table before, after;
	uint64_t slots[CHUNK];

	*ret_torn = true;
	fds->count = 0;
	if (!find_table(kernel, task, &before))
		return NULL;
	if (before.size > FDS_MAX)
		return ksma_error_create(
			KSMA_ERROR_LIMIT,
			"a table of %u files at 0x%llx: more than %d are not believed", before.size,
			(unsigned long long)before.fdt, FDS_MAX);
	for (uint32_t first = 0; first < before.size; first += CHUNK) {
		size_t count = before.size - first < CHUNK ? before.size - first : CHUNK;

		if (!ksma_kernel_bytes(kernel, before.slots + 8ull * first, slots, count * 8))
			return NULL;
		KSMA_TRY(add_chunk(fds, slots, count, first));
	}
	*ret_torn = !find_table(kernel, task, &after) || before.files != after.files ||
		    before.fdt != after.fdt || before.slots != after.slots ||
		    before.size != after.size;
	return NULL;
}

static struct ksma_error *check_members(const struct ksma_kernel *kernel)
{
	KSMA_TRY(KSMA_NEED(kernel, task_struct__files));
	KSMA_TRY(KSMA_NEED(kernel, files_struct__fdt));
	KSMA_TRY(KSMA_NEED(kernel, fdtable__fd));
	KSMA_TRY(KSMA_NEED(kernel, fdtable__max_fds));
	return NULL;
}

struct ksma_error *ksma_task_fds(struct ksma_kernel *kernel, uint64_t task,
				 struct ksma_fds *ret_fds)
{
	struct ksma_fds fds = { 0 };
	struct ksma_error *error = check_members(kernel);
	bool torn = true, again = true;
	unsigned look = 0;

	while (!error && torn && again) {
		error = read_table(kernel, task, &fds, &torn);
		if (!error && torn)
			error = ksma_kernel_look_again(kernel, &look, &again);
	}
	if (!error && torn)
		error = ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"the table of open files of the task at 0x%llx kept changing or is not there",
			(unsigned long long)task);
	if (error) {
		free(fds.items);
		return error;
	}
	*ret_fds = fds;
	return NULL;
}

/* Files that only look like regular ones, or have no type at all: fs/anon_inodes.c gives its inode a type since 6.16. */
static const char *type_name(struct ksma_kernel *kernel, const struct ksma_inode_facts *inode)
{
	char type[32];

	switch (inode->mode & TYPE_MASK) {
	case S_IFDIR:
		return "dir";
	case S_IFCHR:
		return "char";
	case S_IFBLK:
		return "block";
	case S_IFIFO:
		return "pipe";
	case S_IFSOCK:
		return "socket";
	case S_IFLNK:
		return "link";
	case S_IFREG:
		break;
	default:
		return "anon";
	}
	if (ksma_super_type(kernel, inode->sb, type, sizeof(type)) &&
	    (!strcmp(type, "anon_inodefs") || !strcmp(type, "pidfs")))
		return "anon";
	return "file";
}

/* @return false when a part of it is not in memory */
static bool describe(struct ksma_paths *paths, const struct ksma_fd *fd, struct ksma_file *out,
		     struct ksma_error **ret_error)
{
	struct ksma_file_facts facts;
	struct ksma_inode_facts inode;
	struct ksma_path path;

	out->fd = fd->fd;
	out->file = fd->file;
	strcpy(out->type, "unknown");
	if (!ksma_file_read(paths, fd->file, &facts))
		return false;
	out->flags = facts.flags;
	out->position = facts.position;
	if (!ksma_inode_read(paths, facts.inode, &inode))
		return false;
	out->mode = inode.mode;
	out->inode = inode.number;
	out->major = ksma_dev_major(inode.dev);
	out->minor = ksma_dev_minor(inode.dev);
	snprintf(out->type, sizeof(out->type), "%s", type_name(paths->kernel, &inode));
	if (!ksma_path_show(paths, facts.mnt, facts.dentry, &path))
		return false;
	*ret_error = ksma_strdup(path.text, &out->path);
	return true;
}

static void reset(struct ksma_file *file)
{
	free(file->path);
	memset(file, 0, sizeof(*file));
}

/* The slot of a descriptor, asked again. */
static uint64_t slot_now(struct ksma_kernel *kernel, uint64_t task, int32_t fd)
{
	struct table table;
	uint64_t file;

	if (!find_table(kernel, task, &table) || (uint32_t)fd >= table.size ||
	    !ksma_kernel_u64(kernel, table.slots + 8ull * (uint32_t)fd, &file))
		return 0;
	return file;
}

struct look {
	struct ksma_kernel *kernel;
	uint64_t task;
	struct ksma_paths paths;
	struct ksma_fds fds;
	struct ksma_files files; /* as many as fds, or fewer while it is filled */
	uint8_t *done;
	size_t unreadable;
	int32_t first_unreadable;
};

/* A descriptor counts when its slot holds the same file afterwards; one that was closed is left out. */
static void confirm(struct look *look, size_t i, bool whole)
{
	struct ksma_fd *fd = &look->fds.items[i];
	uint64_t now = slot_now(look->kernel, look->task, fd->fd);

	if (now != fd->file) {
		fd->file = now; /* 0: gone */
		look->done[i] = now == 0;
		return;
	}
	look->done[i] = true;
	if (!whole && look->unreadable++ == 0)
		look->first_unreadable = fd->fd;
}

static struct ksma_error *look_up(struct look *look, uint8_t *whole)
{
	for (size_t i = 0; i < look->fds.count; i++) {
		struct ksma_error *error = NULL;

		if (look->done[i])
			continue;
		reset(&look->files.items[i]);
		whole[i] =
			describe(&look->paths, &look->fds.items[i], &look->files.items[i], &error);
		KSMA_TRY(error);
		if (!ksma_kernel_is_copied(look->kernel))
			confirm(look, i, whole[i]);
	}
	if (!ksma_kernel_is_copied(look->kernel))
		return NULL;
	KSMA_TRY(ksma_kernel_refresh(look->kernel));
	for (size_t i = 0; i < look->fds.count; i++)
		if (!look->done[i])
			confirm(look, i, whole[i]);
	return NULL;
}

static void remove_closed(struct look *look)
{
	size_t kept = 0;

	for (size_t i = 0; i < look->fds.count; i++) {
		if (look->fds.items[i].file == 0 || !look->done[i])
			reset(&look->files.items[i]);
		else
			look->files.items[kept++] = look->files.items[i];
	}
	look->files.count = kept;
}

static struct ksma_error *look_at_all(struct look *look, struct ksma_coverage *coverage)
{
	size_t count = look->fds.count, left = count;
	unsigned looks = 0;
	bool again = true;
	_cleanup_free_ uint8_t *whole = calloc(count + 1, 1);

	look->done = calloc(count + 1, 1);
	if (!whole || !look->done)
		return ksma_error_nomem();
	KSMA_TRY(ksma_array_grow(&look->files.items, &look->files.capacity, count + 1,
				 sizeof(*look->files.items)));
	memset(look->files.items, 0, count * sizeof(*look->files.items));
	look->files.count = count;
	while (left && again) {
		KSMA_TRY(look_up(look, whole));
		left = 0;
		for (size_t i = 0; i < count; i++)
			left += !look->done[i];
		if (left)
			KSMA_TRY(ksma_kernel_look_again(look->kernel, &looks, &again));
	}
	if (left)
		ksma_coverage_gap(coverage, KSMA_COVERAGE_PARTIAL,
				  "%zu open files kept changing in %u looks", left, looks);
	if (look->unreadable)
		ksma_coverage_gap(
			coverage, KSMA_COVERAGE_PARTIAL,
			"%zu open files are not wholly in memory, descriptor %d the first",
			look->unreadable, look->first_unreadable);
	remove_closed(look);
	return NULL;
}

KSMA_API struct ksma_error *ksma_linux_files(struct ksma_kernel *kernel, int32_t pid,
					     struct ksma_coverage *coverage,
					     struct ksma_files *ret_files)
{
	struct look look = { .kernel = kernel };
	struct ksma_error *error;

	KSMA_TRY(ksma_paths_init(&look.paths, kernel));
	KSMA_TRY(ksma_task_find(kernel, pid, &look.task));
	error = ksma_task_fds(kernel, look.task, &look.fds);
	if (!error)
		error = look_at_all(&look, coverage);
	free(look.fds.items);
	free(look.done);
	if (error) {
		ksma_files_free(&look.files);
		return ksma_error_prefix(error, "open files of process %d", pid);
	}
	*ret_files = look.files;
	return NULL;
}

KSMA_API void ksma_files_free(struct ksma_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		free(files->items[i].path);
	free(files->items);
	*files = (struct ksma_files){ 0 };
}
