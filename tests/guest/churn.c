/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keeps the guest's kernel busy changing what the checks read: tasks, threads, mappings, modules. */
#define _GNU_SOURCE
#include "gtool.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static time_t end;

static int running(void)
{
	return end == 0 || time(NULL) < end;
}

static void *thread_short(void *arg)
{
	(void)arg;
	usleep(500);
	return NULL;
}

static void churn_tasks(void)
{
	while (running()) {
		pthread_t thread[4];
		pid_t pid = fork();
		int n = 0;

		if (pid == 0) {
			execl("/bin/true", "true", NULL);
			_exit(1);
		}
		while (n < 4 && pthread_create(&thread[n], NULL, thread_short, NULL) == 0)
			n++;
		while (n > 0)
			pthread_join(thread[--n], NULL);
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

static void churn_maps(void)
{
	while (running()) {
		void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);
		int fd = open("/tmp/churn", O_RDWR | O_CREAT, 0600);

		memset(p, 1, 1 << 20);
		munmap(p, 1 << 20);
		close(fd);
		unlink("/tmp/churn");
	}
}

static void churn_modules(char **paths, int count)
{
	while (running())
		for (int i = 0; i < count; i++) {
			char name[256], *dot;
			int fd = open(paths[i], O_RDONLY | O_CLOEXEC);

			snprintf(name, sizeof(name), "%s",
				 strrchr(paths[i], '/') ? strrchr(paths[i], '/') + 1 : paths[i]);
			dot = strchr(name, '.');
			if (dot)
				*dot = '\0';
			for (char *c = name; *c; c++)
				if (*c == '-')
					*c = '_';
			if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
				GTOOL_DIE("%s", paths[i]);
			close(fd);
			usleep(2000);
			if (syscall(SYS_delete_module, name, O_NONBLOCK) < 0 && errno != EAGAIN)
				GTOOL_DIE("unload %s", name);
		}
}

int gtool_churn(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 0, status = 0, one, failed = 0;

	end = seconds > 0 ? time(NULL) + seconds : 0;
	if (fork() == 0) {
		churn_tasks();
		_exit(0);
	}
	if (fork() == 0) {
		churn_maps();
		_exit(0);
	}
	if (argc > 2 && fork() == 0) {
		churn_modules(argv + 2, argc - 2);
		_exit(0);
	}
	while ((one = wait(&status)) > 0 || errno == EINTR)
		failed |= one > 0 && status != 0;
	return failed;
}
