/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kallsyms: every form is found and decoded to the letter; bent, cut, copied or crafted tables are not believed. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "fail_alloc.h"
#include "tiny_kallsyms.h"

static struct tiny_kallsyms tiny;

static const unsigned kernels[] = { 0, 419, 510, 61, 64, 615, 70 };

static struct ksma_error *locate(struct ksma_kallsyms *ret)
{
	size_t position = 0;

	return ksma_kallsyms_locate(tiny.data, tiny.size, TINY_KALLSYMS_GVA, &position, ret);
}

static void check_tables(const struct ksma_kallsyms *found)
{
	const struct ksma_kallsyms *made = &tiny.tables;

	assert_int_equal(found->layout, made->layout);
	assert_int_equal(found->encoding, made->encoding);
	assert_int_equal(found->num_syms, made->num_syms);
	assert_int_equal(found->num_syms_at, made->num_syms_at);
	assert_int_equal(found->names, made->names);
	assert_int_equal(found->names_end, made->names_end);
	assert_int_equal(found->markers, made->markers);
	assert_int_equal(found->marker_size, made->marker_size);
	assert_int_equal(found->token_table, made->token_table);
	assert_int_equal(found->token_index, made->token_index);
	assert_int_equal(found->offsets, made->offsets);
	assert_int_equal(found->relative_base_at, made->relative_base_at);
	assert_int_equal(found->relative_base, made->relative_base);
	assert_int_equal(found->start, made->start);
	assert_int_equal(found->end, made->end);
}

static void check_symbols(const struct ksma_symbols *symbols)
{
	assert_int_equal(symbols->count, tiny.count);
	assert_int_equal(symbols->slide, TINY_KALLSYMS_BASE);
	for (uint32_t i = 0; i < tiny.count; i++) {
		const struct ksma_symbol *symbol = &symbols->items[i];
		struct tiny_symbol s;

		tiny_kallsyms_symbol(&tiny, i, &s);
		assert_string_equal(ksma_symbol_name(symbols, symbol), s.name);
		assert_int_equal(symbol->type, s.type);
		assert_int_equal(symbol->absolute, s.absolute);
		assert_int_equal(ksma_symbol_address(symbols, symbol), s.address);
	}
}

static void test_every_form(void **state)
{
	/* Counts around the steps of the markers, and those that make padding come and go. */
	static const uint32_t counts[] = { 520, 521, 522, 523, 767, 768, 769, 1024, 1025, 1289 };

	for (size_t k = 0; k < ARRAY_SIZE(kernels); k++) {
		for (size_t c = 0; c < ARRAY_SIZE(counts); c++) {
			_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = { 0 };
			struct ksma_kallsyms found;

			tiny_kallsyms_like(&tiny, kernels[k], counts[c]);
			tiny_kallsyms_make(&tiny);
			assert_ok(ksma_error_prefix(locate(&found), "%u symbols as of %u",
						    counts[c], kernels[k]));
			check_tables(&found);
			assert_ok(ksma_kallsyms_decode(tiny.data, tiny.size, &found, &symbols));
			check_symbols(&symbols);
			assert_ok(ksma_kallsyms_verify(&found, &symbols));
		}
	}
}

/* The search steps over memory; no place may fall between its steps. */
static void test_every_place(void **state)
{
	for (size_t k = 0; k < ARRAY_SIZE(kernels); k++) {
		tiny_kallsyms_like(&tiny, kernels[k], 520);
		for (size_t at = 0; at < 520; at += tiny.align) {
			struct ksma_kallsyms found;

			tiny.at = at;
			tiny_kallsyms_make(&tiny);
			if (at == 0 && tiny.layout == KSMA_KALLSYMS_ADDRESSES_LAST)
				continue; /* nothing lies before num_syms: no kernel starts so */
			assert_ok(ksma_error_prefix(locate(&found), "as of %u at %zu", kernels[k],
						    at));
			check_tables(&found);
		}
	}
}

static void test_wide_seqs(void **state)
{
	struct ksma_kallsyms found;

	tiny_kallsyms_like(&tiny, 61, 777);
	tiny.seqs = 4;
	tiny_kallsyms_make(&tiny);
	assert_ok(locate(&found));
	check_tables(&found);
}

static void test_one_after_the_other(void **state)
{
	static struct tiny_kallsyms second;
	static uint8_t both[2 * TINY_KALLSYMS_MAX];
	struct ksma_kallsyms found;
	size_t position = 0;

	tiny_kallsyms_like(&tiny, 61, 600);
	tiny_kallsyms_make(&tiny);
	tiny_kallsyms_like(&second, 615, 700);
	tiny_kallsyms_make(&second);
	memcpy(both, tiny.data, tiny.size);
	memcpy(both + 0x10000, second.data, second.size);
	assert_ok(ksma_kallsyms_locate(both, sizeof(both), TINY_KALLSYMS_GVA, &position, &found));
	assert_int_equal(found.num_syms, 600);
	assert_ok(ksma_kallsyms_locate(both, sizeof(both), TINY_KALLSYMS_GVA, &position, &found));
	assert_int_equal(found.num_syms, 700);
	assert_int_equal(found.names, 0x10000 + second.tables.names);
	assert_error(ksma_kallsyms_locate(both, sizeof(both), TINY_KALLSYMS_GVA, &position, &found),
		     KSMA_ERROR_NOT_PRESENT);
	assert_error(ksma_kallsyms_locate(both, sizeof(both), TINY_KALLSYMS_GVA, &position, &found),
		     KSMA_ERROR_NOT_PRESENT);
	assert_int_equal(found.num_syms, 700);
}

static void test_address_not_known(void **state)
{
	for (size_t k = 0; k < ARRAY_SIZE(kernels); k++) {
		_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = { 0 };
		struct ksma_kallsyms found;
		size_t position = 0;

		tiny_kallsyms_like(&tiny, kernels[k], 700);
		tiny_kallsyms_make(&tiny);
		assert_ok(ksma_kallsyms_locate(tiny.data, tiny.size, 0, &position, &found));
		assert_ok(ksma_kallsyms_decode(tiny.data, tiny.size, &found, &symbols));
		if (tiny.encoding == KSMA_KALLSYMS_PLACE) {
			assert_int_equal(symbols.slide, TINY_KALLSYMS_BASE - TINY_KALLSYMS_GVA);
			symbols.slide += TINY_KALLSYMS_GVA;
		}
		check_symbols(&symbols);
	}
}

/* A base so high that adding to it comes round to low addresses. */
static void test_wrapped(void **state)
{
	for (size_t k = 0; k < ARRAY_SIZE(kernels); k++) {
		_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = { 0 };
		struct ksma_kallsyms found;

		tiny_kallsyms_like(&tiny, kernels[k], 700);
		tiny_kallsyms_make(&tiny);
		assert_ok(locate(&found));
		if (tiny.encoding == KSMA_KALLSYMS_ABSOLUTE)
			continue;
		found.relative_base = UINT64_MAX - 16;
		assert_error(ksma_kallsyms_decode(tiny.data, tiny.size, &found, &symbols),
			     KSMA_ERROR_BAD_DATA);
	}
}

/* Addresses that lie nowhere near the tables are another kernel's, or made up. */
static void test_elsewhere(void **state)
{
	static const uint64_t elsewhere[] = { 0x400000, 0xffff888000000000,
					      0xffffffff9b000000 - (3ull << 30) };

	for (size_t k = 0; k < ARRAY_SIZE(kernels); k++) {
		tiny_kallsyms_like(&tiny, kernels[k], 700);
		tiny_kallsyms_make(&tiny);
		for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++) {
			struct ksma_kallsyms found;
			size_t position = 0;

			if (tiny.encoding == KSMA_KALLSYMS_PLACE && i > 0)
				continue; /* these move with their place */
			assert_error(ksma_kallsyms_locate(tiny.data, tiny.size, elsewhere[i],
							  &position, &found),
				     KSMA_ERROR_NOT_PRESENT);
		}
	}
}

static void expect_nothing(const char *what)
{
	struct ksma_kallsyms found;
	struct ksma_error *error = locate(&found);

	if (!error || error->code != KSMA_ERROR_NOT_PRESENT)
		fail_now("%s: %s", what, error ? error->message : "found all the same");
	ksma_error_destroy(error);
}

static void bend32(size_t at, uint32_t value)
{
	memcpy(tiny.data + at, &value, sizeof(value));
}

static void test_bent(void **state)
{
	for (size_t k = 0; k < ARRAY_SIZE(kernels); k++) {
		static struct tiny_kallsyms good;

		tiny_kallsyms_like(&tiny, kernels[k], 700);
		tiny_kallsyms_make(&tiny);
		good = tiny;
		bend32(tiny.tables.num_syms_at, 699);
		expect_nothing("number of symbols");
		tiny = good;
		tiny.data[tiny.tables.names] ^= 1;
		expect_nothing("length of a name");
		tiny = good;
		tiny.data[tiny.tables.names_end - 1] = 0xff;
		tiny.data[tiny.tables.markers + tiny.marker_size] ^= 1;
		expect_nothing("marker");
		tiny = good;
		tiny.data[tiny.tables.token_index + 300] ^= 1;
		expect_nothing("token index");
		tiny = good;
		tiny.data[tiny.tables.token_table +
			  ksma_le16(tiny.data + tiny.tables.token_index + 2 * 'q')] = 'x';
		expect_nothing("token");
		tiny = good;
		memset(tiny.data + tiny.tables.offsets +
			       (tiny.encoding == KSMA_KALLSYMS_ABSOLUTE ? 3200 : 1600),
		       0x7f, 8);
		expect_nothing("address");
		tiny = good;
		if (tiny.tables.relative_base_at) {
			bend32(tiny.tables.relative_base_at + 4, 0x7fffffff);
			expect_nothing("base");
		}
	}
}

static void test_cut_off(void **state)
{
	for (size_t k = 0; k < ARRAY_SIZE(kernels); k++) {
		size_t whole;

		tiny_kallsyms_like(&tiny, kernels[k], 700);
		tiny_kallsyms_make(&tiny);
		whole = tiny.tables.end;
		for (size_t less = 1; less < 3000; less += 37) {
			tiny.size = whole - less;
			expect_nothing("cut");
		}
		tiny.size = 0;
		expect_nothing("empty");
		tiny.size = 17;
		expect_nothing("tiny");
	}
}

/* Between the search and the decoding the guest writes something else. */
static void test_changed_meanwhile(void **state)
{
	struct ksma_symbols symbols = { .count = 4711 };
	struct ksma_kallsyms found;
	struct ksma_error *error;

	for (size_t k = 0; k < ARRAY_SIZE(kernels); k++) {
		for (size_t at = 0; at < TINY_KALLSYMS_MAX; at += 997) {
			tiny_kallsyms_like(&tiny, kernels[k], 700);
			tiny_kallsyms_make(&tiny);
			assert_ok(locate(&found));
			if (at + 997 >= tiny.size)
				break;
			memset(tiny.data + at, 0xff, 997);
			error = ksma_kallsyms_decode(tiny.data, tiny.size, &found, &symbols);
			if (!error)
				ksma_symbols_deinit(&symbols);
			else if (error->code != KSMA_ERROR_BAD_DATA)
				fail_now("%s", error->message);
			else
				assert_int_equal(symbols.count, 4711);
			ksma_error_destroy(error);
			symbols.count = 4711;
		}
	}
	assert_ok((tiny_kallsyms_make(&tiny), locate(&found)));
	assert_error(ksma_kallsyms_decode(tiny.data, found.offsets, &found, &symbols),
		     KSMA_ERROR_INVALID);
}

static atomic_bool scribbling;

static void *scribble(void *arg)
{
	uint32_t random = 1;

	while (atomic_load_explicit(&scribbling, memory_order_relaxed)) {
		size_t at;

		random = random * 1664525u + 1013904223u;
		at = tiny.at + (random >> 8) % (tiny.size - tiny.at);
		/* bent for a moment, so that much is found and little stays as it was found */
		*(volatile uint8_t *)&tiny.data[at] ^= 0x81;
		for (volatile unsigned i = 0; i < random >> 22; i++)
			;
		*(volatile uint8_t *)&tiny.data[at] ^= 0x81;
	}
	return arg;
}

/* All that was checked may be different when it is used. The sanitizers watch. */
static void test_written_while_read(void **state)
{
	uint64_t end = ksma_now_ns() + 700000000;
	pthread_t thread;
	size_t k = 0;

	while (ksma_now_ns() < end) {
		tiny_kallsyms_like(&tiny, kernels[k++ % ARRAY_SIZE(kernels)], 520);
		tiny_kallsyms_make(&tiny);
		atomic_store(&scribbling, true);
		assert_int_equal(pthread_create(&thread, NULL, scribble, NULL), 0);
		for (unsigned i = 0; i < 300; i++) {
			struct ksma_symbols symbols;
			struct ksma_kallsyms found;
			struct ksma_error *error = locate(&found);

			for (unsigned again = 0; !error && again < 10; again++) {
				error = ksma_kallsyms_decode(tiny.data, tiny.size, &found,
							     &symbols);
				if (!error)
					ksma_symbols_deinit(&symbols);
			}
			ksma_error_destroy(error);
		}
		atomic_store(&scribbling, false);
		pthread_join(thread, NULL);
	}
}

static void test_verify(void **state)
{
	_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = { 0 };
	const struct ksma_symbol *banner;
	struct ksma_kallsyms found;

	tiny_kallsyms_like(&tiny, 615, 700);
	tiny_kallsyms_make(&tiny);
	assert_ok(locate(&found));
	assert_ok(ksma_kallsyms_decode(tiny.data, tiny.size, &found, &symbols));
	found.gva += 0x1000000;
	assert_error_says(ksma_kallsyms_verify(&found, &symbols), KSMA_ERROR_BAD_DATA, "a copy");
	found.gva -= 0x1000000;
	assert_ok(ksma_kallsyms_verify(&found, &symbols));
	banner = ksma_symbols_find(&symbols, "linux_banner");
	assert_non_null(banner);
	((char *)symbols.names)[banner->name] = 'x';
	assert_error_says(ksma_kallsyms_verify(&found, &symbols), KSMA_ERROR_BAD_DATA,
			  "linux_banner");
}

/* Memory full of pieces that look like tables costs bounded time. */
static void test_crafted_cost(void **state)
{
	size_t length = 64 << 20, block;
	uint8_t *data = calloc(1, length);
	struct ksma_error *error = NULL;
	unsigned limits = 0;
	size_t position = 0;
	uint64_t start;

	assert_non_null(data);
	tiny_kallsyms_like(&tiny, 64, 520);
	tiny.at = 0;
	tiny_kallsyms_make(&tiny);
	/* Nothing but tokens, with zeros between that could each be the start of markers. */
	block = tiny.tables.token_index + 512 - tiny.tables.token_table;
	block = ksma_align_up(block, 8);
	for (size_t at = 0; at + block <= length; at += block + 64) {
		memcpy(data + at, tiny.data + tiny.tables.token_table, block);
		memcpy(data + at + block, "\0\0\0\0\0\4\0\0\0\10\0\0\0\14\0\0\0\20\0\0\0\24\0\0",
		       24);
	}
	start = ksma_now_ns();
	do {
		struct ksma_kallsyms found;

		ksma_error_destroy(error);
		error = ksma_kallsyms_locate(data, length, 0, &position, &found);
		limits += error && error->code == KSMA_ERROR_LIMIT;
	} while (error && error->code == KSMA_ERROR_LIMIT && limits < 3);
	assert_true(limits > 0);
	if (ksma_now_ns() - start > 5000000000ull)
		fail_now("three searches of crafted data took %llu ms",
			 (unsigned long long)(ksma_now_ns() - start) / 1000000);
	ksma_error_destroy(error);
	free(data);
}

static struct ksma_error *whole(void *state)
{
	struct ksma_symbols symbols = { .count = 4711 };
	struct ksma_kallsyms found = { .num_syms = 4711 };
	struct ksma_error *error = locate(&found);

	if (error)
		assert_int_equal(found.num_syms, 4711);
	else
		error = ksma_kallsyms_decode(tiny.data, tiny.size, &found, &symbols);
	if (error)
		assert_int_equal(symbols.count, 4711);
	else
		ksma_symbols_deinit(&symbols);
	return error;
}

static void test_no_memory(void **state)
{
	tiny_kallsyms_like(&tiny, 70, 600);
	tiny_kallsyms_make(&tiny);
	/* The table is given back what it did not need; that may fail. */
	fail_alloc_each(whole, NULL, FAIL_ALLOC_LENIENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_form),
		cmocka_unit_test(test_every_place),
		cmocka_unit_test(test_wide_seqs),
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_address_not_known),
		cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_wrapped),
		cmocka_unit_test(test_bent),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_changed_meanwhile),
		cmocka_unit_test(test_written_while_read),
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_crafted_cost),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
