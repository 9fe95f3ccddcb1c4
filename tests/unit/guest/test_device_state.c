/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vCPUs of a real device state are found, and forged, torn or foreign ones are refused. */
#include "unit.h"

#include "fail_alloc.h"
#include "guest/device_state.h"
#include "guest/info_registers.h"
#include "guest/sample.h"

enum { FIRST_CPU = 93, SECOND_CPU = 2468, CPU_HEADER = 17, CPU_END = 1834 };

struct sample {
	uint8_t *state;
	size_t length;
	struct ksma_registers registers;
};

static struct sample load(void)
{
	struct sample s;
	size_t length;
	char *text = sample_read("registers-64bit-2cpus.txt", &length);

	s.state = (uint8_t *)sample_read("device-state-2cpus.bin", &s.length);
	assert_ok(ksma_info_registers_parse(text, length, &s.registers));
	free(text);
	return s;
}

static void unload(struct sample *s)
{
	free(s->state);
	ksma_registers_free(&s->registers);
}

static void test_sample(void **state)
{
	struct sample s = load();

	assert_ok(ksma_device_state_parse(s.state, s.length, &s.registers));
	for (unsigned i = 0; i < 2; i++) {
		const struct ksma_vcpu *v = &s.registers.vcpus[i];

		assert_int_equal(v->index, i);
		assert_true(v->has_general && v->has_debug && v->has_msrs && v->halted);
		assert_int_equal(v->lstar, 0xffffffffa4800080);
		assert_int_equal(v->cstar, 0xffffffffa48019b0);
		assert_int_equal(v->sysenter_eip, 0xffffffffa48018f0);
		assert_int_equal(v->sysenter_cs, 0x10);
		assert_int_equal(v->star, 0x0023001000000000);
		assert_int_equal(v->efer, 0xd01);
		assert_int_equal(v->idt.base, 0xfffffe0000000000);
		assert_int_equal(v->dr[6], 0xffff0ff0);
	}
	assert_int_equal(s.registers.vcpus[1].gs.base, 0xffff8d993e900000);
	unload(&s);
}

static void assert_refused(struct sample *s, enum ksma_error_code code, const char *words)
{
	assert_error_says(ksma_device_state_parse(s->state, s->length, &s->registers), code, words);
	/* Nothing was taken. */
	assert_false(s->registers.vcpus[0].has_msrs);
	assert_int_equal(s->registers.vcpus[0].lstar, 0);
}

static void test_no_state(void **state)
{
	struct sample s = load();

	s.length = 0;
	assert_refused(&s, KSMA_ERROR_BAD_DATA, "does not begin");
	s.length = 7;
	assert_refused(&s, KSMA_ERROR_UNSUPPORTED, "unknown version");
	s.length = 8;
	assert_refused(&s, KSMA_ERROR_BAD_DATA, "does not end");
	s.length = 4640;
	s.state[7] = 9;
	assert_refused(&s, KSMA_ERROR_UNSUPPORTED, "unknown version");
	s.state[0] = 'X';
	assert_refused(&s, KSMA_ERROR_BAD_DATA, "does not begin");
	unload(&s);
}

static void test_cut_off(void **state)
{
	struct sample s = load();
	uint8_t *whole = s.state;
	size_t length = s.length;

	/* Wherever it is cut, with a zero where the end is wanted: never both vCPUs, never a crash. */
	for (size_t n = 8; n + 200 < length && n < 4300; n += 7) {
		s.state = malloc(n + 1);
		assert_non_null(s.state);
		memcpy(s.state, whole, n);
		s.state[n] = 0;
		s.length = n + 1;
		assert_error(ksma_device_state_parse(s.state, s.length, &s.registers),
			     KSMA_ERROR_BAD_DATA);
		free(s.state);
	}
	s.state = whole;
	unload(&s);
}

static void test_other_version(void **state)
{
	struct sample s = load();

	s.state[FIRST_CPU + CPU_HEADER - 1] = 13;
	assert_refused(&s, KSMA_ERROR_UNSUPPORTED, "version 13");
	unload(&s);
}

/* A guest that owns a device's buffer puts a section of its own there. */
static void test_forged(void **state)
{
	struct sample s = load();
	size_t section = SECOND_CPU - FIRST_CPU;
	uint8_t *forged = malloc(s.length + section);

	assert_non_null(forged);
	memcpy(forged, s.state, s.length - 1);
	memcpy(forged + s.length - 1, s.state + FIRST_CPU, section);
	forged[s.length - 1 + section] = 0;
	free(s.state);
	s.state = forged;
	s.length += section;
	assert_refused(&s, KSMA_ERROR_BAD_DATA, "twice");
	unload(&s);
}

static void test_disagreement(void **state)
{
	struct sample s = load();

	s.registers.vcpus[1].idt.base += 0x1000;
	assert_refused(&s, KSMA_ERROR_BAD_DATA, "IDT of vCPU 1");
	s.registers.vcpus[1].idt.base -= 0x1000;
	s.registers.vcpus[0].efer ^= 1;
	assert_refused(&s, KSMA_ERROR_BAD_DATA, "EFER of vCPU 0");
	s.registers.vcpus[0].efer ^= 1;
	s.registers.vcpus[1].index = 7;
	assert_refused(&s, KSMA_ERROR_BAD_DATA, "no vCPU 7");
	unload(&s);
}

static void test_bad_end(void **state)
{
	struct sample s = load();
	uint8_t *end = s.state + FIRST_CPU + CPU_END;

	/* What stands behind the fields is no subsection and no end: the fields do not lie as we think. */
	assert_int_equal(end[0], 5);
	end[0] = 0x33;
	assert_refused(&s, KSMA_ERROR_BAD_DATA, "no vCPU 0");
	end[0] = 0x7e; /* the end of another section */
	assert_refused(&s, KSMA_ERROR_BAD_DATA, "no vCPU 0");
	unload(&s);
}

static struct ksma_error *run(void *arg)
{
	struct sample *s = arg;

	return ksma_device_state_parse(s->state, s->length, &s->registers);
}

static void test_no_memory(void **state)
{
	struct sample s = load();

	assert_true(fail_alloc_each(run, &s, FAIL_ALLOC_STRICT) >= 1);
	unload(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample),	cmocka_unit_test(test_no_state),
		cmocka_unit_test(test_cut_off), cmocka_unit_test(test_other_version),
		cmocka_unit_test(test_forged),	cmocka_unit_test(test_disagreement),
		cmocka_unit_test(test_bad_end), cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
