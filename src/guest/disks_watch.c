/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of the export of a guest's disks, whoever is left to bring it about. */
#include "guest/disks_watch.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/run_folder.h"

enum { WATCH_TRIES = 120, WATCH_WAIT_US = 500000, DEATH_WAIT_MS = 10000 };

/* Takes our exports back one by one, as there are others. */
static bool withdraw_ours(struct ksma_monitor *monitor, struct json_object *exports)
{
	bool done = true;

	for (size_t i = 0; i < json_object_array_length(exports); i++) {
		struct json_object *id;
		char arguments[128];
		struct ksma_qmp_call call = { .command = "block-export-del",
					      .arguments = arguments };
		struct ksma_error *error;

		if (!json_object_object_get_ex(json_object_array_get_idx(exports, i), "id", &id) ||
		    strncmp(json_object_get_string(id), KSMA_DISKS_EXPORT,
			    strlen(KSMA_DISKS_EXPORT)) != 0)
			continue;
		snprintf(arguments, sizeof(arguments), "{\"id\":\"%s\",\"mode\":\"hard\"}",
			 json_object_get_string(id));
		error = ksma_monitor_run(monitor, &call, 1);
		done = done && !error;
		ksma_error_destroy(error);
		ksma_qmp_calls_deinit(&call, 1);
	}
	return done;
}

static bool others_joined(struct json_object *exports)
{
	for (size_t i = 0; i < json_object_array_length(exports); i++) {
		struct json_object *id;

		if (json_object_object_get_ex(json_object_array_get_idx(exports, i), "id", &id) &&
		    strncmp(json_object_get_string(id), KSMA_DISKS_EXPORT,
			    strlen(KSMA_DISKS_EXPORT)) != 0)
			return true;
	}
	return false;
}

static bool end_server(struct ksma_monitor *monitor)
{
	struct ksma_qmp_call list = { .command = "query-block-exports" };
	struct ksma_qmp_call stop = { .command = "nbd-server-stop" };
	struct ksma_error *error = ksma_monitor_run(monitor, &list, 1);
	bool done = false;

	if (!error && list.result && others_joined(list.result)) {
		done = withdraw_ours(monitor, list.result);
	} else if (!error) {
		error = ksma_monitor_run(monitor, &stop, 1);
		done = !error;
	}
	ksma_error_destroy(error);
	ksma_qmp_calls_deinit(&list, 1);
	ksma_qmp_calls_deinit(&stop, 1);
	return done;
}

static bool withdraw_locked(struct ksma_monitor *monitor, const char *folder, const char *users)
{
	_cleanup_free_ char *socket = NULL;
	_cleanup_error_ struct ksma_error *error = NULL;
	_cleanup_close_ int alone = -1;

	error = ksma_run_lock(users, LOCK_EX, 0, &alone);
	if (error)
		return error->code == KSMA_ERROR_TIMEOUT; /* they will do it */
	error = ksma_asprintf(&socket, "%s/socket", folder);
	if (error)
		return false;
	/* Without a socket there was no server of ours. */
	if (access(socket, F_OK) == 0 && !end_server(monitor))
		return false;
	unlink(socket);
	unlink(users);
	return true;
}

bool ksma_disks_withdraw(struct ksma_monitor *monitor, const char *folder)
{
	_cleanup_free_ char *lock = NULL;
	_cleanup_free_ char *users = NULL;
	_cleanup_error_ struct ksma_error *error = NULL;
	_cleanup_close_ int held = -1;

	error = ksma_asprintf(&lock, "%s/lock", folder);
	if (!error)
		error = ksma_asprintf(&users, "%s/users", folder);
	if (!error)
		error = ksma_run_lock(lock, LOCK_EX, 2000, &held);
	if (error)
		return error->code == KSMA_ERROR_OS && error->errnum == ENOENT; /* done by others */
	if (!withdraw_locked(monitor, folder, users))
		return false;
	if (access(users, F_OK) != 0) {
		unlink(lock);
		rmdir(folder);
	}
	return true;
}

/* Waits until the user has ended, or has told that all is in order. A dying process closes its end of the pipe before its lock on the users'
 * file is gone, and would be taken for somebody else who uses the server: so its death counts, not the end of the pipe alone. The wait is
 * bounded: a user that lives on but could not withdraw closes the pipe too. @return is there something to withdraw? */
static bool wait_for_user(int pipe, int user)
{
	struct pollfd death = { .fd = user, .events = POLLIN };
	char word;
	ssize_t n;

	do
		n = read(pipe, &word, 1);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		(void)!poll(&death, 1, DEATH_WAIT_MS);
	return n == 0;
}

/* The watching process. What it has of the parent is its memory alone. */
static _Noreturn void watch(struct ksma_monitor *monitor, const char *folder, int pipe, int user)
{
	bool owed;

	prctl(PR_SET_NAME, "ksma-disks");
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (!ksma_monitor_after_fork(monitor))
		_exit(0);
	/* Above all that they go to, and then down to 0 and 3. */
	pipe = fcntl(pipe, F_DUPFD, 4);
	user = fcntl(user, F_DUPFD, 4);
	if (dup2(pipe, 0) < 0 || dup2(user, 3) < 0)
		_exit(1);
	close(1);
	close(2);
	close_range(4, ~0U, 0);
	if (open("/dev/null", O_WRONLY | O_CLOEXEC) != 1 || dup(1) != 2)
		_exit(1);
	owed = wait_for_user(0, 3);
	for (int i = 0; owed && i < WATCH_TRIES && !ksma_disks_withdraw(monitor, folder); i++)
		usleep(WATCH_WAIT_US);
	_exit(0);
}

struct ksma_error *ksma_disks_watch_start(struct ksma_monitor *monitor, const char *folder,
					  int *ret_pipe)
{
	_cleanup_close_ int user = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int ends[2];
	pid_t pid;

	if (user < 0)
		return ksma_error_os(errno, "pidfd_open");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return ksma_error_os(errno, "socketpair");
	pid = fork();
	if (pid == 0) {
		/* A second one, so that nobody has to wait for it. */
		setsid();
		if (fork() == 0) {
			close(ends[1]);
			watch(monitor, folder, ends[0], user);
		}
		_exit(0);
	}
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		return ksma_error_os(errno, "fork");
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	*ret_pipe = ends[1];
	return NULL;
}

void ksma_disks_watch_end(int pipe, bool withdrawn)
{
	if (pipe < 0)
		return;
	/* The process may be gone, which is no harm. */
	if (withdrawn)
		(void)!send(pipe, "q", 1, MSG_NOSIGNAL);
	close(pipe);
}
