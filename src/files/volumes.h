/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What file systems lie on disks: found through partition tables and LVM, told apart by their super blocks.
 *
 * Nothing is silent: what is encrypted, striped, or of a kind that is not known is a volume of that kind, and what is damaged is a gap. */
#ifndef KSMA_FILES_VOLUMES_H
#define KSMA_FILES_VOLUMES_H

#include "base/block.h"
#include "base/budget.h"

enum ksma_volume_kind {
	KSMA_VOLUME_UNKNOWN, /* no super block that is known */
	KSMA_VOLUME_EMPTY,   /* zeros where super blocks are */
	KSMA_VOLUME_EXT4,    /* ext2 and ext3 too */
	KSMA_VOLUME_XFS,
	KSMA_VOLUME_BTRFS,
	KSMA_VOLUME_FAT,
	KSMA_VOLUME_SQUASHFS,
	KSMA_VOLUME_ISO9660,
	KSMA_VOLUME_SWAP,
	KSMA_VOLUME_LUKS,
	KSMA_VOLUME_LVM, /* a physical volume */
	KSMA_VOLUME_RAID,
};

struct ksma_volume {
	enum ksma_volume_kind kind;
	size_t disk;	    /* index of the disk; of a logical volume: of no use */
	unsigned partition; /* 0: the whole disk, or a logical volume */
	uint64_t start;	    /* on its disk */
	char *name;	    /* of a logical volume: "group/volume"; else NULL */
	char lvm_uuid[65]; /* of a logical volume, as device mapper has it behind "LVM-"; else "" */
	uint8_t uuid[16];  /* of the file system; zero where it has none */
	char label[17];
	struct ksma_block *block;
};

struct ksma_volumes {
	struct ksma_volume *items;
	size_t count, capacity;
};

/* Looks at disks, which must outlive the result. @ret_volumes freed with ksma_volumes_free() @return NULL, OS, LOST, TIMEOUT, NOMEM */
struct ksma_error *ksma_volumes_find(struct ksma_block *const *disks, size_t count,
				     struct ksma_coverage *coverage,
				     struct ksma_volumes *ret_volumes) KSMA_MUST_CHECK;
void ksma_volumes_free(struct ksma_volumes *volumes);

/* "ext4", "XFS", … */
const char *ksma_volume_kind_name(enum ksma_volume_kind kind);

#endif
