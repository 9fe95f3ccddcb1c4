/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's block device as the guest's kernel reads it: what its cache of the device holds, over the bytes of the disk.
 *
 * This is where a mounted file system has its metadata; see docs/decisions/0261. The attacker owns the guest's kernel: what its
 * buffers say is bounded, and where it makes no sense the disk's bytes are taken. */
#ifndef KSMA_FILES_CACHED_DISK_H
#define KSMA_FILES_CACHED_DISK_H

#include "base/block.h"
#include "linux/page_cache.h"

/* @disk, reader  must outlive it
 * @device  the inode of the block device
 * @return NULL or NOMEM */
struct ksma_error *ksma_cached_disk(struct ksma_page_cache_reader *reader,
				    const struct ksma_inode_identity *device,
				    struct ksma_block *disk,
				    struct ksma_block **ret_block) KSMA_MUST_CHECK;

#endif
