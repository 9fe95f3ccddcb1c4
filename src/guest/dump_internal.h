/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the readers of the dump formats share: the file, the guest's private part, and the notes. */
#ifndef KSMA_GUEST_DUMP_INTERNAL_H
#define KSMA_GUEST_DUMP_INTERNAL_H

#include "guest/guest.h"

/* A run of bytes of a flattened dump: where it belongs, and where it is in the file. */
struct ksma_flat_record {
	uint64_t offset;
	uint64_t size;
	uint64_t position;
};

/* A dump as bytes at offsets. */
struct ksma_dump_file {
	int fd;
	const char *name;
	uint64_t file_size; /* of the file itself */
	uint64_t
		size; /* of what it holds: the same, or the end of the last record of a flattened dump */
	struct ksma_flat_record *records; /* NULL: not flattened. Sorted, not overlapping */
	size_t record_count;
};

struct ksma_kdump;

/* The private part of a dump guest. */
struct ksma_dump {
	char *name;
	struct ksma_dump_file file;
	uint8_t *map; /* the whole file, or NULL */
	int guard;    /* of the mapping, against a file that is cut short; -1: none */
	struct ksma_vcpu *vcpus;
	size_t vcpu_count;
	bool by_qemu; /* it has notes that only QEMU writes */
	struct ksma_kdump *kdump;
};

/* Reads bytes; what is not there is BAD_DATA that says `what` is missing. */
struct ksma_error *ksma_dump_file_read(const struct ksma_dump_file *file, uint64_t offset,
				       void *buffer, size_t length,
				       const char *what) KSMA_MUST_CHECK;

/* Reads a table whose size the file gives: LIMIT above `limit` bytes. @ret_data owned by the caller, never NULL on success */
struct ksma_error *ksma_dump_file_load(const struct ksma_dump_file *file, uint64_t offset,
				       uint64_t length, uint64_t limit, const char *what,
				       uint8_t **ret_data) KSMA_MUST_CHECK;

/* The error for a file that ends before [offset, offset+length). */
struct ksma_error *ksma_dump_file_truncated(const struct ksma_dump_file *file, const char *what,
					    uint64_t offset, uint64_t length) KSMA_MUST_CHECK;

/* True when the bytes at the start of a file are those of a flattened dump. */
bool ksma_dump_is_flat(const uint8_t *magic, size_t length);

/* Finds the records of a flattened dump; reads go through them from then on. */
struct ksma_error *ksma_dump_file_index(struct ksma_dump_file *file) KSMA_MUST_CHECK;

/* Reads vCPU states from ELF notes and puts them into `dump`. Notes of other kinds are passed over. */
struct ksma_error *ksma_dump_notes(struct ksma_dump *dump, const uint8_t *notes,
				   size_t length) KSMA_MUST_CHECK;

/* Fill in regions, vCPUs and kind. guest->priv is a struct ksma_dump with the file open. */
struct ksma_error *ksma_dump_open_elf(struct ksma_guest *guest) KSMA_MUST_CHECK;
struct ksma_error *ksma_dump_open_kdump(struct ksma_guest *guest) KSMA_MUST_CHECK;

/* Maps the whole file read-only into dump->map. */
struct ksma_error *ksma_dump_map(struct ksma_dump *dump) KSMA_MUST_CHECK;

struct ksma_error *ksma_kdump_fetch(struct ksma_guest *guest, const struct ksma_ram_region *region,
				    uint64_t gpa, uint8_t *buffer) KSMA_MUST_CHECK;
bool ksma_kdump_next_data(struct ksma_guest *guest, const struct ksma_ram_region *region,
			  uint64_t offset, uint64_t *ret_offset, uint64_t *ret_length);
void ksma_kdump_destroy(struct ksma_kdump *kdump);

/* Adds a region behind the others: LIMIT when there are too many. */
struct ksma_error *ksma_dump_add_region(struct ksma_guest *guest,
					const struct ksma_ram_region *region) KSMA_MUST_CHECK;

#endif
