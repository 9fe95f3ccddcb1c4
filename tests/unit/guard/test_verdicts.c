/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verdicts: found again only for the very same question, thrown away at any change, bounded, and fast. */
#include "unit.h"

#include "fail_alloc.h"
#include "guard/verdicts.h"

static const struct ksma_verdict_moment moment = { .now_ns = 1000, .epoch = 3, .clock_set = 1 };

static struct ksma_verdict_key a_key(void)
{
	struct ksma_verdict_key key = { .path = "/usr/bin/true" };

	key.file = (struct ksma_inode_identity){
		.inode = 0xffff888000001000,
		.sb = 0xffff888000002000,
		.mapping = 0xffff888000001100,
		.dev = 0xfe00001,
		.id = "vda1",
		.fstype = "ext4",
		.magic = 0xef53,
		.number = 1234,
		.generation = 77,
		.mode = 0100755,
		.size = 3 * 4096 + 5,
		.version = 9,
		.ctime_s = 1700000000,
		.ctime_ns = 5,
	};
	return key;
}

static uint8_t pages[4][4096];

static void fill_pages(void)
{
	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < 4096; k++)
			pages[i][k] = (uint8_t)(i * 7 + k * 13 + k / 256);
}

static struct ksma_page_mac *macs_of(const struct ksma_verdicts *verdicts, size_t count)
{
	struct ksma_page_mac *macs = calloc(count, sizeof(*macs));

	assert_non_null(macs);
	for (size_t i = 0; i < count; i++)
		macs[i] = ksma_verdicts_mac(verdicts, pages[i % 4]);
	return macs;
}

static void keep(struct ksma_verdicts *verdicts, const struct ksma_verdict_key *key, bool allow)
{
	struct ksma_file_verdict verdict = { .allow = allow, .reason = 4, .pages = 4 };

	ksma_verdicts_keep(verdicts, key, &moment, &verdict, allow ? macs_of(verdicts, 4) : NULL);
}

static void test_fingerprint(void **state)
{
	struct ksma_page_mac_key key, other;
	uint8_t page[4096];

	(void)state;
	fill_pages();
	assert_ok(ksma_page_mac_init(&key));
	assert_ok(ksma_page_mac_init(&other));
	memcpy(page, pages[1], sizeof(page));
	assert_true(ksma_page_mac_same(ksma_page_mac(&key, page), ksma_page_mac(&key, pages[1])));
	assert_false(ksma_page_mac_same(ksma_page_mac(&key, page), ksma_page_mac(&other, page)));
	for (size_t bit = 0; bit < sizeof(page) * 8; bit++) {
		page[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(ksma_page_mac_same(ksma_page_mac(&key, page),
						ksma_page_mac(&key, pages[1])));
		page[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	/* Words that change places, as a sum without positions would not see. */
	memcpy(page, pages[1] + 8, 8);
	memcpy(page + 8, pages[1], 8);
	assert_false(ksma_page_mac_same(ksma_page_mac(&key, page), ksma_page_mac(&key, pages[1])));
}

/* All ways to compute it are the same function. */
static void test_narrow_is_wide(void **state)
{
	struct ksma_page_mac_key key;

	(void)state;
	fill_pages();
	assert_ok(ksma_page_mac_init(&key));
	for (size_t i = 0; i < 4; i++) {
		struct ksma_page_mac mac = ksma_page_mac(&key, pages[i]);
		struct ksma_page_mac_key narrower = key;

		for (; narrower.width >= 16; narrower.width /= 2)
			assert_true(ksma_page_mac_same(mac, ksma_page_mac(&narrower, pages[i])));
	}
}

static void test_found_again(void **state)
{
	struct ksma_verdict_key key = a_key(), other;
	struct ksma_verdicts *verdicts;
	const struct ksma_file_verdict *v;

	(void)state;
	fill_pages();
	assert_ok(ksma_verdicts_create(1 << 20, &verdicts));
	assert_null(ksma_verdicts_find(verdicts, &key, &moment));
	keep(verdicts, &key, true);
	v = ksma_verdicts_find(verdicts, &key, &moment);
	assert_non_null(v);
	assert_true(v->allow);
	for (uint64_t i = 0; i < 4; i++)
		assert_true(ksma_verdicts_page(verdicts, v, i, pages[i]));
	assert_false(ksma_verdicts_page(verdicts, v, 0, pages[1]));
	assert_false(ksma_verdicts_page(verdicts, v, 4, pages[0]));
	assert_false(ksma_verdicts_page(verdicts, v, UINT64_MAX, pages[0]));
	/* Another name of the same file, and another demand, are other questions. */
	other = key;
	other.path = "/tmp/true";
	assert_null(ksma_verdicts_find(verdicts, &other, &moment));
	other = key;
	other.trust = KSMA_SUFFICES_BOTH;
	assert_null(ksma_verdicts_find(verdicts, &other, &moment));
	other = key;
	other.hashes = 1;
	assert_null(ksma_verdicts_find(verdicts, &other, &moment));
	other = key;
	other.signatures = KSMA_SIGNATURE_VERITY;
	assert_null(ksma_verdicts_find(verdicts, &other, &moment));
	assert_non_null(ksma_verdicts_find(verdicts, &key, &moment));
	assert_int_equal(ksma_verdicts_count(verdicts).hits, 2);
	assert_int_equal(ksma_verdicts_count(verdicts).misses, 5);
	ksma_verdicts_drop(verdicts, &key);
	ksma_verdicts_drop(verdicts, &key);
	assert_null(ksma_verdicts_find(verdicts, &key, &moment));
	ksma_verdicts_destroy(verdicts);
	ksma_verdicts_destroy(NULL);
}

#define CHANGE(member, value)                                                                          \
	do {                                                                                           \
		struct ksma_verdict_key changed_ = a_key();                                            \
		changed_.file.member = value;                                                          \
		keep(verdicts, &key, true);                                                            \
		if (ksma_verdicts_find(verdicts, &changed_, &moment))                                  \
			fail_now("a change of %s is overlooked", #member);                             \
		/* What was found to be another state of the file is forgotten, not kept for later. */ \
		if (changed_.file.number == key.file.number &&                                         \
		    changed_.file.dev == key.file.dev &&                                               \
		    ksma_verdicts_find(verdicts, &key, &moment))                                       \
			fail_now("after a change of %s the old verdict stays", #member);               \
	} while (0)

static void test_any_change_drops(void **state)
{
	struct ksma_verdict_key key = a_key();
	struct ksma_verdict_moment other;
	struct ksma_verdicts *verdicts;

	(void)state;
	fill_pages();
	assert_ok(ksma_verdicts_create(1 << 20, &verdicts));
	CHANGE(inode, 0xffff888000003000);
	CHANGE(sb, 0xffff888000003000);
	CHANGE(mapping, 0xffff888000003000);
	CHANGE(dev, 8);
	CHANGE(number, 1235);
	CHANGE(generation, 78);
	CHANGE(size, 3 * 4096 + 4);
	CHANGE(version, 10);
	CHANGE(ctime_s, 1700000001);
	CHANGE(ctime_ns, 6);
	CHANGE(uid, 1);
	CHANGE(mode, 0100644);
	CHANGE(uuid[15], 1);
	keep(verdicts, &key, true);
	other = moment;
	other.epoch++;
	assert_null(ksma_verdicts_find(verdicts, &key, &other));
	keep(verdicts, &key, true);
	other = moment;
	other.clock_set++;
	assert_null(ksma_verdicts_find(verdicts, &key, &other));
	keep(verdicts, &key, true);
	ksma_verdicts_drop_all(verdicts);
	assert_null(ksma_verdicts_find(verdicts, &key, &moment));
	assert_int_equal(ksma_verdicts_count(verdicts).bytes, 0);
	ksma_verdicts_destroy(verdicts);
}

static void test_denial_is_short(void **state)
{
	struct ksma_verdict_key key = a_key();
	struct ksma_verdict_moment later = moment;
	struct ksma_verdicts *verdicts;
	const struct ksma_file_verdict *v;

	(void)state;
	assert_ok(ksma_verdicts_create(1 << 20, &verdicts));
	keep(verdicts, &key, false);
	later.now_ns += KSMA_DENIED_FOR_S * 1000000000ull - 1;
	v = ksma_verdicts_find(verdicts, &key, &later);
	assert_non_null(v);
	assert_false(v->allow);
	assert_false(ksma_verdicts_page(verdicts, v, 0, pages[0]));
	later.now_ns++;
	assert_null(ksma_verdicts_find(verdicts, &key, &later));
	keep(verdicts, &key, true);
	later.now_ns += 86400ull * 1000000000u;
	assert_non_null(ksma_verdicts_find(verdicts, &key, &later));
	ksma_verdicts_refresh(verdicts, &key, later.now_ns);
	v = ksma_verdicts_find(verdicts, &key, &later);
	assert_non_null(v);
	assert_int_equal(v->disk_ns, later.now_ns);
	assert_int_equal(v->executed_by, 0);
	ksma_verdicts_executed(verdicts, &key, 7, later.now_ns);
	v = ksma_verdicts_find(verdicts, &key, &later);
	assert_int_equal(v->executed_by, 7);
	assert_int_equal(v->executed_ns, later.now_ns);
	ksma_verdicts_destroy(verdicts);
}

static void test_settled(void **state)
{
	struct ksma_inode_identity file = { .ctime_s = 1000 };

	(void)state;
	assert_true(ksma_is_settled(&file, 1002));
	assert_false(ksma_is_settled(&file, 1001));
	assert_false(ksma_is_settled(&file, 1000));
	assert_false(ksma_is_settled(&file, 999)); /* times of the future */
}

static void test_bounded(void **state)
{
	struct ksma_verdict_key key = a_key();
	struct ksma_file_verdict huge = { .allow = true, .pages = UINT64_MAX / 8 };
	struct ksma_verdicts *verdicts;
	const size_t limit = 64 << 10;

	(void)state;
	fill_pages();
	assert_ok(ksma_verdicts_create(limit, &verdicts));
	for (uint64_t i = 0; i < 10000; i++) {
		key.file.number = i;
		keep(verdicts, &key, true);
		assert_true(ksma_verdicts_count(verdicts).bytes <= limit);
	}
	assert_non_null(ksma_verdicts_find(verdicts, &key, &moment));
	assert_true(ksma_verdicts_count(verdicts).verdicts > 50);
	assert_int_equal(ksma_verdicts_count(verdicts).verdicts +
				 ksma_verdicts_count(verdicts).evicted,
			 10000);
	/* Who was used last stays. */
	key.file.number = 0;
	assert_null(ksma_verdicts_find(verdicts, &key, &moment));
	/* A file that claims to be huge takes no room, and no other's. */
	ksma_verdicts_keep(verdicts, &key, &moment, &huge, macs_of(verdicts, 1));
	assert_null(ksma_verdicts_find(verdicts, &key, &moment));
	key.file.number = 9999;
	assert_non_null(ksma_verdicts_find(verdicts, &key, &moment));
	ksma_verdicts_destroy(verdicts);
}

/* What a verdict costs to find. The limit is ten times what it takes on a machine with nothing else to do. */
static void test_cost(void **state)
{
	struct ksma_verdict_key key = a_key();
	struct ksma_verdicts *verdicts;
	uint64_t start, best = UINT64_MAX;

	(void)state;
	fill_pages();
	assert_ok(ksma_verdicts_create(64 << 20, &verdicts));
	for (uint64_t i = 0; i < 20000; i++) {
		key.file.number = i;
		keep(verdicts, &key, true);
	}
	for (unsigned round = 0; round < 5; round++) {
		uint64_t took;

		start = ksma_now_ns();
		for (uint64_t i = 0; i < 20000; i++) {
			key.file.number = i * 7919 % 20000;
			assert_non_null(ksma_verdicts_find(verdicts, &key, &moment));
		}
		took = (ksma_now_ns() - start) / 20000;
		best = took < best ? took : best;
	}
	print_message("# a verdict of 20000 is found in %llu ns\n", (unsigned long long)best);
	assert_true(best < 5000);
	ksma_verdicts_destroy(verdicts);
}

static struct ksma_error *create(void *state)
{
	struct ksma_verdicts *verdicts = NULL;
	struct ksma_file_verdict verdict = { .allow = true, .pages = 1 };
	struct ksma_verdict_key key = a_key();
	struct ksma_error *error = ksma_verdicts_create(1 << 20, &verdicts);

	(void)state;
	if (error) {
		assert_null(verdicts);
		return error;
	}
	ksma_verdicts_keep(verdicts, &key, &moment, &verdict,
			   calloc(1, sizeof(struct ksma_page_mac)));
	ksma_verdicts_find(verdicts, &key, &moment);
	ksma_verdicts_destroy(verdicts);
	return NULL;
}

static void test_without_memory(void **state)
{
	(void)state;
	assert_true(fail_alloc_each(create, NULL, FAIL_ALLOC_LENIENT) >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fingerprint),	cmocka_unit_test(test_narrow_is_wide),
		cmocka_unit_test(test_found_again),	cmocka_unit_test(test_any_change_drops),
		cmocka_unit_test(test_denial_is_short), cmocka_unit_test(test_settled),
		cmocka_unit_test(test_bounded),		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
