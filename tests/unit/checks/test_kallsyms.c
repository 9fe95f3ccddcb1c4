/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kallsyms against other tables: symbols of one name, and the order of names. */
#include "unit.h"

#include "checks/kallsyms.h"
#include "fake_kernel.h"

#define BASE 0xffffffff80000000ull

static void test_agrees(void **state)
{
	struct fake_kernel *k = fake_kernel_create(BASE, 1 << 16, FAKE_MAPPED);
	const struct ksma_symbols *symbols = &k->kernel.symbols;
	uint64_t found;

	(void)state;
	fake_kernel_symbol(k, "once", BASE + 16);
	fake_kernel_symbol(k, "twice", BASE + 32);
	fake_kernel_symbol(k, "twice", BASE + 48);
	assert_true(ksma_kallsyms_agrees(symbols, "once", BASE + 16, &found));
	assert_true(ksma_kallsyms_agrees(symbols, "twice", BASE + 32, &found));
	assert_true(ksma_kallsyms_agrees(symbols, "twice", BASE + 48, &found));
	assert_false(ksma_kallsyms_agrees(symbols, "once", BASE + 17, &found));
	assert_int_equal(found, BASE + 16);
	assert_false(ksma_kallsyms_agrees(symbols, "never", BASE + 16, &found));
	assert_int_equal(found, 0);
	fake_kernel_destroy(k);
}

static void test_order(void **state)
{
	const struct ksma_symbols symbols = { .count = 3 };
	uint8_t order[] = { 0, 0, 2, 0, 0, 0, 0, 0, 1 };
	size_t bad = 99;

	(void)state;
	assert_true(ksma_kallsyms_order_holds(&symbols, order, &bad));
	order[8] = 2;
	assert_false(ksma_kallsyms_order_holds(&symbols, order, &bad));
	assert_int_equal(bad, 2);
	order[0] = 1; /* far beyond */
	assert_false(ksma_kallsyms_order_holds(&symbols, order, &bad));
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agrees),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
