/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replaces files: a full disk or a kill leaves the old one. */
#include "base/replace.h"

#include <errno.h>
#include <sys/stat.h>

enum { CHUNK = 1 << 20 };

struct ksma_error *ksma_write_all(int fd, const void *data, size_t length)
{
	const char *p = data;

	while (length) {
		ssize_t n = write(fd, p, length < CHUNK ? length : CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ksma_error_os(errno, "cannot write");
		p += n;
		length -= (size_t)n;
	}
	return NULL;
}

/* The folder that a path's last part lies in. */
static struct ksma_error *open_parent(const char *path, int *ret_fd)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *parent = NULL;

	KSMA_TRY(slash ? ksma_asprintf(&parent, "%.*s/", (int)(slash - path), path)
		       : ksma_strdup(".", &parent));
	*ret_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? ksma_error_os(errno, "cannot write %s: its folder", path) : NULL;
}

struct ksma_error *ksma_replace_file(const char *path, mode_t mode,
				     struct ksma_error *(*write)(void *arg, int fd), void *arg)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	_cleanup_close_ int folder = -1, fd = -1;
	_cleanup_free_ char *fresh = NULL;
	struct ksma_error *error;

	if (!name[0])
		return ksma_error_create(KSMA_ERROR_INVALID, "cannot write %s: it names a folder",
					 path);
	KSMA_TRY(open_parent(path, &folder));
	KSMA_TRY(ksma_asprintf(&fresh, ".%s.%d", name, (int)getpid()));
	unlinkat(folder, fresh, 0);
	fd = openat(folder, fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return ksma_error_os(errno, "cannot write %s", path);
	error = write(arg, fd);
	if (!error && fsync(fd) < 0)
		error = ksma_error_os(errno, "cannot write");
	if (error)
		error = ksma_error_prefix(error, "%s", path);
	else if (renameat(folder, fresh, folder, name) < 0)
		error = ksma_error_os(errno, "cannot write %s", path);
	if (error)
		unlinkat(folder, fresh, 0);
	else if (fsync(folder) < 0 && errno != EINVAL)
		error = ksma_error_os(errno, "cannot write %s", path);
	return error;
}
