/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Partition tables: MBR with logical partitions, both copies of a GPT, chains without an end, and what is no table. */
#include "unit.h"

#include <zlib.h>

#include "files/partitions.h"
#include "memory_block.h"

enum { SIZE = 1 << 20 };

static uint8_t disk[SIZE];

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void entry(uint64_t sector, unsigned i, uint8_t type, uint32_t start, uint32_t count)
{
	uint8_t *p = disk + sector * 512;

	p[510] = 0x55;
	p[511] = 0xaa;
	p[446 + i * 16 + 4] = type;
	put32(p + 446 + i * 16 + 8, start);
	put32(p + 446 + i * 16 + 12, count);
}

static void look(struct ksma_partitions *partitions, struct ksma_coverage *coverage)
{
	struct memory_block block = memory_block_of(disk, sizeof(disk));

	memset(coverage, 0, sizeof(*coverage));
	assert_ok(ksma_partitions_read(&block.head, coverage, partitions));
}

static int clear(void **state)
{
	memset(disk, 0, sizeof(disk));
	return 0;
}

static void test_mbr(void **state)
{
	struct ksma_partitions p;
	struct ksma_coverage coverage;

	entry(0, 0, 0x83, 8, 16);
	entry(0, 2, 0x0f, 100, 400);
	entry(100, 0, 0x83, 4, 10);
	entry(100, 1, 0x05, 50, 20);
	entry(150, 0, 0x8e, 2, 18);
	look(&p, &coverage);
	assert_int_equal(p.table, KSMA_PARTITION_MBR);
	assert_int_equal(p.count, 3);
	assert_int_equal(p.items[0].number, 1);
	assert_int_equal(p.items[0].start, 8 * 512);
	assert_int_equal(p.items[0].length, 16 * 512);
	assert_int_equal(p.items[1].number, 5);
	assert_int_equal(p.items[1].start, 104 * 512);
	assert_int_equal(p.items[2].number, 6);
	assert_int_equal(p.items[2].start, 152 * 512);
	assert_int_equal(p.items[2].type, 0x8e);
	assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
	ksma_partitions_free(&p);
}

static void test_mbr_that_lies(void **state)
{
	struct ksma_partitions p;
	struct ksma_coverage coverage;

	entry(0, 0, 0x83, 8, 0xffffffff); /* leaves the disk */
	entry(0, 1, 0x05, 100, 400);
	entry(100, 0, 0x83, 4, 10);
	entry(100, 1, 0x05, 0, 20); /* back to itself */
	look(&p, &coverage);
	assert_int_equal(p.count, 1);
	assert_int_equal(coverage.state, KSMA_COVERAGE_PARTIAL);
	assert_int_equal(coverage.gaps, 2);
	ksma_coverage_deinit(&coverage);
	ksma_partitions_free(&p);
}

static void gpt(uint64_t header, uint64_t entries)
{
	uint8_t *h = disk + header * 512, *e = disk + entries * 512;

	entry(0, 0, 0xee, 1, SIZE / 512 - 1);
	memcpy(h, "EFI PART", 8);
	put32(h + 12, 92);
	put64(h + 24, header);
	put64(h + 72, entries);
	put32(h + 80, 8);
	put32(h + 84, 128);
	memset(e, 0, 8 * 128);
	memset(e, 0x11, 32);
	put64(e + 32, 100);
	put64(e + 40, 199);
	memset(e + 256, 0x22, 32);
	put64(e + 256 + 32, 200);
	put64(e + 256 + 40, 200);
	put32(h + 88, (uint32_t)crc32(0, e, 8 * 128));
	put32(h + 16, 0);
	put32(h + 16, (uint32_t)crc32(0, h, 92));
}

static void test_gpt(void **state)
{
	struct ksma_partitions p;
	struct ksma_coverage coverage;

	gpt(1, 2);
	gpt(SIZE / 512 - 1, SIZE / 512 - 40);
	for (int damaged = 0; damaged < 2; damaged++) {
		if (damaged)
			disk[512 + 40]++;
		look(&p, &coverage);
		assert_int_equal(p.table, KSMA_PARTITION_GPT);
		assert_int_equal(p.count, 2);
		assert_int_equal(p.items[0].number, 1);
		assert_int_equal(p.items[0].start, 100 * 512);
		assert_int_equal(p.items[0].length, 100 * 512);
		assert_int_equal(p.items[0].type_guid[0], 0x11);
		assert_int_equal(p.items[1].number, 3);
		assert_int_equal(p.items[1].length, 512);
		assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
		ksma_partitions_free(&p);
	}
	/* Without either copy it is said that nothing was seen. */
	disk[SIZE - 512 + 40]++;
	look(&p, &coverage);
	assert_int_equal(p.count, 0);
	assert_int_equal(coverage.state, KSMA_COVERAGE_UNKNOWN);
	ksma_coverage_deinit(&coverage);
	ksma_partitions_free(&p);
}

static void test_no_table(void **state)
{
	struct memory_block small = memory_block_of(disk, 100);
	struct ksma_partitions p;
	struct ksma_coverage coverage;

	look(&p, &coverage);
	assert_int_equal(p.table, KSMA_PARTITION_NONE);
	ksma_partitions_free(&p);
	/* The boot code of a file system ends like a boot record. */
	disk[510] = 0x55;
	disk[511] = 0xaa;
	disk[446] = 0x33;
	disk[450] = 0x83;
	put32(disk + 458, 1);
	look(&p, &coverage);
	assert_int_equal(p.table, KSMA_PARTITION_NONE);
	ksma_partitions_free(&p);
	assert_ok(ksma_partitions_read(&small.head, &coverage, &p));
	assert_int_equal(p.table, KSMA_PARTITION_NONE);
	ksma_partitions_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_mbr, clear),
		cmocka_unit_test_setup(test_mbr_that_lies, clear),
		cmocka_unit_test_setup(test_gpt, clear),
		cmocka_unit_test_setup(test_no_table, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
