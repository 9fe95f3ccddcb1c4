/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is accepted is told all the same: an exception that nobody sees is a hole. */
#include "cli/exceptions.h"

struct ksma_error *cli_exceptions_read(const struct cli *cli, struct ksma_exceptions *ret)
{
	struct ksma_error *error;

	if (!cli_has(cli, CLI_EXCEPTIONS))
		return NULL;
	error = ksma_exceptions_read(cli->values[CLI_EXCEPTIONS], ret);
	/* A file that is not there is a wrong command line, not a guest that could not be looked at. */
	if (error && error->code != KSMA_ERROR_NOMEM)
		error->code = KSMA_ERROR_INVALID;
	return ksma_error_prefix(error, "--exceptions");
}

struct ksma_error *cli_exceptions_apply(const struct ksma_exceptions *exceptions,
					struct ksma_report *report)
{
	return ksma_exceptions_apply(exceptions, ksma_epoch_ns(), report);
}

const char *cli_exception_state(const struct ksma_exceptions *exceptions, size_t index,
				const struct ksma_report *report)
{
	for (size_t i = 0; i < report->excepted.count; i++)
		if (report->excepted.items[i].exception == index)
			return "applied";
	return exceptions->items[index].expires_ns <= ksma_epoch_ns() ? "ended" : "unused";
}

void cli_json_exceptions(struct cli_json *json, const struct ksma_exceptions *exceptions,
			 const struct ksma_report *report)
{
	cli_json_array(json, "excepted");
	for (size_t i = 0; i < report->excepted.count; i++) {
		const struct ksma_excepted *x = &report->excepted.items[i];
		const struct ksma_exception *e = &exceptions->items[x->exception];

		cli_json_object(json, NULL);
		cli_json_finding(json, "finding", &x->finding);
		cli_json_text(json, "reason", e->reason);
		cli_json_text(json, "expires", e->expires);
		cli_json_close(json);
	}
	cli_json_close(json);
	cli_json_array(json, "exceptions");
	for (size_t i = 0; i < exceptions->count; i++) {
		const struct ksma_exception *e = &exceptions->items[i];

		cli_json_object(json, NULL);
		cli_json_text(json, "finding", e->finding);
		cli_json_text(json, "reason", e->reason);
		cli_json_text(json, "expires", e->expires);
		cli_json_text(json, "state", cli_exception_state(exceptions, i, report));
		cli_json_close(json);
	}
	cli_json_close(json);
}

void cli_print_exceptions(struct cli *cli, const struct ksma_exceptions *exceptions,
			  const struct ksma_report *report)
{
	for (size_t i = 0; i < report->excepted.count; i++) {
		const struct ksma_excepted *x = &report->excepted.items[i];
		const struct ksma_exception *e = &exceptions->items[x->exception];

		cli_text(cli, CLI_DIM, "excepted ");
		cli_line(cli, CLI_PLAIN, "%s", x->finding.title);
		cli_line(cli, CLI_DIM, "         %s until %s: %s", x->finding.id, e->expires,
			 e->reason);
	}
	for (size_t i = 0; i < exceptions->count; i++) {
		const struct ksma_exception *e = &exceptions->items[i];
		const char *state = cli_exception_state(exceptions, i, report);

		if (strcmp(state, "ended") == 0)
			cli_line(cli, CLI_YELLOW, "the exception of %s ended (%s): %s", e->finding,
				 e->expires, e->reason);
		else if (strcmp(state, "unused") == 0)
			cli_line(cli, CLI_DIM, "no finding needed the exception of %s (%s)",
				 e->finding, e->reason);
	}
	if (exceptions->count)
		putchar('\n');
}
