/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The folder that holds the vendor reference, and what both its readers and its writer know of it.
 *
 *   STORE/format                        "kvm-sma vendor store 1"
 *   STORE/objects/ab/REST               the bytes, named by their SHA-256; never changed once there
 *   STORE/index/cd/REST-SHA256          what is said of one object, named by its build id: lines "key value"
 *   STORE/tmp/                          what is being written
 *   STORE/lock                          taken by those who write
 *
 * An object is complete before an index entry names it, so a reader needs no lock: what the index does not name is not there. */
#ifndef KSMA_VENDOR_STORE_H
#define KSMA_VENDOR_STORE_H

#include "base/util.h"
#include <ksma/vendor.h>

#define KSMA_VENDOR_FORMAT "kvm-sma vendor store 1\n"

enum {
	KSMA_VENDOR_MAX_ENTRY = 16 << 10, /* bytes of an index entry */
	KSMA_VENDOR_MAX_OBJECT = 1 << 30,
	KSMA_VENDOR_NAME_BUFFER = 192, /* for the names below */
};

/* Lets go of the pages of an object that was read: it is read again where it is looked at again. */
void ksma_vendor_object_forget(const struct ksma_vendor_object *object);

struct ksma_vendor {
	char *path;
	int fd; /* the folder */
};

/* "objects/ab/…" and "index/cd/…-…", relative to the store. The buffers hold KSMA_VENDOR_NAME_BUFFER bytes. */
void ksma_vendor_object_name(const char *sha256, char *buffer);
void ksma_vendor_index_name(const struct ksma_vendor_entry *entry, char *buffer);

/* The text of an index entry, and back. `name` is the index file's own name without its folder, which says build id and hash.
 * @ret_text owned by the caller */
struct ksma_error *ksma_vendor_entry_format(const struct ksma_vendor_entry *entry, char **ret_text,
					    size_t *ret_length) KSMA_MUST_CHECK;
struct ksma_error *ksma_vendor_entry_parse(const char *folder, const char *name, const char *text,
					   size_t length,
					   struct ksma_vendor_entry *ret_entry) KSMA_MUST_CHECK;

/* The entries of index name "index/ab/…" as made above: one, or none when it is not there. */
struct ksma_error *ksma_vendor_entries_at(struct ksma_vendor *vendor, const char *name,
					  struct ksma_vendor_entries *entries) KSMA_MUST_CHECK;

/* An entry's object, mapped. The entry is copied. */
struct ksma_error *ksma_vendor_map(struct ksma_vendor *vendor,
				   const struct ksma_vendor_entry *entry,
				   struct ksma_vendor_object *ret_object) KSMA_MUST_CHECK;

/* Lower-case hex with a NUL; `text` has 2 * length + 1 bytes. */
void ksma_hex_format(const uint8_t *bytes, size_t length, char *text);
/* @return how many bytes were read, or 0 when `length` characters are no hex or do not fit */
size_t ksma_hex_parse(const char *text, size_t length, uint8_t *bytes, size_t capacity);

#endif
