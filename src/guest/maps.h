/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The address space of a QEMU process as /proc/PID/maps tells it, to find where guest RAM lies in it. */
#ifndef KSMA_GUEST_MAPS_H
#define KSMA_GUEST_MAPS_H

#include "base/util.h"

/* One mapping. Neighbours that go on in the same file are one. */
struct ksma_mapping {
	uint64_t start, end;
	uint64_t offset; /* in the file */
	uint64_t inode;	 /* 0: anonymous */
	uint32_t major, minor;
	bool readable, writable, executable, shared;
	uint32_t name; /* offset in ksma_host_maps.names: the path, or "" */
};

struct ksma_host_maps {
	struct ksma_mapping *items;
	size_t count, capacity;
	char *names;
};

/* Parses the text of /proc/PID/maps, which is taken over (malloc'ed, NUL-terminated). Mappings smaller than `least` bytes
 * are left out. @ret_maps freed with ksma_host_maps_free(); untouched on error @return NULL, BAD_DATA, NOMEM */
struct ksma_error *ksma_host_maps_parse(char *text, uint64_t least,
					struct ksma_host_maps *ret_maps) KSMA_MUST_CHECK;

/* The same for a process. @return also PERMISSION with the cure, LOST when it is gone */
struct ksma_error *ksma_host_maps_read(int pid, uint64_t least,
				       struct ksma_host_maps *ret_maps) KSMA_MUST_CHECK;
void ksma_host_maps_free(struct ksma_host_maps *maps);

/* The mapping that holds an address, or NULL. */
const struct ksma_mapping *ksma_host_maps_find(const struct ksma_host_maps *maps, uint64_t address);

static inline const char *ksma_mapping_name(const struct ksma_host_maps *maps,
					    const struct ksma_mapping *mapping)
{
	return maps->names + mapping->name;
}

/* Opens the file behind a mapping, read-only, through /proc/PID/map_files or the process's descriptors, and makes sure that
 * it is that file. @ret_fd owned by the caller @return NULL, PERMISSION, NOT_PRESENT (no way to it), OS */
struct ksma_error *ksma_mapping_open(int pid, const struct ksma_mapping *mapping,
				     int *ret_fd) KSMA_MUST_CHECK;

/* PERMISSION for a /proc file of a process, naming the cure; `errnum` other than EACCES and EPERM as it is. */
struct ksma_error *ksma_host_process_error(int pid, int errnum, const char *what) KSMA_MUST_CHECK;

#endif
