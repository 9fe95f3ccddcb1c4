/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operands: what is understood, what is refused, and that a refusal names the thing and an example. */
#include "unit.h"

#include "cli/parse.h"

static void test_numbers(void **state)
{
	uint64_t v = 7;

	assert_ok(cli_parse_number("n", "0", &v));
	assert_int_equal(v, 0);
	assert_ok(cli_parse_number("n", "0x10", &v));
	assert_int_equal(v, 16);
	assert_ok(cli_parse_number("n", "18446744073709551615", &v));
	assert_true(v == UINT64_MAX);
	v = 7;
	assert_error_says(cli_parse_number("the count", "x", &v), KSMA_ERROR_INVALID, "the count");
	static const char *const bad[] = { "",
					   "-1",
					   "+1",
					   " 1",
					   "1 ",
					   "0x",
					   "1x",
					   "18446744073709551616",
					   "0x10000000000000000" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_error(cli_parse_number("n", bad[i], &v), KSMA_ERROR_INVALID);
	assert_int_equal(v, 7);
}

static void test_sizes(void **state)
{
	uint64_t v = 7;

	assert_ok(cli_parse_size("s", "64", &v));
	assert_int_equal(v, 64);
	assert_ok(cli_parse_size("s", "4K", &v));
	assert_int_equal(v, 4096);
	assert_ok(cli_parse_size("s", "0x2m", &v));
	assert_int_equal(v, 2 << 20);
	assert_ok(cli_parse_size("s", "1G", &v));
	assert_int_equal(v, 1 << 30);
	v = 7;
	static const char *const bad[] = { "",	  "K", "4KB", "4 K", "-4K", "99999999999999999T",
					   "4.5K" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_error(cli_parse_size("s", bad[i], &v), KSMA_ERROR_INVALID);
	assert_int_equal(v, 7);
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = { { "1", 1000 },	  { "1s", 1000 },      { "1.5", 1500 },
		     { "0.25s", 250 },	  { "500ms", 500 },    { "2m", 120000 },
		     { "24h", 86400000 }, { "1.0009s", 1000 }, { "0.001", 1 } };
	static const char *const bad[] = {
		"",	    "0",   "0s", "-1",	"1x",
		"1 s",	    "25h", "ms", "1e3", "99999999999999999999999999",
		"0.0001ms", "."
	};
	uint64_t ms = 7;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_ok(cli_parse_duration("t", good[i].text, &ms));
		assert_int_equal(ms, good[i].ms);
	}
	ms = 7;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_error(cli_parse_duration("t", bad[i], &ms), KSMA_ERROR_INVALID);
	assert_int_equal(ms, 7);
}

static void test_pids(void **state)
{
	int32_t pid = 7;

	assert_ok(cli_parse_pid("1", &pid));
	assert_int_equal(pid, 1);
	assert_ok(cli_parse_pid("2147483647", &pid));
	assert_error(cli_parse_pid("2147483648", &pid), KSMA_ERROR_INVALID);
	assert_error(cli_parse_pid("-1", &pid), KSMA_ERROR_INVALID);
	assert_error(cli_parse_pid("init", &pid), KSMA_ERROR_INVALID);
	assert_int_equal(pid, INT32_MAX);
}

static void test_places(void **state)
{
	char *name = (char *)"x";
	uint64_t v = 7;

	assert_ok(cli_parse_place("0xffffffff81000000", &name, &v));
	assert_null(name);
	assert_true(v == 0xffffffff81000000);
	assert_ok(cli_parse_place("ffffffff81000000", &name, &v));
	assert_null(name);
	assert_true(v == 0xffffffff81000000);
	assert_ok(cli_parse_place("4096", &name, &v));
	assert_null(name);
	assert_int_equal(v, 4096);
	assert_ok(cli_parse_place("init_task", &name, &v));
	assert_string_equal(name, "init_task");
	assert_int_equal(v, 0);
	free(name);
	assert_ok(cli_parse_place("init_task+0x40", &name, &v));
	assert_string_equal(name, "init_task");
	assert_int_equal(v, 0x40);
	free(name);
	assert_ok(cli_parse_place("_text-16", &name, &v));
	assert_string_equal(name, "_text");
	assert_true(v == (uint64_t)-16);
	free(name);
	/* Sixteen digits are an address, fifteen a name. */
	assert_ok(cli_parse_place("fffffff81000000", &name, &v));
	assert_string_equal(name, "fffffff81000000");
	free(name);
	name = NULL;
	static const char *const bad[] = { "",	   "+4",    "a+",   "a+x", "a+0x",
					   "a+4k", "a+1+1", "0xzz", "1a" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_error(cli_parse_place(bad[i], &name, &v), KSMA_ERROR_INVALID);
	assert_null(name);
}

static void test_share(void **state)
{
	static const char *const bad[] = { "",	  "1",	    "0%", "101%", "1 %",
					   "-1%", "100.1%", "%",  "1%%",  "0.00001%" };
	uint64_t value;

	assert_ok(cli_parse_share("--cpu", "1%", &value));
	assert_int_equal(value, 10000);
	assert_ok(cli_parse_share("--cpu", "0.25%", &value));
	assert_int_equal(value, 2500);
	assert_ok(cli_parse_share("--cpu", "100%", &value));
	assert_int_equal(value, 1000000);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_error(cli_parse_share("--cpu", bad[i], &value), KSMA_ERROR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_share), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_sizes), cmocka_unit_test(test_durations),
		cmocka_unit_test(test_pids),  cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
