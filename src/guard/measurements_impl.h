/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inside of a measurement list. */
#ifndef KSMA_GUARD_MEASUREMENTS_IMPL_H
#define KSMA_GUARD_MEASUREMENTS_IMPL_H

#include "guard/measurements.h"

#define KSMA_BINARY_LIST "binary_runtime_measurements"
#define KSMA_ASCII_LIST "ascii_runtime_measurements"

enum { KSMA_SHA256_SIZE = 32 };

enum ksma_hash { KSMA_HASH_SHA1, KSMA_HASH_SHA256 };

struct ksma_text_buffer {
	uint8_t *items;
	size_t count, capacity;
};

/* A file of the list, and what is still to be written to it. */
struct ksma_list_file {
	int fd;
	struct ksma_text_buffer waiting;
};

struct ksma_known {
	bool used;
	uint8_t digest[KSMA_SHA256_SIZE];
};

struct ksma_measurements {
	int folder; /* -1: kept nowhere */
	enum ksma_measurements_sync sync;
	struct ksma_list_file binary, ascii;
	struct ksma_known
		*known; /* what is entered already: an open table of `slots`, a power of two */
	size_t slots;
	uint64_t entries, lost;
	bool failing; /* the last write did not work */
	uint8_t sha1[KSMA_PCRS][KSMA_SHA1];
	uint8_t sha256[KSMA_PCRS][KSMA_SHA256_SIZE];
};

/* An entry of the binary list; the template's data begin at data_at. */
struct ksma_entry_bytes {
	uint8_t *data;
	size_t length, data_at;
};

/* @ret_bytes ended with ksma_entry_bytes_deinit(); untouched on error @return NULL, INVALID, NOMEM */
struct ksma_error *ksma_entry_make(const struct ksma_measurement *measurement,
				   struct ksma_entry_bytes *ret_bytes) KSMA_MUST_CHECK;
void ksma_entry_bytes_deinit(struct ksma_entry_bytes *bytes);

/* The line of an entry that was read, in ASCII. @return BAD_DATA when it is of another kind than those that are made here */
struct ksma_error *ksma_measured_line(const struct ksma_measured *measured,
				      char **ret_line) KSMA_MUST_CHECK;

struct ksma_error *ksma_hash(enum ksma_hash hash, const void *data, size_t length,
			     uint8_t *ret_digest) KSMA_MUST_CHECK;

/* reg = hash(reg || digest) */
struct ksma_error *ksma_extend(enum ksma_hash hash, uint8_t *reg, const uint8_t *digest,
			       size_t size) KSMA_MUST_CHECK;

/* Takes the data of an entry's template into the registers, unless it is there. Nothing is written. */
struct ksma_error *ksma_measurements_learn(struct ksma_measurements *list, unsigned pcr,
					   const uint8_t *data, size_t length, bool violation,
					   bool *ret_new) KSMA_MUST_CHECK;

/* Ends a list without writing what waits. */
void ksma_measurements_free(struct ksma_measurements *list);

#endif
