/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures: Authenticode (PKCS#7 around a hash of the PE file) and those of modules (detached CMS). OpenSSL does the cryptography. */
#include "ingest/signature.h"

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "vendor/pe.h"

struct ingest_trust {
	STACK_OF(X509) * certificates;
	X509_STORE *store;
};

enum { MAX_TRUST = 1 << 20, MAX_SIGNATURE = 1 << 20, MAX_BUILT_IN = 64 };

#define SPC_INDIRECT_DATA "1.3.6.1.4.1.311.2.1.4"

static struct ksma_error *changed(void)
{
	ERR_clear_error();
	return ksma_error_create(
		KSMA_ERROR_BAD_DATA,
		"its signature is of other bytes: it was changed after it was signed");
}

static struct ksma_error *damaged(void)
{
	ERR_clear_error();
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "its signature is damaged");
}

void ingest_trust_destroy(struct ingest_trust *trust)
{
	if (!trust)
		return;
	sk_X509_pop_free(trust->certificates, X509_free);
	X509_STORE_free(trust->store);
	free(trust);
}

static struct ksma_error *add_certificate(struct ingest_trust *trust, X509 *certificate)
{
	if (X509_STORE_add_cert(trust->store, certificate) != 1 ||
	    sk_X509_push(trust->certificates, certificate) <= 0) {
		X509_free(certificate);
		return ksma_error_nomem();
	}
	return NULL;
}

/* PEM, any number of them; or one in DER. */
static struct ksma_error *read_certificates(struct ingest_trust *trust, const char *path)
{
	_cleanup_free_ char *data = NULL;
	struct ksma_error *error = NULL;
	const unsigned char *p;
	X509 *certificate;
	size_t length;
	BIO *bio;

	KSMA_TRY(ksma_read_file(path, MAX_TRUST, &data, &length));
	bio = BIO_new_mem_buf(data, (int)length);
	if (!bio)
		return ksma_error_nomem();
	while (!error && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		error = add_certificate(trust, certificate);
	BIO_free(bio);
	ERR_clear_error();
	if (error || sk_X509_num(trust->certificates))
		return error;
	p = (const unsigned char *)data;
	certificate = d2i_X509(NULL, &p, (long)length);
	ERR_clear_error();
	if (!certificate)
		return ksma_error_create(KSMA_ERROR_INVALID, "%s holds no certificate (PEM or DER)",
					 path);
	return add_certificate(trust, certificate);
}

static struct ksma_error *new_trust(struct ingest_trust **ret_trust)
{
	struct ingest_trust *trust = calloc(1, sizeof(*trust));

	if (!trust)
		return ksma_error_nomem();
	trust->certificates = sk_X509_new_null();
	trust->store = X509_STORE_new();
	if (!trust->certificates || !trust->store ||
	    X509_STORE_set_flags(trust->store,
				 X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME) != 1 ||
	    X509_STORE_set_purpose(trust->store, X509_PURPOSE_ANY) != 1) {
		ingest_trust_destroy(trust);
		return ksma_error_nomem();
	}
	*ret_trust = trust;
	return NULL;
}

/* Whatever begins as a certificate, parses as one, and is whole. */
static struct ksma_error *find_certificates(const struct ksma_elf_section *section,
					    struct ingest_trust *trust)
{
	const uint8_t *end = section->data + section->size, *at = section->data;

	while (end - at > 8 && sk_X509_num(trust->certificates) < MAX_BUILT_IN &&
	       (at = memmem(at, (size_t)(end - at), "\x30\x82", 2)) && end - at > 8) {
		size_t length = ((size_t)at[2] << 8 | at[3]) + 4;
		const unsigned char *p = at;
		X509 *certificate = NULL;

		if (at[4] == 0x30 && at[5] == 0x82 && length <= (size_t)(end - at))
			certificate = d2i_X509(NULL, &p, (long)length);
		at += certificate ? length : 2;
		if (certificate)
			KSMA_TRY(add_certificate(trust, certificate));
	}
	ERR_clear_error();
	return NULL;
}

struct ksma_error *ingest_trust_of_kernel(const struct ksma_elf *image,
					  struct ingest_trust **ret_trust)
{
	static const char *const places[] = { ".init.data", ".init.rodata", "__init_rodata" };
	struct ksma_error *error = NULL;
	struct ingest_trust *trust;

	KSMA_TRY(new_trust(&trust));
	for (size_t i = 0; i < ARRAY_SIZE(places) && !error; i++) {
		const struct ksma_elf_section *s = ksma_elf_section(image, places[i]);

		if (s && s->data)
			error = find_certificates(s, trust);
	}
	if (error || sk_X509_num(trust->certificates) == 0) {
		ingest_trust_destroy(trust);
		trust = NULL;
	}
	if (!error)
		*ret_trust = trust;
	return error;
}

struct ksma_error *ingest_trust_load(const char *path, struct ingest_trust **ret_trust)
{
	struct ksma_error *error;
	struct ingest_trust *trust;

	KSMA_TRY(new_trust(&trust));
	error = read_certificates(trust, path);
	if (error)
		ingest_trust_destroy(trust);
	else
		*ret_trust = trust;
	return error;
}

/* "CN=…" */
static struct ksma_error *name_text(const X509_NAME *name, const ASN1_INTEGER *serial,
				    char **ret_text)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	long length;

	if (!bio)
		return ksma_error_nomem();
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
	if (serial) {
		BIO_puts(bio, " serial ");
		i2a_ASN1_INTEGER(bio, serial);
	}
	length = BIO_get_mem_data(bio, &bytes);
	*ret_text = length > 0 ? strndup(bytes, (size_t)length) : strdup("");
	BIO_free(bio);
	return *ret_text ? NULL : ksma_error_nomem();
}

/* One element of DER: its contents. @return false unless it is there, whole, and of that tag */
static bool der_take(const uint8_t **at, const uint8_t *end, int tag, const uint8_t **ret_data,
		     size_t *ret_length)
{
	long length;
	int found, class, flags;

	if (*at >= end)
		return false;
	flags = ASN1_get_object(at, &length, &found, &class, end - *at);
	if (flags & 0x80 || flags & 1 || found != tag || class != V_ASN1_UNIVERSAL || length < 0 ||
	    length > end - *at) {
		ERR_clear_error();
		return false;
	}
	*ret_data = *at;
	*ret_length = (size_t)length;
	*at += length;
	return true;
}

/* SpcIndirectDataContent ::= SEQUENCE { data SEQUENCE, messageDigest SEQUENCE { SEQUENCE { OID … }, OCTET STRING } } */
static bool parse_spc(const uint8_t *data, size_t length, const EVP_MD **ret_type,
		      const uint8_t **ret_digest, size_t *ret_length)
{
	const uint8_t *end = data + length, *what, *piece, *algorithm, *oid;
	size_t what_size, size, algorithm_size;
	ASN1_OBJECT *object;

	if (!der_take(&data, end, V_ASN1_SEQUENCE, &what, &what_size) ||
	    !der_take(&data, end, V_ASN1_SEQUENCE, &piece, &size) || data != end)
		return false;
	data = piece;
	end = piece + size;
	if (!der_take(&data, end, V_ASN1_SEQUENCE, &algorithm, &algorithm_size) ||
	    !der_take(&data, end, V_ASN1_OCTET_STRING, ret_digest, ret_length) || data != end)
		return false;
	oid = algorithm;
	object = d2i_ASN1_OBJECT(NULL, &oid, (long)algorithm_size);
	*ret_type = object ? EVP_get_digestbyobj(object) : NULL;
	ASN1_OBJECT_free(object);
	ERR_clear_error();
	return *ret_type != NULL;
}

/* @return false when the file's hash is another, or could not be made */
static bool same_digest(const struct ksma_pe *pe, const EVP_MD *type, const uint8_t *digest,
			size_t length)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t found[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	bool good = context && EVP_DigestInit_ex(context, type, NULL) == 1;

	for (size_t i = 0; good && i < pe->hashed_count; i++)
		good = EVP_DigestUpdate(context, pe->hashed[i].data, pe->hashed[i].length) == 1;
	good = good && EVP_DigestFinal_ex(context, found, &size) == 1 && size == length &&
	       memcmp(found, digest, size) == 0;
	EVP_MD_CTX_free(context);
	return good;
}

/* The signed bytes inside a PKCS#7 of SpcIndirectData: the SEQUENCE's contents. */
static bool spc_of(const PKCS7 *p7, const uint8_t **ret_data, size_t *ret_length)
{
	const PKCS7 *contents;
	const ASN1_STRING *whole;
	const uint8_t *at;
	char oid[64];

	if (!PKCS7_type_is_signed(p7) || !p7->d.sign || !p7->d.sign->contents)
		return false;
	contents = p7->d.sign->contents;
	if (OBJ_obj2txt(oid, sizeof(oid), contents->type, 1) <= 0 ||
	    strcmp(oid, SPC_INDIRECT_DATA) != 0 || !contents->d.other ||
	    contents->d.other->type != V_ASN1_SEQUENCE)
		return false;
	whole = contents->d.other->value.sequence;
	at = ASN1_STRING_get0_data(whole);
	return der_take(&at, at + ASN1_STRING_length(whole), V_ASN1_SEQUENCE, ret_data, ret_length);
}

/* @trust NULL: only that the signature is the signer's own */
static bool verify_pkcs7(PKCS7 *p7, const uint8_t *data, size_t length,
			 const struct ingest_trust *trust)
{
	BIO *bio = BIO_new_mem_buf(data, (int)length);
	bool good = bio && PKCS7_verify(p7, trust ? trust->certificates : NULL,
					trust ? trust->store : NULL, bio, NULL,
					PKCS7_BINARY | (trust ? 0 : PKCS7_NOVERIFY)) == 1;

	BIO_free(bio);
	ERR_clear_error();
	return good;
}

static struct ksma_error *pkcs7_signer(PKCS7 *p7, const struct ingest_trust *trust, char **ret_name)
{
	STACK_OF(X509) *signers = PKCS7_get0_signers(p7, trust ? trust->certificates : NULL, 0);
	struct ksma_error *error;

	ERR_clear_error();
	if (signers && sk_X509_num(signers) > 0)
		error = name_text(X509_get_subject_name(sk_X509_value(signers, 0)), NULL, ret_name);
	else
		error = ksma_strdup("not named", ret_name);
	sk_X509_free(signers);
	return error;
}

/* One of the signatures of an image. */
static struct ksma_error *check_authenticode(const struct ksma_pe *pe, PKCS7 *p7,
					     const struct ingest_trust *trust,
					     enum ksma_vendor_signature *ret_state)
{
	const uint8_t *content, *digest;
	size_t length, digest_length;
	const EVP_MD *type;

	if (!spc_of(p7, &content, &length) ||
	    !parse_spc(content, length, &type, &digest, &digest_length))
		return damaged();
	if (!same_digest(pe, type, digest, digest_length))
		return changed();
	if (trust && verify_pkcs7(p7, content, length, trust)) {
		*ret_state = KSMA_VENDOR_VERIFIED;
		return NULL;
	}
	*ret_state = KSMA_VENDOR_UNVERIFIED;
	/* With the certificate that it brings along, it must at least be a signature. */
	if (p7->d.sign->cert && sk_X509_num(p7->d.sign->cert) > 0 &&
	    !verify_pkcs7(p7, content, length, NULL))
		return damaged();
	return NULL;
}

/* The best of what is there. */
static struct ksma_error *take(struct ingest_signature *best, enum ksma_vendor_signature state,
			       char *signer)
{
	if (state <= best->state && best->signer) {
		free(signer);
		return NULL;
	}
	free(best->signer);
	best->state = state;
	best->signer = signer;
	return NULL;
}

static struct ksma_error *check_one(const struct ksma_pe *pe, const struct ksma_pe_range *range,
				    const struct ingest_trust *trust, struct ingest_signature *best)
{
	const unsigned char *p = range->data;
	enum ksma_vendor_signature state;
	struct ksma_error *error;
	char *signer = NULL;
	PKCS7 *p7;

	if (range->length > MAX_SIGNATURE)
		return damaged();
	p7 = d2i_PKCS7(NULL, &p, (long)range->length);
	if (!p7)
		return damaged();
	error = check_authenticode(pe, p7, trust, &state);
	if (!error)
		error = pkcs7_signer(p7, trust, &signer);
	if (!error)
		error = take(best, state, signer);
	PKCS7_free(p7);
	return error;
}

static struct ksma_error *finish(struct ksma_error *error, struct ingest_signature *signature,
				 struct ingest_signature *ret_signature)
{
	if (!error && !signature->signer)
		error = ksma_strdup("", &signature->signer);
	if (error)
		free(signature->signer);
	else
		*ret_signature = *signature;
	return error;
}

struct ksma_error *ingest_image_signature(const uint8_t *data, size_t length,
					  const struct ingest_trust *trust,
					  struct ingest_signature *ret_signature)
{
	struct ingest_signature best = { 0 };
	struct ksma_error *error = NULL;
	struct ksma_pe pe = { 0 };

	if (ksma_pe_is(data, length))
		KSMA_TRY(ksma_pe_parse(data, length, &pe));
	for (size_t i = 0; i < pe.signature_count && !error; i++)
		error = check_one(&pe, &pe.signatures[i], trust, &best);
	return finish(error, &best, ret_signature);
}

/* Does one of the certificates belong to the signer? */
static bool knows_signer(CMS_SignerInfo *info, STACK_OF(X509) * certificates)
{
	for (int i = 0; i < sk_X509_num(certificates); i++)
		if (CMS_SignerInfo_cert_cmp(info, sk_X509_value(certificates, i)) == 0)
			return true;
	return false;
}

static struct ksma_error *cms_signer(CMS_SignerInfo *info, const struct ingest_trust *trust,
				     char **ret_name)
{
	ASN1_OCTET_STRING *key = NULL;
	ASN1_INTEGER *serial = NULL;
	X509_NAME *issuer = NULL;

	for (int i = 0; trust && i < sk_X509_num(trust->certificates); i++) {
		X509 *certificate = sk_X509_value(trust->certificates, i);

		if (CMS_SignerInfo_cert_cmp(info, certificate) == 0)
			return name_text(X509_get_subject_name(certificate), NULL, ret_name);
	}
	CMS_SignerInfo_get0_signer_id(info, &key, &issuer, &serial);
	if (issuer)
		return name_text(issuer, serial, ret_name);
	if (!key)
		return ksma_strdup("not named", ret_name);
	*ret_name = i2s_ASN1_OCTET_STRING(NULL, key);
	return *ret_name ? NULL : ksma_error_nomem();
}

/* @store NULL: only the signature, not who it is of */
static bool verify_cms(CMS_ContentInfo *cms, const uint8_t *content, size_t length,
		       STACK_OF(X509) * certificates, X509_STORE *store)
{
	BIO *bio = BIO_new_mem_buf(content, (int)length);
	bool good = bio && CMS_verify(cms, certificates, store, bio, NULL,
				      CMS_BINARY | CMS_DETACHED |
					      (store ? 0 : CMS_NO_SIGNER_CERT_VERIFY)) == 1;

	BIO_free(bio);
	ERR_clear_error();
	return good;
}

static struct ksma_error *check_cms(CMS_ContentInfo *cms, const uint8_t *content, size_t length,
				    const struct ingest_trust *trust,
				    struct ingest_signature *signature)
{
	STACK_OF(CMS_SignerInfo) *infos = CMS_get0_SignerInfos(cms);
	STACK_OF(X509) * embedded;
	CMS_SignerInfo *info;
	bool known;

	if (!infos || sk_CMS_SignerInfo_num(infos) < 1)
		return damaged();
	info = sk_CMS_SignerInfo_value(infos, 0);
	KSMA_TRY(cms_signer(info, trust, &signature->signer));
	signature->state = KSMA_VENDOR_UNVERIFIED;
	embedded = CMS_get1_certs(cms);
	known = knows_signer(info, embedded) || (trust && knows_signer(info, trust->certificates));
	sk_X509_pop_free(embedded, X509_free);
	if (!known)
		return NULL;
	if (!verify_cms(cms, content, length, trust ? trust->certificates : NULL, NULL))
		return changed();
	if (trust && verify_cms(cms, content, length, trust->certificates, trust->store))
		signature->state = KSMA_VENDOR_VERIFIED;
	return NULL;
}

struct ksma_error *ingest_module_signature(const uint8_t *content, size_t content_length,
					   const uint8_t *pkcs7, size_t pkcs7_length,
					   const struct ingest_trust *trust,
					   struct ingest_signature *ret_signature)
{
	struct ingest_signature signature = { 0 };
	struct ksma_error *error = NULL;
	const unsigned char *p = pkcs7;
	CMS_ContentInfo *cms;

	if (!pkcs7)
		return finish(NULL, &signature, ret_signature);
	cms = pkcs7_length > MAX_SIGNATURE ? NULL
					   : d2i_CMS_ContentInfo(NULL, &p, (long)pkcs7_length);
	if (!cms)
		return damaged();
	error = check_cms(cms, content, content_length, trust, &signature);
	CMS_ContentInfo_free(cms);
	ERR_clear_error();
	return finish(error, &signature, ret_signature);
}
