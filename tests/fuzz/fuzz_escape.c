/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text for a terminal and for JSON: whoever runs a process in the guest names it, and would command the terminal of whoever looks. */
#include <locale.h>

#include <json-c/json.h>

#include "base/util.h"
#include "cli/escape.h"
#include "cli/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		abort();
	return 0;
}

/* Takes the escapes back: nothing may be lost, and nothing may be read in two ways. */
static size_t unescape(const char *text, size_t length, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < length; i++) {
		char hex[3] = "";

		if (text[i] != '\\') {
			out[n++] = (uint8_t)text[i];
		} else if (text[i + 1] == '\\') {
			out[n++] = '\\';
			i++;
		} else if (text[i + 1] == 'x' && length - i >= 4) {
			memcpy(hex, text + i + 2, 2);
			out[n++] = (uint8_t)strtoul(hex, NULL, 16);
			i += 3;
		} else {
			abort();
		}
	}
	return n;
}

static void check_escape(const uint8_t *data, size_t length, bool utf8)
{
	char *text = malloc(CLI_ESCAPED_MAX * length + 1);
	uint8_t *back = malloc(length + 1);
	size_t n = cli_escape(data, length, utf8, text);

	for (size_t i = 0; i < n;) {
		uint32_t character;
		size_t bytes = cli_utf8_decode(text + i, n - i, &character);

		if (!bytes || !cli_is_printable(character) || (!utf8 && character > 0x7e))
			abort();
		i += bytes;
	}
	if (unescape(text, n, back) != length || memcmp(back, data, length) != 0)
		abort();
	free(text);
	free(back);
}

/* The document is ASCII and a parser of others reads as many characters from it as the text has. */
static void check_json(const uint8_t *data, size_t length)
{
	struct cli_json json = { .pretty = length & 1 };
	struct json_object *document, *parsed;
	char *text = NULL;
	size_t size, expected = 0, got = 0;

	json.out = open_memstream(&text, &size);
	cli_json_object(&json, NULL);
	cli_json_bytes(&json, "text", data, length);
	cli_json_close(&json);
	fclose(json.out);
	for (size_t i = 0; i < size; i++)
		if (text[i] != '\n' && (text[i] < 0x20 || text[i] > 0x7e))
			abort();
	document = json_tokener_parse(text);
	parsed = json_object_object_get(document, "text");
	if (!parsed)
		abort();
	for (size_t i = 0; i < length; expected++) {
		uint32_t character;
		size_t bytes = cli_utf8_decode(data + i, length - i, &character);

		i += bytes ? bytes : 1;
	}
	for (size_t i = 0; i < (size_t)json_object_get_string_len(parsed); i++)
		got += ((uint8_t)json_object_get_string(parsed)[i] & 0xc0) != 0x80;
	if (got != expected)
		abort();
	json_object_put(document);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	if (length > 4096)
		return 0;
	check_escape(data, length, true);
	check_escape(data, length, false);
	check_json(data, length);
	return 0;
}
