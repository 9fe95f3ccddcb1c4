/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Build ids out of a guest's memory: the kernel's notes, a module's three ways, and what a guest may have made of them. */
#include "unit.h"

#include "fake_kernel.h"
#include "linux/build_id.h"

#define BASE 0xffffffffc0000000ull

enum { ARENA = 1 << 18, ATTRIBUTES = 3, ATTRIBUTE = 64, GROUP = 48, NOTES = 4 };

static void put_note(struct fake_kernel *k, uint64_t at, uint8_t id)
{
	static const uint32_t head[3] = { 4, 20, 3 };

	memcpy(fake_kernel_at(k, at, 12), head, 12);
	memcpy(fake_kernel_at(k, at + 12, 4), "GNU", 4);
	memset(fake_kernel_at(k, at + 16, 20), id, 20);
}

static void expect(const struct ksma_build_id *id, uint8_t byte)
{
	assert_int_equal(id->length, 20);
	for (size_t i = 0; i < id->length; i++)
		assert_int_equal(id->bytes[i], byte);
}

static void test_kernel(void **state)
{
	struct fake_kernel *k = fake_kernel_create(BASE, ARENA, FAKE_MAPPED);
	uint64_t notes = fake_kernel_alloc(k, 36, 16);
	struct ksma_build_id id = { .length = 7 };

	ksma_build_id_of_kernel(&k->kernel, &id);
	assert_int_equal(id.length, 0);
	put_note(k, notes, 0x42);
	fake_kernel_symbol(k, "__start_notes", notes);
	fake_kernel_symbol(k, "__stop_notes", notes + 36);
	ksma_build_id_of_kernel(&k->kernel, &id);
	expect(&id, 0x42);
	/* longer than any that is known; none at all */
	fake_kernel_put(k, notes + 4, 33, 4);
	ksma_build_id_of_kernel(&k->kernel, &id);
	assert_int_equal(id.length, 0);
	fake_kernel_put(k, notes + 4, 0xffffffff, 4);
	ksma_build_id_of_kernel(&k->kernel, &id);
	assert_int_equal(id.length, 0);
	fake_kernel_destroy(k);
}

/* A module's notes_attrs, the build id's in the middle. `counted`: as up to 6.12, else with a group. */
struct module {
	struct fake_kernel *k;
	uint8_t bytes[64];
	uint64_t notes, attributes, list, names[ATTRIBUTES], note;
};

static struct module make(bool counted)
{
	static const char *const names[] = { ".note.Linux", ".note.gnu.build-id", ".note.other" };
	struct module m = { .k = fake_kernel_create(BASE, ARENA, FAKE_MAPPED) };
	struct ksma_kernel *kernel = &m.k->kernel;

	kernel->size.module = sizeof(m.bytes);
	kernel->off.module__notes_attrs = 8;
	kernel->off.bin_attribute__attr_name = 0;
	kernel->off.bin_attribute__size = 16;
	kernel->off.bin_attribute__private = 24;
	kernel->size.bin_attribute = ATTRIBUTE;
	kernel->off.module_notes_attrs__attrs = GROUP;
	m.notes = fake_kernel_alloc(m.k, GROUP + ATTRIBUTES * ATTRIBUTE, 64);
	m.attributes = m.notes + GROUP;
	m.list = fake_kernel_alloc(m.k, 8 * (ATTRIBUTES + 1), 8);
	m.note = fake_kernel_alloc(m.k, 36, 8);
	put_note(m.k, m.note, 0x17);
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		uint64_t at = m.attributes + i * ATTRIBUTE;

		m.names[i] = fake_kernel_alloc(m.k, 64, 8);
		strcpy((char *)fake_kernel_at(m.k, m.names[i], 64), names[i]);
		fake_kernel_put64(m.k, at, m.names[i]);
		fake_kernel_put64(m.k, at + 16, 36);
		fake_kernel_put64(m.k, at + 24, m.note);
		fake_kernel_put64(m.k, m.list + 8 * i, at);
	}
	if (counted) {
		kernel->off.module_notes_attrs__notes = NOTES;
		fake_kernel_put(m.k, m.notes + NOTES, ATTRIBUTES, 4);
	} else {
		kernel->off.module_notes_attrs__bin_attrs = 40;
		fake_kernel_put64(m.k, m.notes + 40, m.list);
	}
	memcpy(m.bytes + 8, &m.notes, 8);
	return m;
}

static size_t length_of(struct module *m)
{
	struct ksma_build_id id = { .length = 7 };

	ksma_build_id_of_module(&m->k->kernel, m->bytes, &id);
	if (id.length)
		expect(&id, 0x17);
	return id.length;
}

static void test_module(void **state)
{
	for (int counted = 0; counted < 2; counted++) {
		struct module m = make(counted);

		assert_int_equal(length_of(&m), 20);
		fake_kernel_destroy(m.k);
	}
}

static void test_member(void **state)
{
	struct module m = make(true);
	struct ksma_build_id id;

	m.k->kernel.off.module__build_id = 32;
	memset(m.bytes + 32, 0x99, 20);
	ksma_build_id_of_module(&m.k->kernel, m.bytes, &id);
	expect(&id, 0x99);
	/* zeros: not filled, so the notes are asked */
	memset(m.bytes + 32, 0, 20);
	assert_int_equal(length_of(&m), 20);
	/* a member that does not fit */
	m.k->kernel.off.module__build_id = 60;
	assert_int_equal(length_of(&m), 20);
	fake_kernel_destroy(m.k);
}

static void test_lies(void **state)
{
	struct module m = make(true);

	fake_kernel_put(m.k, m.notes + NOTES, 0xffffffff, 4);
	assert_int_equal(length_of(&m), 20);
	fake_kernel_put(m.k, m.notes + NOTES, 1, 4);
	assert_int_equal(length_of(&m), 0);
	fake_kernel_put(m.k, m.notes + NOTES, 3, 4);
	fake_kernel_put64(m.k, m.attributes + ATTRIBUTE + 16, 1ull << 40);
	assert_int_equal(length_of(&m), 0);
	fake_kernel_put64(m.k, m.attributes + ATTRIBUTE + 16, 36);
	fake_kernel_put64(m.k, m.attributes + ATTRIBUTE + 24, 0xdead000000000000ull);
	assert_int_equal(length_of(&m), 0);
	fake_kernel_put64(m.k, m.attributes + ATTRIBUTE + 24, m.note);
	assert_int_equal(length_of(&m), 20);
	fake_kernel_put64(m.k, m.attributes + ATTRIBUTE, 0x10);
	assert_int_equal(length_of(&m), 0);
	memset(m.bytes + 8, 0, 8);
	assert_int_equal(length_of(&m), 0);
	fake_kernel_destroy(m.k);
	/* a group without end */
	m = make(false);
	for (size_t i = 0; i <= ATTRIBUTES; i++)
		fake_kernel_put64(m.k, m.list + 8 * i, 1);
	assert_int_equal(length_of(&m), 20);
	fake_kernel_put64(m.k, m.notes + 40, 0xdead000000000000ull);
	assert_int_equal(length_of(&m), 0);
	fake_kernel_destroy(m.k);
}

/* A kernel without the members says nothing. */
static void test_unknown_layout(void **state)
{
	struct module m = make(true);

	m.k->kernel.size.bin_attribute = 0;
	assert_int_equal(length_of(&m), 0);
	m.k->kernel.size.bin_attribute = 20;
	assert_int_equal(length_of(&m), 0);
	m.k->kernel.size.bin_attribute = ATTRIBUTE;
	m.k->kernel.off.module_notes_attrs__attrs = KSMA_NO_MEMBER;
	assert_int_equal(length_of(&m), 0);
	fake_kernel_destroy(m.k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel),	       cmocka_unit_test(test_module),
		cmocka_unit_test(test_member),	       cmocka_unit_test(test_lies),
		cmocka_unit_test(test_unknown_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
