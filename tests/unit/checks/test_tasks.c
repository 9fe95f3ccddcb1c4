/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Single tasks: which states of a filter contradict themselves, and which names are the kernel's. */
#include "unit.h"

#include "checks/tasks.h"

static void test_seccomp(void **state)
{
	struct ksma_seccomp none = { 0 }, strict = { .mode = 1, .asked = true },
			    filter = { .mode = 2, .filters = 3, .filter = 1, .asked = true };

	(void)state;
	assert_null(ksma_seccomp_flaw(&none));
	assert_null(ksma_seccomp_flaw(&strict));
	assert_null(ksma_seccomp_flaw(&filter));
	filter.asked = false;
	assert_non_null(strstr(ksma_seccomp_flaw(&filter), "not asked"));
	filter.asked = true;
	filter.filter = 0;
	assert_non_null(strstr(ksma_seccomp_flaw(&filter), "gone"));
	filter.mode = 0;
	assert_non_null(strstr(ksma_seccomp_flaw(&filter), "none"));
	filter.filters = 0;
	assert_null(ksma_seccomp_flaw(&filter));
	strict.asked = false;
	assert_non_null(ksma_seccomp_flaw(&strict));
}

static void test_names(void **state)
{
	(void)state;
	assert_true(ksma_is_kernel_name("kworker/u4:2-ev"));
	assert_true(ksma_is_kernel_name("[kthreadd]"));
	assert_false(ksma_is_kernel_name("kworkerd"));
	assert_false(ksma_is_kernel_name("bash"));
	assert_false(ksma_is_kernel_name(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seccomp),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
