/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inodes, directories and paths of an ext4 file system. */
#include "files/ext4.h"

#include <sys/stat.h>

#include "base/bytes.h"
#include "files/ext4_impl.h"

enum {
	SUPER_AT = 1024,
	SUPER_LENGTH = 1024,
	GROUPS_BYTES_MAX = 64 << 20,
	ENTRIES_MAX = 4 << 20, /* of one directory */
	LINKS_MAX = 40,
};

/* What libext2fs takes as given: that the file system is no larger than its disk, and that its table of groups is no larger than it
 * has to be. */
static struct ksma_error *check_super(struct ksma_block *block, uint64_t *ret_size)
{
	uint8_t super[SUPER_LENGTH];
	uint64_t blocks, groups, bytes;
	uint32_t log_size, first, per_group, incompat, size = 32;

	if (block->size < SUPER_AT + SUPER_LENGTH)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "ext4: too small");
	KSMA_TRY(ksma_block_read(block, SUPER_AT, super, sizeof(super)));
	log_size = ksma_le32(super + 24);
	first = ksma_le32(super + 20);
	per_group = ksma_le32(super + 32);
	incompat = ksma_le32(super + 96);
	blocks = ksma_le32(super + 4);
	if (incompat & EXT4_FEATURE_INCOMPAT_64BIT) {
		blocks |= (uint64_t)ksma_le32(super + 0x150) << 32;
		size = ksma_le16(super + 0xfe);
	}
	if (ksma_le16(super + 56) != EXT2_SUPER_MAGIC)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "ext4: no super block");
	if (log_size > 6 || blocks <= first || per_group < 8 || size < 32 || size > 1024 ||
	    __builtin_mul_overflow(blocks, (uint64_t)1024 << log_size, &bytes) ||
	    bytes > block->size)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"ext4: the super block does not fit its disk of %llu bytes",
			(unsigned long long)block->size);
	groups = (blocks - first + per_group - 1) / per_group;
	if (groups * size > GROUPS_BYTES_MAX)
		return ksma_error_create(KSMA_ERROR_LIMIT, "ext4: a table of %llu groups",
					 (unsigned long long)groups);
	*ret_size = bytes;
	return NULL;
}

struct ksma_error *ksma_ext4_open(struct ksma_block *metadata, struct ksma_block *data,
				  struct ksma_ext4 **ret_fs)
{
	struct ksma_ext4 *fs = calloc(1, sizeof(*fs));
	char name[KSMA_EXT4_IO_NAME];
	struct ksma_error *error;

	if (!fs)
		return ksma_error_nomem();
	fs->io.block = metadata;
	fs->data = data;
	fs->io.lines = malloc((size_t)KSMA_EXT4_LINE * KSMA_EXT4_LINES);
	error = fs->io.lines ? check_super(metadata, &fs->size) : ksma_error_nomem();
	if (!error) {
		ksma_ext4_begin(fs);
		ksma_ext4_io_name(&fs->io, name);
		/* Checksums are for repair: a block that somebody is writing to has none that fits. */
		error = ksma_ext4_error(
			fs,
			ext2fs_open2(name, NULL, EXT2_FLAG_64BITS | EXT2_FLAG_IGNORE_CSUM_ERRORS, 0,
				     0, &ksma_ext4_io_manager, &fs->fs),
			"ext4");
	}
	if (error)
		ksma_ext4_close(fs);
	else
		*ret_fs = fs;
	return error;
}

void ksma_ext4_close(struct ksma_ext4 *fs)
{
	if (!fs)
		return;
	if (fs->fs)
		ext2fs_free(fs->fs);
	ksma_error_destroy(fs->io.error);
	free(fs->io.lines);
	free(fs);
}

void ksma_ext4_forget(struct ksma_ext4 *fs)
{
	memset(fs->io.held, 0, sizeof(fs->io.held));
	ext2fs_flush_icache(fs->fs);
}

uint32_t ksma_ext4_block_size(const struct ksma_ext4 *fs)
{
	return fs->fs->blocksize;
}

const uint8_t *ksma_ext4_uuid(const struct ksma_ext4 *fs)
{
	return fs->fs->super->s_uuid;
}

bool ksma_ext4_is_mounted(const struct ksma_ext4 *fs)
{
	return ext2fs_has_feature_journal_needs_recovery(fs->fs->super) ||
	       !(fs->fs->super->s_state & EXT2_VALID_FS);
}

struct ksma_error *ksma_ext4_raw_inode(struct ksma_ext4 *fs, uint32_t number,
				       struct ext2_inode_large **ret_inode)
{
	size_t size = EXT2_INODE_SIZE(fs->fs->super);
	struct ext2_inode_large *inode;
	struct ksma_error *error;

	if (number == 0 || number > fs->fs->super->s_inodes_count)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "inode %u: not there", number);
	inode = calloc(1, size < sizeof(*inode) ? sizeof(*inode) : size);
	if (!inode)
		return ksma_error_nomem();
	error = ksma_ext4_error(
		fs, ext2fs_read_inode_full(fs->fs, number, (struct ext2_inode *)inode, (int)size),
		"inode");
	if (!error && (inode->i_mode == 0 || inode->i_links_count == 0))
		error = ksma_error_create(KSMA_ERROR_NOT_PRESENT, "inode %u: not in use", number);
	if (error)
		free(inode);
	else
		*ret_inode = inode;
	return error;
}

void ksma_ext4_fill_inode(const struct ksma_ext4 *fs, uint32_t number,
			  const struct ext2_inode_large *raw, struct ksma_ext4_inode *ret)
{
	uint32_t extra = 0;

	if (EXT2_INODE_SIZE(fs->fs->super) > EXT2_GOOD_OLD_INODE_SIZE && raw->i_extra_isize >= 8)
		extra = raw->i_ctime_extra;
	*ret = (struct ksma_ext4_inode){
		.number = number,
		.generation = raw->i_generation,
		.mode = raw->i_mode,
		.uid = inode_uid(*raw),
		.gid = inode_gid(*raw),
		.links = raw->i_links_count,
		.size = EXT2_I_SIZE(raw),
		.flags = raw->i_flags,
		.ctime_s = (int64_t)(int32_t)raw->i_ctime + ((int64_t)(extra & 3) << 32),
		.ctime_ns = extra >> 2,
	};
}

struct ksma_error *ksma_ext4_stat(struct ksma_ext4 *fs, uint32_t number,
				  struct ksma_ext4_inode *ret_inode)
{
	_cleanup_free_ struct ext2_inode_large *raw = NULL;

	ksma_ext4_begin(fs);
	KSMA_TRY(ksma_ext4_raw_inode(fs, number, &raw));
	ksma_ext4_fill_inode(fs, number, raw, ret_inode);
	return NULL;
}

struct listing {
	struct ksma_ext4 *fs;
	ksma_ext4_entry entry;
	void *arg;
	size_t count;
};

static int on_entry(ext2_ino_t directory, int kind, struct ext2_dir_entry *entry, int offset,
		    int block_size, char *buffer, void *arg)
{
	struct listing *listing = arg;
	size_t length = (size_t)ext2fs_dirent_name_len(entry);

	listing->count++;
	if ((listing->count & 0xff) == 0 && ksma_ext4_spent(listing->fs))
		return DIRENT_ABORT;
	if (listing->count > ENTRIES_MAX) {
		if (!listing->fs->io.error)
			listing->fs->io.error =
				ksma_error_create(KSMA_ERROR_LIMIT,
						  "ext4: a directory of more than %d entries",
						  ENTRIES_MAX);
		return DIRENT_ABORT;
	}
	if (length == 0 || memchr(entry->name, '/', length) || memchr(entry->name, '\0', length))
		return 0;
	return listing->entry(listing->arg, entry->name, length, entry->inode) ? 0 : DIRENT_ABORT;
}

static struct ksma_error *list_directory(struct ksma_ext4 *fs, uint32_t directory,
					 ksma_ext4_entry entry, void *arg)
{
	struct listing listing = { .fs = fs, .entry = entry, .arg = arg };
	_cleanup_free_ struct ext2_inode_large *raw = NULL;

	KSMA_TRY(ksma_ext4_raw_inode(fs, directory, &raw));
	if (!LINUX_S_ISDIR(raw->i_mode))
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "inode %u: not a directory",
					 directory);
	if (raw->i_flags & EXT4_ENCRYPT_FL)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED, "inode %u: an encrypted directory",
					 directory);
	return ksma_ext4_error(fs,
			       ext2fs_dir_iterate2(fs->fs, directory, 0, NULL, on_entry, &listing),
			       "directory");
}

struct ksma_error *ksma_ext4_list(struct ksma_ext4 *fs, uint32_t directory, ksma_ext4_entry entry,
				  void *arg)
{
	ksma_ext4_begin(fs);
	return list_directory(fs, directory, entry, arg);
}

static struct ksma_error *read_link(struct ksma_ext4 *fs, uint32_t number,
				    const struct ext2_inode_large *raw, char **ret_target)
{
	_cleanup_free_ char *target = calloc(1, (64 << 10) + 1);
	struct ext2_inode *inode = (struct ext2_inode *)raw;
	uint64_t size = EXT2_I_SIZE(raw);
	errcode_t code = 0;

	if (!target)
		return ksma_error_nomem();
	if (raw->i_flags & EXT4_ENCRYPT_FL)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED, "inode %u: an encrypted link",
					 number);
	if (size >= KSMA_EXT4_PATH_MAX)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "inode %u: a link that is too long",
					 number);
	if (ext2fs_is_fast_symlink(inode)) {
		if (size > sizeof(raw->i_block))
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "inode %u: a link without its text", number);
		memcpy(target, raw->i_block, size);
	} else if (raw->i_flags & EXT4_INLINE_DATA_FL) {
		size_t length = 0;

		code = ext2fs_inline_data_size(fs->fs, number, &length);
		if (!code && length <= 64 << 10)
			code = ext2fs_inline_data_get(fs->fs, number, inode, target, &length);
		KSMA_TRY(ksma_ext4_error(fs, code, "symbolic link"));
		target[size] = '\0';
	} else {
		blk64_t block = 0;

		code = ext2fs_bmap2(fs->fs, number, inode, NULL, 0, 0, NULL, &block);
		if (!code)
			code = io_channel_read_blk64(fs->fs->io, block, 1, target);
		KSMA_TRY(ksma_ext4_error(fs, code, "symbolic link"));
		target[size] = '\0';
	}
	*ret_target = TAKE_PTR(target);
	return NULL;
}

struct ksma_error *ksma_ext4_readlink(struct ksma_ext4 *fs, uint32_t number, char **ret_target)
{
	_cleanup_free_ struct ext2_inode_large *raw = NULL;

	ksma_ext4_begin(fs);
	KSMA_TRY(ksma_ext4_raw_inode(fs, number, &raw));
	if (!LINUX_S_ISLNK(raw->i_mode))
		return ksma_error_create(KSMA_ERROR_INVALID, "inode %u: not a symbolic link",
					 number);
	return read_link(fs, number, raw, ret_target);
}

struct search {
	const char *name;
	size_t length;
	uint32_t number; /* 0: not found */
};

static bool is_it(void *arg, const char *name, size_t length, uint32_t number)
{
	struct search *search = arg;

	if (length != search->length || memcmp(name, search->name, length) != 0)
		return true;
	search->number = number;
	return false;
}

/* Puts the target of a link before what is left of the path. */
static struct ksma_error *put_before(char **path, const char *target, const char *rest)
{
	char *joined;

	KSMA_TRY(ksma_asprintf(&joined, "%s%s", target, rest));
	free(*path);
	*path = joined;
	if (strlen(joined) >= KSMA_EXT4_PATH_MAX)
		return ksma_error_create(KSMA_ERROR_LIMIT, "ext4: a path that links make too long");
	return NULL;
}

/* From a directory on. An absolute link begins at the root again, or, where the caller wants it, ends the walk with *ret_out. */
static struct ksma_error *walk(struct ksma_ext4 *fs, uint32_t at, char **path, bool out,
			       uint32_t *ret_number, bool *ret_out)
{
	uint32_t directory = at;
	unsigned links = 0;
	const char *s = *path;

	*ret_out = false;
	for (;;) {
		_cleanup_free_ struct ext2_inode_large *raw = NULL;
		_cleanup_free_ char *target = NULL;
		struct search search;

		s += strspn(s, "/");
		if (!*s)
			break;
		directory = at;
		search = (struct search){ .name = s, .length = strcspn(s, "/") };
		KSMA_TRY(list_directory(fs, directory, is_it, &search));
		if (!search.number)
			return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "not on the disk");
		s += search.length;
		at = search.number;
		if (!*s)
			break;
		KSMA_TRY(ksma_ext4_raw_inode(fs, at, &raw));
		if (!LINUX_S_ISLNK(raw->i_mode))
			continue;
		if (++links > LINKS_MAX)
			return ksma_error_create(KSMA_ERROR_LIMIT, "ext4: a path of endless links");
		KSMA_TRY(read_link(fs, at, raw, &target));
		*ret_out = out && *target == '/';
		at = *target == '/' ? KSMA_EXT4_ROOT : directory;
		KSMA_TRY(put_before(path, target, s));
		if (*ret_out)
			return NULL;
		s = *path;
	}
	*ret_number = at;
	return NULL;
}

struct ksma_error *ksma_ext4_lookup(struct ksma_ext4 *fs, const char *path, uint32_t *ret_number)
{
	_cleanup_free_ char *copy = NULL;
	bool out;

	if (*path != '/' || strlen(path) >= KSMA_EXT4_PATH_MAX)
		return ksma_error_create(KSMA_ERROR_INVALID, "%.64s: not an absolute path", path);
	KSMA_TRY(ksma_strdup(path, &copy));
	ksma_ext4_begin(fs);
	return ksma_error_prefix(walk(fs, KSMA_EXT4_ROOT, &copy, false, ret_number, &out), "%s",
				 path);
}

struct ksma_error *ksma_ext4_lookup_from(struct ksma_ext4 *fs, uint32_t directory, const char *rest,
					 uint32_t *ret_number, char **ret_path)
{
	_cleanup_free_ char *path = NULL;
	uint32_t number = 0;
	bool out;

	KSMA_TRY(ksma_strdup(rest, &path));
	ksma_ext4_begin(fs);
	KSMA_TRY(walk(fs, directory, &path, true, &number, &out));
	*ret_number = number;
	*ret_path = out ? TAKE_PTR(path) : NULL;
	return NULL;
}
