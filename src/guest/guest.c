/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every kind of guest has in common: its description, its end, a new look, and where its memory holds data. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/guest.h"
#include "guest/page_cache.h"

KSMA_API void ksma_guest_destroy(struct ksma_guest *guest)
{
	if (!guest)
		return;
	if (guest->ops && guest->ops->destroy)
		guest->ops->destroy(guest);
	ksma_page_cache_destroy(guest->cache);
	free(guest);
}

KSMA_API const struct ksma_guest_info *ksma_guest_info(const struct ksma_guest *guest)
{
	return &guest->info;
}

KSMA_API void ksma_guest_regions(const struct ksma_guest *guest,
				 const struct ksma_ram_region **ret_regions, size_t *ret_count)
{
	*ret_regions = guest->regions;
	*ret_count = guest->region_count;
}

KSMA_API struct ksma_error *ksma_guest_refresh(struct ksma_guest *guest)
{
	guest->epoch++;
	return guest->ops->refresh ? guest->ops->refresh(guest) : NULL;
}

KSMA_API struct ksma_error *ksma_guest_registers(struct ksma_guest *guest, unsigned flags,
						 struct ksma_registers *ret_registers)
{
	if (flags & ~(unsigned)KSMA_REGISTERS_MSRS)
		return ksma_error_create(KSMA_ERROR_INVALID, "no such register flags: 0x%x", flags);
	if (!guest->ops->registers)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "a raw memory image holds no registers; "
					 "an ELF dump (dump-guest-memory) does");
	return guest->ops->registers(guest, flags, ret_registers);
}

KSMA_API void ksma_registers_free(struct ksma_registers *registers)
{
	if (!registers)
		return;
	free(registers->vcpus);
	*registers = (struct ksma_registers){ 0 };
}

bool ksma_region_file_data(const struct ksma_ram_region *r, uint64_t offset, uint64_t *ret_offset,
			   uint64_t *ret_length)
{
	off_t end = (off_t)(r->file_offset + r->size);
	off_t start = lseek(r->fd, (off_t)(r->file_offset + offset), SEEK_DATA);
	off_t stop;

	if (start < 0) {
		if (errno == ENXIO)
			return false;
		*ret_offset = offset; /* a file system that cannot tell: all of it is data */
		*ret_length = r->size - offset;
		return true;
	}
	if (start >= end)
		return false;
	stop = lseek(r->fd, start, SEEK_HOLE);
	if (stop < 0 || stop > end)
		stop = end;
	*ret_offset = (uint64_t)start - r->file_offset;
	*ret_length = (uint64_t)(stop - start);
	return stop > start;
}

bool ksma_guest_next_data(struct ksma_guest *guest, uint64_t *gpa, uint64_t *ret_length)
{
	for (size_t i = 0; i < guest->region_count; i++) {
		const struct ksma_ram_region *r = &guest->regions[i];
		uint64_t offset = *gpa > r->gpa ? *gpa - r->gpa : 0;
		uint64_t start = offset;
		uint64_t length = r->size - offset;
		bool found = true;

		if (offset >= r->size)
			continue;
		if (guest->ops->next_data)
			found = guest->ops->next_data(guest, r, offset, &start, &length);
		else if (r->fd >= 0)
			found = ksma_region_file_data(r, offset, &start, &length);
		if (found) {
			*gpa = r->gpa + start;
			*ret_length = length;
			return true;
		}
	}
	return false;
}

void ksma_guest_forget_above(struct ksma_guest *guest, uint64_t limit)
{
	_cleanup_close_ int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	unsigned long pages;
	char buffer[128];
	ssize_t n = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer) - 1);

	buffer[n > 0 ? n : 0] = 0;
	/* size resident shared …, in pages */
	if (sscanf(buffer, "%*u %*u %lu", &pages) != 1 || pages * KSMA_PAGE_SIZE <= limit)
		return;
	for (size_t i = 0; i < guest->region_count; i++)
		ksma_guest_forget(guest, guest->regions[i].gpa, guest->regions[i].size);
}

void ksma_guest_forget(struct ksma_guest *guest, uint64_t gpa, uint64_t length)
{
	for (size_t i = 0; i < guest->region_count; i++) {
		const struct ksma_ram_region *r = &guest->regions[i];
		uint64_t from = gpa > r->gpa ? gpa - r->gpa : 0;
		uint64_t end = gpa + length > r->gpa ? gpa + length - r->gpa : 0;
		uintptr_t start, stop;

		/* Only a file mapping can be dropped without losing what it holds. */
		if (!r->map || r->fd < 0 || from >= r->size || end <= from)
			continue;
		if (end > r->size)
			end = r->size;
		start = ksma_align_up((uintptr_t)r->map + from, KSMA_PAGE_SIZE);
		stop = ksma_align_down((uintptr_t)r->map + end, KSMA_PAGE_SIZE);
		if (start < stop)
			madvise((void *)start, stop - start, MADV_DONTNEED);
	}
}
