/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The signatures of a manifest, in a file beside it (M.ksma.sig), and the question that it all is for: who vouches for this manifest?
 *
 * The file is text. Its first line is KSMA_SIGNATURES_FORMAT; each signature is a run of lines, hexadecimal but for the scheme:
 *
 *   manifest SHA-256 of the 256 bytes that were signed, the head of a part
 *   scheme rsa-pss-sha256
 *   key SHA-256 of the public key's DER form
 *   signature BYTES
 *   certificate DER (any number, the signer's first)
 *
 * Empty lines and those that begin with # are left out. The attacker is whoever can write to it. */
#ifndef KSMA_VENDOR_SIGNATURES_H
#define KSMA_VENDOR_SIGNATURES_H

#include "vendor/keys.h"
#include "vendor/manifest.h"

#define KSMA_SIGNATURES_FORMAT "kvm-sma signatures 1"

enum { KSMA_SIGNATURES_MAX_FILE = 8 << 20, KSMA_SIGNATURES_MAX = 1024 };

struct ksma_signatures {
	struct ksma_signature *items;
	size_t count, capacity;
};

/* @return NULL, BAD_DATA (with the number of the line), LIMIT, UNSUPPORTED, NOMEM */
struct ksma_error *ksma_signatures_parse(const char *text, size_t length,
					 struct ksma_signatures *ret_signatures) KSMA_MUST_CHECK;
/* @ret_text owned by the caller */
struct ksma_error *ksma_signatures_format(const struct ksma_signatures *signatures, char **ret_text,
					  size_t *ret_length) KSMA_MUST_CHECK;
void ksma_signature_deinit(struct ksma_signature *signature);
void ksma_signatures_deinit(struct ksma_signatures *signatures);

/* Adds a signature, or replaces one of the same key for the same part. Takes it over when it works. */
struct ksma_error *ksma_signatures_put(struct ksma_signatures *signatures,
				       struct ksma_signature *signature) KSMA_MUST_CHECK;

/* Those beside a manifest; none when there is no such file. Atomically replaced by the second. */
struct ksma_error *ksma_signatures_read(const char *manifest,
					struct ksma_signatures *ret_signatures) KSMA_MUST_CHECK;
struct ksma_error *ksma_signatures_write(const char *manifest,
					 const struct ksma_signatures *signatures) KSMA_MUST_CHECK;

/* Opens a manifest each of whose parts is signed by one of these keys. Whatever is read of it afterwards is what was signed, and no file
 * is found in it whose contents were revoked.
 * @return NULL, what ksma_manifest_open() returns, BAD_DATA when it is not signed so: the message says why */
struct ksma_error *ksma_manifest_open_signed(const char *path, const struct ksma_keys *keys,
					     struct ksma_manifest **ret_manifest) KSMA_MUST_CHECK;

/* The best of the signatures of one part. Says nothing of the part's contents before ksma_manifest_check(). */
struct ksma_error *ksma_manifest_vouched(const struct ksma_manifest *manifest, uint32_t part,
					 const struct ksma_signatures *signatures,
					 const struct ksma_keys *keys,
					 struct ksma_verdict *ret_verdict) KSMA_MUST_CHECK;

/* Looks at every byte and every record of a manifest that is checked: it is sorted, each path is found, each text is whole.
 * @return NULL, BAD_DATA, OS, NOMEM */
struct ksma_error *ksma_manifest_read_all(struct ksma_manifest *manifest) KSMA_MUST_CHECK;

#endif
