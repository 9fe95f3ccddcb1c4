/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every QEMU system emulator of the host, however started, found through /proc alone. */
#ifndef KSMA_GUEST_DISCOVER_H
#define KSMA_GUEST_DISCOVER_H

#include "guest/process.h"

/* Lists the running ones by rising pid; a QEMU and its fork before exec are one. @ret_processes owned by the caller, freed with
 * ksma_host_processes_free(); NULL where there are none */
struct ksma_error *ksma_host_processes_discover(struct ksma_host_process **ret_processes,
						size_t *ret_count) KSMA_MUST_CHECK;
void ksma_host_processes_free(struct ksma_host_process *processes, size_t count);

#endif
