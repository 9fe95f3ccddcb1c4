/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's own disks as the place that pages come from which are not in its memory. */
#ifndef KSMA_GUARD_DISK_H
#define KSMA_GUARD_DISK_H

#include "guard/decide.h"

struct ksma_guard_disk;

/* Prepares; connects to no disk yet. The kernel must outlive it. @ret_disk ended with ksma_guard_disk_destroy() */
struct ksma_error *ksma_guard_disk_create(struct ksma_kernel *kernel,
					  struct ksma_guard_disk **ret_disk) KSMA_MUST_CHECK;
void ksma_guard_disk_destroy(struct ksma_guard_disk *disk);

/* For struct ksma_decider_setup; lives as long as `disk`. */
const struct ksma_disk_source *ksma_guard_disk_source(const struct ksma_guard_disk *disk);

#endif
