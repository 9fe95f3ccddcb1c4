/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory areas of a process, as the kernel keeps them: struct vm_area_struct, without names. */
#ifndef KSMA_LINUX_AREAS_H
#define KSMA_LINUX_AREAS_H

#include "linux/window.h"

enum {
	KSMA_VM_READ = 1,
	KSMA_VM_WRITE = 2,
	KSMA_VM_EXEC = 4,
	KSMA_VM_MAYSHARE = 0x80,
};

struct ksma_area {
	uint64_t address; /* of the vm_area_struct */
	uint64_t start, end, flags;
	uint64_t pgoff; /* in pages */
	uint64_t file, ops, private, mm;
};

/* By rising address; not overlapping. */
struct ksma_areas {
	struct ksma_area *items;
	size_t count, capacity;
};

/* Layouts, worked out once for many processes. In the caller's storage; holds no resources. */
struct ksma_area_reader {
	struct ksma_kernel *kernel;
	struct ksma_window window;
	uint64_t special_name; /* special_mapping_name(), or 0 */
};

/* @return NULL or UNSUPPORTED */
struct ksma_error *ksma_area_reader_init(struct ksma_area_reader *reader,
					 struct ksma_kernel *kernel) KSMA_MUST_CHECK;

/* One vm_area_struct. @return false when it is not in memory */
bool ksma_area_read(struct ksma_area_reader *reader, uint64_t address, struct ksma_area *ret_area);

/* One look at the areas of an mm_struct.
 * @areas     emptied first; what was found so far when it was torn; freed with free(items)
 * @ret_torn  they changed while they were read, or do not hang together: worth another look
 * @return NULL, LIMIT, UNSUPPORTED, NOMEM */
struct ksma_error *ksma_areas_read(struct ksma_area_reader *reader, uint64_t mm,
				   struct ksma_areas *areas, bool *ret_torn) KSMA_MUST_CHECK;

/* The area that holds an address, or NULL. */
const struct ksma_area *ksma_area_at(const struct ksma_areas *areas, uint64_t address);

/* "[vdso]", "[vvar]", "[uprobes]": the private data of such a mapping carries its name. @return false for any other */
bool ksma_area_special_name(struct ksma_area_reader *reader, const struct ksma_area *area,
			    char *buffer, size_t size);

#endif
