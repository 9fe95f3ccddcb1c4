/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the store of vendor references. What is added becomes visible at once and whole, or not at all: a full disk, a kill or a
 * power cut lose nothing that was there. Several may add at a time. */
#ifndef KSMA_VENDOR_WRITE_H
#define KSMA_VENDOR_WRITE_H

#include "vendor/store.h"

/* Opens a store to write to, and makes it where there is none, with the folders above it.
 * @ret_vendor closed with ksma_vendor_close() */
struct ksma_error *ksma_vendor_create(const char *path,
				      struct ksma_vendor **ret_vendor) KSMA_MUST_CHECK;

struct ksma_vendor_writer;

/* Begins an addition: a folder of its own below tmp/. What other additions left there when they were killed is removed.
 * @ret_writer ended with ksma_vendor_writer_destroy(), which undoes what was not committed */
struct ksma_error *ksma_vendor_begin(struct ksma_vendor *vendor,
				     struct ksma_vendor_writer **ret_writer) KSMA_MUST_CHECK;

/* Writes an object and its entry, which must say kind, sha256 (the right one: it is not looked at), build id, and its texts, of
 * which NULL is "". size is set here.
 * @ret_known the same object is in the store already: only its entry is written */
struct ksma_error *ksma_vendor_put(struct ksma_vendor_writer *writer, const void *data,
				   size_t length, const struct ksma_vendor_entry *entry,
				   bool *ret_known) KSMA_MUST_CHECK;

/* Makes all of it visible, after it has reached the disk. An entry that is there and verified stays when the new one is not.
 * On an error nothing of it is visible. */
struct ksma_error *ksma_vendor_commit(struct ksma_vendor_writer *writer) KSMA_MUST_CHECK;
void ksma_vendor_writer_destroy(struct ksma_vendor_writer *writer);

/* Removes objects and what is said of them; one that is not there any more is no error. */
struct ksma_error *ksma_vendor_remove(struct ksma_vendor *vendor,
				      const struct ksma_vendor_entry *entries,
				      size_t count) KSMA_MUST_CHECK;

#endif
