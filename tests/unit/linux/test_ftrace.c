/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Users of ftrace: every bucket of their hashes, lists that lead nowhere, and who explains a record. */
#include "unit.h"

#include "fail_alloc.h"
#include "fake_tracing.h"
#include "linux/ftrace.h"

#define BASE 0xffffffff80000000ull
#define TEXT 0xffffffff81000000ull

enum { ARENA = 1 << 18, BITS = 3, OPS = 96 };

struct world {
	struct fake_kernel *k;
	uint64_t head, end, pages;
};

static struct world make(enum fake_kind kind)
{
	struct world w = { .k = fake_kernel_create(BASE, ARENA, kind) };

	fake_layout_ftrace(&w.k->kernel);
	w.head = fake_kernel_alloc(w.k, 8, KSMA_PAGE_SIZE);
	w.end = fake_kernel_alloc(w.k, OPS, 8);
	w.pages = fake_kernel_alloc(w.k, 8, 8);
	fake_kernel_symbol(w.k, "ftrace_ops_list", w.head);
	fake_kernel_symbol(w.k, "ftrace_list_end", w.end);
	fake_kernel_symbol(w.k, "ftrace_pages_start", w.pages);
	fake_kernel_put64(w.k, w.head, w.end);
	return w;
}

/* A hash of `count` places from `first` on, 16 bytes apart, dealt to the buckets in turn. */
static uint64_t add_hash(struct world *w, uint64_t first, unsigned count)
{
	uint64_t hash = fake_kernel_alloc(w->k, 24, 8),
		 buckets = fake_kernel_alloc(w->k, 8u << BITS, 8);

	fake_kernel_put64(w->k, hash, BITS);
	fake_kernel_put64(w->k, hash + 8, buckets);
	fake_kernel_put64(w->k, hash + 16, count);
	for (unsigned i = 0; i < count; i++) {
		uint64_t bucket = buckets + 8 * (i % (1u << BITS)),
			 entry = fake_kernel_alloc(w->k, 32, 8), next;

		memcpy(&next, fake_kernel_at(w->k, bucket, 8), 8);
		fake_kernel_put64(w->k, entry, next);
		fake_kernel_put64(w->k, entry + 8, bucket);
		if (next)
			fake_kernel_put64(w->k, next + 8, entry);
		fake_kernel_put64(w->k, bucket, entry);
		fake_kernel_put64(w->k, entry + 16, first + 16 * i);
		fake_kernel_put64(w->k, entry + 24, i);
	}
	return hash;
}

/* A user in front of the list. */
static uint64_t add_ops(struct world *w, uint64_t func, uint64_t filter, uint64_t notrace)
{
	uint64_t ops = fake_kernel_alloc(w->k, OPS, 8), hashes = fake_kernel_alloc(w->k, 16, 8),
		 next;

	memcpy(&next, fake_kernel_at(w->k, w->head, 8), 8);
	fake_kernel_put64(w->k, ops, func);
	fake_kernel_put64(w->k, ops + 8, next);
	fake_kernel_put64(w->k, ops + 16, KSMA_FTRACE_OPS_ENABLED);
	fake_kernel_put64(w->k, ops + 32, hashes);
	fake_kernel_put64(w->k, hashes, notrace);
	fake_kernel_put64(w->k, hashes + 8, filter);
	fake_kernel_put64(w->k, w->head, ops);
	return ops;
}

static void test_every_bucket(void **state)
{
	struct world w = make(FAKE_MAPPED);
	struct ksma_ftrace ftrace;

	(void)state;
	add_ops(&w, TEXT, add_hash(&w, TEXT + 0x1000, 20), 0);
	add_ops(&w, TEXT + 16, 0, add_hash(&w, TEXT + 0x1010, 1));
	assert_ok(ksma_linux_ftrace(&w.k->kernel, &ftrace));
	assert_int_equal(ftrace.count, 2);
	assert_int_equal(ftrace.items[1].filter.count, 20);
	assert_int_equal(ftrace.items[1].func, TEXT);
	for (unsigned i = 0; i < 20; i++) {
		const struct ksma_ftrace_entry *entry =
			ksma_ftrace_lookup(&ftrace.items[1].filter, TEXT + 0x1000 + 16 * i);

		assert_non_null(entry);
		assert_int_equal(entry->direct, i);
	}
	assert_int_equal(ksma_ftrace_users(&ftrace, TEXT + 0x1000), 2);
	assert_int_equal(ksma_ftrace_users(&ftrace, TEXT + 0x1010), 1);
	assert_int_equal(ksma_ftrace_users(&ftrace, TEXT + 0x5000), 1);
	assert_true(ksma_ftrace_is_current(&w.k->kernel, &ftrace));
	fake_kernel_put64(w.k, w.head, w.end);
	assert_false(ksma_ftrace_is_current(&w.k->kernel, &ftrace));
	ksma_ftrace_deinit(&ftrace);
	fake_kernel_destroy(w.k);
}

static void test_lies(void **state)
{
	struct world w = make(FAKE_MAPPED);
	uint64_t hash = add_hash(&w, TEXT, 9), ops = add_ops(&w, TEXT, hash, 0);
	struct ksma_ftrace ftrace;

	(void)state;
	fake_kernel_put64(w.k, hash + 16, 8); /* fewer than there are */
	assert_error(ksma_linux_ftrace(&w.k->kernel, &ftrace), KSMA_ERROR_BAD_DATA);
	fake_kernel_put64(w.k, hash + 16, 10);
	assert_error(ksma_linux_ftrace(&w.k->kernel, &ftrace), KSMA_ERROR_BAD_DATA);
	fake_kernel_put64(w.k, hash + 16, 9);
	fake_kernel_put64(w.k, hash, 63); /* buckets without end */
	assert_error(ksma_linux_ftrace(&w.k->kernel, &ftrace), KSMA_ERROR_BAD_DATA);
	fake_kernel_put64(w.k, hash, BITS);
	fake_kernel_put64(w.k, ops + 8, ops); /* a list without end */
	assert_error(ksma_linux_ftrace(&w.k->kernel, &ftrace), KSMA_ERROR_LIMIT);
	fake_kernel_put64(w.k, ops + 8, 0);
	assert_error(ksma_linux_ftrace(&w.k->kernel, &ftrace), KSMA_ERROR_BAD_DATA);
	fake_kernel_put64(w.k, ops + 8, 8);
	assert_error(ksma_linux_ftrace(&w.k->kernel, &ftrace), KSMA_ERROR_FAULT);
	fake_kernel_destroy(w.k);
}

static bool count_record(void *arg, uint64_t ip, uint64_t flags)
{
	unsigned *count = arg;

	assert_int_equal(ip, TEXT + 16 * 3);
	assert_int_equal(flags, KSMA_FTRACE_REC_ENABLED | 1);
	(*count)++;
	return true;
}

static void test_records(void **state)
{
	struct world w = make(FAKE_MAPPED);
	uint64_t group = fake_kernel_alloc(w.k, 24, 8), records = fake_kernel_alloc(w.k, 16 * 8, 8);
	unsigned count = 0;

	(void)state;
	fake_kernel_put64(w.k, w.pages, group);
	fake_kernel_put64(w.k, group + 8, records);
	fake_kernel_put(w.k, group + 16, 8, 4);
	for (unsigned i = 0; i < 8; i++) {
		fake_kernel_put64(w.k, records + 16 * i, TEXT + 16 * i);
		fake_kernel_put64(w.k, records + 16 * i + 8,
				  i == 3 ? KSMA_FTRACE_REC_ENABLED | 1 : KSMA_FTRACE_REC_DISABLED);
	}
	assert_ok(ksma_ftrace_records(&w.k->kernel, count_record, &count));
	assert_int_equal(count, 1);
	fake_kernel_put(w.k, group + 16, UINT32_MAX, 4);
	assert_error(ksma_ftrace_records(&w.k->kernel, count_record, &count), KSMA_ERROR_BAD_DATA);
	fake_kernel_put(w.k, group + 16, 0, 4);
	fake_kernel_put64(w.k, group, group); /* groups without end */
	assert_error(ksma_ftrace_records(&w.k->kernel, count_record, &count), KSMA_ERROR_LIMIT);
	fake_kernel_destroy(w.k);
}

static struct ksma_error *read_once(struct fake_guest *fake, void *state)
{
	struct world *w = state;
	struct ksma_ftrace ftrace;

	(void)fake;
	KSMA_TRY(ksma_linux_ftrace(&w->k->kernel, &ftrace));
	assert_int_equal(ftrace.count, 1);
	ksma_ftrace_deinit(&ftrace);
	return NULL;
}

static void test_failures(void **state)
{
	struct world w = make(FAKE_COPIED);

	(void)state;
	add_ops(&w, TEXT, add_hash(&w, TEXT, 9), 0);
	assert_true(fake_guest_fail_each(w.k->fake, read_once, &w) > 0);
	fake_kernel_destroy(w.k);
}

static struct ksma_error *read_any(void *state)
{
	struct world *w = state;

	return read_once(w->k->fake, w);
}

static void test_no_memory(void **state)
{
	struct world w = make(FAKE_MAPPED);

	(void)state;
	add_ops(&w, TEXT, add_hash(&w, TEXT, 9), 0);
	assert_true(fail_alloc_each(read_any, &w, FAIL_ALLOC_STRICT) > 0);
	fake_kernel_destroy(w.k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_bucket), cmocka_unit_test(test_lies),
		cmocka_unit_test(test_records),	     cmocka_unit_test(test_failures),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
