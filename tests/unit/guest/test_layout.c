/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory map that a command line implies is the one that QEMU makes of it (numbers as `info mtree -f` showed them). */
#include "unit.h"

#include "guest/layout.h"

struct piece {
	uint64_t gpa, size, offset;
	const char *backend;
};

static void assert_pieces(const char *words, size_t length, const struct piece *pieces,
			  size_t count)
{
	struct ksma_cmdline cmdline;
	struct ksma_mtree layout;

	assert_ok(ksma_cmdline_parse(words, length, &cmdline));
	assert_ok(ksma_layout_from_cmdline(&cmdline, &layout));
	assert_int_equal(layout.count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(layout.items[i].gpa, pieces[i].gpa);
		assert_int_equal(layout.items[i].size, pieces[i].size);
		assert_int_equal(layout.items[i].offset, pieces[i].offset);
		assert_string_equal(layout.items[i].backend, pieces[i].backend);
	}
	ksma_mtree_free(&layout);
	ksma_cmdline_free(&cmdline);
}

/* Words with "\0" between them. */
#define LAYOUT(words, ...)                                                                         \
	do {                                                                                       \
		static const struct piece pieces[] = { __VA_ARGS__ };                              \
		assert_pieces("qemu\0" words, sizeof("qemu\0" words), pieces, ARRAY_SIZE(pieces)); \
	} while (0)

#define LOW(backend)                                                                               \
	{                                                                                          \
		0, 0xa0000, 0, backend                                                             \
	}

static void test_i440fx(void **state)
{
	LAYOUT("-m\0"
	       "512",
	       LOW("pc.ram"), { 0xc0000, 0x20000000 - 0xc0000, 0xc0000, "pc.ram" });
	LAYOUT("-M\0pc\0-m\0"
	       "3500M",
	       LOW("pc.ram"), { 0xc0000, 0xdac00000 - 0xc0000, 0xc0000, "pc.ram" });
	LAYOUT("-M\0pc-i440fx-7.2\0-m\0"
	       "3584M",
	       LOW("pc.ram"), { 0xc0000, 0xc0000000 - 0xc0000, 0xc0000, "pc.ram" },
	       { 0x100000000, 0x20000000, 0xc0000000, "pc.ram" });
	LAYOUT("-m\0"
	       "5G",
	       LOW("pc.ram"), { 0xc0000, 0xc0000000 - 0xc0000, 0xc0000, "pc.ram" },
	       { 0x100000000, 0x80000000, 0xc0000000, "pc.ram" });
	LAYOUT("-machine\0pc,max-ram-below-4g=2G\0-m\0"
	       "5G",
	       LOW("pc.ram"), { 0xc0000, 0x80000000 - 0xc0000, 0xc0000, "pc.ram" },
	       { 0x100000000, 0xc0000000, 0x80000000, "pc.ram" });
}

static void test_q35(void **state)
{
	LAYOUT("-M\0q35\0-m\0"
	       "2800M",
	       LOW("pc.ram"), { 0xc0000, 0xaf000000 - 0xc0000, 0xc0000, "pc.ram" });
	LAYOUT("-M\0q35\0-m\0"
	       "2816M",
	       LOW("pc.ram"), { 0xc0000, 0x80000000 - 0xc0000, 0xc0000, "pc.ram" },
	       { 0x100000000, 0x30000000, 0x80000000, "pc.ram" });
}

static void test_microvm(void **state)
{
	LAYOUT("-M\0microvm\0-m\0"
	       "4G",
	       { 0, 0xc0000000, 0, "microvm.ram" },
	       { 0x100000000, 0x40000000, 0xc0000000, "microvm.ram" });
}

static void test_nodes(void **state)
{
	LAYOUT("-M\0q35\0-m\0"
	       "4G\0-object\0memory-backend-memfd,id=b,size=1G\0-object\0memory-backend-memfd,id=a,size=3G\0"
	       "-numa\0node,nodeid=1,memdev=b\0-numa\0node,nodeid=0,memdev=a",
	       LOW("a"), { 0xc0000, 0x80000000 - 0xc0000, 0xc0000, "a" },
	       { 0x100000000, 0x40000000, 0x80000000, "a" }, { 0x140000000, 0x40000000, 0, "b" });
}

static void test_dimms(void **state)
{
	LAYOUT("-M\0q35\0-m\0"
	       "1G,slots=2,maxmem=4G\0-object\0memory-backend-ram,id=m1,size=512M\0-device\0pc-dimm,memdev=m1\0"
	       "-object\0{\"qom-type\":\"memory-backend-ram\",\"id\":\"m2\",\"size\":1073741824}\0"
	       "-device\0{\"driver\":\"pc-dimm\",\"memdev\":\"m2\",\"addr\":\"0x180000000\"}",
	       LOW("pc.ram"), { 0xc0000, 0x40000000 - 0xc0000, 0xc0000, "pc.ram" },
	       { 0x100000000, 0x20000000, 0, "m1" }, { 0x180000000, 0x40000000, 0, "m2" });
}

static void assert_refused(const char *words, size_t length, enum ksma_error_code code)
{
	struct ksma_cmdline cmdline;
	struct ksma_mtree layout = { .count = 5 };

	assert_ok(ksma_cmdline_parse(words, length, &cmdline));
	assert_error(ksma_layout_from_cmdline(&cmdline, &layout), code);
	assert_int_equal(layout.count, 5);
	ksma_cmdline_free(&cmdline);
}

#define REFUSED(words, code) assert_refused("qemu\0" words, sizeof("qemu\0" words), code)

static void test_refused(void **state)
{
	REFUSED("-M\0xenfv\0-m\0"
		"1G",
		KSMA_ERROR_UNSUPPORTED);
	REFUSED("-M\0none", KSMA_ERROR_UNSUPPORTED);
	REFUSED("-m\0"
		"8000000T",
		KSMA_ERROR_BAD_DATA);
	REFUSED("-m\0"
		"1G\0-machine\0pc,memory-backend=nosuch",
		KSMA_ERROR_BAD_DATA);
	REFUSED("-m\0"
		"1G\0-machine\0pc,memory-backend=a\0-object\0memory-backend-ram,id=a,size=0",
		KSMA_ERROR_BAD_DATA);
	REFUSED("-m\0"
		"1G\0-object\0memory-backend-ram,id=a,size=16000000T\0-device\0pc-dimm,memdev=a",
		KSMA_ERROR_BAD_DATA);
	REFUSED("-m\0"
		"1G\0-object\0memory-backend-ram,id=a,size=1G\0-device\0pc-dimm,memdev=a,addr=0x1000",
		KSMA_ERROR_BAD_DATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_i440fx),	cmocka_unit_test(test_q35),
		cmocka_unit_test(test_microvm), cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_dimms),	cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
