/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What commands print: tables and lines for people, documents for programs. Every text is taken for hostile and escaped. */
#ifndef KSMA_CLI_OUTPUT_H
#define KSMA_CLI_OUTPUT_H

#include "cli/cli.h"
#include "cli/json.h"

enum cli_color { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_RED, CLI_YELLOW, CLI_GREEN, CLI_CYAN };

/* Decides on colour and UTF-8 for standard output. @return NULL or INVALID (--color) */
struct ksma_error *cli_output_init(struct cli *cli) KSMA_MUST_CHECK;

/* Ends the progress line; called by what follows before anything is printed. */
void cli_output_begin(struct cli *cli);

/* Lines for people on standard output. The formatted text is escaped as a whole, so the format holds no newline: cli_line ends one. */
void cli_text(struct cli *cli, enum cli_color color, const char *format, ...) KSMA_PRINTF(3, 4);
void cli_line(struct cli *cli, enum cli_color color, const char *format, ...) KSMA_PRINTF(3, 4);

/* A message on standard error: "ksma: …", escaped. */
void cli_warn(struct cli *cli, const char *format, ...) KSMA_PRINTF(2, 3);

/* A table for people. Cells are filled from left to right; a failure is kept until cli_table_print(). */
struct cli_table;

enum { CLI_LEFT = 0, CLI_RIGHT = 1, CLI_LAST = 2 /* cut to the terminal's width */ };

struct cli_column {
	const char *name;
	unsigned flags;
};

struct cli_table *cli_table_create(struct cli *cli, const struct cli_column *columns, size_t count);
void cli_table_destroy(struct cli_table *table);
void cli_table_line(struct cli_table *table);
void cli_cell(struct cli_table *table, const char *format, ...) KSMA_PRINTF(2, 3);
void cli_cell_bytes(struct cli_table *table, const void *bytes, size_t length);
void cli_cell_color(struct cli_table *table, enum cli_color color); /* of the cell filled last */
struct ksma_error *cli_table_print(struct cli_table *table) KSMA_MUST_CHECK;

static inline void cli_table_destroyp(struct cli_table **table)
{
	cli_table_destroy(*table);
}
#define _cleanup_table_ _cleanup_(cli_table_destroyp)

/* JSON documents. Begin writes the opening brace and "guest" (when one is open); end writes the closing brace. */
void cli_document_begin(struct cli *cli, struct cli_json *json);
void cli_document_end(struct cli_json *json);
void cli_json_guest(struct cli_json *json, const struct ksma_guest_info *info);
void cli_json_kernel(struct cli_json *json, const struct ksma_kernel_info *info);
void cli_json_time(struct cli_json *json, const char *key, uint64_t epoch_ns); /* 0 is null */
void cli_json_build_id(struct cli_json *json, const char *key,
		       const struct ksma_build_id *id); /* hex without 0x; not known is null */
void cli_json_coverage(struct cli_json *json, const char *check, const char *state,
		       const char *reason, uint64_t cost_us);
void cli_json_covered(struct cli_json *json, const char *key,
		      const struct ksma_check_coverage *coverage);
/* When what has no vendor reference was looked at first. */
void cli_json_first_look(struct cli_json *json, const char *key, const struct cli *cli,
			 const struct ksma_report *report);
void cli_json_finding(struct cli_json *json, const char *key, const struct ksma_finding *finding);

/* One look at one thing, from its start to the record of what it covered. */
struct cli_look {
	const char *name;
	uint64_t started_ns, cost_us;
	struct ksma_coverage coverage;
};

struct cli_look cli_look_begin(const char *name);
/* Stops the clock and takes incomplete coverage into the exit status. */
void cli_look_end(struct cli *cli, struct cli_look *look);
/* "coverage":[…] of one look. */
void cli_json_look(struct cli_json *json, const struct cli_look *look);
/* For people: nothing when complete, else a line on standard error. */
void cli_warn_look(struct cli *cli, const struct cli_look *look);
void cli_look_deinit(struct cli_look *look);
#define _cleanup_look_ _cleanup_(cli_look_deinit)

/* Small formats. The buffers are at least CLI_BUFFER bytes. */
enum { CLI_BUFFER = 64 };
const char *cli_format_size(uint64_t bytes, char *buffer);
const char *cli_format_time(uint64_t epoch_ns, char *buffer); /* "2026-11-23T01:33:06.123Z" */
const char *cli_format_us(uint64_t us, char *buffer);	      /* "2.5 ms" */
/* Hex, "" when not known. The buffer has CLI_BUILD_ID bytes. */
enum { CLI_BUILD_ID = 2 * KSMA_BUILD_ID_MAX + 1 };
const char *cli_format_build_id(const uint8_t *bytes, size_t length, char *buffer);
const char *cli_dash(const char *text); /* "-" for NULL and "" */

const char *cli_kind_name(enum ksma_guest_kind kind);
const char *cli_access_name(enum ksma_ram_access access);
const char *cli_layout_name(enum ksma_layout_source layout);
enum cli_color cli_severity_color(enum ksma_severity severity);
const char *cli_color_sequence(const struct cli *cli,
			       enum cli_color color); /* "" when there is none */

#endif
