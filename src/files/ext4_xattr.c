/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extended attributes of ext4: entries behind the inode, and in a block of their own.
 *
 * Both are an array of entries, ended by four zero bytes, whose values lie further on in the same bytes. Source: fs/ext4/xattr.h of Linux. */
#include "base/bytes.h"
#include "files/ext4_impl.h"

enum {
	XATTR_MAGIC = (int)0xEA020000,
	IN_INODE_HEADER = 4,
	BLOCK_HEADER = 32,
	ENTRY_HEADER = 16,
	ENTRIES_MAX = 4096,
};

/* How names begin, by their index: the index replaces that. Source: fs/ext4/xattr.h */
static const struct {
	uint8_t index;
	const char *prefix;
} prefixes[] = {
	{ 1, "user." },
	{ 4, "trusted." },
	{ 6, "security." },
	{ 7, "system." },
};

struct wanted {
	uint8_t index;
	const char *name;
	size_t length;
};

static bool split_name(const char *name, struct wanted *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t length = strlen(prefixes[i].prefix);

		if (strncmp(name, prefixes[i].prefix, length) == 0) {
			*ret = (struct wanted){ prefixes[i].index, name + length,
						strlen(name + length) };
			return true;
		}
	}
	return false;
}

/* Looks through the entries of an area; their values' offsets count from `base` of it.
 * @ret_value points into the area, NULL where the attribute is not there */
static struct ksma_error *find(const uint8_t *area, size_t length, size_t first, size_t base,
			       const struct wanted *wanted, const uint8_t **ret_value,
			       size_t *ret_length)
{
	struct ksma_bytes b = ksma_bytes_of(area, length);

	*ret_value = NULL;
	ksma_bytes_seek(&b, first);
	for (unsigned i = 0; i < ENTRIES_MAX; i++) {
		struct ksma_bytes entry = b;
		uint8_t name_length, index;
		uint32_t other_inode, size;
		const uint8_t *name;
		uint16_t offset;

		if (length - b.position < 4 || ksma_le32(area + b.position) == 0)
			return NULL;
		name_length = ksma_bytes_u8(&entry);
		index = ksma_bytes_u8(&entry);
		offset = ksma_bytes_le16(&entry);
		other_inode = ksma_bytes_le32(&entry);
		size = ksma_bytes_le32(&entry);
		ksma_bytes_le32(&entry);
		name = ksma_bytes_take(&entry, name_length);
		if (!name)
			break;
		if (index == wanted->index && name_length == wanted->length &&
		    memcmp(name, wanted->name, name_length) == 0) {
			if (other_inode)
				return ksma_error_create(
					KSMA_ERROR_UNSUPPORTED,
					"an extended attribute that is in an inode of its own");
			if (!ksma_in_range(offset, size, length - base))
				break;
			*ret_value = area + base + offset;
			*ret_length = size;
			return NULL;
		}
		if (!ksma_bytes_seek(&b, (entry.position + 3) & ~(size_t)3))
			break;
	}
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "extended attributes that are damaged");
}

/* Behind the inode's own members. */
static struct ksma_error *find_inside(const struct ksma_ext4 *fs,
				      const struct ext2_inode_large *raw,
				      const struct wanted *wanted, const uint8_t **ret_value,
				      size_t *ret_length)
{
	size_t size = EXT2_INODE_SIZE(fs->fs->super), at;

	*ret_value = NULL;
	if (size <= EXT2_GOOD_OLD_INODE_SIZE)
		return NULL;
	at = EXT2_GOOD_OLD_INODE_SIZE + (size_t)raw->i_extra_isize;
	if (at + IN_INODE_HEADER > size ||
	    ksma_le32((const uint8_t *)raw + at) != (uint32_t)XATTR_MAGIC)
		return NULL;
	at += IN_INODE_HEADER;
	return find((const uint8_t *)raw + at, size - at, 0, 0, wanted, ret_value, ret_length);
}

static struct ksma_error *find_outside(struct ksma_ext4 *fs, const struct ext2_inode_large *raw,
				       uint8_t *block, const struct wanted *wanted,
				       const uint8_t **ret_value, size_t *ret_length)
{
	blk64_t number = ext2fs_file_acl_block(fs->fs, (const struct ext2_inode *)raw);

	*ret_value = NULL;
	if (!number)
		return NULL;
	KSMA_TRY(ksma_ext4_error(fs, io_channel_read_blk64(fs->fs->io, number, 1, block),
				 "extended attributes"));
	if (ksma_le32(block) != (uint32_t)XATTR_MAGIC)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "extended attributes that are none");
	return find(block, fs->fs->blocksize, BLOCK_HEADER, 0, wanted, ret_value, ret_length);
}

struct ksma_error *ksma_ext4_xattr(struct ksma_ext4 *fs, uint32_t number, const char *name,
				   uint8_t **ret_value, size_t *ret_length)
{
	_cleanup_free_ struct ext2_inode_large *raw = NULL;
	_cleanup_free_ uint8_t *block = NULL;
	struct wanted wanted;
	const uint8_t *value;
	size_t length = 0;
	uint8_t *copy;

	if (!split_name(name, &wanted))
		return ksma_error_create(KSMA_ERROR_INVALID, "%s: no name of an attribute", name);
	ksma_ext4_begin(fs);
	KSMA_TRY(ksma_ext4_raw_inode(fs, number, &raw));
	KSMA_TRY(find_inside(fs, raw, &wanted, &value, &length));
	if (!value) {
		block = malloc(fs->fs->blocksize);
		if (!block)
			return ksma_error_nomem();
		KSMA_TRY(find_outside(fs, raw, block, &wanted, &value, &length));
	}
	if (!value)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "inode %u has no %s", number,
					 name);
	if (length > KSMA_EXT4_XATTR_MAX)
		return ksma_error_create(KSMA_ERROR_LIMIT, "inode %u: %s is too long", number,
					 name);
	copy = malloc(length ? length : 1);
	if (!copy)
		return ksma_error_nomem();
	memcpy(copy, value, length);
	*ret_value = copy;
	*ret_length = length;
	return NULL;
}
