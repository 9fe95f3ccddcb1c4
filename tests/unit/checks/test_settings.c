/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings: what is stricter than what, words of the command line, and letters of taints. */
#include "unit.h"

#include "checks/check.h"
#include "checks/settings.h"
#include "fake_kernel.h"

#define BASE 0xffffffff80000000ull

static void test_ranks(void **state)
{
	(void)state;
	assert_true(ksma_setting_rank(KSMA_RANK_VALUE, -1) < ksma_setting_rank(KSMA_RANK_VALUE, 0));
	assert_true(ksma_setting_rank(KSMA_RANK_BPF, 0) < ksma_setting_rank(KSMA_RANK_BPF, 2));
	assert_true(ksma_setting_rank(KSMA_RANK_BPF, 2) < ksma_setting_rank(KSMA_RANK_BPF, 1));
}

static void test_command_line(void **state)
{
	(void)state;
	assert_true(ksma_command_line_has("quiet lockdown=integrity", "lockdown=integrity"));
	assert_true(ksma_command_line_has("audit=1", "audit=1"));
	assert_true(ksma_command_line_has("audit=10 audit=1 ro", "audit=1"));
	assert_false(ksma_command_line_has("audit=10", "audit=1"));
	assert_false(ksma_command_line_has("noaudit=1", "audit=1"));
	assert_false(ksma_command_line_has("", "audit=1"));
	assert_false(ksma_command_line_has(NULL, "audit=1"));
}

static void test_letters(void **state)
{
	char buffer[65];

	(void)state;
	assert_string_equal(ksma_taint_letters(0, buffer), "");
	assert_string_equal(ksma_taint_letters(0x3001, buffer), "POE");
	assert_int_equal(strlen(ksma_taint_letters(UINT64_MAX, buffer)), 64);
}

/* Looks as `watch` does; the id of the first finding, or nothing. */
static const char *look(struct fake_kernel *k, struct ksma_findings *findings)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_look look = { .kernel = &k->kernel,
				  .check = "settings",
				  .attack = "T1562.001",
				  .findings = findings,
				  .coverage = &coverage };

	ksma_findings_deinit(findings);
	assert_ok(ksma_check_settings.run(&look));
	ksma_coverage_deinit(&coverage);
	return findings->count ? findings->items[0].id : "";
}

static void test_from_look_to_look(void **state)
{
	struct fake_kernel *k = fake_kernel_create(BASE, 1 << 16, FAKE_MAPPED);
	uint64_t modules = fake_kernel_alloc(k, 16, 64), bounding = fake_kernel_alloc(k, 8, 8),
		 audit = fake_kernel_alloc(k, 8, 8), receiver = fake_kernel_alloc(k, 8, 8),
		 console = fake_kernel_alloc(k, 16, 8);
	struct ksma_findings findings = { 0 };

	(void)state;
	fake_layout_containers(&k->kernel);
	fake_layout_modules(&k->kernel);
	fake_kernel_list(k, modules, NULL, 0);
	fake_kernel_symbol(k, "modules", modules);
	fake_kernel_symbol(k, "usermodehelper_bset", bounding);
	fake_kernel_symbol(k, "audit_enabled", audit);
	fake_kernel_symbol(k, "auditd_conn", receiver);
	fake_kernel_symbol(k, "console_printk", console);
	fake_kernel_put64(k, bounding, 0xff);
	fake_kernel_put(k, audit, 1, 4);
	fake_kernel_put(k, console, 4, 4);
	assert_string_equal(look(k, &findings), "");
	/* Root may take capabilities from helper programs; nobody gives them back, be it others. */
	fake_kernel_put64(k, bounding, 0x0f);
	assert_string_equal(look(k, &findings), "");
	fake_kernel_put64(k, bounding, 0x1e);
	assert_string_equal(look(k, &findings), "settings/usermodehelper_bset");
	fake_kernel_put64(k, bounding, 0x0e);
	assert_string_equal(look(k, &findings), "");
	fake_kernel_put(k, console, 0, 4);
	assert_string_equal(look(k, &findings), "settings/console_printk");
	fake_kernel_put(k, console, 1, 4);
	fake_kernel_put64(k, receiver, BASE);
	assert_string_equal(look(k, &findings), "");
	fake_kernel_put(k, audit, 0, 4);
	assert_string_equal(look(k, &findings), "settings/audit_enabled");
	ksma_findings_deinit(&findings);
	for (size_t i = 0; i < KSMA_MEMORIES; i++)
		if (k->kernel.memories[i].data)
			k->kernel.memories[i].destroy(k->kernel.memories[i].data);
	fake_kernel_destroy(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_letters),
		cmocka_unit_test(test_from_look_to_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
