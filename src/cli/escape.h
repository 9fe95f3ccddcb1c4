/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes guest bytes harmless before they reach a terminal or a JSON document: the guest chooses its names to deceive. */
#ifndef KSMA_CLI_ESCAPE_H
#define KSMA_CLI_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes one character of UTF-8, strictly: no overlong form, no surrogate, nothing above U+10FFFF.
 * @return its length, 1 to 4, or 0 when the bytes are not one */
size_t cli_utf8_decode(const void *bytes, size_t length, uint32_t *ret_character);

/* May this character be shown as it is? Not: controls (C0, DEL, C1), what turns or hides text (bidirectional controls, zero
 * width, tags), line separators, noncharacters. */
bool cli_is_printable(uint32_t character);

enum { CLI_ESCAPED_MAX = 4 }; /* bytes out for one byte in */

/* Writes `bytes` so that they can be shown: what is printable stays; every other byte becomes \xNN and a backslash \\, so that
 * nothing is lost. Without `utf8` the result is ASCII.
 * @out at least CLI_ESCAPED_MAX * length + 1 bytes; NUL-terminated
 * @return its length */
size_t cli_escape(const void *bytes, size_t length, bool utf8, char *out);

#endif
