/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Code as text, and the jumps that hooks begin with. */
#include "unit.h"

#include "x86/code.h"

#define AT 0xffffffffc0000000ull
#define FOLLOW(target, ...)                                                                        \
	ksma_code_follow((const uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }), AT, \
			 target)

static void test_format(void **state)
{
	static const uint8_t code[] = {
		0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0xe8, 0xfb, 0xff, 0xff, 0xff
	};
	char text[256];

	(void)state;
	assert_int_equal(ksma_code_format(code, sizeof(code), AT, 8, text, sizeof(text)), 10);
	assert_string_equal(text, "endbr64; push rbp; call 0xFFFFFFFFC0000005");
	assert_int_equal(ksma_code_format(code, sizeof(code), AT, 2, text, sizeof(text)), 5);
	assert_string_equal(text, "endbr64; push rbp");
	/* Cut in the middle of an instruction, and no room. */
	assert_int_equal(ksma_code_format(code, 7, AT, 8, text, sizeof(text)), 5);
	assert_string_equal(text, "endbr64; push rbp; (bad)");
	assert_int_equal(ksma_code_format(code, sizeof(code), AT, 8, text, 10), 4);
	assert_string_equal(text, "endbr64");
	assert_int_equal(ksma_code_format(code, 0, AT, 8, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_string_equal(ksma_code_hex(code, 3, text, sizeof(text)), "f3 0f 1e");
	assert_string_equal(ksma_code_hex(code, 3, text, 6), "f3 0f");
}

static void test_follow(void **state)
{
	uint64_t target = 1;

	(void)state;
	/* jmp rel32; endbr64, nop, jmp rel8; mov rax, imm64 and jmp rax; push imm32, ret; the same with the upper half; jmp [rip] */
	assert_int_equal(FOLLOW(&target, 0xe9, 0xfb, 0x0f, 0x00, 0x00), KSMA_CODE_JUMPS);
	assert_int_equal(target, AT + 0x1000);
	assert_int_equal(FOLLOW(&target, 0xf3, 0x0f, 0x1e, 0xfa, 0x90, 0xeb, 0x10),
			 KSMA_CODE_JUMPS);
	assert_int_equal(target, AT + 0x17);
	assert_int_equal(FOLLOW(&target, 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 0xff, 0xe0),
			 KSMA_CODE_JUMPS);
	assert_int_equal(target, 0x0807060504030201);
	assert_int_equal(FOLLOW(&target, 0x68, 0x00, 0x10, 0x00, 0x81, 0xc3), KSMA_CODE_JUMPS);
	assert_int_equal(target, 0xffffffff81001000);
	assert_int_equal(FOLLOW(&target, 0x68, 0x44, 0x33, 0x22, 0x11, 0xc7, 0x44, 0x24, 0x04, 0x88,
				0x77, 0x66, 0x55, 0xc3),
			 KSMA_CODE_JUMPS);
	assert_int_equal(target, 0x5566778811223344);
	assert_int_equal(FOLLOW(&target, 0xff, 0x25, 0x10, 0x00, 0x00, 0x00), KSMA_CODE_INDIRECT);
	assert_int_equal(target, AT + 0x16);
}

static void test_stays(void **state)
{
	uint64_t target = 1;

	(void)state;
	/* push rbp; a jump by a register that holds who knows what; ret; call; nothing; NOPs without end */
	assert_int_equal(FOLLOW(&target, 0x55, 0xc3), KSMA_CODE_STAYS);
	assert_int_equal(FOLLOW(&target, 0xff, 0xe0), KSMA_CODE_STAYS);
	assert_int_equal(FOLLOW(&target, 0xc3), KSMA_CODE_STAYS);
	assert_int_equal(FOLLOW(&target, 0xe8, 0, 0, 0, 0), KSMA_CODE_STAYS);
	assert_int_equal(FOLLOW(&target, 0xe9), KSMA_CODE_STAYS);
	assert_int_equal(FOLLOW(&target, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xeb,
				0),
			 KSMA_CODE_STAYS);
	assert_int_equal(target, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
