/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs, inside the guest, the shell lines that the test host sends over a serial port. */
#define _GNU_SOURCE
#include "frame.h"
#include "gtool.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

static struct frame frame;
static char put_path[4096];

static void send_status(int tty, uint32_t id, int status)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", status);

	frame_write(tty, id, 'X', text, (size_t)n);
}

/* Sends what is in the pipe now. Returns 0 at its end. */
static int send_output(int tty, uint32_t id, int pipe_fd)
{
	char buf[FRAME_MAX];
	ssize_t n = read(pipe_fd, buf, sizeof(buf));

	if (n > 0)
		frame_write(tty, id, 'O', buf, (size_t)n);
	return n != 0;
}

/* A process left behind keeps the pipe open, so the end is the shell's exit, seen through its pidfd, not the pipe's. */
static void run(int tty, uint32_t id, const char *script)
{
	int out[2], status = 0;
	struct pollfd p[2] = { { .events = POLLIN }, { .events = POLLIN } };
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		GTOOL_DIE("pipe");
	pid = fork();
	if (pid < 0) {
		close(out[0]);
		close(out[1]);
		send_status(tty, id, 126);
		return;
	}
	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY);

		setsid();
		dup2(null, 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		signal(SIGPIPE, SIG_DFL);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	close(out[1]);
	p[0].fd = out[0];
	p[1].fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p[1].fd < 0)
		GTOOL_DIE("pidfd_open");
	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			GTOOL_DIE("poll");
		if (p[0].revents) {
			if (!send_output(tty, id, out[0]))
				p[0].fd = -1;
		} else if (p[1].revents) {
			break;
		}
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	send_status(tty, id, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	close(out[0]);
	close(p[1].fd);
}

static void put(int tty, const struct frame *f)
{
	int fd, ok;

	if (f->type == 'P') {
		unsigned int mode;
		int at = 0;

		if (sscanf(f->data, "%o %n", &mode, &at) != 1 || at == 0) {
			send_status(tty, f->id, 2);
			return;
		}
		snprintf(put_path, sizeof(put_path), "%s", f->data + at);
		unlink(put_path);
		fd = open(put_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
		ok = fd >= 0 && fchmod(fd, mode) == 0;
	} else {
		fd = open(put_path, O_WRONLY | O_APPEND | O_CLOEXEC);
		ok = fd >= 0 && frame_write_all(fd, f->data, f->len) == 0;
	}
	if (fd >= 0)
		close(fd);
	send_status(tty, f->id, ok ? 0 : 1);
}

static void get(int tty, const struct frame *f)
{
	int fd = open(f->data, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		send_status(tty, f->id, 1);
		return;
	}
	while (send_output(tty, f->id, fd))
		;
	close(fd);
	send_status(tty, f->id, 0);
}

int gtool_agent(int argc, char **argv)
{
	struct termios t;
	struct frame_reader reader = { 0 };
	uint32_t last = 0;
	int tty;

	if (argc != 2)
		return 2;
	tty = open(argv[1], O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty < 0 || tcgetattr(tty, &t) < 0)
		GTOOL_DIE("%s", argv[1]);
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL | CREAD;
	cfsetspeed(&t, B115200);
	if (tcsetattr(tty, TCSANOW, &t) < 0)
		GTOOL_DIE("%s", argv[1]);
	signal(SIGPIPE, SIG_IGN);
	reader.fd = tty;
	frame_write(tty, 0, 'U', "", 0);
	while (frame_read(&reader, -1, &frame) > 0) {
		if (frame.id == last)
			continue;
		last = frame.id;
		frame_write(tty, frame.id, 'B', "", 0);
		switch (frame.type) {
		case 'R':
			run(tty, frame.id, frame.data);
			break;
		case 'P':
		case 'A':
			put(tty, &frame);
			break;
		case 'G':
			get(tty, &frame);
			break;
		case 'N':
			send_status(tty, frame.id, 0);
			break;
		default:
			send_status(tty, frame.id, 2);
		}
	}
	return 1;
}
