/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines and tables for people: escaped, aligned, coloured on a terminal only. */
#include "cli/output.h"

#include <langinfo.h>
#include <libsmartcols/libsmartcols.h>
#include <locale.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "cli/escape.h"
#include "cli/progress.h"

static const struct {
	const char *name, *sequence;
} colors[] = {
	[CLI_PLAIN] = { NULL, "" },
	[CLI_BOLD] = { "bold", "\033[1m" },
	[CLI_DIM] = { "dim", "\033[2m" },
	[CLI_RED] = { "red", "\033[31m" },
	[CLI_YELLOW] = { "brown", "\033[33m" },
	[CLI_GREEN] = { "green", "\033[32m" },
	[CLI_CYAN] = { "cyan", "\033[36m" },
};

/* The locale is only loaded where its name promises UTF-8: that costs a file or two. */
static bool wants_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value && value[0])
			return (strcasestr(value, "utf-8") || strcasestr(value, "utf8")) &&
			       setlocale(LC_CTYPE, "") &&
			       strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	}
	return false;
}

struct ksma_error *cli_output_init(struct cli *cli)
{
	const char *when = cli->values[CLI_COLOR], *no_color = getenv("NO_COLOR"),
		   *term = getenv("TERM");
	bool tty = isatty(STDOUT_FILENO);

	if (when && strcmp(when, "auto") != 0 && strcmp(when, "always") != 0 &&
	    strcmp(when, "never") != 0)
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "--color is auto, always or never, not '%s'", when);
	if (when && strcmp(when, "auto") != 0)
		cli->color = strcmp(when, "always") == 0;
	else
		cli->color = tty && !(no_color && no_color[0]) && term && strcmp(term, "dumb") != 0;
	cli->utf8 = !cli_has(cli, CLI_JSON) && wants_utf8();
	return NULL;
}

void cli_output_begin(struct cli *cli)
{
	cli_progress_stop(cli->progress);
	cli->progress = NULL;
	/* --timeout is for looking. A document that has begun is finished. */
	if (!cli->printed && cli_has(cli, CLI_JSON))
		signal(SIGALRM, SIG_IGN);
	cli->printed = true;
}

const char *cli_color_sequence(const struct cli *cli, enum cli_color color)
{
	return cli->color ? colors[color].sequence : "";
}

/* Formats and escapes. @return NULL when memory is out; to be freed */
static KSMA_PRINTF(2, 0) char *escaped(const struct cli *cli, const char *format, va_list args)
{
	_cleanup_free_ char *plain = NULL;
	char *out;
	int n = vasprintf(&plain, format, args);

	if (n < 0) {
		plain = NULL;
		return NULL;
	}
	out = malloc(CLI_ESCAPED_MAX * (size_t)n + 1);
	if (out)
		cli_escape(plain, (size_t)n, cli->utf8, out);
	return out;
}

static KSMA_PRINTF(4, 0) void put_text(struct cli *cli, enum cli_color color, const char *end,
				       const char *format, va_list args)
{
	_cleanup_free_ char *text = escaped(cli, format, args);

	cli_output_begin(cli);
	if (!text)
		cli->status = CLI_INTERNAL;
	if (color != CLI_PLAIN && cli->color)
		printf("%s%s\033[0m%s", colors[color].sequence, text ? text : "out of memory", end);
	else
		printf("%s%s", text ? text : "out of memory", end);
}

void cli_text(struct cli *cli, enum cli_color color, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_text(cli, color, "", format, args);
	va_end(args);
}

void cli_line(struct cli *cli, enum cli_color color, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_text(cli, color, "\n", format, args);
	va_end(args);
}

void cli_warn(struct cli *cli, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;

	cli_progress_stop(cli->progress);
	cli->progress = NULL;
	fflush(stdout);
	va_start(args, format);
	text = escaped(cli, format, args);
	va_end(args);
	fprintf(stderr, "ksma: %s\n", text ? text : "out of memory");
}

struct cli_table {
	struct cli *cli;
	struct libscols_table *scols;
	struct libscols_line *line;
	unsigned column, last; /* the next cell's, and the number of columns */
	bool failed;
};

static bool add_columns(struct cli_table *t, const struct cli_column *columns, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct libscols_column *c;
		int flags = 0;

		if (columns[i].flags & CLI_RIGHT)
			flags |= SCOLS_FL_RIGHT;
		if (columns[i].flags & CLI_LAST)
			flags |= SCOLS_FL_TRUNC;
		c = scols_table_new_column(t->scols, columns[i].name, 0, flags);
		if (!c ||
		    (t->cli->color && scols_cell_set_color(scols_column_get_header(c), "bold")))
			return false;
	}
	return true;
}

struct cli_table *cli_table_create(struct cli *cli, const struct cli_column *columns, size_t count)
{
	struct cli_table *t = calloc(1, sizeof(*t));
	struct winsize size;

	if (!t)
		return NULL;
	t->cli = cli;
	t->last = (unsigned)count;
	t->scols = scols_new_table();
	if (!t->scols || !add_columns(t, columns, count)) {
		cli_table_destroy(t);
		return NULL;
	}
	scols_table_enable_colors(t->scols, cli->color);
	/* The cells are harmless already; escaped twice they would not be true. */
	scols_table_enable_noencoding(t->scols, 1);
	scols_table_enable_minout(t->scols, 1);
	/* libsmartcols would take 80 columns for a pipe: never cut what a program reads. */
	if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
	    size.ws_col >= 40) {
		scols_table_set_termforce(t->scols, SCOLS_TERMFORCE_ALWAYS);
		scols_table_set_termwidth(t->scols, size.ws_col);
	} else {
		scols_table_set_termforce(t->scols, SCOLS_TERMFORCE_NEVER);
	}
	return t;
}

void cli_table_destroy(struct cli_table *t)
{
	if (!t)
		return;
	scols_unref_table(t->scols);
	free(t);
}

void cli_table_line(struct cli_table *t)
{
	if (!t)
		return;
	t->line = scols_table_new_line(t->scols, NULL);
	t->column = 0;
	t->failed |= !t->line;
}

void cli_cell_bytes(struct cli_table *t, const void *bytes, size_t length)
{
	char *text;

	if (!t || t->failed || t->column >= t->last)
		return;
	text = malloc(CLI_ESCAPED_MAX * length + 1);
	if (text)
		cli_escape(bytes, length, t->cli->utf8, text);
	/* The line takes the text over. */
	if (!text || scols_line_refer_data(t->line, t->column, text)) {
		free(text);
		t->failed = true;
		return;
	}
	t->column++;
}

void cli_cell(struct cli_table *t, const char *format, ...)
{
	_cleanup_free_ char *plain = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&plain, format, args);
	va_end(args);
	if (n < 0) {
		plain = NULL;
		if (t)
			t->failed = true;
		return;
	}
	cli_cell_bytes(t, plain, (size_t)n);
}

void cli_cell_color(struct cli_table *t, enum cli_color color)
{
	if (!t || t->failed || !t->cli->color || color == CLI_PLAIN || t->column == 0)
		return;
	t->failed |= scols_cell_set_color(scols_line_get_cell(t->line, t->column - 1),
					  colors[color].name) != 0;
}

struct ksma_error *cli_table_print(struct cli_table *t)
{
	if (!t || t->failed)
		return ksma_error_nomem();
	cli_output_begin(t->cli);
	if (scols_table_is_empty(t->scols))
		return NULL;
	if (scols_print_table(t->scols))
		return ksma_error_nomem();
	return NULL;
}
