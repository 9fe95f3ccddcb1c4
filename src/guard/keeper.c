/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process that outlives the guard: whatever ends the guard, the guest gets its breakpoints removed and runs on. */
#include "guard/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/send_fd.h"
#include "guest/gdbstub.h"

enum {
	LOOK_MS = 100, /* how often the keeper looks after a guard that lives */
	TRIES = 60, /* a QEMU that does not answer may be busy: a disk that flushes, a host that swaps */
	PAUSE_MS = 500,	  /* between two of them */
	RELEASE_MS = 5000 /* for QEMU to answer */
};

/* What both processes see. */
struct shared {
	_Atomic uint64_t beats;
	_Atomic uint64_t stopped_ns; /* since when the guest stands still; 0: it runs */
	_Atomic bool paused;	     /* by somebody else */
	_Atomic bool released;	     /* there is nothing left to do */
};

struct ksma_keeper {
	int pid, fd; /* the guard's end of a pair of sockets: what is said is that both are there */
	struct shared *shared;
};

/* The keeper's descriptors. */
enum { SOCKET = 3, GUARD = 4, ABOVE = 5 };

/* What the keeper itself knows. */
struct watch {
	const struct shared *shared;
	const char *address;
	unsigned limit_ms, tries;
	int connection;	    /* the guard's to the guest, -1: it has shown none */
	uint64_t unread_ns; /* since when it leaves something unread there */
	uint64_t beats;
};

/* Keeps two descriptors at these places and lets go of all others, for their ends are heard by somebody: a pipe's reader, the
 * monitor. 0 to 2 lead nowhere. */
static bool arrange(int socket, int guard_pidfd)
{
	const int wanted[] = { socket, guard_pidfd };
	int high[ARRAY_SIZE(wanted)];

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		high[i] = fcntl(wanted[i], F_DUPFD, ABOVE);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (high[i] < 0 || dup2(high[i], SOCKET + (int)i) < 0)
			return false;
	for (int fd = 0, null = open("/dev/null", O_RDWR); fd < SOCKET; fd++)
		dup2(null, fd);
	return syscall(SYS_close_range, ABOVE, ~0U, 0) == 0;
}

/* Does the guard leave a guest standing? Then either it says so itself, or it does not read what QEMU tells it. */
static bool is_stuck(struct watch *watch)
{
	uint64_t now = ksma_now_ns(), limit = watch->limit_ms * UINT64_C(1000000);
	uint64_t stopped = atomic_load(&watch->shared->stopped_ns);
	uint64_t beat = atomic_load(&watch->shared->beats);
	struct pollfd p = { .fd = watch->connection, .events = POLLIN };

	if (!watch->limit_ms)
		return false;
	if (poll(&p, 1, 0) <= 0 || beat != watch->beats)
		watch->unread_ns = now;
	watch->beats = beat;
	if (atomic_load(&watch->shared->paused))
		stopped = 0; /* for as long as they like */
	return (stopped && now > stopped && now - stopped > limit) ||
	       now - watch->unread_ns > limit;
}

/* Takes the connection that the guard shows. @return false when there is no guard any more */
static bool take_connection(struct watch *watch)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(SOCKET, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	if (!CMSG_FIRSTHDR(&message) || CMSG_FIRSTHDR(&message)->cmsg_type != SCM_RIGHTS)
		return true;
	if (watch->connection >= 0)
		close(watch->connection);
	memcpy(&watch->connection, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return true;
}

/* Waits for the guard's end; one that leaves the guest standing is ended. */
static void wait_for_end(struct watch *watch)
{
	struct pollfd p = { .fd = SOCKET, .events = POLLIN };

	for (;;) {
		int n = poll(&p, 1, LOOK_MS);

		if ((n > 0 && !take_connection(watch)) || (n < 0 && errno != EINTR))
			return;
		if (is_stuck(watch))
			syscall(SYS_pidfd_send_signal, GUARD, SIGKILL, NULL, 0);
	}
}

/* The old connection may be in the middle of anything, and QEMU does not survive what is asked after a client has detached: it ends,
 * and a new one begins. */
static bool release(struct watch *watch)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };

	if (watch->connection >= 0)
		close(watch->connection);
	for (unsigned i = 0; i < watch->tries; i++) {
		struct ksma_error *error = ksma_gdb_release(watch->address, RELEASE_MS,
							    !atomic_load(&watch->shared->paused));
		bool good = !error, nobody = error && error->code == KSMA_ERROR_NOT_PRESENT;

		ksma_error_destroy(error);
		if (good || nobody)
			return good;
		if (i + 1 < watch->tries)
			nanosleep(&pause, NULL);
	}
	return false;
}

static _Noreturn void keep(struct watch *watch)
{
	static const int ignored[] = { SIGHUP,	SIGINT,	 SIGQUIT, SIGTERM, SIGPIPE,
				       SIGUSR1, SIGUSR2, SIGALRM, SIGTSTP, SIGTTIN,
				       SIGTTOU, SIGXCPU, SIGXFSZ };
	sigset_t none;

	setsid();
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "ksma-keeper");
	if (chdir("/") < 0)
		_exit(1);
	wait_for_end(watch);
	_exit(atomic_load(&watch->shared->released) || release(watch) ? 0 : 1);
}

static struct ksma_error *spawn(struct ksma_keeper *keeper, const char *address, unsigned limit_ms,
				unsigned tries)
{
	_cleanup_close_ int guard_pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int sockets[2];

	if (guard_pidfd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return ksma_error_os(errno, "the guard's keeper");
	keeper->pid = fork();
	if (keeper->pid < 0) {
		int errnum = errno;

		close(sockets[0]);
		close(sockets[1]);
		return ksma_error_os(errnum, "the guard's keeper");
	}
	if (keeper->pid == 0) {
		struct watch watch = { .shared = keeper->shared,
				       .address = address,
				       .limit_ms = limit_ms,
				       .tries = tries,
				       .connection = -1,
				       .unread_ns = ksma_now_ns() };

		if (!arrange(sockets[1], guard_pidfd))
			_exit(1);
		keep(&watch);
	}
	close(sockets[1]);
	keeper->fd = sockets[0];
	return NULL;
}

static struct ksma_error *start(const char *address, bool paused, unsigned limit_ms, unsigned tries,
				struct ksma_keeper **ret_keeper)
{
	struct ksma_keeper *keeper = calloc(1, sizeof(*keeper));
	struct ksma_error *error;

	if (!keeper)
		return ksma_error_nomem();
	keeper->shared = mmap(NULL, sizeof(*keeper->shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (keeper->shared == MAP_FAILED) {
		free(keeper);
		return ksma_error_nomem();
	}
	ksma_keeper_beat(keeper, true);
	ksma_keeper_paused(keeper, paused);
	error = spawn(keeper, address, limit_ms, tries);
	if (error) {
		munmap(keeper->shared, sizeof(*keeper->shared));
		free(keeper);
		return error;
	}
	*ret_keeper = keeper;
	return NULL;
}

struct ksma_error *ksma_keeper_start(const char *address, bool paused, unsigned limit_ms,
				     struct ksma_keeper **ret_keeper)
{
	return start(address, paused, limit_ms, TRIES, ret_keeper);
}

struct ksma_error *ksma_keeper_show(struct ksma_keeper *keeper, int gdb_fd)
{
	if (ksma_send_fd(keeper->fd, "", 1, gdb_fd, 0) < 0)
		return ksma_error_os(errno, "the guard's keeper");
	return NULL;
}

/* @return as the keeper ended: did it do what it was there for? */
static bool end(struct ksma_keeper *keeper)
{
	int status = -1;

	close(keeper->fd);
	while (waitpid(keeper->pid, &status, 0) < 0 && errno == EINTR)
		;
	munmap(keeper->shared, sizeof(*keeper->shared));
	free(keeper);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void ksma_keeper_stop(struct ksma_keeper *keeper)
{
	if (!keeper)
		return;
	atomic_store(&keeper->shared->released, true);
	end(keeper);
}

bool ksma_keeper_release(struct ksma_keeper *keeper)
{
	return keeper && end(keeper);
}

bool ksma_keeper_let_go(const char *address, bool paused)
{
	struct ksma_keeper *keeper;
	struct ksma_error *error = start(address, paused, 0, 1, &keeper);

	ksma_error_destroy(error);
	return !error && end(keeper);
}

void ksma_keeper_beat(struct ksma_keeper *keeper, bool stopped)
{
	atomic_store_explicit(&keeper->shared->stopped_ns, stopped ? ksma_now_ns() : 0,
			      memory_order_relaxed);
	atomic_fetch_add_explicit(&keeper->shared->beats, 1, memory_order_relaxed);
}

void ksma_keeper_paused(struct ksma_keeper *keeper, bool paused)
{
	atomic_store(&keeper->shared->paused, paused);
}

bool ksma_keeper_is_alive(struct ksma_keeper *keeper)
{
	struct pollfd p = { .fd = keeper->fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

int ksma_keeper_fd(const struct ksma_keeper *keeper)
{
	return keeper->fd;
}

int ksma_keeper_pid(const struct ksma_keeper *keeper)
{
	return keeper->pid;
}
