/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one program of our own inside the test guest: runs the host's commands, and makes things worth looking at. */
#define _GNU_SOURCE
#include "gtool.h"

#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;
} commands[] = {
	{ "agent", gtool_agent, "agent TTY            run what the host sends on a serial port" },
	{ "audit", gtool_audit,
	  "audit                receive the kernel's audit records, as auditd does, and stay" },
	{ "populate", gtool_populate,
	  "populate TOTAL       make processes, files, sockets, maps; TOTAL processes" },
	{ "churn", gtool_churn,
	  "churn SECONDS [KO…]  fork, exec, thread, and load and unload modules" },
	{ "bpf", gtool_bpf,
	  "bpf KIND…            load BPF programs, hook them in and stay: classic clock socket kprobe write signal tracepoint perf raw xdp tc" },
	{ "forge", gtool_forge,
	  "forge KIND FILE OFFSET [DISK]  change a byte and leave no trace in the file's times: clock mapping disk; or write behind its end: end" },
	{ "held", gtool_held,
	  "held KIND…           hold files without a name open: memfd huge deleted; tells where" },
	{ "intrude", gtool_intrude,
	  "intrude WAY [PID]    run what no file says: rest ptrace mem memfd deleted anonymous writable text" },
	{ "odd", gtool_odd, "odd                  make files, maps and mounts with odd names" },
	{ "proc", gtool_proc,
	  "proc [PID]           tell what /proc says, for the host to compare with" },
	{ "ring", gtool_ring,
	  "ring KIND…           make rings of io_uring that hold sockets, and stay: honest only poll" },
	{ "sleep", gtool_sleep, "sleep [WORD…]        do nothing, with these arguments to show" },
	{ "user", gtool_user,
	  "user                 two processes of an ordinary user, which sleep; tells the child's pid, then its own" },
	{ "box", gtool_box,
	  "box                  the same as root, the child in a container and with a filter of system calls" },
	{ "work", gtool_work,
	  "work MS WHAT         how often WHAT (syscalls, echo, a program) is done in a second" },
};

static int ready_pipe[2] = { -1, -1 };

void gtool_background(void)
{
	char byte;
	pid_t child;

	if (pipe(ready_pipe) < 0 || (child = fork()) < 0)
		GTOOL_DIE("going into the background");
	if (child > 0) {
		FILE *f = fopen("/tmp/gtool.pid", "w");

		close(ready_pipe[1]);
		if (!f || fprintf(f, "%d\n", (int)child) < 0 || fclose(f) != 0)
			GTOOL_DIE("/tmp/gtool.pid");
		exit(read(ready_pipe[0], &byte, 1) == 1 ? 0 : 1);
	}
	close(ready_pipe[0]);
	setsid();
}

void gtool_ready(void)
{
	int null = open("/dev/null", O_RDWR);

	fflush(stdout);
	if (null < 0 || write(ready_pipe[1], "", 1) != 1)
		exit(1);
	close(ready_pipe[1]);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
}

int gtool_sleep(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (;;)
		pause();
}

int gtool_user(int argc, char **argv)
{
	char *const child_argv[] = { (char *)"gtool", (char *)"sleep", NULL };
	pid_t child;

	(void)argc;
	if (argv[1] && strcmp(argv[1], "start") != 0)
		return 2;
	if (!argv[1]) {
		if (setgroups(0, NULL) < 0 || setresgid(1000, 1000, 1000) < 0 ||
		    setresuid(1000, 1000, 1000) < 0)
			return 1;
		/* A program that a user starts has called exec(). */
		execl("/proc/self/exe", "gtool", "user", "start", (char *)NULL);
		return 1;
	}
	child = fork();
	if (child < 0)
		return 1;
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv("/proc/self/exe", child_argv);
		_exit(1);
	}
	printf("%d\n%d\n", child, getpid());
	fflush(stdout);
	return gtool_sleep(argc, argv);
}

/* Every system call is allowed: the filter has only to be there. */
static void put_filter_on(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { 1, &allow };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		_exit(1);
}

int gtool_box(int argc, char **argv)
{
	char *const child_argv[] = { (char *)"gtool", (char *)"sleep", NULL };
	pid_t child;

	if (unshare(CLONE_NEWPID) < 0 || (child = fork()) < 0)
		return 1;
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNS | CLONE_NEWUTS) < 0)
			_exit(1);
		put_filter_on();
		execv("/proc/self/exe", child_argv);
		_exit(1);
	}
	/* What the child does first takes a moment. */
	usleep(300000);
	printf("%d\n%d\n", child, getpid());
	fflush(stdout);
	return gtool_sleep(argc, argv);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stderr, "%s gtool %s\n", i ? "      " : "usage:", commands[i].usage);
	return 2;
}
