/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What boot writes has its first look as baseline, word by word; and a warning that was given is no change. */
#include "unit.h"

#include "base/bytes.h"
#include "checks/proof.h"
#include "fake_kernel.h"
#include "linux/kernel.h"

enum { SIZE = 48, ENTRY = 12, FLAGS = 10, ONCE = 2, DONE = 4 };

struct props {
	struct fake_kernel *k;
	struct ksma_proof proof;
	struct ksma_findings findings;
	struct ksma_coverage coverage;
	struct ksma_look look;
	uint64_t data;
	uint8_t expected[SIZE];
};

static struct props *begin(void)
{
	struct props *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->k = fake_kernel_create(0xffff888000000000, 1 << 16, FAKE_MAPPED);
	p->data = fake_kernel_alloc(p->k, SIZE, 64);
	p->proof.kernel = &p->k->kernel;
	p->proof.unit.patch.parts[0] = (struct ksma_patch_part){ p->data, p->expected, SIZE };
	p->proof.unit.patch.part_count = 1;
	p->look = (struct ksma_look){ .kernel = &p->k->kernel,
				      .check = "after-init",
				      .findings = &p->findings,
				      .coverage = &p->coverage };
	return p;
}

static void end(struct props *p)
{
	ksma_proof_unit_deinit(&p->proof.unit);
	ksma_coverage_deinit(&p->coverage);
	ksma_findings_deinit(&p->findings);
	fake_kernel_destroy(p->k);
	free(p);
}

static uint8_t *guest(struct props *p)
{
	return fake_kernel_at(p->k, p->data, SIZE);
}

/* Only the words that differ are the guest's own. */
static void test_words(void **state)
{
	struct props *p = begin();
	struct ksma_proof_unit *unit = &p->proof.unit;

	guest(p)[9] = 1;
	guest(p)[SIZE - 1] = 2;
	assert_ok(ksma_proof_take_late(&p->proof, unit, "x", p->data, SIZE));
	assert_memory_equal(p->expected, guest(p), SIZE);
	assert_int_equal(unit->late_count, 1);
	assert_int_equal(unit->taken.count, 2);
	assert_false(ksma_proof_is_taken(unit, p->data + 7));
	assert_true(ksma_proof_is_taken(unit, p->data + 8));
	assert_true(ksma_proof_is_taken(unit, p->data + 15));
	assert_false(ksma_proof_is_taken(unit, p->data + 16));
	assert_true(ksma_proof_is_taken(unit, p->data + SIZE - 1));
	end(p);
}

/* A run that does not begin at a word is taken up to the word's end. */
static void test_odd_start(void **state)
{
	struct props *p = begin();
	struct ksma_proof_unit *unit = &p->proof.unit;

	memset(guest(p), 7, SIZE);
	assert_ok(ksma_proof_take_late(&p->proof, unit, "x", p->data + 4, 8));
	assert_int_equal(unit->taken.count, 2);
	assert_false(ksma_proof_is_taken(unit, p->data + 3));
	assert_true(ksma_proof_is_taken(unit, p->data + 4));
	assert_true(ksma_proof_is_taken(unit, p->data + 11));
	assert_int_equal(p->expected[3], 0);
	assert_int_equal(p->expected[12], 0);
	end(p);
}

static void test_nothing_there(void **state)
{
	struct props *p = begin();
	struct ksma_proof_unit *unit = &p->proof.unit;

	assert_ok(ksma_proof_take_late(&p->proof, unit, "x", p->data, 0));
	assert_ok(ksma_proof_take_late(&p->proof, unit, "x", p->data + SIZE, 8));
	assert_ok(ksma_proof_take_late(&p->proof, unit, "x", p->data, UINT64_MAX));
	assert_int_equal(unit->late_count, 0);
	end(p);
}

/* Only one that is given once is marked, and by nothing but the mark. */
static void test_warnings(void **state)
{
	struct props *p = begin();
	struct ksma_proof_unit *unit = &p->proof.unit;
	struct ksma_kernel *kernel = &p->k->kernel;

	kernel->size.bug_entry = ENTRY;
	kernel->off.bug_entry__flags = FLAGS;
	p->expected[FLAGS] = ONCE;
	memcpy(guest(p), p->expected, SIZE);
	ksma_proof_warnings(&p->proof, unit, p->data, SIZE);
	assert_int_equal(unit->data_count, 1);
	guest(p)[FLAGS] = ONCE | DONE;
	assert_ok(ksma_proof_update_warnings(&p->look, unit));
	assert_memory_equal(p->expected, guest(p), SIZE);
	guest(p)[FLAGS] = ONCE;
	assert_ok(ksma_proof_update_warnings(&p->look, unit));
	assert_memory_equal(p->expected, guest(p), SIZE);
	guest(p)[FLAGS] = DONE;
	guest(p)[ENTRY + FLAGS] = DONE;
	assert_ok(ksma_proof_update_warnings(&p->look, unit));
	assert_int_equal(p->expected[FLAGS], ONCE | DONE);
	assert_int_equal(p->expected[ENTRY + FLAGS], 0);
	end(p);
}

/* A size and a place that make no sense, as a hostile guest's types may say, reach no byte outside. */
static void test_hostile_types(void **state)
{
	struct props *p = begin();
	struct ksma_proof_unit *unit = &p->proof.unit;
	struct ksma_kernel *kernel = &p->k->kernel;

	kernel->size.bug_entry = 1;
	kernel->off.bug_entry__flags = INT32_MAX;
	ksma_proof_warnings(&p->proof, unit, p->data, SIZE);
	assert_ok(ksma_proof_update_warnings(&p->look, unit));
	kernel->off.bug_entry__flags = -5;
	assert_ok(ksma_proof_update_warnings(&p->look, unit));
	end(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),	      cmocka_unit_test(test_odd_start),
		cmocka_unit_test(test_nothing_there), cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_hostile_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
