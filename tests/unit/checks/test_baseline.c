/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Baselines taken while the kernel patches itself: what was a breakpoint at the first look is no reference for the looks after it. */
#include "unit.h"

#include "checks/proof.h"
#include "fake_kernel.h"
#include "linux/kernel.h"

enum { TEXT = 64 };

struct props {
	struct fake_kernel *k;
	struct ksma_proof proof;
	struct ksma_findings findings;
	struct ksma_coverage coverage;
	struct ksma_look look;
	uint64_t text, key;
	uint8_t baseline[TEXT];
};

/* One jump label at the start of the text, whose code in the guest is `code`. */
static struct props *begin(const uint8_t *code, size_t length)
{
	struct props *p = calloc(1, sizeof(*p));
	struct ksma_patch_table table;
	uint8_t entry[16];
	int32_t offsets[4];
	uint64_t at;

	assert_non_null(p);
	p->k = fake_kernel_create(0xffff888000000000, 1 << 16, FAKE_MAPPED);
	p->text = fake_kernel_alloc(p->k, TEXT, 64);
	p->key = fake_kernel_alloc(p->k, 16, 16);
	at = fake_kernel_alloc(p->k, 16, 16);
	memset(fake_kernel_at(p->k, p->text, TEXT), 0x90, TEXT);
	memcpy(fake_kernel_at(p->k, p->text, length), code, length);
	memcpy(p->baseline, fake_kernel_at(p->k, p->text, TEXT), TEXT);
	p->proof.kernel = &p->k->kernel;
	p->proof.unit.baseline = true;
	p->proof.unit.patch.nops = KSMA_NOPS_P6;
	p->proof.unit.patch.parts[0] = (struct ksma_patch_part){ p->text, p->baseline, TEXT };
	p->proof.unit.patch.part_count = 1;
	p->look = (struct ksma_look){ .kernel = &p->k->kernel,
				      .findings = &p->findings,
				      .coverage = &p->coverage };
	offsets[0] = (int32_t)(p->text - at);
	offsets[1] = (int32_t)(p->text + 32 - (at + 4));
	offsets[2] = (int32_t)(p->key - (at + 8));
	offsets[3] = offsets[2] < 0 ? -1 : 0;
	memcpy(entry, offsets, sizeof(entry)); /* the host is little-endian, as the guest is */
	table = (struct ksma_patch_table){ .gva = at, .bytes = entry, .size = sizeof(entry) };
	assert_ok(ksma_proof_jumps(&p->proof.unit, &table));
	assert_int_equal(p->proof.unit.jumps.count, 1);
	return p;
}

static void end(struct props *p)
{
	ksma_proof_unit_deinit(&p->proof.unit);
	free(p->proof.probes.items);
	ksma_coverage_deinit(&p->coverage);
	ksma_findings_deinit(&p->findings);
	fake_kernel_destroy(p->k);
	free(p);
}

/* Whether the guest holds what is expected of it now. */
static bool fits(struct props *p)
{
	assert_ok(ksma_proof_update(&p->look, &p->proof, &p->proof.unit));
	return memcmp(p->baseline, fake_kernel_at(p->k, p->text, TEXT), TEXT) == 0;
}

static void put(struct props *p, const void *code, size_t length)
{
	memcpy(fake_kernel_at(p->k, p->text, length), code, length);
}

/* A short site that had a breakpoint at the first look is short in the looks after it, whatever it becomes. */
static void test_short_site(void **state)
{
	struct props *p = begin((const uint8_t[]){ 0xcc, 0x90 }, 2);

	(void)state;
	assert_int_equal(p->proof.unit.jumps.items[0].size, 0);
	assert_true(fits(p)); /* still being patched: not judged, but said */
	assert_int_equal(p->coverage.gaps, 1);
	put(p, (const uint8_t[]){ 0x66, 0x90 }, 2);
	assert_true(fits(p));
	assert_int_equal(p->coverage.gaps, 1);
	assert_int_equal(p->proof.unit.jumps.items[0].size, 2);
	fake_kernel_put(p->k, p->key, 1, 4);
	assert_false(fits(p));
	put(p, (const uint8_t[]){ 0xeb, 30 }, 2);
	assert_true(fits(p));
	put(p, (const uint8_t[]){ 0xeb, 29 }, 2);
	assert_false(fits(p));
	end(p);
}

static void test_long_site(void **state)
{
	struct props *p = begin((const uint8_t[]){ 0xcc, 0x1f, 0x44, 0, 0 }, 5);

	(void)state;
	put(p, (const uint8_t[]){ 0xe9, 27, 0, 0, 0 }, 5);
	fake_kernel_put(p->k, p->key, 1, 4);
	assert_true(fits(p));
	assert_int_equal(p->proof.unit.jumps.items[0].size, 5);
	assert_int_equal(p->coverage.gaps, 0);
	fake_kernel_put(p->k, p->key, 0, 4);
	assert_false(fits(p));
	put(p, (const uint8_t[]){ 0x0f, 0x1f, 0x44, 0, 0 }, 5);
	assert_true(fits(p));
	end(p);
}

/* What a probe stood on is expected when the probe is gone, although the first look saw only the probe. */
static void test_probe(void **state)
{
	struct props *p = begin((const uint8_t[]){ 0x66, 0x90 }, 2);
	struct ksma_armed armed = { .address = p->text + 16,
				    .has_opcode = true,
				    .opcode = 0x55,
				    .copied = { 1, 2, 3, 4 } };
	uint8_t *code = p->baseline + 16;

	(void)state;
	code[0] = 0xcc;
	ksma_baseline_unprobe(code, &armed);
	assert_int_equal(code[0], 0x55);
	assert_int_equal(code[1], 0x90);
	/* An optimised one: a jump, to its own copy alone. */
	armed.jump = p->text + 40;
	memcpy(code, (const uint8_t[]){ 0xe9, 18, 0, 0, 0 }, 5);
	ksma_baseline_unprobe(code, &armed);
	assert_int_equal(code[0], 0xe9);
	code[1] = 19;
	ksma_baseline_unprobe(code, &armed);
	assert_memory_equal(code, ((const uint8_t[]){ 0x55, 1, 2, 3, 4 }), 5);
	/* On its way to being one: the displacement is there, the breakpoint still is. */
	memcpy(code, (const uint8_t[]){ 0xcc, 19, 0, 0, 0 }, 5);
	ksma_baseline_unprobe(code, &armed);
	assert_memory_equal(code, ((const uint8_t[]){ 0x55, 1, 2, 3, 4 }), 5);
	/* Not on that way yet: what is behind the breakpoint is the kernel's. */
	memcpy(code, (const uint8_t[]){ 0xcc, 9, 9, 9, 9 }, 5);
	ksma_baseline_unprobe(code, &armed);
	assert_memory_equal(code, ((const uint8_t[]){ 0x55, 9, 9, 9, 9 }), 5);
	/* Without the opcode nothing is put there. */
	armed.has_opcode = false;
	code[0] = 0xcc;
	ksma_baseline_unprobe(code, &armed);
	assert_int_equal(code[0], 0xcc);
	end(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_site),
		cmocka_unit_test(test_long_site),
		cmocka_unit_test(test_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
