/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What file systems lie on disks: partitions and logical volumes, told apart by their super blocks. */
#include "files/volumes.h"

#include "base/bytes.h"
#include "files/lvm.h"
#include "files/partitions.h"

enum { HEAD = 128 << 10, VOLUMES_MAX = 4096 };

/* Where each kind has its mark, and its UUID and label (length 0: none of use). Sources: fs/ext4/ext4.h, fs/xfs/libxfs/xfs_format.h,
 * fs/btrfs/ctree.h, fs/fat, fs/squashfs/squashfs_fs.h, mm/swapfile.c, drivers/md/md_p.h of Linux, and cryptsetup's docs. */
static const struct {
	enum ksma_volume_kind kind;
	uint32_t at;
	uint8_t length;
	const char *mark;
	uint32_t uuid, label; /* 0: none */
	uint8_t label_length;
} marks[] = {
	{ KSMA_VOLUME_LUKS, 0, 6, "LUKS\xba\xbe", 0, 0, 0 },
	{ KSMA_VOLUME_XFS, 0, 4, "XFSB", 32, 108, 12 },
	{ KSMA_VOLUME_SQUASHFS, 0, 4, "hsqs", 0, 0, 0 },
	{ KSMA_VOLUME_RAID, 4096, 4, "\xfc\x4e\x2b\xa9", 0, 0, 0 },
	{ KSMA_VOLUME_BTRFS, 65536 + 64, 8, "_BHRfS_M", 65536 + 32, 65536 + 299, 16 },
	{ KSMA_VOLUME_EXT4, 1024 + 56, 2, "\x53\xef", 1024 + 104, 1024 + 120, 16 },
	{ KSMA_VOLUME_SWAP, 4096 - 10, 10, "SWAPSPACE2", 1024 + 12, 1024 + 28, 16 },
	{ KSMA_VOLUME_ISO9660, 32768 + 1, 5, "CD001", 0, 0, 0 },
	{ KSMA_VOLUME_FAT, 82, 5, "FAT32", 0, 0, 0 },
	{ KSMA_VOLUME_FAT, 54, 4, "FAT1", 0, 0, 0 },
};

const char *ksma_volume_kind_name(enum ksma_volume_kind kind)
{
	static const char *const names[] = {
		[KSMA_VOLUME_UNKNOWN] = "unknown",   [KSMA_VOLUME_EMPTY] = "empty",
		[KSMA_VOLUME_EXT4] = "ext4",	     [KSMA_VOLUME_XFS] = "XFS",
		[KSMA_VOLUME_BTRFS] = "btrfs",	     [KSMA_VOLUME_FAT] = "FAT",
		[KSMA_VOLUME_SQUASHFS] = "squashfs", [KSMA_VOLUME_ISO9660] = "ISO 9660",
		[KSMA_VOLUME_SWAP] = "swap",	     [KSMA_VOLUME_LUKS] = "LUKS",
		[KSMA_VOLUME_LVM] = "LVM",	     [KSMA_VOLUME_RAID] = "RAID",
	};

	return kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}

static bool all_zero(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i])
			return false;
	return true;
}

static struct ksma_error *tell_kind(struct ksma_volume *volume)
{
	_cleanup_free_ uint8_t *head = calloc(1, HEAD);
	size_t length = volume->block->size < HEAD ? (size_t)volume->block->size : HEAD;
	bool pv;

	if (!head)
		return ksma_error_nomem();
	KSMA_TRY(ksma_lvm_is_pv(volume->block, &pv));
	if (pv) {
		volume->kind = KSMA_VOLUME_LVM;
		return NULL;
	}
	KSMA_TRY(ksma_block_read(volume->block, 0, head, length));
	if (all_zero(head, length))
		volume->kind = KSMA_VOLUME_EMPTY;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		if (memcmp(head + marks[i].at, marks[i].mark, marks[i].length) != 0)
			continue;
		volume->kind = marks[i].kind;
		if (marks[i].uuid)
			memcpy(volume->uuid, head + marks[i].uuid, sizeof(volume->uuid));
		if (marks[i].label)
			memcpy(volume->label, head + marks[i].label, marks[i].label_length);
		break;
	}
	return NULL;
}

/* Takes the block over. */
static struct ksma_error *add(struct ksma_volumes *volumes, struct ksma_block *block,
			      struct ksma_volume **ret_volume)
{
	struct ksma_error *error = NULL;
	struct ksma_volume *volume;

	if (volumes->count == VOLUMES_MAX)
		error = ksma_error_create(KSMA_ERROR_LIMIT, "there are more than %d volumes",
					  VOLUMES_MAX);
	if (!error)
		error = KSMA_ARRAY_PUSH(volumes, &volume);
	if (error) {
		ksma_block_destroy(block);
		return error;
	}
	volume->block = block;
	*ret_volume = volume;
	return NULL;
}

static struct ksma_error *add_part(struct ksma_volumes *volumes, struct ksma_block *disk,
				   size_t disk_index, unsigned partition, uint64_t start,
				   uint64_t length)
{
	struct ksma_extent extent = { disk, start, length };
	struct ksma_block *block;
	struct ksma_volume *volume;

	KSMA_TRY(ksma_block_join(&extent, 1, &block));
	KSMA_TRY(add(volumes, block, &volume));
	volume->disk = disk_index;
	volume->partition = partition;
	volume->start = start;
	return tell_kind(volume);
}

static struct ksma_error *look_at_disk(struct ksma_volumes *volumes, struct ksma_block *disk,
				       size_t index, struct ksma_coverage *coverage)
{
	struct ksma_partitions partitions;
	struct ksma_error *error = NULL;

	KSMA_TRY(ksma_partitions_read(disk, coverage, &partitions));
	if (partitions.table == KSMA_PARTITION_NONE)
		error = add_part(volumes, disk, index, 0, 0, disk->size);
	for (size_t i = 0; !error && i < partitions.count; i++)
		error = add_part(volumes, disk, index, partitions.items[i].number,
				 partitions.items[i].start, partitions.items[i].length);
	ksma_partitions_free(&partitions);
	return error;
}

static struct ksma_error *take_logical(struct ksma_volumes *volumes,
				       struct ksma_lvm_volume *logical)
{
	struct ksma_volume *volume;

	KSMA_TRY(add(volumes, TAKE_PTR(logical->block), &volume));
	KSMA_TRY(ksma_asprintf(&volume->name, "%s/%s", logical->group, logical->name));
	memcpy(volume->lvm_uuid, logical->uuid, sizeof(volume->lvm_uuid));
	return tell_kind(volume);
}

/* Logical volumes lie on blocks of the list, which grows meanwhile: the blocks stay where they are. */
static struct ksma_error *look_at_lvm(struct ksma_volumes *volumes, struct ksma_coverage *coverage)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
	_cleanup_free_ struct ksma_block **pvs = calloc(volumes->count + 1, sizeof(*pvs));
	struct ksma_lvm_volumes logical = { 0 };
	struct ksma_error *error = NULL;
	size_t count = 0;

	if (!pvs)
		return ksma_error_nomem();
	for (size_t i = 0; i < volumes->count; i++)
		if (volumes->items[i].kind == KSMA_VOLUME_LVM)
			pvs[count++] = volumes->items[i].block;
	if (count == 0)
		return NULL;
	KSMA_TRY(ksma_lvm_read(pvs, count, coverage, &logical));
	for (size_t i = 0; !error && i < logical.count; i++)
		error = take_logical(volumes, &logical.items[i]);
	ksma_lvm_free(&logical);
	return error;
}

struct ksma_error *ksma_volumes_find(struct ksma_block *const *disks, size_t count,
				     struct ksma_coverage *coverage,
				     struct ksma_volumes *ret_volumes)
{
	struct ksma_volumes volumes = { 0 };
	struct ksma_error *error = NULL;

	for (size_t i = 0; !error && i < count; i++)
		error = look_at_disk(&volumes, disks[i], i, coverage);
	if (!error)
		error = look_at_lvm(&volumes, coverage);
	if (error)
		ksma_volumes_free(&volumes);
	else
		*ret_volumes = volumes;
	return error;
}

void ksma_volumes_free(struct ksma_volumes *volumes)
{
	/* The later ones lie on the earlier ones. */
	for (size_t i = volumes->count; i-- > 0;) {
		ksma_block_destroy(volumes->items[i].block);
		free(volumes->items[i].name);
	}
	free(volumes->items);
	*volumes = (struct ksma_volumes){ 0 };
}
