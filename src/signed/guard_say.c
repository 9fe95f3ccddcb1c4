/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What ksma guard says while it runs: a line a decision, a line an event. */
#include <inttypes.h>

#include "cli/output.h"
#include "guard/policy.h"
#include "signed/common.h"
#include "signed/guard.h"

static const char *const words[] = { "allow", "deny", "log" };

static void begin(struct signed_guard *guard, struct cli_json *json)
{
	cli_output_begin(guard->cli);
	*json = (struct cli_json){ .out = stdout };
	cli_json_object(json, NULL);
	cli_json_time(json, "time", ksma_epoch_ns());
}

static void end(struct cli_json *json)
{
	cli_json_close(json);
	fflush(stdout);
}

/* Time and word of a line for people. */
static void line(struct signed_guard *guard, enum cli_color color, const char *word)
{
	char time[CLI_BUFFER];

	cli_text(guard->cli, CLI_DIM, "%s", cli_format_time(ksma_epoch_ns(), time));
	putchar(' ');
	cli_text(guard->cli, color, "%-8s", word);
	putchar(' ');
}

static void say_json(struct signed_guard *guard, const struct ksma_guard_record *r)
{
	const struct ksma_decision *d = r->decision;
	char hash[2 * KSMA_SHA256 + 1];
	struct cli_json json;

	begin(guard, &json);
	cli_json_text(&json, "decision", words[r->decided]);
	cli_json_text(&json, "path", d->path[0] ? d->path : NULL);
	cli_json_text(&json, "reason", ksma_reason_name(d->reason));
	if (r->stop->has_actor)
		cli_json_signed(&json, "pid", r->stop->actor.pid);
	else
		cli_json_null(&json, "pid");
	cli_json_text(&json, "comm", r->stop->has_actor ? r->stop->actor.comm : NULL);
	cli_json_text(&json, "hash", d->hashed ? signed_hex(d->sha256, hash) : NULL);
	cli_json_number(&json, "cost_us", r->cost_ns / 1000);
	cli_json_text(&json, "func", ksma_access_func_name(r->stop->func));
	if (r->stop->has_actor)
		cli_json_number(&json, "uid", r->stop->actor.uid);
	else
		cli_json_null(&json, "uid");
	cli_json_text(&json, "seen", d->seen[0] ? d->seen : NULL);
	cli_json_text(&json, "detail", d->detail[0] ? d->detail : NULL);
	cli_json_bool(&json, "known", d->known);
	cli_json_bool(&json, "measured", d->measured);
	cli_json_number(&json, "rule", d->line);
	end(&json);
}

void signed_guard_decision(void *arg, const struct ksma_guard_record *r)
{
	static const enum cli_color colors[] = { CLI_DIM, CLI_RED, CLI_YELLOW };
	struct signed_guard *guard = arg;
	const struct ksma_decision *d = r->decision;

	guard->denied |= r->decided != KSMA_GUARD_ALLOW;
	if (cli_has(guard->cli, CLI_JSON)) {
		say_json(guard, r);
		return;
	}
	line(guard, colors[r->decided], words[r->decided]);
	cli_line(guard->cli, CLI_PLAIN, "%s: %s%s%s (%s by %s, process %d)",
		 d->path[0] ? d->path : "?", ksma_reason_words(d->reason), d->detail[0] ? ", " : "",
		 d->detail, ksma_access_func_name(r->stop->func),
		 r->stop->has_actor ? r->stop->actor.comm : "?", r->stop->actor.pid);
	fflush(stdout);
}

void signed_guard_event(void *arg, const char *event, const char *message)
{
	struct signed_guard *guard = arg;
	struct cli_json json;

	if (cli_has(guard->cli, CLI_JSON)) {
		begin(guard, &json);
		cli_json_text(&json, "event", event);
		cli_json_text(&json, "message", message);
		end(&json);
		return;
	}
	line(guard, CLI_YELLOW, event);
	cli_line(guard->cli, CLI_PLAIN, "%s", message);
	fflush(stdout);
}

static void json_hooks(struct cli_json *json, const char *key, unsigned hooks)
{
	cli_json_array(json, key);
	for (unsigned bit = 1; bit; bit <<= 1)
		if (hooks & bit)
			cli_json_text(json, NULL, ksma_guard_hook_name(bit));
	cli_json_close(json);
}

static void armed_json(struct signed_guard *guard, const struct ksma_sites *sites, int64_t files,
		       bool before_init)
{
	struct cli_json json;

	begin(guard, &json);
	cli_json_text(&json, "event", "armed");
	cli_json_text(&json, "mode", guard->setup.enforce ? "enforce" : "log");
	cli_json_text(&json, "fail", guard->setup.fail_closed ? "closed" : "open");
	cli_json_array(&json, "functions");
	for (size_t i = 0; i < sites->count; i++)
		cli_json_text(&json, NULL, sites->items[i].function);
	cli_json_close(&json);
	json_hooks(&json, "covered", sites->covered);
	json_hooks(&json, "left_out", sites->left_out);
	cli_json_text(&json, "from", guard->late ? "late" : "boot");
	if (files >= 0)
		cli_json_number(&json, "files_open", (uint64_t)files);
	else
		cli_json_null(&json, "files_open");
	cli_json_bool(&json, "before_init", before_init);
	end(&json);
}

void signed_guard_armed(struct signed_guard *guard, int64_t files, bool before_init)
{
	const struct ksma_sites *sites = ksma_engine_sites(guard->engine);

	guard->late = files != 0 || !before_init;
	if (cli_has(guard->cli, CLI_JSON)) {
		armed_json(guard, sites, files, before_init);
		return;
	}
	line(guard, CLI_BOLD, "armed");
	cli_line(guard->cli, CLI_PLAIN, "%s, fail %s, at", guard->setup.enforce ? "enforce" : "log",
		 guard->setup.fail_closed ? "closed" : "open");
	for (size_t i = 0; i < sites->count; i++)
		cli_line(guard->cli, CLI_DIM, "%30s%s", "", sites->items[i].function);
	for (unsigned bit = 1; bit; bit <<= 1)
		if (sites->left_out & bit)
			cli_line(guard->cli, CLI_YELLOW,
				 "%30s%s is not covered: there are four breakpoints", "",
				 ksma_guard_hook_name(bit));
	if (guard->late)
		cli_line(guard->cli, CLI_YELLOW,
			 "%30slate: the guest had opened files before (%" PRId64 " are open now)",
			 "", files);
	else
		cli_line(guard->cli, CLI_GREEN, "%30sbefore the guest opened its first file", "");
	fflush(stdout);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The median of the stops that were timed last. */
static uint64_t median_ns(const struct ksma_engine_counts *c)
{
	uint64_t copy[ARRAY_SIZE(c->stops_ns)];
	size_t n = c->timed < ARRAY_SIZE(copy) ? (size_t)c->timed : ARRAY_SIZE(copy);

	memcpy(copy, c->stops_ns, n * sizeof(*copy));
	qsort(copy, n, sizeof(*copy), by_size);
	return n ? copy[n / 2] : 0;
}

void signed_guard_ended(struct signed_guard *guard, const char *why)
{
	const struct ksma_engine_counts *c = ksma_engine_counts(guard->engine);
	struct cli_json json;

	if (!cli_has(guard->cli, CLI_JSON)) {
		line(guard, CLI_BOLD, "ended");
		cli_line(guard->cli, CLI_PLAIN,
			 "%s; %" PRIu64 " stops, %" PRIu64 " appraised, %" PRIu64
			 " denied, %" PRIu64 " undecided; %" PRIu64 " us in the middle",
			 why, c->stops, c->appraised, c->denied, c->undecided, median_ns(c) / 1000);
		fflush(stdout);
		return;
	}
	begin(guard, &json);
	cli_json_text(&json, "event", "ended");
	cli_json_text(&json, "message", why);
	cli_json_number(&json, "stops", c->stops);
	cli_json_number(&json, "odd_stops", c->odd);
	cli_json_number(&json, "appraised", c->appraised);
	cli_json_number(&json, "denied", c->denied);
	cli_json_number(&json, "undecided", c->undecided);
	cli_json_number(&json, "stopped_us", c->stopped_ns / 1000);
	cli_json_number(&json, "median_us", median_ns(c) / 1000);
	end(&json);
}
