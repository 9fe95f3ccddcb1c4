/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a super block in the guest's memory to the file system on one of its disks. */
#include "files/mounted.h"

#include "files/cached_disk.h"

enum { EXT4_MAGIC = 0xef53, MOUNTED_MAX = 4096 };

/* Where the guest's block device lies. */
struct device {
	struct ksma_inode_identity inode; /* of the block device */
	uint64_t bdev, start;		  /* bytes */
};

static struct ksma_error *unsupported(const char *what, const struct ksma_inode_identity *of)
{
	return ksma_error_create(KSMA_ERROR_UNSUPPORTED, "%s on %s is not read from the disk: %s",
				 of->fstype, of->id, what);
}

/* The inode of a block device: struct block_device has it, or since 22f89a4d8e2e ("block: define bdev_inode", 6.10 and later) its mapping. */
static bool device_inode(struct ksma_kernel *kernel, uint64_t bdev, uint64_t *ret_inode)
{
	const struct ksma_offsets *off = &kernel->off;
	uint64_t mapping;

	if (off->block_device__bd_inode >= 0)
		return ksma_kernel_u64(kernel, bdev + (uint32_t)off->block_device__bd_inode,
				       ret_inode);
	return off->block_device__bd_mapping >= 0 &&
	       ksma_kernel_u64(kernel, bdev + (uint32_t)off->block_device__bd_mapping, &mapping) &&
	       ksma_kernel_u64(kernel, mapping + (uint32_t)off->address_space__host, ret_inode);
}

/* The first sector is in struct block_device; before 0d02129e76ed ("block: merge struct block_device and struct hd_struct", 5.11) in its
 * hd_struct. */
static bool first_sector(struct ksma_kernel *kernel, uint64_t bdev, uint64_t *ret_sector)
{
	const struct ksma_offsets *off = &kernel->off;
	uint64_t part;

	if (off->block_device__bd_start_sect >= 0)
		return ksma_kernel_u64(kernel, bdev + (uint32_t)off->block_device__bd_start_sect,
				       ret_sector);
	return off->block_device__bd_part >= 0 && off->hd_struct__start_sect >= 0 &&
	       ksma_kernel_u64(kernel, bdev + (uint32_t)off->block_device__bd_part, &part) &&
	       ksma_kernel_u64(kernel, part + (uint32_t)off->hd_struct__start_sect, ret_sector);
}

static struct ksma_error *find_device(struct ksma_mounts_on_disks *mounts,
				      const struct ksma_inode_identity *of, struct device *ret)
{
	struct ksma_kernel *kernel = mounts->kernel;
	uint64_t inode, sector;

	if (kernel->off.super_block__s_bdev < 0 ||
	    !ksma_kernel_u64(kernel, of->sb + (uint32_t)kernel->off.super_block__s_bdev,
			     &ret->bdev) ||
	    ret->bdev == 0)
		return unsupported("it lies on no single block device", of);
	if (!device_inode(kernel, ret->bdev, &inode) ||
	    !ksma_inode_identify(mounts->reader, inode, &ret->inode) ||
	    !first_sector(kernel, ret->bdev, &sector) || sector > UINT64_MAX / 512)
		return unsupported("its block device cannot be read from the guest's memory", of);
	ret->start = sector * 512;
	return NULL;
}

struct ksma_error *ksma_mounted_connect(struct ksma_mounts_on_disks *mounts)
{
	struct ksma_block *blocks[KSMA_DISKS_MAX];
	struct ksma_error *error;
	size_t count = 0;

	if (mounts->opened)
		return NULL;
	KSMA_TRY(ksma_disks_open(mounts->kernel->guest, &mounts->disks));
	for (size_t i = 0; i < mounts->disks.count; i++) {
		/* What no device of the guest has is none of its disks. */
		if (!*mounts->disks.items[i].qdev)
			continue;
		error = ksma_disks_read(&mounts->disks, i);
		if (error) {
			ksma_disks_close(&mounts->disks);
			return error;
		}
		blocks[count++] = mounts->disks.items[i].block;
	}
	error = ksma_volumes_find(blocks, count, &mounts->coverage, &mounts->volumes);
	if (error)
		ksma_disks_close(&mounts->disks);
	else
		mounts->opened = true;
	return error;
}

/* The one volume that fits; what else there is of the same UUID is told. */
static struct ksma_error *find_volume(struct ksma_mounts_on_disks *mounts,
				      const struct ksma_inode_identity *of,
				      const struct device *device, struct ksma_volume **ret_volume)
{
	struct ksma_volume *found = NULL;

	for (size_t i = 0; i < mounts->volumes.count; i++) {
		struct ksma_volume *v = &mounts->volumes.items[i];

		if (v->kind != KSMA_VOLUME_EXT4 ||
		    memcmp(v->uuid, of->uuid, sizeof(v->uuid)) != 0 ||
		    v->block->size != device->inode.size ||
		    (!v->name && v->start != device->start) || (v->name && device->start != 0))
			continue;
		if (found)
			return unsupported(
				"several volumes of the guest's disks have its UUID, size and place",
				of);
		found = v;
	}
	if (!found)
		return unsupported("no volume of the guest's disks has its UUID, size and place",
				   of);
	*ret_volume = found;
	return NULL;
}

static struct ksma_error *open_fs(struct ksma_mounts_on_disks *mounts,
				  const struct ksma_inode_identity *of,
				  struct ksma_mounted *mounted)
{
	struct ksma_volume *volume;
	struct device device;

	KSMA_TRY(find_device(mounts, of, &device));
	mounted->bdev = device.bdev;
	if (of->magic != EXT4_MAGIC)
		return unsupported("only ext4 is", of);
	if (mounts->problem)
		return unsupported(mounts->problem, of);
	if (!mounts->opened) {
		struct ksma_error *error = ksma_mounted_connect(mounts);

		if (error) {
			mounts->problem = strdup(error->message);
			return error;
		}
	}
	KSMA_TRY(find_volume(mounts, of, &device, &volume));
	KSMA_TRY(
		ksma_cached_disk(mounts->reader, &device.inode, volume->block, &mounted->metadata));
	return ksma_ext4_open(mounted->metadata, volume->block, &mounted->fs);
}

static void end_mounted(struct ksma_mounted *mounted)
{
	ksma_ext4_close(mounted->fs);
	ksma_block_destroy(mounted->metadata);
	free(mounted->problem);
	*mounted = (struct ksma_mounted){ 0 };
}

/* Has the address become another super block's? */
static bool still_there(struct ksma_mounts_on_disks *mounts, const struct ksma_mounted *mounted,
			const struct ksma_inode_identity *of)
{
	uint64_t bdev;

	return mounted->sb == of->sb && memcmp(mounted->uuid, of->uuid, sizeof(of->uuid)) == 0 &&
	       ksma_kernel_u64(mounts->kernel,
			       of->sb + (uint32_t)mounts->kernel->off.super_block__s_bdev, &bdev) &&
	       bdev == mounted->bdev;
}

static struct ksma_error *slot_for(struct ksma_mounts_on_disks *mounts,
				   const struct ksma_inode_identity *of, struct ksma_mounted **ret)
{
	for (size_t i = 0; i < mounts->count; i++)
		if (mounts->items[i].sb == of->sb) {
			*ret = &mounts->items[i];
			return NULL;
		}
	if (mounts->count == MOUNTED_MAX)
		return ksma_error_create(KSMA_ERROR_LIMIT, "more than %d file systems",
					 MOUNTED_MAX);
	return KSMA_ARRAY_PUSH(mounts, ret);
}

struct ksma_error *ksma_mounted_find(struct ksma_mounts_on_disks *mounts,
				     const struct ksma_inode_identity *of,
				     struct ksma_ext4 **ret_fs)
{
	struct ksma_mounted *mounted;
	struct ksma_error *error = NULL;

	KSMA_TRY(slot_for(mounts, of, &mounted));
	if (!(mounted->fs || mounted->problem) || !still_there(mounts, mounted, of)) {
		end_mounted(mounted);
		mounted->sb = of->sb;
		memcpy(mounted->uuid, of->uuid, sizeof(mounted->uuid));
		error = open_fs(mounts, of, mounted);
	}
	if (!error && mounted->problem)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED, "%s", mounted->problem);
	if (error && error->code == KSMA_ERROR_UNSUPPORTED)
		mounted->problem = strdup(error->message);
	if (error)
		return error;
	*ret_fs = mounted->fs;
	return NULL;
}

void ksma_mounted_rest(struct ksma_mounts_on_disks *mounts)
{
	for (size_t i = 0; i < mounts->count; i++)
		end_mounted(&mounts->items[i]);
	free(mounts->items);
	mounts->items = NULL;
	mounts->count = mounts->capacity = 0;
	if (mounts->opened) {
		ksma_volumes_free(&mounts->volumes);
		ksma_disks_close(&mounts->disks);
	}
	free(mounts->problem);
	mounts->problem = NULL;
	mounts->opened = false;
}
