/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The channel that libext2fs reads through: bounded, read-only, over any block of ours. */
#include "files/ext4_impl.h"

#include <inttypes.h>

enum { CALL_BYTES = 256 << 20 };
#define CALL_NS 20000000000ull

void ksma_ext4_io_name(struct ksma_ext4_io *io, char name[KSMA_EXT4_IO_NAME])
{
	snprintf(name, KSMA_EXT4_IO_NAME, "%" PRIxPTR, (uintptr_t)io);
}

void ksma_ext4_begin(struct ksma_ext4 *fs)
{
	fs->io.bytes_left = CALL_BYTES;
	fs->io.deadline_ns = ksma_now_ns() + CALL_NS;
	ksma_error_destroy(TAKE_PTR(fs->io.error));
}

bool ksma_ext4_spent(struct ksma_ext4 *fs)
{
	if (fs->io.error)
		return true;
	if (fs->io.bytes_left && ksma_now_ns() < fs->io.deadline_ns)
		return false;
	fs->io.error = ksma_error_create(
		KSMA_ERROR_LIMIT, "ext4: more metadata for one thing than a sound file system has");
	return true;
}

struct ksma_error *ksma_ext4_error(struct ksma_ext4 *fs, errcode_t code, const char *what)
{
	if (fs->io.error)
		return ksma_error_prefix(TAKE_PTR(fs->io.error), "%s", what);
	if (code == 0)
		return NULL;
	if (code == EXT2_ET_NO_MEMORY)
		return ksma_error_nomem();
	if (code == EXT2_ET_FILE_NOT_FOUND)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "%s: not there", what);
	if (code == EXT2_ET_UNSUPP_FEATURE || code == EXT2_ET_RO_UNSUPP_FEATURE)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"%s: the file system has features that libext2fs does not know", what);
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "%s: damaged (libext2fs: error %ld)", what,
				 (long)code - EXT2_ET_BASE);
}

static errcode_t io_open(const char *name, int flags, io_channel *ret_channel)
{
	struct struct_io_channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return EXT2_ET_NO_MEMORY;
	channel->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	channel->manager = &ksma_ext4_io_manager;
	channel->name = strdup(name);
	channel->block_size = 1024;
	channel->refcount = 1;
	channel->private_data = (void *)(uintptr_t)strtoull(name, NULL, 16);
	if (!channel->name) {
		free(channel);
		return EXT2_ET_NO_MEMORY;
	}
	*ret_channel = channel;
	return 0;
}

static errcode_t io_close(io_channel channel)
{
	if (--channel->refcount > 0)
		return 0;
	free(channel->name);
	free(channel);
	return 0;
}

static errcode_t io_set_block_size(io_channel channel, int size)
{
	channel->block_size = size;
	return 0;
}

/* The line of the cache that holds byte `offset`. */
static struct ksma_error *line_at(struct ksma_ext4_io *io, uint64_t offset,
				  const uint8_t **ret_line)
{
	uint64_t number = offset / KSMA_EXT4_LINE, start = number * KSMA_EXT4_LINE;
	size_t slot = number % KSMA_EXT4_LINES, length = KSMA_EXT4_LINE;
	uint8_t *line = io->lines + slot * KSMA_EXT4_LINE;

	*ret_line = line;
	if (io->held[slot] == number + 1)
		return NULL;
	if (length > io->block->size - start)
		length = (size_t)(io->block->size - start);
	io->held[slot] = 0;
	KSMA_TRY(ksma_block_read(io->block, start, line, length));
	io->held[slot] = number + 1;
	return NULL;
}

static struct ksma_error *read_bytes(struct ksma_ext4_io *io, uint64_t offset, uint8_t *to,
				     uint64_t length)
{
	if (!ksma_in_range(offset, length, io->block->size))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "ext4: a block behind the end of its disk");
	if (length > io->bytes_left || ksma_now_ns() > io->deadline_ns) {
		io->bytes_left = 0;
		return ksma_error_create(
			KSMA_ERROR_LIMIT,
			"ext4: more metadata for one thing than a sound file system has");
	}
	io->bytes_left -= length;
	while (length > 0) {
		uint64_t inside = offset % KSMA_EXT4_LINE, n = KSMA_EXT4_LINE - inside;
		const uint8_t *line;

		if (n > length)
			n = length;
		KSMA_TRY(line_at(io, offset, &line));
		memcpy(to, line + inside, n);
		to += n;
		offset += n;
		length -= n;
	}
	return NULL;
}

static errcode_t io_read(io_channel channel, unsigned long long block, int count, void *buffer)
{
	struct ksma_ext4_io *io = channel->private_data;
	uint64_t length = count < 0 ? (uint64_t) - (int64_t)count
				    : (uint64_t)count * (uint64_t)channel->block_size;
	uint64_t offset;

	if (__builtin_mul_overflow((uint64_t)block, (uint64_t)channel->block_size, &offset))
		return EXT2_ET_SHORT_READ;
	ksma_error_destroy(io->error);
	io->error = read_bytes(io, offset, buffer, length);
	return io->error ? EXT2_ET_SHORT_READ : 0;
}

static errcode_t io_read_32(io_channel channel, unsigned long block, int count, void *buffer)
{
	return io_read(channel, block, count, buffer);
}

static errcode_t io_write(io_channel channel, unsigned long long block, int count,
			  const void *buffer)
{
	return EXT2_ET_RO_FILSYS;
}

static errcode_t io_write_32(io_channel channel, unsigned long block, int count, const void *buffer)
{
	return EXT2_ET_RO_FILSYS;
}

static errcode_t io_flush(io_channel channel)
{
	return 0;
}

struct struct_io_manager ksma_ext4_io_manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "ksma",
	.open = io_open,
	.close = io_close,
	.set_blksize = io_set_block_size,
	.read_blk = io_read_32,
	.write_blk = io_write_32,
	.flush = io_flush,
	.read_blk64 = io_read,
	.write_blk64 = io_write,
};
