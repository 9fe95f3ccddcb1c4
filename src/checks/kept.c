/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads and writes the files of kept first looks: a header, then records, each with a payload that is padded to eight bytes. */
#include "checks/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/replace.h"

enum {
	VERSION = 1,
	MAX_FILE = 512 << 20,
	MAX_RECORDS = 1 << 16,
	RECORD_BYTES = 1,
	RECORD_WORDS = 2,
};

static const char magic[8] = { 'K', 'S', 'M', 'A', 'K', 'E', 'P', 'T' };

/* The host is little-endian, and so is the file. */
struct header {
	char magic[8];
	uint64_t version, size; /* of the whole file */
	uint64_t checksum;	/* of all that follows it */
	uint64_t taken_ns;
	struct ksma_kept_boot boot;
};

struct record {
	uint64_t kind;
	struct ksma_kept_key key;
	uint64_t gva, size; /* of the run */
	uint64_t payload;   /* bytes that follow */
};

struct ksma_kept {
	uint8_t *data;
	size_t size;
	struct header header;
	struct {
		struct ksma_kept_record {
			struct record record;
			const uint8_t *payload;
		} * items;
		size_t count, capacity;
	} records;
};

/* Against damage, not against forgery: who may write to the file may write what he likes. */
static uint64_t checksum(const uint8_t *data, size_t size)
{
	uint64_t h = 0x9e3779b97f4a7c15ull ^ size, v;

	for (size_t at = 0; at < size; at += sizeof(v)) {
		v = 0;
		memcpy(&v, data + at, size - at < sizeof(v) ? size - at : sizeof(v));
		h = (h ^ v) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	return h;
}

static uint64_t checksum_of(const uint8_t *data, size_t size)
{
	size_t start = offsetof(struct header, checksum) + sizeof(uint64_t);

	return checksum(data + start, size - start);
}

void ksma_kept_destroy(struct ksma_kept *kept)
{
	if (!kept)
		return;
	free(kept->records.items);
	free(kept->data);
	free(kept);
}

static struct ksma_error *damaged(const char *why)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA,
				 "%s: remove it, and the next look is a first look again", why);
}

static bool words_fit(const struct record *r, const uint8_t *payload)
{
	struct ksma_kept_word word;
	uint64_t next = r->gva;

	if (r->payload % sizeof(word))
		return false;
	for (size_t at = 0; at < r->payload; at += sizeof(word)) {
		memcpy(&word, payload + at, sizeof(word));
		if (word.gva < next || word.gva - r->gva >= r->size)
			return false;
		next = word.gva + 1;
	}
	return true;
}

static struct ksma_error *parse_records(struct ksma_kept *kept)
{
	for (size_t at = sizeof(kept->header); at < kept->size;) {
		struct ksma_kept_record *slot;
		struct record r;

		if (kept->size - at < sizeof(r) || kept->records.count == MAX_RECORDS)
			return damaged("a first look that was kept is cut off");
		memcpy(&r, kept->data + at, sizeof(r));
		at += sizeof(r);
		if (r.payload > kept->size - at || r.payload % 8 ||
		    !memchr(r.key.name, 0, sizeof(r.key.name)) || r.gva + r.size < r.gva ||
		    (r.kind == RECORD_BYTES && (r.payload < r.size || r.payload - r.size > 7)) ||
		    (r.kind == RECORD_WORDS && !words_fit(&r, kept->data + at)) ||
		    (r.kind != RECORD_BYTES && r.kind != RECORD_WORDS))
			return damaged("a first look that was kept makes no sense");
		KSMA_TRY(KSMA_ARRAY_PUSH(&kept->records, &slot));
		*slot = (struct ksma_kept_record){ r, kept->data + at };
		at += r.payload;
	}
	return NULL;
}

static struct ksma_error *parse(struct ksma_kept *kept)
{
	struct header *h = &kept->header;

	if (kept->size < sizeof(*h))
		return damaged("a first look that was kept is cut off");
	memcpy(h, kept->data, sizeof(*h));
	if (memcmp(h->magic, magic, sizeof(magic)) != 0)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "this is no first look");
	if (h->version != VERSION)
		return damaged("a first look of another version of ksma");
	if (h->size != kept->size || h->checksum != checksum_of(kept->data, kept->size))
		return damaged("a first look that was kept is damaged");
	return parse_records(kept);
}

struct ksma_error *ksma_kept_parse(uint8_t *data, size_t size, struct ksma_kept **ret_kept)
{
	struct ksma_kept *kept = calloc(1, sizeof(*kept));
	struct ksma_error *error;

	if (!kept) {
		free(data);
		return ksma_error_nomem();
	}
	kept->data = data;
	kept->size = size;
	error = parse(kept);
	if (error) {
		ksma_kept_destroy(kept);
		return error;
	}
	*ret_kept = kept;
	return NULL;
}

static struct ksma_error *read_all(int fd, const char *path, uint8_t **ret_data, size_t *ret_size)
{
	_cleanup_free_ uint8_t *data = NULL;
	struct stat st;
	size_t done = 0;

	if (fstat(fd, &st) < 0)
		return ksma_error_os(errno, "cannot read %s", path);
	if (!S_ISREG(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != 0) ||
	    st.st_mode & (S_IWGRP | S_IWOTH))
		return ksma_error_create(
			KSMA_ERROR_PERMISSION,
			"%s may be written by others: not used; chown and chmod go-w it, or remove it",
			path);
	if (st.st_size > MAX_FILE)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "%s is too large: remove it", path);
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return ksma_error_nomem();
	while (done < (size_t)st.st_size) {
		ssize_t n = read(fd, data + done, (size_t)st.st_size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ksma_error_os(errno, "cannot read %s", path);
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret_data = TAKE_PTR(data);
	*ret_size = done;
	return NULL;
}

struct ksma_error *ksma_kept_read(const char *path, struct ksma_kept **ret_kept)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct ksma_error *error;
	uint8_t *data;
	size_t size;

	if (fd < 0 && errno == ENOENT)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "there is no %s", path);
	if (fd < 0)
		return ksma_error_os(errno, "cannot read %s", path);
	KSMA_TRY(read_all(fd, path, &data, &size));
	error = ksma_kept_parse(data, size, ret_kept);
	return error ? ksma_error_prefix(error, "%s", path) : NULL;
}

const struct ksma_kept_boot *ksma_kept_boot(const struct ksma_kept *kept)
{
	return &kept->header.boot;
}

uint64_t ksma_kept_taken_ns(const struct ksma_kept *kept)
{
	return kept->header.taken_ns;
}

static const struct ksma_kept_record *find(const struct ksma_kept *kept, uint64_t kind,
					   const struct ksma_kept_key *key, uint64_t gva,
					   uint64_t size)
{
	for (size_t i = 0; i < kept->records.count; i++) {
		const struct record *r = &kept->records.items[i].record;

		if (r->kind == kind && r->gva == gva && r->size == size &&
		    r->key.base == key->base && r->key.instance == key->instance &&
		    strcmp(r->key.name, key->name) == 0)
			return &kept->records.items[i];
	}
	return NULL;
}

const uint8_t *ksma_kept_bytes(const struct ksma_kept *kept, const struct ksma_kept_key *key,
			       uint64_t gva, uint64_t size)
{
	const struct ksma_kept_record *r = find(kept, RECORD_BYTES, key, gva, size);

	return r ? r->payload : NULL;
}

bool ksma_kept_words(const struct ksma_kept *kept, const struct ksma_kept_key *key, uint64_t gva,
		     uint64_t size, const struct ksma_kept_word **ret_words, size_t *ret_count)
{
	const struct ksma_kept_record *r = find(kept, RECORD_WORDS, key, gva, size);

	if (!r)
		return false;
	/* Payloads begin at a multiple of eight: the header, the records and what precedes them are. */
	*ret_words = (const struct ksma_kept_word *)(const void *)r->payload;
	*ret_count = r->record.payload / sizeof(struct ksma_kept_word);
	return true;
}

static struct ksma_error *append(struct ksma_kept_writer *writer, const void *data, size_t size)
{
	size_t count = writer->bytes.count, padded = ksma_align_up(size, 8);

	if (padded > MAX_FILE || count > MAX_FILE - padded)
		return ksma_error_create(KSMA_ERROR_LIMIT, "a first look is too large to be kept");
	if (count + padded > writer->bytes.capacity)
		KSMA_TRY(ksma_array_grow(&writer->bytes.items, &writer->bytes.capacity,
					 count + padded, 1));
	memset(writer->bytes.items + count, 0, padded);
	if (size)
		memcpy(writer->bytes.items + count, data, size);
	writer->bytes.count += padded;
	return NULL;
}

struct ksma_error *ksma_kept_begin(struct ksma_kept_writer *writer,
				   const struct ksma_kept_boot *boot, uint64_t taken_ns)
{
	struct header h = { .version = VERSION, .taken_ns = taken_ns, .boot = *boot };

	memcpy(h.magic, magic, sizeof(magic));
	return append(writer, &h, sizeof(h));
}

static struct ksma_error *add(struct ksma_kept_writer *writer, uint64_t kind,
			      const struct ksma_kept_key *key, uint64_t gva, uint64_t size,
			      const void *data, size_t length)
{
	struct record r = { .kind = kind,
			    .key = *key,
			    .gva = gva,
			    .size = size,
			    .payload = ksma_align_up(length, 8) };

	KSMA_TRY(append(writer, &r, sizeof(r)));
	return append(writer, data, length);
}

struct ksma_error *ksma_kept_add_bytes(struct ksma_kept_writer *writer,
				       const struct ksma_kept_key *key, uint64_t gva,
				       const uint8_t *bytes, uint64_t size)
{
	return add(writer, RECORD_BYTES, key, gva, size, bytes, size);
}

struct ksma_error *ksma_kept_add_words(struct ksma_kept_writer *writer,
				       const struct ksma_kept_key *key, uint64_t gva, uint64_t size,
				       const struct ksma_kept_word *words, size_t count)
{
	return add(writer, RECORD_WORDS, key, gva, size, words, count * sizeof(*words));
}

static struct ksma_error *write_file(void *arg, int fd)
{
	struct ksma_kept_writer *writer = arg;

	return ksma_write_all(fd, writer->bytes.items, writer->bytes.count);
}

void ksma_kept_seal(uint8_t *data, size_t size)
{
	struct header h;

	if (size < sizeof(h))
		return;
	memcpy(&h, data, sizeof(h));
	h.size = size;
	h.checksum = checksum_of(data, size);
	memcpy(data, &h, sizeof(h));
}

struct ksma_error *ksma_kept_finish(struct ksma_kept_writer *writer, const char *path)
{
	ksma_kept_seal(writer->bytes.items, writer->bytes.count);
	return ksma_replace_file(path, 0600, write_file, writer);
}

void ksma_kept_writer_deinit(struct ksma_kept_writer *writer)
{
	free(writer->bytes.items);
	*writer = (struct ksma_kept_writer){ 0 };
}
