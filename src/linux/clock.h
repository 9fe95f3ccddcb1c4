/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's own idea of the time. */
#ifndef KSMA_LINUX_CLOCK_H
#define KSMA_LINUX_CLOCK_H

#include "linux/kernel.h"

/* The wall clock at boot, nanoseconds since the epoch: what /proc/stat calls btime, before it is cut to seconds.
 * @return NULL, UNSUPPORTED, NOT_PRESENT, FAULT or BAD_DATA (the clock's parts contradict each other) */
struct ksma_error *ksma_linux_boot_time(struct ksma_kernel *kernel,
					uint64_t *ret_ns) KSMA_MUST_CHECK;

/* The wall clock in whole seconds, as the files' times have it, and how often it was set. Looks once only: a clock that is being
 * changed, where the guest stands still, stays so. @return false when it cannot be told */
bool ksma_linux_clock_now(struct ksma_kernel *kernel, int64_t *ret_seconds, uint32_t *ret_set);

#endif
