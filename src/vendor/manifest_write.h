/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes manifests. What is given is kept in memory, sorted at the end, and written next to its place before it takes it. */
#ifndef KSMA_VENDOR_MANIFEST_WRITE_H
#define KSMA_VENDOR_MANIFEST_WRITE_H

#include "vendor/digest.h"

struct ksma_manifest_writer;

struct ksma_error *
ksma_manifest_writer_create(struct ksma_manifest_writer **ret_writer) KSMA_MUST_CHECK;
void ksma_manifest_writer_destroy(struct ksma_manifest_writer *writer);

/* Adds a path. Of `entry`, type, flags, path, target, origin, mode, uid, gid, and of a file size, sha256 and verity_root are taken; pages
 * has KSMA_SHA256 bytes for each page of a file, and may be NULL for one of less than two pages. Of a path that comes again, the later counts.
 * @return NULL, NOMEM, LIMIT (too many, or a path is too long), INVALID (the entry makes no sense) */
struct ksma_error *ksma_manifest_writer_add(struct ksma_manifest_writer *writer,
					    const struct ksma_manifest_entry *entry,
					    const uint8_t *pages) KSMA_MUST_CHECK;

/* Adds a path that is what another one is, as a hard link is. NOT_PRESENT when that one was not added before. */
struct ksma_error *ksma_manifest_writer_copy(struct ksma_manifest_writer *writer, const char *from,
					     const char *path) KSMA_MUST_CHECK;

/* Adds all that another manifest says, its latest word on each path. */
struct ksma_error *ksma_manifest_writer_add_all(struct ksma_manifest_writer *writer,
						struct ksma_manifest *manifest) KSMA_MUST_CHECK;

/* How many paths it holds by now. */
uint64_t ksma_manifest_writer_count(const struct ksma_manifest_writer *writer);

/* The whole manifest to a file that is open for writing. `created` is seconds since the epoch. Call it once. */
struct ksma_error *ksma_manifest_writer_write(struct ksma_manifest_writer *writer, int fd,
					      uint64_t created) KSMA_MUST_CHECK;

#endif
