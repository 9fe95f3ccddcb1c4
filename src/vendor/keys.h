/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keys that are trusted: a folder of PEM public keys and certificates, and what of them was revoked. OpenSSL does the cryptography.
 *
 * A public key in the folder is trusted as it is. A certificate is trusted within its dates and for what it may be used; so is what it issued. The
 * folder is the root of all trust, and must belong to root or the caller and be writable by nobody else. The attacker is whoever made what
 * is verified. */
#ifndef KSMA_VENDOR_KEYS_H
#define KSMA_VENDOR_KEYS_H

#include "base/util.h"
#include <ksma/manifest.h>

struct ksma_keys;

enum ksma_trust {
	KSMA_TRUST_GOOD,
	KSMA_TRUST_UNSIGNED,
	KSMA_TRUST_UNKNOWN, /* nobody that the folder knows made it, or vouches for who did */
	KSMA_TRUST_BAD,	    /* it does not fit: other bytes were signed, or it is damaged */
	KSMA_TRUST_EXPIRED, /* a certificate is past its date, or not yet valid */
	KSMA_TRUST_REVOKED,
	KSMA_TRUST_USAGE, /* the certificate is for other purposes */
	KSMA_TRUST_WEAK,  /* by a key, or a hash, that is too short */
};

/* What became of a signature. */
struct ksma_verdict {
	enum ksma_trust trust;
	uint8_t key[KSMA_SHA256]; /* of whose public key; zeros when not known */
	char signer
		[128]; /* a certificate's subject, or the file that the key is in; "" when not known */
	char why[160]; /* one phrase; "" when it is good */
};

enum ksma_scheme {
	KSMA_RSA_PSS_SHA256,
	KSMA_RSA_PKCS1_SHA256,
	KSMA_ECDSA_SHA256,
	KSMA_ECDSA_SHA384,
	KSMA_ECDSA_SHA512,
	KSMA_ED25519,
	KSMA_SCHEME_COUNT,
};

enum {
	KSMA_MAX_CERTIFICATES = 8, /* that a signature brings along */
	KSMA_MAX_CERTIFICATE = 16384,
	KSMA_MAX_SIGNATURE = 1024,
};

struct ksma_der {
	uint8_t *data;
	size_t length;
};

/* A signature as it came. */
struct ksma_signature {
	uint8_t head[KSMA_SHA256]; /* SHA-256 of what was signed: a manifest's head */
	uint8_t key[KSMA_SHA256];  /* SHA-256 of the public key's DER form */
	enum ksma_scheme scheme;
	struct ksma_der bytes;
	struct ksma_der certificates[KSMA_MAX_CERTIFICATES]; /* the signer's first */
	size_t certificate_count;
};

const char *ksma_scheme_name(enum ksma_scheme scheme);
bool ksma_scheme_find(const char *name, size_t length, enum ksma_scheme *ret_scheme);
const char *ksma_trust_name(enum ksma_trust trust);

/* Reads the folder. Files: PEM (any number of keys and certificates in one), a certificate or a public key in DER, `revoked`; names that begin
 * with a dot are left alone. Private keys are left alone and counted.
 * @ret_keys ended with ksma_keys_close()
 * @return NULL, OS, PERMISSION (others may write to it), INVALID (a file holds neither, or a key is of no use), BAD_DATA, NOMEM */
struct ksma_error *ksma_keys_open(const char *folder, struct ksma_keys **ret_keys) KSMA_MUST_CHECK;
void ksma_keys_close(struct ksma_keys *keys);

const char *ksma_keys_folder(const struct ksma_keys *keys);
size_t ksma_keys_count(const struct ksma_keys *keys);
size_t ksma_keys_private(const struct ksma_keys *keys);

/* The SHA-256 that revocation knows the first key of a file by, or the first certificate. */
struct ksma_error *ksma_key_file_id(const char *path, bool certificate,
				    uint8_t ret_id[KSMA_SHA256]) KSMA_MUST_CHECK;

/* Was the folder written to since? Then open it anew. */
bool ksma_keys_changed(const struct ksma_keys *keys);

/* Is this the content of a file that was revoked? */
bool ksma_keys_file_revoked(const struct ksma_keys *keys, const uint8_t sha256[KSMA_SHA256]);

/* The contents that were revoked, sorted, KSMA_SHA256 bytes each. @ret_hashes owned by the caller, NULL when there are none */
struct ksma_error *ksma_keys_files_revoked(const struct ksma_keys *keys, uint8_t **ret_hashes,
					   size_t *ret_count) KSMA_MUST_CHECK;

/* Who signed these bytes, and is it to be believed. NOMEM is the only error. */
struct ksma_error *ksma_keys_verify(const struct ksma_keys *keys,
				    const struct ksma_signature *signature, const void *message,
				    size_t length,
				    struct ksma_verdict *ret_verdict) KSMA_MUST_CHECK;

/* The same for a signature of a hash that names its key by four bytes, as security.ima does: RSA (PKCS#1) or ECDSA.
 * @algorithm "SHA256", as OpenSSL calls it */
struct ksma_error *ksma_keys_verify_digest(const struct ksma_keys *keys, const uint8_t key_id[4],
					   const char *algorithm, const uint8_t *digest,
					   size_t digest_length, const uint8_t *signature,
					   size_t signature_length,
					   struct ksma_verdict *ret_verdict) KSMA_MUST_CHECK;

#endif
