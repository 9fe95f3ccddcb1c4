/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a watch tells: each change once, and never that something cleared when nobody looked. */
#include "unit.h"

#include "cli/watch_state.h"
#include "fail_alloc.h"

struct log {
	char text[1024];
};

static void note(struct log *log, const char *format, const char *a, const char *b)
{
	size_t length = strlen(log->text);

	/* Both formats take two words. */
	if (strcmp(format, "coverage") == 0)
		snprintf(log->text + length, sizeof(log->text) - length, "=%s:%s ", a, b);
	else
		snprintf(log->text + length, sizeof(log->text) - length, "%s%s ", format, a);
}

static void on_appeared(void *arg, const struct ksma_finding *f)
{
	note(arg, "+", f->id, "");
}

static void on_cleared(void *arg, const struct cli_standing *s)
{
	note(arg, "-", s->id, "");
}

static void on_coverage(void *arg, const struct ksma_check_coverage *c)
{
	note(arg, "coverage", c->check, c->state);
}

/* A report from words: "a/1" is a finding of check a; "=a:complete" coverage. */
struct look {
	struct ksma_finding findings[4];
	struct ksma_check_coverage coverage[4];
	struct ksma_report report;
	char words[256];
};

static const struct ksma_report *look(struct look *l, const char *text)
{
	char *save = NULL;

	memset(l, 0, sizeof(*l));
	snprintf(l->words, sizeof(l->words), "%s", text);
	l->report.findings.items = l->findings;
	l->report.coverage.items = l->coverage;
	for (char *w = strtok_r(l->words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (*w == '=') {
			struct ksma_check_coverage *c = &l->coverage[l->report.coverage.count++];

			c->check = w + 1;
			c->state = strchr(w, ':') + 1;
			*strchr(w, ':') = '\0';
		} else {
			struct ksma_finding *f = &l->findings[l->report.findings.count++];

			f->id = w;
			f->check = w[0] == 'a' ? "a" : "b";
			f->title = w;
		}
	}
	return &l->report;
}

static void take(struct cli_watch_state *state, const char *words, const char *expected)
{
	struct log log = { "" };
	const struct cli_watch_events events = { &log, on_appeared, on_cleared, on_coverage };
	struct look l;

	assert_ok(cli_watch_take(state, look(&l, words), &events));
	assert_string_equal(log.text, expected);
}

static void test_each_change_once(void **state)
{
	struct cli_watch_state s = { 0 };

	take(&s, "=a:complete", "=a:complete ");
	take(&s, "=a:complete", "");
	take(&s, "a/1 =a:complete", "+a/1 ");
	take(&s, "a/1 =a:complete", "");
	take(&s, "a/1 a/2 =a:complete", "+a/2 ");
	take(&s, "a/2 =a:complete", "-a/1 ");
	take(&s, "=a:complete", "-a/2 ");
	take(&s, "a/1 =a:complete", "+a/1 ");
	cli_watch_state_deinit(&s);
}

static void test_nothing_clears_unseen(void **state)
{
	struct cli_watch_state s = { 0 };

	take(&s, "a/1 b/1 =a:complete =b:complete", "+a/1 +b/1 =a:complete =b:complete ");
	take(&s, "=a:partial =b:complete", "-b/1 =a:partial ");
	assert_true(cli_watch_incomplete(&s));
	take(&s, "=a:unknown", "=a:unknown ");
	/* A check that was not asked says nothing. */
	take(&s, "=b:complete", "");
	assert_true(cli_watch_incomplete(&s));
	take(&s, "=a:complete", "-a/1 =a:complete ");
	assert_false(cli_watch_incomplete(&s));
	cli_watch_state_deinit(&s);
}

static struct ksma_error *run_take(void *state)
{
	struct cli_watch_state s = { 0 };
	struct log log = { "" };
	const struct cli_watch_events events = { &log, on_appeared, on_cleared, on_coverage };
	struct ksma_error *error;
	struct look l;

	error = cli_watch_take(&s, look(&l, "a/1 a/2 =a:complete"), &events);
	if (!error)
		error = cli_watch_take(&s, look(&l, "a/2 b/1 =a:partial =b:complete"), &events);
	cli_watch_state_deinit(&s);
	return error;
}

static void test_without_memory(void **state)
{
	assert_true(fail_alloc_each(run_take, NULL, FAIL_ALLOC_STRICT) >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_change_once),
		cmocka_unit_test(test_nothing_clears_unseen),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
