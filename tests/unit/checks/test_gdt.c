/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors: those of a kernel fit, and each way in which an attacker would bend them does not. */
#include "unit.h"

#include "checks/gdt.h"

/* As 6.12 and 5.10 have them; processors set the bit that says that a segment was used. */
static const uint64_t tables[2][KSMA_GDT_ENTRIES] = {
	{ 0, 0x00cf9b000000ffff, 0x00af9b000000ffff, 0x00af93000000ffff, 0x00cffb000000ffff,
	  0x00aff3000000ffff, 0x00affb000000ffff, 0, 0x00008b0330004087, 0xfffffe00, 0, 0,
	  0x00cff3000000ffff, 0, 0, 0x0040f50000000001 },
	{ 0, 0x00cf9a000000ffff, 0x00af9a000000ffff, 0x00cf92000000ffff, 0x00cffa000000ffff,
	  0x00cff2000000ffff, 0x00affa000000ffff, 0, 0x0000890330004087, 0xfffffe00,
	  0x000082034000000f, 0xffffc900, 0, 0, 0, 0x0040f50000000001 },
};

static void test_fits(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KSMA_GDT_ENTRIES; i++) {
		assert_null(ksma_gdt_verdict(i, tables[0][i]));
		assert_null(ksma_gdt_verdict(i, tables[1][i]));
	}
	assert_null(ksma_ldt_verdict(0));
	assert_null(ksma_ldt_verdict(0x00cffb000000ffff));
	assert_null(ksma_ldt_verdict(0x00cff3000000ffff));
}

/* Every change of type, privilege, presence or mode of a segment of the kernel's is told. */
static void test_each_bit(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 6; i++) {
		for (unsigned bit = 41; bit < 48; bit++)
			assert_non_null(ksma_gdt_verdict(i, tables[0][i] ^ (1ull << bit)));
		assert_non_null(ksma_gdt_verdict(i, tables[0][i] ^ (1ull << 16))); /* base */
		assert_non_null(ksma_gdt_verdict(i, tables[0][i] ^ 1));		   /* limit */
	}
	assert_non_null(ksma_gdt_verdict(2, tables[0][2] ^ (1ull << 53)));
	assert_non_null(ksma_gdt_verdict(4, tables[0][4] ^ (1ull << 53)));
}

static void test_gates(void **state)
{
	const uint64_t gate = 0x0000ec0000100000;

	(void)state;
	for (unsigned i = 0; i < KSMA_GDT_ENTRIES; i++)
		if (i != KSMA_GDT_TSS + 1 && i != KSMA_GDT_LDT + 1)
			assert_non_null(ksma_gdt_verdict(i, gate));
	assert_non_null(ksma_ldt_verdict(gate));
	/* Code for user space in an entry of a thread; code of the kernel's level, or of 64 bits, in a local table. */
	assert_non_null(ksma_gdt_verdict(12, 0x00cffb000000ffff));
	assert_non_null(ksma_gdt_verdict(13, 0x00cf93000000ffff));
	assert_non_null(ksma_ldt_verdict(0x00cf9b000000ffff));
	assert_non_null(ksma_ldt_verdict(0x00affb000000ffff));
	/* A task state that user space may switch to. */
	assert_non_null(ksma_gdt_verdict(KSMA_GDT_TSS, tables[0][KSMA_GDT_TSS] | 3ull << 45));
}

static void test_fields(void **state)
{
	(void)state;
	assert_int_equal(ksma_descriptor_base(0x12008b3456784087, 0xfffffe99), 0xfffffe9912345678);
	assert_int_equal(ksma_descriptor_limit(0x000f8b000000ffff), 0xfffff);
	assert_false(ksma_descriptor_is_present(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_each_bit),
		cmocka_unit_test(test_gates),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
