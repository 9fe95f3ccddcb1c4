/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that are there whole or not at all: written beside their place, brought to the disk, then renamed. */
#ifndef KSMA_BASE_REPLACE_H
#define KSMA_BASE_REPLACE_H

#include "base/util.h"

/* Makes or replaces `path` with what write(arg, fd) writes. On an error, what was there before is still there.
 * @return NULL, OS, PERMISSION, NOMEM, or what `write` returned */
struct ksma_error *ksma_replace_file(const char *path, mode_t mode,
				     struct ksma_error *(*write)(void *arg, int fd),
				     void *arg) KSMA_MUST_CHECK;

/* All of the bytes. The error does not say where to. */
struct ksma_error *ksma_write_all(int fd, const void *data, size_t length) KSMA_MUST_CHECK;

#endif
