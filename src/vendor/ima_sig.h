/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The extended attribute security.ima: a file's own hash or signature, as the kernel's IMA and `evmctl ima_sign` write it.
 *
 * Layouts: security/integrity/integrity.h of the kernel (struct evm_ima_xattr_data, struct ima_digest_data, struct signature_v2_hdr), the
 * numbers of hashes include/uapi/linux/hash_info.h. The attacker is the guest. */
#ifndef KSMA_VENDOR_IMA_SIG_H
#define KSMA_VENDOR_IMA_SIG_H

#include "vendor/keys.h"

enum ksma_ima_kind {
	KSMA_IMA_HASH,	     /* of the file, by nobody in particular */
	KSMA_IMA_SIGNATURE,  /* of the file's hash (signature v2) */
	KSMA_IMA_VERITY_SIG, /* of the file's fs-verity digest (signature v3, Linux 5.19) */
};

enum {
	KSMA_IMA_MAX = 1024 + 16 /* bytes of the attribute that are looked at */,
	KSMA_HASH_MAX = 64
};

/* What an attribute says; the bytes are those that were parsed. */
struct ksma_ima {
	enum ksma_ima_kind kind;
	const char *algorithm; /* "SHA256" */
	size_t hash_length;    /* of that algorithm */
	uint8_t number;	       /* what the kernel calls it by */
	uint8_t key_id[4];     /* of a signature */
	const uint8_t *bytes;  /* the signature, or the hash */
	size_t length;
};

/* @return NULL, BAD_DATA (damaged), UNSUPPORTED (another kind or version; a hash that is not taken: MD5, SHA-1 and the like are too weak) */
struct ksma_error *ksma_ima_parse(const uint8_t *data, size_t length,
				  struct ksma_ima *ret_ima) KSMA_MUST_CHECK;

/* Who signed a file with this hash (by ima->algorithm, ima->hash_length bytes; for KSMA_IMA_VERITY_SIG its fs-verity digest)? A mere
 * hash is unsigned when it fits, and bad when it does not. NOMEM is the only error. */
struct ksma_error *ksma_ima_verify(const struct ksma_ima *ima, const struct ksma_keys *keys,
				   const uint8_t *hash,
				   struct ksma_verdict *ret_verdict) KSMA_MUST_CHECK;

#endif
