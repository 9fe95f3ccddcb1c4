/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ELF reader: what lies in a file, and that no spoiled number leads out of it. */
#include "unit.h"

#include "fail_alloc.h"
#include "tiny_elf.h"
#include "base/note.h"
#include "vendor/elf.h"

static void test_module(void **state)
{
	struct tiny_elf tiny = tiny_module("tiny", 7);
	struct ksma_elf elf;
	struct ksma_elf_symbol symbol;
	struct ksma_elf_relocation r;
	const struct ksma_elf_section *s;
	const uint8_t *id;
	size_t length;

	assert_ok(ksma_elf_init(tiny.data, tiny.length, &elf));
	assert_int_equal(elf.type, KSMA_ET_REL);
	assert_int_equal(elf.end, tiny.length);
	s = ksma_elf_section(&elf, ".text");
	assert_non_null(s);
	assert_int_equal(s->size, 64);
	assert_int_equal(s->data[0], 0x90);
	assert_int_equal(ksma_elf_relocation_count(s), 0);
	assert_null(ksma_elf_section(&elf, ".nothing"));
	s = ksma_elf_section(&elf, ".rela.text");
	assert_int_equal(ksma_elf_relocation_count(s), 2);
	r = ksma_elf_relocation(s, 0);
	assert_int_equal(r.offset, 4);
	assert_int_equal(r.type, KSMA_R_X86_64_PLT32);
	assert_int_equal(r.symbol, 2);
	assert_int_equal(r.addend, -4);
	assert_int_equal(elf.symbol_count, 3);
	assert_true(ksma_elf_symbol(&elf, 1, &symbol));
	assert_string_equal(symbol.name, "init_module");
	assert_int_equal(symbol.section, 1);
	assert_int_equal(symbol.size, 16);
	assert_int_equal(symbol.type, 2);
	assert_int_equal(symbol.binding, 1);
	assert_true(ksma_elf_symbol(&elf, 2, &symbol));
	assert_string_equal(symbol.name, "printk");
	assert_int_equal(symbol.section, KSMA_SHN_UNDEF);
	assert_false(ksma_elf_symbol(&elf, 3, &symbol));
	id = ksma_elf_build_id(&elf, &length);
	assert_non_null(id);
	assert_int_equal(length, 20);
	assert_int_equal(id[19], 7);
	ksma_elf_deinit(&elf);
	tiny_elf_free(&tiny);
}

static void test_a_symbol_name_outside(void **state)
{
	struct tiny_elf tiny = tiny_module("tiny", 7);
	struct ksma_elf_symbol symbol;
	struct ksma_elf elf;

	memset(tiny.data + tiny.symbols + 24, 0xff, 4);
	assert_ok(ksma_elf_init(tiny.data, tiny.length, &elf));
	assert_false(ksma_elf_symbol(&elf, 1, &symbol));
	ksma_elf_deinit(&elf);
	tiny_elf_free(&tiny);
}

/* Cut anywhere, it is refused: the section headers come last. */
static void test_cut(void **state)
{
	struct tiny_elf tiny = tiny_module("tiny", 7);
	struct ksma_elf elf;

	for (size_t n = 0; n < tiny.length; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		assert_non_null(exact);
		memcpy(exact, tiny.data, n);
		assert_error(ksma_elf_init(exact, n, &elf), KSMA_ERROR_BAD_DATA);
		free(exact);
	}
	tiny_elf_free(&tiny);
}

/* Each byte of the headers set to its worst: refused or read, never beyond the end (the sanitizers watch). */
static void test_spoiled(void **state)
{
	struct tiny_elf tiny = tiny_module("tiny", 7);
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	size_t length;

	for (size_t i = 0; i < tiny.length; i++) {
		uint8_t old;

		if (i == 64)
			i = tiny.section_headers;
		old = tiny.data[i];
		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			struct ksma_elf_symbol symbol;
			struct ksma_error *error;
			struct ksma_elf elf;

			tiny.data[i] = values[v];
			error = ksma_elf_init(tiny.data, tiny.length, &elf);
			if (error) {
				ksma_error_destroy(error);
				continue;
			}
			for (size_t k = 0; k < elf.symbol_count; k++)
				ksma_elf_symbol(&elf, k, &symbol);
			for (size_t k = 0; k < elf.section_count; k++)
				for (size_t m = 0; m < ksma_elf_relocation_count(&elf.sections[k]);
				     m++)
					ksma_elf_relocation(&elf.sections[k], m);
			ksma_elf_build_id(&elf, &length);
			ksma_elf_deinit(&elf);
		}
		tiny.data[i] = old;
	}
	tiny_elf_free(&tiny);
}

static void test_not_for_us(void **state)
{
	struct tiny_elf tiny = tiny_module("tiny", 7);
	struct ksma_elf elf;

	tiny.data[18] = 183; /* arm64 */
	assert_error_says(ksma_elf_init(tiny.data, tiny.length, &elf), KSMA_ERROR_UNSUPPORTED,
			  "another processor");
	tiny.data[4] = 1; /* 32 bits */
	assert_error(ksma_elf_init(tiny.data, tiny.length, &elf), KSMA_ERROR_UNSUPPORTED);
	tiny.data[0] = 0;
	assert_error_says(ksma_elf_init(tiny.data, tiny.length, &elf), KSMA_ERROR_BAD_DATA,
			  "not an ELF file");
	tiny_elf_free(&tiny);
}

static void test_notes(void **state)
{
	uint8_t notes[] = { 4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 'X', 'e', 'n', 0, 1, 2, 0, 0,
			    4, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 9, 8, 7 };
	size_t length = 0;
	const uint8_t *id = ksma_note_build_id(notes, sizeof(notes), &length);

	assert_ptr_equal(id, notes + 36);
	assert_int_equal(length, 3);
	/* sizes that lead outside */
	notes[24] = 4;
	assert_null(ksma_note_build_id(notes, sizeof(notes), &length));
	memset(notes, 0xff, 8);
	assert_null(ksma_note_build_id(notes, sizeof(notes), &length));
	assert_null(ksma_note_build_id(notes, 0, &length));
}

static struct ksma_error *open_and_close(void *state)
{
	struct tiny_elf *tiny = state;
	struct ksma_elf elf;

	KSMA_TRY(ksma_elf_init(tiny->data, tiny->length, &elf));
	ksma_elf_deinit(&elf);
	return NULL;
}

static void test_without_memory(void **state)
{
	struct tiny_elf tiny = tiny_module("tiny", 7);

	assert_true(fail_alloc_each(open_and_close, &tiny, FAIL_ALLOC_STRICT) >= 2);
	tiny_elf_free(&tiny);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_module),
		cmocka_unit_test(test_a_symbol_name_outside),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_spoiled),
		cmocka_unit_test(test_not_for_us),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
