/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* First looks that are kept: what was written is what is read, and a file that is damaged, cut, of others or no file at all is refused. */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checks/kept.h"

static const struct ksma_kept_boot boot = { .build_id = { 1, 2, 3 },
					    .image = 0xffffffff81000000,
					    .started_ns = 7 };
static const struct ksma_kept_key kernel,
	module = { .name = "ext4", .base = 0xffffffffc0000000, .instance = 9 };
static const struct ksma_kept_word words[] = { { 0x1000, { 1, 2, 3, 4, 5, 6, 7, 8 } },
					       { 0x1010, { 9 } } };

enum { TAKEN = 1234567 };

struct props {
	char dir[32], path[64];
};

static int begin(void **state)
{
	struct props *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	snprintf(p->dir, sizeof(p->dir), "/tmp/ksma-kept-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/guest", p->dir);
	*state = p;
	return 0;
}

static int end(void **state)
{
	struct props *p = *state;

	unlink(p->path);
	rmdir(p->dir);
	free(p);
	return 0;
}

static void put(const struct props *p)
{
	struct ksma_kept_writer writer = { 0 };

	assert_ok(ksma_kept_begin(&writer, &boot, TAKEN));
	assert_ok(ksma_kept_add_bytes(&writer, &kernel, 0x1000, (const uint8_t *)"kernel!", 7));
	assert_ok(ksma_kept_add_bytes(&writer, &module, 0x1000, (const uint8_t *)"module", 6));
	assert_ok(ksma_kept_add_words(&writer, &kernel, 0x1000, 0x20, words, ARRAY_SIZE(words)));
	assert_ok(ksma_kept_add_words(&writer, &module, 0x3000, 8, NULL, 0));
	assert_ok(ksma_kept_finish(&writer, p->path));
	ksma_kept_writer_deinit(&writer);
}

static void test_round(void **state)
{
	const struct props *p = *state;
	const struct ksma_kept_word *found;
	struct ksma_kept_key other = module;
	struct ksma_kept *kept;
	struct stat st;
	size_t count;

	put(p);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_ok(ksma_kept_read(p->path, &kept));
	assert_memory_equal(ksma_kept_boot(kept), &boot, sizeof(boot));
	assert_int_equal(ksma_kept_taken_ns(kept), TAKEN);
	assert_memory_equal(ksma_kept_bytes(kept, &kernel, 0x1000, 7), "kernel!", 7);
	assert_memory_equal(ksma_kept_bytes(kept, &module, 0x1000, 6), "module", 6);
	assert_null(ksma_kept_bytes(kept, &module, 0x1000, 7));
	assert_null(ksma_kept_bytes(kept, &module, 0x1001, 6));
	other.instance++;
	assert_null(ksma_kept_bytes(kept, &other, 0x1000, 6));
	assert_true(ksma_kept_words(kept, &kernel, 0x1000, 0x20, &found, &count));
	assert_int_equal(count, ARRAY_SIZE(words));
	assert_memory_equal(found, words, sizeof(words));
	assert_true(ksma_kept_words(kept, &module, 0x3000, 8, &found, &count));
	assert_int_equal(count, 0);
	assert_false(ksma_kept_words(kept, &module, 0x3000, 9, &found, &count));
	ksma_kept_destroy(kept);
}

static uint8_t *slurp(const struct props *p, size_t *ret_size)
{
	char *data;

	assert_ok(ksma_read_file(p->path, 1 << 20, &data, ret_size));
	return (uint8_t *)data;
}

/* Any one byte that is changed, and any length that is cut. */
static void test_damaged(void **state)
{
	const struct props *p = *state;
	_cleanup_free_ uint8_t *good = NULL;
	struct ksma_kept *kept;
	size_t size;

	put(p);
	good = slurp(p, &size);
	for (size_t i = 0; i < size; i++) {
		uint8_t *copy = malloc(size);

		assert_non_null(copy);
		memcpy(copy, good, size);
		copy[i] ^= 0x10;
		assert_error(ksma_kept_parse(copy, size, &kept), KSMA_ERROR_BAD_DATA);
	}
	for (size_t i = 0; i < size; i++) {
		uint8_t *copy = malloc(i + 1);

		assert_non_null(copy);
		memcpy(copy, good, i);
		assert_error(ksma_kept_parse(copy, i, &kept), KSMA_ERROR_BAD_DATA);
	}
}

/* Sealed well, and yet without sense: each byte behind the header changed in turn reaches nothing outside. */
static void test_sealed(void **state)
{
	const struct props *p = *state;
	_cleanup_free_ uint8_t *good = NULL;
	size_t size, refused = 0;

	put(p);
	good = slurp(p, &size);
	for (size_t i = 144; i < size; i++) {
		struct ksma_kept *kept = NULL;
		struct ksma_error *error;
		uint8_t *copy = malloc(size);

		assert_non_null(copy);
		memcpy(copy, good, size);
		copy[i] ^= 0xff;
		ksma_kept_seal(copy, size);
		error = ksma_kept_parse(copy, size, &kept);
		refused += error != NULL;
		ksma_error_destroy(error);
		ksma_kept_destroy(kept);
	}
	assert_true(refused > 0);
}

static void test_of_others(void **state)
{
	const struct props *p = *state;
	struct ksma_kept *kept;

	assert_error(ksma_kept_read(p->path, &kept), KSMA_ERROR_NOT_PRESENT);
	put(p);
	assert_int_equal(chmod(p->path, 0620), 0);
	assert_error_says(ksma_kept_read(p->path, &kept), KSMA_ERROR_PERMISSION, "chmod go-w");
	unlink(p->path);
	assert_int_equal(symlink("/etc/passwd", p->path), 0);
	assert_error(ksma_kept_read(p->path, &kept), KSMA_ERROR_OS);
	unlink(p->path);
	assert_int_equal(mkfifo(p->path, 0600), 0);
	assert_error(ksma_kept_read(p->path, &kept), KSMA_ERROR_PERMISSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round, begin, end),
		cmocka_unit_test_setup_teardown(test_damaged, begin, end),
		cmocka_unit_test_setup_teardown(test_sealed, begin, end),
		cmocka_unit_test_setup_teardown(test_of_others, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
