/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every unit test includes: cmocka in the order that it wants, and assertions on our errors. */
#ifndef KSMA_TESTS_UNIT_H
#define KSMA_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"

/* cmocka's fail_msg() does not return, but does not tell the compiler. */
#define fail_now(...)                                                                              \
	do {                                                                                       \
		fail_msg(__VA_ARGS__);                                                             \
		abort();                                                                           \
	} while (0)

/* The call worked; otherwise the test fails with the error's own words. */
#define assert_ok(expression)                                                                      \
	do {                                                                                       \
		struct ksma_error *ok_err_ = (expression);                                         \
		if (ok_err_)                                                                       \
			fail_now("%s: %s", #expression, ok_err_->message);                         \
	} while (0)

/* The call failed with this code. */
#define assert_error(expression, expected)                                                         \
	do {                                                                                       \
		struct ksma_error *bad_err_ = (expression);                                        \
		if (!bad_err_)                                                                     \
			fail_now("%s: worked, %s expected", #expression, #expected);               \
		else if (bad_err_->code != (expected))                                             \
			fail_now("%s: %s (%s), %s expected", #expression,                          \
				 ksma_error_code_name(bad_err_->code), bad_err_->message,          \
				 #expected);                                                       \
		ksma_error_destroy(bad_err_);                                                      \
	} while (0)

/* The call failed with this code, and its message holds these words. */
#define assert_error_says(expression, expected, words)                                             \
	do {                                                                                       \
		struct ksma_error *bad_err_ = (expression);                                        \
		if (!bad_err_)                                                                     \
			fail_now("%s: worked, %s expected", #expression, #expected);               \
		else if (bad_err_->code != (expected) || !strstr(bad_err_->message, (words)))      \
			fail_now("%s: %s (%s), %s with \"%s\" expected", #expression,              \
				 ksma_error_code_name(bad_err_->code), bad_err_->message,          \
				 #expected, (words));                                              \
		ksma_error_destroy(bad_err_);                                                      \
	} while (0)

#endif
