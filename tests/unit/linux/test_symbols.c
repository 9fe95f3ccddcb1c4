/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The symbol table: names to addresses and back, equal names, aliases, and tables that somebody bent. */
#include "unit.h"

#include "fail_alloc.h"
#include "linux/names.h"
#include "linux/symbols.h"

#define SLIDE 0xffffffff81000000ull

static const struct ksma_symbol items[] = {
	{ .address = 0x0, .name = 1, .type = 'A', .absolute = 1 },    /* fixed */
	{ .address = 0x2000, .name = 7, .type = 'D', .absolute = 1 }, /* cpu_info */
	{ .address = 0x0, .name = 16, .type = 'r' },		      /* data */
	{ .address = 0x0, .name = 21, .type = 't' },		      /* local */
	{ .address = 0x0, .name = 27, .type = 'T' },		      /* global */
	{ .address = 0x0, .name = 34, .type = 'T' },		      /* global2 */
	{ .address = 0x100, .name = 42, .type = 't' },		      /* twin */
	{ .address = 0x200, .name = 47, .type = 't' },		      /* single */
	{ .address = 0x300, .name = 54, .type = 't' },		      /* twin */
	{ .address = 0x400, .name = 42, .type = 't' },		      /* twin */
};
static const char names[] = "\0fixed\0cpu_info\0data\0local\0global\0global2\0twin\0single\0twin";

static struct ksma_symbols make(void)
{
	struct ksma_symbols symbols = {
		.count = ARRAY_SIZE(items),
		.names_size = sizeof(names),
		.slide = SLIDE,
	};

	symbols.owned[0] = malloc(sizeof(items));
	symbols.owned[1] = malloc(sizeof(names));
	assert_non_null(symbols.owned[0]);
	assert_non_null(symbols.owned[1]);
	symbols.items = memcpy(symbols.owned[0], items, sizeof(items));
	symbols.names = memcpy(symbols.owned[1], names, sizeof(names));
	return symbols;
}

static void test_find(void **state)
{
	_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = make();
	const struct ksma_symbol *symbol;

	assert_ok(ksma_symbols_index(&symbols));
	for (size_t i = 0; i < symbols.count; i++) {
		symbol = ksma_symbols_find(&symbols, ksma_symbol_name(&symbols, &symbols.items[i]));
		assert_ptr_equal(symbol, &symbols.items[i >= 6 && i != 7 ? 6 : i]);
	}
	assert_null(ksma_symbols_find(&symbols, ""));
	assert_null(ksma_symbols_find(&symbols, "twi"));
	assert_null(ksma_symbols_find(&symbols, "twins"));
	symbol = ksma_symbols_find(&symbols, "cpu_info");
	assert_int_equal(ksma_symbol_address(&symbols, symbol), 0x2000);
	symbol = ksma_symbols_find(&symbols, "single");
	assert_int_equal(ksma_symbol_address(&symbols, symbol), SLIDE + 0x200);
}

static void test_find_next(void **state)
{
	_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = make();
	const struct ksma_symbol *symbol;

	assert_ok(ksma_symbols_index(&symbols));
	symbol = ksma_symbols_find(&symbols, "twin");
	assert_ptr_equal(symbol, &symbols.items[6]);
	symbol = ksma_symbols_find_next(&symbols, symbol);
	assert_ptr_equal(symbol, &symbols.items[8]);
	symbol = ksma_symbols_find_next(&symbols, symbol);
	assert_ptr_equal(symbol, &symbols.items[9]);
	assert_null(ksma_symbols_find_next(&symbols, symbol));
	assert_null(ksma_symbols_find_next(&symbols, ksma_symbols_find(&symbols, "single")));
}

static void expect_at(const struct ksma_symbols *symbols, uint64_t address, const char *name)
{
	const struct ksma_symbol *symbol = ksma_symbols_at(symbols, address);

	if (!symbol)
		fail_now("nothing at %llx", (unsigned long long)address);
	assert_string_equal(ksma_symbol_name(symbols, symbol), name);
}

static void test_at(void **state)
{
	_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = make();

	assert_ok(ksma_symbols_index(&symbols));
	expect_at(&symbols, SLIDE, "global");
	expect_at(&symbols, SLIDE + 0xff, "global");
	expect_at(&symbols, SLIDE + 0x100, "twin");
	expect_at(&symbols, SLIDE + 0x2ff, "single");
	expect_at(&symbols, UINT64_MAX, "twin");
	expect_at(&symbols, 0, "fixed");
	expect_at(&symbols, 0x1fff, "fixed");
	expect_at(&symbols, 0x2008, "cpu_info");
	expect_at(&symbols, SLIDE - 1, "cpu_info");
}

static void test_at_the_ends(void **state)
{
	_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = make();

	/* no absolute ones, and the first relative one above the slide */
	symbols.items += 6;
	symbols.count -= 6;
	assert_ok(ksma_symbols_index(&symbols));
	assert_null(ksma_symbols_at(&symbols, 0));
	assert_null(ksma_symbols_at(&symbols, SLIDE - 1));
	assert_null(ksma_symbols_at(&symbols, SLIDE + 0xff));
	expect_at(&symbols, SLIDE + 0x100, "twin");
	symbols.count = 0;
	assert_null(ksma_symbols_at(&symbols, SLIDE + 0x100));
}

static void test_empty(void **state)
{
	_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = { .names = "",
								       .names_size = 1 };

	assert_null(ksma_symbols_find(&symbols, "x"));
	assert_ok(ksma_symbols_index(&symbols));
	assert_null(ksma_symbols_find(&symbols, "x"));
	assert_null(ksma_symbols_at(&symbols, 1));
}

/* A table that came with its hash is read-only. */
static void test_cached(void **state)
{
	_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = make();
	struct ksma_symbols cached;
	uint32_t bent[64];

	assert_ok(ksma_symbols_index(&symbols));
	cached = symbols;
	memset(cached.owned, 0, sizeof(cached.owned));
	assert_ok(ksma_symbols_index(&cached));
	assert_string_equal(ksma_symbol_name(&cached, ksma_symbols_find(&cached, "single")),
			    "single");
	/* and what it says is not believed */
	memset(bent, 0xff, sizeof(bent));
	cached.hash = bent;
	cached.hash_size = ARRAY_SIZE(bent);
	assert_ok(ksma_symbols_index(&cached));
	assert_null(ksma_symbols_find(&cached, "single"));
	cached.hash_size = 63;
	assert_error_says(ksma_symbols_index(&cached), KSMA_ERROR_BAD_DATA, "power of two");
}

static void test_bent(void **state)
{
	_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = make();
	struct ksma_symbol *writable = symbols.owned[0];
	char *text = symbols.owned[1];

	writable[3].name = sizeof(names);
	assert_error_says(ksma_symbols_index(&symbols), KSMA_ERROR_BAD_DATA, "outside");
	writable[3].name = 21;
	writable[8].address = 0x1ff;
	assert_error_says(ksma_symbols_index(&symbols), KSMA_ERROR_BAD_DATA, "out of order");
	writable[8].address = 0x300;
	writable[8].absolute = 1;
	assert_error_says(ksma_symbols_index(&symbols), KSMA_ERROR_BAD_DATA, "out of order");
	writable[8].absolute = 0;
	text[sizeof(names) - 1] = 'x';
	assert_error_says(ksma_symbols_index(&symbols), KSMA_ERROR_BAD_DATA, "not terminated");
	text[sizeof(names) - 1] = '\0';
	symbols.owned[2] = malloc(1);
	assert_error(ksma_symbols_index(&symbols), KSMA_ERROR_INVALID);
	free(symbols.owned[2]);
	symbols.owned[2] = NULL;
	assert_ok(ksma_symbols_index(&symbols));
}

/* Tables lie in cache files: whoever changes the hash must raise KSMA_SYMBOLS_FORMAT, and then these. */
static void test_hash_stays(void **state)
{
	static const char text[] = "a name of some letters";

	assert_int_equal(KSMA_SYMBOLS_FORMAT, 2);
	assert_true(ksma_name_hash("", 0, 0) == 0x670527f286862c69ull);
	assert_true(ksma_name_hash(text, strlen(text), 0) == 0x981c44b38cd272d6ull);
	assert_true(ksma_name_hash(text, 3, 7) == 0xa83445f1a334cc00ull);
	/* and both ways to it agree, at every length and distance from the end */
	for (size_t length = 0; length < sizeof(text); length++) {
		char *copy = malloc(length + 1);

		assert_non_null(copy);
		memcpy(copy, text, length);
		copy[length] = '\0';
		assert_true(ksma_name_hash(text, length, 1) ==
			    ksma_name_hash_within(copy, copy + length + 1, 1));
		free(copy);
		copy = calloc(1, length + 32);
		assert_non_null(copy);
		memcpy(copy, text, length);
		memset(copy + length + 1, 'x', 31);
		assert_true(ksma_name_hash(text, length, 1) ==
			    ksma_name_hash_within(copy, copy + length + 32, 1));
		free(copy);
	}
}

enum { MANY = 60000 };

/* `equal`: all of one name. Otherwise names of which the table has at most one each. */
static struct ksma_symbols make_many(bool equal)
{
	struct ksma_symbols symbols = { .count = MANY, .names_size = MANY * 8 + 1 };
	struct ksma_symbol *many = calloc(MANY, sizeof(*many));
	char *text = calloc(MANY, 8 + 1);

	assert_non_null(many);
	assert_non_null(text);
	for (unsigned i = 0; i < MANY; i++) {
		many[i].address = i;
		many[i].name = i * 8;
		snprintf(text + (size_t)i * 8, 8, "s%u", equal ? 0 : i);
	}
	symbols.items = symbols.owned[0] = many;
	symbols.names = symbols.owned[1] = text;
	return symbols;
}

static void test_many(void **state)
{
	_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = make_many(false);

	assert_ok(ksma_symbols_index(&symbols));
	for (unsigned i = 0; i < MANY; i++) {
		assert_ptr_equal(ksma_symbols_find(&symbols, symbols.names + (size_t)i * 8),
				 &symbols.items[i]);
		assert_ptr_equal(ksma_symbols_at(&symbols, i), &symbols.items[i]);
		assert_null(ksma_symbols_find_next(&symbols, &symbols.items[i]));
	}
}

static void test_all_of_one_name(void **state)
{
	_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = make_many(true);
	const struct ksma_symbol *symbol;
	uint64_t start = ksma_now_ns();
	unsigned count = 0;

	assert_ok(ksma_symbols_index(&symbols));
	for (symbol = ksma_symbols_find(&symbols, "s0"); symbol;
	     symbol = ksma_symbols_find_next(&symbols, symbol))
		assert_ptr_equal(symbol, &symbols.items[count++]);
	assert_int_equal(count, MANY);
	assert_true(ksma_now_ns() - start < 1000000000);
}

/* The hash has no secret, so a guest can choose names that share a place. That is refused, and soon. */
static void test_crafted_collisions(void **state)
{
	_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = make_many(false);
	char *text = symbols.owned[1];
	unsigned found = 0;
	uint64_t start;

	/* Names that all belong into the same 16 places: a few million tries. */
	for (unsigned long i = 0; found < 300; i++) {
		char name[8];

		snprintf(name, sizeof(name), "%lx", i);
		if ((ksma_name_hash(name, strlen(name), 0) & 0xffff) < 16)
			memcpy(text + (size_t)found++ * 8, name, 8);
	}
	symbols.count = found;
	start = ksma_now_ns();
	assert_int_equal(ksma_name_slots(symbols.count), 1024);
	assert_error_says(ksma_symbols_index(&symbols), KSMA_ERROR_LIMIT, "crafted");
	assert_true(ksma_now_ns() - start < 1000000000);
	assert_null(symbols.hash);
}

static struct ksma_error *run(void *state)
{
	struct ksma_symbols symbols = { .count = ARRAY_SIZE(items),
					.names = names,
					.names_size = sizeof(names) };
	static struct ksma_symbol writable[ARRAY_SIZE(items)];
	struct ksma_error *error;

	memcpy(writable, items, sizeof(items));
	symbols.items = writable;
	error = ksma_symbols_index(&symbols);
	if (error)
		assert_null(symbols.hash);
	ksma_symbols_deinit(&symbols);
	return error;
}

static void test_no_memory(void **state)
{
	assert_int_equal(fail_alloc_each(run, NULL, FAIL_ALLOC_STRICT), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_next),
		cmocka_unit_test(test_at),
		cmocka_unit_test(test_at_the_ends),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_cached),
		cmocka_unit_test(test_bent),
		cmocka_unit_test(test_hash_stays),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_all_of_one_name),
		cmocka_unit_test(test_crafted_collisions),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
