/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connects to the socket of a debugger: a unix socket, or TCP. */
#include "guest/gdbstub.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct ksma_error *refused(int errnum, const char *address)
{
	if (errnum == ENOENT || errnum == ECONNREFUSED)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
					 "debugger %s: nothing listens there", address);
	return ksma_error_os(errnum, "debugger %s", address);
}

static struct ksma_error *connect_unix(const char *path, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "debugger %s: the name is too long for a socket", path);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ksma_error_os(errno, "debugger %s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return refused(errno, path);
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

static struct ksma_error *connect_tcp(const char *text, int *ret_fd)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	_cleanup_free_ char *host = strdup(text);
	_cleanup_close_ int fd = -1;
	struct addrinfo *found;
	int last = ECONNREFUSED, one = 1;
	char *port;

	if (!host)
		return ksma_error_nomem();
	port = strrchr(host, ':');
	if (!port)
		return ksma_error_create(KSMA_ERROR_INVALID, "debugger tcp:%s: give a port", text);
	*port++ = 0;
	if (getaddrinfo(*host ? host : "localhost", port, &hints, &found) != 0)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "debugger tcp:%s: no such host",
					 text);
	for (struct addrinfo *i = found; i && fd < 0; i = i->ai_next) {
		fd = socket(i->ai_family, i->ai_socktype | SOCK_CLOEXEC, i->ai_protocol);
		if (fd >= 0 && connect(fd, i->ai_addr, i->ai_addrlen) < 0) {
			last = errno;
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(found);
	if (fd < 0)
		return refused(last, text);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

struct ksma_error *ksma_gdb_connect(const char *address, unsigned timeout_ms,
				    struct ksma_gdb **ret_gdb)
{
	int fd;

	if (strncmp(address, "tcp:", 4) == 0)
		KSMA_TRY(connect_tcp(address + 4, &fd));
	else
		KSMA_TRY(connect_unix(strncmp(address, "unix:", 5) == 0 ? address + 5 : address,
				      &fd));
	return ksma_gdb_create(fd, address, timeout_ms, ret_gdb);
}
