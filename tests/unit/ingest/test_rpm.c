/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The headers of .rpm files: what the package says it is, and headers that lie. */
#include "unit.h"

#include "ingest/rpm.h"

struct file {
	uint8_t data[1024];
	size_t length;
};

static void put32(struct file *f, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(f->data + f->length, &value, 4);
	f->length += 4;
}

static void put_head(struct file *f, uint32_t count, uint32_t size)
{
	put32(f, 0x8eade801);
	put32(f, 0);
	put32(f, count);
	put32(f, size);
}

static void put_entry(struct file *f, uint32_t tag, uint32_t type, uint32_t offset)
{
	put32(f, tag);
	put32(f, type);
	put32(f, offset);
	put32(f, 1);
}

/* Lead, signatures with 5 bytes that are padded to 8, and a header. */
static struct file make(void)
{
	static const char store[] = "kernel-core|6.1.0|1.el9|x86_64";
	struct file f = { .length = 96 };

	put_head(&f, 0, 5);
	f.length += 8;
	put_head(&f, 5, sizeof(store));
	put_entry(&f, 1000, 6, 0);
	put_entry(&f, 1001, 6, 12);
	put_entry(&f, 1002, 6, 18);
	put_entry(&f, 1022, 6, 24);
	put_entry(&f, 1003, 4, 0);
	memcpy(f.data + f.length, store, sizeof(store));
	for (size_t i = 0; i < sizeof(store); i++)
		if (f.data[f.length + i] == '|')
			f.data[f.length + i] = 0;
	f.length += sizeof(store);
	return f;
}

static void test_what_it_says(void **state)
{
	struct file f = make();
	struct rpm_info info;

	assert_ok(rpm_parse(f.data, f.length, &info));
	assert_string_equal(info.name, "kernel-core");
	assert_string_equal(info.version, "6.1.0");
	assert_string_equal(info.release, "1.el9");
	assert_string_equal(info.architecture, "x86_64");
}

static void test_cut(void **state)
{
	struct file f = make();
	struct rpm_info info;

	for (size_t n = 0; n < f.length; n++)
		assert_error(rpm_parse(f.data, n, &info), KSMA_ERROR_BAD_DATA);
}

static void test_lies(void **state)
{
	struct file f = make();
	struct rpm_info info;
	size_t entries = 96 + 16 + 8 + 16;

	memset(f.data + entries + 8, 0xff, 4); /* a name outside */
	assert_error_says(rpm_parse(f.data, f.length, &info), KSMA_ERROR_BAD_DATA, "what it is");
	f = make();
	memset(f.data + entries - 8, 0xff, 4); /* a number of entries */
	assert_error(rpm_parse(f.data, f.length, &info), KSMA_ERROR_BAD_DATA);
	f = make();
	memset(f.data + 96 + 12, 0xff, 4); /* a size of the signatures */
	assert_error(rpm_parse(f.data, f.length, &info), KSMA_ERROR_BAD_DATA);
	f = make();
	f.data[f.length - 1] = 'x'; /* the last string has no end */
	assert_ok(rpm_parse(f.data, f.length, &info));
	assert_string_equal(info.architecture, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_it_says),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
