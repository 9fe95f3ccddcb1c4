/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hashes as OpenSSL does them, at its own speed: the algorithm is looked up once, and a context is used again for each page. */
#include "vendor/digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "vendor/manifest.h"

enum { PAGE = KSMA_MANIFEST_PAGE, FAN = KSMA_MANIFEST_PAGE / KSMA_SHA256 };

struct ksma_sha256 {
	EVP_MD *type;
	EVP_MD_CTX *context;
};

struct ksma_error *ksma_sha256_create(struct ksma_sha256 **ret_sha256)
{
	struct ksma_sha256 *s = calloc(1, sizeof(*s));

	if (!s)
		return ksma_error_nomem();
	s->type = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	s->context = EVP_MD_CTX_new();
	if (!s->type || !s->context || EVP_DigestInit_ex2(s->context, s->type, NULL) != 1) {
		ksma_sha256_destroy(s);
		return ksma_error_nomem();
	}
	*ret_sha256 = s;
	return NULL;
}

void ksma_sha256_destroy(struct ksma_sha256 *s)
{
	if (!s)
		return;
	EVP_MD_CTX_free(s->context);
	EVP_MD_free(s->type);
	free(s);
}

/* On a context that was made for it, none of these can fail; if one did, an answer of zeros fits nothing. */
static void begin(EVP_MD_CTX *context)
{
	EVP_DigestInit_ex2(context, NULL, NULL);
}

static void end(EVP_MD_CTX *context, uint8_t *ret_hash)
{
	unsigned length = 0;

	if (EVP_DigestFinal_ex(context, ret_hash, &length) != 1 || length != KSMA_SHA256)
		memset(ret_hash, 0, KSMA_SHA256);
}

void ksma_sha256(struct ksma_sha256 *s, const void *data, size_t length,
		 uint8_t ret_hash[KSMA_SHA256])
{
	begin(s->context);
	EVP_DigestUpdate(s->context, data, length);
	end(s->context, ret_hash);
}

struct ksma_hash {
	EVP_MD *type;
	EVP_MD_CTX *context;
};

struct ksma_error *ksma_hash_create(const char *algorithm, struct ksma_hash **ret_hash)
{
	struct ksma_hash *h = calloc(1, sizeof(*h));

	if (!h)
		return ksma_error_nomem();
	h->type = EVP_MD_fetch(NULL, algorithm, NULL);
	h->context = EVP_MD_CTX_new();
	if (!h->type || !h->context || EVP_DigestInit_ex2(h->context, h->type, NULL) != 1) {
		bool known = h->type != NULL;

		ksma_hash_destroy(h);
		ERR_clear_error();
		return known ? ksma_error_nomem()
			     : ksma_error_create(KSMA_ERROR_UNSUPPORTED,
						 "OpenSSL knows no hash that is called %s",
						 algorithm);
	}
	*ret_hash = h;
	return NULL;
}

void ksma_hash_destroy(struct ksma_hash *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->context);
	EVP_MD_free(h->type);
	free(h);
}

void ksma_hash_add(struct ksma_hash *h, const void *data, size_t length)
{
	EVP_DigestUpdate(h->context, data, length);
}

size_t ksma_hash_end(struct ksma_hash *h, uint8_t *ret_hash)
{
	unsigned length = 0;

	if (EVP_DigestFinal_ex(h->context, ret_hash, &length) != 1)
		memset(ret_hash, 0, 64);
	begin(h->context);
	return length;
}

struct ksma_file_digest {
	struct ksma_sha256 *page;  /* of one page at a time */
	struct ksma_sha256 *whole; /* of the file so far */
	uint8_t buffer[PAGE];	   /* a page that is not complete */
	size_t filled;
	uint64_t size;
	uint8_t *hashes;
	size_t count, capacity;
};

struct ksma_error *ksma_file_digest_create(struct ksma_file_digest **ret_digest)
{
	struct ksma_file_digest *d = calloc(1, sizeof(*d));
	struct ksma_error *error;

	if (!d)
		return ksma_error_nomem();
	error = ksma_sha256_create(&d->page);
	if (!error)
		error = ksma_sha256_create(&d->whole);
	if (error)
		ksma_file_digest_destroy(d);
	else
		*ret_digest = d;
	return error;
}

void ksma_file_digest_destroy(struct ksma_file_digest *d)
{
	if (!d)
		return;
	ksma_sha256_destroy(d->page);
	ksma_sha256_destroy(d->whole);
	free(d->hashes);
	free(d);
}

static struct ksma_error *add_page(struct ksma_file_digest *d, const uint8_t *page)
{
	if (d->count == d->capacity)
		KSMA_TRY(ksma_array_grow(&d->hashes, &d->capacity, d->count + 1, KSMA_SHA256));
	ksma_sha256(d->page, page, PAGE, d->hashes + d->count * KSMA_SHA256);
	d->count++;
	return NULL;
}

struct ksma_error *ksma_file_digest_add(struct ksma_file_digest *d, const void *data, size_t length)
{
	const uint8_t *p = data;

	if (!d->size)
		begin(d->whole->context);
	/* A page's bytes are hashed for both while they are near. */
	while (length) {
		size_t n = PAGE - d->filled < length ? PAGE - d->filled : length;

		EVP_DigestUpdate(d->whole->context, p, n);
		if (n == PAGE) {
			KSMA_TRY(add_page(d, p));
		} else {
			memcpy(d->buffer + d->filled, p, n);
			d->filled += n;
			if (d->filled == PAGE) {
				KSMA_TRY(add_page(d, d->buffer));
				d->filled = 0;
			}
		}
		d->size += n;
		p += n;
		length -= n;
	}
	return NULL;
}

struct ksma_error *ksma_file_digest_end(struct ksma_file_digest *d,
					struct ksma_file_hashes *ret_hashes)
{
	struct ksma_file_hashes h = { .size = d->size };

	if (!d->size)
		begin(d->whole->context);
	if (d->filled) {
		memset(d->buffer + d->filled, 0, PAGE - d->filled);
		KSMA_TRY(add_page(d, d->buffer));
	}
	end(d->whole->context, h.sha256);
	KSMA_TRY(ksma_verity_root(d->page, d->hashes, d->count, h.verity_root));
	h.pages = d->hashes;
	h.page_count = d->count;
	d->count = 0;
	d->size = 0;
	d->filled = 0;
	*ret_hashes = h;
	return NULL;
}

struct ksma_error *ksma_verity_root(struct ksma_sha256 *s, const uint8_t *pages,
				    uint64_t page_count, uint8_t ret_root[KSMA_SHA256])
{
	_cleanup_free_ uint8_t *level = NULL;
	uint8_t block[PAGE];
	uint64_t count = page_count;

	memset(ret_root, 0, KSMA_SHA256);
	if (!count)
		return NULL;
	while (count > 1) {
		uint64_t blocks = (count + FAN - 1) / FAN;

		if (!level) {
			level = malloc(blocks * KSMA_SHA256);
			if (!level)
				return ksma_error_nomem();
		}
		/* A level's blocks are read before what is written over them: the output never overtakes. */
		for (uint64_t i = 0; i < blocks; i++) {
			uint64_t n = count - i * FAN < FAN ? count - i * FAN : FAN;

			memcpy(block, pages + i * PAGE, n * KSMA_SHA256);
			memset(block + n * KSMA_SHA256, 0, PAGE - n * KSMA_SHA256);
			ksma_sha256(s, block, PAGE, level + i * KSMA_SHA256);
		}
		pages = level;
		count = blocks;
	}
	memcpy(ret_root, pages, KSMA_SHA256);
	return NULL;
}

void ksma_verity_digest(struct ksma_sha256 *s, const uint8_t root[KSMA_SHA256], uint64_t size,
			uint8_t ret_digest[KSMA_SHA256])
{
	/* struct fsverity_descriptor of include/uapi/linux/fsverity.h, without a salt */
	uint8_t descriptor[256] = { 1 /* version */, 1 /* SHA-256 */, 12 /* log2 of a block */ };

	memcpy(descriptor + 8, &size, sizeof(size));
	memcpy(descriptor + 16, root, KSMA_SHA256);
	ksma_sha256(s, descriptor, sizeof(descriptor), ret_digest);
}

static void hash_with(void *context, const void *data, size_t length, uint8_t ret_hash[KSMA_SHA256])
{
	ksma_sha256(context, data, length, ret_hash);
}

static void end_with(void *context)
{
	ksma_sha256_destroy(context);
}

struct ksma_error *ksma_manifest_check(struct ksma_manifest *m)
{
	struct ksma_sha256 *sha256;

	KSMA_TRY(ksma_sha256_create(&sha256));
	return ksma_manifest_check_with(m, hash_with, sha256, end_with);
}
