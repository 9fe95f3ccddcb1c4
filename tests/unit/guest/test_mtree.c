/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `info mtree -f` of real guests becomes a layout of RAM, and what is no such text is refused. */
#include "unit.h"

#include "fail_alloc.h"
#include "guest/mtree.h"
#include "guest/sample.h"

struct expected {
	uint64_t gpa, size, offset;
	const char *backend;
};

static bool is_one_of(const char *backend, void *arg)
{
	for (const char *const *name = arg; *name; name++)
		if (strcmp(backend, *name) == 0)
			return true;
	return false;
}

static void assert_layout(const char *sample, const char *const *backends,
			  const struct expected *expected, size_t count)
{
	struct ksma_mtree mtree;
	size_t length;
	char *text = sample_read(sample, &length);

	assert_ok(ksma_mtree_parse(text, length, &mtree));
	ksma_mtree_filter(&mtree, is_one_of, (void *)backends);
	assert_int_equal(mtree.count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(mtree.items[i].gpa, expected[i].gpa);
		assert_int_equal(mtree.items[i].size, expected[i].size);
		assert_int_equal(mtree.items[i].offset, expected[i].offset);
		assert_string_equal(mtree.items[i].backend, expected[i].backend);
	}
	ksma_mtree_free(&mtree);
	free(text);
}

/* Backends with whole paths (an old machine type), a video window, video memory, write-protected RAM, a DIMM. */
static void test_dimm(void **state)
{
	static const char *const backends[] = { "r0", "mem1", NULL };
	static const struct expected expected[] = {
		{ 0, 0xa0000, 0, "r0" },
		{ 0xc0000, 0xc0000000 - 0xc0000, 0xc0000, "r0" },
		{ 0x100000000, 0x80000000, 0xc0000000, "r0" },
		{ 0x180000000, 0x40000000, 0, "mem1" },
	};

	assert_layout("mtree-i440fx-dimm.txt", backends, expected, ARRAY_SIZE(expected));
}

/* The views of the vCPUs in system management mode come first and are not taken. */
static void test_q35(void **state)
{
	static const char *const backends[] = { "ram0", NULL };
	static const struct expected expected[] = { { 0, 0x40000000, 0, "ram0" } };

	assert_layout("mtree-q35-smm.txt", backends, expected, ARRAY_SIZE(expected));
}

/* KVM's mark behind a range is no part of the name. */
static void test_kvm(void **state)
{
	static const char *const backends[] = { "pc.ram", NULL };
	static const struct expected expected[] = { { 0, 0x10000000, 0, "pc.ram" } };

	assert_layout("mtree-kvm.txt", backends, expected, ARRAY_SIZE(expected));
}

static void assert_refused(const char *lines)
{
	_cleanup_free_ char *text = NULL;
	struct ksma_mtree mtree = { .count = 99 };

	assert_ok(ksma_asprintf(&text, "FlatView #0\n AS \"memory\", root: system\n%s", lines));
	assert_error(ksma_mtree_parse(text, strlen(text), &mtree), KSMA_ERROR_BAD_DATA);
	assert_int_equal(mtree.count, 99);
}

static void test_refused(void **state)
{
	struct ksma_mtree mtree;

	assert_error_says(ksma_mtree_parse("", 0, &mtree), KSMA_ERROR_BAD_DATA, "no address space");
	assert_refused("  0000000000001000-0000000000000fff (prio 0, ram): a\n");
	assert_refused("  0000000000000000-ffffffffffffffff (prio 0, ram): a\n");
	assert_refused("  0000000000000000-000000000000ffff (prio 0, ram): \n");
	assert_refused("  0000000000000000-000000000000ffff (prio 0, ram): a @00000000000000zz\n");
	assert_refused("  0000000000000000-000000000000ffff (prio 0, ram): a @ffffffffffffffff\n");
	assert_refused("  0000000000000000 is not a range\n");
	assert_refused("  0000000000000000-000000000000ffff (prio 0, ram): a\n"
		       "  0000000000008000-000000000001ffff (prio 0, ram): b\n");
	assert_refused("  0000000000100000-00000000001fffff (prio 0, ram): a\n"
		       "  0000000000000000-000000000000ffff (prio 0, ram): b\n");
}

static void test_odd_names(void **state)
{
	static const char text[] =
		"FlatView #0\n AS \"memory\", root: system\n"
		"  0000000000000000-000000000000ffff (prio -5, ram): a, ram): b c KVM KVM\n"
		"  0000000000010000-000000000001ffff (prio 0, ram): x @0000000000020000 KVM\n"
		"  0000000000020000-000000000002ffff (prio 0, nv-ram): nvdimm\n"
		"FlatView #1\n AS \"memory\", root: other\n"
		"  0000000000000000-000000000000ffff (prio 0, ram): late\n";
	struct ksma_mtree mtree;

	assert_ok(ksma_mtree_parse(text, strlen(text), &mtree));
	assert_int_equal(mtree.count, 2);
	assert_string_equal(mtree.items[0].backend, "a, ram): b c");
	assert_string_equal(mtree.items[1].backend, "x");
	assert_int_equal(mtree.items[1].offset, 0x20000);
	ksma_mtree_free(&mtree);
}

static struct ksma_error *run(void *text)
{
	struct ksma_mtree mtree;

	KSMA_TRY(ksma_mtree_parse(text, strlen(text), &mtree));
	ksma_mtree_free(&mtree);
	return NULL;
}

static void test_no_memory(void **state)
{
	char *text = sample_read("mtree-i440fx-dimm.txt", NULL);

	assert_true(fail_alloc_each(run, text, FAIL_ALLOC_STRICT) >= 1);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dimm),	  cmocka_unit_test(test_q35),
		cmocka_unit_test(test_kvm),	  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_odd_names), cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
