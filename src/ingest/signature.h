/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who signed an image or a module, verified with OpenSSL against certificates that the operator gave. */
#ifndef KSMA_INGEST_SIGNATURE_H
#define KSMA_INGEST_SIGNATURE_H

#include "vendor/elf.h"
#include <ksma/vendor.h>

/* The certificates of --trust: each is trusted as it is, whether it signed itself or not, and what it issued. Their dates do
 * not count, as they do not for firmware and kernel. */
struct ingest_trust;

struct ksma_error *ingest_trust_load(const char *path,
				     struct ingest_trust **ret_trust) KSMA_MUST_CHECK;
void ingest_trust_destroy(struct ingest_trust *trust);

/* The certificates that a kernel was built with (certs/system_certificates.S), the key of its own modules among them: DER, one
 * after the other, in its initial data. @image an unpacked kernel @ret_trust NULL when there are none */
struct ksma_error *ingest_trust_of_kernel(const struct ksma_elf *image,
					  struct ingest_trust **ret_trust) KSMA_MUST_CHECK;

struct ingest_signature {
	enum ksma_vendor_signature state;
	char *signer; /* "" when unsigned; owned by the caller */
};

/* The Secure Boot signature of a kernel image. One that is no PE file is unsigned. `trust` may be NULL.
 * @return NULL, or BAD_DATA: it is signed and has been changed since, or the signature is damaged */
struct ksma_error *ingest_image_signature(const uint8_t *data, size_t length,
					  const struct ingest_trust *trust,
					  struct ingest_signature *ret_signature) KSMA_MUST_CHECK;

/* A module's appended signature, of the bytes before it. That a changed module is refused needs the signer's certificate: these
 * signatures carry none. */
struct ksma_error *ingest_module_signature(const uint8_t *content, size_t content_length,
					   const uint8_t *pkcs7, size_t pkcs7_length,
					   const struct ingest_trust *trust,
					   struct ingest_signature *ret_signature) KSMA_MUST_CHECK;

#endif
