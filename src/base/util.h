/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The small things that every file needs: cleanup attributes, growing arrays, checked arithmetic. */
#ifndef KSMA_BASE_UTIL_H
#define KSMA_BASE_UTIL_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ksma/error.h>
#include <ksma/types.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define KSMA_API __attribute__((visibility("default")))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Propagates an error to the caller. */
#define KSMA_TRY(expression)                                                                       \
	do {                                                                                       \
		struct ksma_error *try_err_ = (expression);                                        \
		if (unlikely(try_err_))                                                            \
			return try_err_;                                                           \
	} while (0)

static inline void ksma_freep(void *p)
{
	free(*(void **)p);
}

static inline void ksma_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void ksma_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void ksma_errorp(struct ksma_error **error)
{
	ksma_error_destroy(*error);
}

#define _cleanup_free_ _cleanup_(ksma_freep)
#define _cleanup_close_ _cleanup_(ksma_closep)
#define _cleanup_fclose_ _cleanup_(ksma_fclosep)
#define _cleanup_error_ _cleanup_(ksma_errorp)

/* Hands ownership out of a cleanup variable. */
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		typeof(p) take_ = (p);                                                             \
		(p) = NULL;                                                                        \
		take_;                                                                             \
	})
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int take_ = (fd);                                                                  \
		(fd) = -1;                                                                         \
		take_;                                                                             \
	})

/* Grows *array (elements of `size` bytes) so that it holds at least `need` elements. Doubles; overflow and lack of memory
 * are NOMEM and leave the array as it was. */
struct ksma_error *ksma_array_grow(void *array, size_t *capacity, size_t need,
				   size_t size) KSMA_MUST_CHECK;

/* Appends a zeroed element and yields a pointer to it through `ret`. The arrays have the fields `items`, `count`, `capacity`. */
#define KSMA_ARRAY_PUSH(a, ret)                                                                    \
	({                                                                                         \
		struct ksma_error *push_err_ = NULL;                                               \
		if ((a)->count == (a)->capacity)                                                   \
			push_err_ = ksma_array_grow(&(a)->items, &(a)->capacity, (a)->count + 1,   \
						    sizeof(*(a)->items));                          \
		if (!push_err_) {                                                                  \
			if (!(a)->items) /* clang's analyzer does not know it */                   \
				__builtin_unreachable();                                           \
			*(ret) = &(a)->items[(a)->count++];                                        \
			memset(*(ret), 0, sizeof(**(ret)));                                        \
		}                                                                                  \
		push_err_;                                                                         \
	})

static inline uint64_t ksma_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The wall clock, nanoseconds since the epoch. */
static inline uint64_t ksma_epoch_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* True when [start, start+length) lies inside [0, size). */
static inline bool ksma_in_range(uint64_t start, uint64_t length, uint64_t size)
{
	return length <= size && start <= size - length;
}

static inline uint64_t ksma_align_down(uint64_t v, uint64_t a)
{
	return v & ~(a - 1);
}

static inline uint64_t ksma_align_up(uint64_t v, uint64_t a)
{
	return (v + a - 1) & ~(a - 1);
}

/* strdup and asprintf with errors. @ret_s owned by the caller */
struct ksma_error *ksma_strdup(const char *s, char **ret_s) KSMA_MUST_CHECK;
struct ksma_error *ksma_asprintf(char **ret_s, const char *format, ...)
	KSMA_PRINTF(2, 3) KSMA_MUST_CHECK;

/* Reads a whole file of /proc or disk, at most `limit` bytes, with a NUL after the end. LIMIT when it is larger.
 * @ret_data owned by the caller @ret_length may be NULL */
struct ksma_error *ksma_read_file(const char *path, size_t limit, char **ret_data,
				  size_t *ret_length) KSMA_MUST_CHECK;

#endif
