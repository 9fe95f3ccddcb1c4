/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors of libksma: every fallible function returns one, and NULL means that it worked. */
#ifndef KSMA_ERROR_H
#define KSMA_ERROR_H

#include <stdarg.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What kind of thing went wrong; callers decide on this, people read the message. */
enum ksma_error_code {
	KSMA_ERROR_NOMEM = 1,	/* the host is out of memory */
	KSMA_ERROR_INVALID,	/* the caller asked for something that makes no sense */
	KSMA_ERROR_OS,		/* a system call failed, see errnum */
	KSMA_ERROR_FAULT,	/* a guest address is not backed by memory, see address */
	KSMA_ERROR_NOT_PRESENT, /* the thing asked for does not exist */
	KSMA_ERROR_BAD_DATA,	/* the guest (or a file) lied, or the read was torn */
	KSMA_ERROR_LIMIT,	/* a budget or a size limit was used up */
	KSMA_ERROR_TIMEOUT,	/* the other side did not answer in time */
	KSMA_ERROR_LOST,	/* the guest went away, was reset, or migrated */
	KSMA_ERROR_UNSUPPORTED, /* this guest, host or file cannot do that */
	KSMA_ERROR_PERMISSION,	/* the host refused */
};

/* An error. Owned by whoever holds the pointer; ended with ksma_error_destroy(). */
struct ksma_error {
	enum ksma_error_code code;
	int errnum;	  /* errno for KSMA_ERROR_OS and KSMA_ERROR_PERMISSION, else 0 */
	uint64_t address; /* the guest address for KSMA_ERROR_FAULT, else 0 */
	char *message;	  /* one lower-case phrase, no full stop; never NULL */
};

#define KSMA_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define KSMA_MUST_CHECK __attribute__((warn_unused_result))
/* For functions that make an error: the compiler learns that their callers fail. */
#define KSMA_NEVER_NULL __attribute__((returns_nonnull))

/* Makes an error with a message. Never returns NULL: when memory is out it returns a static NOMEM error. Thread-safe. */
struct ksma_error *ksma_error_create(enum ksma_error_code code, const char *format, ...)
	KSMA_PRINTF(2, 3) KSMA_MUST_CHECK KSMA_NEVER_NULL;

/* The same for a failed system call: appends strerror(errnum). EPERM and EACCES become KSMA_ERROR_PERMISSION, ENOMEM becomes NOMEM. */
struct ksma_error *ksma_error_os(int errnum, const char *format, ...)
	KSMA_PRINTF(2, 3) KSMA_MUST_CHECK KSMA_NEVER_NULL;

/* The same for a guest address that cannot be read. */
struct ksma_error *ksma_error_fault(uint64_t address, const char *format, ...)
	KSMA_PRINTF(2, 3) KSMA_MUST_CHECK KSMA_NEVER_NULL;

/* The static out-of-memory error. */
struct ksma_error *ksma_error_nomem(void) KSMA_MUST_CHECK KSMA_NEVER_NULL;

/* Puts "context: " before the message as the error rises. Takes and returns `error`; NULL stays NULL. */
struct ksma_error *ksma_error_prefix(struct ksma_error *error, const char *format, ...)
	KSMA_PRINTF(2, 3) KSMA_MUST_CHECK;

/* Ends an error; NULL is fine. */
void ksma_error_destroy(struct ksma_error *error);

/* "bad-data" and so on: the stable word for a code, as the JSON output uses it. */
const char *ksma_error_code_name(enum ksma_error_code code);

#ifdef __cplusplus
}
#endif
#endif
