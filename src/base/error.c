/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors are objects, so that a failure deep inside a guest's structures can say where it happened. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* Given out when there is no memory for a real one; never freed, never changed. */
static char nomem_message[] = "the host is out of memory";
static struct ksma_error nomem_error = { .code = KSMA_ERROR_NOMEM, .message = nomem_message };

KSMA_API struct ksma_error *ksma_error_nomem(void)
{
	return &nomem_error;
}

static struct ksma_error *error_new(enum ksma_error_code code, char *message)
{
	struct ksma_error *error;

	if (!message)
		return &nomem_error;
	error = calloc(1, sizeof(*error));
	if (!error) {
		free(message);
		return &nomem_error;
	}
	error->code = code;
	error->message = message;
	return error;
}

static KSMA_PRINTF(1, 0) char *format_message(const char *format, va_list args)
{
	char *message;

	return vasprintf(&message, format, args) < 0 ? NULL : message;
}

KSMA_API struct ksma_error *ksma_error_create(enum ksma_error_code code, const char *format, ...)
{
	va_list args;
	char *message;

	va_start(args, format);
	message = format_message(format, args);
	va_end(args);
	return error_new(code, message);
}

KSMA_API struct ksma_error *ksma_error_os(int errnum, const char *format, ...)
{
	enum ksma_error_code code = KSMA_ERROR_OS;
	struct ksma_error *error;
	_cleanup_free_ char *what = NULL;
	char reason[128];
	va_list args;
	char *message;

	if (errnum == EPERM || errnum == EACCES)
		code = KSMA_ERROR_PERMISSION;
	else if (errnum == ENOMEM)
		code = KSMA_ERROR_NOMEM;
	va_start(args, format);
	what = format_message(format, args);
	va_end(args);
	if (!what ||
	    asprintf(&message, "%s: %s", what, strerror_r(errnum, reason, sizeof(reason))) < 0)
		return &nomem_error;
	error = error_new(code, message);
	if (error != &nomem_error)
		error->errnum = errnum;
	return error;
}

KSMA_API struct ksma_error *ksma_error_fault(uint64_t address, const char *format, ...)
{
	struct ksma_error *error;
	va_list args;
	char *message;

	va_start(args, format);
	message = format_message(format, args);
	va_end(args);
	error = error_new(KSMA_ERROR_FAULT, message);
	if (error != &nomem_error)
		error->address = address;
	return error;
}

KSMA_API struct ksma_error *ksma_error_prefix(struct ksma_error *error, const char *format, ...)
{
	_cleanup_free_ char *context = NULL;
	va_list args;
	char *message;

	if (!error || error == &nomem_error)
		return error;
	va_start(args, format);
	context = format_message(format, args);
	va_end(args);
	if (!context || asprintf(&message, "%s: %s", context, error->message) < 0)
		return error; /* the bare message is better than none */
	free(error->message);
	error->message = message;
	return error;
}

KSMA_API void ksma_error_destroy(struct ksma_error *error)
{
	if (!error || error == &nomem_error)
		return;
	free(error->message);
	free(error);
}

KSMA_API const char *ksma_error_code_name(enum ksma_error_code code)
{
	static const char *const names[] = {
		[KSMA_ERROR_NOMEM] = "no-memory",
		[KSMA_ERROR_INVALID] = "invalid",
		[KSMA_ERROR_OS] = "os",
		[KSMA_ERROR_FAULT] = "fault",
		[KSMA_ERROR_NOT_PRESENT] = "not-present",
		[KSMA_ERROR_BAD_DATA] = "bad-data",
		[KSMA_ERROR_LIMIT] = "limit",
		[KSMA_ERROR_TIMEOUT] = "timeout",
		[KSMA_ERROR_LOST] = "lost",
		[KSMA_ERROR_UNSUPPORTED] = "unsupported",
		[KSMA_ERROR_PERMISSION] = "permission",
	};

	if ((size_t)code < ARRAY_SIZE(names) && names[code])
		return names[code];
	return "unknown";
}
