/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* First looks that outlive the command: a file for each guest, with what is expected of the code and data that no vendor vouches for.
 *
 * The file is the host's own, and yet it is read as if an enemy had written it: bounded, checked, and refused when it is damaged. */
#ifndef KSMA_CHECKS_KEPT_H
#define KSMA_CHECKS_KEPT_H

#include "base/util.h"

/* Which boot of which kernel. All of it is chosen anew at each boot (KASLR, the clock), or is the build itself. */
struct ksma_kept_boot {
	uint8_t build_id[64]; /* padded with zeroes */
	uint64_t image, physical_base, page_offset, vmalloc;
	uint64_t started_ns; /* when process 1 was made, since boot; 0: not known */
};

/* Whose bytes: a module, or the kernel where the name is empty. */
struct ksma_kept_key {
	char name[64];
	uint64_t base, instance;
};

/* A word that boot wrote. */
struct ksma_kept_word {
	uint64_t gva;
	uint8_t bytes[8];
};

struct ksma_kept;

/* Reads a file.
 * @ret_kept ended with ksma_kept_destroy()
 * @return NULL, NOT_PRESENT, PERMISSION (others may write to it), BAD_DATA (damaged; says so with the path), OS, NOMEM */
struct ksma_error *ksma_kept_read(const char *path, struct ksma_kept **ret_kept) KSMA_MUST_CHECK;
/* The same from bytes, which it takes over: from malloc(). */
struct ksma_error *ksma_kept_parse(uint8_t *data, size_t size,
				   struct ksma_kept **ret_kept) KSMA_MUST_CHECK;
void ksma_kept_destroy(struct ksma_kept *kept);

const struct ksma_kept_boot *ksma_kept_boot(const struct ksma_kept *kept);
uint64_t ksma_kept_taken_ns(const struct ksma_kept *kept); /* since the epoch */

/* The bytes of exactly this run, or NULL. */
const uint8_t *ksma_kept_bytes(const struct ksma_kept *kept, const struct ksma_kept_key *key,
			       uint64_t gva, uint64_t size);
/* The words of exactly this run, by rising address. @return false: it was never looked at */
bool ksma_kept_words(const struct ksma_kept *kept, const struct ksma_kept_key *key, uint64_t gva,
		     uint64_t size, const struct ksma_kept_word **ret_words, size_t *ret_count);

/* A file that is being put together. */
struct ksma_kept_writer {
	struct {
		uint8_t *items;
		size_t count, capacity;
	} bytes;
};

struct ksma_error *ksma_kept_begin(struct ksma_kept_writer *writer,
				   const struct ksma_kept_boot *boot,
				   uint64_t taken_ns) KSMA_MUST_CHECK;
struct ksma_error *ksma_kept_add_bytes(struct ksma_kept_writer *writer,
				       const struct ksma_kept_key *key, uint64_t gva,
				       const uint8_t *bytes, uint64_t size) KSMA_MUST_CHECK;
struct ksma_error *ksma_kept_add_words(struct ksma_kept_writer *writer,
				       const struct ksma_kept_key *key, uint64_t gva, uint64_t size,
				       const struct ksma_kept_word *words,
				       size_t count) KSMA_MUST_CHECK;
/* Puts the file in its place, whole or not at all. */
struct ksma_error *ksma_kept_finish(struct ksma_kept_writer *writer,
				    const char *path) KSMA_MUST_CHECK;
/* Sets size and checksum in the header of a whole file; shorter ones are left alone. */
void ksma_kept_seal(uint8_t *data, size_t size);
void ksma_kept_writer_deinit(struct ksma_kept_writer *writer);

#endif
