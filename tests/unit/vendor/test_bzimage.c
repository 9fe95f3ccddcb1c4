/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bzImages: the packed kernel is found, and numbers that lead outside are told. */
#include "unit.h"

#include "tiny_pe.h"
#include "vendor/bzimage.h"

static const uint8_t zstd[] = { 0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3, 4, 5, 6, 7, 8 };

static void test_payload(void **state)
{
	struct ksma_bzimage image;
	size_t length;
	uint8_t *file = tiny_bzimage(zstd, sizeof(zstd), 12345, &length);

	assert_true(ksma_bzimage_is(file, length));
	assert_ok(ksma_bzimage_parse(file, length, &image));
	assert_int_equal(image.packing, KSMA_PACKING_ZSTD);
	assert_ptr_equal(image.payload, file + TINY_SETUP);
	assert_int_equal(image.payload_length, sizeof(zstd));
	assert_int_equal(image.unpacked, 12345);
	free(file);
}

static void test_gzip_says_its_size_itself(void **state)
{
	const uint8_t gzip[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0x39, 0x30, 0, 0 };
	struct ksma_bzimage image;
	size_t length;
	uint8_t *file = tiny_bzimage(gzip, sizeof(gzip), 0, &length);

	assert_ok(ksma_bzimage_parse(file, length, &image));
	assert_int_equal(image.payload_length, sizeof(gzip));
	assert_int_equal(image.unpacked, 12345);
	free(file);
}

static void test_spoiled(void **state)
{
	struct ksma_bzimage image;
	size_t length;
	uint8_t *file = tiny_bzimage(zstd, sizeof(zstd), 12345, &length);

	for (size_t n = 0; n < TINY_SETUP + sizeof(zstd) + 4; n++)
		assert_error(ksma_bzimage_parse(file, n, &image), KSMA_ERROR_BAD_DATA);
	memset(file + 0x24c, 0xff, 4);
	assert_error_says(ksma_bzimage_parse(file, length, &image), KSMA_ERROR_BAD_DATA, "cut");
	memset(file + 0x24c, 0, 4);
	assert_error(ksma_bzimage_parse(file, length, &image), KSMA_ERROR_BAD_DATA);
	file[0x24c] = 16;
	memset(file + 0x248, 0xff, 4);
	assert_error(ksma_bzimage_parse(file, length, &image), KSMA_ERROR_BAD_DATA);
	file[0x206] = 7;
	file[0x207] = 2;
	assert_error_says(ksma_bzimage_parse(file, length, &image), KSMA_ERROR_UNSUPPORTED, "2.08");
	free(file);
}

static void test_packings(void **state)
{
	static const struct {
		const char *bytes, *name;
	} beginnings[] = {
		{ "\x1f\x8b\x08xxx", "gzip" },
		{ "\xfd"
		  "7zXZ\0",
		  "xz" },
		{ "\x02\x21\x4c\x18xx", "lz4" },
		{ "\x04\x22\x4d\x18xx", "lz4" },
		{ "\x5d\0\0\x80xx", "lzma" },
		{ "BZh9xx", "bzip2" },
		{ "\x89LZO\0\r", "lzo" },
		{ "\177ELF\2\1", "none" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
		assert_string_equal(
			ksma_packing_name(ksma_packing_of((const uint8_t *)beginnings[i].bytes, 6)),
			beginnings[i].name);
	assert_int_equal(ksma_packing_of(zstd, 3), KSMA_PACKING_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payload),
		cmocka_unit_test(test_gzip_says_its_size_itself),
		cmocka_unit_test(test_spoiled),
		cmocka_unit_test(test_packings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
