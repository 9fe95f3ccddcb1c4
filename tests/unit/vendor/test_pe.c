/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PE files: what a Secure Boot signature covers is all of the file but three pieces, and nothing can hide from it. */
#include "unit.h"

#include "tiny_pe.h"
#include "vendor/pe.h"

enum { SIGNATURE = 40, TABLE = 8 + SIGNATURE };

struct file {
	uint8_t *data;
	size_t content, length;
};

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, 4);
}

/* Signed with 40 bytes of 0xee. */
static struct file make(void)
{
	struct file f;
	uint8_t *bare = tiny_bzimage("payload!", 8, 8, &f.content);

	f.length = f.content + TABLE;
	f.data = calloc(1, f.length);
	assert_non_null(f.data);
	memcpy(f.data, bare, f.content);
	free(bare);
	put32(f.data + TINY_PE_DIRECTORY, (uint32_t)f.content);
	put32(f.data + TINY_PE_DIRECTORY + 4, TABLE);
	put32(f.data + f.content, TABLE);
	put32(f.data + f.content + 4, 0x00020200);
	memset(f.data + f.content + 8, 0xee, SIGNATURE);
	return f;
}

static void test_what_is_hashed(void **state)
{
	struct file f = make();
	struct ksma_pe pe;
	size_t total = 0;

	assert_ok(ksma_pe_parse(f.data, f.length, &pe));
	assert_int_equal(pe.hashed_count, 3);
	assert_ptr_equal(pe.hashed[0].data, f.data);
	assert_int_equal(pe.hashed[0].length, TINY_PE_CHECKSUM);
	assert_ptr_equal(pe.hashed[1].data, f.data + TINY_PE_CHECKSUM + 4);
	assert_ptr_equal(pe.hashed[2].data, f.data + TINY_PE_DIRECTORY + 8);
	for (size_t i = 0; i < pe.hashed_count; i++)
		total += pe.hashed[i].length;
	assert_int_equal(total, f.content - 4 - 8);
	assert_int_equal(pe.signature_count, 1);
	assert_int_equal(pe.signatures[0].length, SIGNATURE);
	assert_int_equal(pe.signatures[0].data[0], 0xee);
	free(f.data);
}

static void test_unsigned(void **state)
{
	struct ksma_pe pe;
	size_t length;
	uint8_t *file = tiny_bzimage("payload!", 8, 8, &length);

	assert_ok(ksma_pe_parse(file, length, &pe));
	assert_int_equal(pe.signature_count, 0);
	assert_int_equal(pe.hashed[2].data + pe.hashed[2].length - file, length);
	assert_false(ksma_pe_is((const uint8_t *)"MZ", 2));
	free(file);
}

static void refuse(struct file f, enum ksma_error_code code, const char *words)
{
	struct ksma_pe pe;

	assert_error_says(ksma_pe_parse(f.data, f.length, &pe), code, words);
	free(f.data);
}

static void test_hiding_places(void **state)
{
	struct file f = make();

	/* behind the signatures */
	f.data = realloc(f.data, f.length + 8);
	assert_non_null(f.data);
	memset(f.data + f.length, 0, 8);
	f.length += 8;
	refuse(f, KSMA_ERROR_BAD_DATA, "not at its end");
	/* signatures over the headers */
	f = make();
	put32(f.data + TINY_PE_DIRECTORY, 256);
	put32(f.data + TINY_PE_DIRECTORY + 4, (uint32_t)f.length - 256);
	refuse(f, KSMA_ERROR_BAD_DATA, "not at its end");
	/* a gap before the last section */
	f = make();
	put32(f.data + TINY_PE_SECTIONS + 40 + 20, TINY_SETUP + 16);
	put32(f.data + TINY_PE_SECTIONS + 40 + 16, 16);
	refuse(f, KSMA_ERROR_UNSUPPORTED, "gaps");
	/* one section inside another */
	f = make();
	put32(f.data + TINY_PE_SECTIONS + 40 + 20, 512);
	refuse(f, KSMA_ERROR_BAD_DATA, "one place");
	f = make();
	put32(f.data + TINY_PE_SECTIONS + 40 + 20, 16);
	refuse(f, KSMA_ERROR_BAD_DATA, "in the headers");
	/* a section over the signatures */
	f = make();
	put32(f.data + TINY_PE_SECTIONS + 40 + 16, (uint32_t)(f.length - TINY_SETUP));
	refuse(f, KSMA_ERROR_BAD_DATA, "outside");
	/* a signature longer than the table */
	f = make();
	put32(f.data + f.content, TABLE + 8);
	refuse(f, KSMA_ERROR_BAD_DATA, "cut");
	f = make();
	put32(f.data + f.content, 4);
	refuse(f, KSMA_ERROR_BAD_DATA, "shorter");
}

/* Each byte of the headers at its worst: an answer, and no byte beyond the end (the sanitizers watch). */
static void test_spoiled(void **state)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct file f = make();

	for (size_t i = 0; i < 512; i++) {
		uint8_t old = f.data[i];

		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			struct ksma_pe pe;
			struct ksma_error *error;

			f.data[i] = values[v];
			error = ksma_pe_parse(f.data, f.length, &pe);
			for (size_t k = 0; !error && k < pe.hashed_count; k++)
				assert_true(pe.hashed[k].data >= f.data &&
					    pe.hashed[k].data + pe.hashed[k].length <=
						    f.data + f.length);
			ksma_error_destroy(error);
		}
		f.data[i] = old;
	}
	for (size_t n = 0; n < f.length; n++) {
		struct ksma_pe pe;

		ksma_error_destroy(ksma_pe_parse(f.data, n, &pe));
	}
	free(f.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_hashed),
		cmocka_unit_test(test_unsigned),
		cmocka_unit_test(test_hiding_places),
		cmocka_unit_test(test_spoiled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
