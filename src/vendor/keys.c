/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the folder of keys. */
#include "vendor/keys.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "vendor/keys_impl.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { MAX_FILE = 1 << 20, MAX_KEYS = 4096 };

bool ksma_key_id(EVP_PKEY *key, uint8_t ret_id[KSMA_SHA256])
{
	unsigned char *der = NULL;
	int length = i2d_PUBKEY(key, &der);

	if (length > 0)
		SHA256(der, (size_t)length, ret_id);
	OPENSSL_free(der);
	return length > 0;
}

bool ksma_certificate_id(const X509 *certificate, uint8_t ret_id[KSMA_SHA256])
{
	unsigned length = 0;

	return X509_digest(certificate, EVP_sha256(), ret_id, &length) == 1 &&
	       length == KSMA_SHA256;
}

void ksma_subject(const X509 *certificate, char *text, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = 0;

	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0,
				      XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) > 0)
		n = BIO_read(bio, text, (int)size - 1);
	text[n > 0 ? n : 0] = 0;
	BIO_free(bio);
}

bool ksma_key_is_strong(const EVP_PKEY *key, char *ret_why)
{
	static const char *const curves[] = { "prime256v1", "secp384r1", "secp521r1" };
	int type = EVP_PKEY_get_base_id(key), bits = EVP_PKEY_get_bits(key);
	char curve[64] = "";

	if (type == EVP_PKEY_ED25519)
		return true;
	if (type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS) {
		if (bits >= 2048 && bits <= 4096)
			return true;
		snprintf(ret_why, 160, "an RSA key of %d bits: from 2048 to 4096 are taken", bits);
		return false;
	}
	if (type == EVP_PKEY_EC &&
	    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof(curve),
					   NULL) == 1) {
		for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
			if (strcmp(curve, curves[i]) == 0)
				return true;
	}
	snprintf(ret_why, 160,
		 "a key that is neither RSA nor ECDSA (P-256, P-384, P-521) nor Ed25519");
	return false;
}

/* How security.ima names a key: the last four bytes of the SHA-1 of its bits (RFC 5280, 4.2.1.2), or of the certificate's own identifier. */
static void set_ima_ids(struct ksma_key *k)
{
	const ASN1_OCTET_STRING *own;
	const unsigned char *bits;
	uint8_t sha1[SHA_DIGEST_LENGTH];
	X509_PUBKEY *public = NULL;
	int length;

	if (X509_PUBKEY_set(&public, k->key) == 1 &&
	    X509_PUBKEY_get0_param(NULL, &bits, &length, NULL, public) == 1) {
		SHA1(bits, (size_t)length, sha1);
		memcpy(k->ima[0], sha1 + sizeof(sha1) - 4, 4);
		memcpy(k->ima[1], k->ima[0], 4);
	}
	X509_PUBKEY_free(public);
	own = k->certificate ? X509_get0_subject_key_id(k->certificate) : NULL;
	if (own && ASN1_STRING_length(own) >= 4)
		memcpy(k->ima[1], ASN1_STRING_get0_data(own) + ASN1_STRING_length(own) - 4, 4);
}

/* Takes key and certificate over, also on failure. A key that is of no use in a certificate is told when it is met. */
static struct ksma_error *add_key(struct ksma_keys *keys, const char *file, EVP_PKEY *key,
				  X509 *certificate)
{
	struct ksma_error *error = NULL;
	struct ksma_key *k = NULL;
	char why[160];

	if (!certificate && !ksma_key_is_strong(key, why))
		error = ksma_error_create(KSMA_ERROR_INVALID, "%s/%s holds %s", keys->folder, file,
					  why);
	if (!error && keys->list.count == MAX_KEYS)
		error = ksma_error_create(KSMA_ERROR_LIMIT, "%s holds more than %d keys",
					  keys->folder, MAX_KEYS);
	if (!error)
		error = KSMA_ARRAY_PUSH(&keys->list, &k);
	if (error) {
		EVP_PKEY_free(key);
		X509_free(certificate);
		return error;
	}
	k->key = key;
	k->certificate = certificate;
	set_ima_ids(k);
	KSMA_TRY(ksma_strdup(file, &k->file));
	if (!ksma_key_id(key, k->id) ||
	    (certificate && X509_STORE_add_cert(keys->store, certificate) != 1))
		return ksma_error_nomem();
	return NULL;
}

/* @return false when its key makes no sense; then it is freed */
static struct ksma_error *add_certificate(struct ksma_keys *keys, const char *file,
					  X509 *certificate, bool *ret_sense)
{
	EVP_PKEY *key = X509_get_pubkey(certificate);

	*ret_sense = key != NULL;
	if (key)
		return add_key(keys, file, key, certificate);
	X509_free(certificate);
	return NULL;
}

/* One block of PEM. @ret_sense false: its contents make no sense */
static struct ksma_error *add_block(struct ksma_keys *keys, const char *file, const char *name,
				    const unsigned char *data, long length, bool *ret_sense)
{
	const unsigned char *p = data;

	*ret_sense = true;
	if (strcmp(name, "PUBLIC KEY") == 0) {
		EVP_PKEY *key = d2i_PUBKEY(NULL, &p, length);

		*ret_sense = key != NULL;
		return key ? add_key(keys, file, key, NULL) : NULL;
	}
	if (strcmp(name, "CERTIFICATE") == 0 || strcmp(name, "X509 CERTIFICATE") == 0) {
		X509 *certificate = d2i_X509(NULL, &p, length);

		*ret_sense = certificate != NULL;
		return certificate ? add_certificate(keys, file, certificate, ret_sense) : NULL;
	}
	if (strcmp(name, "TRUSTED CERTIFICATE") == 0) {
		X509 *certificate = d2i_X509_AUX(NULL, &p, length);

		*ret_sense = certificate != NULL;
		return certificate ? add_certificate(keys, file, certificate, ret_sense) : NULL;
	}
	if (strstr(name, "PRIVATE KEY"))
		keys->private_keys++;
	else if (!strstr(name, "PARAMETERS"))
		*ret_sense = false;
	return NULL;
}

static struct ksma_error *no_sense(const struct ksma_keys *keys, const char *file)
{
	ERR_clear_error();
	return ksma_error_create(
		KSMA_ERROR_INVALID,
		"%s/%s holds neither a public key nor a certificate (PEM or DER), or is damaged",
		keys->folder, file);
}

static struct ksma_error *add_pem(struct ksma_keys *keys, const char *file, BIO *bio)
{
	struct ksma_error *error = NULL;
	unsigned char *data = NULL;
	char *name = NULL, *header = NULL;
	unsigned blocks = 0;
	bool sense = true;
	long length;

	while (!error && sense && PEM_read_bio(bio, &name, &header, &data, &length) == 1) {
		error = add_block(keys, file, name, data, length, &sense);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(data, (size_t)length);
		blocks++;
	}
	/* The end is that no block begins any more; else one is damaged. */
	if (!error &&
	    (!sense || !blocks || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE))
		error = no_sense(keys, file);
	ERR_clear_error();
	return error;
}

static struct ksma_error *add_der(struct ksma_keys *keys, const char *file, const uint8_t *data,
				  size_t length)
{
	const unsigned char *p = data;
	X509 *certificate = d2i_X509(NULL, &p, (long)length);
	EVP_PKEY *key = NULL;
	bool sense = true;

	if (certificate) {
		KSMA_TRY(add_certificate(keys, file, certificate, &sense));
		return sense ? NULL : no_sense(keys, file);
	}
	p = data;
	key = d2i_PUBKEY(NULL, &p, (long)length);
	ERR_clear_error();
	return key ? add_key(keys, file, key, NULL) : no_sense(keys, file);
}

static struct ksma_error *add_file(struct ksma_keys *keys, const char *file)
{
	_cleanup_free_ char *path = NULL, *data = NULL;
	struct ksma_error *error;
	size_t length;
	BIO *bio;

	KSMA_TRY(ksma_asprintf(&path, "%s/%s", keys->folder, file));
	KSMA_TRY(ksma_read_file(path, MAX_FILE, &data, &length));
	if (length && (uint8_t)data[0] == 0x30)
		return add_der(keys, file, (const uint8_t *)data, length);
	bio = BIO_new_mem_buf(data, (int)length);
	if (!bio)
		return ksma_error_nomem();
	error = add_pem(keys, file, bio);
	BIO_free(bio);
	return error;
}

static struct ksma_error *add_revoked(struct ksma_keys *keys)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	struct ksma_error *error;
	size_t length;

	KSMA_TRY(ksma_asprintf(&path, "%s/revoked", keys->folder));
	error = ksma_read_file(path, KSMA_REVOKED_MAX, &text, &length);
	if (!error)
		error = ksma_error_prefix(ksma_revoked_parse(text, length, &keys->revoked), "%s",
					  path);
	return error;
}

static struct ksma_error *check_owner(const struct ksma_keys *keys, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return ksma_error_os(errno, "cannot look at %s", keys->folder);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & (S_IWGRP | S_IWOTH))
		return ksma_error_create(
			KSMA_ERROR_PERMISSION,
			"the folder of keys %s may be written by others: it must belong to root or you, mode 755",
			keys->folder);
	return NULL;
}

/* What of a file tells that it is another one, or was written to. */
static uint64_t mix(uint64_t state, const char *name, const struct stat *st)
{
	uint64_t facts[] = { st->st_dev,
			     st->st_ino,
			     (uint64_t)st->st_size,
			     st->st_mode,
			     (uint64_t)st->st_mtim.tv_sec,
			     (uint64_t)st->st_mtim.tv_nsec,
			     (uint64_t)st->st_ctim.tv_sec,
			     (uint64_t)st->st_ctim.tv_nsec };

	/* Added, so that the order in which the folder lists them says nothing. */
	return state + XXH64(facts, sizeof(facts), XXH64(name, strlen(name), 0));
}

/* Goes through the folder's files. @keys NULL: only their state is looked at */
static struct ksma_error *each_file(const char *folder, struct ksma_keys *keys, uint64_t *ret_state)
{
	DIR *dir = opendir(folder);
	struct ksma_error *error = NULL;
	uint64_t state = 0;
	struct dirent *d;

	if (!dir)
		return ksma_error_os(errno, "cannot open the folder of keys %s", folder);
	if (keys)
		error = check_owner(keys, dirfd(dir));
	while (!error && (errno = 0, d = readdir(dir))) {
		struct stat st;

		if (d->d_name[0] == '.')
			continue;
		if (fstatat(dirfd(dir), d->d_name, &st, 0) < 0) {
			error = ksma_error_os(errno, "cannot look at %s/%s", folder, d->d_name);
			break;
		}
		state = mix(state, d->d_name, &st);
		if (keys && S_ISREG(st.st_mode))
			error = strcmp(d->d_name, "revoked") == 0 ? add_revoked(keys)
								  : add_file(keys, d->d_name);
	}
	if (!error && errno)
		error = ksma_error_os(errno, "cannot read the folder of keys %s", folder);
	closedir(dir);
	if (!error)
		*ret_state = state;
	return error;
}

struct ksma_error *ksma_keys_open(const char *folder, struct ksma_keys **ret_keys)
{
	struct ksma_keys *keys = calloc(1, sizeof(*keys));
	struct ksma_error *error;

	if (!keys)
		return ksma_error_nomem();
	error = ksma_strdup(folder, &keys->folder);
	keys->store = X509_STORE_new();
	if (!error && !keys->store)
		error = ksma_error_nomem();
	if (!error)
		error = each_file(folder, keys, &keys->state);
	if (!error && !keys->list.count)
		error = ksma_error_create(KSMA_ERROR_INVALID,
					  "%s holds neither public keys nor certificates", folder);
	if (error)
		ksma_keys_close(keys);
	else
		*ret_keys = keys;
	return error;
}

void ksma_keys_close(struct ksma_keys *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < keys->list.count; i++) {
		EVP_PKEY_free(keys->list.items[i].key);
		X509_free(keys->list.items[i].certificate);
		free(keys->list.items[i].file);
	}
	free(keys->list.items);
	X509_STORE_free(keys->store);
	ksma_revoked_deinit(&keys->revoked);
	free(keys->folder);
	free(keys);
}

const char *ksma_keys_folder(const struct ksma_keys *keys)
{
	return keys->folder;
}

size_t ksma_keys_count(const struct ksma_keys *keys)
{
	return keys->list.count;
}

size_t ksma_keys_private(const struct ksma_keys *keys)
{
	return keys->private_keys;
}

bool ksma_keys_changed(const struct ksma_keys *keys)
{
	uint64_t state = 0;
	struct ksma_error *error = each_file(keys->folder, NULL, &state);

	if (error) {
		ksma_error_destroy(error);
		return true;
	}
	return state != keys->state;
}

bool ksma_keys_file_revoked(const struct ksma_keys *keys, const uint8_t sha256[KSMA_SHA256])
{
	return ksma_revoked_has(&keys->revoked, KSMA_REVOKED_FILE, sha256);
}

/* The list is sorted by hash. */
struct ksma_error *ksma_keys_files_revoked(const struct ksma_keys *keys, uint8_t **ret_hashes,
					   size_t *ret_count)
{
	uint8_t *hashes = calloc(keys->revoked.count + 1, KSMA_SHA256);
	size_t n = 0;

	if (!hashes)
		return ksma_error_nomem();
	for (size_t i = 0; i < keys->revoked.count; i++)
		if (keys->revoked.items[i].kind == KSMA_REVOKED_FILE)
			memcpy(hashes + n++ * KSMA_SHA256, keys->revoked.items[i].hash,
			       KSMA_SHA256);
	*ret_hashes = hashes;
	*ret_count = n;
	return NULL;
}

/* A file is read as a folder that holds it alone would be. */
struct ksma_error *ksma_key_file_id(const char *path, bool certificate, uint8_t ret_id[KSMA_SHA256])
{
	const char *slash = strrchr(path, '/');
	struct ksma_keys *keys = calloc(1, sizeof(*keys));
	struct ksma_error *error;

	if (!keys)
		return ksma_error_nomem();
	keys->store = X509_STORE_new();
	error = slash ? ksma_asprintf(&keys->folder, "%.*s", (int)(slash - path), path)
		      : ksma_strdup(".", &keys->folder);
	if (!error && !keys->store)
		error = ksma_error_nomem();
	if (!error)
		error = add_file(keys, slash ? slash + 1 : path);
	if (!error && (!keys->list.count || (certificate && !keys->list.items[0].certificate)))
		error = ksma_error_create(KSMA_ERROR_INVALID, "%s holds no %s", path,
					  certificate ? "certificate" : "public key");
	if (!error && certificate && !ksma_certificate_id(keys->list.items[0].certificate, ret_id))
		error = ksma_error_nomem();
	if (!error && !certificate)
		memcpy(ret_id, keys->list.items[0].id, KSMA_SHA256);
	ksma_keys_close(keys);
	return error;
}
