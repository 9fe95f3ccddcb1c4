/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests: what was written is found again, each bit that changes is noticed, and a file that is cut, grown or senseless is told. */
#include "unit.h"

#include <sys/mman.h>

#include "base/bytes.h"
#include "fail_alloc.h"
#include "vendor/manifest.h"
#include "vendor/manifest_write.h"
#include "vendor/signatures.h"

enum { FILES = 3000 };

struct fixture {
	char path[64];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fd;

	if (!f)
		return -1;
	snprintf(f->path, sizeof(f->path), "/tmp/ksma-test-manifest.XXXXXX");
	fd = mkstemp(f->path);
	if (fd < 0)
		return -1;
	close(fd);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	free(f);
	return 0;
}

/* The bytes of file `n`: its length and contents follow from the number. */
static size_t bytes_of(unsigned n, uint8_t *buffer)
{
	size_t length = n * 7919 % 20000;

	memset(buffer, (int)(n % 251), length);
	if (length > 4)
		memcpy(buffer, &n, sizeof(n));
	return length;
}

static struct ksma_error *add_file(struct ksma_manifest_writer *w, struct ksma_file_digest *d,
				   const char *path, const void *bytes, size_t length)
{
	struct ksma_manifest_entry e = { .type = KSMA_MANIFEST_FILE,
					 .path = path,
					 .target = "",
					 .origin = "tiny 1-1 all",
					 .size = length,
					 .mode = S_IFREG | 0755,
					 .uid = 7,
					 .flags = KSMA_MANIFEST_OWNER };
	struct ksma_file_hashes h;

	KSMA_TRY(ksma_file_digest_add(d, bytes, length));
	KSMA_TRY(ksma_file_digest_end(d, &h));
	memcpy(e.sha256, h.sha256, KSMA_SHA256);
	memcpy(e.verity_root, h.verity_root, KSMA_SHA256);
	return ksma_manifest_writer_add(w, &e, h.pages);
}

static struct ksma_error *add_link(struct ksma_manifest_writer *w, const char *path,
				   const char *target)
{
	struct ksma_manifest_entry e = { .type = KSMA_MANIFEST_SYMLINK,
					 .path = path,
					 .target = target,
					 .origin = "",
					 .mode = S_IFLNK | 0777 };

	return ksma_manifest_writer_add(w, &e, NULL);
}

static struct ksma_error *fill(struct ksma_manifest_writer *w, unsigned from, unsigned to)
{
	struct ksma_file_digest *d;
	struct ksma_error *error;
	uint8_t bytes[20000];
	char path[64];

	KSMA_TRY(ksma_file_digest_create(&d));
	error = add_link(w, "/bin", "usr/bin");
	for (unsigned n = from; n < to && !error; n++) {
		size_t length = bytes_of(n, bytes);

		snprintf(path, sizeof(path), "/usr/lib/%u/file-%u", n % 97, n);
		error = add_file(w, d, path, bytes, length);
	}
	ksma_file_digest_destroy(d);
	return error;
}

static struct ksma_error *write_to(struct ksma_manifest_writer *w, const char *path, int flags)
{
	int fd = open(path, O_WRONLY | flags, 0644);
	struct ksma_error *error = ksma_manifest_writer_write(w, fd, 1234567);

	close(fd);
	return error;
}

static struct ksma_error *make(const char *path, unsigned from, unsigned to, int flags)
{
	struct ksma_manifest_writer *w;
	struct ksma_error *error;

	KSMA_TRY(ksma_manifest_writer_create(&w));
	error = fill(w, from, to);
	if (!error)
		error = write_to(w, path, flags);
	ksma_manifest_writer_destroy(w);
	return error;
}

static struct ksma_error *open_checked(const char *path, struct ksma_manifest **ret)
{
	struct ksma_manifest *m;
	struct ksma_error *error;

	KSMA_TRY(ksma_manifest_open(path, &m));
	error = ksma_manifest_check(m);
	if (error)
		ksma_manifest_close(m);
	else
		*ret = m;
	return error;
}

/* All that must hold of file `n`. */
static void check_file(struct ksma_manifest *m, unsigned n)
{
	struct ksma_manifest_entry e, again;
	struct ksma_file_digest *d;
	struct ksma_file_hashes h;
	uint8_t bytes[20000];
	size_t length = bytes_of(n, bytes);
	char path[64];
	bool found;

	assert_ok(ksma_file_digest_create(&d));
	assert_ok(ksma_file_digest_add(d, bytes, length));
	assert_ok(ksma_file_digest_end(d, &h));
	snprintf(path, sizeof(path), "/usr/lib/%u/file-%u", n % 97, n);
	assert_ok(ksma_manifest_find(m, path, &found, &e));
	assert_true(found);
	assert_string_equal(e.path, path);
	assert_string_equal(e.origin, "tiny 1-1 all");
	assert_int_equal(e.size, length);
	assert_int_equal(e.mode, S_IFREG | 0755);
	assert_int_equal(e.uid, 7);
	assert_int_equal(e.pages, h.page_count);
	assert_memory_equal(e.sha256, h.sha256, KSMA_SHA256);
	assert_memory_equal(e.verity_root, h.verity_root, KSMA_SHA256);
	for (uint64_t i = 0; i < e.pages; i++) {
		const uint8_t *hash;

		assert_ok(ksma_manifest_page(m, &e, i, &hash));
		assert_memory_equal(hash, h.pages + i * KSMA_SHA256, KSMA_SHA256);
	}
	assert_ok(ksma_manifest_find_hash(m, h.sha256, &found, &again));
	assert_true(found);
	assert_int_equal(again.size, e.size);
	ksma_file_digest_destroy(d);
}

static void test_found_again(void **state)
{
	struct fixture *f = *state;
	struct ksma_manifest *m;
	struct ksma_manifest_entry e;
	uint8_t none[KSMA_SHA256];
	char last[64] = "";
	bool found;

	assert_ok(make(f->path, 0, FILES, O_TRUNC));
	assert_ok(open_checked(f->path, &m));
	for (unsigned n = 0; n < FILES; n++)
		check_file(m, n);
	assert_int_equal(ksma_manifest_parts(m), 1);
	assert_int_equal(ksma_manifest_count(m, 0), FILES + 1);
	assert_int_equal(ksma_manifest_created(m, 0), 1234567);
	for (uint64_t i = 0; i < FILES + 1; i++) {
		assert_ok(ksma_manifest_at(m, 0, i, &e));
		assert_true(strcmp(last, e.path) < 0);
		snprintf(last, sizeof(last), "%s", e.path);
	}
	assert_ok(ksma_manifest_find(m, "/bin", &found, &e));
	assert_true(found);
	assert_string_equal(e.target, "usr/bin");
	assert_int_equal(e.pages, 0);
	for (unsigned n = 0; n < FILES; n++) {
		char path[64];

		snprintf(path, sizeof(path), "/usr/lib/%u/nothing-%u", n % 97, n);
		assert_ok(ksma_manifest_find(m, path, &found, &e));
		assert_false(found);
		memset(none, (int)(n & 0xff), sizeof(none));
		assert_ok(ksma_manifest_find_hash(m, none, &found, &e));
		assert_false(found);
	}
	assert_error(ksma_manifest_at(m, 0, FILES + 1, &e), KSMA_ERROR_INVALID);
	assert_error(ksma_manifest_at(m, 1, 0, &e), KSMA_ERROR_INVALID);
	ksma_manifest_close(m);
}

static void test_nothing_in_it(void **state)
{
	struct fixture *f = *state;
	struct ksma_manifest_writer *w;
	struct ksma_manifest *m;
	struct ksma_manifest_entry e;
	bool found = true;

	assert_ok(ksma_manifest_writer_create(&w));
	assert_ok(write_to(w, f->path, O_TRUNC));
	ksma_manifest_writer_destroy(w);
	assert_ok(open_checked(f->path, &m));
	assert_ok(ksma_manifest_find(m, "/bin", &found, &e));
	assert_false(found);
	ksma_manifest_close(m);
}

/* The later word counts, within a manifest and among those that were merged. */
static void test_later_counts(void **state)
{
	struct fixture *f = *state;
	struct ksma_manifest_writer *w;
	struct ksma_file_digest *d;
	struct ksma_manifest_entry e;
	struct ksma_manifest *m;
	uint8_t old[KSMA_SHA256];
	bool found;

	assert_ok(ksma_file_digest_create(&d));
	assert_ok(ksma_manifest_writer_create(&w));
	assert_ok(add_file(w, d, "/a", "one", 3));
	assert_ok(add_file(w, d, "/b", "one", 3));
	assert_ok(add_file(w, d, "/a", "second", 6));
	assert_ok(write_to(w, f->path, O_TRUNC));
	ksma_manifest_writer_destroy(w);
	assert_ok(open_checked(f->path, &m));
	assert_int_equal(ksma_manifest_count(m, 0), 2);
	assert_ok(ksma_manifest_find(m, "/a", &found, &e));
	assert_int_equal(e.size, 6);
	assert_ok(ksma_manifest_find(m, "/b", &found, &e));
	memcpy(old, e.sha256, sizeof(old));
	assert_ok(ksma_manifest_find_hash(m, old, &found, &e));
	assert_true(found);
	assert_string_equal(e.path, "/b");
	assert_false(ksma_manifest_changed(m));

	assert_ok(ksma_manifest_writer_create(&w));
	assert_ok(add_file(w, d, "/b", "another", 7));
	assert_ok(write_to(w, f->path, O_APPEND));
	ksma_manifest_writer_destroy(w);
	assert_true(ksma_manifest_changed(m));
	ksma_manifest_close(m);
	assert_ok(open_checked(f->path, &m));
	assert_int_equal(ksma_manifest_parts(m), 2);
	assert_ok(ksma_manifest_find(m, "/b", &found, &e));
	assert_int_equal(e.size, 7);
	assert_int_equal(e.part, 1);
	assert_ok(ksma_manifest_find(m, "/a", &found, &e));
	assert_int_equal(e.size, 6);
	/* What /b was before is no file of this system any more. */
	assert_ok(ksma_manifest_find_hash(m, old, &found, &e));
	assert_false(found);

	/* Made one again, nothing changes. */
	assert_ok(ksma_manifest_writer_create(&w));
	assert_ok(ksma_manifest_writer_add_all(w, m));
	ksma_manifest_close(m);
	assert_ok(write_to(w, f->path, O_TRUNC));
	ksma_manifest_writer_destroy(w);
	assert_ok(open_checked(f->path, &m));
	assert_int_equal(ksma_manifest_parts(m), 1);
	assert_ok(ksma_manifest_find(m, "/b", &found, &e));
	assert_int_equal(e.size, 7);
	ksma_manifest_close(m);
	ksma_file_digest_destroy(d);
}

/* Two files of the same contents have one set of page hashes. */
static void test_pages_once(void **state)
{
	struct fixture *f = *state;
	struct ksma_manifest_writer *w;
	struct ksma_file_digest *d;
	struct ksma_manifest *m;
	uint8_t bytes[20000] = { 1 };
	struct ksma_manifest_entry a, b;
	bool found;

	assert_ok(ksma_file_digest_create(&d));
	assert_ok(ksma_manifest_writer_create(&w));
	assert_ok(add_file(w, d, "/a", bytes, sizeof(bytes)));
	assert_ok(add_file(w, d, "/b", bytes, sizeof(bytes)));
	assert_ok(write_to(w, f->path, O_TRUNC));
	ksma_manifest_writer_destroy(w);
	assert_ok(open_checked(f->path, &m));
	assert_ok(ksma_manifest_find(m, "/a", &found, &a));
	assert_ok(ksma_manifest_find(m, "/b", &found, &b));
	assert_int_equal(a.pages_at, b.pages_at);
	assert_int_equal(m->parts.items[0].pages.count, 5);
	ksma_manifest_close(m);
	ksma_file_digest_destroy(d);
}

static void test_senseless_entries(void **state)
{
	struct ksma_manifest_entry e = { .type = KSMA_MANIFEST_FILE,
					 .path = "bin",
					 .target = "",
					 .origin = "",
					 .mode = S_IFREG };
	struct ksma_manifest_writer *w;
	char *name;

	assert_ok(ksma_manifest_writer_create(&w));
	assert_error_says(ksma_manifest_writer_add(w, &e, NULL), KSMA_ERROR_INVALID, "absolute");
	e.path = "/bin";
	e.mode = S_IFDIR;
	assert_error_says(ksma_manifest_writer_add(w, &e, NULL), KSMA_ERROR_INVALID, "neither");
	e.mode = S_IFREG;
	e.target = "x";
	assert_error(ksma_manifest_writer_add(w, &e, NULL), KSMA_ERROR_INVALID);
	e.target = "";
	name = malloc(6000);
	memset(name, '/', 5999);
	name[5999] = 0;
	e.path = name;
	assert_error(ksma_manifest_writer_add(w, &e, NULL), KSMA_ERROR_LIMIT);
	free(name);
	ksma_manifest_writer_destroy(w);
}

/* Looks at everything there is. NULL, or the first error. */
static struct ksma_error *read_all(struct ksma_manifest *m)
{
	for (uint32_t part = 0; part < ksma_manifest_parts(m); part++)
		for (uint64_t i = 0; i < ksma_manifest_count(m, part); i++) {
			struct ksma_manifest_entry e, again;
			const uint8_t *hash;
			bool found;

			KSMA_TRY(ksma_manifest_at(m, part, i, &e));
			KSMA_TRY(ksma_manifest_find(m, e.path, &found, &again));
			if (!found)
				return ksma_error_create(KSMA_ERROR_BAD_DATA, "not found");
			KSMA_TRY(ksma_manifest_find_hash(m, e.sha256, &found, &again));
			for (uint64_t p = 0; p < e.pages; p++)
				KSMA_TRY(ksma_manifest_page(m, &e, p, &hash));
		}
	return NULL;
}

/* One bit anywhere, and it is damaged. What the head says is for its signature to hold; here it only must not lead astray. */
static void test_a_bit(void **state)
{
	struct fixture *f = *state;
	struct ksma_manifest *whole;
	off_t size, table_end;
	int fd;

	assert_ok(make(f->path, 0, 200, O_TRUNC));
	assert_ok(ksma_manifest_open(f->path, &whole));
	table_end = (off_t)(KSMA_MANIFEST_HEAD + whole->parts.items[0].chunks * KSMA_SHA256);
	ksma_manifest_close(whole);
	fd = open(f->path, O_RDWR);
	size = lseek(fd, 0, SEEK_END);
	for (off_t at = 0; at < size; at += at < 400 ? 1 : 1021) {
		struct ksma_manifest *m;
		struct ksma_error *error;
		uint8_t byte, other;

		/* Zeros behind the chunk table. */
		if (at >= table_end && at < KSMA_MANIFEST_CHUNK)
			continue;
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		other = byte ^ 0x10;
		assert_int_equal(pwrite(fd, &other, 1, at), 1);
		error = open_checked(f->path, &m);
		if (!error) {
			error = read_all(m);
			ksma_manifest_close(m);
		}
		if (!error && at >= KSMA_MANIFEST_HEAD)
			fail_now("a bit at %jd was not noticed", (intmax_t)at);
		ksma_error_destroy(error);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
}

/* What was read once is not read again: the file may become anything. */
static void test_written_to_while_open(void **state)
{
	struct fixture *f = *state;
	struct ksma_manifest *m;

	assert_ok(make(f->path, 0, 300, O_TRUNC));
	assert_ok(open_checked(f->path, &m));
	assert_ok(read_all(m));
	assert_int_equal(truncate(f->path, 0), 0);
	assert_ok(read_all(m));
	for (unsigned n = 0; n < 300; n++)
		check_file(m, n);
	assert_true(ksma_manifest_changed(m));
	ksma_manifest_close(m);
}

static void test_cut(void **state)
{
	struct fixture *f = *state;
	struct ksma_manifest *m;
	off_t size;
	int fd;

	assert_ok(make(f->path, 0, 100, O_TRUNC));
	fd = open(f->path, O_RDWR);
	size = lseek(fd, 0, SEEK_END);
	close(fd);
	assert_int_equal(truncate(f->path, size - 1), 0);
	assert_error_says(ksma_manifest_open(f->path, &m), KSMA_ERROR_BAD_DATA, "is cut");
	assert_int_equal(truncate(f->path, size + 100), 0);
	assert_error_says(ksma_manifest_open(f->path, &m), KSMA_ERROR_BAD_DATA, "is cut");
	assert_int_equal(truncate(f->path, size + KSMA_MANIFEST_CHUNK), 0);
	assert_error_says(ksma_manifest_open(f->path, &m), KSMA_ERROR_BAD_DATA, "something else");
	assert_int_equal(truncate(f->path, 100), 0);
	assert_error_says(ksma_manifest_open(f->path, &m), KSMA_ERROR_BAD_DATA, "is cut");
	assert_int_equal(truncate(f->path, 0), 0);
	assert_error_says(ksma_manifest_open(f->path, &m), KSMA_ERROR_BAD_DATA, "is empty");
	assert_int_equal(truncate(f->path, 4096), 0);
	assert_error_says(ksma_manifest_open(f->path, &m), KSMA_ERROR_BAD_DATA, "no manifest");
	assert_error_says(ksma_manifest_open("/nowhere", &m), KSMA_ERROR_OS, "/nowhere");
	assert_error_says(ksma_manifest_open("/dev/null", &m), KSMA_ERROR_INVALID, "regular");
}

/* Records that refer to what is not theirs, in a manifest whose hashes fit. */
static void test_senseless_records(void **state)
{
	static const struct {
		unsigned at;
		uint64_t value;
		unsigned size;
		const char *words;
	} cases[] = {
		{ KSMA_ENTRY_PATH, 1ull << 40, 8, "outside" },
		{ KSMA_ENTRY_PATH, UINT64_MAX, 8, "outside" },
		{ KSMA_ENTRY_PATH_LENGTH, 5000, 4, "outside" },
		{ KSMA_ENTRY_PATH_LENGTH, 2, 4, "does not end" },
		{ KSMA_ENTRY_PATH_LENGTH, 0, 4, "not absolute" },
		{ KSMA_ENTRY_TYPE, 9, 4, "makes no sense" },
		{ KSMA_ENTRY_TYPE, KSMA_MANIFEST_SYMLINK, 4, "makes no sense" },
		{ KSMA_ENTRY_MODE, S_IFDIR, 4, "makes no sense" },
		{ KSMA_ENTRY_SIZE, UINT64_MAX, 8, "larger than" },
		{ KSMA_ENTRY_SIZE, 1ull << 40, 8, "pages of a file" },
		{ KSMA_ENTRY_PAGES, UINT64_MAX, 8, "pages of a file" },
		{ KSMA_ENTRY_PAGES, 1ull << 32, 8, "pages of a file" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ksma_manifest_writer *w;
		struct ksma_manifest_entry e;
		struct ksma_file_digest *d;
		struct ksma_manifest *m;
		uint8_t bytes[9000] = { 0 };
		off_t at;
		int fd;

		assert_ok(ksma_file_digest_create(&d));
		assert_ok(ksma_manifest_writer_create(&w));
		assert_ok(add_file(w, d, "/a/file", bytes, sizeof(bytes)));
		assert_ok(write_to(w, f->path, O_TRUNC));
		ksma_manifest_writer_destroy(w);
		ksma_file_digest_destroy(d);
		assert_ok(ksma_manifest_open(f->path, &m));
		at = (off_t)(m->parts.items[0].body + m->parts.items[0].entries.at);
		fd = open(f->path, O_RDWR);
		assert_int_equal(pwrite(fd, &cases[i].value, cases[i].size, at + cases[i].at),
				 cases[i].size);
		close(fd);
		assert_error_says(ksma_manifest_at(m, 0, 0, &e), KSMA_ERROR_BAD_DATA,
				  cases[i].words);
		ksma_manifest_close(m);
	}
}

/* Contents that were revoked are not found, and what an earlier manifest had there does not come back. */
static void test_refused(void **state)
{
	struct fixture *f = *state;
	struct ksma_manifest_entry old, e;
	struct ksma_manifest_writer *w;
	struct ksma_file_digest *d;
	struct ksma_manifest *m;
	bool found;

	assert_ok(ksma_file_digest_create(&d));
	for (int part = 0; part < 2; part++) {
		assert_ok(ksma_manifest_writer_create(&w));
		assert_ok(add_file(w, d, "/a", part ? "two" : "one", 3));
		assert_ok(add_file(w, d, "/b", "three", 5));
		assert_ok(write_to(w, f->path, part ? O_APPEND : O_TRUNC));
		ksma_manifest_writer_destroy(w);
	}
	ksma_file_digest_destroy(d);
	assert_ok(open_checked(f->path, &m));
	assert_ok(ksma_manifest_at(m, 0, 0, &old));
	assert_ok(ksma_manifest_find(m, "/a", &found, &e));
	assert_true(found);
	m->refused = malloc(KSMA_SHA256);
	memcpy(m->refused, e.sha256, KSMA_SHA256);
	m->refused_count = 1;
	assert_ok(ksma_manifest_find_hash(m, m->refused, &found, &e));
	assert_false(found);
	assert_ok(ksma_manifest_find(m, "/a", &found, &e));
	assert_false(found);
	assert_ok(ksma_manifest_find_hash(m, old.sha256, &found, &e));
	assert_false(found);
	assert_ok(ksma_manifest_find(m, "/b", &found, &e));
	assert_true(found);
	ksma_manifest_close(m);
}

/* What no question comes across is still looked at when all is. */
static void test_all_is_looked_at(void **state)
{
	static const uint8_t other[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct fixture *f = *state;
	struct ksma_manifest *m;
	const struct ksma_manifest_part *p;
	uint64_t at[5];
	int fd;

	assert_ok(make(f->path, 0, 50, O_TRUNC));
	assert_ok(open_checked(f->path, &m));
	assert_ok(ksma_manifest_read_all(m));
	p = &m->parts.items[0];
	at[0] = p->body + p->paths.at + 16 * 7;	    /* a key */
	at[1] = p->body + p->paths.at + 16 * 7 + 8; /* an entry */
	at[2] = p->body + p->hashes.at + 16 * 9;    /* the same of hashes */
	at[3] = p->body + p->hashes.at + 16 * 9 + 8;
	at[4] = p->body + p->strings.at + 1; /* the first path that was added */
	ksma_manifest_close(m);
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		uint8_t before[8];

		fd = open(f->path, O_RDWR);
		assert_int_equal(pread(fd, before, 8, (off_t)at[i]), 8);
		assert_int_equal(pwrite(fd, other, 8, (off_t)at[i]), 8);
		assert_ok(ksma_manifest_open(f->path, &m));
		assert_error(ksma_manifest_read_all(m), KSMA_ERROR_BAD_DATA);
		ksma_manifest_close(m);
		assert_int_equal(pwrite(fd, before, 8, (off_t)at[i]), 8);
		close(fd);
	}
}

static struct ksma_error *make_and_read(void *state)
{
	struct fixture *f = state;
	struct ksma_manifest *m = NULL;
	struct ksma_error *error;

	KSMA_TRY(make(f->path, 0, 20, O_TRUNC));
	error = open_checked(f->path, &m);
	if (error) {
		assert_null(m);
		return error;
	}
	error = read_all(m);
	ksma_manifest_close(m);
	return error;
}

static void test_no_memory(void **state)
{
	fail_alloc_each(make_and_read, *state, FAIL_ALLOC_STRICT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_found_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_in_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages_once, setup, teardown),
		cmocka_unit_test(test_senseless_entries),
		cmocka_unit_test_setup_teardown(test_a_bit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_written_to_while_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_senseless_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_is_looked_at, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
