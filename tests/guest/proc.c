/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tells the test host what /proc says of every process, byte for byte, in one go: the word that libksma's answer is held against.
 *
 * A record is "NAME LENGTH\n", LENGTH bytes, "\n". What cannot be read has the length -1 and no bytes. */
#define _GNU_SOURCE
#include "gtool.h"

#include <dirent.h>
#include <stdarg.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { NAME = 1200 };

static char buffer[4 << 20];

__attribute__((format(printf, 2, 3))) static void join(char name[NAME], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(name, NAME, format, arguments);
	va_end(arguments);
}

static void record(const char *name, const char *data, ssize_t length)
{
	printf("%s %zd\n", name, length);
	if (length > 0)
		fwrite(data, 1, (size_t)length, stdout);
	if (length >= 0)
		putchar('\n');
}

static void tell_file(int proc, const char *name)
{
	ssize_t length = 0, n = 0;
	int fd = openat(proc, name, O_RDONLY);

	while (fd >= 0 && (n = read(fd, buffer + length, sizeof(buffer) - (size_t)length)) > 0)
		length += n;
	record(name, buffer, fd < 0 || n < 0 ? -1 : length);
	if (fd >= 0)
		close(fd);
}

static void tell_link(int proc, const char *name)
{
	record(name, buffer, readlinkat(proc, name, buffer, sizeof(buffer)));
}

/* The open file itself, through its link. */
static void tell_stat(int proc, const char *directory, const char *fd)
{
	char name[NAME], text[128];
	struct stat st;
	int n;

	join(name, "%s/fd/%s", directory, fd);
	if (fstatat(proc, name, &st, 0) < 0)
		n = -1;
	else
		n = snprintf(text, sizeof(text), "%o %llu %u %u", st.st_mode,
			     (unsigned long long)st.st_ino, major(st.st_dev), minor(st.st_dev));
	join(name, "%s/stat/%s", directory, fd);
	record(name, text, n);
}

static void each(int proc, const char *directory,
		 void (*fn)(int proc, const char *directory, const char *name))
{
	int fd = openat(proc, directory, O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (d->d_name[0] != '.')
			fn(proc, directory, d->d_name);
	if (dir)
		closedir(dir);
}

static void tell_fd(int proc, const char *directory, const char *fd)
{
	char name[NAME];

	join(name, "%s/%s", directory, fd);
	tell_link(proc, name);
	join(name, "%.*s/fdinfo/%s", (int)strcspn(directory, "/"), directory, fd);
	tell_file(proc, name);
	join(name, "%.*s", (int)strcspn(directory, "/"), directory);
	tell_stat(proc, name, fd);
}

static void tell_ns(int proc, const char *directory, const char *ns)
{
	char name[NAME];

	join(name, "%s/%s", directory, ns);
	tell_link(proc, name);
}

static void tell_thread(int proc, const char *directory, const char *tid)
{
	char name[NAME];

	join(name, "%s/%s/stat", directory, tid);
	tell_file(proc, name);
	join(name, "%s/%s/status", directory, tid);
	tell_file(proc, name);
}

static void tell_process(int proc, const char *directory, const char *pid)
{
	static const char *const files[] = { "stat", "status",	  "cmdline", "cgroup",
					     "maps", "mountinfo", "comm" };
	char name[NAME];

	(void)directory;
	if (pid[0] < '0' || pid[0] > '9')
		return;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		join(name, "%s/%s", pid, files[i]);
		tell_file(proc, name);
	}
	join(name, "%s/exe", pid);
	tell_link(proc, name);
	join(name, "%s/ns", pid);
	each(proc, name, tell_ns);
	join(name, "%s/fd", pid);
	each(proc, name, tell_fd);
	join(name, "%s/task", pid);
	each(proc, name, tell_thread);
}

int gtool_proc(int argc, char **argv)
{
	int proc = open("/proc", O_RDONLY | O_DIRECTORY);
	char text[32];

	if (proc < 0)
		GTOOL_DIE("/proc");
	record("self", text, snprintf(text, sizeof(text), "%d", getpid()));
	if (argc > 1)
		tell_process(proc, ".", argv[1]);
	else
		each(proc, ".", tell_process);
	record("end", "", 0);
	return 0;
}
