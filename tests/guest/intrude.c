/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ways to run what is in no file, or is not what its file says: harmless ones, for the host to find. */
#define _GNU_SOURCE
#include "gtool.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Something to change that nobody calls, in every process that runs this program at the same address. */
__attribute__((noinline, used)) static int spare(int x)
{
	return x * 3 + 1;
}

static void patch_by_ptrace(pid_t pid)
{
	long word;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0 || waitpid(pid, NULL, __WALL) < 0)
		GTOOL_DIE("attaching to %d", (int)pid);
	word = ptrace(PTRACE_PEEKTEXT, pid, (void *)spare, NULL);
	if (ptrace(PTRACE_POKETEXT, pid, (void *)spare, (void *)(word ^ 0x90)) < 0 ||
	    ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0)
		GTOOL_DIE("writing to %d", (int)pid);
}

/* Newer kernels let only a tracer write to what is read-only (PROC_MEM_FORCE_PTRACE). */
static void patch_by_mem(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0 || waitpid(pid, NULL, __WALL) < 0)
		GTOOL_DIE("attaching to %d", (int)pid);
	fd = open(path, O_RDWR);
	if (fd < 0 || pwrite(fd, "\x90", 1, (off_t)(uintptr_t)spare) != 1)
		GTOOL_DIE("%s", path);
	close(fd);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

static void copy(int to)
{
	int from = open("/proc/self/exe", O_RDONLY);
	char buffer[65536];
	ssize_t n;

	if (from < 0 || to < 0)
		GTOOL_DIE("a copy of this program");
	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, (size_t)n) != n)
			GTOOL_DIE("a copy of this program");
	close(from);
}

static void become_memfd(void)
{
	char *const argv[] = { (char *)"kworker", (char *)"sleep", NULL };
	char *const envp[] = { NULL };
	int fd = memfd_create("payload", MFD_CLOEXEC);

	copy(fd);
	gtool_ready();
	fexecve(fd, argv, envp);
	_exit(1);
}

static void become_deleted(void)
{
	int fd = open("/tmp/intruder", O_WRONLY | O_CREAT | O_TRUNC, 0755);

	copy(fd);
	close(fd);
	fd = open("/tmp/intruder", O_RDONLY | O_CLOEXEC);
	unlink("/tmp/intruder");
	gtool_ready();
	/* By the descriptor: its name is gone. */
	fexecve(fd, (char *const[]){ (char *)"intruder", (char *)"sleep", NULL },
		(char *const[]){ NULL });
	_exit(1);
}

static void map(int prot)
{
	uint8_t *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		GTOOL_DIE("memory");
	p[0] = 0xc3;
	if (mprotect(p, 8192, prot) < 0)
		GTOOL_DIE("executable memory");
	((void (*)(void))(uintptr_t)p)();
}

/* The program's own code, made writable: a private mapping of its file. */
static void open_text(void)
{
	uint8_t *page = (uint8_t *)((uintptr_t)spare & ~4095ul);

	if (mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) < 0)
		GTOOL_DIE("writable code");
}

/* A private mapping of a file, to be executed only later. */
static void execute_later(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	if (p == MAP_FAILED)
		GTOOL_DIE("%s", path);
	if (mprotect(p, 4096, PROT_READ | PROT_EXEC) < 0)
		GTOOL_DIE("executable later");
}

/* A module from memory: the kernel is told of no file. */
static void load_bytes(const char *path)
{
	static char bytes[4 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));

	if (n <= 0 || syscall(SYS_init_module, bytes, (unsigned long)n, "") < 0)
		GTOOL_DIE("%s", path);
}

int gtool_intrude(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	if (spare(1) != 4)
		return 1;
	if (argc > 2 && strcmp(how, "ptrace") == 0) {
		patch_by_ptrace(atoi(argv[2]));
		return 0;
	}
	if (argc > 2 && strcmp(how, "mem") == 0) {
		patch_by_mem(atoi(argv[2]));
		return 0;
	}
	if (argc > 2 && strcmp(how, "later") == 0) {
		execute_later(argv[2]);
		return 0;
	}
	if (argc > 2 && strcmp(how, "module") == 0) {
		load_bytes(argv[2]);
		return 0;
	}
	gtool_background();
	if (strcmp(how, "memfd") == 0)
		become_memfd();
	else if (strcmp(how, "deleted") == 0)
		become_deleted();
	else if (strcmp(how, "anonymous") == 0)
		map(PROT_READ | PROT_EXEC);
	else if (strcmp(how, "writable") == 0)
		map(PROT_READ | PROT_WRITE | PROT_EXEC);
	else if (strcmp(how, "text") == 0)
		open_text();
	else if (strcmp(how, "rest") != 0)
		GTOOL_DIE("intrude: no way '%s'", how);
	gtool_ready();
	for (;;)
		pause();
}
