/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is the guest here at all? A QEMU that waits for a migration to come, or has sent its guest away, holds memory that is none. */
#ifndef KSMA_GUEST_RUNSTATE_H
#define KSMA_GUEST_RUNSTATE_H

#include "base/util.h"

struct json_object;

/* Judges the result of query-status. @return NULL, or LOST naming the state */
struct ksma_error *ksma_runstate_check(struct json_object *status) KSMA_MUST_CHECK;

/* Judges the result of query-migrate: UNSUPPORTED while a migration goes on, for saving state then would meddle with it. */
struct ksma_error *ksma_runstate_check_migration(struct json_object *migration) KSMA_MUST_CHECK;

#endif
