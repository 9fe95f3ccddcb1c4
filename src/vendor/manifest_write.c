/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lays a manifest out: see manifest.h for what goes where. */
#include "vendor/manifest_write.h"

#include "base/bytes.h"
#include "base/replace.h"
#include "vendor/manifest.h"

/* A path as it was added. */
struct item {
	uint8_t record[KSMA_MANIFEST_RECORD]; /* as it is written, but for where its pages are */
	uint64_t path;			      /* in the strings */
	uint64_t pages_at, pages; /* among those that were added; none for less than two */
};

struct ksma_manifest_writer {
	struct {
		struct item *items;
		size_t count, capacity;
	} list;
	char *strings;
	size_t strings_length, strings_capacity;
	uint8_t *pages;
	size_t page_count, page_capacity;
	uint64_t origin; /* where the last one is, which the next mostly shares */
	uint32_t origin_length;
};

struct ksma_error *ksma_manifest_writer_create(struct ksma_manifest_writer **ret_writer)
{
	*ret_writer = calloc(1, sizeof(**ret_writer));
	return *ret_writer ? NULL : ksma_error_nomem();
}

void ksma_manifest_writer_destroy(struct ksma_manifest_writer *w)
{
	if (!w)
		return;
	free(w->list.items);
	free(w->strings);
	free(w->pages);
	free(w);
}

uint64_t ksma_manifest_writer_count(const struct ksma_manifest_writer *w)
{
	return w->list.count;
}

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

static struct ksma_error *add_text(struct ksma_manifest_writer *w, const char *what,
				   const char *text, uint64_t *ret_at, uint32_t *ret_length)
{
	size_t length = strlen(text);

	if (length > KSMA_MANIFEST_MAX_TEXT)
		return ksma_error_create(KSMA_ERROR_LIMIT, "%s is longer than %d bytes: %.60s…",
					 what, KSMA_MANIFEST_MAX_TEXT, text);
	if (length)
		KSMA_TRY(ksma_array_grow(&w->strings, &w->strings_capacity,
					 w->strings_length + length + 1, 1));
	*ret_at = length ? w->strings_length : 0;
	*ret_length = (uint32_t)length;
	if (length) {
		memcpy(w->strings + w->strings_length, text, length + 1);
		w->strings_length += length + 1;
	}
	return NULL;
}

static struct ksma_error *add_origin(struct ksma_manifest_writer *w, const char *origin,
				     uint64_t *ret_at, uint32_t *ret_length)
{
	if (!w->origin_length || strcmp(w->strings + w->origin, origin) != 0)
		KSMA_TRY(add_text(w, "a package's name", origin, &w->origin, &w->origin_length));
	*ret_at = w->origin;
	*ret_length = w->origin_length;
	return NULL;
}

static struct ksma_error *check(const struct ksma_manifest_entry *e)
{
	bool file = e->type == KSMA_MANIFEST_FILE;

	if (e->path[0] != '/')
		return ksma_error_create(KSMA_ERROR_INVALID, "'%s' is no absolute path", e->path);
	if ((!file && e->type != KSMA_MANIFEST_SYMLINK) || S_ISREG(e->mode) != file ||
	    S_ISLNK(e->mode) == file || (e->target[0] != 0) == file || (!file && e->size))
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "%s is neither a file nor a symbolic link", e->path);
	return NULL;
}

static struct ksma_error *too_many(void)
{
	return ksma_error_create(KSMA_ERROR_LIMIT, "a manifest holds at most %d paths",
				 KSMA_MANIFEST_MAX_ENTRIES);
}

static struct ksma_error *add_pages(struct ksma_manifest_writer *w, const uint8_t *pages,
				    uint64_t count)
{
	if (w->page_count + count > w->page_capacity)
		KSMA_TRY(ksma_array_grow(&w->pages, &w->page_capacity, w->page_count + count,
					 KSMA_SHA256));
	memcpy(w->pages + w->page_count * KSMA_SHA256, pages, count * KSMA_SHA256);
	w->page_count += count;
	return NULL;
}

struct ksma_error *ksma_manifest_writer_add(struct ksma_manifest_writer *w,
					    const struct ksma_manifest_entry *e,
					    const uint8_t *pages)
{
	uint64_t count = e->size / KSMA_MANIFEST_PAGE + (e->size % KSMA_MANIFEST_PAGE != 0);
	uint64_t path, target, origin;
	uint32_t path_length, target_length, origin_length;
	struct item *item;
	uint8_t *r;

	KSMA_TRY(check(e));
	if (count > 1 && !pages)
		return ksma_error_create(KSMA_ERROR_INVALID, "the pages of %s are missing",
					 e->path);
	if (w->list.count == KSMA_MANIFEST_MAX_ENTRIES)
		return too_many();
	KSMA_TRY(add_text(w, "a path", e->path, &path, &path_length));
	KSMA_TRY(add_text(w, "a link's target", e->target, &target, &target_length));
	KSMA_TRY(add_origin(w, e->origin, &origin, &origin_length));
	if (count > 1)
		KSMA_TRY(add_pages(w, pages, count));
	KSMA_TRY(KSMA_ARRAY_PUSH(&w->list, &item));
	item->path = path;
	item->pages = count > 1 ? count : 0;
	item->pages_at = w->page_count - item->pages;
	r = item->record;
	put64(r + KSMA_ENTRY_PATH, path);
	put32(r + KSMA_ENTRY_PATH_LENGTH, path_length);
	put32(r + KSMA_ENTRY_TYPE, e->type);
	put64(r + KSMA_ENTRY_SIZE, e->size);
	put32(r + KSMA_ENTRY_MODE, e->mode);
	put32(r + KSMA_ENTRY_UID, e->uid);
	put32(r + KSMA_ENTRY_GID, e->gid);
	put32(r + KSMA_ENTRY_FLAGS, e->flags);
	put64(r + KSMA_ENTRY_TARGET, target);
	put32(r + KSMA_ENTRY_TARGET_LENGTH, target_length);
	put64(r + KSMA_ENTRY_ORIGIN, origin);
	put32(r + KSMA_ENTRY_ORIGIN_LENGTH, origin_length);
	if (e->type == KSMA_MANIFEST_FILE) {
		memcpy(r + KSMA_ENTRY_SHA256, e->sha256, KSMA_SHA256);
		memcpy(r + KSMA_ENTRY_ROOT, e->verity_root, KSMA_SHA256);
	}
	return NULL;
}

struct ksma_error *ksma_manifest_writer_copy(struct ksma_manifest_writer *w, const char *from,
					     const char *path)
{
	uint64_t at;
	uint32_t length;
	struct item *item, copy;
	size_t i = w->list.count;

	/* Names of one file mostly come one after the other. */
	while (i > 0 && strcmp(w->strings + w->list.items[i - 1].path, from) != 0)
		i--;
	if (!i)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
					 "%s is a name of %s, which is not there", path, from);
	if (w->list.count == KSMA_MANIFEST_MAX_ENTRIES)
		return too_many();
	copy = w->list.items[i - 1];
	KSMA_TRY(add_text(w, "a path", path, &at, &length));
	KSMA_TRY(KSMA_ARRAY_PUSH(&w->list, &item));
	*item = copy;
	item->path = at;
	put64(item->record + KSMA_ENTRY_PATH, at);
	put32(item->record + KSMA_ENTRY_PATH_LENGTH, length);
	return NULL;
}

static struct ksma_error *add_one_of(struct ksma_manifest_writer *w, struct ksma_manifest *m,
				     const struct ksma_manifest_entry *e)
{
	const uint8_t *pages = NULL;

	if (e->pages > 1)
		KSMA_TRY(ksma_manifest_bytes(
			m, e->part, m->parts.items[e->part].pages.at + e->pages_at * KSMA_SHA256,
			e->pages * KSMA_SHA256, &pages));
	return ksma_manifest_writer_add(w, e, pages);
}

/* Earlier parts first: a later one's word on a path replaces theirs. */
struct ksma_error *ksma_manifest_writer_add_all(struct ksma_manifest_writer *w,
						struct ksma_manifest *m)
{
	for (uint32_t part = 0; part < ksma_manifest_parts(m); part++)
		for (uint64_t i = 0; i < ksma_manifest_count(m, part); i++) {
			struct ksma_manifest_entry e;

			KSMA_TRY(ksma_manifest_at(m, part, i, &e));
			KSMA_TRY(add_one_of(w, m, &e));
		}
	return NULL;
}

static int by_path(const void *a, const void *b, void *arg)
{
	const struct ksma_manifest_writer *w = arg;
	const struct item *x = a, *y = b;
	int order = strcmp(w->strings + x->path, w->strings + y->path);

	/* What was added later lies behind in the strings. */
	return order ? order : (x->path > y->path) - (x->path < y->path);
}

/* Sorted by path, one for each: the one that was added last. */
static void sort_items(struct ksma_manifest_writer *w)
{
	size_t kept = 0;

	if (!w->list.count)
		return;
	qsort_r(w->list.items, w->list.count, sizeof(*w->list.items), by_path, w);
	for (size_t i = 0; i < w->list.count; i++) {
		if (kept && strcmp(w->strings + w->list.items[kept - 1].path,
				   w->strings + w->list.items[i].path) == 0)
			kept--;
		w->list.items[kept++] = w->list.items[i];
	}
	w->list.count = kept;
}

/* A record of an index, while it is sorted. */
struct key {
	uint64_t key;
	uint32_t entry, zero;
};
_Static_assert(sizeof(struct key) == KSMA_MANIFEST_INDEX, "it is written as it is");

static int by_key(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->entry > y->entry) - (x->entry < y->entry);
}

static void fill_paths(const struct ksma_manifest_writer *w, struct key *keys)
{
	for (size_t i = 0; i < w->list.count; i++) {
		const uint8_t *r = w->list.items[i].record;

		keys[i].entry = (uint32_t)i;
		keys[i].key = ksma_manifest_path_key(w->strings + w->list.items[i].path,
						     ksma_le32(r + KSMA_ENTRY_PATH_LENGTH));
	}
	if (w->list.count)
		qsort(keys, w->list.count, sizeof(*keys), by_key);
}

static bool is_file(const struct item *item)
{
	return ksma_le32(item->record + KSMA_ENTRY_TYPE) == KSMA_MANIFEST_FILE;
}

static size_t fill_hashes(const struct ksma_manifest_writer *w, struct key *keys)
{
	size_t n = 0;

	for (size_t i = 0; i < w->list.count; i++)
		if (is_file(&w->list.items[i])) {
			keys[n].entry = (uint32_t)i;
			keys[n++].key = ksma_be64(w->list.items[i].record + KSMA_ENTRY_SHA256);
		}
	if (n)
		qsort(keys, n, sizeof(*keys), by_key);
	return n;
}

/* Files of the same contents have the same pages, which are written once. @return how many pages are left */
static uint64_t place_pages(struct ksma_manifest_writer *w, const struct key *hashes, size_t count,
			    uint8_t *to)
{
	uint64_t at = 0;

	for (size_t i = 0; i < count; i++) {
		struct item *item = &w->list.items[hashes[i].entry];
		const struct item *before = i ? &w->list.items[hashes[i - 1].entry] : NULL;

		if (!item->pages)
			continue;
		if (before && before->pages == item->pages &&
		    memcmp(before->record + KSMA_ENTRY_SHA256, item->record + KSMA_ENTRY_SHA256,
			   KSMA_SHA256) == 0) {
			memcpy(item->record + KSMA_ENTRY_PAGES, before->record + KSMA_ENTRY_PAGES,
			       8);
			continue;
		}
		put64(item->record + KSMA_ENTRY_PAGES, at);
		if (to)
			memcpy(to + at * KSMA_SHA256, w->pages + item->pages_at * KSMA_SHA256,
			       item->pages * KSMA_SHA256);
		at += item->pages;
	}
	return at;
}

/* What is about to be written. */
struct layout {
	uint8_t head[KSMA_MANIFEST_HEAD];
	struct key *hashes;
	uint64_t body_length, chunks;
};

static void place_section(struct layout *l, unsigned at, uint64_t count, uint64_t size)
{
	put64(l->head + at, l->body_length);
	put64(l->head + at + 8, count);
	l->body_length = ksma_align_up(l->body_length + count * size, 8);
}

static void lay_out(struct ksma_manifest_writer *w, struct layout *l, uint64_t created)
{
	size_t files = fill_hashes(w, l->hashes);
	uint64_t pages = place_pages(w, l->hashes, files, NULL);

	memcpy(l->head, KSMA_MANIFEST_MAGIC, 8);
	put32(l->head + KSMA_HEAD_VERSION, KSMA_MANIFEST_VERSION);
	put64(l->head + KSMA_HEAD_CREATED, created);
	place_section(l, KSMA_HEAD_ENTRIES, w->list.count, KSMA_MANIFEST_RECORD);
	place_section(l, KSMA_HEAD_PATHS, w->list.count, KSMA_MANIFEST_INDEX);
	place_section(l, KSMA_HEAD_HASHES, files, KSMA_MANIFEST_INDEX);
	place_section(l, KSMA_HEAD_STRINGS, w->strings_length, 1);
	place_section(l, KSMA_HEAD_PAGES, pages, KSMA_SHA256);
	l->chunks = (l->body_length + KSMA_MANIFEST_CHUNK - 1) / KSMA_MANIFEST_CHUNK;
	put64(l->head + KSMA_HEAD_CHUNKS, l->chunks);
}

static void fill_body(struct ksma_manifest_writer *w, const struct layout *l, uint8_t *body)
{
	size_t files = ksma_le64(l->head + KSMA_HEAD_HASHES + 8);

	for (size_t i = 0; i < w->list.count; i++)
		memcpy(body + ksma_le64(l->head + KSMA_HEAD_ENTRIES) + i * KSMA_MANIFEST_RECORD,
		       w->list.items[i].record, KSMA_MANIFEST_RECORD);
	fill_paths(w, (struct key *)(body + ksma_le64(l->head + KSMA_HEAD_PATHS)));
	if (files)
		memcpy(body + ksma_le64(l->head + KSMA_HEAD_HASHES), l->hashes,
		       files * sizeof(*l->hashes));
	if (w->strings_length)
		memcpy(body + ksma_le64(l->head + KSMA_HEAD_STRINGS), w->strings,
		       w->strings_length);
	place_pages(w, l->hashes, files, body + ksma_le64(l->head + KSMA_HEAD_PAGES));
}

/* @front the head and the chunk table, with zeros to its end */
static struct ksma_error *write_parts(struct layout *l, uint8_t *front, size_t front_length,
				      const uint8_t *body, int fd)
{
	struct ksma_sha256 *sha256;

	KSMA_TRY(ksma_sha256_create(&sha256));
	for (uint64_t i = 0; i < l->chunks; i++)
		ksma_sha256(sha256, body + i * KSMA_MANIFEST_CHUNK, KSMA_MANIFEST_CHUNK,
			    front + KSMA_MANIFEST_HEAD + i * KSMA_SHA256);
	put64(l->head + KSMA_HEAD_LENGTH, front_length + l->chunks * KSMA_MANIFEST_CHUNK);
	ksma_sha256(sha256, front + KSMA_MANIFEST_HEAD, l->chunks * KSMA_SHA256,
		    l->head + KSMA_HEAD_TABLE);
	ksma_sha256_destroy(sha256);
	memcpy(front, l->head, sizeof(l->head));
	KSMA_TRY(ksma_write_all(fd, front, front_length));
	return ksma_write_all(fd, body, l->chunks * KSMA_MANIFEST_CHUNK);
}

struct ksma_error *ksma_manifest_writer_write(struct ksma_manifest_writer *w, int fd,
					      uint64_t created)
{
	_cleanup_free_ struct key *hashes = NULL;
	_cleanup_free_ uint8_t *body = NULL, *front = NULL;
	struct layout l = { 0 };
	size_t front_length;

	sort_items(w);
	hashes = calloc(w->list.count + 1, sizeof(*hashes));
	if (!hashes)
		return ksma_error_nomem();
	l.hashes = hashes;
	lay_out(w, &l, created);
	front_length =
		ksma_align_up(KSMA_MANIFEST_HEAD + l.chunks * KSMA_SHA256, KSMA_MANIFEST_CHUNK);
	body = calloc(l.chunks + 1, KSMA_MANIFEST_CHUNK);
	front = calloc(1, front_length);
	if (!body || !front)
		return ksma_error_nomem();
	fill_body(w, &l, body);
	return write_parts(&l, front, front_length, body, fd);
}
