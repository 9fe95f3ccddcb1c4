/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The JSON writer: RFC 8259, every character above ASCII as \uXXXX, a byte that is no UTF-8 as \ufffd. */
#include "cli/json.h"

#include <inttypes.h>
#include <string.h>

#include "cli/escape.h"

static void put_character(FILE *out, uint32_t c)
{
	if (c >= 0x10000) {
		c -= 0x10000;
		fprintf(out, "\\u%04x\\u%04x", 0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
	} else {
		fprintf(out, "\\u%04x", c);
	}
}

static void put_string(FILE *out, const uint8_t *p, size_t length)
{
	putc('"', out);
	for (size_t i = 0; i < length;) {
		uint32_t c = 0xfffd;
		size_t n = cli_utf8_decode(p + i, length - i, &c);

		i += n ? n : 1;
		if (c == '"' || c == '\\') {
			putc('\\', out);
			putc((int)c, out);
		} else if (c >= 0x20 && c < 0x7f) {
			putc((int)c, out);
		} else if (c == '\n') {
			fputs("\\n", out);
		} else if (c == '\t') {
			fputs("\\t", out);
		} else {
			put_character(out, c);
		}
	}
	putc('"', out);
}

static void new_line(struct cli_json *json)
{
	if (json->pretty)
		fprintf(json->out, "\n%*s", (int)(2 * json->depth), "");
}

/* What stands before a value: a comma, a line, its key. */
static void before(struct cli_json *json, const char *key)
{
	uint64_t bit = 1ull << json->depth;

	if (json->filled & bit)
		putc(',', json->out);
	json->filled |= bit;
	if (json->depth)
		new_line(json);
	if (key) {
		put_string(json->out, (const uint8_t *)key, strlen(key));
		fputs(json->pretty ? ": " : ":", json->out);
	}
}

static void open_bracket(struct cli_json *json, const char *key, bool array)
{
	before(json, key);
	putc(array ? '[' : '{', json->out);
	json->depth++;
	json->filled &= ~(1ull << json->depth);
	json->array &= ~(1ull << json->depth);
	json->array |= (uint64_t)array << json->depth;
}

void cli_json_object(struct cli_json *json, const char *key)
{
	open_bracket(json, key, false);
}

void cli_json_array(struct cli_json *json, const char *key)
{
	open_bracket(json, key, true);
}

void cli_json_close(struct cli_json *json)
{
	bool array = json->array >> json->depth & 1, filled = json->filled >> json->depth & 1;

	json->depth--;
	if (filled)
		new_line(json);
	putc(array ? ']' : '}', json->out);
	if (json->depth == 0) {
		putc('\n', json->out);
		json->filled = 0;
	}
}

void cli_json_literal(struct cli_json *json, const char *key, const char *literal)
{
	before(json, key);
	fputs(literal, json->out);
}

void cli_json_null(struct cli_json *json, const char *key)
{
	cli_json_literal(json, key, "null");
}

void cli_json_bool(struct cli_json *json, const char *key, bool value)
{
	cli_json_literal(json, key, value ? "true" : "false");
}

void cli_json_number(struct cli_json *json, const char *key, uint64_t value)
{
	before(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void cli_json_signed(struct cli_json *json, const char *key, int64_t value)
{
	before(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void cli_json_hex(struct cli_json *json, const char *key, uint64_t value)
{
	before(json, key);
	fprintf(json->out, "\"0x%" PRIx64 "\"", value);
}

void cli_json_text(struct cli_json *json, const char *key, const char *text)
{
	if (text)
		cli_json_bytes(json, key, text, strlen(text));
	else
		cli_json_null(json, key);
}

void cli_json_bytes(struct cli_json *json, const char *key, const void *bytes, size_t length)
{
	before(json, key);
	put_string(json->out, bytes, length);
}
