/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dispatch functions as compilers make them, followed for values, and what is no plain switch refused by name. */
#include "unit.h"

#include "x86/switch.h"

enum { GVA = 0x1000, CODE = 64 };

/* nopl; cmp esi,2; jz +2e; ja +5..; cmp esi,1; jnz default; jmp one; … laid out by hand. */
static const uint8_t tree[] = {
	0x0f, 0x1f, 0x44, 0x00, 0x00,	    /* 00 nop */
	0x83, 0xfe, 0x02,		    /* 05 cmp esi, 2 */
	0x0f, 0x84, 0xf2, 0x0f, 0x00, 0x00, /* 08 jz 0x2000 */
	0x77, 0x0a,			    /* 0e ja 1a */
	0x83, 0xfe, 0x01,		    /* 10 cmp esi, 1 */
	0x75, 0x05,			    /* 13 jnz 1a */
	0xe9, 0xe6, 0x1f, 0x00, 0x00,	    /* 15 jmp 0x3000 */
	0xe9, 0xe1, 0x2f, 0x00, 0x00,	    /* 1a jmp 0x4000 */
};

static uint64_t target(const struct ksma_switch *table, uint32_t value, uint64_t *ret_place)
{
	uint64_t to = 0;

	assert_ok(ksma_switch_target(table, value, &to, ret_place));
	return to;
}

static void test_tree(void **state)
{
	struct ksma_switch *table;
	uint64_t place;

	(void)state;
	assert_ok(ksma_switch_create(tree, sizeof(tree), GVA, &table));
	assert_int_equal(target(table, 2, &place), 0x2000);
	assert_int_equal(place, GVA + 8);
	assert_int_equal(target(table, 1, &place), 0x3000);
	assert_int_equal(place, GVA + 0x15);
	assert_int_equal(target(table, 0, &place), 0x4000);
	assert_int_equal(target(table, 3, &place), 0x4000);
	assert_int_equal(target(table, UINT32_MAX, &place), 0x4000);
	ksma_switch_destroy(table);
}

/* ftrace turns the first instruction into a call: that is not where the switch leads. */
static void test_traced(void **state)
{
	uint8_t code[sizeof(tree)];
	struct ksma_switch *table;
	uint64_t place;

	(void)state;
	memcpy(code, tree, sizeof(code));
	memcpy(code, "\xe8\x00\x00\x10\x00", 5);
	assert_ok(ksma_switch_create(code, sizeof(code), GVA, &table));
	assert_int_equal(target(table, 1, &place), 0x3000);
	ksma_switch_destroy(table);
}

static void refuses(const void *code, size_t length, enum ksma_error_code error, const char *words)
{
	struct ksma_switch *table;
	uint64_t to, place;

	assert_ok(ksma_switch_create(code, length, GVA, &table));
	assert_error_says(ksma_switch_target(table, 1, &to, &place), error, words);
	ksma_switch_destroy(table);
}

static void test_refusals(void **state)
{
	struct ksma_switch *table;

	(void)state;
	refuses("\xff\xe0", 2, KSMA_ERROR_UNSUPPORTED, "jmp"); /* jmp rax */
	refuses("\x83\xff\x01\x74\x00", 5, KSMA_ERROR_UNSUPPORTED,
		"jz"); /* compares what is not known */
	refuses("\xc3", 1, KSMA_ERROR_UNSUPPORTED, "ret");
	refuses("\x90\x90", 2, KSMA_ERROR_UNSUPPORTED, "undecodable"); /* runs off its end */
	refuses("\xeb\xfe", 2, KSMA_ERROR_LIMIT, "does not end");      /* jmp to itself */
	refuses("\x06", 1, KSMA_ERROR_UNSUPPORTED, "0x1000");	       /* no instruction */
	assert_error(ksma_switch_create(tree, 0, GVA, &table), KSMA_ERROR_LIMIT);
}

/* mov eax,esi; sub eax,10; cmp eax,5; jb 0x2000…; jmp 0x3000 */
static void test_arithmetic(void **state)
{
	static const uint8_t code[] = { 0x89, 0xf0, 0x83, 0xe8, 0x0a, 0x83, 0xf8, 0x05, 0x0f, 0x82,
					0xf2, 0x0f, 0x00, 0x00, 0xe9, 0xed, 0x1f, 0x00, 0x00 };
	struct ksma_switch *table;
	uint64_t place;

	(void)state;
	assert_ok(ksma_switch_create(code, sizeof(code), GVA, &table));
	assert_int_equal(target(table, 9, &place),
			 0x3000); /* 9 - 10 is large where it is unsigned */
	assert_int_equal(target(table, 10, &place), 0x2000);
	assert_int_equal(target(table, 14, &place), 0x2000);
	assert_int_equal(target(table, 15, &place), 0x3000);
	ksma_switch_destroy(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_traced),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_arithmetic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
