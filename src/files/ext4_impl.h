/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files about ext4 share: the file system, and the channel that libext2fs reads through. */
#ifndef KSMA_FILES_EXT4_IMPL_H
#define KSMA_FILES_EXT4_IMPL_H

#include <ext2fs/ext2fs.h>

#include "files/ext4.h"

enum { KSMA_EXT4_LINE = 16 << 10, KSMA_EXT4_LINES = 256 };

/* The channel: a cache over the block of metadata, and what one call may read. */
struct ksma_ext4_io {
	struct ksma_block *block;
	uint8_t *lines;			/* KSMA_EXT4_LINES of them */
	uint64_t held[KSMA_EXT4_LINES]; /* number of the line that lies there, plus 1; 0: none */
	uint64_t bytes_left, deadline_ns;
	struct ksma_error *error; /* of the last read that failed */
};

struct ksma_ext4 {
	struct ksma_ext4_io io;
	struct ksma_block *data;
	ext2_filsys fs;
	uint64_t size; /* bytes, as the super block says and the block has */
};

/* What a channel opened under this name reads: the address of a ksma_ext4_io, as text. */
extern struct struct_io_manager ksma_ext4_io_manager;
enum { KSMA_EXT4_IO_NAME = 32 };
void ksma_ext4_io_name(struct ksma_ext4_io *io, char name[KSMA_EXT4_IO_NAME]);

/* Begins a call: what it may cost is counted from here. */
void ksma_ext4_begin(struct ksma_ext4 *fs);

/* Has this call reached its end? Asked in callbacks, which cost time and read nothing. */
bool ksma_ext4_spent(struct ksma_ext4 *fs);

/* The error of a call to libext2fs: ours where the channel has one. NULL for 0. */
struct ksma_error *ksma_ext4_error(struct ksma_ext4 *fs, errcode_t code,
				   const char *what) KSMA_MUST_CHECK;

/* The whole inode, with its room for attributes. @ret_inode freed by the caller, of at least sizeof(struct ext2_inode_large) */
struct ksma_error *ksma_ext4_raw_inode(struct ksma_ext4 *fs, uint32_t number,
				       struct ext2_inode_large **ret_inode) KSMA_MUST_CHECK;

void ksma_ext4_fill_inode(const struct ksma_ext4 *fs, uint32_t number,
			  const struct ext2_inode_large *raw, struct ksma_ext4_inode *ret);

#endif
