/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes rings of io_uring that hold sockets, by bare system calls, and stays: gtool ring KIND… */
#define _GNU_SOURCE
#include "gtool.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int make_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in any = { .sin_family = AF_INET };

	if (fd < 0 || (family == AF_INET &&
		       (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 1) < 0)))
		GTOOL_DIE("ring: a socket");
	return fd;
}

/* A ring that holds a TCP and a unix socket; `only`: with no descriptor of them left. */
static void make_ring(const char *kind, unsigned flags, int only)
{
	struct io_uring_params params = { .flags = flags };
	int ring = (int)syscall(SYS_io_uring_setup, 8, &params),
	    files[] = { make_socket(AF_INET), make_socket(AF_UNIX) };
	struct stat st;

	if (ring < 0 || syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, files, 2) < 0)
		GTOOL_DIE("ring: %s", kind);
	for (int i = 0; i < 2 && only; i++) {
		if (fstat(files[i], &st) < 0)
			GTOOL_DIE("ring: a socket's number");
		printf("ksma-attack ring kind=%s value=%lu\n", kind, (unsigned long)st.st_ino);
		close(files[i]);
	}
}

int gtool_ring(int argc, char **argv)
{
	/* The thread that polls ends with the program that made the ring, so that one stays as it is. */
	gtool_background();
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "honest") == 0)
			make_ring(argv[i], 0, 0);
		else if (strcmp(argv[i], "only") == 0)
			make_ring(argv[i], 0, 1);
		else if (strcmp(argv[i], "poll") == 0)
			make_ring(argv[i], IORING_SETUP_SQPOLL, 1);
		else {
			errno = EINVAL;
			GTOOL_DIE("ring: %s", argv[i]);
		}
	}
	gtool_ready();
	return gtool_sleep(argc, argv);
}
