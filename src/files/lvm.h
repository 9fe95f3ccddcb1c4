/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The logical volumes of LVM2 that lie on disks and partitions: linear ones, by the text metadata of their group.
 *
 * The attacker is whoever wrote the disks. Checksums are held, sizes capped, and what names a place outside of its physical volume is a gap.
 * Striped, mirrored, thin and cached volumes are named as gaps. Sources: LVM2's lib/label/label.h, lib/format_text/layout.h, lvm.conf's grammar. */
#ifndef KSMA_FILES_LVM_H
#define KSMA_FILES_LVM_H

#include "base/block.h"
#include "base/budget.h"

enum { KSMA_LVM_UUID = 32 };

struct ksma_lvm_volume {
	char *group, *name;
	char uuid
		[KSMA_LVM_UUID * 2 +
		 1]; /* of the group, then of the volume, without dashes, as device mapper has them behind "LVM-" */
	struct ksma_block *block;
};

struct ksma_lvm_volumes {
	struct ksma_lvm_volume *items;
	size_t count, capacity;
};

/* Does a block hold a physical volume? @return NULL, OS, LOST, TIMEOUT */
struct ksma_error *ksma_lvm_is_pv(struct ksma_block *block, bool *ret_is) KSMA_MUST_CHECK;

/* Reads the groups of these physical volumes, which must outlive the result. Others among the blocks are passed over.
 * @ret_volumes freed with ksma_lvm_free(); untouched on error @return NULL, OS, LOST, TIMEOUT, NOMEM */
struct ksma_error *ksma_lvm_read(struct ksma_block *const *blocks, size_t count,
				 struct ksma_coverage *coverage,
				 struct ksma_lvm_volumes *ret_volumes) KSMA_MUST_CHECK;
void ksma_lvm_free(struct ksma_lvm_volumes *volumes);

#endif
