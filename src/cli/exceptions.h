/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --exceptions: findings that the operator accepts, and what is told of them. */
#ifndef KSMA_CLI_EXCEPTIONS_H
#define KSMA_CLI_EXCEPTIONS_H

#include "cli/output.h"

/* Reads the file of --exceptions; without the option there are none. @ret freed with ksma_exceptions_free() */
struct ksma_error *cli_exceptions_read(const struct cli *cli,
				       struct ksma_exceptions *ret) KSMA_MUST_CHECK;

/* Moves what is excepted now out of the findings. */
struct ksma_error *cli_exceptions_apply(const struct ksma_exceptions *exceptions,
					struct ksma_report *report) KSMA_MUST_CHECK;

/* "applied", "unused" (no finding needed it), "ended" (its day has come). */
const char *cli_exception_state(const struct ksma_exceptions *exceptions, size_t index,
				const struct ksma_report *report);

/* "excepted": [{finding…, "reason", "expires"}], "exceptions": [{…, "state"}] */
void cli_json_exceptions(struct cli_json *json, const struct ksma_exceptions *exceptions,
			 const struct ksma_report *report);

/* The same for people: a line each; nothing where there are none. */
void cli_print_exceptions(struct cli *cli, const struct ksma_exceptions *exceptions,
			  const struct ksma_report *report);

#endif
