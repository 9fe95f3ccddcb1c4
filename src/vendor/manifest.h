/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manifest's file format, and what its reader, its writer and its signatures share.
 *
 * A file is one part after the other, each a manifest as it was made and signed. All numbers are little-endian, each part is a
 * multiple of KSMA_MANIFEST_CHUNK long:
 *
 *   head          256 bytes, offsets below; this is what is signed
 *   chunk table   the SHA-256 of each chunk of the body; the head has the table's own
 *   zeros         to the next multiple of KSMA_MANIFEST_CHUNK
 *   body          in chunks; the sections below, in any order
 *     entries     one record a path, sorted by path as memcmp() does
 *     paths       8 bytes XXH64 of the path (seed 0), 4 bytes entry, 4 zeros; sorted
 *     hashes      8 first bytes of the SHA-256 (as a big-endian number), 4 bytes entry, 4 zeros; sorted; regular files only
 *     pages       the SHA-256 of each page; files of one page have none, it would be their root
 *     strings     with a NUL behind each
 *
 * So one signature vouches for all of it, and yet only the chunks that are used need to be read and hashed. A chunk is read into
 * private memory, hashed there and never read again: what happens to the file afterwards changes nothing (not so a private mapping
 * of it, whose pages are dropped when the file is cut). The attacker is whoever can write to the file. */
#ifndef KSMA_VENDOR_MANIFEST_H
#define KSMA_VENDOR_MANIFEST_H

#include <sys/stat.h>

#include "base/util.h"
#include <ksma/manifest.h>

#define KSMA_MANIFEST_MAGIC "KSMAMFT1"

enum {
	KSMA_MANIFEST_VERSION = 1,
	KSMA_MANIFEST_HEAD = 256,
	KSMA_MANIFEST_CHUNK = 16384,
	KSMA_MANIFEST_RECORD = 144, /* bytes of an entry */
	KSMA_MANIFEST_INDEX = 16,   /* bytes of an index record */
	KSMA_MANIFEST_MAX_PARTS = 64,
	KSMA_MANIFEST_MAX_ENTRIES = 1 << 26,
	KSMA_MANIFEST_MAX_TEXT = 4096,
};
#define KSMA_MANIFEST_MAX_PART (64ull << 30)

/* Offsets in the head. What is not named is zero. */
enum {
	KSMA_HEAD_MAGIC = 0,
	KSMA_HEAD_VERSION = 8,	/* 4 */
	KSMA_HEAD_LENGTH = 16,	/* of the part */
	KSMA_HEAD_CREATED = 24, /* seconds since the epoch */
	KSMA_HEAD_CHUNKS = 32,	/* how many */
	KSMA_HEAD_TABLE = 40,	/* SHA-256 of the chunk table */
	KSMA_HEAD_ENTRIES =
		72, /* of each section: 8 where in the body, 8 how many records (strings: bytes) */
	KSMA_HEAD_PATHS = 88,
	KSMA_HEAD_HASHES = 104,
	KSMA_HEAD_PAGES = 120,
	KSMA_HEAD_STRINGS = 136,
	KSMA_HEAD_END = 152,
};

/* Offsets in an entry. Texts are 8 bytes where in the strings, 4 how long. */
enum {
	KSMA_ENTRY_PATH = 0,
	KSMA_ENTRY_PATH_LENGTH = 8,
	KSMA_ENTRY_TYPE = 12, /* 4 */
	KSMA_ENTRY_SIZE = 16, /* 8 */
	KSMA_ENTRY_MODE = 24,
	KSMA_ENTRY_UID = 28,
	KSMA_ENTRY_GID = 32,
	KSMA_ENTRY_FLAGS = 36,
	KSMA_ENTRY_PAGES = 40, /* 8: which page hash is its first, when it has more than one page */
	KSMA_ENTRY_TARGET = 48,
	KSMA_ENTRY_TARGET_LENGTH = 56,
	KSMA_ENTRY_ORIGIN_LENGTH = 60,
	KSMA_ENTRY_ORIGIN = 64,
	KSMA_ENTRY_SHA256 = 72,
	KSMA_ENTRY_ROOT = 104,
	KSMA_ENTRY_END = 136,
};

struct ksma_manifest_section {
	uint64_t at, count;
};

/* One manifest of those in the file. */
struct ksma_manifest_part {
	uint64_t offset, body; /* where it begins, and its body, in the file */
	uint64_t length, chunks, created;
	uint8_t head[KSMA_MANIFEST_HEAD];
	uint8_t *table; /* chunks * KSMA_SHA256 bytes */
	struct ksma_manifest_section entries, paths, hashes, pages, strings;
	uint8_t *bytes;	 /* the body, as far as it was loaded */
	uint64_t *there; /* a bit a chunk */
};

typedef void (*ksma_sha256_fn)(void *context, const void *data, size_t length,
			       uint8_t ret_hash[KSMA_SHA256]);

struct ksma_manifest {
	char *path;
	int fd;
	struct stat st;
	ksma_sha256_fn sha256; /* NULL: nothing is held against the chunk tables */
	void *sha256_context;
	void (*sha256_end)(void *context);
	/* Contents that are refused, sorted, KSMA_SHA256 bytes each; owned. Nothing is found that has them. */
	uint8_t *refused;
	size_t refused_count;
	struct {
		struct ksma_manifest_part *items;
		size_t count, capacity;
	} parts;
};

/* From here on, each chunk that is loaded must be what the table says, and the table what the head says. Nothing may have been
 * loaded before. Takes the context over, also on failure. */
struct ksma_error *ksma_manifest_check_with(struct ksma_manifest *manifest, ksma_sha256_fn sha256,
					    void *context,
					    void (*end)(void *context)) KSMA_MUST_CHECK;

/* Bytes of a part's body, loaded and checked. */
struct ksma_error *ksma_manifest_bytes(struct ksma_manifest *manifest, uint32_t part, uint64_t at,
				       uint64_t length, const uint8_t **ret_bytes) KSMA_MUST_CHECK;

/* Is another file there now than the one that was opened, or has it been written to? */
bool ksma_manifest_changed(const struct ksma_manifest *manifest);

/* XXH64, seed 0. */
uint64_t ksma_manifest_path_key(const char *path, size_t length);

#endif
