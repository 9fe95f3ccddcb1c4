/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory backends of a running QEMU: where they lie in its address space, and our read-only mappings of those that are
 * shared. */
#ifndef KSMA_GUEST_RAM_H
#define KSMA_GUEST_RAM_H

#include "guest/cmdline.h"
#include "guest/guest.h"
#include "guest/maps.h"
#include "guest/mtree.h"

/* One backend. */
struct ksma_backing {
	char name[KSMA_BACKEND_NAME_MAX];
	uint64_t size; /* of the whole backend where known, else as far as it is used */
	uint64_t gpa,
		gpa_offset; /* an address at which it shows, and the offset in it that shows there */
	uint64_t hva;	    /* of its first byte in QEMU; 0: not found yet */
	uint64_t file_offset; /* of its first byte in the file */
	int fd;		      /* -1: anonymous or private */
	uint8_t *map;	      /* of the whole backend, or NULL */
	int guard;
	bool huge;
	bool copied_file; /* a file that is copied out of QEMU, not mapped: private, or out of our reach */
	const struct ksma_mapping *mapping; /* only while it is being found */
};

struct ksma_ram {
	struct ksma_backing *items;
	size_t count, capacity;
};

/* Lists the backends of a layout. Sizes are what the layout shows of them. */
struct ksma_error *ksma_ram_init(const struct ksma_mtree *layout,
				 struct ksma_ram *ret_ram) KSMA_MUST_CHECK;
void ksma_ram_deinit(struct ksma_ram *ram);
struct ksma_backing *ksma_ram_find(struct ksma_ram *ram, const char *name);

/* Finds backends that are shared files of a size that only one mapping has and only one backend has. */
void ksma_ram_match_unique(struct ksma_ram *ram, const struct ksma_host_maps *maps);

/* Finds the rest as best it can without a monitor: by the file's path, by size, and equal ones in the order in which QEMU
 * made them. @return NULL or NOT_PRESENT (a backend of that size is not mapped) */
struct ksma_error *ksma_ram_match_cmdline(struct ksma_ram *ram, int pid,
					  const struct ksma_host_maps *maps,
					  const struct ksma_cmdline *cmdline) KSMA_MUST_CHECK;

/* Takes an address that the monitor gave for the backing's gpa. @return NULL or BAD_DATA (not inside QEMU's memory) */
struct ksma_error *ksma_backing_set_hva(struct ksma_backing *backing,
					const struct ksma_host_maps *maps,
					uint64_t hva) KSMA_MUST_CHECK;

/* Maps every backend that is a shared file. @return NULL, PERMISSION, LOST, OS, LIMIT */
struct ksma_error *ksma_ram_map(struct ksma_ram *ram, int pid) KSMA_MUST_CHECK;

/* Fills guest->regions. @return NULL or LIMIT (too many) */
struct ksma_error *ksma_ram_regions(struct ksma_ram *ram, const struct ksma_mtree *layout,
				    struct ksma_guest *guest) KSMA_MUST_CHECK;

/* The backing that holds an address in QEMU, or NULL. */
const struct ksma_backing *ksma_ram_at(const struct ksma_ram *ram, uint64_t hva);

/* Did a mapping give way since it was made (its file was cut short, a page could not be had)? */
bool ksma_ram_is_damaged(const struct ksma_ram *ram);

#endif
