/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exceptions: what a file may say, and which findings it covers, until when. */
#include "unit.h"

#include "checks/check.h"
#include "fail_alloc.h"

#define NOW 1800000000000000000ull /* 2027-01-15 */

static struct ksma_error *parse(const char *text, struct ksma_exceptions *ret)
{
	return ksma_exceptions_parse("file", text, strlen(text), ret);
}

static void test_file(void **state)
{
	struct ksma_exceptions x = { 0 };

	(void)state;
	assert_ok(parse("", &x));
	assert_int_equal(x.count, 0);
	assert_ok(
		parse("{\"finding\":\"a/1\",\"reason\":\"r\",\"expires\":\"2027-01-31\"}\n"
		      "[{\"finding\":\"b/*\",\"reason\":\"s\",\"expires\":\"2027-01-31T12:00:00Z\","
		      "\"evidence\":{\"owner\":\"module x\",\"slot\":59}}]\n",
		      &x));
	assert_int_equal(x.count, 2);
	assert_string_equal(x.items[0].finding, "a/1");
	assert_int_equal(x.items[0].expires_ns, 1801440000ull * 1000000000u); /* the day's end */
	assert_int_equal(x.items[1].expires_ns, 1801396800ull * 1000000000u);
	assert_int_equal(x.items[1].count, 2);
	assert_string_equal(x.items[1].items[1].value, "59");
	ksma_exceptions_free(&x);
	assert_int_equal(x.count, 0);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "{\"finding\":\"a/1\",\"expires\":\"2027-01-31\"}", "no \"reason\"" },
		{ "{\"finding\":\"a/1\",\"reason\":\"\",\"expires\":\"2027-01-31\"}",
		  "no \"reason\"" },
		{ "{\"finding\":\"a/1\",\"reason\":\"r\"}", "no \"expires\"" },
		{ "{\"finding\":\"a/1\",\"reason\":\"r\",\"expires\":\"never\"}", "not a day" },
		{ "{\"finding\":\"a/1\",\"reason\":\"r\",\"expires\":\"2027-01-31 or so\"}",
		  "not a day" },
		{ "{\"reason\":\"r\",\"expires\":\"2027-01-31\"}", "no \"finding\"" },
		{ "{\"finding\":\"a/*\",\"reason\":\"r\",\"expires\":\"2027-01-31\"}",
		  "needs \"evidence\"" },
		{ "{\"finding\":\"a/1\",\"reason\":\"r\",\"expires\":\"2027-01-31\",\"until\":1}",
		  "none of" },
		{ "{\"finding\":\"a/1\",\"reason\":\"r\",\"expires\":\"2027-01-31\",\"evidence\":[]}",
		  "not an object" },
		{ "{\"finding\":\"a/1\",\"reason\":\"r\",\"expires\":\"2027-01-31\",\"evidence\":{\"k\":null}}",
		  "neither text nor a number" },
		{ "{\"finding\":", "in the middle" },
		{ "7 ", "not an object" },
		{ "}", "exception 1: " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ksma_exceptions x = { 0 };

		assert_error_says(parse(cases[i].text, &x), KSMA_ERROR_INVALID, cases[i].says);
		assert_int_equal(x.count, 0);
	}
}

/* A report of one finding, made as checks make them. */
static void make_report(struct ksma_report *report, const char *owner)
{
	struct ksma_finding *f;
	struct ksma_look look = { .check = "a", .findings = &report->findings };

	assert_ok(ksma_finding_add(&look, KSMA_SEVERITY_HIGH, &f, "%s", "one"));
	assert_ok(ksma_finding_text(f, "found_owner", "%s", owner));
	assert_ok(ksma_finding_number(f, "slot", 59));
}

static size_t excepted(const char *text, uint64_t now_ns)
{
	struct ksma_exceptions x = { 0 };
	struct ksma_report report = { 0 };
	size_t count;

	assert_ok(parse(text, &x));
	make_report(&report, "module x");
	assert_ok(ksma_exceptions_apply(&x, now_ns, &report));
	count = report.excepted.count;
	assert_int_equal(report.findings.count + count, 1);
	ksma_report_free(&report);
	ksma_exceptions_free(&x);
	return count;
}

#define RECORD(finding, rest)                                                                      \
	"{\"finding\":\"" finding "\",\"reason\":\"r\",\"expires\":\"2027-01-31\"" rest "}"

static void test_covers(void **state)
{
	(void)state;
	assert_int_equal(excepted(RECORD("a/one", ""), NOW), 1);
	assert_int_equal(excepted(RECORD("a/on", ""), NOW), 0);
	assert_int_equal(
		excepted(RECORD("a/one", ",\"evidence\":{\"found_owner\":\"module x\"}"), NOW), 1);
	assert_int_equal(
		excepted(RECORD("a/one", ",\"evidence\":{\"found_owner\":\"module y\"}"), NOW), 0);
	assert_int_equal(excepted(RECORD("a/one", ",\"evidence\":{\"slot\":59}"), NOW), 1);
	assert_int_equal(excepted(RECORD("a/one", ",\"evidence\":{\"nothing\":59}"), NOW), 0);
	assert_int_equal(
		excepted(RECORD("a/*", ",\"evidence\":{\"found_owner\":\"module x\"}"), NOW), 1);
	assert_int_equal(
		excepted(RECORD("b/*", ",\"evidence\":{\"found_owner\":\"module x\"}"), NOW), 0);
	/* Its last second, and the one after. */
	assert_int_equal(excepted(RECORD("a/one", ""), 1801439999ull * 1000000000u), 1);
	assert_int_equal(excepted(RECORD("a/one", ""), 1801440000ull * 1000000000u), 0);
}

static void test_stable(void **state)
{
	const struct {
		struct ksma_evidence evidence;
		bool stable;
	} cases[] = {
		{ { (char *)"found_symbol", (char *)"x+0x1", false }, true },
		{ { (char *)"found_owner", (char *)"nobody", false }, true },
		{ { (char *)"found", (char *)"0xffffffff81000000", false }, false },
		{ { (char *)"found_frame", (char *)"12", false }, false },
		{ { (char *)"found_code", (char *)"jmp 0x1", false }, false },
		{ { (char *)"pid", (char *)"12", true }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(ksma_evidence_is_stable(&cases[i].evidence), cases[i].stable);
}

static struct ksma_error *parse_and_apply(void *state)
{
	struct ksma_exceptions x = { 0 };
	struct ksma_error *error;

	(void)state;
	error = parse(RECORD("a/one", ",\"evidence\":{\"slot\":59,\"found_owner\":\"module x\"}"),
		      &x);
	if (error)
		assert_int_equal(x.count, 0);
	ksma_exceptions_free(&x);
	return error;
}

static void test_no_memory(void **state)
{
	/* json-c tells neither what failed nor that memory did: an error of the record is as good. */
	(void)state;
	assert_true(fail_alloc_each(parse_and_apply, NULL, FAIL_ALLOC_STRICT) > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),	  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_covers),	  cmocka_unit_test(test_stable),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
