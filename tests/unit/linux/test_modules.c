/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of modules and their symbols: both forms of struct module, damage that is left out and told, tables that lie. */
#include "unit.h"

#include <elf.h>

#include "fail_alloc.h"
#include "fake_kernel.h"
#include "linux/module_symbols.h"

#define BASE 0xffffffffc0000000ull

enum { ARENA = 1 << 20, MODULES = 3, CODE = 0x3000 };

struct world {
	struct fake_kernel *k;
	uint64_t head, modules[MODULES], code[MODULES];
};

static void put_text(struct fake_kernel *k, uint64_t address, const char *text)
{
	memcpy(fake_kernel_at(k, address, strlen(text) + 1), text, strlen(text) + 1);
}

static void put_module(struct fake_kernel *k, uint64_t module, const char *name, uint64_t code,
		       bool old)
{
	uint64_t srcversion = fake_kernel_alloc(k, 40, 8);

	put_text(k, module + 24, name);
	put_text(k, srcversion, "0123456789ABCDEF");
	fake_kernel_put64(k, module + 80, srcversion);
	fake_kernel_put(k, module + 88, 3, 4);
	fake_kernel_put64(k, module + 96, 1 << 12);
	fake_kernel_put64(k, module + 128, code);
	fake_kernel_put(k, module + 136, old ? CODE : 0x1000, 4);
	if (old) {
		fake_kernel_put(k, module + 140, 0x1000, 4);
	} else {
		fake_kernel_put64(k, module + 144, code + 0x1000);
		fake_kernel_put(k, module + 152, CODE - 0x1000, 4);
	}
}

/* Three modules, each on pages of its own, with code and data behind it. */
static struct world make(enum fake_kind kind, bool old)
{
	static const char *const names[] = { "alpha", "beta", "gamma" };
	struct world w = { .k = fake_kernel_create(BASE, ARENA, kind) };
	uint64_t entries[MODULES];

	if (old)
		fake_layout_old_modules(&w.k->kernel);
	else
		fake_layout_modules(&w.k->kernel);
	w.head = fake_kernel_alloc(w.k, 16, KSMA_PAGE_SIZE);
	fake_kernel_symbol(w.k, "modules", w.head);
	for (int i = 0; i < MODULES; i++) {
		w.modules[i] = fake_kernel_alloc(w.k, 1024, KSMA_PAGE_SIZE);
		w.code[i] = fake_kernel_alloc(w.k, CODE, KSMA_PAGE_SIZE);
		put_module(w.k, w.modules[i], names[i], w.code[i], old);
		entries[i] = w.modules[i] + 8;
	}
	fake_kernel_list(w.k, w.head, entries, MODULES);
	return w;
}

static void check_module(const struct ksma_module *m, const struct world *w, int i)
{
	assert_int_equal(m->address, w->modules[i]);
	assert_string_equal(m->state, "live");
	assert_int_equal(m->base, w->code[i]);
	assert_int_equal(m->size, CODE);
	assert_int_equal(m->refcount, 2);
	assert_int_equal(m->taints, 1 << 12);
	assert_string_equal(m->srcversion, "0123456789ABCDEF");
	assert_int_equal(m->memory_count, 2);
	assert_true(m->memory[0].text);
	assert_int_equal(m->memory[0].size, 0x1000);
	assert_false(m->memory[1].text);
	assert_int_equal(m->memory[1].base, w->code[i] + 0x1000);
}

static void both_forms_are_read(void **state)
{
	for (int old = 0; old < 2; old++) {
		struct ksma_coverage coverage = { 0 };
		struct ksma_modules modules;
		struct world w = make(FAKE_MAPPED, old);

		assert_ok(ksma_linux_modules(&w.k->kernel, &coverage, &modules));
		assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
		assert_int_equal(modules.count, MODULES);
		for (int i = 0; i < MODULES; i++)
			check_module(&modules.items[i], &w, i);
		assert_string_equal(modules.items[1].name, "beta");
		ksma_modules_free(&modules);
		fake_kernel_destroy(w.k);
	}
}

/* What is left of the list, with a coverage that says so. */
static size_t count_partial(struct world *w, enum ksma_coverage_state state)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_modules modules;
	size_t count;

	assert_ok(ksma_linux_modules(&w->k->kernel, &coverage, &modules));
	assert_int_equal(coverage.state, state);
	assert_non_null(coverage.reason);
	count = modules.count;
	ksma_modules_free(&modules);
	ksma_coverage_deinit(&coverage);
	return count;
}

static void damage_is_left_out_and_told(void **state)
{
	struct world w = make(FAKE_MAPPED, false);

	fake_kernel_put(w.k, w.modules[1] + 136, UINT32_MAX, 4); /* a piece of 4 GiB */
	assert_int_equal(count_partial(&w, KSMA_COVERAGE_PARTIAL), 2);
	fake_kernel_put(w.k, w.modules[1] + 136, 0x1000, 4);
	fake_kernel_put64(w.k, w.modules[1] + 80, 0x1234); /* a version that is not there */
	assert_int_equal(count_partial(&w, KSMA_COVERAGE_PARTIAL), 2);
	fake_kernel_put64(w.k, w.modules[1] + 80, 0);
	fake_kernel_put64(w.k, w.modules[1] + 8, w.modules[0] + 8); /* a cycle */
	assert_int_equal(count_partial(&w, KSMA_COVERAGE_PARTIAL), 2);
	fake_kernel_put64(w.k, w.head, 0x4141414141414141);
	assert_int_equal(count_partial(&w, KSMA_COVERAGE_UNKNOWN), 0);
	fake_kernel_destroy(w.k);
}

static void odd_states(void **state)
{
	struct world w = make(FAKE_MAPPED, true);
	struct ksma_module module;

	fake_kernel_put(w.k, w.modules[0], 3, 4);
	assert_ok(ksma_module_read(&w.k->kernel, w.modules[0], &module));
	assert_string_equal(module.state, "unformed");
	fake_kernel_put(w.k, w.modules[0], UINT32_MAX, 4);
	assert_ok(ksma_module_read(&w.k->kernel, w.modules[0], &module));
	assert_string_equal(module.state, "unknown");
	fake_kernel_put(w.k, w.modules[0] + 88, 0, 4); /* nobody, not even itself */
	memset(fake_kernel_at(w.k, w.modules[0] + 24, 56), 'x', 56);
	assert_ok(ksma_module_read(&w.k->kernel, w.modules[0], &module));
	assert_int_equal(module.refcount, 0);
	assert_int_equal(strlen(module.name), 56);
	fake_kernel_put(w.k, w.modules[0] + 140, CODE + 1, 4);
	assert_error_says(ksma_module_read(&w.k->kernel, w.modules[0], &module),
			  KSMA_ERROR_BAD_DATA, "more code");
	assert_error(ksma_module_read(&w.k->kernel, BASE + ARENA - 8, &module), KSMA_ERROR_FAULT);
	fake_kernel_destroy(w.k);
}

static void unknown_layouts(void **state)
{
	struct world w = make(FAKE_MAPPED, true);
	struct ksma_coverage coverage = { 0 };
	struct ksma_modules modules;

	w.k->kernel.size.module = 1 << 20;
	assert_error(ksma_linux_modules(&w.k->kernel, &coverage, &modules), KSMA_ERROR_UNSUPPORTED);
	w.k->kernel.size.module = 40; /* the name does not fit */
	assert_error(ksma_linux_modules(&w.k->kernel, &coverage, &modules), KSMA_ERROR_UNSUPPORTED);
	fake_layout_old_modules(&w.k->kernel);
	w.k->kernel.off.module__core_layout = KSMA_NO_MEMBER;
	assert_error_says(ksma_linux_modules(&w.k->kernel, &coverage, &modules),
			  KSMA_ERROR_UNSUPPORTED, "core_layout");
	assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
	fake_kernel_destroy(w.k);
}

static struct ksma_error *run_list(struct fake_guest *fake, void *state)
{
	struct world *w = state;
	struct ksma_coverage coverage = { 0 };
	struct ksma_modules modules;

	ksma_space_flush(&w->k->kernel.space);
	KSMA_TRY(ksma_linux_modules(&w->k->kernel, &coverage, &modules));
	/* All of them, or a word of what is missing. */
	assert_int_equal(modules.count == MODULES, coverage.state == KSMA_COVERAGE_COMPLETE);
	for (size_t i = 0; i < modules.count; i++)
		assert_int_equal(modules.items[i].memory_count, 2);
	if (fake->fail_at && coverage.state == KSMA_COVERAGE_COMPLETE &&
	    fake->fetches >= fake->fail_at)
		fail_msg("fetch %lu failed, and nobody was told", fake->fail_at);
	ksma_modules_free(&modules);
	ksma_coverage_deinit(&coverage);
	return NULL;
}

static void failed_reads_are_told(void **state)
{
	struct world w = make(FAKE_COPIED, false);

	for (w.k->fake->fail_at = 1; w.k->fake->fail_at < 8; w.k->fake->fail_at++) {
		w.k->fake->fetches = 0;
		fake_guest_forget(w.k->fake);
		ksma_error_destroy(run_list(w.k->fake, &w));
	}
	fake_kernel_destroy(w.k);
}

static struct ksma_error *run_alloc(void *state)
{
	struct world *w = state;
	struct ksma_coverage coverage = { 0 };
	struct ksma_modules modules;
	struct ksma_error *error = ksma_linux_modules(&w->k->kernel, &coverage, &modules);

	if (!error)
		ksma_modules_free(&modules);
	ksma_coverage_deinit(&coverage);
	return error;
}

static void failed_allocations(void **state)
{
	struct world w = make(FAKE_MAPPED, false);

	assert_true(fail_alloc_each(run_alloc, &w, FAIL_ALLOC_STRICT) >= 1);
	fake_kernel_destroy(w.k);
}

/* --- symbols --- */

struct sym {
	const char *name;
	uint64_t offset; /* from the module's code */
	unsigned type;
	uint16_t section;
};

static void put_symbols(struct world *w, int module, const struct sym *syms, size_t count)
{
	uint64_t kallsyms = fake_kernel_alloc(w->k, 32, 8);
	uint64_t symtab = fake_kernel_alloc(w->k, count * sizeof(Elf64_Sym), 8);
	uint64_t strtab = fake_kernel_alloc(w->k, 4096, 8);
	uint32_t at = 1;

	for (size_t i = 0; i < count; i++) {
		Elf64_Sym sym = {
			.st_name = at,
			.st_info = ELF64_ST_INFO(STB_LOCAL, syms[i].type),
			.st_shndx = syms[i].section,
			.st_value = w->code[module] + syms[i].offset,
			.st_size = 16,
		};

		memcpy(fake_kernel_at(w->k, symtab + i * sizeof(sym), sizeof(sym)), &sym,
		       sizeof(sym));
		put_text(w->k, strtab + at, syms[i].name);
		at += (uint32_t)strlen(syms[i].name) + 1;
	}
	fake_kernel_put64(w->k, kallsyms, symtab);
	fake_kernel_put(w->k, kallsyms + 8, count, 4);
	fake_kernel_put64(w->k, kallsyms + 16, strtab);
	fake_kernel_put64(w->k, w->modules[module] + 104, kallsyms);
}

static const struct sym beta[] = {
	{ "outside", CODE, STT_FUNC, 1 },   { "undefined", 0x40, STT_FUNC, SHN_UNDEF },
	{ "second", 0x200, STT_FUNC, 1 },   { "alias", 0x200, STT_NOTYPE, 1 },
	{ "first", 0x100, STT_FUNC, 1 },    { "", 0x180, STT_FUNC, 1 },
	{ "table", 0x1100, STT_OBJECT, 2 }, { "data_that_says_function", 0x1200, STT_FUNC, 2 },
};

static struct ksma_error *add_place(void *arg, const struct ksma_module_symbol *symbol)
{
	uint64_t *places = arg;

	places[0]++;
	places[1] = symbol->address;
	return symbol->address == places[2] ? ksma_error_create(KSMA_ERROR_LIMIT, "enough") : NULL;
}

static void symbols_are_named(void **state)
{
	struct world w = make(FAKE_MAPPED, false);
	uint64_t places[3] = { 0 };
	struct ksma_error *error;

	(void)state;
	put_symbols(&w, 1, beta, ARRAY_SIZE(beta));
	put_symbols(&w, 0, beta + 2, 1);
	assert_null(ksma_module_symbols_named(&w.k->kernel, "table", add_place, places));
	assert_int_equal(places[0], 1);
	assert_int_equal(places[1], w.code[1] + 0x1100);
	assert_null(ksma_module_symbols_named(&w.k->kernel, "undefined", add_place, places));
	assert_int_equal(places[0], 1);
	assert_null(ksma_module_symbols_named(&w.k->kernel, "second", add_place, places));
	assert_int_equal(places[0], 3);
	places[2] = places[1];
	error = ksma_module_symbols_named(&w.k->kernel, "second", add_place, places);
	assert_non_null(error);
	assert_int_equal(error->code, KSMA_ERROR_LIMIT);
	ksma_error_destroy(error);
	fake_kernel_destroy(w.k);
}

static void symbols_are_found(void **state)
{
	struct world w = make(FAKE_MAPPED, false);
	struct ksma_kernel *kernel = &w.k->kernel;
	struct ksma_module_symbol symbol;
	char text[64];

	put_symbols(&w, 1, beta, ARRAY_SIZE(beta));
	assert_int_equal(ksma_module_owner(kernel, w.code[1] + 5)->address, w.modules[1]);
	assert_null(ksma_module_owner(kernel, BASE + ARENA + 5));
	assert_true(ksma_module_symbol_at(kernel, w.code[1] + 0x1ff, &symbol));
	assert_string_equal(symbol.name, "first");
	assert_true(symbol.function);
	assert_true(ksma_module_symbol_at(kernel, w.code[1] + 0x20, &symbol));
	assert_string_equal(symbol.name, "");
	assert_true(ksma_module_symbol_at(kernel, w.code[1] + 0x1000,
					  &symbol)); /* the last function is in another piece */
	assert_string_equal(symbol.name, "");
	assert_int_equal(ksma_module_function_start(kernel, w.code[1] + 0x200),
			 KSMA_FUNCTION_START);
	assert_int_equal(ksma_module_function_start(kernel, w.code[1] + 0x201),
			 KSMA_FUNCTION_INSIDE);
	assert_int_equal(ksma_module_function_start(kernel, w.code[1] + 0x1100),
			 KSMA_FUNCTION_INSIDE);
	assert_int_equal(ksma_module_function_start(kernel, w.code[1] + 0x1200),
			 KSMA_FUNCTION_INSIDE);
	assert_int_equal(ksma_module_function_start(kernel, w.code[0]), KSMA_FUNCTION_UNKNOWN);
	assert_int_equal(ksma_module_function_start(kernel, w.head), KSMA_FUNCTION_NO_MODULE);
	assert_true(
		ksma_kernel_describe(kernel, ksma_gva_of(w.code[1] + 0x212), text, sizeof(text)));
	assert_string_equal(text, "second+0x12 [beta]");
	assert_true(
		ksma_kernel_describe(kernel, ksma_gva_of(w.code[1] + 0x100), text, sizeof(text)));
	assert_string_equal(text, "first [beta]");
	assert_false(ksma_kernel_describe(kernel, ksma_gva_of(w.code[1] + 1), text, sizeof(text)));
	assert_false(ksma_kernel_describe(kernel, ksma_gva_of(0x1234), text, sizeof(text)));
	assert_string_equal(text, "0x1234");
	assert_true(ksma_kernel_describe(kernel, ksma_gva_of(w.code[1] + 0x212), text, 8));
	assert_string_equal(text, "second+");
	fake_kernel_destroy(w.k);
}

static void tables_that_lie(void **state)
{
	struct world w = make(FAKE_MAPPED, false);
	struct ksma_kernel *kernel = &w.k->kernel;
	uint64_t kallsyms;

	put_symbols(&w, 1, beta, ARRAY_SIZE(beta));
	memcpy(&kallsyms, fake_kernel_at(w.k, w.modules[1] + 104, 8), 8);
	fake_kernel_put(w.k, kallsyms + 8, UINT32_MAX, 4); /* too many */
	assert_int_equal(ksma_module_function_start(kernel, w.code[1] + 0x200),
			 KSMA_FUNCTION_UNKNOWN);
	fake_kernel_put(w.k, kallsyms + 8, 1 << 17, 4); /* more than there is memory */
	fake_guest_forget(w.k->fake);
	kernel->guest->epoch++;
	assert_int_equal(ksma_module_function_start(kernel, w.code[1] + 0x200),
			 KSMA_FUNCTION_UNKNOWN);
	fake_kernel_put(w.k, kallsyms + 8, 0, 4); /* none: a module that hides its names */
	kernel->guest->epoch++;
	assert_int_equal(ksma_module_function_start(kernel, w.code[1] + 0x200),
			 KSMA_FUNCTION_INSIDE);
	fake_kernel_put(w.k, kallsyms + 8, ARRAY_SIZE(beta), 4);
	fake_kernel_put64(w.k, kallsyms + 16,
			  BASE + ARENA - 12); /* strings that end with the memory */
	kernel->guest->epoch++;
	assert_int_equal(ksma_module_function_start(kernel, w.code[1] + 0x200),
			 KSMA_FUNCTION_INSIDE);
	fake_kernel_destroy(w.k);
}

static void a_new_look_sees_what_changed(void **state)
{
	struct world w = make(FAKE_MAPPED, false);
	struct ksma_kernel *kernel = &w.k->kernel;
	struct ksma_coverage coverage = { 0 };
	const struct ksma_modules *modules;
	uint64_t left[] = { w.modules[0] + 8, w.modules[2] + 8 };

	put_symbols(&w, 1, beta, ARRAY_SIZE(beta));
	assert_int_equal(ksma_module_function_start(kernel, w.code[1] + 0x200),
			 KSMA_FUNCTION_START);
	kernel->guest->epoch++;
	assert_int_equal(ksma_module_function_start(kernel, w.code[1] + 0x200),
			 KSMA_FUNCTION_START); /* kept */
	fake_kernel_list(w.k, w.head, left, ARRAY_SIZE(left));
	assert_int_equal(ksma_module_function_start(kernel, w.code[1] + 0x200),
			 KSMA_FUNCTION_START); /* not looked yet */
	kernel->guest->epoch++;
	assert_int_equal(ksma_module_function_start(kernel, w.code[1] + 0x200),
			 KSMA_FUNCTION_NO_MODULE);
	assert_ok(ksma_module_symbols_update(kernel, &coverage, &modules));
	assert_int_equal(modules->count, 2);
	assert_int_equal(coverage.state, KSMA_COVERAGE_COMPLETE);
	fake_kernel_put64(w.k, w.head, 0x1000);
	kernel->guest->epoch++;
	assert_ok(ksma_module_symbols_update(kernel, &coverage, &modules));
	assert_int_equal(coverage.state, KSMA_COVERAGE_UNKNOWN);
	ksma_coverage_deinit(&coverage);
	fake_kernel_destroy(w.k);
}

/* A module that says it is larger than it is does not get what lies behind it. */
static void a_forged_size_owns_nothing(void **state)
{
	struct world w = make(FAKE_MAPPED, false);
	struct ksma_kernel *kernel = &w.k->kernel;

	fake_kernel_put(w.k, w.modules[0] + 136, ARENA, 4);
	assert_int_equal(ksma_module_owner(kernel, w.code[0] + 5)->address, w.modules[0]);
	assert_int_equal(ksma_module_owner(kernel, w.code[1] + 5)->address, w.modules[1]);
	assert_int_equal(ksma_module_owner(kernel, w.code[2] + 0x1005)->address, w.modules[2]);
	fake_kernel_destroy(w.k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms_are_read),
		cmocka_unit_test(damage_is_left_out_and_told),
		cmocka_unit_test(odd_states),
		cmocka_unit_test(unknown_layouts),
		cmocka_unit_test(failed_reads_are_told),
		cmocka_unit_test(failed_allocations),
		cmocka_unit_test(symbols_are_named),
		cmocka_unit_test(symbols_are_found),
		cmocka_unit_test(tables_that_lie),
		cmocka_unit_test(a_new_look_sees_what_changed),
		cmocka_unit_test(a_forged_size_owns_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
