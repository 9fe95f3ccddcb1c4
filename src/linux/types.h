/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fills the tables of offsets.def from a kernel's BTF. */
#ifndef KSMA_LINUX_TYPES_H
#define KSMA_LINUX_TYPES_H

#include "linux/kernel.h"

/* Everything that offsets.def asks for, as one block that a cache file can hold. */
struct ksma_layouts {
	struct ksma_offsets off;
	struct ksma_sizes size;
	struct ksma_enumerators enums;
};

/* Resolves all of it; what the kernel lacks is KSMA_NO_MEMBER or 0. Never fails: BTF was checked when it was opened. */
void ksma_types_resolve(const struct ksma_btf *btf, struct ksma_layouts *ret_layouts);

/* A hash of the names in offsets.def: a cached block made by another build of this program is told apart by it. */
uint64_t ksma_types_fingerprint(void);

#endif
