/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The content of a regular file of ext4: where its blocks lie, and their bytes. */
#include "files/ext4_impl.h"

enum { EXTENTS_MAX = 1 << 20, DEPTH_MAX = 5, INLINE_MAX = 64 << 10, EXTENT_HEADER_DEPTH = 6 };

/* A run of blocks of the file that lie in one piece on the disk. What lies in none is a hole. */
struct run {
	uint64_t logical, physical, count;
};

struct ksma_ext4_file {
	struct ksma_ext4 *fs;
	struct ksma_ext4_inode inode;
	struct {
		struct run *items;
		size_t count, capacity;
	} runs; /* by rising logical block */
	uint8_t *inline_data;
	size_t inline_length;
};

static struct ksma_error *damaged(const struct ksma_ext4_file *file, const char *how)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "inode %u: %s", file->inode.number, how);
}

static struct ksma_error *add_run(struct ksma_ext4_file *file, uint64_t logical, uint64_t physical,
				  uint64_t count)
{
	struct run *last = file->runs.count ? &file->runs.items[file->runs.count - 1] : NULL, *run;
	uint64_t blocks = file->fs->size / file->fs->fs->blocksize;

	if (count == 0)
		return NULL;
	if (!ksma_in_range(physical, count, blocks))
		return damaged(file, "a part of it lies behind the end of the disk");
	if (last && logical < last->logical + last->count)
		return damaged(file, "its blocks are in no order");
	if (last && logical == last->logical + last->count &&
	    physical == last->physical + last->count) {
		last->count += count;
		return NULL;
	}
	if (file->runs.count == EXTENTS_MAX)
		return ksma_error_create(KSMA_ERROR_LIMIT, "inode %u: in more than %d pieces",
					 file->inode.number, EXTENTS_MAX);
	KSMA_TRY(KSMA_ARRAY_PUSH(&file->runs, &run));
	*run = (struct run){ logical, physical, count };
	return NULL;
}

static struct ksma_error *read_extents(struct ksma_ext4_file *file, struct ext2_inode_large *raw)
{
	struct ksma_ext4 *fs = file->fs;
	struct ext2fs_extent extent;
	struct ksma_error *error;
	ext2_extent_handle_t handle;
	int what = EXT2_EXTENT_ROOT;
	uint16_t depth;
	errcode_t code;
	unsigned steps = 0;

	/* libext2fs goes as deep as the root says. */
	memcpy(&depth, (const uint8_t *)raw->i_block + EXTENT_HEADER_DEPTH, sizeof(depth));
	if (depth > DEPTH_MAX)
		return damaged(file, "its tree of extents is too deep");
	error = ksma_ext4_error(fs,
				ext2fs_extent_open2(fs->fs, file->inode.number,
						    (struct ext2_inode *)raw, &handle),
				"extents");
	if (error)
		return error;
	while (!error) {
		code = ext2fs_extent_get(handle, what, &extent);
		if (code == EXT2_ET_EXTENT_NO_NEXT ||
		    (code == EXT2_ET_NO_CURRENT_NODE && !fs->io.error))
			break;
		error = ksma_ext4_error(fs, code, "extents");
		if (!error && (++steps & 0xff) == 0 && ksma_ext4_spent(fs))
			error = ksma_ext4_error(fs, 0, "extents");
		if (!error && what != EXT2_EXTENT_ROOT &&
		    !(extent.e_flags & EXT2_EXTENT_FLAGS_LEAF))
			error = damaged(file, "its tree of extents is damaged");
		/* The root may be a leaf itself, or have nothing in it. */
		if (!error && (extent.e_flags & EXT2_EXTENT_FLAGS_LEAF) &&
		    !(extent.e_flags & EXT2_EXTENT_FLAGS_UNINIT))
			error = add_run(file, extent.e_lblk, extent.e_pblk, extent.e_len);
		what = EXT2_EXTENT_NEXT_LEAF;
	}
	ext2fs_extent_free(handle);
	return error;
}

static int on_block(ext2_filsys e2fs, blk64_t *block, e2_blkcnt_t logical, blk64_t from, int offset,
		    void *arg)
{
	struct ksma_ext4_file *file = arg;

	if ((logical & 0xfff) == 0 && ksma_ext4_spent(file->fs))
		return BLOCK_ABORT;
	if (logical < 0 || file->fs->io.error)
		return file->fs->io.error ? BLOCK_ABORT : 0;
	file->fs->io.error = add_run(file, (uint64_t)logical, *block, 1);
	return file->fs->io.error ? BLOCK_ABORT : 0;
}

static struct ksma_error *read_inline(struct ksma_ext4_file *file, struct ext2_inode_large *raw)
{
	struct ksma_ext4 *fs = file->fs;
	errcode_t code = ext2fs_inline_data_size(fs->fs, file->inode.number, &file->inline_length);

	if (!code && file->inline_length > INLINE_MAX)
		return damaged(file, "too much in the inode itself");
	if (!code) {
		file->inline_data = calloc(1, INLINE_MAX);
		if (!file->inline_data)
			return ksma_error_nomem();
		code = ext2fs_inline_data_get(fs->fs, file->inode.number, (struct ext2_inode *)raw,
					      file->inline_data, &file->inline_length);
	}
	return ksma_ext4_error(fs, code, "inline data");
}

static struct ksma_error *find_blocks(struct ksma_ext4_file *file, struct ext2_inode_large *raw)
{
	struct ksma_ext4 *fs = file->fs;

	if (!LINUX_S_ISREG(raw->i_mode))
		return ksma_error_create(KSMA_ERROR_INVALID, "inode %u: not a regular file",
					 file->inode.number);
	if (raw->i_flags & EXT4_ENCRYPT_FL)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "inode %u: encrypted, and its key is the guest's",
					 file->inode.number);
	if (raw->i_flags & EXT4_INLINE_DATA_FL)
		return read_inline(file, raw);
	if (raw->i_flags & EXT4_EXTENTS_FL)
		return read_extents(file, raw);
	return ksma_ext4_error(fs,
			       ext2fs_block_iterate3(fs->fs, file->inode.number,
						     BLOCK_FLAG_DATA_ONLY | BLOCK_FLAG_READ_ONLY,
						     NULL, on_block, file),
			       "blocks");
}

struct ksma_error *ksma_ext4_file_open(struct ksma_ext4 *fs, uint32_t number,
				       struct ksma_ext4_file **ret_file)
{
	_cleanup_free_ struct ext2_inode_large *raw = NULL;
	struct ksma_ext4_file *file;
	struct ksma_error *error;

	ksma_ext4_begin(fs);
	KSMA_TRY(ksma_ext4_raw_inode(fs, number, &raw));
	file = calloc(1, sizeof(*file));
	if (!file)
		return ksma_error_nomem();
	file->fs = fs;
	ksma_ext4_fill_inode(fs, number, raw, &file->inode);
	error = find_blocks(file, raw);
	if (error)
		ksma_ext4_file_close(file);
	else
		*ret_file = file;
	return error;
}

void ksma_ext4_file_close(struct ksma_ext4_file *file)
{
	if (!file)
		return;
	free(file->runs.items);
	free(file->inline_data);
	free(file);
}

const struct ksma_ext4_inode *ksma_ext4_file_inode(const struct ksma_ext4_file *file)
{
	return &file->inode;
}

bool ksma_ext4_file_is_same(const struct ksma_ext4_file *a, const struct ksma_ext4_file *b)
{
	if (a->runs.count != b->runs.count || a->inline_length != b->inline_length ||
	    a->inode.generation != b->inode.generation || a->inode.size != b->inode.size)
		return false;
	for (size_t i = 0; i < a->runs.count; i++) {
		const struct run *x = &a->runs.items[i], *y = &b->runs.items[i];

		if (x->logical != y->logical || x->physical != y->physical || x->count != y->count)
			return false;
	}
	return a->inline_length == 0 ||
	       memcmp(a->inline_data, b->inline_data, a->inline_length) == 0;
}

/* The first run that ends behind this block, or their number. */
static size_t find_run(const struct ksma_ext4_file *file, uint64_t block)
{
	size_t low = 0, high = file->runs.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct run *run = &file->runs.items[middle];

		if (run->logical + run->count <= block)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct ksma_error *ksma_ext4_file_read(struct ksma_ext4_file *file, uint64_t offset, void *buffer,
				       size_t length)
{
	uint64_t size = file->fs->fs->blocksize, end = offset + length;

	if (end < offset)
		return ksma_error_create(KSMA_ERROR_INVALID, "a read past the end of all files");
	memset(buffer, 0, length);
	if (end > file->inode.size)
		end = file->inode.size;
	if (file->inline_data && offset < file->inline_length && offset < end) {
		uint64_t n = (end < file->inline_length ? end : file->inline_length) - offset;

		memcpy(buffer, file->inline_data + offset, n);
	}
	for (size_t i = find_run(file, offset / size); i < file->runs.count; i++) {
		const struct run *run = &file->runs.items[i];
		uint64_t first = run->logical * size, last = first + run->count * size;

		if (first >= end)
			break;
		first = first < offset ? offset : first;
		last = last > end ? end : last;
		if (first >= last)
			continue;
		KSMA_TRY(ksma_block_read(file->fs->data,
					 run->physical * size + (first - run->logical * size),
					 (uint8_t *)buffer + (first - offset), last - first));
	}
	return NULL;
}
