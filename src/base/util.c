/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Growing arrays, strings and whole files, with errors. */
#include "base/util.h"

#include <errno.h>

struct ksma_error *ksma_array_grow(void *array, size_t *capacity, size_t need, size_t size)
{
	void **slot = array;
	size_t wanted = *capacity ? *capacity : 16;
	size_t bytes;
	void *grown;

	while (wanted < need)
		if (__builtin_mul_overflow(wanted, (size_t)2, &wanted))
			return ksma_error_nomem();
	if (__builtin_mul_overflow(wanted, size, &bytes))
		return ksma_error_nomem();
	grown = realloc(*slot, bytes);
	if (!grown)
		return ksma_error_nomem();
	*slot = grown;
	*capacity = wanted;
	return NULL;
}

struct ksma_error *ksma_strdup(const char *s, char **ret_s)
{
	char *copy = strdup(s);

	if (!copy)
		return ksma_error_nomem();
	*ret_s = copy;
	return NULL;
}

struct ksma_error *ksma_asprintf(char **ret_s, const char *format, ...)
{
	va_list args;
	char *s;
	int n;

	va_start(args, format);
	n = vasprintf(&s, format, args);
	va_end(args);
	if (n < 0)
		return ksma_error_nomem();
	*ret_s = s;
	return NULL;
}

struct ksma_error *ksma_read_file(const char *path, size_t limit, char **ret_data,
				  size_t *ret_length)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_cleanup_free_ char *data = NULL;
	size_t length = 0, capacity = 0;

	if (fd < 0)
		return ksma_error_os(errno, "cannot open %s", path);
	for (;;) {
		ssize_t n;

		if (capacity - length < 4096)
			KSMA_TRY(ksma_array_grow(&data, &capacity, length + 4097, 1));
		n = read(fd, data + length, capacity - length - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ksma_error_os(errno, "cannot read %s", path);
		if (n == 0)
			break;
		length += (size_t)n;
		if (length > limit)
			return ksma_error_create(KSMA_ERROR_LIMIT, "%s is larger than %zu bytes",
						 path, limit);
	}
	data[length] = 0;
	if (ret_length)
		*ret_length = length;
	*ret_data = TAKE_PTR(data);
	return NULL;
}
