/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The address space of a QEMU process as /proc/PID/maps tells it, to find where guest RAM lies in it. */
#include "guest/maps.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { MAPS_TEXT_MAX = 64 << 20 };

struct ksma_error *ksma_host_process_error(int pid, int errnum, const char *what)
{
	if (errnum == EACCES || errnum == EPERM)
		return ksma_error_create(
			KSMA_ERROR_PERMISSION,
			"may not look at the %s of process %d: run as root, or with "
			"CAP_SYS_PTRACE, or as the user of that QEMU",
			what, pid);
	if (errnum == ESRCH || errnum == ENOENT)
		return ksma_error_create(KSMA_ERROR_LOST, "the guest's QEMU (pid %d) has exited",
					 pid);
	return ksma_error_os(errnum, "%s of process %d", what, pid);
}

/* Reads digits of `base`, at most 16 of them. */
static bool take_number(char **p, unsigned base, uint64_t *ret)
{
	uint64_t v = 0;
	char *start = *p;

	for (; *p - start < 20; (*p)++) {
		char c = **p;
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (base == 16 && c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else
			break;
		v = v * base + digit;
	}
	*ret = v;
	return *p > start;
}

static bool take_char(char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* "start-end rwxp offset major:minor inode   name" */
static bool parse_line(char *line, const char *text, struct ksma_mapping *m)
{
	uint64_t major, minor;
	char *p = line;

	if (!take_number(&p, 16, &m->start) || !take_char(&p, '-') ||
	    !take_number(&p, 16, &m->end) || !take_char(&p, ' ') || strnlen(p, 5) < 5 ||
	    m->end < m->start)
		return false;
	m->readable = p[0] == 'r';
	m->writable = p[1] == 'w';
	m->executable = p[2] == 'x';
	m->shared = p[3] == 's';
	p += 4;
	if (!take_char(&p, ' ') || !take_number(&p, 16, &m->offset) || !take_char(&p, ' ') ||
	    !take_number(&p, 16, &major) || !take_char(&p, ':') || !take_number(&p, 16, &minor) ||
	    !take_char(&p, ' ') || !take_number(&p, 10, &m->inode))
		return false;
	m->major = (uint32_t)major;
	m->minor = (uint32_t)minor;
	while (*p == ' ')
		p++;
	m->name = (uint32_t)(p - text);
	return true;
}

static bool goes_on(const struct ksma_mapping *a, const struct ksma_mapping *b)
{
	return a->inode && a->end == b->start && a->inode == b->inode && a->major == b->major &&
	       a->minor == b->minor && a->offset + (a->end - a->start) == b->offset &&
	       a->readable == b->readable && a->writable == b->writable && a->shared == b->shared;
}

struct ksma_error *ksma_host_maps_parse(char *text, uint64_t least, struct ksma_host_maps *ret_maps)
{
	struct ksma_host_maps maps = { .names = text };
	struct ksma_error *error = NULL;
	size_t kept = 0;
	char *line, *rest = text;

	while (!error && (line = strsep(&rest, "\n"))) {
		struct ksma_mapping m, *item;

		if (!*line)
			continue;
		if (!parse_line(line, text, &m)) {
			error = ksma_error_create(
				KSMA_ERROR_BAD_DATA,
				"cannot make sense of a line of /proc/PID/maps: %.100s", line);
		} else if (maps.count && goes_on(&maps.items[maps.count - 1], &m)) {
			maps.items[maps.count - 1].end = m.end;
		} else {
			error = KSMA_ARRAY_PUSH(&maps, &item);
			if (!error)
				*item = m;
		}
	}
	if (error) {
		ksma_host_maps_free(&maps);
		return error;
	}
	for (size_t i = 0; i < maps.count; i++)
		if (maps.items[i].end - maps.items[i].start >= least)
			maps.items[kept++] = maps.items[i];
	maps.count = kept;
	*ret_maps = maps;
	return NULL;
}

struct ksma_error *ksma_host_maps_read(int pid, uint64_t least, struct ksma_host_maps *ret_maps)
{
	char path[64], *text;
	struct ksma_error *error;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	error = ksma_read_file(path, MAPS_TEXT_MAX, &text, NULL);
	if (error && error->errnum) {
		int errnum = error->errnum;

		ksma_error_destroy(error);
		return ksma_host_process_error(pid, errnum, "memory map");
	}
	if (error)
		return error;
	return ksma_host_maps_parse(text, least, ret_maps);
}

void ksma_host_maps_free(struct ksma_host_maps *maps)
{
	free(maps->items);
	free(maps->names);
	*maps = (struct ksma_host_maps){ 0 };
}

const struct ksma_mapping *ksma_host_maps_find(const struct ksma_host_maps *maps, uint64_t address)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (maps->items[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < maps->count && maps->items[low].start <= address ? &maps->items[low] : NULL;
}

static bool is_that_file(const struct stat *st, const struct ksma_mapping *mapping)
{
	/* The device is not compared: overlay and btrfs show another one in maps than stat gives. */
	return st->st_ino == mapping->inode && S_ISREG(st->st_mode);
}

static int open_checked(const char *path, const struct ksma_mapping *mapping)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && is_that_file(&st, mapping))
		return fd;
	close(fd);
	errno = ESTALE;
	return -1;
}

static int open_by_descriptor(int pid, const struct ksma_mapping *mapping)
{
	dev_t device = makedev(mapping->major, mapping->minor);
	char path[64];
	struct dirent *entry;
	int fd = -1, errnum = ENOENT;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	folder = opendir(path);
	if (!folder)
		return -1;
	while (fd < 0 && (entry = readdir(folder))) {
		struct stat st;

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    fstatat(dirfd(folder), entry->d_name, &st, 0) < 0 || st.st_dev != device ||
		    !is_that_file(&st, mapping))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fd/%.16s", pid, entry->d_name);
		fd = open_checked(path, mapping);
		if (fd < 0)
			errnum = errno;
	}
	closedir(folder);
	errno = errnum;
	return fd;
}

struct ksma_error *ksma_mapping_open(int pid, const struct ksma_mapping *mapping, int *ret_fd)
{
	char path[96];
	int fd;

	/* One step, but only for those with CAP_CHECKPOINT_RESTORE; a merged mapping has no entry of its own. */
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid,
		 (unsigned long long)mapping->start, (unsigned long long)mapping->end);
	fd = open_checked(path, mapping);
	if (fd < 0)
		fd = open_by_descriptor(pid, mapping);
	if (fd < 0)
		return ksma_host_process_error(pid, errno == ENOENT ? EACCES : errno,
					       "memory file");
	*ret_fd = fd;
	return NULL;
}
