/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes of a dump file, whether it is plain or in the flattened form in which QEMU writes kdumps to a pipe.
 *
 * Source of the flattened form: makedumpfile(8) -F and struct makedumpfile_header / makedumpfile_data_header; QEMU dump/dump.c.
 * A header of 4096 bytes, then records {be64 offset, be64 size, bytes}, until one whose offset and size are -1. */
#include <errno.h>

#include "base/bytes.h"
#include "guest/dump_internal.h"

enum {
	FLAT_HEADER_SIZE = 4096,
	FLAT_RECORD_SIZE = 16,
	FLAT_MAX_RECORDS =
		1 << 24, /* QEMU writes 16 KiB and more at a time: 256 GiB of compressed pages */
};

static const char flat_magic[16] = "makedumpfile";

struct ksma_error *ksma_dump_file_truncated(const struct ksma_dump_file *file, const char *what,
					    uint64_t offset, uint64_t length)
{
	uint64_t end = offset > UINT64_MAX - length ? UINT64_MAX : offset + length;

	return ksma_error_create(
		KSMA_ERROR_BAD_DATA,
		"%s is cut off: it holds %llu bytes, and %s ends at byte %llu; take the dump again, with enough room on the disk",
		file->name, (unsigned long long)file->size, what, (unsigned long long)end);
}

/* Reads from the file itself. */
static struct ksma_error *read_plain(const struct ksma_dump_file *file, uint64_t position,
				     uint8_t *buffer, size_t length, const char *what)
{
	while (length) {
		ssize_t n = pread(file->fd, buffer, length, (off_t)position);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ksma_error_os(errno, "cannot read %s of %s", what, file->name);
		if (n == 0)
			return ksma_error_create(KSMA_ERROR_LOST,
						 "%s became shorter while it was read", file->name);
		buffer += n;
		position += (uint64_t)n;
		length -= (size_t)n;
	}
	return NULL;
}

/* The last record that begins at or before `offset`, or NULL. */
static const struct ksma_flat_record *find_record(const struct ksma_dump_file *file,
						  uint64_t offset)
{
	size_t low = 0, high = file->record_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (file->records[middle].offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &file->records[low - 1] : NULL;
}

struct ksma_error *ksma_dump_file_read(const struct ksma_dump_file *file, uint64_t offset,
				       void *buffer, size_t length, const char *what)
{
	uint8_t *to = buffer;

	if (!ksma_in_range(offset, length, file->size))
		return ksma_dump_file_truncated(file, what, offset, length);
	if (!file->records)
		return read_plain(file, offset, to, length, what);
	while (length) {
		const struct ksma_flat_record *record = find_record(file, offset);
		size_t part;

		if (!record || offset - record->offset >= record->size)
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "%s lacks byte %llu of %s; take the dump again",
						 file->name, (unsigned long long)offset, what);
		part = record->size - (offset - record->offset) < length
			       ? record->size - (offset - record->offset)
			       : length;
		KSMA_TRY(read_plain(file, record->position + (offset - record->offset), to, part,
				    what));
		to += part;
		offset += part;
		length -= part;
	}
	return NULL;
}

struct ksma_error *ksma_dump_file_load(const struct ksma_dump_file *file, uint64_t offset,
				       uint64_t length, uint64_t limit, const char *what,
				       uint8_t **ret_data)
{
	_cleanup_free_ uint8_t *data = NULL;

	if (!ksma_in_range(offset, length, file->size))
		return ksma_dump_file_truncated(file, what, offset, length);
	if (length > limit)
		return ksma_error_create(
			KSMA_ERROR_LIMIT,
			"%s of %s has %llu bytes, more than the %llu that are accepted", what,
			file->name, (unsigned long long)length, (unsigned long long)limit);
	data = malloc(length ? length : 1);
	if (!data)
		return ksma_error_nomem();
	KSMA_TRY(ksma_dump_file_read(file, offset, data, length, what));
	*ret_data = TAKE_PTR(data);
	return NULL;
}

bool ksma_dump_is_flat(const uint8_t *magic, size_t length)
{
	return length >= sizeof(flat_magic) && memcmp(magic, flat_magic, sizeof(flat_magic)) == 0;
}

static int compare_records(const void *a, const void *b)
{
	const struct ksma_flat_record *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Sorts the records and sees to it that none covers another. */
static struct ksma_error *check_records(const struct ksma_dump_file *file,
					struct ksma_flat_record *records, size_t count)
{
	if (count)
		qsort(records, count, sizeof(*records), compare_records);
	for (size_t i = 1; i < count; i++)
		if (records[i].offset - records[i - 1].offset < records[i - 1].size)
			return ksma_error_create(
				KSMA_ERROR_BAD_DATA,
				"%s has two records for byte %llu; put it in order with makedumpfile -R first",
				file->name, (unsigned long long)records[i].offset);
	return NULL;
}

struct ksma_error *ksma_dump_file_index(struct ksma_dump_file *file)
{
	struct {
		struct ksma_flat_record *items;
		size_t count, capacity;
	} records = { 0 };
	_cleanup_free_ struct ksma_flat_record *owned = NULL;
	uint64_t position = FLAT_HEADER_SIZE, size = 0;

	for (;;) {
		struct ksma_flat_record *record;
		uint8_t header[FLAT_RECORD_SIZE];
		uint64_t offset, length;
		struct ksma_error *error;

		KSMA_TRY(ksma_dump_file_read(file, position, header, sizeof(header),
					     "the end mark of the flattened dump"));
		position += sizeof(header);
		offset = ksma_be64(header);
		length = ksma_be64(header + 8);
		if (offset == UINT64_MAX && length == UINT64_MAX)
			break;
		if (length == 0 || offset > INT64_MAX || length > INT64_MAX - offset)
			return ksma_error_create(
				KSMA_ERROR_BAD_DATA,
				"%s is damaged: the record at byte %llu has a wrong size",
				file->name, (unsigned long long)(position - sizeof(header)));
		if (!ksma_in_range(position, length, file->file_size))
			return ksma_dump_file_truncated(file, "a record", position, length);
		if (records.count == FLAT_MAX_RECORDS)
			return ksma_error_create(
				KSMA_ERROR_LIMIT,
				"%s has more than %d records; put it in order with makedumpfile -R first",
				file->name, FLAT_MAX_RECORDS);
		error = KSMA_ARRAY_PUSH(&records, &record);
		owned = records.items;
		if (error)
			return error;
		*record = (struct ksma_flat_record){ .offset = offset,
						     .size = length,
						     .position = position };
		if (offset + length > size)
			size = offset + length;
		position += length;
	}
	KSMA_TRY(check_records(file, records.items, records.count));
	if (!records.count)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"%s is a flattened dump that holds nothing; take the dump again",
			file->name);
	file->records = TAKE_PTR(owned);
	file->record_count = records.count;
	file->size = size;
	return NULL;
}
