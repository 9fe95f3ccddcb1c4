/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keeper: whatever way a guard ends, its guest is let go of; and only then. */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "guard/keeper.h"
#include "guest/rsp.h"

#define LET_GO "? qSupported:hwbreak+ qfThreadInfo qsThreadInfo Hc1 c qC Hc2 c qC D "
#define LET_GO_PANICKED "? qSupported:hwbreak+ qfThreadInfo qsThreadInfo Hc1 c qC D "

static bool panicked; /* the guest does not run, whatever it is told */

/* What QEMU hears from the keeper until the connection ends, with the answers that QEMU would give. */
static void hear(int fd, char *heard, size_t size, int timeout_ms)
{
	static struct ksma_rsp_reader reader;
	size_t length = 0;
	uint8_t byte;
	int chosen = 0;

	memset(&reader, 0, sizeof(reader));
	heard[0] = 0;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char answer[128];
		const char *text = "";

		if (poll(&p, 1, timeout_ms) <= 0 || recv(fd, &byte, 1, 0) != 1)
			return;
		if (ksma_rsp_feed(&reader, byte) != KSMA_RSP_PACKET)
			continue;
		length += (size_t)snprintf(heard + length, size - length, "%s ", reader.data);
		assert_true(length < size);
		if (strcmp(reader.data, "?") == 0)
			text = "T05thread:01;";
		else if (strncmp(reader.data, "qSupported", 10) == 0)
			text = "PacketSize=1000";
		else if (strcmp(reader.data, "qfThreadInfo") == 0)
			text = "m01,02";
		else if (strcmp(reader.data, "qsThreadInfo") == 0)
			text = "l";
		else if (strcmp(reader.data, "qC") == 0)
			text = "QC01";
		else if (strcmp(reader.data, "D") == 0 || reader.data[0] == 'H')
			text = "OK";
		else if (strcmp(reader.data, "c") == 0 && panicked)
			continue;
		else if (strcmp(reader.data, "c") == 0)
			text = chosen == 1 ? "T02thread:01;" : "T02thread:02;";
		if (reader.data[0] == 'H')
			chosen = reader.data[2] - '0';
		assert_true(send(fd, answer, ksma_rsp_frame(answer, sizeof(answer), text),
				 MSG_NOSIGNAL) > 0);
	}
}

enum way {
	KILLED,
	KILLED_AT_ONCE,
	EXITED,
	RELEASES,
	HANGS_AT_ONCE,
	HANGS_STOPPED,
	HANGS_UNREAD,
	PAUSED_BY_OTHERS,
	PAUSED_FOR_LONG,
	STOPS_KEEPER
};

/* A guard of one connection, that ends in one way. */
static _Noreturn void guard(const char *path, int gdb_fd, enum way way)
{
	struct ksma_keeper *keeper;

	if (ksma_keeper_start(path, false, 300, &keeper))
		_exit(1);
	if (way == KILLED_AT_ONCE)
		raise(SIGKILL);
	if (way == HANGS_AT_ONCE)
		raise(SIGSTOP);
	if (ksma_keeper_show(keeper, gdb_fd))
		_exit(1);
	ksma_keeper_beat(keeper, way == HANGS_STOPPED || way == PAUSED_FOR_LONG);
	ksma_keeper_paused(keeper, way == PAUSED_BY_OTHERS || way == PAUSED_FOR_LONG);
	if (!ksma_keeper_is_alive(keeper) || ksma_keeper_pid(keeper) <= 0)
		_exit(2);
	switch (way) {
	case STOPS_KEEPER:
		ksma_keeper_stop(keeper);
		_exit(0);
	case RELEASES:
		close(gdb_fd);
		_exit(ksma_keeper_release(keeper) ? 0 : 4);
	case EXITED:
		_exit(0);
	case KILLED:
	case PAUSED_BY_OTHERS:
		raise(SIGKILL);
		break;
	case HANGS_STOPPED:
	case HANGS_UNREAD:
		raise(SIGSTOP);
		break;
	case PAUSED_FOR_LONG:
		usleep(1000000);
		_exit(0);
	default:
		break;
	}
	_exit(3);
}

/* A socket where QEMU would listen. */
static int listen_at(char *path, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(path, size, "/tmp/ksma-keeper-%d.sock", getpid());
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* The guard ends in its way; what the keeper then says on a connection of its own. */
static void run(enum way way, const char *expected)
{
	char heard[512] = "", path[64];
	struct pollfd p = { .fd = listen_at(path, sizeof(path)), .events = POLLIN };
	int fds[2], status, next;
	size_t length;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	if (way == HANGS_UNREAD)
		assert_int_equal(send(fds[1], "+", 1, 0), 1);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[1]);
		guard(path, fds[0], way);
	}
	close(fds[0]);
	if (poll(&p, 1, *expected ? 10000 : 500) > 0) {
		/* The old one is over by then. */
		assert_true(recv(fds[1], heard, 1, 0) <= 0);
		do {
			length = strlen(heard);
			next = accept4(p.fd, NULL, NULL, SOCK_CLOEXEC);
			hear(next, heard + length, sizeof(heard) - length, 10000);
			close(next);
			/* A guest that is let go is let go twice, see ksma_gdb_release(). */
		} while (strlen(heard) < strlen(expected) && poll(&p, 1, 10000) > 0);
	}
	assert_string_equal(heard, expected);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (way == STOPS_KEEPER || way == EXITED || way == RELEASES || way == PAUSED_FOR_LONG)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	else
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(fds[1]);
	close(p.fd);
	unlink(path);
}

static void killed(void **state)
{
	run(KILLED, LET_GO LET_GO);
	run(KILLED_AT_ONCE, LET_GO LET_GO);
}

static void exits(void **state)
{
	run(EXITED, LET_GO LET_GO);
	run(RELEASES, LET_GO LET_GO);
}

/* One that stands still is ended by the keeper, whichever way that shows. */
static void hangs(void **state)
{
	run(HANGS_AT_ONCE, LET_GO LET_GO);
	run(HANGS_STOPPED, LET_GO LET_GO);
	run(HANGS_UNREAD, LET_GO LET_GO);
}

static void leaves_paused(void **state)
{
	run(PAUSED_BY_OTHERS, "? qSupported:hwbreak+ ");
	/* Which is no reason to end the guard. */
	run(PAUSED_FOR_LONG, "? qSupported:hwbreak+ ");
}

static void nothing_to_do(void **state)
{
	run(STOPS_KEEPER, "");
}

/* With no guard: told whether somebody was there to hear it. */
static void let_go(const char *expected)
{
	char heard[512] = "", path[64];
	int fd = listen_at(path, sizeof(path)), status, next;
	size_t length = 0;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(ksma_keeper_let_go(path, false) ? 0 : 1);
	for (int i = 0; i < 2; i++) {
		next = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		hear(next, heard + length, sizeof(heard) - length, 10000);
		length = strlen(heard);
		close(next);
	}
	assert_string_equal(heard, expected);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(fd);
	unlink(path);
}

static void lets_go_for_others(void **state)
{
	assert_false(ksma_keeper_let_go("/nowhere/at/all", false));
	let_go(LET_GO LET_GO);
	panicked = true;
	let_go(LET_GO_PANICKED LET_GO_PANICKED);
	panicked = false;
}

/* Signals that ask it to end are for the guard; one that cannot be refused is noticed by it. */
static void keeper_dies(void **state)
{
	struct ksma_keeper *keeper;
	struct pollfd p = { .events = POLLIN };

	assert_ok(ksma_keeper_start("/nowhere", false, 0, &keeper));
	/* Give it the time to refuse them. */
	usleep(100000);
	assert_int_equal(kill(ksma_keeper_pid(keeper), SIGTERM), 0);
	assert_int_equal(kill(ksma_keeper_pid(keeper), SIGINT), 0);
	usleep(50000);
	assert_true(ksma_keeper_is_alive(keeper));
	assert_int_equal(kill(ksma_keeper_pid(keeper), SIGKILL), 0);
	p.fd = ksma_keeper_fd(keeper);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_false(ksma_keeper_is_alive(keeper));
	ksma_keeper_stop(keeper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed),
		cmocka_unit_test(exits),
		cmocka_unit_test(hangs),
		cmocka_unit_test(leaves_paused),
		cmocka_unit_test(nothing_to_do),
		cmocka_unit_test(keeper_dies),
		cmocka_unit_test(lets_go_for_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
