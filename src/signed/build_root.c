/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Builds a manifest from a folder that is, or becomes, the root of a system. */
#include <errno.h>
#include <fts.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "signed/builder.h"

/* What is mounted there is made by a kernel, or forgotten when it stops: no files that ought to be anything. */
static bool is_fleeting(const char *path)
{
	static const uint32_t kinds[] = {
		PROC_SUPER_MAGIC,
		SYSFS_MAGIC,
		TMPFS_MAGIC,
		DEVPTS_SUPER_MAGIC,
		CGROUP_SUPER_MAGIC,
		CGROUP2_SUPER_MAGIC,
		DEBUGFS_MAGIC,
		TRACEFS_MAGIC,
		SECURITYFS_MAGIC,
		PSTOREFS_MAGIC,
		BPF_FS_MAGIC,
		EFIVARFS_MAGIC,
		HUGETLBFS_MAGIC,
		BINFMTFS_MAGIC,
		SELINUX_MAGIC,
		NSFS_MAGIC,
		0x19800202 /* mqueue */,
		0x62656570 /* configfs */,
		0x0187 /* autofs */,
	};
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if ((uint32_t)fs.f_type == kinds[i])
			return true;
	return false;
}

static struct ksma_error *changed(const char *path)
{
	return ksma_error_create(KSMA_ERROR_LOST,
				 "%s changed while it was read: build from a system at rest", path);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* All bytes of a file that is open. */
static struct ksma_error *read_file(struct signed_builder *b, int fd, const char *path,
				    const struct stat *before)
{
	struct stat after;
	uint64_t length = 0;

	for (;;) {
		ssize_t n = read(fd, b->buffer, SIGNED_BUFFER);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ksma_error_os(errno, "cannot read %s", path);
		if (n == 0)
			break;
		length += (uint64_t)n;
		KSMA_TRY(signed_add_bytes(b, b->buffer, (size_t)n));
	}
	if (fstat(fd, &after) < 0)
		return ksma_error_os(errno, "cannot read %s", path);
	if (length != (uint64_t)before->st_size || after.st_size != before->st_size ||
	    !same_time(&after.st_mtim, &before->st_mtim) ||
	    !same_time(&after.st_ctim, &before->st_ctim))
		return changed(path);
	return NULL;
}

static struct ksma_error *add_file(struct signed_builder *b, const char *path,
				   const struct signed_facts *facts, const struct stat *seen)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return ksma_error_os(errno, "cannot read %s", path);
	if (st.st_dev != seen->st_dev || st.st_ino != seen->st_ino || !S_ISREG(st.st_mode))
		return changed(path);
	KSMA_TRY(read_file(b, fd, path, &st));
	return signed_add_file(b, facts);
}

static struct ksma_error *add_link(struct signed_builder *b, const char *path,
				   const struct signed_facts *facts)
{
	char target[KSMA_MANIFEST_MAX_TEXT + 1];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return ksma_error_os(errno, "cannot read %s", path);
	target[n] = 0;
	return signed_add_link(b, facts, target);
}

/* @start how much of the path is the root itself */
static struct ksma_error *visit(struct signed_builder *b, FTS *fts, FTSENT *entry, size_t start)
{
	const struct stat *st = entry->fts_statp;
	struct signed_facts facts = { .path = entry->fts_path + start,
				      .mode = st->st_mode,
				      .uid = st->st_uid,
				      .gid = st->st_gid,
				      .flags = KSMA_MANIFEST_OWNER };

	switch (entry->fts_info) {
	case FTS_D:
		/* Only where something else is mounted need be asked what it is. */
		if (entry->fts_level > 0 && entry->fts_dev != entry->fts_parent->fts_dev &&
		    is_fleeting(entry->fts_path))
			fts_set(fts, entry, FTS_SKIP);
		return NULL;
	case FTS_F:
		return add_file(b, entry->fts_path, &facts, st);
	case FTS_SL:
	case FTS_SLNONE:
		return add_link(b, entry->fts_path, &facts);
	case FTS_DEFAULT:
		b->special++;
		return NULL;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return ksma_error_os(entry->fts_errno, "cannot read %s", entry->fts_path);
	default:
		return NULL;
	}
}

struct ksma_error *signed_build_root(struct signed_builder *b, const char *root)
{
	char *roots[] = { (char *)(uintptr_t)root, NULL };
	struct ksma_error *error = NULL;
	FTSENT *entry;
	struct stat st;
	FTS *fts;

	if (stat(root, &st) < 0)
		return ksma_error_os(errno, "cannot open %s", root);
	if (!S_ISDIR(st.st_mode))
		return ksma_error_create(KSMA_ERROR_INVALID, "%s is no folder", root);
	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, NULL);
	if (!fts)
		return ksma_error_os(errno, "cannot open %s", root);
	while (!error && (errno = 0, entry = fts_read(fts)))
		error = visit(b, fts, entry, strlen(root));
	if (!error && errno)
		error = ksma_error_os(errno, "cannot read %s", root);
	fts_close(fts);
	return error;
}
