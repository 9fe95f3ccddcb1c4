/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inside of a ksma_guest, for the layers of libksma: regions, the copied-page cache, and the fast read path. */
#ifndef KSMA_GUEST_GUEST_H
#define KSMA_GUEST_GUEST_H

#include "base/util.h"
#include <ksma/guest.h>

enum { KSMA_PAGE_SIZE = 4096, KSMA_MAX_REGIONS = 64 };

struct ksma_page_cache;
struct ksma_qmp;
struct ksma_live;

/* How one kind of guest does things; live, ELF dump, kdump, raw. */
struct ksma_guest_ops {
	/* Fills `buffer` with the page at `gpa` (page-aligned, inside `region`). Used only where region->map is NULL. */
	struct ksma_error *(*fetch_page)(struct ksma_guest *guest,
					 const struct ksma_ram_region *region, uint64_t gpa,
					 uint8_t *buffer);
	/* The same for `count` consecutive pages at once, the i-th to pages[i]; may be NULL. */
	struct ksma_error *(*fetch_pages)(struct ksma_guest *guest,
					  const struct ksma_ram_region *region, uint64_t gpa,
					  uint8_t *const *pages, size_t count);
	/* LOST when the guest is gone or was reset; may be NULL. */
	struct ksma_error *(*refresh)(struct ksma_guest *guest);
	/* may be NULL: UNSUPPORTED */
	struct ksma_error *(*registers)(struct ksma_guest *guest, unsigned flags,
					struct ksma_registers *ret_registers);
	/* The next run of data at or after `offset` of the region; false: none left in it. NULL: by the holes of region->fd. */
	bool (*next_data)(struct ksma_guest *guest, const struct ksma_ram_region *region,
			  uint64_t offset, uint64_t *ret_offset, uint64_t *ret_length);
	void (*destroy)(struct ksma_guest *guest); /* ends `priv` */
};

struct ksma_guest {
	struct ksma_ram_region regions[KSMA_MAX_REGIONS]; /* sorted, not overlapping */
	size_t region_count;
	const struct ksma_guest_ops *ops;
	void *priv;
	struct ksma_page_cache *cache; /* copied pages; NULL when every region is mapped */
	uint64_t epoch;		       /* rises with each refresh; caches above compare it */
	struct ksma_guest_info info;
};

/* The mapped bytes of [gpa, gpa+length), or NULL when they are not mapped, or cross a region. Never fails otherwise; the bytes
 * may change under the reader at any time. */
static inline const uint8_t *ksma_guest_mapped(const struct ksma_guest *guest, uint64_t gpa,
					       uint64_t length)
{
	for (size_t i = 0; i < guest->region_count; i++) {
		const struct ksma_ram_region *r = &guest->regions[i];
		uint64_t offset = gpa - r->gpa; /* wraps below the region, and is then too large */

		if (offset < r->size)
			return r->map && length <= r->size - offset ? r->map + offset : NULL;
	}
	return NULL;
}

/* The quiet twin of ksma_guest_read() for hot paths and probes: false where that returns an error. */
bool ksma_guest_try_read(struct ksma_guest *guest, uint64_t gpa, void *buffer, size_t length);

/* True when the byte at gpa is RAM. */
bool ksma_guest_is_ram(const struct ksma_guest *guest, uint64_t gpa);

/* A run of memory that holds data (the rest of a backing file is a hole, reads as zero and must not be touched, because
 * reading a hole of a shared mapping would allocate it on the host).
 * Finds the first run at or after *gpa; *gpa and *ret_length give it. @return false when there is none. */
bool ksma_guest_next_data(struct ksma_guest *guest, uint64_t *gpa, uint64_t *ret_length);

/* The same for one region by the holes of its backing file; offsets are in the region. */
bool ksma_region_file_data(const struct ksma_ram_region *region, uint64_t offset,
			   uint64_t *ret_offset, uint64_t *ret_length);

/* Lets go of the host's page-table entries of a mapped range that was scanned, so that a scan does not swell our resident size. */
void ksma_guest_forget(struct ksma_guest *guest, uint64_t gpa, uint64_t length);
/* The same for all of the guest's memory, when more than `limit` bytes of shared memory are resident in this process. */
void ksma_guest_forget_above(struct ksma_guest *guest, uint64_t limit);

#endif
