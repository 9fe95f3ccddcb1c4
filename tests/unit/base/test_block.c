/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blocks: bytes of files, runs joined together, ends that are kept. */
#include "unit.h"

#include "base/block.h"

static void make(char *path, size_t size)
{
	int fd;

	strcpy(path, "/tmp/ksma-block.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)(i * 7 + (i >> 8));

		assert_int_equal(write(fd, &byte, 1), 1);
	}
	close(fd);
}

static void test_file_and_runs(void **state)
{
	struct ksma_block *file, *joined;
	uint8_t whole[1000], part[700];
	struct ksma_error *error;
	struct ksma_extent extents[3];
	char path[64];

	make(path, sizeof(whole));
	assert_null(ksma_block_open(path, &file));
	assert_int_equal(file->size, sizeof(whole));
	assert_null(ksma_block_read(file, 0, whole, sizeof(whole)));
	assert_null(ksma_block_read(file, sizeof(whole), whole, 0));
	error = ksma_block_read(file, 999, part, 2);
	assert_int_equal(error->code, KSMA_ERROR_BAD_DATA);
	ksma_error_destroy(error);
	error = ksma_block_read(file, UINT64_MAX, part, 2);
	assert_int_equal(error->code, KSMA_ERROR_BAD_DATA);
	ksma_error_destroy(error);

	extents[0] = (struct ksma_extent){ file, 500, 400 };
	extents[1] = (struct ksma_extent){ file, 0, 100 };
	extents[2] = (struct ksma_extent){ file, 100, 200 };
	assert_null(ksma_block_join(extents, 3, &joined));
	assert_int_equal(joined->size, 700);
	assert_null(ksma_block_read(joined, 0, part, 700));
	assert_memory_equal(part, whole + 500, 400);
	assert_memory_equal(part + 400, whole, 300);
	assert_null(ksma_block_read(joined, 399, part, 3));
	assert_int_equal(part[0], whole[899]);
	assert_int_equal(part[1], whole[0]);
	ksma_block_destroy(joined);

	extents[2].length = 901;
	error = ksma_block_join(extents, 3, &joined);
	assert_int_equal(error->code, KSMA_ERROR_BAD_DATA);
	ksma_error_destroy(error);
	ksma_block_destroy(file);
	unlink(path);
}

static void test_cut_short(void **state)
{
	struct ksma_block *file;
	struct ksma_error *error;
	uint8_t byte;
	char path[64];

	make(path, 10);
	assert_null(ksma_block_open(path, &file));
	assert_int_equal(truncate(path, 5), 0);
	error = ksma_block_read(file, 7, &byte, 1);
	assert_int_equal(error->code, KSMA_ERROR_BAD_DATA);
	ksma_error_destroy(error);
	ksma_block_destroy(file);
	unlink(path);
}

static void test_what_is_no_disk(void **state)
{
	struct ksma_block *block;
	struct ksma_error *error = ksma_block_open("/dev/null", &block);

	assert_int_equal(error->code, KSMA_ERROR_INVALID);
	ksma_error_destroy(error);
	error = ksma_block_open("/nonexistent", &block);
	assert_int_equal(error->code, KSMA_ERROR_OS);
	ksma_error_destroy(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_and_runs),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_what_is_no_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
