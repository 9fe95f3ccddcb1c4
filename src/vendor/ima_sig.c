/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads security.ima, and holds a file's hash against it. */
#include "vendor/ima_sig.h"

#include "base/bytes.h"
#include "vendor/digest.h"

/* enum evm_ima_xattr_type */
enum {
	TYPE_DIGEST = 1,
	TYPE_SIGNATURE = 3,
	TYPE_DIGEST_NG = 4,
	TYPE_VERITY_SIGNATURE = 6,
	VERSION_2 = 2,
	VERSION_3 = 3,
};

/* enum hash_algo of the kernel, as far as such a hash still proves anything */
static const struct {
	uint8_t number;
	const char *name;
	size_t length;
} hashes[] = {
	{ 4, "SHA256", 32 },
	{ 5, "SHA384", 48 },
	{ 6, "SHA512", 64 },
};

static struct ksma_error *damaged(const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "security.ima is damaged: %s", what);
}

static struct ksma_error *find_hash(uint8_t number, struct ksma_ima *ima)
{
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++)
		if (hashes[i].number == number) {
			ima->number = number;
			ima->algorithm = hashes[i].name;
			ima->hash_length = hashes[i].length;
			return NULL;
		}
	return ksma_error_create(
		KSMA_ERROR_UNSUPPORTED,
		"security.ima uses hash number %u: only SHA-256, SHA-384 and SHA-512 are taken",
		number);
}

static struct ksma_error *parse_hash(struct ksma_bytes *b, struct ksma_ima *ima)
{
	uint8_t number = ksma_bytes_u8(b);

	if (b->failed)
		return damaged("it is cut");
	KSMA_TRY(find_hash(number, ima));
	ima->kind = KSMA_IMA_HASH;
	ima->length = b->length - b->position;
	ima->bytes = ksma_bytes_take(b, ima->length);
	return ima->length == ima->hash_length ? NULL : damaged("its hash has another length");
}

static struct ksma_error *parse_signature(struct ksma_bytes *b, uint8_t type, struct ksma_ima *ima)
{
	uint8_t version = ksma_bytes_u8(b), number = ksma_bytes_u8(b);
	const uint8_t *key_id = ksma_bytes_take(b, 4);
	uint16_t length = ksma_bytes_be16(b);

	if (b->failed)
		return damaged("it is cut");
	if (version != (type == TYPE_SIGNATURE ? VERSION_2 : VERSION_3))
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "security.ima holds a signature of version %u, which is "
					 "not read",
					 version);
	KSMA_TRY(find_hash(number, ima));
	ima->kind = type == TYPE_SIGNATURE ? KSMA_IMA_SIGNATURE : KSMA_IMA_VERITY_SIG;
	memcpy(ima->key_id, key_id, 4);
	/* The kernel wants exactly this many bytes (asymmetric_verify()), and so do we. */
	if (!length || length > KSMA_MAX_SIGNATURE || length != b->length - b->position)
		return damaged("its signature has another length");
	ima->bytes = ksma_bytes_take(b, length);
	ima->length = length;
	return NULL;
}

struct ksma_error *ksma_ima_parse(const uint8_t *data, size_t length, struct ksma_ima *ret_ima)
{
	struct ksma_bytes b = ksma_bytes_of(data, length);
	struct ksma_ima ima = { 0 };
	uint8_t type = ksma_bytes_u8(&b);

	if (b.failed)
		return damaged("it is empty");
	switch (type) {
	case TYPE_DIGEST_NG:
		KSMA_TRY(parse_hash(&b, &ima));
		break;
	case TYPE_SIGNATURE:
	case TYPE_VERITY_SIGNATURE:
		KSMA_TRY(parse_signature(&b, type, &ima));
		break;
	case TYPE_DIGEST:
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "security.ima holds a SHA-1 or MD5 hash, which proves "
					 "nothing");
	default:
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "security.ima is of kind %u, which is not read", type);
	}
	*ret_ima = ima;
	return NULL;
}

static struct ksma_error *verify_hash(const struct ksma_ima *ima, const uint8_t *hash,
				      struct ksma_verdict *v)
{
	bool fits = memcmp(ima->bytes, hash, ima->hash_length) == 0;

	memset(v, 0, sizeof(*v));
	v->trust = fits ? KSMA_TRUST_UNSIGNED : KSMA_TRUST_BAD;
	snprintf(v->why, sizeof(v->why), "%s",
		 fits ? "security.ima has the file's hash, and nobody signed it"
		      : "security.ima has the hash of another content");
	return NULL;
}

struct ksma_error *ksma_ima_verify(const struct ksma_ima *ima, const struct ksma_keys *keys,
				   const uint8_t *hash, struct ksma_verdict *ret_verdict)
{
	/* struct ima_file_id: what is signed of a file with fs-verity */
	uint8_t id[2 + KSMA_HASH_MAX] = { TYPE_VERITY_SIGNATURE, ima->number };
	uint8_t id_hash[KSMA_HASH_MAX];
	struct ksma_hash *h;

	if (ima->kind == KSMA_IMA_HASH)
		return verify_hash(ima, hash, ret_verdict);
	if (ima->kind == KSMA_IMA_VERITY_SIG) {
		memcpy(id + 2, hash, ima->hash_length);
		KSMA_TRY(ksma_hash_create(ima->algorithm, &h));
		ksma_hash_add(h, id, 2 + ima->hash_length);
		ksma_hash_end(h, id_hash);
		ksma_hash_destroy(h);
		hash = id_hash;
	}
	return ksma_keys_verify_digest(keys, ima->key_id, ima->algorithm, hash, ima->hash_length,
				       ima->bytes, ima->length, ret_verdict);
}
