/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes files in ways that leave as little trace as a user space root can: for what has to notice all the same. */
#define _GNU_SOURCE
#include "gtool.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *path;
static off_t at;

static int open_it(int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		GTOOL_DIE("%s", path);
	return fd;
}

static void flip_byte(int fd)
{
	uint8_t byte;

	if (pread(fd, &byte, 1, at) != 1)
		GTOOL_DIE("%s at %ld", path, (long)at);
	byte ^= 0x55;
	if (pwrite(fd, &byte, 1, at) != 1)
		GTOOL_DIE("%s at %ld", path, (long)at);
}

static int same_ctime(const struct stat *before)
{
	struct stat st;

	if (stat(path, &st) < 0)
		GTOOL_DIE("%s", path);
	printf("%s\n", st.st_ctim.tv_sec == before->st_ctim.tv_sec &&
				       st.st_ctim.tv_nsec == before->st_ctim.tv_nsec
			       ? "same ctime"
			       : "another ctime");
	return 0;
}

/* The clock is set to the moment at which the file last changed, which then is the time of the next change. */
static int by_clock(void)
{
	struct timespec now;
	struct stat st;
	int fd = open_it(O_RDWR);

	for (unsigned attempt = 0; attempt < 50; attempt++) {
		struct stat after;

		if (attempt == 0 && fstat(fd, &st) < 0)
			GTOOL_DIE("%s", path);
		clock_gettime(CLOCK_REALTIME, &now);
		if (clock_settime(CLOCK_REALTIME, &st.st_ctim) < 0)
			GTOOL_DIE("setting the clock");
		flip_byte(fd);
		fstat(fd, &after);
		clock_settime(CLOCK_REALTIME, &now);
		if (after.st_ctim.tv_nsec == st.st_ctim.tv_nsec)
			break;
		flip_byte(fd); /* too slow: back, and once more */
	}
	close(fd);
	return same_ctime(&st);
}

/* A shared mapping: the first write to a page is a change of the file, those that follow are none until it is written back. */
static int by_mapping(void)
{
	struct stat st;
	volatile uint8_t *bytes;
	int fd = open_it(O_RDWR);

	bytes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at & ~4095l);
	if (bytes == MAP_FAILED)
		GTOOL_DIE("mapping %s", path);
	close(fd);
	bytes[at & 4095] ^= 0;
	sync();
	bytes[at & 4095] ^= 0;
	stat(path, &st);
	usleep(100000);
	bytes[at & 4095] ^= 0x55;
	same_ctime(&st);
	fflush(stdout);
	gtool_background();
	gtool_ready();
	for (;;)
		pause();
}

/* Behind the end of the file, in its last page: such bytes never reach the disk, and every process that maps the file has them. */
static int behind_end(void)
{
	struct stat st;
	uint8_t *bytes;
	int fd = open_it(O_RDWR);

	if (fstat(fd, &st) < 0 || st.st_size % 4096 == 0)
		GTOOL_DIE("%s ends with a page", path);
	bytes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, st.st_size & ~4095l);
	if (bytes == MAP_FAILED)
		GTOOL_DIE("mapping %s", path);
	strcpy((char *)bytes + st.st_size % 4096, "hello");
	munmap(bytes, 4096);
	close(fd);
	return 0;
}

/* Through the disk below the file system, which knows nothing of it. */
static int by_disk(const char *disk)
{
	struct stat st;
	int fd = open_it(O_RDONLY), block, raw, status;
	uint8_t *bytes = NULL;
	size_t size;
	off_t place;

	if (fstat(fd, &st) < 0)
		GTOOL_DIE("%s", path);
	size = (size_t)st.st_blksize;
	block = (int)(at / st.st_blksize);
	if (ioctl(fd, FIBMAP, &block) < 0 || block == 0)
		GTOOL_DIE("%s: no place on the disk", path);
	place = (off_t)block * st.st_blksize;
	raw = open(disk, O_RDWR | O_DIRECT);
	if (raw < 0 || posix_memalign((void **)&bytes, 4096, size) != 0 ||
	    pread(raw, bytes, size, place) != (ssize_t)size)
		GTOOL_DIE("%s", disk);
	bytes[at % st.st_blksize] ^= 0x55;
	if (pwrite(raw, bytes, size, place) != (ssize_t)size)
		GTOOL_DIE("%s", disk);
	close(raw);
	status = same_ctime(&st);
	/* The page that is in memory goes, and comes back from the disk. */
	if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
		GTOOL_DIE("%s stays in memory", path);
	free(bytes);
	close(fd);
	return status;
}

int gtool_forge(int argc, char **argv)
{
	if (argc < 4)
		GTOOL_DIE("forge KIND FILE OFFSET [DISK]");
	path = argv[2];
	at = atol(argv[3]);
	if (strcmp(argv[1], "clock") == 0)
		return by_clock();
	if (strcmp(argv[1], "mapping") == 0)
		return by_mapping();
	if (strcmp(argv[1], "end") == 0)
		return behind_end();
	if (strcmp(argv[1], "disk") == 0 && argc > 4)
		return by_disk(argv[4]);
	GTOOL_DIE("forge: no kind '%s'", argv[1]);
}
