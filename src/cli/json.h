/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes JSON straight to a stream: no tree, no allocation that could fail halfway, and ASCII only whatever the guest says.
 *
 * Errors are those of the stream: ask ferror() at the end. */
#ifndef KSMA_CLI_JSON_H
#define KSMA_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct cli_json {
	FILE *out;
	bool pretty;	 /* a line a value, for people */
	unsigned depth;	 /* at most 63 */
	uint64_t array;	 /* bit d: depth d is an array */
	uint64_t filled; /* bit d: depth d has a value already */
};

/* Values. `key` is NULL inside an array and at the top. */
void cli_json_object(struct cli_json *json, const char *key);
void cli_json_array(struct cli_json *json, const char *key);
void cli_json_close(
	struct cli_json *json); /* the innermost object or array; a line ends after the outermost */
void cli_json_null(struct cli_json *json, const char *key);
void cli_json_bool(struct cli_json *json, const char *key, bool value);
void cli_json_number(struct cli_json *json, const char *key, uint64_t value);
void cli_json_signed(struct cli_json *json, const char *key, int64_t value);
void cli_json_hex(struct cli_json *json, const char *key, uint64_t value);    /* "0x…" */
void cli_json_text(struct cli_json *json, const char *key, const char *text); /* NULL is null */
void cli_json_bytes(struct cli_json *json, const char *key, const void *bytes, size_t length);
void cli_json_literal(struct cli_json *json, const char *key,
		      const char *literal); /* trusted: a number that is text already */

#endif
