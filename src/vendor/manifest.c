/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads manifests: opening one reads its head, a lookup reads the few chunks that it touches. */
#include "vendor/manifest.h"

#include <errno.h>
#include <sys/mman.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.h"

static struct ksma_error *damaged(const struct ksma_manifest *m, const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "the manifest %s is damaged: %s", m->path,
				 what);
}

uint64_t ksma_manifest_path_key(const char *path, size_t length)
{
	return XXH64(path, length, 0);
}

static struct ksma_error *read_at(const struct ksma_manifest *m, void *buffer, size_t length,
				  uint64_t offset)
{
	uint8_t *to = buffer;

	while (length) {
		ssize_t n = pread(m->fd, to, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ksma_error_os(errno, "cannot read the manifest %s", m->path);
		if (n == 0)
			return damaged(m, "it is cut");
		to += n;
		length -= (size_t)n;
		offset += (uint64_t)n;
	}
	return NULL;
}

/* A section of `size` bytes a record must lie in the body. */
static bool section_fits(const uint8_t *head, unsigned at, uint64_t size, uint64_t body_length,
			 struct ksma_manifest_section *ret)
{
	uint64_t where = ksma_le64(head + at), count = ksma_le64(head + at + 8), bytes;

	if (where % 8 || __builtin_mul_overflow(count, size, &bytes) ||
	    !ksma_in_range(where, bytes, body_length))
		return false;
	ret->at = where;
	ret->count = count;
	return true;
}

static struct ksma_error *parse_head(const struct ksma_manifest *m, struct ksma_manifest_part *p,
				     uint64_t left)
{
	const uint8_t *head = p->head;
	uint64_t body_length, head_length;

	if (memcmp(head, KSMA_MANIFEST_MAGIC, 8) != 0)
		return p->offset ? damaged(m, "something else follows its parts")
				 : ksma_error_create(KSMA_ERROR_BAD_DATA, "%s is no manifest",
						     m->path);
	if (ksma_le32(head + KSMA_HEAD_VERSION) != KSMA_MANIFEST_VERSION)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "the manifest %s is of another version of ksma", m->path);
	p->length = ksma_le64(head + KSMA_HEAD_LENGTH);
	p->chunks = ksma_le64(head + KSMA_HEAD_CHUNKS);
	p->created = ksma_le64(head + KSMA_HEAD_CREATED);
	if (p->length > left)
		return damaged(m, "it is cut");
	if (p->length % KSMA_MANIFEST_CHUNK || p->length > KSMA_MANIFEST_MAX_PART ||
	    p->chunks > p->length / KSMA_MANIFEST_CHUNK)
		return damaged(m, "its length makes no sense");
	head_length =
		ksma_align_up(KSMA_MANIFEST_HEAD + p->chunks * KSMA_SHA256, KSMA_MANIFEST_CHUNK);
	body_length = p->chunks * KSMA_MANIFEST_CHUNK;
	if (head_length + body_length != p->length)
		return damaged(m, "its length makes no sense");
	p->body = p->offset + head_length;
	if (!section_fits(head, KSMA_HEAD_ENTRIES, KSMA_MANIFEST_RECORD, body_length,
			  &p->entries) ||
	    !section_fits(head, KSMA_HEAD_PATHS, KSMA_MANIFEST_INDEX, body_length, &p->paths) ||
	    !section_fits(head, KSMA_HEAD_HASHES, KSMA_MANIFEST_INDEX, body_length, &p->hashes) ||
	    !section_fits(head, KSMA_HEAD_PAGES, KSMA_SHA256, body_length, &p->pages) ||
	    !section_fits(head, KSMA_HEAD_STRINGS, 1, body_length, &p->strings) ||
	    p->entries.count > KSMA_MANIFEST_MAX_ENTRIES || p->paths.count != p->entries.count ||
	    p->hashes.count > p->entries.count)
		return damaged(m, "its sections make no sense");
	return NULL;
}

static struct ksma_error *add_part(struct ksma_manifest *m, uint64_t offset, uint64_t size,
				   uint64_t *ret_next)
{
	struct ksma_manifest_part *p;

	if (size - offset < KSMA_MANIFEST_HEAD)
		return offset || size ? damaged(m, "it is cut")
				      : ksma_error_create(KSMA_ERROR_BAD_DATA,
							  "the manifest %s is empty", m->path);
	if (m->parts.count == KSMA_MANIFEST_MAX_PARTS)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "the manifest %s was merged of more than %d: merge with "
					 "--flatten, and sign it again",
					 m->path, KSMA_MANIFEST_MAX_PARTS);
	KSMA_TRY(KSMA_ARRAY_PUSH(&m->parts, &p));
	p->offset = offset;
	KSMA_TRY(read_at(m, p->head, sizeof(p->head), offset));
	KSMA_TRY(parse_head(m, p, size - offset));
	p->table = malloc(p->chunks * KSMA_SHA256 + 1);
	p->there = calloc(p->chunks / 64 + 1, sizeof(*p->there));
	if (!p->table || !p->there)
		return ksma_error_nomem();
	KSMA_TRY(read_at(m, p->table, p->chunks * KSMA_SHA256, offset + KSMA_MANIFEST_HEAD));
	*ret_next = offset + p->length;
	return NULL;
}

static struct ksma_error *open_parts(struct ksma_manifest *m)
{
	uint64_t at = 0, size = (uint64_t)m->st.st_size;

	do
		KSMA_TRY(add_part(m, at, size, &at));
	while (at < size);
	return NULL;
}

KSMA_API struct ksma_error *ksma_manifest_open(const char *path,
					       struct ksma_manifest **ret_manifest)
{
	struct ksma_manifest *m = calloc(1, sizeof(*m));
	struct ksma_error *error;

	if (!m)
		return ksma_error_nomem();
	m->fd = -1;
	error = ksma_strdup(path, &m->path);
	if (!error) {
		m->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (m->fd < 0 || fstat(m->fd, &m->st) < 0)
			error = ksma_error_os(errno, "cannot open the manifest %s", path);
		else if (!S_ISREG(m->st.st_mode))
			error = ksma_error_create(KSMA_ERROR_INVALID, "%s is no regular file",
						  path);
	}
	if (!error)
		error = open_parts(m);
	if (error)
		ksma_manifest_close(m);
	else
		*ret_manifest = m;
	return error;
}

KSMA_API void ksma_manifest_close(struct ksma_manifest *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->parts.count; i++) {
		struct ksma_manifest_part *p = &m->parts.items[i];

		if (p->bytes)
			munmap(p->bytes, p->chunks * KSMA_MANIFEST_CHUNK);
		free(p->table);
		free(p->there);
	}
	free(m->parts.items);
	free(m->refused);
	if (m->sha256_end)
		m->sha256_end(m->sha256_context);
	if (m->fd >= 0)
		close(m->fd);
	free(m->path);
	free(m);
}

struct ksma_error *ksma_manifest_check_with(struct ksma_manifest *m, ksma_sha256_fn sha256,
					    void *context, void (*end)(void *context))
{
	m->sha256 = sha256;
	m->sha256_context = context;
	m->sha256_end = end;
	for (size_t i = 0; i < m->parts.count; i++) {
		const struct ksma_manifest_part *p = &m->parts.items[i];
		uint8_t hash[KSMA_SHA256];

		sha256(context, p->table, p->chunks * KSMA_SHA256, hash);
		if (memcmp(hash, p->head + KSMA_HEAD_TABLE, sizeof(hash)) != 0)
			return damaged(m, "its hashes are not those of its head");
	}
	return NULL;
}

static struct ksma_error *load_chunk(struct ksma_manifest *m, struct ksma_manifest_part *p,
				     uint64_t chunk)
{
	uint64_t at = chunk * KSMA_MANIFEST_CHUNK;
	uint8_t hash[KSMA_SHA256];

	/* Pages that are never touched take no memory. */
	if (!p->bytes) {
		void *bytes = mmap(NULL, p->chunks * KSMA_MANIFEST_CHUNK, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (bytes == MAP_FAILED)
			return ksma_error_os(errno, "cannot make room for the manifest %s",
					     m->path);
		p->bytes = bytes;
	}
	KSMA_TRY(read_at(m, p->bytes + at, KSMA_MANIFEST_CHUNK, p->body + at));
	if (m->sha256) {
		m->sha256(m->sha256_context, p->bytes + at, KSMA_MANIFEST_CHUNK, hash);
		if (memcmp(hash, p->table + chunk * KSMA_SHA256, sizeof(hash)) != 0)
			return damaged(m, "it is not what was signed");
	}
	p->there[chunk / 64] |= 1ull << chunk % 64;
	return NULL;
}

struct ksma_error *ksma_manifest_bytes(struct ksma_manifest *m, uint32_t part, uint64_t at,
				       uint64_t length, const uint8_t **ret_bytes)
{
	struct ksma_manifest_part *p;
	uint64_t first, last;

	if (part >= m->parts.count)
		return ksma_error_create(KSMA_ERROR_INVALID, "the manifest %s has no part %u",
					 m->path, part);
	p = &m->parts.items[part];
	if (!length || !ksma_in_range(at, length, p->chunks * KSMA_MANIFEST_CHUNK))
		return damaged(m, "it refers to what lies outside of it");
	first = at / KSMA_MANIFEST_CHUNK;
	last = (at + length - 1) / KSMA_MANIFEST_CHUNK;
	for (uint64_t chunk = first; chunk <= last; chunk++)
		if (!(p->there[chunk / 64] >> chunk % 64 & 1))
			KSMA_TRY(load_chunk(m, p, chunk));
	*ret_bytes = p->bytes + at;
	return NULL;
}

bool ksma_manifest_changed(const struct ksma_manifest *m)
{
	struct stat now;

	return stat(m->path, &now) < 0 || now.st_dev != m->st.st_dev ||
	       now.st_ino != m->st.st_ino || now.st_size != m->st.st_size ||
	       now.st_mtim.tv_sec != m->st.st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != m->st.st_mtim.tv_nsec ||
	       now.st_ctim.tv_sec != m->st.st_ctim.tv_sec ||
	       now.st_ctim.tv_nsec != m->st.st_ctim.tv_nsec;
}

/* A text of a record: inside the strings, with a NUL behind it and none in it. */
static struct ksma_error *text(struct ksma_manifest *m, uint32_t part, uint64_t at, uint32_t length,
			       const char **ret_text)
{
	const struct ksma_manifest_section *strings = &m->parts.items[part].strings;
	const uint8_t *bytes;

	if (!length) {
		*ret_text = "";
		return NULL;
	}
	if (length > KSMA_MANIFEST_MAX_TEXT || !ksma_in_range(at, length + 1ull, strings->count))
		return damaged(m, "a text lies outside of it");
	KSMA_TRY(ksma_manifest_bytes(m, part, strings->at + at, length + 1ull, &bytes));
	if (memchr(bytes, 0, length + 1ull) != bytes + length)
		return damaged(m, "a text does not end where it should");
	*ret_text = (const char *)bytes;
	return NULL;
}

static struct ksma_error *check_entry(const struct ksma_manifest *m,
				      const struct ksma_manifest_part *p,
				      const struct ksma_manifest_entry *e)
{
	bool file = e->type == KSMA_MANIFEST_FILE;

	if (e->path[0] != '/')
		return damaged(m, "a path is not absolute");
	if ((!file && e->type != KSMA_MANIFEST_SYMLINK) || S_ISREG(e->mode) != file ||
	    S_ISLNK(e->mode) == file || (e->target[0] != 0) == file || (!file && e->size))
		return damaged(m, "an entry makes no sense");
	if (e->size > INT64_MAX)
		return damaged(m, "a file is larger than files can be");
	if (e->pages > 1 && !ksma_in_range(e->pages_at, e->pages, p->pages.count))
		return damaged(m, "the pages of a file lie outside of it");
	return NULL;
}

KSMA_API struct ksma_error *ksma_manifest_at(struct ksma_manifest *m, uint32_t part, uint64_t index,
					     struct ksma_manifest_entry *ret_entry)
{
	struct ksma_manifest_entry e = { .part = part };
	const struct ksma_manifest_part *p;
	const uint8_t *r;

	if (part >= m->parts.count || index >= m->parts.items[part].entries.count)
		return ksma_error_create(KSMA_ERROR_INVALID, "the manifest %s has no such entry",
					 m->path);
	p = &m->parts.items[part];
	KSMA_TRY(ksma_manifest_bytes(m, part, p->entries.at + index * KSMA_MANIFEST_RECORD,
				     KSMA_MANIFEST_RECORD, &r));
	e.type = (enum ksma_manifest_type)ksma_le32(r + KSMA_ENTRY_TYPE);
	e.flags = ksma_le32(r + KSMA_ENTRY_FLAGS);
	e.size = ksma_le64(r + KSMA_ENTRY_SIZE);
	e.mode = ksma_le32(r + KSMA_ENTRY_MODE);
	e.uid = ksma_le32(r + KSMA_ENTRY_UID);
	e.gid = ksma_le32(r + KSMA_ENTRY_GID);
	e.pages = e.size / KSMA_MANIFEST_PAGE + (e.size % KSMA_MANIFEST_PAGE != 0);
	e.pages_at = ksma_le64(r + KSMA_ENTRY_PAGES);
	memcpy(e.sha256, r + KSMA_ENTRY_SHA256, KSMA_SHA256);
	memcpy(e.verity_root, r + KSMA_ENTRY_ROOT, KSMA_SHA256);
	KSMA_TRY(text(m, part, ksma_le64(r + KSMA_ENTRY_PATH),
		      ksma_le32(r + KSMA_ENTRY_PATH_LENGTH), &e.path));
	KSMA_TRY(text(m, part, ksma_le64(r + KSMA_ENTRY_TARGET),
		      ksma_le32(r + KSMA_ENTRY_TARGET_LENGTH), &e.target));
	KSMA_TRY(text(m, part, ksma_le64(r + KSMA_ENTRY_ORIGIN),
		      ksma_le32(r + KSMA_ENTRY_ORIGIN_LENGTH), &e.origin));
	KSMA_TRY(check_entry(m, p, &e));
	*ret_entry = e;
	return NULL;
}

static struct ksma_error *index_key(struct ksma_manifest *m, uint32_t part, uint64_t section,
				    uint64_t i, uint64_t *ret_key, uint32_t *ret_entry)
{
	const uint8_t *r;

	KSMA_TRY(ksma_manifest_bytes(m, part, section + i * KSMA_MANIFEST_INDEX,
				     KSMA_MANIFEST_INDEX, &r));
	*ret_key = ksma_le64(r);
	*ret_entry = ksma_le32(r + 8);
	return NULL;
}

/* The first record whose key is not below `key`. The keys are hashes and lie evenly, so it is near where one would guess: the
 * search widens from there, and touches one or two chunks instead of one a step. */
static struct ksma_error *search(struct ksma_manifest *m, uint32_t part,
				 const struct ksma_manifest_section *section, uint64_t key,
				 uint64_t *ret_index)
{
	uint64_t guess = (uint64_t)((unsigned __int128)key * section->count >> 64);
	uint64_t low = guess, high = guess, step = 64, found;
	uint32_t entry;

	/* low: everything before it is below the key; high: it and all after are not. */
	while (low > 0) {
		KSMA_TRY(index_key(m, part, section->at, low - 1, &found, &entry));
		if (found < key)
			break;
		high = low - 1;
		low = low > step ? low - step : 0;
		step *= 2;
	}
	for (step = 64; high < section->count; step *= 2) {
		KSMA_TRY(index_key(m, part, section->at, high, &found, &entry));
		if (found >= key)
			break;
		low = high + 1;
		high = section->count - high > step ? high + step : section->count;
	}
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		KSMA_TRY(index_key(m, part, section->at, middle, &found, &entry));
		if (found < key)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_index = low;
	return NULL;
}

/* Looks for a path in one part. */
static struct ksma_error *find_in(struct ksma_manifest *m, uint32_t part, const char *path,
				  uint64_t key, bool *ret_found,
				  struct ksma_manifest_entry *ret_entry)
{
	const struct ksma_manifest_section *section = &m->parts.items[part].paths;
	struct ksma_manifest_entry e;
	uint64_t i, found;
	uint32_t number;

	KSMA_TRY(search(m, part, section, key, &i));
	for (; i < section->count; i++) {
		KSMA_TRY(index_key(m, part, section->at, i, &found, &number));
		if (found != key)
			break;
		KSMA_TRY(ksma_manifest_at(m, part, number, &e));
		if (strcmp(e.path, path) != 0)
			continue;
		*ret_found = true;
		*ret_entry = e;
		break;
	}
	return NULL;
}

static int by_hash(const void *a, const void *b)
{
	return memcmp(a, b, KSMA_SHA256);
}

static bool is_refused(const struct ksma_manifest *m, const struct ksma_manifest_entry *e)
{
	return e->type == KSMA_MANIFEST_FILE && m->refused_count &&
	       bsearch(e->sha256, m->refused, m->refused_count, KSMA_SHA256, by_hash);
}

/* What the latest part that knows it says of a path, refused or not. */
static struct ksma_error *find_latest(struct ksma_manifest *m, const char *path, bool *ret_found,
				      struct ksma_manifest_entry *ret_entry)
{
	uint64_t key = ksma_manifest_path_key(path, strlen(path));
	bool found = false;

	for (size_t i = m->parts.count; i-- > 0 && !found;)
		KSMA_TRY(find_in(m, (uint32_t)i, path, key, &found, ret_entry));
	*ret_found = found;
	return NULL;
}

KSMA_API struct ksma_error *ksma_manifest_find(struct ksma_manifest *m, const char *path,
					       bool *ret_found,
					       struct ksma_manifest_entry *ret_entry)
{
	struct ksma_manifest_entry e;
	bool found;

	KSMA_TRY(find_latest(m, path, &found, &e));
	*ret_found = found && !is_refused(m, &e);
	if (*ret_found)
		*ret_entry = e;
	return NULL;
}

/* Does a later part say otherwise of this path? */
static struct ksma_error *superseded(struct ksma_manifest *m, const struct ksma_manifest_entry *e,
				     bool *ret_superseded)
{
	struct ksma_manifest_entry latest;
	bool found;

	KSMA_TRY(find_latest(m, e->path, &found, &latest));
	*ret_superseded = found && (latest.type != e->type ||
				    memcmp(latest.sha256, e->sha256, KSMA_SHA256) != 0);
	return NULL;
}

static struct ksma_error *find_hash_in(struct ksma_manifest *m, uint32_t part,
				       const uint8_t *sha256, bool *ret_found,
				       struct ksma_manifest_entry *ret_entry)
{
	const struct ksma_manifest_section *section = &m->parts.items[part].hashes;
	uint64_t key = ksma_be64(sha256), i, found;
	struct ksma_manifest_entry e;
	uint32_t number;
	bool old;

	KSMA_TRY(search(m, part, section, key, &i));
	for (; i < section->count; i++) {
		KSMA_TRY(index_key(m, part, section->at, i, &found, &number));
		if (found != key)
			break;
		KSMA_TRY(ksma_manifest_at(m, part, number, &e));
		if (e.type != KSMA_MANIFEST_FILE || memcmp(e.sha256, sha256, KSMA_SHA256) != 0)
			continue;
		KSMA_TRY(superseded(m, &e, &old));
		if (old || is_refused(m, &e))
			continue;
		*ret_found = true;
		*ret_entry = e;
		break;
	}
	return NULL;
}

KSMA_API struct ksma_error *ksma_manifest_find_hash(struct ksma_manifest *m,
						    const uint8_t sha256[KSMA_SHA256],
						    bool *ret_found,
						    struct ksma_manifest_entry *ret_entry)
{
	bool found = false;

	for (size_t part = m->parts.count; part-- > 0 && !found;)
		KSMA_TRY(find_hash_in(m, (uint32_t)part, sha256, &found, ret_entry));
	*ret_found = found;
	return NULL;
}

KSMA_API struct ksma_error *ksma_manifest_page(struct ksma_manifest *m,
					       const struct ksma_manifest_entry *entry,
					       uint64_t index, const uint8_t **ret_hash)
{
	if (index >= entry->pages || entry->part >= m->parts.count)
		return ksma_error_create(KSMA_ERROR_INVALID, "%s has no page %llu", entry->path,
					 (unsigned long long)index);
	if (entry->pages == 1) {
		*ret_hash = entry->verity_root;
		return NULL;
	}
	return ksma_manifest_bytes(m, entry->part,
				   m->parts.items[entry->part].pages.at +
					   (entry->pages_at + index) * KSMA_SHA256,
				   KSMA_SHA256, ret_hash);
}

KSMA_API uint32_t ksma_manifest_parts(const struct ksma_manifest *m)
{
	return (uint32_t)m->parts.count;
}

KSMA_API uint64_t ksma_manifest_count(const struct ksma_manifest *m, uint32_t part)
{
	return part < m->parts.count ? m->parts.items[part].entries.count : 0;
}

KSMA_API uint64_t ksma_manifest_created(const struct ksma_manifest *m, uint32_t part)
{
	return part < m->parts.count ? m->parts.items[part].created : 0;
}
