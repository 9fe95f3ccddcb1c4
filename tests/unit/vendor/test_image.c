/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernel images: the lists of relocations behind the ELF, with two lists and with three, and spoiled. */
#include "unit.h"

#include "tiny_elf.h"
#include "vendor/image.h"

static const uint32_t add64[] = { 0x81002008, 0x81002010, 0x81002ff8, 0 };
static const uint32_t subtract32[] = { 0x81000100, 0 };
static const uint32_t add32[] = { 0x81000010, 0x81001ffc, 0 };
static const uint32_t none[] = { 0 };

static void test_three_lists(void **state)
{
	struct tiny_elf tiny = tiny_kernel(add64, subtract32, add32);
	struct ksma_vendor_image image;
	const uint8_t *p;

	assert_ok(ksma_vendor_image_init(tiny.data, tiny.length, &image));
	assert_int_equal(image.elf.end, tiny.elf_length);
	assert_true(image.relocatable);
	assert_int_equal(image.add64.count, 3);
	assert_int_equal(image.subtract32.count, 1);
	assert_int_equal(image.add32.count, 2);
	assert_true(ksma_boot_relocation(&image.add64, 2) == 0xffffffff81002ff8ull);
	assert_true(ksma_boot_relocation(&image.subtract32, 0) == 0xffffffff81000100ull);
	assert_int_equal(ksma_boot_relocation_from(&image.add64, 0), 0);
	assert_int_equal(ksma_boot_relocation_from(&image.add64, 0xffffffff81002009ull), 1);
	assert_int_equal(ksma_boot_relocation_from(&image.add64, UINT64_MAX), 3);
	p = ksma_vendor_image_at(&image, TINY_TEXT + 3, 4);
	assert_non_null(p);
	assert_int_equal(p[0], 21);
	assert_non_null(ksma_vendor_image_at(&image, TINY_TEXT, 0x2000));
	assert_null(ksma_vendor_image_at(&image, TINY_TEXT, 0x2001));
	assert_null(ksma_vendor_image_at(&image, TINY_TEXT - 1, 2));
	assert_null(ksma_vendor_image_at(&image, TINY_DATA + 0x1000, 1)); /* .bss */
	ksma_vendor_image_deinit(&image);
	tiny_elf_free(&tiny);
}

static void test_two_lists(void **state)
{
	struct tiny_elf tiny = tiny_kernel(add64, NULL, add32);
	struct ksma_vendor_image image;

	assert_ok(ksma_vendor_image_init(tiny.data, tiny.length, &image));
	assert_true(image.relocatable);
	assert_int_equal(image.add64.count, 3);
	assert_int_equal(image.subtract32.count, 0);
	assert_int_equal(image.add32.count, 2);
	ksma_vendor_image_deinit(&image);
	tiny_elf_free(&tiny);
}

static void test_empty_lists(void **state)
{
	struct tiny_elf tiny = tiny_kernel(none, none, none);
	struct ksma_vendor_image image;

	assert_ok(ksma_vendor_image_init(tiny.data, tiny.length, &image));
	assert_true(image.relocatable);
	assert_int_equal(image.add64.count + image.subtract32.count + image.add32.count, 0);
	ksma_vendor_image_deinit(&image);
	/* A kernel that is not relocatable has none at all. */
	assert_ok(ksma_vendor_image_init(tiny.data, tiny.elf_length, &image));
	assert_false(image.relocatable);
	ksma_vendor_image_deinit(&image);
	tiny_elf_free(&tiny);
}

/* The image with these lists is refused, in these words. */
static void refuse(const uint32_t *a, const uint32_t *b, const uint32_t *c, const char *words)
{
	struct tiny_elf tiny = tiny_kernel(a, b, c);
	struct ksma_vendor_image image;

	assert_error_says(ksma_vendor_image_init(tiny.data, tiny.length, &image),
			  KSMA_ERROR_BAD_DATA, words);
	tiny_elf_free(&tiny);
}

static void test_places(void **state)
{
	static const uint32_t unsorted[] = { 0x81002010, 0x81002008, 0 };
	static const uint32_t below[] = { 0x80ffffff, 0 };
	static const uint32_t astride[] = { 0x81002ffc, 0 }; /* 8 bytes do not fit */
	static const uint32_t bss[] = { 0x81003000, 0 };

	refuse(unsorted, NULL, add32, "order");
	refuse(below, NULL, add32, "outside");
	refuse(astride, NULL, add32, "outside");
	refuse(add64, bss, add32, "outside");
	refuse(add64, NULL, bss, "outside");
}

static void test_cut(void **state)
{
	struct tiny_elf tiny = tiny_kernel(add64, subtract32, add32);
	struct ksma_vendor_image image;

	for (size_t n = 0; n < tiny.length; n++) {
		struct ksma_error *error = ksma_vendor_image_init(tiny.data, n, &image);

		/* A cut at a list's end cannot be told: only the signature and the hash know. */
		if (!error) {
			assert_true(n == tiny.elf_length || n > tiny.elf_length + 4 * 4);
			ksma_vendor_image_deinit(&image);
		}
		ksma_error_destroy(error);
	}
	tiny_elf_free(&tiny);
}

static void test_not_a_kernel(void **state)
{
	struct tiny_elf module = tiny_module("tiny", 7);
	struct tiny_elf kernel = tiny_kernel(add64, NULL, add32);
	struct ksma_vendor_image image;

	assert_error_says(ksma_vendor_image_init(module.data, module.length, &image),
			  KSMA_ERROR_BAD_DATA, "not executable");
	kernel.data[kernel.elf_length] = 1;
	assert_error_says(ksma_vendor_image_init(kernel.data, kernel.length, &image),
			  KSMA_ERROR_BAD_DATA, "no list");
	kernel.data[kernel.program_headers + 24 + 5] = 1; /* p_paddr above 2 GiB */
	assert_error_says(ksma_vendor_image_init(kernel.data, kernel.length, &image),
			  KSMA_ERROR_BAD_DATA, "where kernels do");
	tiny_elf_free(&module);
	tiny_elf_free(&kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_three_lists), cmocka_unit_test(test_two_lists),
		cmocka_unit_test(test_empty_lists), cmocka_unit_test(test_places),
		cmocka_unit_test(test_cut),	    cmocka_unit_test(test_not_a_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
