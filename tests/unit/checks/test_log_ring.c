/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of the log's ring: what printk makes of it, and what it never does.
 */
#include "unit.h"

#include "checks/check.h"
#include "checks/log.h"
#include "fake_log.h"

/* Ids as a kernel begins: the first one is 2^32 minus the places. */
#define FIRST ((1ull << 32) - COUNT)

static char text[KSMA_LOG_TEXT_MAX];

/* Three records from the first one on; the place before them is the one that
 * the ring begins with. */
static struct world start(void)
{
	struct world w = make(FAKE_MAPPED);

	w.lpos = -(uint64_t)SIZE;
	put_descriptor(&w, FIRST - 1, REUSABLE, 1, 1);
	for (uint64_t id = FIRST; id < FIRST + 3; id++) {
		put_record(&w, id, FINALIZED, id == FIRST + 1 ? "the second record" : "a record");
		fake_kernel_put64(w.k, w.infos + 24 * (id % COUNT), id - FIRST);
	}
	put_ids(&w, FIRST - 1, FIRST + 2);
	put_texts(&w, -(uint64_t)SIZE, w.lpos);
	return w;
}

static enum ksma_log_flaw judge(struct world *w, uint64_t id)
{
	struct ksma_log_descriptor descriptor;
	struct ksma_log_info info;
	struct ksma_log_ring ring;

	assert_ok(ksma_log_ring_open(&w->k->kernel, &ring));
	return ksma_log_judge(&ring, id, &descriptor, &info, text);
}

static enum ksma_log_flaw follow(struct world *w, uint64_t *ret_id)
{
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_log_ring ring;
	uint64_t position;

	assert_ok(ksma_log_ring_open(&w->k->kernel, &ring));
	return ksma_log_follow(&ring, &budget, ret_id, &position);
}

static void an_honest_ring(void **state)
{
	struct world w = start();
	struct ksma_log_ring ring;
	uint64_t id = 0;

	for (uint64_t i = FIRST - 1; i < FIRST + COUNT - 1; i++)
		assert_int_equal(judge(&w, i), KSMA_LOG_SOUND);
	assert_int_equal(follow(&w, &id), KSMA_LOG_SOUND);
	assert_ok(ksma_log_ring_open(&w.k->kernel, &ring));
	assert_int_equal(ksma_log_number(&ring, FIRST), 0);
	assert_int_equal(ksma_log_number(&ring, (1ull << 62) - COUNT), 0);
	assert_int_equal(ksma_log_number(&ring, 1), COUNT + 1);
	/* The newest record may be in the making, or still be extended. */
	put_descriptor(&w, FIRST + 2, RESERVED, 1, 1);
	assert_int_equal(judge(&w, FIRST + 2), KSMA_LOG_SOUND);
	fake_kernel_destroy(w.k);
}

static void what_printk_never_does(void **state)
{
	static const struct {
		uint64_t id, state;
		enum ksma_log_flaw flaw;
	} states[] = {
		{ FIRST, RESERVED, KSMA_LOG_OPEN },
		{ FIRST + 1, COMMITTED, KSMA_LOG_OPEN },
		{ FIRST + 4, FINALIZED, KSMA_LOG_LEFT_OUT },
	};
	struct world w;

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		w = start();
		put_descriptor(&w, states[i].id, states[i].state, 1, 1);
		assert_int_equal(judge(&w, states[i].id), states[i].flaw);
		fake_kernel_destroy(w.k);
	}
	w = start();
	put_ids(&w, FIRST + 1, FIRST + 2); /* the beginning was moved on */
	assert_int_equal(judge(&w, FIRST + COUNT), KSMA_LOG_LEFT_OUT);
	put_ids(&w, FIRST - 1, FIRST + 1); /* the end was moved back */
	assert_int_equal(judge(&w, FIRST + 2), KSMA_LOG_LEFT_OUT);
	put_ids(&w, FIRST - 1, FIRST + 4);
	assert_int_equal(judge(&w, FIRST + 4), KSMA_LOG_NO_RECORD);
	fake_kernel_destroy(w.k);
}

static void what_becomes_of_a_record(void **state)
{
	struct world w = start();
	uint64_t at = w.infos + 24 * ((FIRST + 1) % COUNT);

	fake_kernel_put64(w.k, at, 7);
	assert_int_equal(judge(&w, FIRST + 1), KSMA_LOG_SEQUENCE);
	fake_kernel_put64(w.k, at, 1);
	fake_kernel_put(w.k, at + 16, 200, 2);
	assert_int_equal(judge(&w, FIRST + 1), KSMA_LOG_MISPLACED);
	fake_kernel_put(w.k, at + 16, 17, 2);
	memset(fake_kernel_at(w.k, w.data + 16 + 8, 17), 0, 17);
	assert_int_equal(judge(&w, FIRST + 1), KSMA_LOG_BLANK);
	fake_kernel_put(w.k, w.data + 16, 1, 8);
	assert_int_equal(judge(&w, FIRST + 1), KSMA_LOG_MISPLACED);
	fake_kernel_destroy(w.k);

	w = start();
	put_record(&w, FIRST + 3, FINALIZED,
		   "a line of more than seventy-two letters, of which all but a few "
		   "are to be cut off in a moment");
	fake_kernel_put64(w.k, w.infos + 24 * ((FIRST + 3) % COUNT), 3);
	put_ids(&w, FIRST - 1, FIRST + 3);
	assert_int_equal(judge(&w, FIRST + 3), KSMA_LOG_SOUND);
	fake_kernel_put(w.k, w.infos + 24 * ((FIRST + 3) % COUNT) + 16, 3, 2);
	assert_int_equal(judge(&w, FIRST + 3), KSMA_LOG_CUT);
	fake_kernel_destroy(w.k);
}

static void text_without_its_record(void **state)
{
	struct world w = start();
	uint64_t id = 0;

	put_descriptor(&w, FIRST + 1, REUSABLE, -(uint64_t)SIZE + 16, -(uint64_t)SIZE + 48);
	assert_int_equal(judge(&w, FIRST + 1), KSMA_LOG_SOUND); /* it may have made room */
	assert_int_equal(follow(&w, &id), KSMA_LOG_ORPHAN);
	assert_int_equal(id, FIRST + 1);
	put_descriptor(&w, FIRST + 1, FINALIZED, 3, 3);
	assert_int_equal(follow(&w, &id), KSMA_LOG_ORPHAN);
	put_descriptor(&w, FIRST + 1, RESERVED, 0, 0);
	assert_int_equal(follow(&w, &id), KSMA_LOG_TORN);
	put_texts(&w, 0, 1 << 20);
	assert_int_equal(follow(&w, &id), KSMA_LOG_TORN);
	fake_kernel_destroy(w.k);
}

/* Blocks that lead nowhere, back or far away end the walk. */
static void text_that_leads_astray(void **state)
{
	static const uint64_t next[] = { -(uint64_t)SIZE, 0x1000, -(uint64_t)SIZE - 8, 8 };
	uint64_t id = 0;

	for (size_t i = 0; i < ARRAY_SIZE(next); i++) {
		struct world w = start();

		put_descriptor(&w, FIRST, FINALIZED, -(uint64_t)SIZE, next[i]);
		assert_int_equal(follow(&w, &id), KSMA_LOG_ORPHAN);
		fake_kernel_destroy(w.k);
	}
}

static void lines_of_taints(void **state)
{
	static const struct {
		const char *line;
		int bit;
	} lines[] = {
		{ "rootkit: loading out-of-tree module taints kernel.", 12 },
		{ "x: module verification failed: signature and/or required key missing - "
		  "tainting kernel",
		  13 },
		{ "p: tainting kernel with TAINT_LIVEPATCH", 15 },
		{ ": loading out-of-tree module taints kernel.", -1 },
		{ "rootkit: loading out-of-tree module taints kernel. Not.", -1 },
		{ "", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(ksma_log_taint(lines[i].line, strlen(lines[i].line)),
				 lines[i].bit);
}

/* Looks as `watch` does: what was remembered of the look before is still there.
 */
static const char *look(struct world *w, struct ksma_findings *findings)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_look look = { .kernel = &w->k->kernel,
				  .check = "log",
				  .attack = "T1070.002",
				  .findings = findings,
				  .coverage = &coverage };

	ksma_findings_deinit(findings);
	assert_ok(ksma_check_log.run(&look));
	assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
	return findings->count ? findings->items[0].id : "";
}

static void from_look_to_look(void **state)
{
	struct ksma_findings findings = { 0 };
	struct world w = start();
	uint64_t modules = fake_kernel_alloc(w.k, 16, 64), silent = fake_kernel_alloc(w.k, 8, 8),
		 panic = fake_kernel_alloc(w.k, 8, 8);

	fake_layout_containers(&w.k->kernel);
	fake_layout_modules(&w.k->kernel);
	fake_kernel_list(w.k, modules, NULL, 0);
	fake_kernel_symbol(w.k, "modules", modules);
	fake_kernel_symbol(w.k, "suppress_printk", silent);
	fake_kernel_symbol(w.k, "panic_cpu", panic);
	fake_kernel_put(w.k, panic, UINT32_MAX, 4);
	assert_string_equal(look(&w, &findings), "");
	assert_string_equal(look(&w, &findings), "");
	/* A letter of the second record is changed: the first look is what it is held
   * against, however often it is looked at. */
	fake_kernel_put(w.k, w.data + 16 + 8 + 4, 'S', 1);
	assert_string_equal(look(&w, &findings), "log/rewritten/1");
	assert_string_equal(look(&w, &findings), "log/rewritten/1");
	fake_kernel_put(w.k, w.data + 16 + 8 + 4, 's', 1);
	assert_string_equal(look(&w, &findings), "");
	fake_kernel_put(w.k, silent, 1, 4);
	assert_string_equal(look(&w, &findings), "log/suppress_printk");
	fake_kernel_put(w.k, panic, 0, 4); /* it has said its last word */
	assert_string_equal(look(&w, &findings), "");
	fake_kernel_symbol(w.k, "printk_rb_static", w.ring + 8);
	fake_kernel_symbol(w.k, "printk_rb_dynamic", w.ring + 16);
	assert_string_equal(look(&w, &findings), "log/ring");
	ksma_findings_deinit(&findings);
	for (size_t i = 0; i < KSMA_MEMORIES; i++)
		if (w.k->kernel.memories[i].data)
			w.k->kernel.memories[i].destroy(w.k->kernel.memories[i].data);
	fake_kernel_destroy(w.k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_honest_ring),
		cmocka_unit_test(what_printk_never_does),
		cmocka_unit_test(what_becomes_of_a_record),
		cmocka_unit_test(text_without_its_record),
		cmocka_unit_test(text_that_leads_astray),
		cmocka_unit_test(lines_of_taints),
		cmocka_unit_test(from_look_to_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
