/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks that QEMU speaks for, read through its network block device protocol: a running guest's nodes, and images in QEMU's own formats.
 *
 * What answers is QEMU or a helper of it; every step has a time limit all the same. Needs libnbd. */
#ifndef KSMA_GUEST_NBD_H
#define KSMA_GUEST_NBD_H

#include "base/block.h"

/* Connects to an export behind a unix socket. @timeout_ms of each later step; 0 means 10000
 * @return NULL, TIMEOUT, LOST (the server is gone), NOT_PRESENT (no such export), NOMEM */
struct ksma_error *ksma_nbd_open(const char *socket, const char *export_name, unsigned timeout_ms,
				 struct ksma_block **ret_block) KSMA_MUST_CHECK;

/* Opens the image of a disk that no guest writes to: raw as it is, qcow2 through qemu-nbd, which ends with the block. The format
 * is told by the file's first bytes. @return NULL, UNSUPPORTED (another format: says how to convert it; no qemu-nbd), OS, PERMISSION, … */
struct ksma_error *ksma_image_open(const char *path, struct ksma_block **ret_block) KSMA_MUST_CHECK;

#endif
