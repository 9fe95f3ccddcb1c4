/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The store: what is put in is found by build id, adding is all or nothing, and damage is told. */
#include "unit.h"

#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>

#include "fail_alloc.h"
#include "vendor/write.h"

struct fixture {
	char path[64];
	struct ksma_vendor *vendor;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	snprintf(f->path, sizeof(f->path), "/tmp/ksma-test-store.XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ksma_vendor_close(f->vendor);
	nftw(f->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

static struct ksma_vendor *create(struct fixture *f)
{
	assert_ok(ksma_vendor_create(f->path, &f->vendor));
	return f->vendor;
}

/* A hash of nothing in particular: all digits alike. */
static struct ksma_vendor_entry entry_of(char digit, uint8_t id)
{
	static char name[] = "tiny", release[] = "6.1-tiny";
	struct ksma_vendor_entry e = { .kind = KSMA_VENDOR_MODULE,
				       .name = name,
				       .release = release };

	memset(e.sha256, digit, 64);
	memset(e.build_id, id, 20);
	e.build_id_length = 20;
	return e;
}

static struct ksma_error *put(struct ksma_vendor *vendor, const struct ksma_vendor_entry *entry,
			      const void *data, size_t length, bool commit)
{
	struct ksma_vendor_writer *writer;
	struct ksma_error *error;
	bool known;

	KSMA_TRY(ksma_vendor_begin(vendor, &writer));
	error = ksma_vendor_put(writer, data, length, entry, &known);
	if (!error && commit)
		error = ksma_vendor_commit(writer);
	ksma_vendor_writer_destroy(writer);
	return error;
}

static size_t count(struct ksma_vendor *vendor)
{
	struct ksma_vendor_entries entries;
	size_t n;

	assert_ok(ksma_vendor_list(vendor, &entries));
	n = entries.count;
	ksma_vendor_entries_free(&entries);
	return n;
}

static void test_there_and_back(void **state)
{
	struct ksma_vendor *vendor = create(*state);
	struct ksma_vendor_entry e = entry_of('a', 0x11);
	struct ksma_vendor_object object;
	static char odd[] = "a\nname \x7f ends";
	uint8_t *data = calloc(5, 4096);

	assert_non_null(data);
	data[0] = 1;
	data[3 * 4096 + 5] = 2; /* the pages of zeros between become a hole */
	e.signature = KSMA_VENDOR_UNVERIFIED;
	e.signer = odd;
	e.added = 12345;
	assert_ok(put(vendor, &e, data, 5 * 4096 - 7, true));
	assert_ok(ksma_vendor_find(vendor, KSMA_VENDOR_MODULE, e.build_id, 20, &object));
	assert_int_equal(object.length, 5 * 4096 - 7);
	assert_memory_equal(object.data, data, object.length);
	assert_string_equal(object.entry.name, "tiny");
	assert_string_equal(object.entry.release, "6.1-tiny");
	assert_string_equal(object.entry.signer, "a?name ? ends");
	assert_string_equal(object.entry.package, "");
	assert_int_equal(object.entry.signature, KSMA_VENDOR_UNVERIFIED);
	assert_int_equal(object.entry.added, 12345);
	assert_int_equal(object.entry.size, object.length);
	assert_memory_equal(object.entry.build_id, e.build_id, 20);
	ksma_vendor_object_deinit(&object);
	/* the same build id, another kind; another build id; one that is too long, and none */
	assert_error(ksma_vendor_find(vendor, KSMA_VENDOR_KERNEL, e.build_id, 20, &object),
		     KSMA_ERROR_NOT_PRESENT);
	assert_error(ksma_vendor_find(vendor, KSMA_VENDOR_MODULE, e.build_id, 19, &object),
		     KSMA_ERROR_NOT_PRESENT);
	assert_error(ksma_vendor_find(vendor, KSMA_VENDOR_MODULE, e.build_id, 33, &object),
		     KSMA_ERROR_NOT_PRESENT);
	assert_error(ksma_vendor_find(vendor, KSMA_VENDOR_MODULE, e.build_id, 0, &object),
		     KSMA_ERROR_NOT_PRESENT);
	assert_ok(ksma_vendor_remove(vendor, &e, 1));
	assert_int_equal(count(vendor), 0);
	assert_ok(ksma_vendor_remove(vendor, &e, 1));
	free(data);
}

static void test_not_committed_is_not_there(void **state)
{
	struct ksma_vendor *vendor = create(*state);
	struct ksma_vendor_entry e = entry_of('a', 0x11);

	assert_ok(put(vendor, &e, "bytes", 5, false));
	assert_int_equal(count(vendor), 0);
	assert_ok(put(vendor, &e, "bytes", 5, true));
	assert_int_equal(count(vendor), 1);
}

/* Two objects of one build id: the verified one is the reference. */
static void test_verified_first(void **state)
{
	struct ksma_vendor *vendor = create(*state);
	struct ksma_vendor_entry a = entry_of('a', 0x11), b = entry_of('b', 0x11);
	struct ksma_vendor_object object;

	assert_ok(put(vendor, &a, "one", 3, true));
	b.signature = KSMA_VENDOR_VERIFIED;
	assert_ok(put(vendor, &b, "other", 5, true));
	assert_int_equal(count(vendor), 2);
	assert_ok(ksma_vendor_find(vendor, KSMA_VENDOR_MODULE, a.build_id, 20, &object));
	assert_string_equal(object.entry.sha256, b.sha256);
	ksma_vendor_object_deinit(&object);
	/* Adding it again without a certificate does not make it less verified. */
	b.signature = KSMA_VENDOR_UNVERIFIED;
	assert_ok(put(vendor, &b, "other", 5, true));
	assert_ok(ksma_vendor_find(vendor, KSMA_VENDOR_MODULE, a.build_id, 20, &object));
	assert_int_equal(object.entry.signature, KSMA_VENDOR_VERIFIED);
	ksma_vendor_object_deinit(&object);
	/* The other way round it does. */
	a.signature = KSMA_VENDOR_VERIFIED;
	assert_ok(put(vendor, &a, "one", 3, true));
	assert_ok(ksma_vendor_find(vendor, KSMA_VENDOR_MODULE, a.build_id, 20, &object));
	assert_string_equal(object.entry.sha256, a.sha256);
	ksma_vendor_object_deinit(&object);
}

static void test_what_a_kill_left(void **state)
{
	struct fixture *f = *state;
	struct ksma_vendor *vendor = create(f);
	struct ksma_vendor_writer *one, *other;
	char path[128];

	snprintf(path, sizeof(path), "%s/tmp/99-0", f->path);
	assert_int_equal(mkdir(path, 0755), 0);
	/* Two at a time: the second leaves the first alone, the first has removed what nobody holds. */
	assert_ok(ksma_vendor_begin(vendor, &one));
	assert_int_equal(access(path, F_OK), -1);
	assert_ok(ksma_vendor_begin(vendor, &other));
	snprintf(path, sizeof(path), "%s/tmp/%d-0", f->path, (int)getpid());
	assert_int_equal(access(path, F_OK), 0);
	ksma_vendor_writer_destroy(one);
	assert_int_equal(access(path, F_OK), -1);
	ksma_vendor_writer_destroy(other);
}

static void spoil(const struct fixture *f, const char *what, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", f->path, what);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_damage(void **state)
{
	struct fixture *f = *state;
	struct ksma_vendor *vendor = create(f);
	struct ksma_vendor_entry e = entry_of('a', 0x11);
	struct ksma_vendor_entries entries;
	struct ksma_vendor_object object;
	char index[KSMA_VENDOR_NAME_BUFFER], name[KSMA_VENDOR_NAME_BUFFER];
	static const char *const damage[] = {
		"",
		"kind module\n",
		"kind module\nsize 5\n",
		"kind martian\nsize 5\nend\n",
		"size 5\nend\n",
		"kind module\nsize -5\nend\n",
		"kind module\nsize 5x\nend\n",
		"kind module\nname a\nname b\nend\n",
		"kind module\nnonsense\nend\n",
		"kind module\nsize 99999999999\nend\n",
	};

	assert_ok(put(vendor, &e, "bytes", 5, true));
	ksma_vendor_index_name(&e, index);
	ksma_vendor_object_name(e.sha256, name);
	spoil(f, name, "short");
	assert_ok(ksma_vendor_find(vendor, KSMA_VENDOR_MODULE, e.build_id, 20, &object));
	ksma_vendor_object_deinit(&object);
	spoil(f, name, "longer");
	assert_error(ksma_vendor_find(vendor, KSMA_VENDOR_MODULE, e.build_id, 20, &object),
		     KSMA_ERROR_BAD_DATA);
	for (size_t i = 0; i < ARRAY_SIZE(damage); i++) {
		spoil(f, index, damage[i]);
		assert_error(ksma_vendor_list(vendor, &entries), KSMA_ERROR_BAD_DATA);
	}
	/* Whatever later versions may say more of is passed over. */
	spoil(f, index, "kind module\nsize 6\nmood good\nend\n");
	assert_ok(ksma_vendor_find(vendor, KSMA_VENDOR_MODULE, e.build_id, 20, &object));
	ksma_vendor_object_deinit(&object);
	spoil(f, "index/11/nonsense", "kind module\nend\n");
	assert_error_says(ksma_vendor_list(vendor, &entries), KSMA_ERROR_BAD_DATA, "11/nonsense");
}

static void test_what_is_no_store(void **state)
{
	struct fixture *f = *state;
	struct ksma_vendor *vendor;
	char path[128];

	assert_error(ksma_vendor_open("/nonexistent/store", &vendor), KSMA_ERROR_NOT_PRESENT);
	assert_error_says(ksma_vendor_open(f->path, &vendor), KSMA_ERROR_NOT_PRESENT,
			  "no vendor store");
	spoil(f, "letter", "to a friend");
	assert_error_says(ksma_vendor_create(f->path, &vendor), KSMA_ERROR_INVALID, "letter");
	snprintf(path, sizeof(path), "%s/letter", f->path);
	assert_int_equal(unlink(path), 0);
	spoil(f, "format", "kvm-sma vendor store 99\n");
	assert_error(ksma_vendor_open(f->path, &vendor), KSMA_ERROR_UNSUPPORTED);
	spoil(f, "format", KSMA_VENDOR_FORMAT);
	assert_int_equal(chmod(f->path, 0777), 0);
	assert_error_says(ksma_vendor_open(f->path, &vendor), KSMA_ERROR_PERMISSION, "by others");
	assert_int_equal(chmod(f->path, 0755), 0);
	assert_ok(ksma_vendor_open(f->path, &vendor));
	assert_int_equal(count(vendor), 0);
	ksma_vendor_close(vendor);
}

static void test_folders_above(void **state)
{
	struct fixture *f = *state;
	struct ksma_vendor *vendor;
	char path[128];

	snprintf(path, sizeof(path), "%s/a/b/c", f->path);
	assert_ok(ksma_vendor_create(path, &vendor));
	assert_string_equal(ksma_vendor_path(vendor), path);
	ksma_vendor_close(vendor);
}

static struct ksma_error *whole_life(void *state)
{
	struct fixture *f = state;
	struct ksma_vendor_entry e = entry_of('c', 0x33);
	struct ksma_vendor_object object;
	struct ksma_vendor *vendor;
	struct ksma_error *error;

	KSMA_TRY(ksma_vendor_open(f->path, &vendor));
	error = put(vendor, &e, "bytes", 5, true);
	if (!error)
		error = ksma_vendor_find(vendor, KSMA_VENDOR_MODULE, e.build_id, 20, &object);
	if (!error)
		ksma_vendor_object_deinit(&object);
	ksma_vendor_close(vendor);
	return error;
}

static void test_without_memory(void **state)
{
	create(*state);
	assert_true(fail_alloc_each(whole_life, *state, FAIL_ALLOC_LENIENT) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_committed_is_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_verified_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_a_kill_left, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_store, setup, teardown),
		cmocka_unit_test_setup_teardown(test_folders_above, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
