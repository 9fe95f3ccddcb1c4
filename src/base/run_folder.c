/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A folder of ours alone that ends with the host's uptime. */
#include "base/run_folder.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>

struct ksma_error *ksma_run_folder(char **ret_path)
{
	const char *given = secure_getenv("KSMA_RUN"), *user = secure_getenv("XDG_RUNTIME_DIR");
	_cleanup_free_ char *path = NULL;
	struct stat st;

	if (given && *given)
		KSMA_TRY(ksma_strdup(given, &path));
	else if (geteuid() == 0)
		KSMA_TRY(ksma_strdup("/run/kvm-sma", &path));
	else if (user && *user)
		KSMA_TRY(ksma_asprintf(&path, "%s/kvm-sma", user));
	else
		return ksma_error_create(
			KSMA_ERROR_NOT_PRESENT,
			"there is no folder for running things: XDG_RUNTIME_DIR is not set");
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return ksma_error_os(errno, "%s", path);
	if (lstat(path, &st) < 0)
		return ksma_error_os(errno, "%s", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		return ksma_error_create(KSMA_ERROR_PERMISSION,
					 "%s is not a folder of this user's alone (mode 0700)",
					 path);
	*ret_path = TAKE_PTR(path);
	return NULL;
}

struct ksma_error *ksma_run_lock(const char *path, int operation, unsigned timeout_ms, int *ret_fd)
{
	uint64_t until = ksma_now_ns() + (uint64_t)timeout_ms * 1000000;

	for (;;) {
		_cleanup_close_ int fd =
			open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		struct stat ours, there;

		if (fd < 0)
			return ksma_error_os(errno, "%s", path);
		if (flock(fd, operation | LOCK_NB) < 0) {
			if (errno != EWOULDBLOCK && errno != EINTR)
				return ksma_error_os(errno, "%s", path);
		} else if (fstat(fd, &ours) == 0 && stat(path, &there) == 0 &&
			   ours.st_ino == there.st_ino) {
			/* It was not taken away by its last user between the open and the lock. */
			*ret_fd = TAKE_FD(fd);
			return NULL;
		} else {
			continue;
		}
		if (ksma_now_ns() >= until)
			return ksma_error_create(KSMA_ERROR_TIMEOUT,
						 "%s is held by another process", path);
		usleep(2000);
	}
}
