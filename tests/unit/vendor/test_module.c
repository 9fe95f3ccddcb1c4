/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Module files: .modinfo, and the signature behind them, whole and spoiled. */
#include "unit.h"

#include "tiny_elf.h"
#include "vendor/module.h"

static const char mark[] = "~Module signature appended~\n";

static void test_modinfo(void **state)
{
	struct tiny_elf tiny = tiny_module("tiny", 7);
	struct ksma_elf elf;

	assert_ok(ksma_elf_init(tiny.data, tiny.length, &elf));
	assert_string_equal(ksma_modinfo(&elf, "name"), "tiny");
	assert_string_equal(ksma_modinfo(&elf, "license"), "GPL");
	assert_string_equal(ksma_modinfo(&elf, "vermagic"), "6.1.0-tiny SMP mod_unload ");
	assert_null(ksma_modinfo(&elf, "nam"));
	assert_null(ksma_modinfo(&elf, "author"));
	ksma_elf_deinit(&elf);
	tiny_elf_free(&tiny);
}

/* "content", a signature of `size` bytes, and the trailer that says `claimed`. @return the length */
static size_t make(uint8_t *file, uint32_t size, uint32_t claimed, uint8_t type)
{
	size_t n = 7;

	memcpy(file, "content", 7);
	memset(file + n, 0x30, size);
	n += size;
	memset(file + n, 0, 12);
	file[n + 2] = type;
	claimed = __builtin_bswap32(claimed);
	memcpy(file + n + 8, &claimed, 4);
	memcpy(file + n + 12, mark, sizeof(mark) - 1);
	return n + 12 + sizeof(mark) - 1;
}

static void test_signature(void **state)
{
	struct ksma_module_signature s;
	uint8_t file[256];
	size_t n = make(file, 30, 30, 2);

	assert_ok(ksma_module_signature(file, n, &s));
	assert_int_equal(s.content_length, 7);
	assert_ptr_equal(s.pkcs7, file + 7);
	assert_int_equal(s.pkcs7_length, 30);
	assert_ok(ksma_module_signature(file, n - 1, &s));
	assert_null(s.pkcs7);
	assert_int_equal(s.content_length, n - 1);
	assert_ok(ksma_module_signature(file, 0, &s));
	assert_null(s.pkcs7);
}

static void test_spoiled(void **state)
{
	struct ksma_module_signature s;
	uint8_t file[256];

	assert_error(ksma_module_signature(file, make(file, 30, 38, 2), &s), KSMA_ERROR_BAD_DATA);
	assert_error(ksma_module_signature(file, make(file, 30, UINT32_MAX, 2), &s),
		     KSMA_ERROR_BAD_DATA);
	assert_error(ksma_module_signature(file, make(file, 30, 0, 2), &s), KSMA_ERROR_BAD_DATA);
	assert_error_says(ksma_module_signature(file, make(file, 30, 30, 1), &s),
			  KSMA_ERROR_BAD_DATA, "PKCS#7");
	memcpy(file, mark, sizeof(mark) - 1);
	assert_error(ksma_module_signature(file, sizeof(mark) - 1, &s), KSMA_ERROR_BAD_DATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modinfo),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_spoiled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
