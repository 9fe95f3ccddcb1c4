/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a super block in the guest's memory to the file system on one of its disks.
 *
 * They are tied by the place of the guest's block device (first sector and length, as its kernel has them) and by the file system's UUID, which
 * both have to fit one volume of QEMU's disks, and no other. */
#ifndef KSMA_FILES_MOUNTED_H
#define KSMA_FILES_MOUNTED_H

#include "files/ext4.h"
#include "files/volumes.h"
#include "guest/disks.h"
#include "linux/page_cache.h"

struct ksma_mounted {
	uint64_t sb, bdev;
	uint8_t uuid[16];
	struct ksma_block *metadata;
	struct ksma_ext4 *fs;
	char *problem; /* why there is no fs */
};

struct ksma_mounts_on_disks {
	struct ksma_kernel *kernel;
	struct ksma_page_cache_reader *reader;
	struct ksma_disks disks;
	struct ksma_volumes volumes;
	bool opened;   /* disks and volumes are */
	char *problem; /* why they are not */
	struct ksma_coverage coverage;
	struct ksma_mounted *items;
	size_t count, capacity;
};

/* The file system of this super block, as any inode of it tells. It stays until ksma_mounted_rest().
 * @ret_fs  to be told to forget before it is asked for what may have changed
 * @return NULL, UNSUPPORTED (it cannot be read from a disk: says why), LOST, NOMEM */
struct ksma_error *ksma_mounted_find(struct ksma_mounts_on_disks *mounts,
				     const struct ksma_inode_identity *of,
				     struct ksma_ext4 **ret_fs) KSMA_MUST_CHECK;

/* Connects to the guest's disks and looks at what lies on them, so that a later call finds it done. @return as ksma_disks_read() */
struct ksma_error *ksma_mounted_connect(struct ksma_mounts_on_disks *mounts) KSMA_MUST_CHECK;

/* Lets go of everything. */
void ksma_mounted_rest(struct ksma_mounts_on_disks *mounts);

#endif
