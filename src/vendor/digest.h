/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 by OpenSSL, and of a file's bytes all hashes that a manifest keeps: the whole, each page, and the Merkle tree of fs-verity.
 *
 * Only programs that link libcrypto have this; ksma itself does not (its start would be slower by a millisecond). */
#ifndef KSMA_VENDOR_DIGEST_H
#define KSMA_VENDOR_DIGEST_H

#include "base/util.h"
#include <ksma/manifest.h>

struct ksma_sha256;

/* NOMEM is the only error. What follows cannot fail. */
struct ksma_error *ksma_sha256_create(struct ksma_sha256 **ret_sha256) KSMA_MUST_CHECK;
void ksma_sha256_destroy(struct ksma_sha256 *sha256);
void ksma_sha256(struct ksma_sha256 *sha256, const void *data, size_t length,
		 uint8_t ret_hash[KSMA_SHA256]);

/* Any other hash that OpenSSL knows by name ("SHA512"), bytes given one after the other. NOMEM, or UNSUPPORTED. */
struct ksma_hash;

struct ksma_error *ksma_hash_create(const char *algorithm,
				    struct ksma_hash **ret_hash) KSMA_MUST_CHECK;
void ksma_hash_destroy(struct ksma_hash *hash);
void ksma_hash_add(struct ksma_hash *hash, const void *data, size_t length);
/* `ret_hash` has room for 64 bytes. Ready for the next one. @return how long it is */
size_t ksma_hash_end(struct ksma_hash *hash, uint8_t *ret_hash);

/* All hashes of one file, its bytes given from start to end. */
struct ksma_file_digest;

struct ksma_file_hashes {
	uint64_t size;
	uint8_t sha256[KSMA_SHA256];
	uint8_t verity_root[KSMA_SHA256];
	uint8_t *pages; /* KSMA_SHA256 bytes a page */
	uint64_t page_count;
};

struct ksma_error *ksma_file_digest_create(struct ksma_file_digest **ret_digest) KSMA_MUST_CHECK;
void ksma_file_digest_destroy(struct ksma_file_digest *digest);

struct ksma_error *ksma_file_digest_add(struct ksma_file_digest *digest, const void *data,
					size_t length) KSMA_MUST_CHECK;

/* Ends the file, and is ready for another. @ret_hashes the pages belong to the digest until then */
struct ksma_error *ksma_file_digest_end(struct ksma_file_digest *digest,
					struct ksma_file_hashes *ret_hashes) KSMA_MUST_CHECK;

/* The root of fs-verity's tree over the hashes of a file's pages (Documentation/filesystems/fsverity.rst, "Merkle tree"). */
struct ksma_error *ksma_verity_root(struct ksma_sha256 *sha256, const uint8_t *pages,
				    uint64_t page_count,
				    uint8_t ret_root[KSMA_SHA256]) KSMA_MUST_CHECK;

/* What fs-verity calls the file digest: of the descriptor that holds size and root. It is what `fsverity digest` prints, and what the
 * kernel measures. */
void ksma_verity_digest(struct ksma_sha256 *sha256, const uint8_t root[KSMA_SHA256], uint64_t size,
			uint8_t ret_digest[KSMA_SHA256]);

/* From here on, a manifest whose chunks are not what its head says is damaged. Nothing of it may have been read yet. Who made it is
 * still open. */
struct ksma_error *ksma_manifest_check(struct ksma_manifest *manifest) KSMA_MUST_CHECK;

#endif
