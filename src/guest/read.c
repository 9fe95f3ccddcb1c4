/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads of guest physical memory: a copy out of a mapping where there is one, the page cache where not. */
#include "guest/guest.h"
#include "guest/page_cache.h"

static const struct ksma_ram_region *find_region(const struct ksma_guest *guest, uint64_t gpa)
{
	for (size_t i = 0; i < guest->region_count; i++)
		if (gpa - guest->regions[i].gpa < guest->regions[i].size)
			return &guest->regions[i];
	return NULL;
}

bool ksma_guest_is_ram(const struct ksma_guest *guest, uint64_t gpa)
{
	return find_region(guest, gpa) != NULL;
}

/* Reads the part of [gpa, gpa+length) that lies in the region of gpa. */
static struct ksma_error *read_part(struct ksma_guest *guest, uint64_t gpa, uint8_t *buffer,
				    size_t length, size_t *ret_done)
{
	const struct ksma_ram_region *region = find_region(guest, gpa);
	uint64_t left;

	if (!region)
		return ksma_error_fault(gpa, "physical address 0x%llx is not RAM",
					(unsigned long long)gpa);
	left = region->size - (gpa - region->gpa);
	if (length > left)
		length = left;
	if (region->map)
		memcpy(buffer, region->map + (gpa - region->gpa), length);
	else
		KSMA_TRY(ksma_page_cache_read(guest, region, gpa, buffer, length));
	*ret_done = length;
	return NULL;
}

KSMA_API struct ksma_error *ksma_guest_read(struct ksma_guest *guest, ksma_gpa gpa, void *buffer,
					    size_t length)
{
	const uint8_t *mapped = ksma_guest_mapped(guest, gpa.v, length);
	size_t done = 0;

	if (likely(mapped != NULL)) {
		memcpy(buffer, mapped, length);
		return NULL;
	}
	while (done < length) {
		size_t part;

		KSMA_TRY(read_part(guest, gpa.v + done, (uint8_t *)buffer + done, length - done,
				   &part));
		done += part;
	}
	return NULL;
}

bool ksma_guest_try_read(struct ksma_guest *guest, uint64_t gpa, void *buffer, size_t length)
{
	const uint8_t *mapped = ksma_guest_mapped(guest, gpa, length);
	size_t done = 0;

	if (likely(mapped != NULL)) {
		memcpy(buffer, mapped, length);
		return true;
	}
	while (done < length) {
		struct ksma_error *error;
		size_t part;

		if (!ksma_guest_is_ram(guest, gpa + done))
			return false;
		error = read_part(guest, gpa + done, (uint8_t *)buffer + done, length - done,
				  &part);
		if (error) {
			ksma_error_destroy(error);
			return false;
		}
		done += part;
	}
	return true;
}
