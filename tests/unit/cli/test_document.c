/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Findings in a document, sizes and times for people: also those that a guest made up. */
#include "unit.h"

#include <json-c/json.h>

#include "cli/output.h"

static void test_sizes(void **state)
{
	char buffer[CLI_BUFFER];

	assert_string_equal(cli_format_size(0, buffer), "0 B");
	assert_string_equal(cli_format_size(1023, buffer), "1023 B");
	assert_string_equal(cli_format_size(1 << 30, buffer), "1 GiB");
	assert_string_equal(cli_format_size(1536, buffer), "1.5 KiB");
	assert_string_equal(cli_format_size(UINT64_MAX, buffer), "16777216 TiB");
}

static void test_durations(void **state)
{
	char buffer[CLI_BUFFER];

	assert_string_equal(cli_format_us(0, buffer), "0 us");
	assert_string_equal(cli_format_us(2512, buffer), "2.5 ms");
	assert_string_equal(cli_format_us(1500000, buffer), "1.50 s");
}

static void test_times(void **state)
{
	char buffer[CLI_BUFFER];

	assert_string_equal(cli_format_time(1795397586123456789, buffer),
			    "2026-11-23T01:33:06.123Z");
	assert_string_equal(cli_format_time(1, buffer), "1970-01-01T00:00:00.000Z");
	/* A guest may claim any. */
	assert_true(strlen(cli_format_time(UINT64_MAX, buffer)) < CLI_BUFFER);
}

/* Evidence with the same key twice, a forged number, hostile text: nothing is lost and the document stays one. */
static void test_finding(void **state)
{
	struct ksma_evidence items[] = {
		{ (char *)"slot", (char *)"59", true },
		{ (char *)"entry", (char *)"a", false },
		{ (char *)"entry", (char *)"b\"\033\xff", false },
		{ (char *)"forged", (char *)"1,\"x\":2", true },
		{ (char *)"padded", (char *)"007", true },
		{ (char *)"large", (char *)"18446744073709551615", true },
	};
	struct ksma_finding finding = {
		.id = (char *)"c/1",
		.check = "c",
		.severity = KSMA_SEVERITY_HIGH,
		.title = (char *)"t\n",
		.attack = "T1014",
		.items = items,
		.count = ARRAY_SIZE(items),
	};
	struct cli_json json = { 0 };
	char *text = NULL;
	size_t size;

	json.out = open_memstream(&text, &size);
	assert_non_null(json.out);
	cli_json_finding(&json, NULL, &finding);
	fclose(json.out);
	assert_string_equal(
		text,
		"{\"id\":\"c/1\",\"check\":\"c\",\"severity\":\"high\",\"title\":\"t\\n\",\"attack\":\"T1014\","
		"\"evidence\":{\"slot\":59,\"entry\":\"a\",\"entry_2\":\"b\\\"\\u001b\\ufffd\","
		"\"forged\":\"1,\\\"x\\\":2\",\"padded\":\"007\",\"large\":18446744073709551615},"
		"\"exception\":{\"finding\":\"c/1\",\"evidence\":{\"entry\":\"a\"}}}\n");
	free(text);
}

static void test_status(void **state)
{
	struct cli cli = { 0 };

	cli_status_raise(&cli, CLI_INCOMPLETE);
	assert_int_equal(cli.status, CLI_INCOMPLETE);
	cli_status_raise(&cli, CLI_FINDINGS);
	assert_int_equal(cli.status, CLI_FINDINGS);
	cli_status_raise(&cli, CLI_INCOMPLETE);
	assert_int_equal(cli.status, CLI_FINDINGS);
	cli_status_raise(&cli, CLI_INTERNAL);
	assert_int_equal(cli.status, CLI_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),  cmocka_unit_test(test_durations),
		cmocka_unit_test(test_times),  cmocka_unit_test(test_finding),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
