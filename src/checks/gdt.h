/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors of the processor's tables of segments, and what the kernel keeps in each place: apart from the check, for its tests. */
#ifndef KSMA_CHECKS_GDT_H
#define KSMA_CHECKS_GDT_H

#include "base/util.h"

enum {
	KSMA_GDT_ENTRIES = 16,
	KSMA_GDT_TSS = 8, /* two entries each */
	KSMA_GDT_LDT = 10,
};

/* Why entry `index` of the table is not as the kernel makes it, or NULL. The second half of a wide descriptor has no verdict of its own. */
const char *ksma_gdt_verdict(unsigned index, uint64_t entry);

/* The same for an entry of a local table: modify_ldt() makes nothing but segments for user space. */
const char *ksma_ldt_verdict(uint64_t entry);

/* The base and limit of a descriptor; `high` is its second half, 0 for narrow ones. */
uint64_t ksma_descriptor_base(uint64_t low, uint64_t high);
uint32_t ksma_descriptor_limit(uint64_t low);
bool ksma_descriptor_is_present(uint64_t entry);

#endif
