/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A folder of ours alone that ends with the host's uptime: sockets and locks that other processes of ours find again. */
#ifndef KSMA_BASE_RUN_FOLDER_H
#define KSMA_BASE_RUN_FOLDER_H

#include "base/util.h"

/* /run/kvm-sma for root, $XDG_RUNTIME_DIR/kvm-sma for others; made where it is missing, mode 0700. $KSMA_RUN is taken instead, where
 * the environment has it. @ret_path owned by the caller
 * @return NULL, OS, PERMISSION (another user's, or open to others), NOT_PRESENT (no such folder for this user), NOMEM */
struct ksma_error *ksma_run_folder(char **ret_path) KSMA_MUST_CHECK;

/* Opens and locks a file, made where it is missing: `operation` is flock()'s LOCK_SH or LOCK_EX. Waits `timeout_ms` at most.
 * @ret_fd owned by the caller; the lock goes with it, however the process ends @return NULL, TIMEOUT, OS */
struct ksma_error *ksma_run_lock(const char *path, int operation, unsigned timeout_ms,
				 int *ret_fd) KSMA_MUST_CHECK;

#endif
