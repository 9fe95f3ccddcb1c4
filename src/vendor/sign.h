/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signing: where systems are built, never on a host that looks at guests. */
#ifndef KSMA_VENDOR_SIGN_H
#define KSMA_VENDOR_SIGN_H

#include "vendor/keys.h"

struct ksma_signer;

/* Reads a private key, and the certificates that vouch for it. A passphrase is asked for on the terminal.
 * @certificates PEM, the signer's first; or NULL @pkcs1 an RSA key signs as PKCS#1 v1.5 has it, not PSS
 * @return NULL, OS, PERMISSION, INVALID (it holds no key, one that is of no use, or the first certificate is another key's), NOMEM */
struct ksma_error *ksma_signer_open(const char *key, const char *certificates, bool pkcs1,
				    struct ksma_signer **ret_signer) KSMA_MUST_CHECK;
void ksma_signer_close(struct ksma_signer *signer);

/* Signs. `head` of the signature is left zero. @ret_signature ended with ksma_signature_deinit() */
struct ksma_error *ksma_sign(const struct ksma_signer *signer, const void *message, size_t length,
			     struct ksma_signature *ret_signature) KSMA_MUST_CHECK;

#endif
