/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma watch: looks again and again, at times that a guest cannot foresee, and tells what changed. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/time.h>

#include "checks/check.h"
#include "cli/exceptions.h"
#include "cli/hand_over.h"
#include "cli/parse.h"
#include "cli/watch_plan.h"
#include "cli/watch_state.h"

struct watch {
	struct cli *cli;
	const char **names;	   /* those asked for; NULL: all */
	const char **memory_names; /* those of them that need no registers */
	uint64_t interval_ms, count, registers;
	uint64_t share; /* of one processor, in millionths; 0: as much as it takes */
	uint64_t looks;
	struct cli_plan plan;
	unsigned told_longest; /* of the plan, when it was last told */
	struct cli_watch_state state;
	struct ksma_exceptions exceptions;
	struct {
		char **items; /* ids of findings that were told as excepted */
		size_t count, capacity;
	} excepted;
	uint64_t first_look_ns; /* the one that was told */
	bool found, incomplete, in_reboot;
	unsigned absent; /* how often in a row the guest was not in its QEMU */
	int signals;	 /* signalfd */
	char pid[16]; /* the guest's, so that a reboot is followed by the same process even if names change */
};

static uint64_t random_below(uint64_t n)
{
	uint64_t r = 0;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		r = ksma_now_ns();
	return r % n;
}

/* {"time","event", … the caller adds members and ends it with event_end(). */
static void event_begin(struct watch *w, struct cli_json *json, const char *event)
{
	cli_output_begin(w->cli);
	*json = (struct cli_json){ .out = stdout };
	cli_json_object(json, NULL);
	cli_json_time(json, "time", ksma_epoch_ns());
	cli_json_text(json, "event", event);
}

static void event_end(struct cli_json *json)
{
	cli_json_close(json);
	fflush(stdout);
}

/* The same for people: the time, the event, and room for more. */
static void line_begin(struct watch *w, enum cli_color color, const char *event)
{
	char time[CLI_BUFFER];

	cli_text(w->cli, CLI_DIM, "%s", cli_format_time(ksma_epoch_ns(), time));
	putchar(' ');
	cli_text(w->cli, color, "%-8s", event);
	putchar(' ');
}

static bool is_json(const struct watch *w)
{
	return cli_has(w->cli, CLI_JSON);
}

static void on_appeared(void *arg, const struct ksma_finding *f)
{
	struct watch *w = arg;
	struct cli_json json;

	w->found = true;
	if (is_json(w)) {
		event_begin(w, &json, "appeared");
		cli_json_finding(&json, "finding", f);
		event_end(&json);
		return;
	}
	line_begin(w, cli_severity_color(f->severity), "appeared");
	cli_line(w->cli, CLI_PLAIN, "%s: %s (%s)", ksma_severity_name(f->severity), f->title,
		 f->id);
	for (size_t i = 0; i < f->count; i++)
		cli_line(w->cli, CLI_DIM, "%34s%s %s", "", f->items[i].key, f->items[i].value);
	fflush(stdout);
}

/* Told once for each, as a finding is, but nobody need act. */
static void tell_excepted(struct watch *w, const struct ksma_excepted *x)
{
	const struct ksma_exception *e = &w->exceptions.items[x->exception];
	struct cli_json json;

	if (is_json(w)) {
		event_begin(w, &json, "excepted");
		cli_json_finding(&json, "finding", &x->finding);
		cli_json_text(&json, "reason", e->reason);
		cli_json_text(&json, "expires", e->expires);
		event_end(&json);
		return;
	}
	line_begin(w, CLI_DIM, "excepted");
	cli_line(w->cli, CLI_PLAIN, "%s (%s) until %s: %s", x->finding.title, x->finding.id,
		 e->expires, e->reason);
	fflush(stdout);
}

static struct ksma_error *take_excepted(struct watch *w, const struct ksma_report *report)
{
	for (size_t i = 0; i < report->excepted.count; i++) {
		const struct ksma_excepted *x = &report->excepted.items[i];
		char **slot;
		size_t k = 0;

		while (k < w->excepted.count && strcmp(w->excepted.items[k], x->finding.id) != 0)
			k++;
		if (k < w->excepted.count)
			continue;
		KSMA_TRY(KSMA_ARRAY_PUSH(&w->excepted, &slot));
		KSMA_TRY(ksma_strdup(x->finding.id, slot));
		tell_excepted(w, x);
	}
	return NULL;
}

static void on_cleared(void *arg, const struct cli_standing *s)
{
	struct watch *w = arg;
	struct cli_json json;

	if (is_json(w)) {
		event_begin(w, &json, "cleared");
		cli_json_object(&json, "finding");
		cli_json_text(&json, "id", s->id);
		cli_json_text(&json, "check", s->check);
		cli_json_text(&json, "severity", ksma_severity_name(s->severity));
		cli_json_text(&json, "title", s->title);
		cli_json_close(&json);
		event_end(&json);
		return;
	}
	line_begin(w, CLI_GREEN, "cleared");
	cli_line(w->cli, CLI_PLAIN, "%s (%s)", s->title, s->id);
	fflush(stdout);
}

static void on_coverage(void *arg, const struct ksma_check_coverage *c)
{
	struct watch *w = arg;
	struct cli_json json;
	bool complete = strcmp(c->state, "complete") == 0;

	if (is_json(w)) {
		event_begin(w, &json, "coverage");
		cli_json_covered(&json, "coverage", c);
		event_end(&json);
		return;
	}
	line_begin(w, complete ? CLI_DIM : CLI_YELLOW, "coverage");
	cli_line(w->cli, CLI_PLAIN, "%s: %s%s%s", c->check, c->state, c->reason ? ": " : "",
		 c->reason ? c->reason : "");
	fflush(stdout);
}

/* The kernel was understood: at the start, and after each reboot. */
static void tell_started(struct watch *w)
{
	const struct ksma_kernel_info *k = ksma_kernel_info(w->cli->kernel);
	struct cli_json json;

	if (is_json(w)) {
		event_begin(w, &json, "started");
		cli_json_guest(&json, ksma_guest_info(w->cli->guest));
		cli_json_kernel(&json, k);
		event_end(&json);
		return;
	}
	line_begin(w, CLI_BOLD, "started");
	cli_line(w->cli, CLI_PLAIN, "Linux %s on %s", k->release,
		 cli_dash(ksma_guest_info(w->cli->guest)->name));
	fflush(stdout);
}

/* "reboot", "lost", "stopped". */
static void tell(struct watch *w, const char *event, const char *message)
{
	struct cli_json json;

	if (is_json(w)) {
		event_begin(w, &json, event);
		cli_json_text(&json, "message", message);
		cli_json_number(&json, "looks", w->looks);
		cli_json_number(&json, "standing", w->state.standing.count);
		event_end(&json);
		return;
	}
	line_begin(w, CLI_YELLOW, event);
	cli_line(w->cli, CLI_PLAIN, "%s; %" PRIu64 " look%s, %zu finding%s standing", message,
		 w->looks, w->looks == 1 ? "" : "s", w->state.standing.count,
		 w->state.standing.count == 1 ? "" : "s");
	fflush(stdout);
}

/* Waits, a fifth more or less. @return true when a signal asks to end */
static bool wait_or_stop(struct watch *w, uint64_t ms)
{
	struct pollfd poll_fd = { .fd = w->signals, .events = POLLIN };
	uint64_t until = ksma_now_ns() + (ms - ms / 5 + random_below(2 * (ms / 5) + 1)) * 1000000u;

	for (;;) {
		uint64_t now = ksma_now_ns();
		int n = poll(&poll_fd, 1,
			     now >= until ? 0 : (int)((until - now + 999999u) / 1000000u));

		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return true;
		if (now >= until)
			return false;
	}
}

static bool is_gone(const struct watch *w)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/exe", w->pid);
	return access(path, F_OK) < 0 && errno == ENOENT;
}

/* Told when it is known, and again after a reboot, where first looks are kept. */
static void tell_first_look(struct watch *w, const struct ksma_report *report)
{
	struct cli_json json;
	char time[CLI_BUFFER];

	if (!cli_has(w->cli, CLI_BASELINE) || !report->first_look_ns ||
	    report->first_look_ns == w->first_look_ns)
		return;
	w->first_look_ns = report->first_look_ns;
	if (is_json(w)) {
		event_begin(w, &json, "first-look");
		cli_json_first_look(&json, "first_look", w->cli, report);
		event_end(&json);
		return;
	}
	line_begin(w, report->first_look_note ? CLI_YELLOW : CLI_DIM, "baseline");
	cli_line(w->cli, CLI_PLAIN, "first look: %s%s%s",
		 cli_format_time(report->first_look_ns, time), report->first_look_note ? "; " : "",
		 report->first_look_note ? report->first_look_note : "");
	fflush(stdout);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Looks with these checks, and tells what changed. */
static struct ksma_error *look_with(struct watch *w, const char *const *names, bool registers)
{
	const struct cli_watch_events events = { w, on_appeared, on_cleared, on_coverage };
	struct ksma_check_options options = {
		.names = names,
		.memory_only = !registers,
		.again = w->looks > 0,
		.vendor = w->cli->values[CLI_VENDOR],
		.baseline = w->cli->values[CLI_BASELINE],
		.more = w->cli->more,
	};
	struct ksma_report report = { 0 };
	uint64_t cpu_us = cpu_ns() / 1000;
	struct ksma_error *error = ksma_check_run(w->cli->kernel, &options, &report);

	if (!error)
		error = cli_exceptions_apply(&w->exceptions, &report);
	if (!error)
		tell_first_look(w, &report);
	if (!error)
		error = take_excepted(w, &report);
	if (!error) {
		error = cli_watch_take(&w->state, &report, &events);
		w->incomplete |= cli_watch_incomplete(&w->state);
		cli_plan_take(&w->plan, &report, cpu_ns() / 1000 - cpu_us,
			      random_below(UINT64_MAX));
	}
	ksma_report_free(&report);
	return error;
}

/* Registers are read at random, and in the first look. */
static bool take_registers(const struct watch *w)
{
	return w->registers && (w->looks == 0 || random_below(w->registers) == 0);
}

/* The checks of a look: without registers, those that need none, or all where their coverage is to say so. */
static const char **names_of(struct watch *w, bool registers)
{
	return registers || cli_has(w->cli, CLI_MEMORY_ONLY) ? w->names : w->memory_names;
}

/* How old a look can be, where dear checks are run by turns: told when that changes much. */
static void tell_plan(struct watch *w)
{
	unsigned longest = cli_plan_longest(&w->plan), told = w->told_longest ?: 1;
	struct cli_json json;

	if (!w->plan.budget_us || (longest < 2 * told && told < 2 * longest))
		return;
	w->told_longest = longest;
	if (is_json(w)) {
		event_begin(w, &json, "turns");
		cli_json_object(&json, "checks");
		for (size_t i = 0; i < w->plan.turns.count; i++)
			if (w->plan.turns.items[i].period > 1)
				cli_json_number(&json, w->plan.turns.items[i].name,
						w->plan.turns.items[i].period);
		cli_json_close(&json);
		cli_json_number(&json, "age_ms", longest * w->interval_ms);
		event_end(&json);
		return;
	}
	line_begin(w, CLI_DIM, "turns");
	cli_line(
		w->cli, CLI_DIM,
		"all looks together keep to 1%% of a processor: the dearest check is run once in %u, and its look is up to %" PRIu64
		" ms old; --interval has all checks run at each look",
		longest, longest * w->interval_ms);
	fflush(stdout);
}

/* One look, with all checks at once, or with those whose turn it is. */
static struct ksma_error *look(struct watch *w)
{
	bool registers = take_registers(w);
	const char **names = names_of(w, registers);

	if (names && !names[0])
		return NULL;
	KSMA_TRY(
		look_with(w, w->plan.budget_us ? cli_plan_due(&w->plan, names) : names, registers));
	w->looks++;
	tell_plan(w);
	return NULL;
}

/* One pass that was spread over time. */
struct pass {
	uint64_t started_ns, cpu_ns;
	uint64_t oldest_ns; /* when its first look was done */
};

static void tell_pass(struct watch *w, const struct pass *pass)
{
	uint64_t now = ksma_now_ns(), took_ms = (now - pass->started_ns) / 1000000,
		 age_ms = (now - pass->oldest_ns) / 1000000;
	char cost[CLI_BUFFER];
	struct cli_json json;

	if (is_json(w)) {
		event_begin(w, &json, "pass");
		cli_json_number(&json, "looks", w->looks);
		cli_json_number(&json, "duration_ms", took_ms);
		cli_json_number(&json, "cpu_us", pass->cpu_ns / 1000);
		cli_json_number(&json, "age_ms", age_ms);
		event_end(&json);
		return;
	}
	line_begin(w, CLI_DIM, "pass");
	cli_line(w->cli, CLI_DIM,
		 "%" PRIu64 " of them; %s of processor time in %" PRIu64
		 " ms; its oldest look is %" PRIu64 " ms old",
		 w->looks, cli_format_us(pass->cpu_ns / 1000, cost), took_ms, age_ms);
	fflush(stdout);
}

/* The checks one by one, each followed by the pause that its cost asks for. @ret_stop: a signal asks to end */
static struct ksma_error *spread(struct watch *w, bool *ret_stop)
{
	struct pass pass = { .started_ns = ksma_now_ns() };
	bool registers = take_registers(w);
	const char **names = names_of(w, registers);

	for (size_t i = 0; names ? names[i] != NULL : i < ksma_check_count(); i++) {
		const char *one[] = { names ? names[i] : ksma_check_info(i)->name, NULL };
		uint64_t start = ksma_now_ns(), cpu = cpu_ns(), due;

		KSMA_TRY(look_with(w, one, registers));
		cpu = cpu_ns() - cpu;
		pass.cpu_ns += cpu;
		if (i == 0)
			pass.oldest_ns = ksma_now_ns();
		due = start + cpu * (1000000 / w->share) + cpu * (1000000 % w->share) / w->share;
		if (due > ksma_now_ns() && wait_or_stop(w, (due - ksma_now_ns()) / 1000000)) {
			*ret_stop = true;
			return NULL;
		}
	}
	w->looks++;
	tell_pass(w, &pass);
	return NULL;
}

/* Opens guest and kernel again after a reset. While the new kernel boots there is none to be found: that is waited for. */
static struct ksma_error *reopen(struct watch *w)
{
	char *spec = w->cli->operands[0];
	struct ksma_error *error;

	cli_close(w->cli);
	w->cli->operands[0] = w->pid;
	error = cli_open_kernel(w->cli);
	w->cli->operands[0] = spec;
	if (!error) {
		w->in_reboot = false;
		w->absent = 0;
		cli_plan_restart(&w->plan);
		tell_started(w);
		return NULL;
	}
	/* Once may be one more reset; a guest that migrated away stays away. */
	w->absent = error->code == KSMA_ERROR_LOST ? w->absent + 1 : 0;
	if (is_gone(w) || w->absent > 1 || error->code == KSMA_ERROR_PERMISSION ||
	    error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_INVALID)
		return error;
	ksma_error_destroy(error);
	w->incomplete = true;
	return NULL;
}

/* What to do about an error of a look: go on after a reboot, end with everything else. */
static struct ksma_error *recover(struct watch *w, struct ksma_error *error)
{
	if (!error || error->code != KSMA_ERROR_LOST || is_gone(w) || !w->pid[0])
		return error;
	if (!w->in_reboot)
		tell(w, "reboot", error->message);
	ksma_error_destroy(error);
	w->in_reboot = true;
	return NULL;
}

static struct ksma_error *one_round(struct watch *w, bool *ret_stop)
{
	struct ksma_error *error;

	if (w->in_reboot) {
		KSMA_TRY(reopen(w));
		if (w->in_reboot)
			return NULL;
	}
	error = w->looks ? ksma_kernel_refresh(w->cli->kernel) : NULL;
	if (!error)
		error = w->share ? spread(w, ret_stop) : look(w);
	return recover(w, error);
}

static struct ksma_error *watch_until_end(struct watch *w)
{
	tell_started(w);
	for (;;) {
		bool stop = false;
		struct ksma_error *error = one_round(w, &stop);

		if (error) {
			tell(w, "lost", error->message);
			return error;
		}
		if (ferror(stdout))
			return NULL;
		if (stop || (w->count && w->looks >= w->count) || wait_or_stop(w, w->interval_ms)) {
			tell(w, "stopped", "asked to end");
			return NULL;
		}
	}
}

/* Those of the checks asked for that need memory only. */
static struct ksma_error *memory_names(struct watch *w)
{
	size_t n = 0;

	w->memory_names = calloc(ksma_check_count() + 2, sizeof(*w->memory_names));
	if (!w->memory_names)
		return ksma_error_nomem();
	for (size_t i = 0; i < ksma_check_count(); i++) {
		const struct ksma_check_info *c = ksma_check_info(i);
		bool asked = !w->names;

		for (size_t k = 0; w->names && w->names[k]; k++)
			asked |= strcmp(w->names[k], c->name) == 0;
		if (asked && strcmp(c->needs, "memory") == 0)
			w->memory_names[n++] = c->name;
	}
	for (size_t k = 0; w->cli->more && w->names && w->names[k]; k++)
		if (strcmp(w->names[k], w->cli->more->check->info.name) == 0)
			w->memory_names[n++] = w->names[k];
	return NULL;
}

static struct ksma_error *parse(struct watch *w)
{
	struct cli *cli = w->cli;

	if (cli_has(cli, CLI_INTERVAL))
		KSMA_TRY(cli_parse_duration("--interval", cli->values[CLI_INTERVAL],
					    &w->interval_ms));
	if (cli_has(cli, CLI_COUNT))
		KSMA_TRY(cli_parse_number("--count", cli->values[CLI_COUNT], &w->count));
	if (cli_has(cli, CLI_CPU))
		KSMA_TRY(cli_parse_share("--cpu", cli->values[CLI_CPU], &w->share));
	if (cli_has(cli, CLI_REGISTERS))
		KSMA_TRY(
			cli_parse_number("--registers", cli->values[CLI_REGISTERS], &w->registers));
	if (cli_has(cli, CLI_MEMORY_ONLY))
		w->registers = 0;
	KSMA_TRY(cli_exceptions_read(cli, &w->exceptions));
	KSMA_TRY(cli_check_names(cli, &w->names));
	KSMA_TRY(memory_names(w));
	/* Who says how often, or how much, gets that. */
	KSMA_TRY(cli_plan_init(&w->plan, w->names,
			       cli_has(cli, CLI_INTERVAL) || cli_has(cli, CLI_CPU)
				       ? 0
				       : w->interval_ms * 1000 / 100));
	if (!w->registers && !cli_has(cli, CLI_MEMORY_ONLY) && !w->memory_names[0])
		return ksma_error_create(
			KSMA_ERROR_INVALID,
			"the checks asked for need registers, which --registers 0 never reads");
	return NULL;
}

/* Signals are read between looks, so that none is cut short and the last line is whole. */
static struct ksma_error *take_signals(struct watch *w)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (w->signals < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return ksma_error_os(errno, "cannot take signals");
	return NULL;
}

static void watch_deinit(struct watch *w)
{
	cli_watch_state_deinit(&w->state);
	cli_plan_deinit(&w->plan);
	ksma_exceptions_free(&w->exceptions);
	for (size_t i = 0; i < w->excepted.count; i++)
		free(w->excepted.items[i]);
	free(w->excepted.items);
	free(w->names);
	free(w->memory_names);
	if (w->signals >= 0)
		close(w->signals);
}

struct ksma_error *cli_watch(struct cli *cli)
{
	_cleanup_(watch_deinit) struct watch w = {
		.cli = cli, .interval_ms = 1000, .registers = 10, .signals = -1
	};
	struct ksma_error *error;

	if (cli_has(cli, CLI_MANIFEST) && !cli->more)
		return cli_hand_over(cli, "ksma-files");
	KSMA_TRY(parse(&w));
	KSMA_TRY(cli_open_kernel(cli));
	KSMA_TRY(take_signals(&w));
	if (ksma_guest_info(cli->guest)->pid > 0)
		snprintf(w.pid, sizeof(w.pid), "%d", ksma_guest_info(cli->guest)->pid);
	error = watch_until_end(&w);
	if (w.incomplete)
		cli_status_raise(cli, CLI_INCOMPLETE);
	if (w.found)
		cli_status_raise(cli, CLI_FINDINGS);
	return error;
}
