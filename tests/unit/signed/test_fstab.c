/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /etc/fstab of an image: fields, blanks in names, and lines that make no sense. */
#include "unit.h"

#include "fail_alloc.h"
#include "signed/builder.h"
#include "signed/fstab.h"

static const char usual[] = "# /etc/fstab\n"
			    "\n"
			    "UUID=abc / ext4 errors=remount-ro 0 1\n"
			    "\tLABEL=BOOT  /boot\text4\n"
			    "/dev/vda3 /with\\040blank\\134 vfat umask=0077\n"
			    "UUID=def none swap sw 0 0\n"
			    "nonsense\n"
			    "/dev/sr0 /media/cd udf";

static struct ksma_error *parse(void *state)
{
	struct signed_fstab fstab = { 0 };
	struct ksma_error *error = signed_fstab_parse(usual, sizeof(usual) - 1, &fstab);

	if (error)
		assert_null(fstab.items);
	signed_fstab_deinit(&fstab);
	return error;
}

static void test_usual(void **state)
{
	struct signed_fstab fstab;

	assert_ok(signed_fstab_parse(usual, sizeof(usual) - 1, &fstab));
	assert_int_equal(fstab.count, 4);
	assert_string_equal(fstab.items[0].what, "UUID=abc");
	assert_string_equal(fstab.items[0].where, "/");
	assert_string_equal(fstab.items[0].kind, "ext4");
	assert_string_equal(fstab.items[1].what, "LABEL=BOOT");
	assert_string_equal(fstab.items[1].where, "/boot");
	assert_string_equal(fstab.items[2].where, "/with blank\\");
	assert_string_equal(fstab.items[3].kind, "udf");
	signed_fstab_deinit(&fstab);
	fail_alloc_each(parse, NULL, FAIL_ALLOC_STRICT);
}

static void test_odd(void **state)
{
	static const char odd[] = "a /x\\04 k\n\\043x /y k\nb /z\n\\000c /w k\n";
	struct signed_fstab fstab;

	assert_ok(signed_fstab_parse(odd, sizeof(odd) - 1, &fstab));
	assert_int_equal(fstab.count, 2);
	assert_string_equal(fstab.items[0].where, "/x\\04");
	assert_string_equal(fstab.items[1].kind, "");
	signed_fstab_deinit(&fstab);
	assert_ok(signed_fstab_parse("", 0, &fstab));
	assert_int_equal(fstab.count, 0);
}

static void test_paths(void **state)
{
	static const struct {
		const char *path, *plain; /* NULL: refused */
	} cases[] = {
		{ "./usr/bin/x", "/usr/bin/x" },
		{ "/usr//bin/./x", "/usr/bin/x" },
		{ "usr/", "/usr" },
		{ "..x/y..", "/..x/y.." },
		{ "a/../b", NULL },
		{ "..", NULL },
		{ "/", NULL },
		{ "", NULL },
		{ "./.", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *plain = NULL;

		if (!cases[i].plain) {
			assert_error(signed_plain_path(cases[i].path, &plain), KSMA_ERROR_BAD_DATA);
			continue;
		}
		assert_ok(signed_plain_path(cases[i].path, &plain));
		assert_string_equal(plain, cases[i].plain);
		free(plain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
