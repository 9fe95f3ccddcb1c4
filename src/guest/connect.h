/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the monitor among a guest's sockets: one that is there, is not in use, and is that guest's. */
#ifndef KSMA_GUEST_CONNECT_H
#define KSMA_GUEST_CONNECT_H

#include "guest/qmp.h"

enum { KSMA_CONNECT_MAX = 16 };

struct ksma_connect_options {
	char *const *paths; /* NULL-terminated */
	unsigned timeout_ms;
	int pid; /* of the QEMU that must be at the other end; 0: any */
	bool proxied; /* another program than a QEMU may be, for it passes on: a person named this socket */
};

/* Connects to the first socket that greets as QMP. They are tried in order; one that stays silent is overtaken by the next
 * after a short time, and wins nevertheless when it greets first.
 * @return NULL, TIMEOUT (in use by another client), INVALID (another guest's), PERMISSION, OS, LOST, BAD_DATA (not QMP), NOMEM */
struct ksma_error *ksma_qmp_connect(const struct ksma_connect_options *options,
				    struct ksma_qmp **ret_qmp) KSMA_MUST_CHECK;

#endif
