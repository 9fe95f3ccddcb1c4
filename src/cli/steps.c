/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list that ksma doctor fills, and how it is shown. */
#include "cli/steps.h"

void cli_step(struct cli_steps *steps, enum cli_step_state state, const char *name,
	      const char *cure, const char *detail, ...)
{
	struct ksma_error *error = NULL;
	struct cli_step *step, made = { .cure = cure, .state = state };
	va_list args;

	va_start(args, detail);
	if (vasprintf(&made.detail, detail, args) < 0) {
		made.detail = NULL;
		error = ksma_error_nomem();
	}
	va_end(args);
	if (!error)
		error = ksma_strdup(name, &made.name);
	if (!error)
		error = KSMA_ARRAY_PUSH(steps, &step);
	if (error) {
		free(made.detail);
		free(made.name);
		ksma_error_destroy(error);
		steps->failed = true;
		return;
	}
	*step = made;
}

void cli_steps_deinit(struct cli_steps *steps)
{
	for (size_t i = 0; i < steps->count; i++) {
		free(steps->items[i].name);
		free(steps->items[i].detail);
	}
	free(steps->items);
}

static const char *state_name(enum cli_step_state state)
{
	static const char *const names[] = { "ok", "note", "missing" };

	return names[state];
}

static void print_json(struct cli *cli, const struct cli_steps *steps, const struct cli_look *look)
{
	struct cli_json json;

	cli_document_begin(cli, &json);
	if (!cli->guest)
		cli_json_null(&json, "guest");
	if (cli->kernel)
		cli_json_kernel(&json, ksma_kernel_info(cli->kernel));
	cli_json_array(&json, "steps");
	for (size_t i = 0; i < steps->count; i++) {
		const struct cli_step *s = &steps->items[i];

		cli_json_object(&json, NULL);
		cli_json_text(&json, "step", s->name);
		cli_json_text(&json, "state", state_name(s->state));
		cli_json_text(&json, "detail", s->detail);
		cli_json_text(&json, "cure", s->cure);
		cli_json_close(&json);
	}
	cli_json_close(&json);
	cli_json_look(&json, look);
	cli_document_end(&json);
}

static void print_people(struct cli *cli, const struct cli_steps *steps)
{
	static const enum cli_color colors[] = { CLI_GREEN, CLI_DIM, CLI_RED };

	for (size_t i = 0; i < steps->count; i++) {
		const struct cli_step *s = &steps->items[i];

		cli_text(cli, colors[s->state], "%-8s", state_name(s->state));
		cli_text(cli, CLI_PLAIN, "%-20s", s->name);
		cli_line(cli, CLI_PLAIN, " %s", s->detail);
		if (s->cure)
			cli_line(cli, CLI_YELLOW, "%29s-> %s", "", s->cure);
	}
}

struct ksma_error *cli_steps_print(struct cli *cli, const struct cli_steps *steps,
				   struct cli_look *look)
{
	size_t missing = 0;

	if (steps->failed)
		return ksma_error_nomem();
	for (size_t i = 0; i < steps->count; i++)
		missing += steps->items[i].state == CLI_STEP_MISSING;
	if (missing)
		cli_status_raise(cli, CLI_INCOMPLETE);
	if (missing && !look->coverage.reason) {
		look->coverage.state = KSMA_COVERAGE_PARTIAL;
		KSMA_TRY(ksma_asprintf(&look->coverage.reason,
				       "%zu of %zu steps are missing something", missing,
				       steps->count));
	}
	if (cli_has(cli, CLI_JSON)) {
		print_json(cli, steps, look);
		return NULL;
	}
	print_people(cli, steps);
	return NULL;
}
