/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Error objects: what they carry, and that they exist even where memory does not. */
#include <errno.h>

#include "unit.h"

#include "fail_alloc.h"

static void test_create_formats(void **state)
{
	struct ksma_error *error = ksma_error_create(KSMA_ERROR_BAD_DATA, "%s of %d", "type", 7);

	assert_int_equal(error->code, KSMA_ERROR_BAD_DATA);
	assert_string_equal(error->message, "type of 7");
	assert_int_equal(error->errnum, 0);
	assert_int_equal(error->address, 0);
	ksma_error_destroy(error);
}

static void test_os_appends_the_reason(void **state)
{
	struct ksma_error *error = ksma_error_os(ENOENT, "cannot open %s", "/nowhere");

	assert_int_equal(error->code, KSMA_ERROR_OS);
	assert_int_equal(error->errnum, ENOENT);
	assert_string_equal(error->message, "cannot open /nowhere: No such file or directory");
	ksma_error_destroy(error);
}

static void test_os_picks_the_code(void **state)
{
	static const struct {
		int errnum;
		enum ksma_error_code code;
	} cases[] = {
		{ EPERM, KSMA_ERROR_PERMISSION },
		{ EACCES, KSMA_ERROR_PERMISSION },
		{ ENOMEM, KSMA_ERROR_NOMEM },
		{ EIO, KSMA_ERROR_OS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ksma_error *error = ksma_error_os(cases[i].errnum, "x");

		assert_int_equal(error->code, cases[i].code);
		assert_int_equal(error->errnum, cases[i].errnum);
		ksma_error_destroy(error);
	}
}

static void test_fault_keeps_the_address(void **state)
{
	struct ksma_error *error = ksma_error_fault(0xffffffff81000000, "nothing there");

	assert_int_equal(error->code, KSMA_ERROR_FAULT);
	assert_int_equal(error->address, 0xffffffff81000000);
	ksma_error_destroy(error);
}

static void test_prefix_adds_context(void **state)
{
	struct ksma_error *error = ksma_error_fault(5, "nothing there");

	error = ksma_error_prefix(error, "reading %s", "init_task");
	assert_string_equal(error->message, "reading init_task: nothing there");
	assert_int_equal(error->code, KSMA_ERROR_FAULT);
	assert_int_equal(error->address, 5);
	ksma_error_destroy(error);
	assert_null(ksma_error_prefix(NULL, "context"));
}

static void test_nomem_is_never_changed(void **state)
{
	struct ksma_error *error = ksma_error_nomem();
	const char *message = error->message;

	assert_int_equal(error->code, KSMA_ERROR_NOMEM);
	assert_ptr_equal(ksma_error_prefix(error, "context"), error);
	assert_ptr_equal(error->message, message);
	ksma_error_destroy(error);
	ksma_error_destroy(error);
	assert_ptr_equal(ksma_error_nomem(), error);
	assert_ptr_equal(error->message, message);
	ksma_error_destroy(NULL);
}

static void test_every_code_has_a_name(void **state)
{
	for (int code = KSMA_ERROR_NOMEM; code <= KSMA_ERROR_PERMISSION; code++) {
		const char *name = ksma_error_code_name((enum ksma_error_code)code);

		assert_string_not_equal(name, "unknown");
		for (int other = KSMA_ERROR_NOMEM; other < code; other++)
			assert_string_not_equal(name,
						ksma_error_code_name((enum ksma_error_code)other));
	}
	assert_string_equal(ksma_error_code_name((enum ksma_error_code)0), "unknown");
	assert_string_equal(ksma_error_code_name((enum ksma_error_code)1000), "unknown");
	assert_string_equal(ksma_error_code_name((enum ksma_error_code) - 1), "unknown");
}

static struct ksma_error *make_and_expect_nomem(void *state)
{
	struct ksma_error *(*make)(void) = *(struct ksma_error * (**)(void)) state;
	struct ksma_error *error = make();

	/* A good run makes the error that was asked for, which is a success here. */
	if (error->code == KSMA_ERROR_NOMEM)
		return error;
	ksma_error_destroy(error);
	return NULL;
}

static struct ksma_error *make_plain(void)
{
	return ksma_error_create(KSMA_ERROR_INVALID, "%s", "x");
}

static struct ksma_error *make_os(void)
{
	return ksma_error_os(EIO, "%s", "x");
}

static struct ksma_error *make_fault(void)
{
	return ksma_error_fault(1, "%s", "x");
}

static void test_without_memory_errors_are_nomem(void **state)
{
	struct ksma_error *(*makers[])(void) = { make_plain, make_os, make_fault };
	struct ksma_error *nomem;

	for (size_t i = 0; i < ARRAY_SIZE(makers); i++)
		assert_true(fail_alloc_each(make_and_expect_nomem, &makers[i], FAIL_ALLOC_STRICT) >=
			    2);
	nomem = ksma_error_nomem();
	assert_int_equal(nomem->errnum, 0);
	assert_int_equal(nomem->address, 0);
}

static struct ksma_error *prefix_survives(void *state)
{
	struct ksma_error *error = ksma_error_create(KSMA_ERROR_NOMEM, "inner");

	error = ksma_error_prefix(error, "outer");
	if (strcmp(error->message, "outer: inner") == 0) {
		ksma_error_destroy(error);
		return NULL;
	}
	return error;
}

static void test_without_memory_a_prefix_keeps_the_message(void **state)
{
	fail_alloc_each(prefix_survives, NULL, FAIL_ALLOC_STRICT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_formats),
		cmocka_unit_test(test_os_appends_the_reason),
		cmocka_unit_test(test_os_picks_the_code),
		cmocka_unit_test(test_fault_keeps_the_address),
		cmocka_unit_test(test_prefix_adds_context),
		cmocka_unit_test(test_nomem_is_never_changed),
		cmocka_unit_test(test_every_code_has_a_name),
		cmocka_unit_test(test_without_memory_errors_are_nomem),
		cmocka_unit_test(test_without_memory_a_prefix_keeps_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
