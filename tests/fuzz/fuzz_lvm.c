/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A physical volume that the guest wrote, with checksums that fit: the input is the text that describes its group. */
#include <zlib.h>

#include "files/lvm.h"
#include "files/lvm_text.h"
#include "memory_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

enum { SIZE = 256 << 10, AREA = 4096, AREA_SIZE = 128 << 10 };

static uint8_t disk[SIZE];

static uint32_t crc(const void *p, size_t n)
{
	return ~(uint32_t)crc32(~0xf597a6cfU & 0xffffffff, p, (uInt)n);
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void make_pv(const uint8_t *text, size_t length)
{
	uint8_t *label = disk + 512, *header = disk + AREA;

	memcpy(label, "LABELONE", 8);
	put64(label + 8, 1);
	put32(label + 20, 32);
	memcpy(label + 24, "LVM2 001", 8);
	memset(label + 32, 'a', 32);
	put64(label + 104, AREA);
	put64(label + 112, AREA_SIZE);
	put32(label + 16, crc(label + 20, 512 - 20));
	memcpy(header + 4, " LVM2 x[5A%r0N*>", 16);
	put64(header + 24, AREA);
	put64(header + 32, AREA_SIZE);
	put64(header + 40, 512);
	put64(header + 48, length);
	put32(header + 56, crc(text, length));
	put32(header, crc(header + 4, 512 - 4));
	memcpy(header + 512, text, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct memory_block memory = memory_block_of(disk, sizeof(disk));
	struct ksma_block *block = &memory.head;
	struct ksma_coverage coverage = { 0 };
	struct ksma_lvm_volumes volumes;
	struct ksma_error *error;
	uint8_t byte;

	if (length == 0 || length > AREA_SIZE - 512)
		return 0;
	make_pv(data, length);
	error = ksma_lvm_read(&block, 1, &coverage, &volumes);
	if (!error) {
		for (size_t i = 0; i < volumes.count; i++)
			if (ksma_block_read(volumes.items[i].block,
					    volumes.items[i].block->size - 1, &byte, 1))
				abort();
		ksma_lvm_free(&volumes);
	}
	ksma_error_destroy(error);
	ksma_coverage_deinit(&coverage);
	return 0;
}
