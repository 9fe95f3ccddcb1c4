/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is a signature good, and is whoever made it to be believed: the key first, then the certificates that vouch for it. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "vendor/keys_impl.h"

static const struct {
	const char *name, *hash;
	int type, padding; /* padding 0: not RSA */
} schemes[KSMA_SCHEME_COUNT] = {
	[KSMA_RSA_PSS_SHA256] = { "rsa-pss-sha256", "SHA256", EVP_PKEY_RSA, RSA_PKCS1_PSS_PADDING },
	[KSMA_RSA_PKCS1_SHA256] = { "rsa-pkcs1-sha256", "SHA256", EVP_PKEY_RSA, RSA_PKCS1_PADDING },
	[KSMA_ECDSA_SHA256] = { "ecdsa-sha256", "SHA256", EVP_PKEY_EC, 0 },
	[KSMA_ECDSA_SHA384] = { "ecdsa-sha384", "SHA384", EVP_PKEY_EC, 0 },
	[KSMA_ECDSA_SHA512] = { "ecdsa-sha512", "SHA512", EVP_PKEY_EC, 0 },
	[KSMA_ED25519] = { "ed25519", NULL, EVP_PKEY_ED25519, 0 },
};

const char *ksma_scheme_name(enum ksma_scheme scheme)
{
	return schemes[scheme].name;
}

bool ksma_scheme_find(const char *name, size_t length, enum ksma_scheme *ret_scheme)
{
	for (size_t i = 0; i < KSMA_SCHEME_COUNT; i++)
		if (strlen(schemes[i].name) == length &&
		    memcmp(schemes[i].name, name, length) == 0) {
			*ret_scheme = (enum ksma_scheme)i;
			return true;
		}
	return false;
}

const char *ksma_trust_name(enum ksma_trust trust)
{
	static const char *const names[] = {
		[KSMA_TRUST_GOOD] = "good",	    [KSMA_TRUST_UNSIGNED] = "unsigned",
		[KSMA_TRUST_UNKNOWN] = "unknown",   [KSMA_TRUST_BAD] = "bad",
		[KSMA_TRUST_EXPIRED] = "expired",   [KSMA_TRUST_REVOKED] = "revoked",
		[KSMA_TRUST_USAGE] = "wrong-usage", [KSMA_TRUST_WEAK] = "weak",
	};

	return names[trust];
}

static void say(struct ksma_verdict *v, enum ksma_trust trust, const char *why)
{
	v->trust = trust;
	snprintf(v->why, sizeof(v->why), "%s", why);
}

static bool of_type(EVP_PKEY *key, int type)
{
	int own = EVP_PKEY_get_base_id(key);

	return own == type || (type == EVP_PKEY_RSA && own == EVP_PKEY_RSA_PSS);
}

/* Does the signature fit the message? */
static bool fits(EVP_PKEY *key, const struct ksma_signature *s, const void *message, size_t length)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *key_context = NULL;
	bool good = context && of_type(key, schemes[s->scheme].type) &&
		    EVP_DigestVerifyInit_ex(context, &key_context, schemes[s->scheme].hash, NULL,
					    NULL, key, NULL) == 1;

	if (good && schemes[s->scheme].padding)
		good = EVP_PKEY_CTX_set_rsa_padding(key_context, schemes[s->scheme].padding) == 1;
	if (good && schemes[s->scheme].padding == RSA_PKCS1_PSS_PADDING)
		good = EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, RSA_PSS_SALTLEN_DIGEST) == 1;
	good = good &&
	       EVP_DigestVerify(context, s->bytes.data, s->bytes.length, message, length) == 1;
	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return good;
}

/* May this certificate's key sign files? What it does not say, it allows. */
static bool may_sign(X509 *certificate)
{
	uint32_t usage = X509_get_key_usage(certificate);
	uint32_t extended = X509_get_extended_key_usage(certificate);

	return (usage == UINT32_MAX || usage & KU_DIGITAL_SIGNATURE) &&
	       (extended == UINT32_MAX || extended & (XKU_CODE_SIGN | XKU_ANYEKU));
}

static bool certificate_revoked(const struct ksma_keys *keys, X509 *certificate)
{
	uint8_t id[KSMA_SHA256];
	EVP_PKEY *key = X509_get0_pubkey(certificate);

	if (!ksma_certificate_id(certificate, id) ||
	    ksma_revoked_has(&keys->revoked, KSMA_REVOKED_CERTIFICATE, id))
		return true;
	return !key || !ksma_key_id(key, id) ||
	       ksma_revoked_has(&keys->revoked, KSMA_REVOKED_KEY, id);
}

/* A chain that does not hold: why not. */
static void say_chain(struct ksma_verdict *v, int code)
{
	enum ksma_trust trust = KSMA_TRUST_UNKNOWN;

	switch (code) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		trust = KSMA_TRUST_EXPIRED;
		break;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
		trust = KSMA_TRUST_WEAK;
		break;
	default:
		break;
	}
	snprintf(v->why, sizeof(v->why), "its certificate is not to be believed: %s",
		 X509_verify_cert_error_string(code));
	v->trust = trust;
}

/* Each link of a chain that holds, and of those that were brought along. */
static void check_revoked(const struct ksma_keys *keys, STACK_OF(X509) * chain,
			  struct ksma_verdict *v)
{
	for (int i = 0; i < sk_X509_num(chain); i++)
		if (certificate_revoked(keys, sk_X509_value(chain, i)))
			say(v, KSMA_TRUST_REVOKED,
			    i ? "a certificate that vouches for its signer was revoked"
			      : "its signer's certificate or key was revoked");
}

/* A certificate's chain to one of the folder, its dates, and what it may be used for. */
static struct ksma_error *check_certificate(const struct ksma_keys *keys, X509 *certificate,
					    STACK_OF(X509) * others, struct ksma_verdict *v)
{
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *parameters;

	ksma_subject(certificate, v->signer, sizeof(v->signer));
	if (!context || X509_STORE_CTX_init(context, keys->store, certificate, others) != 1) {
		X509_STORE_CTX_free(context);
		return ksma_error_nomem();
	}
	parameters = X509_STORE_CTX_get0_param(context);
	X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_depth(parameters, KSMA_MAX_CERTIFICATES);
	X509_VERIFY_PARAM_set_auth_level(parameters, 2); /* 112 bits: RSA 2048, no SHA-1 */
	if (certificate_revoked(keys, certificate))
		say(v, KSMA_TRUST_REVOKED, "its signer's certificate or key was revoked");
	else if (X509_verify_cert(context) != 1)
		say_chain(v, X509_STORE_CTX_get_error(context));
	else if (!may_sign(certificate))
		say(v, KSMA_TRUST_USAGE,
		    "its certificate is not for signing files (digitalSignature, codeSigning)");
	else
		check_revoked(keys, X509_STORE_CTX_get0_chain(context), v);
	X509_STORE_CTX_free(context);
	ERR_clear_error();
	return NULL;
}

/* The signer is in the folder: a bare key is believed as it is, a certificate within its limits. */
static struct ksma_error *check_known(const struct ksma_keys *keys, const struct ksma_key *k,
				      struct ksma_verdict *v)
{
	if (k->certificate)
		return check_certificate(keys, k->certificate, NULL, v);
	snprintf(v->signer, sizeof(v->signer), "%s", k->file);
	return NULL;
}

/* The worth of a verdict when several certificates have the same key. */
static bool better(const struct ksma_verdict *a, const struct ksma_verdict *b)
{
	return a->trust == KSMA_TRUST_GOOD && b->trust != KSMA_TRUST_GOOD;
}

static void close_stack(STACK_OF(X509) * *stack)
{
	sk_X509_pop_free(*stack, X509_free);
}

/* The certificates that the signature brought along. @ret NULL when one makes no sense */
static struct ksma_error *read_brought(const struct ksma_signature *s, STACK_OF(X509) * *ret)
{
	_cleanup_(close_stack) STACK_OF(X509) *stack = sk_X509_new_null();

	*ret = NULL;
	if (!stack)
		return ksma_error_nomem();
	for (size_t i = 0; i < s->certificate_count; i++) {
		const unsigned char *p = s->certificates[i].data;
		X509 *certificate = d2i_X509(NULL, &p, (long)s->certificates[i].length);

		ERR_clear_error();
		if (!certificate)
			return NULL;
		if (sk_X509_push(stack, certificate) <= 0) {
			X509_free(certificate);
			return ksma_error_nomem();
		}
	}
	*ret = TAKE_PTR(stack);
	return NULL;
}

/* The signer is not in the folder, and brought along certificates that may lead there. */
static struct ksma_error *check_brought(const struct ksma_keys *keys,
					const struct ksma_signature *s, const void *message,
					size_t length, struct ksma_verdict *v)
{
	_cleanup_(close_stack) STACK_OF(X509) *stack = NULL;
	uint8_t id[KSMA_SHA256];
	EVP_PKEY *key;
	X509 *leaf;

	if (!s->certificate_count) {
		say(v, KSMA_TRUST_UNKNOWN, "it was signed by a key that the folder does not have");
		return NULL;
	}
	KSMA_TRY(read_brought(s, &stack));
	leaf = stack ? sk_X509_value(stack, 0) : NULL;
	key = leaf ? X509_get0_pubkey(leaf) : NULL;
	ERR_clear_error();
	if (!key || !ksma_key_id(key, id) || memcmp(id, s->key, sizeof(id)) != 0) {
		say(v, KSMA_TRUST_BAD, "its certificates are damaged, or of another key");
		return NULL;
	}
	ksma_subject(leaf, v->signer, sizeof(v->signer));
	if (!ksma_key_is_strong(key, v->why)) {
		v->trust = KSMA_TRUST_WEAK;
		return NULL;
	}
	if (!fits(key, s, message, length)) {
		say(v, KSMA_TRUST_BAD, "the signature does not fit");
		return NULL;
	}
	return check_certificate(keys, leaf, stack, v);
}

struct ksma_error *ksma_keys_verify(const struct ksma_keys *keys, const struct ksma_signature *s,
				    const void *message, size_t length,
				    struct ksma_verdict *ret_verdict)
{
	struct ksma_verdict v = { .trust = KSMA_TRUST_UNSIGNED };
	bool found = false;

	memcpy(v.key, s->key, sizeof(v.key));
	for (size_t i = 0; i < keys->list.count; i++) {
		const struct ksma_key *k = &keys->list.items[i];
		struct ksma_verdict one = { .trust = KSMA_TRUST_GOOD };

		if (memcmp(k->id, s->key, sizeof(k->id)) != 0)
			continue;
		memcpy(one.key, s->key, sizeof(one.key));
		KSMA_TRY(check_known(keys, k, &one));
		if (one.trust == KSMA_TRUST_GOOD && !ksma_key_is_strong(k->key, one.why))
			one.trust = KSMA_TRUST_WEAK;
		if (one.trust == KSMA_TRUST_GOOD && !fits(k->key, s, message, length))
			say(&one, KSMA_TRUST_BAD, "the signature does not fit");
		if (!found || better(&one, &v))
			v = one;
		found = true;
	}
	if (!found) {
		v.trust = KSMA_TRUST_GOOD;
		KSMA_TRY(check_brought(keys, s, message, length, &v));
	}
	if (ksma_revoked_has(&keys->revoked, KSMA_REVOKED_KEY, s->key))
		say(&v, KSMA_TRUST_REVOKED, "the key that signed it was revoked");
	*ret_verdict = v;
	return NULL;
}

/* A signature of a hash, PKCS#1 or ECDSA. */
static bool fits_digest(EVP_PKEY *key, const char *algorithm, const uint8_t *digest,
			size_t digest_length, const uint8_t *signature, size_t signature_length)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	EVP_MD *md = EVP_MD_fetch(NULL, algorithm, NULL);
	int type = EVP_PKEY_get_base_id(key);
	bool good = context && md && (type == EVP_PKEY_RSA || type == EVP_PKEY_EC) &&
		    EVP_PKEY_verify_init(context) == 1;

	if (good && type == EVP_PKEY_RSA)
		good = EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
	good = good && EVP_PKEY_CTX_set_signature_md(context, md) == 1 &&
	       EVP_PKEY_verify(context, signature, signature_length, digest, digest_length) == 1;
	EVP_PKEY_CTX_free(context);
	EVP_MD_free(md);
	ERR_clear_error();
	return good;
}

struct ksma_error *ksma_keys_verify_digest(const struct ksma_keys *keys, const uint8_t key_id[4],
					   const char *algorithm, const uint8_t *digest,
					   size_t digest_length, const uint8_t *signature,
					   size_t signature_length,
					   struct ksma_verdict *ret_verdict)
{
	struct ksma_verdict v = { .trust = KSMA_TRUST_UNKNOWN };
	bool found = false;

	say(&v, KSMA_TRUST_UNKNOWN, "it was signed by a key that the folder does not have");
	for (size_t i = 0; i < keys->list.count; i++) {
		const struct ksma_key *k = &keys->list.items[i];
		struct ksma_verdict one = { .trust = KSMA_TRUST_GOOD };

		if (memcmp(k->ima[0], key_id, 4) != 0 && memcmp(k->ima[1], key_id, 4) != 0)
			continue;
		memcpy(one.key, k->id, sizeof(one.key));
		KSMA_TRY(check_known(keys, k, &one));
		if (one.trust == KSMA_TRUST_GOOD && !ksma_key_is_strong(k->key, one.why))
			one.trust = KSMA_TRUST_WEAK;
		if (one.trust == KSMA_TRUST_GOOD &&
		    !fits_digest(k->key, algorithm, digest, digest_length, signature,
				 signature_length))
			say(&one, KSMA_TRUST_BAD, "the signature does not fit");
		if (one.trust == KSMA_TRUST_GOOD &&
		    ksma_revoked_has(&keys->revoked, KSMA_REVOKED_KEY, k->id))
			say(&one, KSMA_TRUST_REVOKED, "the key that signed it was revoked");
		if (!found || better(&one, &v))
			v = one;
		found = true;
	}
	*ret_verdict = v;
	return NULL;
}
