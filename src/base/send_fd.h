/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A message on a Unix socket that brings a descriptor along. */
#ifndef KSMA_BASE_SEND_FD_H
#define KSMA_BASE_SEND_FD_H

#include "base/util.h"

/* As send(2) with MSG_NOSIGNAL and these flags. @fd stays the caller's; negative: none goes along @return as sendmsg(2), with errno */
ssize_t ksma_send_fd(int socket, const void *data, size_t length, int fd, int flags);

#endif
