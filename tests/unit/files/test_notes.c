/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was noticed becomes one finding for each thing, with an id that is printable and the same at each boot. */
#include "unit.h"

#include "fail_alloc.h"
#include "files/notes.h"

static const char *evidence(const struct ksma_finding *finding, const char *key)
{
	for (size_t i = 0; i < finding->count; i++)
		if (strcmp(finding->items[i].key, key) == 0)
			return finding->items[i].value;
	return NULL;
}

struct world {
	struct ksma_notes notes;
	struct ksma_findings findings;
	struct ksma_coverage coverage;
	struct ksma_look look;
};

static void begin(struct world *w)
{
	*w = (struct world){ .look = { .check = "files", .attack = "T1554" } };
	w->look.findings = &w->findings;
	w->look.coverage = &w->coverage;
}

static void end(struct world *w)
{
	ksma_notes_deinit(&w->notes);
	ksma_findings_deinit(&w->findings);
	ksma_coverage_deinit(&w->coverage);
}

static void one_thing_in_many_processes(void **state)
{
	struct ksma_note *note;
	struct world w;

	begin(&w);
	for (int32_t pid = 1; pid <= 20; pid++) {
		assert_ok(ksma_notes_get(&w.notes, KSMA_NOTE_UNSIGNED, "/tmp/x.so", NULL, &note));
		ksma_note_process(note, pid, "worker");
		ksma_note_process(note, pid, "worker");
	}
	assert_int_equal(w.notes.count, 1);
	assert_ok(ksma_notes_report(&w.notes, &w.look));
	assert_int_equal(w.findings.count, 1);
	assert_string_equal(w.findings.items[0].id, "files/unsigned/tmp/x.so");
	assert_string_equal(evidence(&w.findings.items[0], "pids"), "1, 2, 3, 4, 5, 6, 7, 8");
	assert_string_equal(evidence(&w.findings.items[0], "comm"), "worker");
	end(&w);
}

static void hostile_names(void **state)
{
	static const char *const names[] = { "/tmp/a b", "/tmp/\033[2J", "/tmp/\xff\xfe", "",
					     "///" };
	char *longest = malloc(5000);
	struct ksma_note *note;
	struct world w;

	begin(&w);
	memset(longest, 'n', 4999);
	longest[4999] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_ok(ksma_notes_get(&w.notes, KSMA_NOTE_PATCHED, names[i], names[i], &note));
	assert_ok(ksma_notes_get(&w.notes, KSMA_NOTE_ANONYMOUS, NULL, longest, &note));
	assert_ok(ksma_notes_get(&w.notes, KSMA_NOTE_NO_AREA, NULL, NULL, &note));
	assert_ok(ksma_notes_report(&w.notes, &w.look));
	assert_int_equal(w.findings.count, ARRAY_SIZE(names) + 2);
	for (size_t i = 0; i < w.findings.count; i++) {
		const char *id = w.findings.items[i].id;

		assert_true(strlen(id) < 1200);
		for (; *id; id++)
			assert_true(*id > 0x20 && *id < 0x7f);
	}
	free(longest);
	end(&w);
}

/* An upgrade leaves programs behind that were signed: no alarm, but told. */
static void deleted_and_known(void **state)
{
	struct ksma_note *note;
	struct world w;

	begin(&w);
	assert_ok(ksma_notes_get(&w.notes, KSMA_NOTE_DELETED, "/bin/a", NULL, &note));
	note->content_known = true;
	assert_ok(ksma_notes_get(&w.notes, KSMA_NOTE_DELETED, "/bin/b", NULL, &note));
	assert_ok(ksma_notes_report(&w.notes, &w.look));
	assert_int_equal(w.findings.items[0].severity, KSMA_SEVERITY_LOW);
	assert_int_equal(w.findings.items[1].severity, KSMA_SEVERITY_HIGH);
	end(&w);
}

static void there_is_an_end(void **state)
{
	struct ksma_note *note;
	struct world w;
	char name[32];

	begin(&w);
	for (unsigned i = 0; i < 4096; i++) {
		snprintf(name, sizeof(name), "/tmp/%u", i);
		assert_ok(ksma_notes_get(&w.notes, KSMA_NOTE_UNSIGNED, name, NULL, &note));
	}
	assert_error(ksma_notes_get(&w.notes, KSMA_NOTE_UNSIGNED, "/tmp/more", NULL, &note),
		     KSMA_ERROR_LIMIT);
	assert_ok(ksma_notes_get(&w.notes, KSMA_NOTE_UNSIGNED, "/tmp/7", NULL, &note));
	end(&w);
}

static struct ksma_error *notice(void *data)
{
	struct ksma_note *note;
	struct ksma_error *error;
	struct world w;

	begin(&w);
	error = ksma_notes_get(&w.notes, KSMA_NOTE_CHANGED, "/bin/a", NULL, &note);
	if (!error) {
		note->pages = 1;
		note->have_hashes = true;
		ksma_note_process(note, 1, "a");
		error = ksma_notes_report(&w.notes, &w.look);
	}
	end(&w);
	return error;
}

static void every_allocation_may_fail(void **state)
{
	assert_true(fail_alloc_each(notice, NULL, FAIL_ALLOC_STRICT) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_thing_in_many_processes), cmocka_unit_test(hostile_names),
		cmocka_unit_test(deleted_and_known),	       cmocka_unit_test(there_is_an_end),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
