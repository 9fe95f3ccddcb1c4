/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What /etc/fstab of a system mounts where. The attacker is who made the image. */
#ifndef KSMA_SIGNED_FSTAB_H
#define KSMA_SIGNED_FSTAB_H

#include "base/util.h"

enum { SIGNED_FSTAB_MAX = 1 << 20, SIGNED_FSTAB_LINES = 4096 };

struct signed_mount {
	char *what, *where, *kind; /* as in the file, with its escapes ("\040") undone */
};

struct signed_fstab {
	struct signed_mount *items;
	size_t count, capacity;
};

/* Lines that make no sense are left out, as mount(8) does. @return NULL, LIMIT, NOMEM */
struct ksma_error *signed_fstab_parse(const char *text, size_t length,
				      struct signed_fstab *ret_fstab) KSMA_MUST_CHECK;
void signed_fstab_deinit(struct signed_fstab *fstab);

#endif
