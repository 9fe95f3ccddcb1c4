/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of an ext2, ext3 or ext4 file system, read while somebody else may have it mounted.
 *
 * libext2fs reads the structures, over blocks of ours; what it is led to by a hostile file system is bounded here: bytes and time of each
 * call, extents of a file, entries of a directory, links of a path. Metadata and contents are read from two views of the disk, which may be the same:
 * those of a mounted file system lie newer in the guest's cache of the block device than on the disk, and the journal is not replayed. See
 * docs/decisions/0261. Nothing is kept between calls but the table of groups and a cache that ksma_ext4_forget() empties. */
#ifndef KSMA_FILES_EXT4_H
#define KSMA_FILES_EXT4_H

#include "base/block.h"

struct ksma_ext4;

enum {
	KSMA_EXT4_ROOT = 2,
	KSMA_EXT4_PATH_MAX = 4096,
	KSMA_EXT4_XATTR_MAX = 64 << 10,
};

struct ksma_ext4_inode {
	uint32_t number, generation, mode, uid, gid, links;
	uint64_t size;
	uint32_t flags; /* EXT4_…_FL */
	int64_t ctime_s;
	uint32_t ctime_ns;
};

/* @metadata, @data must outlive it; the same block where nobody has it mounted
 * @return NULL, BAD_DATA (no ext4, or damaged), UNSUPPORTED (features that are not known), LIMIT, OS, LOST, TIMEOUT, NOMEM */
struct ksma_error *ksma_ext4_open(struct ksma_block *metadata, struct ksma_block *data,
				  struct ksma_ext4 **ret_fs) KSMA_MUST_CHECK;
void ksma_ext4_close(struct ksma_ext4 *fs);

/* What was read may have changed since. */
void ksma_ext4_forget(struct ksma_ext4 *fs);

/* Bytes of blocks, for addresses of extents and of the disk. */
uint32_t ksma_ext4_block_size(const struct ksma_ext4 *fs);
const uint8_t *ksma_ext4_uuid(const struct ksma_ext4 *fs); /* 16 bytes */
bool ksma_ext4_is_mounted(
	const struct ksma_ext4 *fs); /* or was not unmounted: its journal has not been replayed */

/* @return NULL, NOT_PRESENT (not in use), BAD_DATA, LIMIT, … */
struct ksma_error *ksma_ext4_stat(struct ksma_ext4 *fs, uint32_t number,
				  struct ksma_ext4_inode *ret_inode) KSMA_MUST_CHECK;

/* The inode of an absolute path. Symbolic links on the way are followed, one at its end is not.
 * @return NULL, NOT_PRESENT, LIMIT (links without an end), BAD_DATA, … */
struct ksma_error *ksma_ext4_lookup(struct ksma_ext4 *fs, const char *path,
				    uint32_t *ret_number) KSMA_MUST_CHECK;

/* The same for what follows a directory's own path, "lib/x". An absolute link on the way leads out of what is known here: *ret_path is
 * then the path that it leads to, owned by the caller, and the number is 0. Else it is NULL. */
struct ksma_error *ksma_ext4_lookup_from(struct ksma_ext4 *fs, uint32_t directory, const char *rest,
					 uint32_t *ret_number, char **ret_path) KSMA_MUST_CHECK;

/* Calls back for each entry of a directory, "." and ".." too; a false ends it. Names may hold any byte but '/' and NUL. */
typedef bool (*ksma_ext4_entry)(void *arg, const char *name, size_t length, uint32_t number);
struct ksma_error *ksma_ext4_list(struct ksma_ext4 *fs, uint32_t directory, ksma_ext4_entry entry,
				  void *arg) KSMA_MUST_CHECK;

/* Where a symbolic link points. @ret_target owned by the caller */
struct ksma_error *ksma_ext4_readlink(struct ksma_ext4 *fs, uint32_t number,
				      char **ret_target) KSMA_MUST_CHECK;

/* An extended attribute, such as "security.ima", in the inode or in its block. @ret_value owned by the caller
 * @return NULL, NOT_PRESENT, UNSUPPORTED (its value is in an inode of its own), BAD_DATA, … */
struct ksma_error *ksma_ext4_xattr(struct ksma_ext4 *fs, uint32_t number, const char *name,
				   uint8_t **ret_value, size_t *ret_length) KSMA_MUST_CHECK;

struct ksma_ext4_file;

/* Opens the content of a regular file. @return NULL, UNSUPPORTED (encrypted), INVALID (not a regular file), LIMIT (too many extents), … */
struct ksma_error *ksma_ext4_file_open(struct ksma_ext4 *fs, uint32_t number,
				       struct ksma_ext4_file **ret_file) KSMA_MUST_CHECK;
void ksma_ext4_file_close(struct ksma_ext4_file *file);
const struct ksma_ext4_inode *ksma_ext4_file_inode(const struct ksma_ext4_file *file);

/* Do both have the same content, as far as the inode and the places of its blocks tell? */
bool ksma_ext4_file_is_same(const struct ksma_ext4_file *a, const struct ksma_ext4_file *b);

/* Reads from the disk; holes, unwritten extents and what lies behind the file's end read as zeros. */
struct ksma_error *ksma_ext4_file_read(struct ksma_ext4_file *file, uint64_t offset, void *buffer,
				       size_t length) KSMA_MUST_CHECK;

#endif
