/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bounded readers: right values inside, zero and a lasting mark at the end. */
#include "unit.h"

#include "base/bytes.h"

static const uint8_t counting[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

static void test_loads(void **state)
{
	assert_int_equal(ksma_le16(counting), 0x0201);
	assert_int_equal(ksma_le32(counting), 0x04030201);
	assert_int_equal(ksma_le64(counting), 0x0807060504030201);
	assert_int_equal(ksma_be16(counting), 0x0102);
	assert_int_equal(ksma_be32(counting), 0x01020304);
	assert_int_equal(ksma_be64(counting), 0x0102030405060708);
	/* not aligned */
	assert_int_equal(ksma_le64(counting + 1), 0x0908070605040302);
}

static void test_readers_advance(void **state)
{
	struct ksma_bytes b = ksma_bytes_of(counting, sizeof(counting));

	assert_int_equal(ksma_bytes_u8(&b), 1);
	assert_int_equal(ksma_bytes_le16(&b), 0x0302);
	assert_int_equal(ksma_bytes_be32(&b), 0x04050607);
	assert_int_equal(ksma_bytes_le64(&b), 0x0f0e0d0c0b0a0908);
	assert_int_equal(b.position, sizeof(counting));
	assert_false(b.failed);
}

static void test_the_end_fails_for_good(void **state)
{
	struct ksma_bytes b = ksma_bytes_of(counting, 3);

	assert_int_equal(ksma_bytes_le32(&b), 0);
	assert_true(b.failed);
	/* What would have fitted does not succeed after a failure. */
	assert_int_equal(ksma_bytes_u8(&b), 0);
	assert_null(ksma_bytes_take(&b, 0));
	assert_false(ksma_bytes_seek(&b, 0));
	assert_int_equal(b.position, 0);
}

static void test_take_to_the_last_byte(void **state)
{
	struct ksma_bytes b = ksma_bytes_of(counting, sizeof(counting));

	assert_ptr_equal(ksma_bytes_take(&b, sizeof(counting)), counting);
	assert_non_null(ksma_bytes_take(&b, 0));
	assert_false(b.failed);
	assert_null(ksma_bytes_take(&b, 1));
	assert_true(b.failed);
}

static void test_take_of_a_size_that_wraps(void **state)
{
	struct ksma_bytes b = ksma_bytes_of(counting, sizeof(counting));

	assert_non_null(ksma_bytes_take(&b, 4));
	assert_null(ksma_bytes_take(&b, SIZE_MAX));
	b.failed = false;
	assert_null(ksma_bytes_take(&b, SIZE_MAX - 3));
	assert_int_equal(b.position, 4);
}

static void test_seek(void **state)
{
	struct ksma_bytes b = ksma_bytes_of(counting, sizeof(counting));

	assert_true(ksma_bytes_seek(&b, sizeof(counting)));
	assert_true(ksma_bytes_seek(&b, 2));
	assert_int_equal(ksma_bytes_u8(&b), 3);
	assert_false(ksma_bytes_seek(&b, sizeof(counting) + 1));
	assert_true(b.failed);
}

static void test_nothing_at_all(void **state)
{
	struct ksma_bytes b = ksma_bytes_of(NULL, 0);

	assert_int_equal(ksma_bytes_u8(&b), 0);
	assert_true(b.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_readers_advance),
		cmocka_unit_test(test_the_end_fails_for_good),
		cmocka_unit_test(test_take_to_the_last_byte),
		cmocka_unit_test(test_take_of_a_size_that_wraps),
		cmocka_unit_test(test_seek),
		cmocka_unit_test(test_nothing_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
