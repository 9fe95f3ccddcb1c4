/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What reading the folder of keys and verifying by it share. */
#ifndef KSMA_VENDOR_KEYS_IMPL_H
#define KSMA_VENDOR_KEYS_IMPL_H

#include <openssl/x509.h>
#include <sys/stat.h>

#include "vendor/keys.h"
#include "vendor/revoked.h"

struct ksma_key {
	EVP_PKEY *key;
	X509 *certificate; /* NULL: a bare key */
	uint8_t id[KSMA_SHA256];
	uint8_t ima
		[2]
		[4]; /* how security.ima may name it: by the key's SHA-1, by the certificate's key identifier */
	char *file; /* where it was found */
};

struct ksma_keys {
	char *folder;
	uint64_t state; /* of the folder when it was read, see ksma_keys_changed() */
	struct {
		struct ksma_key *items;
		size_t count, capacity;
	} list;
	X509_STORE *store;
	struct ksma_revoked revoked;
	size_t private_keys;
};

/* SHA-256 of SubjectPublicKeyInfo. @return false when there is none */
bool ksma_key_id(EVP_PKEY *key, uint8_t ret_id[KSMA_SHA256]);
bool ksma_certificate_id(const X509 *certificate, uint8_t ret_id[KSMA_SHA256]);

/* Is it of a kind and size that is believed? @ret_why when not, room for 160 bytes */
bool ksma_key_is_strong(const EVP_PKEY *key, char *ret_why);

/* "CN=…,O=…", cut to fit. */
void ksma_subject(const X509 *certificate, char *text, size_t size);

#endif
