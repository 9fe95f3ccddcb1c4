/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blocks of bytes: files, and runs of other blocks. */
#include "base/block.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

struct ksma_error *ksma_block_read(struct ksma_block *block, uint64_t offset, void *buffer,
				   size_t length)
{
	if (!ksma_in_range(offset, length, block->size))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "%zu bytes at %llu lie outside of a disk of %llu bytes",
					 length, (unsigned long long)offset,
					 (unsigned long long)block->size);
	return length ? block->ops->read(block, offset, buffer, length) : NULL;
}

void ksma_block_destroy(struct ksma_block *block)
{
	if (!block)
		return;
	if (block->ops->destroy)
		block->ops->destroy(block);
	free(block);
}

struct file_block {
	struct ksma_block head;
	int fd;
};

static struct ksma_error *file_read(struct ksma_block *block, uint64_t offset, void *buffer,
				    size_t length)
{
	const struct file_block *file = (const struct file_block *)block;
	size_t done = 0;

	while (done < length) {
		ssize_t n = pread(file->fd, (char *)buffer + done, length - done,
				  (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ksma_error_os(errno, "disk image");
		if (n == 0)
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "the disk image was cut short while it was read");
		done += (size_t)n;
	}
	return NULL;
}

static void file_destroy(struct ksma_block *block)
{
	close(((struct file_block *)block)->fd);
}

static const struct ksma_block_ops file_ops = { .read = file_read, .destroy = file_destroy };

struct ksma_error *ksma_block_open(const char *path, struct ksma_block **ret_block)
{
	/* Not blocking: it may be a pipe, which is refused. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct file_block *file;
	uint64_t size = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return ksma_error_os(errno, "%s", path);
	if (S_ISREG(st.st_mode))
		size = (uint64_t)st.st_size;
	else if (!S_ISBLK(st.st_mode))
		return ksma_error_create(KSMA_ERROR_INVALID, "%s: neither a file nor a disk", path);
	else if (ioctl(fd, BLKGETSIZE64, &size) < 0)
		return ksma_error_os(errno, "%s", path);
	file = calloc(1, sizeof(*file));
	if (!file)
		return ksma_error_nomem();
	file->head = (struct ksma_block){ .ops = &file_ops, .size = size };
	file->fd = TAKE_FD(fd);
	*ret_block = &file->head;
	return NULL;
}

struct joined_block {
	struct ksma_block head;
	size_t count;
	struct ksma_extent extents[];
};

static struct ksma_error *joined_read(struct ksma_block *block, uint64_t offset, void *buffer,
				      size_t length)
{
	const struct joined_block *joined = (const struct joined_block *)block;
	char *to = buffer;

	for (size_t i = 0; i < joined->count && length > 0; i++) {
		const struct ksma_extent *e = &joined->extents[i];
		size_t n;

		if (offset >= e->length) {
			offset -= e->length;
			continue;
		}
		n = length < e->length - offset ? length : (size_t)(e->length - offset);
		KSMA_TRY(ksma_block_read(e->block, e->start + offset, to, n));
		to += n;
		length -= n;
		offset = 0;
	}
	return NULL;
}

static const struct ksma_block_ops joined_ops = { .read = joined_read };

struct ksma_error *ksma_block_join(const struct ksma_extent *extents, size_t count,
				   struct ksma_block **ret_block)
{
	struct joined_block *joined;
	uint64_t size = 0;

	for (size_t i = 0; i < count; i++)
		if (!ksma_in_range(extents[i].start, extents[i].length, extents[i].block->size) ||
		    __builtin_add_overflow(size, extents[i].length, &size))
			return ksma_error_create(
				KSMA_ERROR_BAD_DATA,
				"a volume of %llu bytes at %llu leaves its disk of %llu bytes",
				(unsigned long long)extents[i].length,
				(unsigned long long)extents[i].start,
				(unsigned long long)extents[i].block->size);
	joined = calloc(1, sizeof(*joined) + count * sizeof(*extents));
	if (!joined)
		return ksma_error_nomem();
	joined->head = (struct ksma_block){ .ops = &joined_ops, .size = size };
	joined->count = count;
	memcpy(joined->extents, extents, count * sizeof(*extents));
	*ret_block = &joined->head;
	return NULL;
}
