/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* security.ima: signatures of each kind and hash, by the key that they name, and every way in which the bytes can be wrong. What
 * evmctl itself writes is tests/e2e/test-ima.sh. */
#include "unit.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include "vendor/digest.h"
#include "vendor/ima_sig.h"

enum { HEAD = 9 };

/* One key in a folder. */
struct fixture {
	char folder[64], file[80];
	EVP_PKEY *key;
	struct ksma_keys *keys;
};

static void open_with(struct fixture *f, EVP_PKEY *key)
{
	FILE *file;

	snprintf(f->folder, sizeof(f->folder), "/tmp/ksma-test-ima.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	chmod(f->folder, 0755);
	snprintf(f->file, sizeof(f->file), "%.60s/key.pem", f->folder);
	file = fopen(f->file, "w");
	assert_non_null(file);
	assert_int_equal(PEM_write_PUBKEY(file, key), 1);
	fclose(file);
	f->key = key;
	assert_ok(ksma_keys_open(f->folder, &f->keys));
}

static void end(struct fixture *f)
{
	ksma_keys_close(f->keys);
	EVP_PKEY_free(f->key);
	unlink(f->file);
	rmdir(f->folder);
}

/* The last four bytes of the SHA-1 of the key's bits. */
static void key_id(EVP_PKEY *key, uint8_t *ret)
{
	const unsigned char *bits;
	uint8_t hash[SHA_DIGEST_LENGTH];
	X509_PUBKEY *public = NULL;
	int length;

	X509_PUBKEY_set(&public, key);
	X509_PUBKEY_get0_param(NULL, &bits, &length, NULL, public);
	SHA1(bits, (size_t)length, hash);
	memcpy(ret, hash + 16, 4);
	X509_PUBKEY_free(public);
}

/* An attribute as `evmctl ima_sign` makes it. */
static size_t make(const struct fixture *f, uint8_t type, uint8_t number, const char *algorithm,
		   const uint8_t *hash, size_t hash_length, uint8_t *ret)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(f->key, NULL);
	EVP_MD *md = EVP_MD_fetch(NULL, algorithm, NULL);
	size_t length = 1024;

	ret[0] = type;
	ret[1] = type == 3 ? 2 : 3;
	ret[2] = number;
	key_id(f->key, ret + 3);
	assert_int_equal(EVP_PKEY_sign_init(context), 1);
	assert_true(EVP_PKEY_CTX_set_signature_md(context, md) == 1);
	assert_int_equal(EVP_PKEY_sign(context, ret + HEAD, &length, hash, hash_length), 1);
	ret[7] = (uint8_t)(length >> 8);
	ret[8] = (uint8_t)length;
	EVP_PKEY_CTX_free(context);
	EVP_MD_free(md);
	return length + HEAD;
}

static enum ksma_trust judge(const struct fixture *f, const uint8_t *bytes, size_t length,
			     const uint8_t *hash)
{
	struct ksma_verdict v;
	struct ksma_ima ima;

	assert_ok(ksma_ima_parse(bytes, length, &ima));
	assert_ok(ksma_ima_verify(&ima, f->keys, hash, &v));
	return v.trust;
}

static void check_kinds(struct fixture *f)
{
	static const struct {
		uint8_t number;
		const char *algorithm;
		size_t length;
	} hashes[] = { { 4, "SHA256", 32 }, { 5, "SHA384", 48 }, { 6, "SHA512", 64 } };

	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
		uint8_t bytes[1100], hash[64], id[66] = { 6, hashes[i].number }, id_hash[64];
		struct ksma_hash *h = NULL;
		size_t length;

		memset(hash, (int)i + 1, sizeof(hash));
		length = make(f, 3, hashes[i].number, hashes[i].algorithm, hash, hashes[i].length,
			      bytes);
		assert_int_equal(judge(f, bytes, length, hash), KSMA_TRUST_GOOD);
		hash[5] ^= 1;
		assert_int_equal(judge(f, bytes, length, hash), KSMA_TRUST_BAD);
		hash[5] ^= 1;
		bytes[HEAD + 20] ^= 1;
		assert_int_equal(judge(f, bytes, length, hash), KSMA_TRUST_BAD);
		bytes[HEAD + 20] ^= 1;
		bytes[4] ^= 1;
		assert_int_equal(judge(f, bytes, length, hash), KSMA_TRUST_UNKNOWN);
		bytes[4] ^= 1;
		/* A signature of the contents is none of the fs-verity digest, and the other way around. */
		bytes[0] = 6;
		bytes[1] = 3;
		assert_int_equal(judge(f, bytes, length, hash), KSMA_TRUST_BAD);
		memcpy(id + 2, hash, hashes[i].length);
		assert_ok(ksma_hash_create(hashes[i].algorithm, &h));
		ksma_hash_add(h, id, 2 + hashes[i].length);
		assert_int_equal(ksma_hash_end(h, id_hash), hashes[i].length);
		ksma_hash_destroy(h);
		length = make(f, 6, hashes[i].number, hashes[i].algorithm, id_hash,
			      hashes[i].length, bytes);
		assert_int_equal(judge(f, bytes, length, hash), KSMA_TRUST_GOOD);
		assert_int_equal(judge(f, bytes, length, id_hash), KSMA_TRUST_BAD);
	}
}

static void test_rsa(void **state)
{
	struct fixture f;

	open_with(&f, EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048));
	check_kinds(&f);
	end(&f);
}

static void test_ecdsa(void **state)
{
	struct fixture f;

	open_with(&f, EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"));
	check_kinds(&f);
	end(&f);
}

/* What evmctl 1.5 writes of the digest that fsverity prints of a file with the seven bytes "kvm-sma":
 * fsverity digest FILE | evmctl sign_hash --veritysig --hashalgo sha256 --key KEY */
static void test_verity_by_evmctl(void **state)
{
	static const char public[] =
		"-----BEGIN PUBLIC KEY-----\n"
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEooAxxHieSwBjN9fkgN8mWQaY68Ao\n"
		"pW2HIvr7QMDRCktsQw7exN+XzjcFitM3iJ5H78M91oNd7BW7BlbQXMkbcw==\n"
		"-----END PUBLIC KEY-----\n";
	static const uint8_t bytes[] = {
		0x06, 0x03, 0x04, 0x55, 0x58, 0xaa, 0x9c, 0x00, 0x48, 0x30, 0x46, 0x02, 0x21, 0x00,
		0xf3, 0x6c, 0x65, 0x4a, 0x4f, 0xb5, 0x44, 0xe4, 0x89, 0xbb, 0x28, 0xb9, 0x20, 0x2b,
		0xba, 0xc8, 0x91, 0xc1, 0xfd, 0xde, 0x29, 0xfc, 0xa3, 0xf7, 0x15, 0x52, 0xc1, 0xda,
		0x7a, 0xfa, 0xde, 0xcd, 0x02, 0x21, 0x00, 0xcc, 0xbd, 0x2c, 0x8e, 0x0e, 0x42, 0x3a,
		0xf1, 0xad, 0x64, 0xf2, 0x4f, 0x61, 0x73, 0x24, 0x78, 0x2a, 0x17, 0xaa, 0x9e, 0xaa,
		0xb4, 0x5d, 0x04, 0xca, 0x5d, 0xea, 0xdf, 0x29, 0xd2, 0x4a, 0xeb
	};
	BIO *bio = BIO_new_mem_buf(public, -1);
	uint8_t page[4096] = "kvm-sma", leaf[32], root[32], digest[32];
	struct ksma_sha256 *sha256 = NULL;
	struct fixture f;

	open_with(&f, PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL));
	BIO_free(bio);
	assert_ok(ksma_sha256_create(&sha256));
	ksma_sha256(sha256, page, sizeof(page), leaf);
	assert_ok(ksma_verity_root(sha256, leaf, 1, root));
	ksma_verity_digest(sha256, root, 7, digest);
	ksma_sha256_destroy(sha256);
	assert_int_equal(judge(&f, bytes, sizeof(bytes), digest), KSMA_TRUST_GOOD);
	digest[0] ^= 1;
	assert_int_equal(judge(&f, bytes, sizeof(bytes), digest), KSMA_TRUST_BAD);
	end(&f);
}

/* A key of a kind that such signatures are not made by is no reason to fall over. */
static void test_another_kind_of_key(void **state)
{
	uint8_t bytes[HEAD + 64] = { 3, 2, 4, [7] = 0, [8] = 64 }, hash[32] = { 0 };
	struct fixture f;

	open_with(&f, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
	key_id(f.key, bytes + 3);
	assert_int_equal(judge(&f, bytes, sizeof(bytes), hash), KSMA_TRUST_BAD);
	end(&f);
}

static void test_a_mere_hash(void **state)
{
	uint8_t bytes[34] = { 4, 4 }, hash[32];
	struct fixture f;

	memset(bytes + 2, 7, 32);
	memset(hash, 7, 32);
	open_with(&f, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
	assert_int_equal(judge(&f, bytes, sizeof(bytes), hash), KSMA_TRUST_UNSIGNED);
	hash[31] = 8;
	assert_int_equal(judge(&f, bytes, sizeof(bytes), hash), KSMA_TRUST_BAD);
	end(&f);
}

static void test_damaged(void **state)
{
	static const struct {
		uint8_t bytes[16];
		size_t length;
		enum ksma_error_code code;
	} cases[] = {
		{ { 0 }, 0, KSMA_ERROR_BAD_DATA },
		{ { 3 }, 1, KSMA_ERROR_BAD_DATA },
		{ { 3, 2, 4, 1, 2, 3, 4, 0 }, 8, KSMA_ERROR_BAD_DATA },
		{ { 3, 2, 4, 1, 2, 3, 4, 0, 0 }, 9, KSMA_ERROR_BAD_DATA },
		{ { 3, 2, 4, 1, 2, 3, 4, 0, 3, 1, 1 }, 11, KSMA_ERROR_BAD_DATA },
		{ { 3, 2, 4, 1, 2, 3, 4, 0, 1, 1, 1 }, 11, KSMA_ERROR_BAD_DATA },
		{ { 3, 2, 4, 1, 2, 3, 4, 0xff, 0xff, 1, 1 }, 11, KSMA_ERROR_BAD_DATA },
		{ { 3, 1, 4, 1, 2, 3, 4, 0, 2, 1, 1 }, 11, KSMA_ERROR_UNSUPPORTED },
		{ { 3, 3, 4, 1, 2, 3, 4, 0, 2, 1, 1 }, 11, KSMA_ERROR_UNSUPPORTED },
		{ { 6, 2, 4, 1, 2, 3, 4, 0, 2, 1, 1 }, 11, KSMA_ERROR_UNSUPPORTED },
		{ { 3, 2, 2, 1, 2, 3, 4, 0, 2, 1, 1 }, 11, KSMA_ERROR_UNSUPPORTED },
		{ { 3, 2, 255, 1, 2, 3, 4, 0, 2, 1, 1 }, 11, KSMA_ERROR_UNSUPPORTED },
		{ { 4 }, 1, KSMA_ERROR_BAD_DATA },
		{ { 4, 4 }, 2, KSMA_ERROR_BAD_DATA },
		{ { 4, 2 }, 2, KSMA_ERROR_UNSUPPORTED },
		{ { 1, 1, 1 }, 3, KSMA_ERROR_UNSUPPORTED },
		{ { 2, 1, 1 }, 3, KSMA_ERROR_UNSUPPORTED },
		{ { 5, 1, 1 }, 3, KSMA_ERROR_UNSUPPORTED },
	};
	struct ksma_ima ima;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_error(ksma_ima_parse(cases[i].bytes, cases[i].length, &ima), cases[i].code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rsa),
		cmocka_unit_test(test_ecdsa),
		cmocka_unit_test(test_verity_by_evmctl),
		cmocka_unit_test(test_another_kind_of_key),
		cmocka_unit_test(test_a_mere_hash),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
