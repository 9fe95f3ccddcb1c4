/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts how much of a kind of work the guest gets done in a time: what watching costs it shows here. */
#define _GNU_SOURCE
#include "gtool.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* getppid() has no cache in the C library and no table in the vDSO. */
static void do_syscalls(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++)
		syscall(SYS_getppid);
}

static void do_program(void *arg)
{
	char **argv = arg;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		GTOOL_DIE("fork");
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		GTOOL_DIE("%s failed", argv[0]);
}

static int connection = -1;

/* One byte there and back. */
static void do_echo(void *arg)
{
	char byte = 1;

	(void)arg;
	if (write(connection, &byte, 1) != 1 || read(connection, &byte, 1) != 1)
		GTOOL_DIE("echo");
}

static pid_t start_echo(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, client;
	pid_t pid;

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) < 0 ||
	    listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &length) < 0)
		GTOOL_DIE("listen");
	pid = fork();
	if (pid == 0) {
		char byte;

		client = accept(listener, NULL, NULL);
		setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		while (read(client, &byte, 1) == 1 && write(client, &byte, 1) == 1)
			;
		_exit(0);
	}
	connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(connection, (struct sockaddr *)&address, length) < 0)
		GTOOL_DIE("connect");
	setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return pid;
}

/* work MILLISECONDS syscalls | echo | PROGRAM ARG…: prints how often it was done in a second. */
int gtool_work(int argc, char **argv)
{
	void (*work)(void *arg) = do_program;
	double start, end, seconds;
	unsigned long count = 0;
	pid_t echo = 0;

	if (argc < 3 || (seconds = strtod(argv[1], NULL) / 1000) <= 0) {
		fprintf(stderr, "usage: gtool work MILLISECONDS syscalls | echo | PROGRAM ARG…\n");
		return 2;
	}
	if (strcmp(argv[2], "syscalls") == 0)
		work = do_syscalls;
	if (strcmp(argv[2], "echo") == 0) {
		work = do_echo;
		echo = start_echo();
	}
	start = now();
	do {
		work(argv + 2);
		count++;
		end = now();
	} while (end - start < seconds);
	printf("%.3f\n", (double)count / (end - start));
	if (echo) {
		close(connection);
		kill(echo, SIGKILL);
		waitpid(echo, NULL, 0);
	}
	return 0;
}
