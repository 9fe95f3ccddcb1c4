/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes signatures with OpenSSL. */
#include "vendor/sign.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "vendor/keys_impl.h"
#include "vendor/signatures.h"

enum { MAX_FILE = 1 << 20 };

struct ksma_signer {
	EVP_PKEY *key;
	STACK_OF(X509) * certificates;
	enum ksma_scheme scheme;
};

static struct ksma_error *open_bio(const char *path, char **ret_data, BIO **ret_bio)
{
	size_t length;

	KSMA_TRY(ksma_read_file(path, MAX_FILE, ret_data, &length));
	*ret_bio = BIO_new_mem_buf(*ret_data, (int)length);
	return *ret_bio ? NULL : ksma_error_nomem();
}

static struct ksma_error *read_key(const char *path, EVP_PKEY **ret_key)
{
	_cleanup_free_ char *data = NULL;
	char why[160];
	BIO *bio;

	KSMA_TRY(open_bio(path, &data, &bio));
	*ret_key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	ERR_clear_error();
	explicit_bzero(data, strlen(data));
	if (!*ret_key)
		return ksma_error_create(
			KSMA_ERROR_INVALID,
			"%s holds no private key in PEM form, or the passphrase is not its own",
			path);
	if (!ksma_key_is_strong(*ret_key, why))
		return ksma_error_create(KSMA_ERROR_INVALID, "%s holds %s", path, why);
	return NULL;
}

static struct ksma_error *read_chain(struct ksma_signer *s, const char *path)
{
	_cleanup_free_ char *data = NULL;
	struct ksma_error *error = NULL;
	X509 *certificate;
	BIO *bio;

	KSMA_TRY(open_bio(path, &data, &bio));
	while (!error && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		if (sk_X509_push(s->certificates, certificate) <= 0) {
			X509_free(certificate);
			error = ksma_error_nomem();
		}
	BIO_free(bio);
	ERR_clear_error();
	if (error)
		return error;
	if (!sk_X509_num(s->certificates))
		return ksma_error_create(KSMA_ERROR_INVALID, "%s holds no certificate in PEM form",
					 path);
	if (sk_X509_num(s->certificates) > KSMA_MAX_CERTIFICATES)
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "%s holds more than %d certificates: leave out those that "
					 "lead nowhere",
					 path, KSMA_MAX_CERTIFICATES);
	if (X509_check_private_key(sk_X509_value(s->certificates, 0), s->key) != 1) {
		ERR_clear_error();
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "the first certificate in %s is of another key", path);
	}
	return NULL;
}

static enum ksma_scheme scheme_of(const EVP_PKEY *key, bool pkcs1)
{
	int bits = EVP_PKEY_get_bits(key);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		return pkcs1 ? KSMA_RSA_PKCS1_SHA256 : KSMA_RSA_PSS_SHA256;
	case EVP_PKEY_RSA_PSS:
		return KSMA_RSA_PSS_SHA256;
	case EVP_PKEY_EC:
		if (bits > 384)
			return KSMA_ECDSA_SHA512;
		return bits > 256 ? KSMA_ECDSA_SHA384 : KSMA_ECDSA_SHA256;
	default:
		return KSMA_ED25519;
	}
}

struct ksma_error *ksma_signer_open(const char *key, const char *certificates, bool pkcs1,
				    struct ksma_signer **ret_signer)
{
	struct ksma_signer *s = calloc(1, sizeof(*s));
	struct ksma_error *error;

	if (!s)
		return ksma_error_nomem();
	s->certificates = sk_X509_new_null();
	error = s->certificates ? read_key(key, &s->key) : ksma_error_nomem();
	if (!error && certificates)
		error = read_chain(s, certificates);
	if (error) {
		ksma_signer_close(s);
		return error;
	}
	s->scheme = scheme_of(s->key, pkcs1);
	*ret_signer = s;
	return NULL;
}

void ksma_signer_close(struct ksma_signer *s)
{
	if (!s)
		return;
	EVP_PKEY_free(s->key);
	sk_X509_pop_free(s->certificates, X509_free);
	free(s);
}

static const char *hash_of(enum ksma_scheme scheme)
{
	switch (scheme) {
	case KSMA_ECDSA_SHA384:
		return "SHA384";
	case KSMA_ECDSA_SHA512:
		return "SHA512";
	case KSMA_ED25519:
		return NULL;
	default:
		return "SHA256";
	}
}

static bool make(const struct ksma_signer *s, const void *message, size_t length, uint8_t *bytes,
		 size_t *count)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *key_context = NULL;
	bool good = context && EVP_DigestSignInit_ex(context, &key_context, hash_of(s->scheme),
						     NULL, NULL, s->key, NULL) == 1;

	if (good && s->scheme == KSMA_RSA_PSS_SHA256)
		good = EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, RSA_PSS_SALTLEN_DIGEST) == 1;
	if (good && s->scheme == KSMA_RSA_PKCS1_SHA256)
		good = EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PADDING) == 1;
	good = good && EVP_DigestSign(context, bytes, count, message, length) == 1;
	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return good;
}

static struct ksma_error *bring_certificates(const struct ksma_signer *s,
					     struct ksma_signature *signature)
{
	for (int i = 0; i < sk_X509_num(s->certificates); i++) {
		struct ksma_der *der = &signature->certificates[signature->certificate_count];
		const X509 *certificate = sk_X509_value(s->certificates, i);
		int length = i2d_X509(certificate, NULL);
		unsigned char *p;

		if (length <= 0 || length > KSMA_MAX_CERTIFICATE)
			return ksma_error_create(KSMA_ERROR_INVALID,
						 "a certificate has more than %d bytes",
						 KSMA_MAX_CERTIFICATE);
		der->data = malloc((size_t)length);
		if (!der->data)
			return ksma_error_nomem();
		p = der->data;
		der->length = (size_t)i2d_X509(certificate, &p);
		signature->certificate_count++;
	}
	return NULL;
}

static struct ksma_error *fill(const struct ksma_signer *s, const void *message, size_t length,
			       struct ksma_signature *signature)
{
	signature->scheme = s->scheme;
	signature->bytes.data = malloc(KSMA_MAX_SIGNATURE);
	if (!signature->bytes.data)
		return ksma_error_nomem();
	signature->bytes.length = KSMA_MAX_SIGNATURE;
	if (!ksma_key_id(s->key, signature->key))
		return ksma_error_nomem();
	if (!make(s, message, length, signature->bytes.data, &signature->bytes.length))
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "this key does not sign as %s (was it made for other "
					 "parameters?)",
					 ksma_scheme_name(s->scheme));
	return bring_certificates(s, signature);
}

struct ksma_error *ksma_sign(const struct ksma_signer *s, const void *message, size_t length,
			     struct ksma_signature *ret_signature)
{
	struct ksma_signature signature = { 0 };
	struct ksma_error *error = fill(s, message, length, &signature);

	if (error)
		ksma_signature_deinit(&signature);
	else
		*ret_signature = signature;
	return error;
}
