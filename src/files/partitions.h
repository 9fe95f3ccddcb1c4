/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The partitions of a disk, by its MBR (extended ones too) or GPT.
 *
 * The attacker is whoever wrote the disk: every number is checked against it, tables have bounds, and a chain of extended partitions that
 * turns back is noticed. Sources: UEFI 2.10, chapter 5; block/partitions/msdos.c and efi.c of Linux, whose numbering is kept. */
#ifndef KSMA_FILES_PARTITIONS_H
#define KSMA_FILES_PARTITIONS_H

#include "base/block.h"
#include "base/budget.h"

enum { KSMA_SECTOR = 512, KSMA_PARTITIONS_MAX = 256 };

enum ksma_partition_table {
	KSMA_PARTITION_NONE, /* the disk is a single volume, or has a table of another kind */
	KSMA_PARTITION_MBR,
	KSMA_PARTITION_GPT,
};

struct ksma_partition {
	unsigned number;		 /* as Linux counts: 1 to 4, logical ones from 5 */
	uint64_t start, length;		 /* bytes */
	uint8_t type;			 /* MBR: the type; GPT: 0 */
	uint8_t type_guid[16], guid[16]; /* GPT, as on disk */
};

struct ksma_partitions {
	enum ksma_partition_table table;
	struct ksma_partition *items;
	size_t count, capacity;
};

/* Reads the table. What is damaged, or leaves the disk, is left out and is a gap in the coverage.
 * @ret_partitions freed with ksma_partitions_free(); untouched on error @return NULL, OS, LOST, TIMEOUT, NOMEM */
struct ksma_error *ksma_partitions_read(struct ksma_block *disk, struct ksma_coverage *coverage,
					struct ksma_partitions *ret_partitions) KSMA_MUST_CHECK;
void ksma_partitions_free(struct ksma_partitions *partitions);

#endif
