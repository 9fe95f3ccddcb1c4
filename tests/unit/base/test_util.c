/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arrays, ranges, strings and files: borders, overflow, and lack of memory. */
#include "unit.h"

#include "fail_alloc.h"

struct numbers {
	uint32_t *items;
	size_t count, capacity;
};

static void test_push_zeroes_and_keeps(void **state)
{
	struct numbers numbers = { 0 };

	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t *slot;

		assert_ok(KSMA_ARRAY_PUSH(&numbers, &slot));
		assert_int_equal(*slot, 0);
		*slot = i;
	}
	assert_int_equal(numbers.count, 1000);
	assert_true(numbers.capacity >= 1000);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(numbers.items[i], i);
	free(numbers.items);
}

static void test_grow_refuses_overflow(void **state)
{
	char byte;
	char *array = &byte;
	size_t capacity = 0;

	assert_error(ksma_array_grow(&array, &capacity, SIZE_MAX, 1), KSMA_ERROR_NOMEM);
	assert_error(ksma_array_grow(&array, &capacity, SIZE_MAX / 4, 16), KSMA_ERROR_NOMEM);
	assert_ptr_equal(array, &byte);
	assert_int_equal(capacity, 0);
}

static struct ksma_error *push_some(void *state)
{
	_cleanup_free_ uint32_t *items = NULL;
	struct numbers numbers = { 0 };
	struct ksma_error *error = NULL;

	for (uint32_t i = 0; i < 100 && !error; i++) {
		struct numbers before = numbers;
		uint32_t *slot;

		error = KSMA_ARRAY_PUSH(&numbers, &slot);
		if (error)
			assert_memory_equal(&before, &numbers, sizeof(before));
	}
	items = numbers.items;
	return error;
}

static void test_without_memory_arrays_stay(void **state)
{
	assert_true(fail_alloc_each(push_some, NULL, FAIL_ALLOC_STRICT) > 1);
}

static void test_in_range(void **state)
{
	assert_true(ksma_in_range(0, 0, 0));
	assert_true(ksma_in_range(0, 10, 10));
	assert_true(ksma_in_range(10, 0, 10));
	assert_false(ksma_in_range(10, 1, 10));
	assert_false(ksma_in_range(0, 11, 10));
	assert_false(ksma_in_range(11, 0, 10));
	assert_false(ksma_in_range(UINT64_MAX, 2, 10));
	assert_false(ksma_in_range(2, UINT64_MAX, 10));
	assert_true(ksma_in_range(1, UINT64_MAX - 1, UINT64_MAX));
}

static void test_align(void **state)
{
	assert_int_equal(ksma_align_down(4097, 4096), 4096);
	assert_int_equal(ksma_align_down(4096, 4096), 4096);
	assert_int_equal(ksma_align_up(4097, 4096), 8192);
	assert_int_equal(ksma_align_up(0, 4096), 0);
}

static void test_take_leaves_nothing(void **state)
{
	char *p = strdup("x"), *q = TAKE_PTR(p);
	int fd = 7, taken = TAKE_FD(fd);

	assert_null(p);
	assert_int_equal(fd, -1);
	assert_int_equal(taken, 7);
	free(q);
}

static void test_strings(void **state)
{
	char *s = NULL;

	assert_ok(ksma_strdup("abc", &s));
	assert_string_equal(s, "abc");
	free(s);
	assert_ok(ksma_asprintf(&s, "%d-%s", 5, "x"));
	assert_string_equal(s, "5-x");
	free(s);
}

static struct ksma_error *make_strings(void *state)
{
	static char untouched[] = "untouched";
	char *s = untouched;
	struct ksma_error *error = ksma_strdup("abc", &s);

	if (!error) {
		free(s);
		s = untouched;
		error = ksma_asprintf(&s, "%d", 5);
	}
	if (error)
		assert_ptr_equal(s, untouched);
	else
		free(s);
	return error;
}

static void test_without_memory_strings_stay(void **state)
{
	assert_int_equal(fail_alloc_each(make_strings, NULL, FAIL_ALLOC_STRICT), 2);
}

/* Makes a file of `length` bytes that count. */
static void make_file(char *path, size_t length)
{
	int fd;

	strcpy(path, "/tmp/ksma-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	for (size_t i = 0; i < length; i++) {
		uint8_t byte = (uint8_t)i;

		assert_int_equal(write(fd, &byte, 1), 1);
	}
	close(fd);
}

static void test_read_file(void **state)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 20000 };
	char path[32];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_free_ char *data = NULL;
		size_t length = 12345;

		make_file(path, sizes[i]);
		assert_ok(ksma_read_file(path, sizes[i], &data, &length));
		unlink(path);
		assert_int_equal(length, sizes[i]);
		assert_int_equal(data[length], 0);
		for (size_t j = 0; j < length; j++)
			assert_int_equal((uint8_t)data[j], (uint8_t)j);
	}
}

static void test_read_file_limit(void **state)
{
	char *data = NULL;
	size_t length = 12345;
	char path[32];

	make_file(path, 10);
	assert_error_says(ksma_read_file(path, 9, &data, &length), KSMA_ERROR_LIMIT, path);
	unlink(path);
	assert_null(data);
	assert_int_equal(length, 12345);
}

static void test_read_file_that_has_no_end(void **state)
{
	char *data = NULL;

	assert_error(ksma_read_file("/dev/zero", 1 << 20, &data, NULL), KSMA_ERROR_LIMIT);
	assert_null(data);
}

static void test_read_file_of_proc(void **state)
{
	_cleanup_free_ char *data = NULL;

	assert_ok(ksma_read_file("/proc/self/cmdline", 1 << 20, &data, NULL));
	assert_non_null(strstr(data, "test_"));
}

static void test_read_file_errors(void **state)
{
	char *data = NULL;

	assert_error_says(ksma_read_file("/nowhere/x", 10, &data, NULL), KSMA_ERROR_OS,
			  "/nowhere/x");
	assert_error_says(ksma_read_file("/", 10, &data, NULL), KSMA_ERROR_OS, "Is a directory");
	assert_null(data);
}

static struct ksma_error *read_a_file(void *state)
{
	char *data = NULL;
	struct ksma_error *error = ksma_read_file(state, 20000, &data, NULL);

	if (error)
		assert_null(data);
	free(data);
	return error;
}

static void test_without_memory_read_file(void **state)
{
	char path[32];

	make_file(path, 20000);
	assert_true(fail_alloc_each(read_a_file, path, FAIL_ALLOC_STRICT) > 1);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_push_zeroes_and_keeps),
		cmocka_unit_test(test_grow_refuses_overflow),
		cmocka_unit_test(test_without_memory_arrays_stay),
		cmocka_unit_test(test_in_range),
		cmocka_unit_test(test_align),
		cmocka_unit_test(test_take_leaves_nothing),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_without_memory_strings_stay),
		cmocka_unit_test(test_read_file),
		cmocka_unit_test(test_read_file_limit),
		cmocka_unit_test(test_read_file_that_has_no_end),
		cmocka_unit_test(test_read_file_of_proc),
		cmocka_unit_test(test_read_file_errors),
		cmocka_unit_test(test_without_memory_read_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
