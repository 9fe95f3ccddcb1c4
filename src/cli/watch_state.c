/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The difference between two looks. */
#include "cli/watch_state.h"

static void standing_deinit(struct cli_standing *s)
{
	free(s->id);
	free(s->check);
	free(s->title);
}

static struct cli_standing *find(struct cli_watch_state *state, const char *id)
{
	for (size_t i = 0; i < state->standing.count; i++)
		if (strcmp(state->standing.items[i].id, id) == 0)
			return &state->standing.items[i];
	return NULL;
}

static struct ksma_error *remember(struct cli_watch_state *state,
				   const struct ksma_finding *finding)
{
	struct cli_standing *s, made = { .severity = finding->severity, .seen = true };
	struct ksma_error *error = ksma_strdup(finding->id, &made.id);

	if (!error)
		error = ksma_strdup(finding->check, &made.check);
	if (!error)
		error = ksma_strdup(finding->title ? finding->title : "", &made.title);
	if (!error)
		error = KSMA_ARRAY_PUSH(&state->standing, &s);
	if (error) {
		standing_deinit(&made);
		return error;
	}
	*s = made;
	return NULL;
}

static bool looked_everywhere(const struct ksma_report *report, const char *check)
{
	for (size_t i = 0; i < report->coverage.count; i++)
		if (strcmp(report->coverage.items[i].check, check) == 0)
			return strcmp(report->coverage.items[i].state, "complete") == 0;
	return false;
}

static bool same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static struct ksma_error *take_coverage(struct cli_watch_state *state,
					const struct ksma_check_coverage *c,
					const struct cli_watch_events *events)
{
	struct cli_covered *known = NULL, made = { 0 };
	struct ksma_error *error;

	for (size_t i = 0; i < state->covered.count; i++)
		if (strcmp(state->covered.items[i].check, c->check) == 0)
			known = &state->covered.items[i];
	if (known && same(known->state, c->state) && same(known->reason, c->reason))
		return NULL;
	error = ksma_strdup(c->state, &made.state);
	if (!error)
		error = ksma_strdup(c->reason ? c->reason : "", &made.reason);
	if (!error && !known) {
		error = KSMA_ARRAY_PUSH(&state->covered, &known);
		if (!error && (error = ksma_strdup(c->check, &known->check)))
			state->covered.count--;
	}
	if (error) {
		free(made.state);
		free(made.reason);
		return error;
	}
	free(known->state);
	free(known->reason);
	known->state = made.state;
	known->reason = made.reason;
	events->coverage(events->arg, c);
	return NULL;
}

static void clear_unseen(struct cli_watch_state *state, const struct ksma_report *report,
			 const struct cli_watch_events *events)
{
	size_t kept = 0;

	for (size_t i = 0; i < state->standing.count; i++) {
		struct cli_standing *s = &state->standing.items[i];

		if (s->seen || !looked_everywhere(report, s->check)) {
			state->standing.items[kept++] = *s;
			continue;
		}
		events->cleared(events->arg, s);
		standing_deinit(s);
	}
	state->standing.count = kept;
}

struct ksma_error *cli_watch_take(struct cli_watch_state *state, const struct ksma_report *report,
				  const struct cli_watch_events *events)
{
	for (size_t i = 0; i < state->standing.count; i++)
		state->standing.items[i].seen = false;
	for (size_t i = 0; i < report->findings.count; i++) {
		const struct ksma_finding *f = &report->findings.items[i];
		struct cli_standing *known = find(state, f->id);

		if (known) {
			known->seen = true;
			continue;
		}
		KSMA_TRY(remember(state, f));
		events->appeared(events->arg, f);
	}
	clear_unseen(state, report, events);
	for (size_t i = 0; i < report->coverage.count; i++)
		KSMA_TRY(take_coverage(state, &report->coverage.items[i], events));
	return NULL;
}

bool cli_watch_incomplete(const struct cli_watch_state *state)
{
	for (size_t i = 0; i < state->covered.count; i++)
		if (strcmp(state->covered.items[i].state, "complete") != 0)
			return true;
	return false;
}

void cli_watch_state_deinit(struct cli_watch_state *state)
{
	for (size_t i = 0; i < state->standing.count; i++)
		standing_deinit(&state->standing.items[i]);
	for (size_t i = 0; i < state->covered.count; i++) {
		free(state->covered.items[i].check);
		free(state->covered.items[i].state);
		free(state->covered.items[i].reason);
	}
	free(state->standing.items);
	free(state->covered.items);
	*state = (struct cli_watch_state){ 0 };
}
