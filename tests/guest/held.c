/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that have no name, or an odd place in memory, held open for the host to look at: each is told as the link of /proc that leads to it. */
#define _GNU_SOURCE
#include "gtool.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 3 << 20 };

/* The same numbers each time, and no page like another. */
static void fill(uint8_t *bytes, size_t size)
{
	uint64_t x = 88172645463325252ull;

	for (size_t i = 0; i + 8 <= size; i += 8) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		memcpy(bytes + i, &x, 8);
	}
}

static int mapped(int fd, size_t size)
{
	uint8_t *bytes;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 ||
	    (bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED)
		GTOOL_DIE("a file of %zu bytes", size);
	fill(bytes, size);
	return fd;
}

static int deleted(void)
{
	int fd = mapped(open("/tmp/held", O_RDWR | O_CREAT | O_EXCL, 0600), SIZE + 777);

	unlink("/tmp/held");
	return fd;
}

int gtool_held(int argc, char **argv)
{
	gtool_background();
	for (int i = 1; i < argc; i++) {
		int fd = -1;

		if (strcmp(argv[i], "memfd") == 0)
			fd = mapped(memfd_create("held", 0), SIZE + 99);
		else if (strcmp(argv[i], "huge") == 0)
			fd = mapped(memfd_create("held huge", MFD_HUGETLB), 3 * (2 << 20));
		else if (strcmp(argv[i], "deleted") == 0)
			fd = deleted();
		else
			GTOOL_DIE("held: no kind '%s'", argv[i]);
		printf("/proc/%d/fd/%d\n", (int)getpid(), fd);
	}
	gtool_ready();
	for (;;)
		pause();
}
