/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's end of the guest's command channel: runs a shell line in a test guest as if it were here. */
#define _GNU_SOURCE
#include "frame.h"

#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

enum { CHANNEL_FAILED = 125, CHANNEL_TIMEOUT = 124 };

static struct frame frame;
static struct frame_reader reader;
static uint32_t id;
static int64_t patience_ms;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* QEMU serves one client at a time; a lock keeps others from waiting on a connection that nobody answers. */
static int channel_open(const char *dir)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char path[4096];
	int lock, fd;

	snprintf(path, sizeof(path), "%s/cmd.lock", dir);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		err(CHANNEL_FAILED, "%s", path);
	/* A socket's address is short; a run folder's path need not be. */
	if (chdir(dir) < 0)
		err(CHANNEL_FAILED, "%s", dir);
	strcpy(sa.sun_path, "cmd.sock");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		err(CHANNEL_FAILED, "%s/cmd.sock", dir);
	return fd;
}

/* Makes a request of the guest, writes what the command prints to `out`, and returns its exit status. */
static int ask(char type, const char *data, size_t len, int out)
{
	int64_t deadline_ms = now_ms() + patience_ms, again_ms = 0;
	bool begun = false;

	if (len > FRAME_MAX)
		errx(CHANNEL_FAILED, "longer than %d bytes: put it in a file", FRAME_MAX);
	if (++id == 0)
		id++;
	for (;;) {
		int64_t now = now_ms(),
			until = begun || deadline_ms < again_ms ? deadline_ms : again_ms;
		int e;

		if (now >= deadline_ms)
			errx(CHANNEL_TIMEOUT, "the guest did not answer in time");
		if (!begun && now >= again_ms) {
			if (frame_write(reader.fd, id, type, data, len) < 0)
				err(CHANNEL_FAILED, "command channel");
			/* A busy guest takes in about ten bytes a millisecond. */
			again_ms = now_ms() + 3000 + (int64_t)len;
			continue;
		}
		e = frame_read(&reader, (int)(until - now), &frame);
		if (e == -1)
			err(CHANNEL_FAILED, "command channel");
		if (e == 0)
			errx(CHANNEL_FAILED, "the guest is gone");
		/* An agent that starts now has not seen what was sent before. */
		if (e == 1 && frame.type == 'U' && !begun)
			again_ms = 0;
		if (e != 1 || frame.id != id)
			continue;
		begun = true;
		if (frame.type == 'O' && frame_write_all(out, frame.data, frame.len) < 0)
			err(CHANNEL_FAILED, "output");
		if (frame.type == 'X')
			return atoi(frame.data);
	}
}

/* Waits until the agent says that it has started. */
static int wait_started(void)
{
	int64_t deadline_ms = now_ms() + patience_ms, now;

	while ((now = now_ms()) < deadline_ms) {
		int e = frame_read(&reader, (int)(deadline_ms - now), &frame);

		if (e == 1 && frame.type == 'U')
			return 0;
		if (e == 0 || e == -1)
			errx(CHANNEL_FAILED, "the guest is gone");
	}
	errx(CHANNEL_TIMEOUT, "the guest did not become ready in time");
}

/* Asks the machine's second monitor for a reset. The connection to the guest is open by then, so its first word is not missed. */
static int reset(void)
{
	static const char request[] =
		"{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"system_reset\",\"id\":1}\n";
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "qmp2.sock" };
	char text[8192] = "";
	size_t len = 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		err(CHANNEL_FAILED, "qmp2.sock");
	if (frame_write_all(fd, request, sizeof(request) - 1) < 0)
		err(CHANNEL_FAILED, "qmp2.sock");
	while (!strstr(text, "\"id\": 1") && len < sizeof(text) - 1) {
		ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);

		if (n <= 0)
			errx(CHANNEL_FAILED, "the monitor closed");
		len += (size_t)n;
		text[len] = '\0';
	}
	close(fd);
	return 0;
}

static int put(const char *local, const char *path)
{
	char buf[FRAME_MAX];
	struct stat st;
	ssize_t n;
	int len, status, fd = open(local, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		err(CHANNEL_FAILED, "%s", local);
	len = snprintf(buf, sizeof(buf), "%o %s", st.st_mode & 07777, path);
	status = ask('P', buf, (size_t)len, 1);
	while (status == 0 && (n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0)
			err(CHANNEL_FAILED, "%s", local);
		status = ask('A', buf, (size_t)n, 1);
	}
	close(fd);
	return status;
}

static int get(const char *path, const char *local)
{
	int status, fd = open(local, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0)
		err(CHANNEL_FAILED, "%s", local);
	status = ask('G', path, strlen(path), fd);
	close(fd);
	return status;
}

int main(int argc, char **argv)
{
	const char *timeout = getenv("GSH_TIMEOUT");
	char cwd[4096], local[8192] = "";

	if (argc < 3 ||
	    (argc < 4 && strcmp(argv[1], "wait") != 0 && strcmp(argv[1], "reboot") != 0))
		errx(2,
		     "usage: gsh wait DIR | reboot DIR | exec DIR LINE | put DIR FILE PATH | get DIR PATH FILE   (GSH_TIMEOUT=seconds)");
	patience_ms = 1000 * (int64_t)(timeout ? atoi(timeout) : 120);
	do
		if (getrandom(&id, sizeof(id), 0) != sizeof(id))
			err(CHANNEL_FAILED, "getrandom");
	while (id == 0);
	if (argc > 4 && getcwd(cwd, sizeof(cwd))) {
		const char *file = strcmp(argv[1], "put") == 0 ? argv[3] : argv[4];

		snprintf(local, sizeof(local), "%s%s%s", file[0] == '/' ? "" : cwd,
			 file[0] == '/' ? "" : "/", file);
	}
	reader.fd = channel_open(argv[2]);
	if (strcmp(argv[1], "wait") == 0)
		return ask('N', "", 0, 1);
	if (strcmp(argv[1], "reboot") == 0) {
		reset();
		return wait_started();
	}
	if (strcmp(argv[1], "exec") == 0)
		return ask('R', argv[3], strlen(argv[3]), 1);
	if (strcmp(argv[1], "put") == 0 && argc == 5)
		return put(local, argv[4]);
	if (strcmp(argv[1], "get") == 0 && argc == 5)
		return get(argv[3], local);
	errx(2, "no command is called %s", argv[1]);
}
