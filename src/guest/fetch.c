/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guest memory that QEMU holds in anonymous pages: copied out of its process, and only where there are pages.
 *
 * Reading causes no exit and no pause: process_vm_readv takes the pages from the host's page tables. */
#include <errno.h>
#include <sys/uio.h>

#include "guest/live.h"

enum {
	FETCH_MAX = 64, /* pages of one process_vm_readv */
	PAGEMAP_BATCH =
		8192, /* entries of one read of pagemap: 32 MiB of guest memory, 64 KiB of entries */
};

#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)

static struct ksma_error *fetch_error(struct ksma_live *live, uint64_t gpa, int errnum)
{
	if (errnum == ESRCH)
		return ksma_error_create(KSMA_ERROR_LOST, "the guest's QEMU (pid %d) has exited",
					 live->pid);
	if (errnum == EPERM)
		return ksma_error_create(
			KSMA_ERROR_PERMISSION,
			"may not read the memory of process %d: run as root or with "
			"CAP_SYS_PTRACE (see also /proc/sys/kernel/yama/ptrace_scope)",
			live->pid);
	KSMA_TRY(ksma_live_check(live));
	return ksma_error_fault(gpa, "physical address 0x%llx cannot be read from process %d",
				(unsigned long long)gpa, live->pid);
}

struct ksma_error *ksma_live_fetch_pages(struct ksma_guest *guest,
					 const struct ksma_ram_region *region, uint64_t gpa,
					 uint8_t *const *pages, size_t count)
{
	struct ksma_live *live = guest->priv;

	for (size_t done = 0; done < count;) {
		size_t part = count - done < FETCH_MAX ? count - done : FETCH_MAX;
		uint64_t here = gpa + done * KSMA_PAGE_SIZE;
		struct iovec local[FETCH_MAX];
		struct iovec remote = {
			.iov_base = (void *)(uintptr_t)(region->hva + (here - region->gpa)),
			.iov_len = part * KSMA_PAGE_SIZE,
		};
		ssize_t n;

		for (size_t i = 0; i < part; i++)
			local[i] = (struct iovec){ pages[done + i], KSMA_PAGE_SIZE };
		n = process_vm_readv(live->pid, local, part, &remote, 1, 0);
		if (n < KSMA_PAGE_SIZE)
			return fetch_error(live, here, n < 0 ? errno : EFAULT);
		done += (size_t)n / KSMA_PAGE_SIZE;
	}
	return NULL;
}

struct ksma_error *ksma_live_fetch_page(struct ksma_guest *guest,
					const struct ksma_ram_region *region, uint64_t gpa,
					uint8_t *buffer)
{
	return ksma_live_fetch_pages(guest, region, gpa, &buffer, 1);
}

/* The pagemap entry of a page of QEMU. Entries are read in batches, and kept for one look: runs of data follow each other.
 * @return NULL where it cannot be told */
static const uint64_t *pagemap_entry(struct ksma_guest *guest, uint64_t page)
{
	struct ksma_live *live = guest->priv;
	struct ksma_pagemap *map = &live->pagemap;
	ssize_t n;

	if (map->count && map->epoch == guest->epoch && page - map->first < map->count)
		return &map->entries[page - map->first];
	if (!map->entries)
		map->entries = malloc(PAGEMAP_BATCH * sizeof(*map->entries));
	if (map->fd < 0) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/pagemap", live->pid);
		map->fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	map->count = 0;
	if (!map->entries || map->fd < 0)
		return NULL;
	n = pread(map->fd, map->entries, PAGEMAP_BATCH * sizeof(*map->entries),
		  (off_t)(page * sizeof(*map->entries)));
	if (n < (ssize_t)sizeof(*map->entries))
		return NULL;
	map->first = page;
	map->count = (size_t)n / sizeof(*map->entries);
	map->epoch = guest->epoch;
	return map->entries;
}

/* Finds a run of pages that are present or swapped out, by QEMU's page tables. */
static bool pagemap_data(struct ksma_guest *guest, const struct ksma_ram_region *region,
			 uint64_t offset, uint64_t *ret_offset, uint64_t *ret_length)
{
	uint64_t page = offset / KSMA_PAGE_SIZE, last = region->size / KSMA_PAGE_SIZE;
	uint64_t first = page;
	bool inside = false;

	for (; page < last; page++) {
		const uint64_t *entry = pagemap_entry(guest, region->hva / KSMA_PAGE_SIZE + page);
		bool data = !entry || *entry & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED);

		if (data && !inside)
			first = page;
		if (!data && inside)
			break;
		inside = data;
		if (!entry) {
			page = last; /* the rest counts as data, so that nothing is passed over */
			break;
		}
	}
	*ret_offset = first * KSMA_PAGE_SIZE > offset ? first * KSMA_PAGE_SIZE : offset;
	*ret_length = page * KSMA_PAGE_SIZE - *ret_offset;
	return inside;
}

/* A file that is copied: data is where QEMU has pages, and where the file holds some (all of it, where it cannot be opened).
 * The nearer run counts; where they overlap, the next look goes on behind it. */
static bool copied_file_data(struct ksma_guest *guest, const struct ksma_ram_region *region,
			     uint64_t offset, uint64_t *ret_offset, uint64_t *ret_length)
{
	uint64_t file_offset, file_length;
	bool own = pagemap_data(guest, region, offset, ret_offset, ret_length);
	bool file = ksma_region_file_data(region, offset, &file_offset, &file_length);

	if (file && (!own || file_offset < *ret_offset)) {
		*ret_offset = file_offset;
		*ret_length = file_length;
	}
	return own || file;
}

bool ksma_live_next_data(struct ksma_guest *guest, const struct ksma_ram_region *region,
			 uint64_t offset, uint64_t *ret_offset, uint64_t *ret_length)
{
	struct ksma_live *live = guest->priv;
	const struct ksma_backing *backing = ksma_ram_at(&live->ram, region->hva);

	/* hugetlbfs cannot tell its holes (SEEK_DATA there says that all is data), and reading one would take a huge page; QEMU's
	 * page tables can, for whatever the guest has touched went through them. */
	if (region->map && backing && !backing->huge)
		return ksma_region_file_data(region, offset, ret_offset, ret_length);
	if (backing && backing->copied_file)
		return copied_file_data(guest, region, offset, ret_offset, ret_length);
	return pagemap_data(guest, region, offset, ret_offset, ret_length);
}
