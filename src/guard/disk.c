/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's own disks as the place that pages come from which are not in its memory. */
#include "guard/disk.h"
#include "files/contents.h"

struct ksma_guard_disk {
	struct ksma_disk_source source;
	struct ksma_content_reader *reader;
	struct ksma_content *open; /* the file that was read last, or NULL */
	struct ksma_inode_identity file;
};

static struct ksma_error *open_file(struct ksma_guard_disk *disk,
				    const struct ksma_inode_identity *file)
{
	if (disk->open && ksma_inode_is_same(&disk->file, file))
		return NULL;
	ksma_content_close(disk->open);
	disk->open = NULL;
	KSMA_TRY(ksma_content_open(disk->reader, file->inode, &disk->open));
	disk->file = *file;
	return NULL;
}

static struct ksma_error *read_pages(void *arg, const struct ksma_inode_identity *file,
				     uint64_t index, uint64_t count, uint8_t *ret_pages)
{
	struct ksma_guard_disk *disk = arg;

	KSMA_TRY(open_file(disk, file));
	for (uint64_t i = 0; i < count; i++)
		KSMA_TRY(ksma_content_page(disk->open, index + i, ret_pages + i * KSMA_PAGE_SIZE,
					   NULL));
	return NULL;
}

static struct ksma_error *read_signature(void *arg, const struct ksma_inode_identity *file,
					 uint8_t *buffer, size_t size, size_t *ret_length)
{
	struct ksma_guard_disk *disk = arg;
	_cleanup_free_ uint8_t *value = NULL;
	struct ksma_error *error;
	size_t length = 0;

	KSMA_TRY(open_file(disk, file));
	error = ksma_content_xattr(disk->open, "security.ima", &value, &length);
	if (error && error->code == KSMA_ERROR_NOT_PRESENT) {
		ksma_error_destroy(error);
		*ret_length = 0;
		return NULL;
	}
	if (error)
		return error;
	if (length > size)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "security.ima has %zu bytes, more than any signature",
					 length);
	memcpy(buffer, value, length);
	*ret_length = length;
	return NULL;
}

struct ksma_error *ksma_guard_disk_create(struct ksma_kernel *kernel,
					  struct ksma_guard_disk **ret_disk)
{
	struct ksma_guard_disk *disk = calloc(1, sizeof(*disk));
	struct ksma_error *error;

	if (!disk)
		return ksma_error_nomem();
	error = ksma_content_reader_create(kernel, &disk->reader);
	if (error) {
		free(disk);
		return error;
	}
	disk->source = (struct ksma_disk_source){ disk, read_pages, read_signature };
	*ret_disk = disk;
	return NULL;
}

void ksma_guard_disk_destroy(struct ksma_guard_disk *disk)
{
	if (!disk)
		return;
	ksma_content_close(disk->open);
	ksma_content_reader_destroy(disk->reader);
	free(disk);
}

const struct ksma_disk_source *ksma_guard_disk_source(const struct ksma_guard_disk *disk)
{
	return &disk->source;
}
