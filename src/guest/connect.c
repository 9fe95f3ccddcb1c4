/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the monitor among a guest's sockets: one that is there, is not in use, and is that guest's. */
#include "guest/connect.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "guest/process.h"

enum { CONNECT_OVERTAKE_MS = 200 };

/* The address of a socket. A path too long for one is reached through a descriptor of its folder, which is left in *folder. */
static struct ksma_error *make_address(const char *path, struct sockaddr_un *address, int *folder)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *name = NULL;

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) < sizeof(address->sun_path)) {
		strcpy(address->sun_path, path);
		return NULL;
	}
	if (slash && strlen(slash) < sizeof(address->sun_path) - 32) {
		name = strndup(path, (size_t)(slash - path));
		if (!name)
			return ksma_error_nomem();
		*folder = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (*folder < 0)
			return ksma_error_os(errno, "monitor %s", path);
		snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d%s",
			 *folder, slash);
		return NULL;
	}
	return ksma_error_create(KSMA_ERROR_INVALID,
				 "monitor %s: the name is too long for a socket", path);
}

/* A socket's path may lie on a stale command line, and another guest's monitor answer there. */
static struct ksma_error *check_peer(int fd, const char *path,
				     const struct ksma_connect_options *options)
{
	struct ksma_host_process process;
	struct ksma_error *error;
	struct ucred peer;
	socklen_t length = sizeof(peer);

	/* Who listens where we cannot see it (in a namespace of pids outside ours) is number 0. */
	if (!options->pid || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ||
	    peer.pid == 0 || peer.pid == options->pid)
		return NULL;
	if (options->proxied) {
		error = ksma_host_process_read(peer.pid, &process);
		if (error) {
			ksma_error_destroy(error);
			return NULL;
		}
		ksma_host_process_free(&process);
	}
	return ksma_error_create(
		KSMA_ERROR_INVALID,
		"monitor %s belongs to process %d, and the guest's QEMU is process %d", path,
		peer.pid, options->pid);
}

static struct ksma_error *connect_one(const char *path, const struct ksma_connect_options *options,
				      struct ksma_qmp **ret_qmp)
{
	struct sockaddr_un address;
	_cleanup_close_ int folder = -1;
	_cleanup_close_ int fd = -1;

	KSMA_TRY(make_address(path, &address, &folder));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return ksma_error_os(errno, "monitor %s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno == EAGAIN)
			return ksma_error_create(KSMA_ERROR_TIMEOUT,
						 "monitor %s is in use, and others wait for it",
						 path);
		return ksma_error_os(errno, "monitor %s", path);
	}
	KSMA_TRY(check_peer(fd, path, options));
	return ksma_qmp_create(TAKE_FD(fd), path, options->timeout_ms, ret_qmp);
}

/* Greets the first of the silent ones that speaks up before `until`. A connection that fails is ended, and its error kept. */
static struct ksma_qmp *first_to_greet(struct ksma_qmp **open, size_t count, uint64_t until,
				       struct ksma_error **error)
{
	for (;;) {
		struct pollfd polls[KSMA_CONNECT_MAX];
		uint64_t now = ksma_now_ns();
		size_t alive = 0;

		for (size_t i = 0; i < count; i++) {
			polls[i] = (struct pollfd){ .fd = open[i] ? ksma_qmp_fd(open[i]) : -1,
						    .events = POLLIN };
			alive += open[i] != NULL;
		}
		if (!alive || poll(polls, count,
				   now < until ? (int)((until - now + 999999) / 1000000) : 0) == 0)
			return NULL;
		for (size_t i = 0; i < count; i++) {
			struct ksma_error *mine;

			if (!open[i] || !polls[i].revents)
				continue;
			mine = ksma_qmp_greet(open[i]);
			if (!mine)
				return TAKE_PTR(open[i]);
			ksma_error_destroy(*error);
			*error = mine;
			ksma_qmp_destroy(open[i]);
			open[i] = NULL;
		}
	}
}

/* Ends what did not win. A silent one says more than one that is not there. */
static void end_losers(struct ksma_qmp **open, size_t count, struct ksma_error **error)
{
	bool said = false;

	for (size_t i = 0; i < count; i++) {
		if (open[i] && !said) {
			said = true;
			ksma_error_destroy(*error);
			*error = ksma_qmp_silent(ksma_qmp_name(open[i]));
		}
		ksma_qmp_destroy(open[i]);
	}
}

struct ksma_error *ksma_qmp_connect(const struct ksma_connect_options *options,
				    struct ksma_qmp **ret_qmp)
{
	struct ksma_qmp *open[KSMA_CONNECT_MAX] = { NULL };
	struct ksma_error *error = NULL;
	struct ksma_qmp *winner = NULL;
	uint64_t deadline = ksma_now_ns() + options->timeout_ms * UINT64_C(1000000);
	size_t count = 0;

	for (; count < KSMA_CONNECT_MAX && options->paths[count] && !winner; count++) {
		struct ksma_error *mine = connect_one(options->paths[count], options, &open[count]);
		uint64_t until = ksma_now_ns() + CONNECT_OVERTAKE_MS * UINT64_C(1000000);

		if (mine) {
			ksma_error_destroy(error);
			error = mine;
			continue;
		}
		winner = first_to_greet(open, count + 1, until < deadline ? until : deadline,
					&error);
	}
	if (!winner)
		winner = first_to_greet(open, count, deadline, &error);
	end_losers(open, count, &error);
	if (winner) {
		ksma_error_destroy(error);
		*ret_qmp = winner;
		return NULL;
	}
	return error ? error : ksma_error_create(KSMA_ERROR_NOT_PRESENT, "no monitor socket");
}
