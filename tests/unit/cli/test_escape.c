/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nothing that a guest calls itself may command a terminal, hide, or be mistaken for something else. */
#include "unit.h"

#include <locale.h>

#include "cli/escape.h"

static char out[1024];

static const char *escape(const char *bytes, size_t length, bool utf8)
{
	size_t n = cli_escape(bytes, length, utf8, out);

	assert_int_equal(n, strlen(out));
	assert_true(n <= CLI_ESCAPED_MAX * length);
	return out;
}

#define ESCAPE(literal, utf8) escape(literal, sizeof(literal) - 1, utf8)

static void test_plain_text_stays(void **state)
{
	assert_string_equal(ESCAPE("", true), "");
	assert_string_equal(ESCAPE("/usr/bin/a b~", true), "/usr/bin/a b~");
	assert_string_equal(ESCAPE("gr\xc3\xbc\xc3\x9f", true), "gr\xc3\xbc\xc3\x9f");
	assert_string_equal(ESCAPE("\xe2\x82\xac \xf0\x9f\x98\x80", true),
			    "\xe2\x82\xac \xf0\x9f\x98\x80");
}

static void test_controls_are_shown(void **state)
{
	assert_string_equal(ESCAPE("\033[2J\033]0;x\007", true), "\\x1b[2J\\x1b]0;x\\x07");
	assert_string_equal(ESCAPE("a\nb\r\tc\x7f", true), "a\\x0ab\\x0d\\x09c\\x7f");
	assert_string_equal(ESCAPE("a\0b", true), "a\\x00b");
	/* CSI as one C1 character, raw and in UTF-8. */
	assert_string_equal(ESCAPE("\x9b"
				   "31m",
				   true),
			    "\\x9b31m");
	assert_string_equal(ESCAPE("\xc2\x9b"
				   "31m",
				   true),
			    "\\xc2\\x9b31m");
}

static void test_nothing_is_lost(void **state)
{
	assert_string_equal(ESCAPE("\\x1b", true), "\\\\x1b");
}

static void test_text_that_turns_or_hides(void **state)
{
	assert_string_equal(ESCAPE("\xe2\x80\xae"
				   "gpj.exe",
				   true),
			    "\\xe2\\x80\\xaegpj.exe");
	assert_string_equal(ESCAPE("a\xe2\x80\x8b"
				   "b",
				   true),
			    "a\\xe2\\x80\\x8b"
			    "b");
	assert_string_equal(ESCAPE("\xf3\xa0\x81\x81", true), "\\xf3\\xa0\\x81\\x81");
	assert_string_equal(ESCAPE("\xef\xbf\xbf", true), "\\xef\\xbf\\xbf");
}

static void test_broken_utf8(void **state)
{
	assert_string_equal(ESCAPE("\xc3", true), "\\xc3");
	assert_string_equal(ESCAPE("\xc0\xaf", true), "\\xc0\\xaf");
	assert_string_equal(ESCAPE("\xe0\x80\xaf", true), "\\xe0\\x80\\xaf");
	assert_string_equal(ESCAPE("\xed\xa0\x80", true), "\\xed\\xa0\\x80");
	assert_string_equal(ESCAPE("\xf4\x90\x80\x80", true), "\\xf4\\x90\\x80\\x80");
	assert_string_equal(ESCAPE("\xe2\x82"
				   "A",
				   true),
			    "\\xe2\\x82"
			    "A");
}

static void test_ascii_only(void **state)
{
	assert_string_equal(ESCAPE("gr\xc3\xbc"
				   "n",
				   false),
			    "gr\\xc3\\xbcn");
	for (int c = 0; c < 256; c++) {
		char byte = (char)c;

		for (const char *p = escape(&byte, 1, false); *p; p++)
			assert_true(*p >= 0x20 && *p < 0x7f);
	}
}

/* Every pair of bytes: what comes out holds no control and is UTF-8 that decodes to what may be shown. */
static void test_every_pair(void **state)
{
	for (int a = 0; a < 256; a++)
		for (int b = 0; b < 256; b++) {
			char pair[] = { (char)a, (char)b };
			size_t n = cli_escape(pair, 2, true, out);

			for (size_t i = 0; i < n;) {
				uint32_t character;
				size_t length = cli_utf8_decode(out + i, n - i, &character);

				assert_int_not_equal(length, 0);
				assert_true(cli_is_printable(character));
				i += length;
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_text_stays),
		cmocka_unit_test(test_controls_are_shown),
		cmocka_unit_test(test_nothing_is_lost),
		cmocka_unit_test(test_text_that_turns_or_hides),
		cmocka_unit_test(test_broken_utf8),
		cmocka_unit_test(test_ascii_only),
		cmocka_unit_test(test_every_pair),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
