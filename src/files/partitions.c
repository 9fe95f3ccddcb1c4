/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The partitions of a disk, by its MBR or GPT. */
#include "files/partitions.h"

#include <zlib.h>

#include "base/bytes.h"

enum {
	MBR_TABLE = 446,
	MBR_SIGNATURE = 510,
	MBR_PROTECTIVE = 0xee,
	LOGICAL_FIRST = 5,
	GPT_HEADER_MIN = 92,
	GPT_ENTRY_MIN = 128,
	GPT_ENTRY_MAX = 4096,
	GPT_TABLE_MAX = 1 << 20,
};

static struct ksma_error *add(struct ksma_block *disk, struct ksma_coverage *coverage,
			      const struct ksma_partition *partition,
			      struct ksma_partitions *partitions)
{
	struct ksma_partition *item;

	if (partition->length == 0 ||
	    !ksma_in_range(partition->start, partition->length, disk->size)) {
		ksma_coverage_gap(coverage, KSMA_COVERAGE_PARTIAL, "partition %u leaves the disk",
				  partition->number);
		return NULL;
	}
	if (partitions->count == KSMA_PARTITIONS_MAX) {
		ksma_coverage_gap(coverage, KSMA_COVERAGE_PARTIAL,
				  "only the first %d partitions are looked at",
				  KSMA_PARTITIONS_MAX);
		return NULL;
	}
	KSMA_TRY(KSMA_ARRAY_PUSH(partitions, &item));
	*item = *partition;
	return NULL;
}

/* One of the four entries of a boot record; sectors are counted from `base`. */
static struct ksma_partition mbr_entry(const uint8_t *sector, unsigned i, uint64_t base)
{
	const uint8_t *entry = sector + MBR_TABLE + (size_t)i * 16;

	return (struct ksma_partition){
		.number = i + 1,
		.type = entry[4],
		.start = (base + ksma_le32(entry + 8)) * KSMA_SECTOR,
		.length = (uint64_t)ksma_le32(entry + 12) * KSMA_SECTOR,
	};
}

static bool is_extended(uint8_t type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

static bool is_boot_record(const uint8_t *sector)
{
	return sector[MBR_SIGNATURE] == 0x55 && sector[MBR_SIGNATURE + 1] == 0xaa;
}

/* The logical partitions of an extended one: records, each of which names one partition and the next record, counted from the extended
 * partition's start. A chain only ever goes on, so each record must lie behind the one before. */
static struct ksma_error *read_extended(struct ksma_block *disk, struct ksma_coverage *coverage,
					const struct ksma_partition *extended,
					struct ksma_partitions *partitions)
{
	uint64_t first = extended->start / KSMA_SECTOR, at = first;
	unsigned number = LOGICAL_FIRST;
	uint8_t sector[KSMA_SECTOR];

	if (!ksma_in_range(extended->start, extended->length, disk->size)) {
		ksma_coverage_gap(coverage, KSMA_COVERAGE_PARTIAL, "partition %u leaves the disk",
				  extended->number);
		return NULL;
	}
	for (;;) {
		uint64_t next = 0;

		KSMA_TRY(ksma_block_read(disk, at * KSMA_SECTOR, sector, sizeof(sector)));
		if (!is_boot_record(sector))
			break;
		for (unsigned i = 0; i < 4; i++) {
			struct ksma_partition p = mbr_entry(sector, i, at);

			if (p.length == 0)
				continue;
			if (is_extended(p.type)) {
				next = first + ksma_le32(sector + MBR_TABLE + (size_t)i * 16 + 8);
				continue;
			}
			p.number = number++;
			KSMA_TRY(add(disk, coverage, &p, partitions));
		}
		if (!next)
			return NULL;
		if (next <= at || !ksma_in_range(next * KSMA_SECTOR, KSMA_SECTOR, disk->size) ||
		    number >= KSMA_PARTITIONS_MAX)
			break;
		at = next;
	}
	ksma_coverage_gap(coverage, KSMA_COVERAGE_PARTIAL,
			  "the chain of extended partition %u breaks off", extended->number);
	return NULL;
}

static struct ksma_error *read_mbr(struct ksma_block *disk, struct ksma_coverage *coverage,
				   const uint8_t *sector, struct ksma_partitions *partitions)
{
	bool extended = false;

	partitions->table = KSMA_PARTITION_MBR;
	for (unsigned i = 0; i < 4; i++) {
		struct ksma_partition p = mbr_entry(sector, i, 0);

		if (p.length == 0)
			continue;
		if (!is_extended(p.type)) {
			KSMA_TRY(add(disk, coverage, &p, partitions));
		} else if (!extended) {
			extended = true;
			KSMA_TRY(read_extended(disk, coverage, &p, partitions));
		} else {
			ksma_coverage_gap(coverage, KSMA_COVERAGE_PARTIAL,
					  "a second extended partition is not looked into");
		}
	}
	return NULL;
}

struct gpt {
	uint64_t entries_at;
	uint32_t count, entry_size, entries_crc;
};

/* Is there a sound header in this sector of `sector_size` bytes? */
static bool gpt_header(const uint8_t *sector, uint32_t sector_size, uint64_t lba, struct gpt *gpt)
{
	uint8_t copy[4096];
	uint32_t size = ksma_le32(sector + 12);
	uint64_t entries;

	if (memcmp(sector, "EFI PART", 8) != 0 || size < GPT_HEADER_MIN || size > sector_size ||
	    ksma_le64(sector + 24) != lba)
		return false;
	memcpy(copy, sector, size);
	memset(copy + 16, 0, 4);
	if (crc32(0, copy, size) != ksma_le32(sector + 16))
		return false;
	entries = ksma_le64(sector + 72);
	gpt->count = ksma_le32(sector + 80);
	gpt->entry_size = ksma_le32(sector + 84);
	gpt->entries_crc = ksma_le32(sector + 88);
	if (gpt->entry_size < GPT_ENTRY_MIN || gpt->entry_size > GPT_ENTRY_MAX ||
	    gpt->count > GPT_TABLE_MAX / gpt->entry_size || entries > UINT64_MAX / sector_size)
		return false;
	gpt->entries_at = entries * sector_size;
	return true;
}

static struct ksma_error *read_gpt_entries(struct ksma_block *disk, struct ksma_coverage *coverage,
					   const uint8_t *table, const struct gpt *gpt,
					   uint32_t sector_size, struct ksma_partitions *partitions)
{
	static const uint8_t unused[16];

	for (uint32_t i = 0; i < gpt->count; i++) {
		const uint8_t *entry = table + (size_t)i * gpt->entry_size;
		uint64_t first = ksma_le64(entry + 32), last = ksma_le64(entry + 40);
		struct ksma_partition p = { .number = i + 1 };

		if (memcmp(entry, unused, sizeof(unused)) == 0)
			continue;
		memcpy(p.type_guid, entry, 16);
		memcpy(p.guid, entry + 16, 16);
		if (last >= first && last < disk->size / sector_size) {
			p.start = first * sector_size;
			p.length = (last - first + 1) * sector_size;
		}
		KSMA_TRY(add(disk, coverage, &p, partitions));
	}
	return NULL;
}

/* The table whose header is at `lba`, where both are sound. */
static struct ksma_error *read_gpt_at(struct ksma_block *disk, struct ksma_coverage *coverage,
				      uint32_t sector_size, uint64_t lba,
				      struct ksma_partitions *partitions, bool *ret_found)
{
	_cleanup_free_ uint8_t *table = NULL;
	uint8_t sector[4096];
	struct gpt gpt;
	size_t length;

	*ret_found = false;
	if (!ksma_in_range(lba * sector_size, sector_size, disk->size))
		return NULL;
	KSMA_TRY(ksma_block_read(disk, lba * sector_size, sector, sector_size));
	if (!gpt_header(sector, sector_size, lba, &gpt))
		return NULL;
	length = (size_t)gpt.count * gpt.entry_size;
	if (!ksma_in_range(gpt.entries_at, length, disk->size))
		return NULL;
	table = malloc(length ? length : 1);
	if (!table)
		return ksma_error_nomem();
	KSMA_TRY(ksma_block_read(disk, gpt.entries_at, table, length));
	if (crc32(0, table, (uInt)length) != gpt.entries_crc)
		return NULL;
	*ret_found = true;
	partitions->table = KSMA_PARTITION_GPT;
	return read_gpt_entries(disk, coverage, table, &gpt, sector_size, partitions);
}

/* The first header, or the one at the disk's end; sectors of 512 bytes, or of 4096. */
static struct ksma_error *read_gpt(struct ksma_block *disk, struct ksma_coverage *coverage,
				   struct ksma_partitions *partitions)
{
	static const uint32_t sizes[] = { 512, 4096 };
	bool found;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		KSMA_TRY(read_gpt_at(disk, coverage, sizes[i], 1, partitions, &found));
		if (found)
			return NULL;
		KSMA_TRY(read_gpt_at(disk, coverage, sizes[i], disk->size / sizes[i] - 1,
				     partitions, &found));
		if (found)
			return NULL;
	}
	ksma_coverage_gap(coverage, KSMA_COVERAGE_UNKNOWN,
			  "the disk says that it has a GPT, but neither copy of it is sound");
	return NULL;
}

/* A boot record is told from a file system's first sector, which ends in the same two bytes, by entries that make sense. */
static bool has_table(const uint8_t *sector)
{
	bool any = false;

	if (!is_boot_record(sector))
		return false;
	for (unsigned i = 0; i < 4; i++) {
		struct ksma_partition p = mbr_entry(sector, i, 0);

		if (sector[MBR_TABLE + i * 16] & 0x7f)
			return false;
		any = any || (p.length > 0 && p.type != 0);
	}
	return any;
}

struct ksma_error *ksma_partitions_read(struct ksma_block *disk, struct ksma_coverage *coverage,
					struct ksma_partitions *ret_partitions)
{
	struct ksma_partitions partitions = { 0 };
	struct ksma_error *error = NULL;
	uint8_t sector[KSMA_SECTOR];
	bool protective = false;

	if (disk->size >= sizeof(sector))
		error = ksma_block_read(disk, 0, sector, sizeof(sector));
	if (!error && disk->size >= sizeof(sector) && has_table(sector)) {
		for (unsigned i = 0; i < 4; i++)
			protective |= mbr_entry(sector, i, 0).type == MBR_PROTECTIVE;
		error = protective ? read_gpt(disk, coverage, &partitions)
				   : read_mbr(disk, coverage, sector, &partitions);
	}
	if (error)
		ksma_partitions_free(&partitions);
	else
		*ret_partitions = partitions;
	return ksma_error_prefix(error, "partition table");
}

void ksma_partitions_free(struct ksma_partitions *partitions)
{
	free(partitions->items);
	*partitions = (struct ksma_partitions){ 0 };
}
