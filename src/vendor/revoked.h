/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file `revoked` in a folder of keys: keys, certificates and files that are good no more.
 *
 * Lines "key HASH", "certificate HASH", "file HASH", each with words behind it if one likes (when, why); empty lines, and those that
 * begin with #. The hashes are SHA-256 in 64 hexadecimal digits: of a public key's DER form (SubjectPublicKeyInfo), of a certificate's, of
 * a file's bytes. A line that is none of these makes the whole list unreadable: half a list would let through what it was to stop. */
#ifndef KSMA_VENDOR_REVOKED_H
#define KSMA_VENDOR_REVOKED_H

#include "base/util.h"
#include <ksma/manifest.h>

enum ksma_revoked_kind {
	KSMA_REVOKED_KEY,
	KSMA_REVOKED_CERTIFICATE,
	KSMA_REVOKED_FILE,
};

enum { KSMA_REVOKED_MAX = 64 << 20 }; /* bytes of the list */

struct ksma_revoked_item {
	uint8_t hash[KSMA_SHA256];
	uint8_t kind;
};

/* Sorted; all zeros is an empty list. */
struct ksma_revoked {
	struct ksma_revoked_item *items;
	size_t count, capacity;
};

/* @return NULL, BAD_DATA (with the number of the line), NOMEM */
struct ksma_error *ksma_revoked_parse(const char *text, size_t length,
				      struct ksma_revoked *ret_revoked) KSMA_MUST_CHECK;
void ksma_revoked_deinit(struct ksma_revoked *revoked);

bool ksma_revoked_has(const struct ksma_revoked *revoked, enum ksma_revoked_kind kind,
		      const uint8_t hash[KSMA_SHA256]);

const char *ksma_revoked_kind_name(enum ksma_revoked_kind kind);

/* Adds a line to the list of a folder, which is made if there is none. What is on it already stays as it is.
 * @words when and why, without a newline @ret_known it was on the list
 * @return NULL, INVALID (the words), BAD_DATA (the list), LIMIT, OS, PERMISSION, NOMEM */
struct ksma_error *ksma_revoked_add(const char *folder, enum ksma_revoked_kind kind,
				    const uint8_t hash[KSMA_SHA256], const char *words,
				    bool *ret_known) KSMA_MUST_CHECK;

#endif
