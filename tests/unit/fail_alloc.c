/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The wrapped allocators, and the loop that fails them one by one. */
#include <errno.h>

#include "unit.h"

#include "fail_alloc.h"

static unsigned long countdown; /* 0: not armed */
static bool failing_on, fired, persistent;

void fail_alloc_arm(unsigned long n, bool and_after)
{
	countdown = n;
	persistent = and_after;
	failing_on = false;
	fired = false;
}

bool fail_alloc_disarm(void)
{
	countdown = 0;
	failing_on = false;
	return fired;
}

static bool fails(void)
{
	if (failing_on)
		return true;
	if (countdown == 0 || --countdown > 0)
		return false;
	fired = true;
	failing_on = persistent;
	return true;
}

static unsigned long each(struct ksma_error *(*run)(void *), void *state, enum fail_alloc_rule rule,
			  bool and_after)
{
	for (unsigned long n = 1;; n++) {
		struct ksma_error *error;
		bool failed;

		fail_alloc_arm(n, and_after);
		error = run(state);
		failed = fail_alloc_disarm();
		if (!failed) {
			assert_ok(error);
			return n - 1;
		}
		if (!error && rule == FAIL_ALLOC_STRICT)
			fail_msg("allocation %lu failed and nothing said so", n);
		if (error && error->code != KSMA_ERROR_NOMEM)
			fail_msg("allocation %lu failed, and the error is %s (%s)", n,
				 ksma_error_code_name(error->code), error->message);
		ksma_error_destroy(error);
	}
}

unsigned long fail_alloc_each(struct ksma_error *(*run)(void *), void *state,
			      enum fail_alloc_rule rule)
{
	each(run, state, rule, true);
	return each(run, state, rule, false);
}

/* The linker's --wrap=NAME turns calls of NAME into __wrap_NAME, and __real_NAME into NAME. */
#define WRAP(type, name, failure, parameters, arguments)                                           \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		if (fails()) {                                                                     \
			errno = ENOMEM;                                                            \
			return failure;                                                            \
		}                                                                                  \
		return __real_##name arguments;                                                    \
	}

WRAP(void *, malloc, NULL, (size_t size), (size))
WRAP(void *, calloc, NULL, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, NULL, (void *p, size_t size), (p, size))
WRAP(void *, reallocarray, NULL, (void *p, size_t n, size_t size), (p, n, size))
WRAP(void *, aligned_alloc, NULL, (size_t alignment, size_t size), (alignment, size))
WRAP(int, posix_memalign, ENOMEM, (void **p, size_t alignment, size_t size), (p, alignment, size))
WRAP(char *, strdup, NULL, (const char *s), (s))
WRAP(char *, strndup, NULL, (const char *s, size_t n), (s, n))

/* With _FORTIFY_SOURCE the calls go to the second of each pair. After a failure *p is undefined: make use of it crash. */
#define POISON ((char *)1)

int __real_vasprintf(char **p, const char *format, va_list args);
int __wrap_vasprintf(char **p, const char *format, va_list args);
int __real___vasprintf_chk(char **p, int flag, const char *format, va_list args);
int __wrap___vasprintf_chk(char **p, int flag, const char *format, va_list args);
int __wrap_asprintf(char **p, const char *format, ...);
int __wrap___asprintf_chk(char **p, int flag, const char *format, ...);

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

int __wrap_vasprintf(char **p, const char *format, va_list args)
{
	if (fails()) {
		*p = POISON;
		return -1;
	}
	return __real_vasprintf(p, format, args);
}

int __wrap___vasprintf_chk(char **p, int flag, const char *format, va_list args)
{
	return __wrap_vasprintf(p, format, args);
}

int __wrap_asprintf(char **p, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = __wrap_vasprintf(p, format, args);
	va_end(args);
	return n;
}

int __wrap___asprintf_chk(char **p, int flag, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = __wrap_vasprintf(p, format, args);
	va_end(args);
	return n;
}
