/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `info registers -a` of real guests becomes registers, and a text that lacks one is refused. */
#include "unit.h"

#include "fail_alloc.h"
#include "guest/info_registers.h"
#include "guest/sample.h"

static void test_64bit(void **state)
{
	struct ksma_registers registers;
	size_t length;
	char *text = sample_read("registers-64bit-2cpus.txt", &length);

	assert_ok(ksma_info_registers_parse(text, length, &registers));
	assert_int_equal(registers.count, 2);
	for (unsigned i = 0; i < 2; i++) {
		const struct ksma_vcpu *v = &registers.vcpus[i];

		assert_int_equal(v->index, i);
		assert_true(v->has_general && v->has_debug && !v->has_msrs);
		assert_int_equal(v->efer, 0xd01);
		assert_int_equal(v->cs.selector, 0x10);
		assert_int_equal(v->cs.flags, 0xaf9b00);
		assert_int_equal(v->idt.base, 0xfffffe0000000000);
		assert_int_equal(v->idt.limit, 0xfff);
		assert_int_equal(v->gdt.limit, 0x7f);
		assert_int_equal(v->tr.selector, 0x40);
		assert_int_equal(v->dr[6], 0xffff0ff0);
		assert_int_equal(v->dr[7], 0x400);
		assert_true(v->halted);
	}
	assert_int_equal(registers.vcpus[0].gs.base, 0xffff8d993e800000);
	assert_int_equal(registers.vcpus[1].gs.base, 0xffff8d993e900000);
	ksma_registers_free(&registers);
	free(text);
}

static void test_32bit(void **state)
{
	struct ksma_registers registers;
	size_t length;
	char *text = sample_read("registers-32bit.txt", &length);

	assert_ok(ksma_info_registers_parse(text, length, &registers));
	assert_int_equal(registers.count, 1);
	assert_int_equal(registers.vcpus[0].gpr[0], 0x0efeab74);
	assert_int_equal(registers.vcpus[0].gpr[4], 0x6c60);
	assert_int_equal(registers.vcpus[0].gpr[15], 0);
	assert_int_equal(registers.vcpus[0].rip, 0xe9705);
	assert_int_equal(registers.vcpus[0].rflags, 0x46);
	assert_int_equal(registers.vcpus[0].gdt.base, 0xf6180);
	assert_false(registers.vcpus[0].halted);
	ksma_registers_free(&registers);
	free(text);
}

/* The first vCPU's lines up to EFER: each is needed, and each may come only once. */
static void test_every_line_counts(void **state)
{
	struct ksma_registers registers = { .count = 77 };
	size_t length;
	char *text = sample_read("registers-64bit-2cpus.txt", &length);
	char *changed = malloc(2 * length);
	unsigned lines = 0;

	assert_non_null(changed);
	for (char *line = strstr(text, "RAX="); line && strncmp(line, "FCW", 3) != 0;
	     line = strchr(line, '\n') + 1) {
		size_t before = (size_t)(line - text),
		       size = (size_t)(strchr(line, '\n') + 1 - line);

		if (strncmp(line, "CC", 2) == 0)
			continue; /* TCG's lazy flags are no register */
		memcpy(changed, text, before);
		memcpy(changed + before, line + size, length - before - size);
		assert_error(ksma_info_registers_parse(changed, length - size, &registers),
			     KSMA_ERROR_BAD_DATA);
		memcpy(changed + before, line, size);
		memcpy(changed + before + size, line, length - before);
		assert_error(ksma_info_registers_parse(changed, length + size, &registers),
			     KSMA_ERROR_BAD_DATA);
		lines++;
	}
	assert_true(lines > 18);
	assert_int_equal(registers.count, 77);
	free(changed);
	free(text);
}

static void test_cut_off(void **state)
{
	struct ksma_registers registers;
	size_t length;
	char *text = sample_read("registers-32bit.txt", &length);
	size_t needed = (size_t)(strstr(text, "EFER=") - text) + 6;

	for (size_t n = 0; n < length; n++) {
		struct ksma_error *error = ksma_info_registers_parse(text, n, &registers);

		if (n < needed)
			assert_non_null(error);
		else
			assert_null(error);
		ksma_error_destroy(error);
		if (!error)
			ksma_registers_free(&registers);
	}
	free(text);
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"CPU#\n",
		"unknown command: 'info registers'\n",
		"CPU#0\nRAX=00000000000000000 RBX=0\n",
		"CPU#0\nRAX=xyz\n",
		"CPU#0\nES =10000 0 0 0\n",
		"CPU#0\nEFER=12345678123456781\n",
	};
	struct ksma_registers registers;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_error(ksma_info_registers_parse(texts[i], strlen(texts[i]), &registers),
			     KSMA_ERROR_BAD_DATA);
}

static struct ksma_error *run(void *text)
{
	struct ksma_registers registers;

	KSMA_TRY(ksma_info_registers_parse(text, strlen(text), &registers));
	ksma_registers_free(&registers);
	return NULL;
}

static void test_no_memory(void **state)
{
	char *text = sample_read("registers-64bit-2cpus.txt", NULL);

	assert_true(fail_alloc_each(run, text, FAIL_ALLOC_STRICT) >= 1);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_64bit),
		cmocka_unit_test(test_32bit),
		cmocka_unit_test(test_every_line_counts),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
