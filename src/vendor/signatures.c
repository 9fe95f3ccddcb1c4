/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads and writes the file of signatures, and holds a manifest against it. */
#include "vendor/signatures.h"

#include <errno.h>
#include <openssl/sha.h>

#include "base/bytes.h"
#include "base/replace.h"
#include "vendor/digest.h"
#include "vendor/store.h"

void ksma_signature_deinit(struct ksma_signature *s)
{
	free(s->bytes.data);
	for (size_t i = 0; i < s->certificate_count; i++)
		free(s->certificates[i].data);
	memset(s, 0, sizeof(*s));
}

void ksma_signatures_deinit(struct ksma_signatures *signatures)
{
	for (size_t i = 0; i < signatures->count; i++)
		ksma_signature_deinit(&signatures->items[i]);
	free(signatures->items);
	memset(signatures, 0, sizeof(*signatures));
}

/* Which of a signature's lines have been seen. */
enum { SEEN_SCHEME = 1, SEEN_KEY = 2, SEEN_SIGNATURE = 4, SEEN_ALL = 7 };

struct reader {
	struct ksma_signatures list;
	struct ksma_signature *now; /* the one that lines belong to */
	unsigned seen, line;
};

static struct ksma_error *bad(const struct reader *r, const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "line %u: %s", r->line, what);
}

/* Hexadecimal bytes, at most `limit`. */
static struct ksma_error *take_bytes(const struct reader *r, const char *text, size_t length,
				     size_t limit, struct ksma_der *ret)
{
	uint8_t *data;

	if (!length || length % 2 || length / 2 > limit)
		return bad(r, "too long, or no hexadecimal bytes");
	data = malloc(length / 2);
	if (!data)
		return ksma_error_nomem();
	if (ksma_hex_parse(text, length, data, length / 2) != length / 2) {
		free(data);
		return bad(r, "no hexadecimal bytes");
	}
	ret->data = data;
	ret->length = length / 2;
	return NULL;
}

static struct ksma_error *take_hash(const struct reader *r, const char *text, size_t length,
				    uint8_t *ret_hash)
{
	if (length != 64 || ksma_hex_parse(text, 64, ret_hash, KSMA_SHA256) != KSMA_SHA256)
		return bad(r, "no SHA-256");
	return NULL;
}

static struct ksma_error *begin(struct reader *r, const char *text, size_t length)
{
	if (r->now && r->seen != SEEN_ALL)
		return bad(r, "the signature before it is not complete");
	if (r->list.count == KSMA_SIGNATURES_MAX)
		return bad(r, "too many signatures");
	KSMA_TRY(KSMA_ARRAY_PUSH(&r->list, &r->now));
	r->seen = 0;
	return take_hash(r, text, length, r->now->head);
}

static struct ksma_error *take_certificate(struct reader *r, const char *text, size_t length)
{
	struct ksma_signature *s = r->now;

	if (s->certificate_count == KSMA_MAX_CERTIFICATES)
		return bad(r, "too many certificates");
	KSMA_TRY(take_bytes(r, text, length, KSMA_MAX_CERTIFICATE,
			    &s->certificates[s->certificate_count]));
	s->certificate_count++;
	return NULL;
}

/* `word` is the line's first, of `n` bytes; the value is what follows. */
static struct ksma_error *take_line(struct reader *r, const char *word, size_t n, const char *value,
				    size_t length)
{
#define IS(name) (n == sizeof(name) - 1 && memcmp(word, name, n) == 0)
	if (IS("manifest"))
		return begin(r, value, length);
	if (!r->now)
		return bad(r, "it does not say of which manifest");
	if (IS("certificate"))
		return take_certificate(r, value, length);
	if (IS("scheme") && !(r->seen & SEEN_SCHEME)) {
		r->seen |= SEEN_SCHEME;
		return ksma_scheme_find(value, length, &r->now->scheme)
			       ? NULL
			       : bad(r, "a scheme that is not known");
	}
	if (IS("key") && !(r->seen & SEEN_KEY)) {
		r->seen |= SEEN_KEY;
		return take_hash(r, value, length, r->now->key);
	}
	if (IS("signature") && !(r->seen & SEEN_SIGNATURE)) {
		r->seen |= SEEN_SIGNATURE;
		return take_bytes(r, value, length, KSMA_MAX_SIGNATURE, &r->now->bytes);
	}
#undef IS
	return bad(r, "not a line of a signature");
}

static struct ksma_error *parse(struct reader *r, const char *text, size_t length)
{
	for (size_t at = 0; at < length;) {
		const char *line = text + at, *end = memchr(line, '\n', length - at), *space;
		size_t n = end ? (size_t)(end - line) : length - at;

		at += n + 1;
		r->line++;
		if (r->line == 1) {
			if (n != strlen(KSMA_SIGNATURES_FORMAT) ||
			    memcmp(line, KSMA_SIGNATURES_FORMAT, n) != 0)
				return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
							 "it does not begin with '%s'",
							 KSMA_SIGNATURES_FORMAT);
			continue;
		}
		if (!n || line[0] == '#')
			continue;
		space = memchr(line, ' ', n);
		if (!space)
			return bad(r, "not a line of a signature");
		KSMA_TRY(take_line(r, line, (size_t)(space - line), space + 1,
				   n - (size_t)(space + 1 - line)));
	}
	if (!r->line)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "it is empty");
	return r->now && r->seen != SEEN_ALL ? bad(r, "the last signature is not complete") : NULL;
}

struct ksma_error *ksma_signatures_parse(const char *text, size_t length,
					 struct ksma_signatures *ret_signatures)
{
	struct reader r = { 0 };
	struct ksma_error *error = parse(&r, text, length);

	if (error)
		ksma_signatures_deinit(&r.list);
	else
		*ret_signatures = r.list;
	return error;
}

static void print_hex(FILE *f, const char *word, const uint8_t *data, size_t length)
{
	fprintf(f, "%s ", word);
	for (size_t i = 0; i < length; i++)
		fprintf(f, "%02x", data[i]);
	fputc('\n', f);
}

struct ksma_error *ksma_signatures_format(const struct ksma_signatures *signatures, char **ret_text,
					  size_t *ret_length)
{
	char *text = NULL;
	size_t length;
	FILE *f = open_memstream(&text, &length);

	if (!f)
		return ksma_error_nomem();
	fprintf(f, "%s\n", KSMA_SIGNATURES_FORMAT);
	for (size_t i = 0; i < signatures->count; i++) {
		const struct ksma_signature *s = &signatures->items[i];

		fputc('\n', f);
		print_hex(f, "manifest", s->head, KSMA_SHA256);
		fprintf(f, "scheme %s\n", ksma_scheme_name(s->scheme));
		print_hex(f, "key", s->key, KSMA_SHA256);
		print_hex(f, "signature", s->bytes.data, s->bytes.length);
		for (size_t k = 0; k < s->certificate_count; k++)
			print_hex(f, "certificate", s->certificates[k].data,
				  s->certificates[k].length);
	}
	if (fclose(f) != 0 || !text) {
		free(text);
		return ksma_error_nomem();
	}
	*ret_text = text;
	*ret_length = length;
	return NULL;
}

struct ksma_error *ksma_signatures_put(struct ksma_signatures *list,
				       struct ksma_signature *signature)
{
	struct ksma_signature *slot = NULL;

	for (size_t i = 0; i < list->count && !slot; i++)
		if (memcmp(list->items[i].head, signature->head, KSMA_SHA256) == 0 &&
		    memcmp(list->items[i].key, signature->key, KSMA_SHA256) == 0)
			slot = &list->items[i];
	if (slot)
		ksma_signature_deinit(slot);
	else
		KSMA_TRY(KSMA_ARRAY_PUSH(list, &slot));
	*slot = *signature;
	memset(signature, 0, sizeof(*signature));
	return NULL;
}

struct ksma_error *ksma_signatures_read(const char *manifest,
					struct ksma_signatures *ret_signatures)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	struct ksma_error *error;
	size_t length;

	KSMA_TRY(ksma_asprintf(&path, "%s.sig", manifest));
	error = ksma_read_file(path, KSMA_SIGNATURES_MAX_FILE, &text, &length);
	if (error && error->errnum == ENOENT) {
		ksma_error_destroy(error);
		memset(ret_signatures, 0, sizeof(*ret_signatures));
		return NULL;
	}
	KSMA_TRY(error);
	return ksma_error_prefix(ksma_signatures_parse(text, length, ret_signatures),
				 "the signatures %s are damaged", path);
}

struct text {
	char *bytes;
	size_t length;
};

static struct ksma_error *write_text(void *arg, int fd)
{
	const struct text *t = arg;

	return ksma_write_all(fd, t->bytes, t->length);
}

struct ksma_error *ksma_signatures_write(const char *manifest,
					 const struct ksma_signatures *signatures)
{
	_cleanup_free_ char *path = NULL;
	struct text t = { 0 };
	struct ksma_error *error;

	KSMA_TRY(ksma_asprintf(&path, "%s.sig", manifest));
	KSMA_TRY(ksma_signatures_format(signatures, &t.bytes, &t.length));
	error = ksma_replace_file(path, 0644, write_text, &t);
	free(t.bytes);
	return error;
}

struct ksma_error *ksma_manifest_vouched(const struct ksma_manifest *m, uint32_t part,
					 const struct ksma_signatures *signatures,
					 const struct ksma_keys *keys,
					 struct ksma_verdict *ret_verdict)
{
	struct ksma_verdict best = { .trust = KSMA_TRUST_UNSIGNED }, one;
	const uint8_t *head = m->parts.items[part].head;
	uint8_t hash[KSMA_SHA256];

	snprintf(best.why, sizeof(best.why), "%s",
		 signatures->count ? "its signatures are of another manifest" : "it is not signed");
	SHA256(head, KSMA_MANIFEST_HEAD, hash);
	for (size_t i = 0; i < signatures->count && best.trust != KSMA_TRUST_GOOD; i++) {
		const struct ksma_signature *s = &signatures->items[i];

		if (memcmp(s->head, hash, sizeof(hash)) != 0)
			continue;
		KSMA_TRY(ksma_keys_verify(keys, s, head, KSMA_MANIFEST_HEAD, &one));
		if (best.trust == KSMA_TRUST_UNSIGNED || one.trust == KSMA_TRUST_GOOD ||
		    best.trust == KSMA_TRUST_UNKNOWN)
			best = one;
	}
	*ret_verdict = best;
	return NULL;
}

static struct ksma_error *check_signed(struct ksma_manifest *m, const char *path,
				       const struct ksma_signatures *signatures,
				       const struct ksma_keys *keys)
{
	for (uint32_t part = 0; part < ksma_manifest_parts(m); part++) {
		struct ksma_verdict verdict;

		KSMA_TRY(ksma_manifest_vouched(m, part, signatures, keys, &verdict));
		if (verdict.trust != KSMA_TRUST_GOOD)
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "the manifest %s is refused (%s)%s%s: %s", path,
						 ksma_trust_name(verdict.trust),
						 verdict.signer[0] ? ", signed by " : "",
						 verdict.signer, verdict.why);
	}
	KSMA_TRY(ksma_keys_files_revoked(keys, &m->refused, &m->refused_count));
	return ksma_manifest_check(m);
}

struct ksma_error *ksma_manifest_open_signed(const char *path, const struct ksma_keys *keys,
					     struct ksma_manifest **ret_manifest)
{
	_cleanup_(ksma_signatures_deinit) struct ksma_signatures signatures = { 0 };
	struct ksma_manifest *m;
	struct ksma_error *error;

	KSMA_TRY(ksma_signatures_read(path, &signatures));
	KSMA_TRY(ksma_manifest_open(path, &m));
	error = check_signed(m, path, &signatures, keys);
	if (error)
		ksma_manifest_close(m);
	else
		*ret_manifest = m;
	return error;
}

/* Every chunk, whether something refers to it or not. */
static struct ksma_error *read_chunks(struct ksma_manifest *m, uint32_t part)
{
	const uint8_t *bytes;

	for (uint64_t i = 0; i < m->parts.items[part].chunks; i++)
		KSMA_TRY(ksma_manifest_bytes(m, part, i * KSMA_MANIFEST_CHUNK, KSMA_MANIFEST_CHUNK,
					     &bytes));
	return NULL;
}

static struct ksma_error *damaged(const struct ksma_manifest *m, const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "the manifest %s is damaged: %s", m->path,
				 what);
}

/* The keys that the indexes of a part must have, by entry. */
struct keys_of {
	uint64_t *paths, *hashes;
	uint8_t *files; /* 1: it is one */
	uint64_t file_count;
};

static void keys_of_deinit(struct keys_of *k)
{
	free(k->paths);
	free(k->hashes);
	free(k->files);
}

static struct ksma_error *read_entries(struct ksma_manifest *m, uint32_t part, struct keys_of *k)
{
	uint64_t count = ksma_manifest_count(m, part);
	const char *last = "";

	k->paths = calloc(count + 1, sizeof(*k->paths));
	k->hashes = calloc(count + 1, sizeof(*k->hashes));
	k->files = calloc(count + 1, 1);
	if (!k->paths || !k->hashes || !k->files)
		return ksma_error_nomem();
	for (uint64_t i = 0; i < count; i++) {
		struct ksma_manifest_entry e;

		KSMA_TRY(ksma_manifest_at(m, part, i, &e));
		if (strcmp(last, e.path) >= 0)
			return damaged(m, "it is not sorted");
		last = e.path;
		k->paths[i] = ksma_manifest_path_key(e.path, strlen(e.path));
		k->hashes[i] = ksma_be64(e.sha256);
		k->files[i] = e.type == KSMA_MANIFEST_FILE;
		k->file_count += k->files[i];
	}
	return NULL;
}

/* An index has each of its entries once, by its key, in order. @wanted a byte an entry: 1 for those that it must have; used up */
static struct ksma_error *read_index(struct ksma_manifest *m, uint32_t part,
				     const struct ksma_manifest_section *section,
				     const uint64_t *keys, uint8_t *wanted, uint64_t wanted_count)
{
	uint64_t last = 0;

	if (section->count != wanted_count)
		return damaged(m, "an index does not have all paths");
	for (uint64_t i = 0; i < section->count; i++) {
		const uint8_t *r;
		uint32_t entry;

		KSMA_TRY(ksma_manifest_bytes(m, part, section->at + i * KSMA_MANIFEST_INDEX,
					     KSMA_MANIFEST_INDEX, &r));
		entry = ksma_le32(r + 8);
		if (entry >= ksma_manifest_count(m, part) || !wanted[entry] ||
		    keys[entry] != ksma_le64(r) || ksma_le64(r) < last)
			return damaged(m, "an index does not have all paths");
		wanted[entry] = 0;
		last = ksma_le64(r);
	}
	return NULL;
}

static struct ksma_error *read_part(struct ksma_manifest *m, uint32_t part)
{
	_cleanup_(keys_of_deinit) struct keys_of k = { 0 };
	const struct ksma_manifest_part *p = &m->parts.items[part];

	KSMA_TRY(read_chunks(m, part));
	KSMA_TRY(read_entries(m, part, &k));
	KSMA_TRY(read_index(m, part, &p->hashes, k.hashes, k.files, k.file_count));
	memset(k.files, 1, p->entries.count);
	return read_index(m, part, &p->paths, k.paths, k.files, p->entries.count);
}

struct ksma_error *ksma_manifest_read_all(struct ksma_manifest *m)
{
	for (uint32_t part = 0; part < ksma_manifest_parts(m); part++)
		KSMA_TRY(read_part(m, part));
	return NULL;
}
