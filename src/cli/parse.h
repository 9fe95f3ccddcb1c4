/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads what a person types for a number, a size, a time, a place in the guest. */
#ifndef KSMA_CLI_PARSE_H
#define KSMA_CLI_PARSE_H

#include "base/util.h"

/* A decimal or 0x number, all of the text. */
struct ksma_error *cli_parse_number(const char *what, const char *text,
				    uint64_t *ret_value) KSMA_MUST_CHECK;

/* A number of bytes: 512, 0x200, 4K, 2M, 1G (powers of 1024). */
struct ksma_error *cli_parse_size(const char *what, const char *text,
				  uint64_t *ret_bytes) KSMA_MUST_CHECK;

/* A time: 2, 1.5, 2s, 500ms, 1m. At most a day; not zero. */
struct ksma_error *cli_parse_duration(const char *what, const char *text,
				      uint64_t *ret_ms) KSMA_MUST_CHECK;

/* A share of something: 1%, 0.5%, 100%. In millionths; not zero. */
struct ksma_error *cli_parse_share(const char *what, const char *text,
				   uint64_t *ret_millionths) KSMA_MUST_CHECK;

/* A process id of the guest, 0 or more. */
struct ksma_error *cli_parse_pid(const char *text, int32_t *ret_pid) KSMA_MUST_CHECK;

/* A place: 0x…, sixteen bare hexadecimal digits, a decimal number, or NAME, NAME+OFFSET, NAME-OFFSET.
 * `*ret_name` is NULL when it is a number; else it is to be freed, and `ret_value` is what to add to its address. */
struct ksma_error *cli_parse_place(const char *text, char **ret_name,
				   uint64_t *ret_value) KSMA_MUST_CHECK;

#endif
