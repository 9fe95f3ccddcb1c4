/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys and signatures: what is good is believed, and everything that could be wrong with a signature is told for what it is. */
#include "unit.h"

#include <ftw.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "fail_alloc.h"
#include "vendor/keys_impl.h"
#include "vendor/sign.h"
#include "vendor/signatures.h"

static const char message[] = "two hundred and fifty-six bytes, or any other number";

/* A folder of keys, and one for private ones. */
struct fixture {
	char path[64], keys[256], own[256];
	EVP_PKEY *rsa, *other; /* made once */
};

static struct fixture shared;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int setup(void **state)
{
	struct fixture *f = &shared;

	snprintf(f->path, sizeof(f->path), "/tmp/ksma-test-keys.XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	snprintf(f->keys, sizeof(f->keys), "%.60s/keys", f->path);
	snprintf(f->own, sizeof(f->own), "%.60s/own", f->path);
	mkdir(f->keys, 0755);
	mkdir(f->own, 0700);
	if (!f->rsa)
		f->rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	if (!f->other)
		f->other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	*state = f;
	return f->rsa && f->other ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	nftw(f->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/* Where a file of that name is; the last one's text. */
static const char *in(const char *folder, const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static FILE *create(const char *folder, const char *name)
{
	FILE *file = fopen(in(folder, name), "w");

	assert_non_null(file);
	return file;
}

static void put_public(const char *folder, const char *name, EVP_PKEY *key)
{
	FILE *file = create(folder, name);

	assert_int_equal(PEM_write_PUBKEY(file, key), 1);
	fclose(file);
}

static void put_private(const struct fixture *f, EVP_PKEY *key)
{
	FILE *file = create(f->own, "key.pem");

	assert_int_equal(PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
}

static void put_text(const char *folder, const char *name, const char *text)
{
	FILE *file = create(folder, name);

	fputs(text, file);
	fclose(file);
}

/* What a certificate says. */
struct form {
	const char *subject;
	EVP_PKEY *key;
	X509 *issuer; /* NULL: itself */
	EVP_PKEY *issuer_key;
	long from, to; /* seconds from now; both 0: the hour around now */
	const char *usage, *extended;
	bool authority;
	const EVP_MD *hash;
};

static void extend(X509 *c, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, (char *)(uintptr_t)value);

	assert_non_null(e);
	assert_int_equal(X509_add_ext(c, e, -1), 1);
	X509_EXTENSION_free(e);
}

static X509 *certify(const struct form *form)
{
	static long serial = 1;
	X509 *c = X509_new();
	X509_NAME *name = X509_get_subject_name(c);

	X509_set_version(c, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c), serial++);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)form->subject,
				   -1, -1, 0);
	X509_gmtime_adj(X509_getm_notBefore(c), form->to ? form->from : -1800);
	X509_gmtime_adj(X509_getm_notAfter(c), form->to ? form->to : 1800);
	X509_set_pubkey(c, form->key);
	X509_set_issuer_name(c, form->issuer ? X509_get_subject_name(form->issuer) : name);
	if (form->authority)
		extend(c, NID_basic_constraints, "critical,CA:TRUE");
	if (form->usage)
		extend(c, NID_key_usage, form->usage);
	if (form->extended)
		extend(c, NID_ext_key_usage, form->extended);
	assert_true(X509_sign(c, form->issuer ? form->issuer_key : form->key,
			      form->hash ? form->hash : EVP_sha256()) > 0);
	return c;
}

static void put_certificates(const char *folder, const char *name, X509 *first, X509 *second)
{
	FILE *file = create(folder, name);

	assert_int_equal(PEM_write_X509(file, first), 1);
	if (second)
		assert_int_equal(PEM_write_X509(file, second), 1);
	fclose(file);
}

static struct ksma_signature sign(const struct fixture *f, const char *certificates, bool pkcs1)
{
	struct ksma_signature s;
	struct ksma_signer *signer;
	char key[512], chain[512];

	snprintf(key, sizeof(key), "%s", in(f->own, "key.pem"));
	snprintf(chain, sizeof(chain), "%s", in(f->own, certificates ? certificates : ""));
	assert_ok(ksma_signer_open(key, certificates ? chain : NULL, pkcs1, &signer));
	assert_ok(ksma_sign(signer, message, sizeof(message), &s));
	ksma_signer_close(signer);
	return s;
}

/* What becomes of it with the keys as they are now. */
static struct ksma_verdict judge(const struct fixture *f, const struct ksma_signature *s,
				 const char *text)
{
	struct ksma_verdict v;
	struct ksma_keys *keys;

	assert_ok(ksma_keys_open(f->keys, &keys));
	assert_ok(ksma_keys_verify(keys, s, text, sizeof(message), &v));
	ksma_keys_close(keys);
	assert_int_equal(v.trust == KSMA_TRUST_GOOD, v.why[0] == 0);
	return v;
}

static void test_each_scheme(void **state)
{
	static const struct {
		const char *type, *curve;
		size_t bits;
		bool pkcs1;
		enum ksma_scheme scheme;
	} cases[] = {
		{ "RSA", NULL, 2048, false, KSMA_RSA_PSS_SHA256 },
		{ "RSA", NULL, 2048, true, KSMA_RSA_PKCS1_SHA256 },
		{ "RSA", NULL, 3072, true, KSMA_RSA_PKCS1_SHA256 },
		{ "EC", "P-256", 0, false, KSMA_ECDSA_SHA256 },
		{ "EC", "P-384", 0, false, KSMA_ECDSA_SHA384 },
		{ "EC", "P-521", 0, false, KSMA_ECDSA_SHA512 },
		{ "ED25519", NULL, 0, false, KSMA_ED25519 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		EVP_PKEY *key = cases[i].bits ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", cases[i].bits)
				: cases[i].curve
					? EVP_PKEY_Q_keygen(NULL, NULL, "EC", cases[i].curve)
					: EVP_PKEY_Q_keygen(NULL, NULL, cases[i].type);
		char changed[sizeof(message)];
		struct ksma_signature s;

		assert_non_null(key);
		put_public(f->keys, "key.pem", key);
		put_private(f, key);
		s = sign(f, NULL, cases[i].pkcs1);
		assert_int_equal(s.scheme, cases[i].scheme);
		assert_int_equal(judge(f, &s, message).trust, KSMA_TRUST_GOOD);
		assert_string_equal(judge(f, &s, message).signer, "key.pem");
		memcpy(changed, message, sizeof(message));
		changed[3] ^= 1;
		assert_int_equal(judge(f, &s, changed).trust, KSMA_TRUST_BAD);
		s.bytes.data[s.bytes.length / 2] ^= 1;
		assert_int_equal(judge(f, &s, message).trust, KSMA_TRUST_BAD);
		s.bytes.data[s.bytes.length / 2] ^= 1;
		/* Another scheme than the key's, or than it was made by, never fits. */
		for (int scheme = 0; scheme < KSMA_SCHEME_COUNT; scheme++) {
			s.scheme = (enum ksma_scheme)scheme;
			assert_int_equal(judge(f, &s, message).trust == KSMA_TRUST_GOOD,
					 s.scheme == cases[i].scheme);
		}
		ksma_signature_deinit(&s);
		EVP_PKEY_free(key);
	}
}

static void test_unknown_and_revoked(void **state)
{
	static const uint8_t hashes[2][KSMA_SHA256] = { { 1 }, { 2 } };
	struct fixture *f = *state;
	struct ksma_signature s;
	struct ksma_keys *keys;
	uint8_t *files;
	size_t count;
	bool known;

	put_private(f, f->rsa);
	s = sign(f, NULL, false);
	put_public(f->keys, "other.pem", f->other);
	assert_int_equal(judge(f, &s, message).trust, KSMA_TRUST_UNKNOWN);
	put_public(f->keys, "key.pem", f->rsa);
	assert_int_equal(judge(f, &s, message).trust, KSMA_TRUST_GOOD);
	assert_ok(ksma_revoked_add(f->keys, KSMA_REVOKED_KEY, s.key, "2026-11-23 lost", &known));
	assert_false(known);
	assert_int_equal(judge(f, &s, message).trust, KSMA_TRUST_REVOKED);
	assert_ok(ksma_revoked_add(f->keys, KSMA_REVOKED_KEY, s.key, "", &known));
	assert_true(known);
	assert_ok(ksma_revoked_add(f->keys, KSMA_REVOKED_FILE, hashes[1], "", &known));
	assert_ok(ksma_revoked_add(f->keys, KSMA_REVOKED_FILE, hashes[0], "", &known));
	assert_ok(ksma_keys_open(f->keys, &keys));
	assert_ok(ksma_keys_files_revoked(keys, &files, &count));
	assert_int_equal(count, 2);
	assert_memory_equal(files, hashes, sizeof(hashes));
	assert_true(ksma_keys_file_revoked(keys, hashes[1]));
	assert_false(ksma_keys_file_revoked(keys, s.key));
	ksma_keys_close(keys);
	free(files);
	ksma_signature_deinit(&s);
}

/* What a chain of certificates is worth: leaf (the RSA key's) by root (the other's). */
static struct ksma_verdict chain(struct fixture *f, const struct form *leaf_form, bool root_known)
{
	X509 *root = certify(&(struct form){ .subject = "Root",
					     .key = f->other,
					     .authority = true,
					     .usage = "critical,keyCertSign" });
	struct form form = *leaf_form;
	struct ksma_verdict v;
	struct ksma_signature s;
	X509 *leaf;

	form.key = f->rsa;
	form.issuer = root;
	form.issuer_key = f->other;
	leaf = certify(&form);
	put_private(f, f->rsa);
	put_certificates(f->own, "chain.pem", leaf, NULL);
	if (root_known)
		put_certificates(f->keys, "root.pem", root, NULL);
	else
		put_public(f->keys, "root.pem", f->other);
	s = sign(f, "chain.pem", false);
	v = judge(f, &s, message);
	ksma_signature_deinit(&s);
	X509_free(leaf);
	X509_free(root);
	return v;
}

static void test_certificates(void **state)
{
	struct fixture *f = *state;
	struct ksma_verdict v;

	v = chain(f, &(struct form){ .subject = "Signer" }, true);
	assert_int_equal(v.trust, KSMA_TRUST_GOOD);
	assert_string_equal(v.signer, "CN=Signer");
	v = chain(f,
		  &(struct form){ .subject = "Signer",
				  .usage = "digitalSignature",
				  .extended = "codeSigning" },
		  true);
	assert_int_equal(v.trust, KSMA_TRUST_GOOD);
	v = chain(f, &(struct form){ .subject = "Signer" }, false);
	assert_int_equal(v.trust, KSMA_TRUST_UNKNOWN);
	v = chain(f, &(struct form){ .subject = "Old", .from = -7200, .to = -3600 }, true);
	assert_int_equal(v.trust, KSMA_TRUST_EXPIRED);
	assert_non_null(strstr(v.why, "expired"));
	v = chain(f, &(struct form){ .subject = "New", .from = 3600, .to = 7200 }, true);
	assert_int_equal(v.trust, KSMA_TRUST_EXPIRED);
	assert_non_null(strstr(v.why, "not yet"));
	v = chain(f, &(struct form){ .subject = "Mail", .extended = "emailProtection" }, true);
	assert_int_equal(v.trust, KSMA_TRUST_USAGE);
	v = chain(f, &(struct form){ .subject = "Box", .usage = "keyEncipherment" }, true);
	assert_int_equal(v.trust, KSMA_TRUST_USAGE);
	v = chain(f, &(struct form){ .subject = "Sha1", .hash = EVP_sha1() }, true);
	assert_int_equal(v.trust, KSMA_TRUST_WEAK);
}

/* A certificate that may not issue, issues. */
static void test_no_authority(void **state)
{
	struct fixture *f = *state;
	EVP_PKEY *third = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	X509 *plain = certify(&(struct form){ .subject = "Plain", .key = f->other });
	X509 *leaf = certify(&(struct form){
		.subject = "Leaf", .key = third, .issuer = plain, .issuer_key = f->other });
	struct ksma_signature s;

	put_private(f, third);
	put_certificates(f->keys, "plain.pem", plain, NULL);
	put_certificates(f->own, "chain.pem", leaf, NULL);
	s = sign(f, "chain.pem", false);
	assert_int_equal(judge(f, &s, message).trust, KSMA_TRUST_UNKNOWN);
	ksma_signature_deinit(&s);
	X509_free(plain);
	X509_free(leaf);
	EVP_PKEY_free(third);
}

/* Through one in between, any of the three of which may be revoked. */
static void test_revoked_in_a_chain(void **state)
{
	struct fixture *f = *state;
	EVP_PKEY *third = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	X509 *root =
		certify(&(struct form){ .subject = "Root", .key = f->other, .authority = true });
	X509 *middle = certify(&(struct form){ .subject = "Middle",
					       .key = third,
					       .issuer = root,
					       .issuer_key = f->other,
					       .authority = true });
	X509 *leaf = certify(&(struct form){
		.subject = "Leaf", .key = f->rsa, .issuer = middle, .issuer_key = third });
	X509 *all[] = { root, middle, leaf };
	struct ksma_signature s;
	uint8_t id[KSMA_SHA256];
	bool known;

	put_private(f, f->rsa);
	put_certificates(f->keys, "root.pem", root, NULL);
	put_certificates(f->own, "chain.pem", leaf, middle);
	s = sign(f, "chain.pem", false);
	assert_int_equal(s.certificate_count, 2);
	assert_int_equal(judge(f, &s, message).trust, KSMA_TRUST_GOOD);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_true(ksma_certificate_id(all[i], id));
		assert_ok(ksma_revoked_add(f->keys, KSMA_REVOKED_CERTIFICATE, id, "", &known));
		assert_int_equal(judge(f, &s, message).trust, KSMA_TRUST_REVOKED);
		unlink(in(f->keys, "revoked"));
		assert_true(ksma_key_id(X509_get0_pubkey(all[i]), id));
		assert_ok(ksma_revoked_add(f->keys, KSMA_REVOKED_KEY, id, "", &known));
		assert_int_equal(judge(f, &s, message).trust, KSMA_TRUST_REVOKED);
		unlink(in(f->keys, "revoked"));
	}
	/* Without the one in between there is no way up. */
	free(s.certificates[1].data);
	s.certificate_count = 1;
	assert_int_equal(judge(f, &s, message).trust, KSMA_TRUST_UNKNOWN);
	/* A certificate of another key says nothing of this one. */
	free(s.certificates[0].data);
	s.certificates[0].length = (size_t)i2d_X509(middle, NULL);
	s.certificates[0].data = NULL;
	s.certificates[0].data = malloc(s.certificates[0].length);
	{
		unsigned char *p = s.certificates[0].data;

		i2d_X509(middle, &p);
	}
	assert_int_equal(judge(f, &s, message).trust, KSMA_TRUST_BAD);
	s.certificates[0].length = 40;
	assert_int_equal(judge(f, &s, message).trust, KSMA_TRUST_BAD);
	ksma_signature_deinit(&s);
	X509_free(root);
	X509_free(middle);
	X509_free(leaf);
	EVP_PKEY_free(third);
}

/* The signer's own certificate in the folder: it counts with its dates; a bare key of the same counts without. */
static void test_own_certificate(void **state)
{
	struct fixture *f = *state;
	X509 *old = certify(
		&(struct form){ .subject = "Old", .key = f->rsa, .from = -7200, .to = -3600 });
	X509 *now = certify(&(struct form){ .subject = "Now", .key = f->rsa });
	struct ksma_signature s;

	put_private(f, f->rsa);
	s = sign(f, NULL, false);
	put_certificates(f->keys, "old.pem", old, NULL);
	assert_int_equal(judge(f, &s, message).trust, KSMA_TRUST_EXPIRED);
	put_certificates(f->keys, "now.pem", now, NULL);
	assert_int_equal(judge(f, &s, message).trust, KSMA_TRUST_GOOD);
	unlink(in(f->keys, "now.pem"));
	put_public(f->keys, "bare.pem", f->rsa);
	assert_int_equal(judge(f, &s, message).trust, KSMA_TRUST_GOOD);
	ksma_signature_deinit(&s);
	X509_free(old);
	X509_free(now);
}

static void test_folders(void **state)
{
	struct fixture *f = *state;
	EVP_PKEY *weak = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
	EVP_PKEY *curve = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1");
	X509 *certificate = certify(&(struct form){ .subject = "Der", .key = f->other });
	struct ksma_keys *keys;
	FILE *file;

	assert_error_says(ksma_keys_open("/nowhere", &keys), KSMA_ERROR_OS, "/nowhere");
	assert_error_says(ksma_keys_open(f->keys, &keys), KSMA_ERROR_INVALID, "neither");
	put_public(f->keys, "weak.pem", weak);
	assert_error_says(ksma_keys_open(f->keys, &keys), KSMA_ERROR_INVALID, "1024 bits");
	put_public(f->keys, "weak.pem", curve);
	assert_error_says(ksma_keys_open(f->keys, &keys), KSMA_ERROR_INVALID, "P-256");
	unlink(in(f->keys, "weak.pem"));
	put_public(f->keys, "key.pem", f->rsa);
	put_text(f->keys, ".hidden", "anything");
	assert_ok(ksma_keys_open(f->keys, &keys));
	assert_int_equal(ksma_keys_count(keys), 1);
	assert_int_equal(ksma_keys_private(keys), 0);
	assert_false(ksma_keys_changed(keys));
	put_text(f->keys, "notes", "anything");
	assert_true(ksma_keys_changed(keys));
	ksma_keys_close(keys);
	assert_error_says(ksma_keys_open(f->keys, &keys), KSMA_ERROR_INVALID, "notes");
	put_text(f->keys, "notes", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
	assert_error_says(ksma_keys_open(f->keys, &keys), KSMA_ERROR_INVALID, "notes");
	put_text(f->keys, "notes", "-----BEGIN PUBLIC KEY-----\nMIIBIj");
	assert_error_says(ksma_keys_open(f->keys, &keys), KSMA_ERROR_INVALID, "notes");
	unlink(in(f->keys, "notes"));
	file = create(f->keys, "other.der");
	i2d_X509_fp(file, certificate);
	fclose(file);
	file = create(f->keys, "other-key.der");
	i2d_PUBKEY_fp(file, f->other);
	fclose(file);
	put_private(f, f->rsa);

	file = create(f->keys, "private.pem");
	PEM_write_PKCS8PrivateKey(file, f->other, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	assert_ok(ksma_keys_open(f->keys, &keys));
	assert_int_equal(ksma_keys_count(keys), 3);
	assert_int_equal(ksma_keys_private(keys), 1);
	ksma_keys_close(keys);
	put_text(f->keys, "revoked", "key abc\n");
	assert_error_says(ksma_keys_open(f->keys, &keys), KSMA_ERROR_BAD_DATA, "line 1");
	unlink(in(f->keys, "revoked"));
	chmod(f->keys, 0777);
	assert_error_says(ksma_keys_open(f->keys, &keys), KSMA_ERROR_PERMISSION, "mode 755");
	X509_free(certificate);
	EVP_PKEY_free(weak);
	EVP_PKEY_free(curve);
}

static void test_signers(void **state)
{
	struct fixture *f = *state;
	X509 *certificate = certify(&(struct form){ .subject = "Other", .key = f->other });
	struct ksma_signer *signer;
	char key[512], chain_file[512];

	snprintf(key, sizeof(key), "%s", in(f->own, "key.pem"));
	snprintf(chain_file, sizeof(chain_file), "%s", in(f->own, "chain.pem"));
	assert_error(ksma_signer_open(key, NULL, false, &signer), KSMA_ERROR_OS);
	put_public(f->own, "key.pem", f->rsa);
	assert_error_says(ksma_signer_open(key, NULL, false, &signer), KSMA_ERROR_INVALID,
			  "no private key");
	put_private(f, f->rsa);
	put_certificates(f->own, "chain.pem", certificate, NULL);
	assert_error_says(ksma_signer_open(key, chain_file, false, &signer), KSMA_ERROR_INVALID,
			  "another key");
	put_public(f->own, "chain.pem", f->rsa);
	assert_error_says(ksma_signer_open(key, chain_file, false, &signer), KSMA_ERROR_INVALID,
			  "no certificate");
	X509_free(certificate);
}

static void test_list_of_the_revoked(void **state)
{
#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	static const char good[] =
		"# what is bad\n\n  # more\nfile " B " because\nkey " A "\r\ncertificate " A;
	static const char *const bad[] = {
		"key", "key ", "key " A "a", "key x" A, "keys " A, A, "file  " A, "file " A "\tx",
	};
	struct ksma_revoked list;
	uint8_t a[KSMA_SHA256], b[KSMA_SHA256];

	memset(a, 0xaa, sizeof(a));
	memset(b, 0xbb, sizeof(b));
	/* The carriage return is no part of the hash, and no word of its own either. */
	assert_error(ksma_revoked_parse(good, sizeof(good) - 1, &list), KSMA_ERROR_BAD_DATA);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_error_says(ksma_revoked_parse(bad[i], strlen(bad[i]), &list),
				  KSMA_ERROR_BAD_DATA, "line 1");
	assert_ok(ksma_revoked_parse("file " B " because\nkey " A "\n",
				     strlen("file " B " because\nkey " A "\n"), &list));
	assert_int_equal(list.count, 2);
	assert_true(ksma_revoked_has(&list, KSMA_REVOKED_FILE, b));
	assert_true(ksma_revoked_has(&list, KSMA_REVOKED_KEY, a));
	assert_false(ksma_revoked_has(&list, KSMA_REVOKED_KEY, b));
	assert_false(ksma_revoked_has(&list, KSMA_REVOKED_CERTIFICATE, a));
	ksma_revoked_deinit(&list);
	assert_ok(ksma_revoked_parse("", 0, &list));
	assert_false(ksma_revoked_has(&list, KSMA_REVOKED_KEY, a));
#undef A
#undef B
}

static struct ksma_error *parse(const char *text, struct ksma_signatures *ret)
{
	return ksma_signatures_parse(text, strlen(text), ret);
}

static void test_file_of_signatures(void **state)
{
#define H "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define FIRST "kvm-sma signatures 1\n"
	static const char good[] =
		FIRST "# words\n\nmanifest " H "\nscheme ed25519\nkey " H "\nsignature 0102\n"
		      "certificate aabb\ncertificate cc\n";
	static const struct {
		const char *text;
		enum ksma_error_code code;
		const char *words;
	} bad[] = {
		{ "", KSMA_ERROR_BAD_DATA, "empty" },
		{ "kvm-sma signatures 2\n", KSMA_ERROR_UNSUPPORTED, "does not begin" },
		{ FIRST "scheme ed25519\n", KSMA_ERROR_BAD_DATA, "line 2" },
		{ FIRST "manifest 00\n", KSMA_ERROR_BAD_DATA, "no SHA-256" },
		{ FIRST "manifest " H "\nscheme rot13\n", KSMA_ERROR_BAD_DATA, "not known" },
		{ FIRST "manifest " H "\nsignature 0\n", KSMA_ERROR_BAD_DATA, "hexadecimal" },
		{ FIRST "manifest " H "\nsignature 0x\n", KSMA_ERROR_BAD_DATA, "hexadecimal" },
		{ FIRST "manifest " H "\nsignature \n", KSMA_ERROR_BAD_DATA, "hexadecimal" },
		{ FIRST "manifest " H "\nkey " H "\nkey " H "\n", KSMA_ERROR_BAD_DATA, "line 4" },
		{ FIRST "manifest " H "\nnonsense\n", KSMA_ERROR_BAD_DATA, "line 3" },
		{ FIRST "manifest " H "\n", KSMA_ERROR_BAD_DATA, "not complete" },
		{ FIRST "manifest " H "\nmanifest " H "\n", KSMA_ERROR_BAD_DATA, "not complete" },
	};
	struct ksma_signatures list;
	char *text;
	size_t length;

	assert_ok(parse(good, &list));
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].scheme, KSMA_ED25519);
	assert_int_equal(list.items[0].certificate_count, 2);
	assert_int_equal(list.items[0].bytes.length, 2);
	assert_int_equal(list.items[0].key[1], 0x11);
	assert_ok(ksma_signatures_format(&list, &text, &length));
	ksma_signatures_deinit(&list);
	assert_ok(ksma_signatures_parse(text, length, &list));
	assert_int_equal(list.items[0].certificates[1].data[0], 0xcc);
	ksma_signatures_deinit(&list);
	free(text);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_error_says(parse(bad[i].text, &list), bad[i].code, bad[i].words);
	assert_ok(parse(FIRST, &list));
	assert_int_equal(list.count, 0);
#undef H
#undef FIRST
}

static struct ksma_error *open_folder(void *state)
{
	struct fixture *f = state;
	struct ksma_keys *keys = NULL;
	struct ksma_error *error = ksma_keys_open(f->keys, &keys);

	if (error)
		assert_null(keys);
	ksma_keys_close(keys);
	return error;
}

static void test_no_memory(void **state)
{
	struct fixture *f = *state;
	uint8_t id[KSMA_SHA256] = { 1 };
	bool known;

	put_public(f->keys, "key.pem", f->rsa);
	assert_ok(ksma_revoked_add(f->keys, KSMA_REVOKED_FILE, id, "", &known));
	fail_alloc_each(open_folder, f, FAIL_ALLOC_STRICT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_scheme, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_and_revoked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_certificates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_authority, setup, teardown),
		cmocka_unit_test_setup_teardown(test_revoked_in_a_chain, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_certificate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_folders, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signers, setup, teardown),
		cmocka_unit_test(test_list_of_the_revoked),
		cmocka_unit_test(test_file_of_signatures),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	EVP_PKEY_free(shared.rsa);
	EVP_PKEY_free(shared.other);
	return failed;
}
