/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma read: guest memory as a dump, as raw bytes, or in a document. */
#include <inttypes.h>

#include "cli/output.h"
#include "cli/parse.h"

enum {
	CHUNK = 65536,
	LIMIT_DUMP =
		16
		<< 20, /* a dump or a document is for people and small programs; --raw has no limit */
};

struct span {
	bool physical;
	uint64_t address, length;
};

/* A symbol or number, and a length that does not wrap. */
static struct ksma_error *find_span(struct cli *cli, const char *name, uint64_t value,
				    uint64_t length, struct span *ret_span)
{
	ksma_gva base = { 0 };

	if (name)
		KSMA_TRY(ksma_kernel_lookup(cli->kernel, name, &base));
	value += base.v;
	if (length && value + length - 1 < value)
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "0x%" PRIx64 " and %" PRIu64
					 " bytes: beyond the end of the address space",
					 value, length);
	*ret_span = (struct span){ cli_has(cli, CLI_PHYS), value, length };
	return NULL;
}

static struct ksma_error *read_chunk(struct cli *cli, const struct span *span, uint64_t offset,
				     void *buffer, size_t length)
{
	if (span->physical)
		return ksma_guest_read(cli->guest, ksma_gpa_of(span->address + offset), buffer,
				       length);
	return ksma_kernel_read(cli->kernel, ksma_gva_of(span->address + offset), buffer, length);
}

/* Sixteen bytes a line: address, bytes, and the printable ones of them. */
static void dump_lines(uint64_t address, const uint8_t *p, size_t length)
{
	for (size_t i = 0; i < length; i += 16) {
		size_t n = length - i < 16 ? length - i : 16;

		printf("%016" PRIx64 " ", address + i);
		for (size_t k = 0; k < 16; k++) {
			if (k == 8)
				putchar(' ');
			if (k < n)
				printf(" %02x", p[i + k]);
			else
				fputs("   ", stdout);
		}
		fputs("  |", stdout);
		for (size_t k = 0; k < n; k++)
			putchar(p[i + k] >= 0x20 && p[i + k] < 0x7f ? p[i + k] : '.');
		fputs("|\n", stdout);
	}
}

static void json_hex_bytes(const uint8_t *p, size_t length)
{
	for (size_t i = 0; i < length; i++)
		printf("%02x", p[i]);
}

/* The document needs all the bytes before it begins, so that a hole is an error and not half a document. */
static struct ksma_error *print_json(struct cli *cli, const struct span *span)
{
	_cleanup_free_ uint8_t *buffer = malloc(span->length + 1);
	struct cli_look look = cli_look_begin("read");
	struct cli_json json;

	if (!buffer)
		return ksma_error_nomem();
	KSMA_TRY(read_chunk(cli, span, 0, buffer, span->length));
	cli_look_end(cli, &look);
	cli_document_begin(cli, &json);
	cli_json_text(&json, "space", span->physical ? "physical" : "kernel");
	cli_json_hex(&json, "address", span->address);
	cli_json_number(&json, "length", span->length);
	cli_json_literal(&json, "hex", "\"");
	json_hex_bytes(buffer, span->length);
	putchar('"');
	cli_json_look(&json, &look);
	cli_document_end(&json);
	return NULL;
}

static struct ksma_error *print_chunks(struct cli *cli, const struct span *span)
{
	_cleanup_free_ uint8_t *buffer = malloc(CHUNK);

	if (!buffer)
		return ksma_error_nomem();
	for (uint64_t offset = 0; offset < span->length && !ferror(stdout); offset += CHUNK) {
		uint64_t left = span->length - offset;
		size_t n = left < CHUNK ? (size_t)left : CHUNK;

		KSMA_TRY(read_chunk(cli, span, offset, buffer, n));
		cli_output_begin(cli);
		if (cli_has(cli, CLI_RAW))
			fwrite(buffer, 1, n, stdout);
		else
			dump_lines(span->address + offset, buffer, n);
	}
	return NULL;
}

static struct ksma_error *check_options(const struct cli *cli, uint64_t length)
{
	if (cli_has(cli, CLI_RAW) && cli_has(cli, CLI_JSON))
		return ksma_error_create(KSMA_ERROR_INVALID, "--raw and --json exclude each other");
	if (cli_has(cli, CLI_RAW) && isatty(STDOUT_FILENO))
		return ksma_error_create(
			KSMA_ERROR_INVALID,
			"raw guest bytes could command a terminal: send them to a file or a program");
	if (!cli_has(cli, CLI_RAW) && length > LIMIT_DUMP)
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "more than %d MiB are only written with --raw",
					 LIMIT_DUMP >> 20);
	return NULL;
}

struct ksma_error *cli_read(struct cli *cli)
{
	_cleanup_free_ char *name = NULL;
	uint64_t value, length;
	struct span span;

	KSMA_TRY(cli_parse_place(cli->operands[1], &name, &value));
	KSMA_TRY(cli_parse_size("the length", cli->operands[2], &length));
	KSMA_TRY(check_options(cli, length));
	if (name && cli_has(cli, CLI_PHYS))
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "--phys takes a number, not the symbol '%s'", name);
	KSMA_TRY(cli_open_guest(cli));
	/* Physical memory can be read of a guest whose kernel is not understood. */
	if (!cli_has(cli, CLI_PHYS))
		KSMA_TRY(cli_open_guest_kernel(cli));
	KSMA_TRY(find_span(cli, name, value, length, &span));
	if (cli_has(cli, CLI_JSON))
		return print_json(cli, &span);
	return print_chunks(cli, &span);
}
