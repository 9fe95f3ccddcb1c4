/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A message on a Unix socket that brings a descriptor along. */
#include "base/send_fd.h"

#include <sys/socket.h>

ssize_t ksma_send_fd(int socket, const void *data, size_t length, int fd, int flags)
{
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = length };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	return sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}
