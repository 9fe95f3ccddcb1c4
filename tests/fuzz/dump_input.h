/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the fuzz targets of dumps do with a file once its start is as they want it: open it, and read whatever it offers. */
#ifndef KSMA_TESTS_DUMP_INPUT_H
#define KSMA_TESTS_DUMP_INPUT_H

#include <sys/mman.h>

#include "guest/dump.h"

/* Reads the ends and some of the middle of each region. */
static void look_around(struct ksma_guest *guest)
{
	static uint8_t buffer[32 * KSMA_PAGE_SIZE];
	struct ksma_registers registers;

	for (size_t i = 0; i < guest->region_count; i++) {
		const struct ksma_ram_region *region = &guest->regions[i];
		const uint64_t places[] = { 0, region->size / 2, region->size - 1 };

		for (size_t p = 0; p < ARRAY_SIZE(places); p++) {
			uint64_t length = region->size - places[p];

			if (length > sizeof(buffer))
				length = sizeof(buffer);
			ksma_error_destroy(ksma_guest_read(guest,
							   ksma_gpa_of(region->gpa + places[p]),
							   buffer, (size_t)length));
		}
		if (i && region->gpa < region[-1].gpa + region[-1].size)
			abort(); /* regions are sorted and do not overlap, whatever the file says */
	}
	for (unsigned flags = KSMA_REGISTERS_BASIC; flags <= KSMA_REGISTERS_MSRS; flags++) {
		struct ksma_error *error = ksma_guest_registers(guest, flags, &registers);

		if (!error)
			ksma_registers_free(&registers);
		ksma_error_destroy(error);
	}
	ksma_error_destroy(ksma_guest_refresh(guest));
}

/* Opens `length` bytes as a file without a name. */
static void open_and_look(const uint8_t *data, size_t length)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);
	struct ksma_guest *guest;
	struct ksma_error *error;

	if (fd < 0 || write(fd, data, length) != (ssize_t)length)
		abort();
	error = ksma_dump_open_fd(fd, "dump", &guest);
	if (!error) {
		look_around(guest);
		ksma_guest_destroy(guest);
	}
	ksma_error_destroy(error);
}

#endif
