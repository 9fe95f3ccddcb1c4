/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patch sites: every kind gets the encoding that its kernel writes, and entries that make no sense are left out. */
#include "unit.h"

#include "vendor/patch.h"

enum { BASE_SIZE = 0x400, TABLE_AT = 0x300 };
#define BASE 0xffffffff81000000ull

struct box {
	uint8_t bytes[BASE_SIZE];
	struct ksma_patch patch;
	uint64_t pointer; /* what the guest's variables hold */
};

static bool read_pointer(void *arg, uint64_t gva, void *buffer, size_t size)
{
	struct box *box = arg;

	memcpy(buffer, &box->pointer, size < 8 ? size : 8);
	return true;
}

static bool any_function(void *arg, uint64_t gva)
{
	return gva % 16 == 0;
}

static void box_init(struct box *box, enum ksma_patch_nops nops)
{
	memset(box, 0, sizeof(*box));
	memset(box->bytes, 0xcc, sizeof(box->bytes));
	box->patch.parts[0] = (struct ksma_patch_part){ BASE, box->bytes, sizeof(box->bytes) };
	box->patch.part_count = 1;
	box->patch.nops = nops;
	box->patch.read = read_pointer;
	box->patch.is_function = any_function;
	box->patch.arg = box;
	box->patch.iret = -1;
	for (size_t i = 0; i < KSMA_OPERATIONS; i++)
		box->patch.operations[i] = -1;
	box->patch.symbols.indirect_thunks = BASE + 0x10000;
	box->patch.symbols.return_thunk = BASE + 0x20000;
	box->patch.symbols.return_target = BASE + 0x20000;
}

static void set_feature(struct box *box, unsigned feature)
{
	box->patch.features[feature / 32] |= 1u << feature % 32;
}

/* A table with one entry, which names the site at `offset`. */
static struct ksma_patch_table one_site(struct box *box, uint32_t offset)
{
	int32_t relative = (int32_t)offset - TABLE_AT;

	memcpy(box->bytes + TABLE_AT, &relative, 4);
	return (struct ksma_patch_table){ BASE + TABLE_AT, box->bytes + TABLE_AT, 4 };
}

static void assert_bytes(const struct box *box, size_t at, const char *hex)
{
	char found[64] = "";

	for (size_t i = 0; i < strlen(hex) / 2; i++)
		snprintf(found + 2 * i, 3, "%02x", box->bytes[at + i]);
	assert_string_equal(found, hex);
}

static void test_retpolines(void **state)
{
	struct ksma_patch_table table;
	struct box box;

	/* call __x86_indirect_thunk_r11, with a CS prefix to make room */
	box_init(&box, KSMA_NOPS_P6);
	box.bytes[0x10] = 0x2e;
	ksma_patch_branch(box.bytes + 0x11, 0xe8, BASE + 0x11, BASE + 0x10000 + 11 * 32);
	table = one_site(&box, 0x10);
	ksma_patch_retpolines(&box.patch, &table);
	assert_bytes(&box, 0x10, "41ffd30f1f00"); /* call *%r11; nop */
	/* jmp __x86_indirect_thunk_rax */
	ksma_patch_branch(box.bytes + 0x20, 0xe9, BASE + 0x20, BASE + 0x10000);
	table = one_site(&box, 0x20);
	ksma_patch_retpolines(&box.patch, &table);
	assert_bytes(&box, 0x20, "ffe0cc6690"); /* jmp *%rax; int3; nop */
	/* with retpolines it stays a call of the thunk */
	set_feature(&box, 11 * 32 + 12);
	ksma_patch_branch(box.bytes + 0x30, 0xe8, BASE + 0x30, BASE + 0x10000);
	table = one_site(&box, 0x30);
	ksma_patch_retpolines(&box.patch, &table);
	assert_bytes(&box, 0x30, "e8");
	/* LFENCE and an indirect call fit into five bytes */
	set_feature(&box, 11 * 32 + 13);
	ksma_patch_retpolines(&box.patch, &table);
	assert_bytes(&box, 0x30, "0faee8ffd0");
	assert_int_equal(box.patch.bad, 0);
	/* a branch to somewhere else is not one */
	ksma_patch_branch(box.bytes + 0x40, 0xe8, BASE + 0x40, BASE);
	table = one_site(&box, 0x40);
	ksma_patch_retpolines(&box.patch, &table);
	assert_int_equal(box.patch.bad, 1);
}

static void test_returns(void **state)
{
	struct ksma_patch_table table;
	struct box box;

	box_init(&box, KSMA_NOPS_11);
	ksma_patch_branch(box.bytes + 0x10, 0xe9, BASE + 0x10, BASE + 0x20000);
	table = one_site(&box, 0x10);
	ksma_patch_returns(&box.patch, &table);
	assert_bytes(&box, 0x10, "c3cccccccc");
	/* with return thunks the jump goes to the thunk that was chosen */
	set_feature(&box, 11 * 32 + 14);
	box.patch.symbols.return_target = BASE + 0x30000;
	ksma_patch_branch(box.bytes + 0x10, 0xe9, BASE + 0x10, BASE + 0x20000);
	ksma_patch_returns(&box.patch, &table);
	assert_bytes(&box, 0x10, "e9ebff0200");
	/* those against target selection only in the lower half of a line */
	box.patch.symbols.its_return = BASE + 0x30000;
	assert_true(ksma_patch_wants_return_thunk(&box.patch, BASE + 0x10));
	assert_false(ksma_patch_wants_return_thunk(&box.patch, BASE + 0x30));
	/* a static call's trampoline is left to its key */
	ksma_patch_branch(box.bytes + 0x50, 0xe9, BASE + 0x50, BASE + 0x20000);
	memcpy(box.bytes + 0x55, "\x0f\xb9\xcc", 3);
	table = one_site(&box, 0x50);
	ksma_patch_returns(&box.patch, &table);
	assert_bytes(&box, 0x50, "e9abff0100");
}

/* One entry of .altinstructions in the newer layout. */
static struct ksma_patch_table alternative(struct box *box, uint32_t site, uint32_t with,
					   uint16_t feature, uint16_t flags, uint8_t length,
					   uint8_t with_length)
{
	int32_t a = (int32_t)site - TABLE_AT, b = (int32_t)with - (TABLE_AT + 4);
	uint8_t *e = box->bytes + TABLE_AT;

	memcpy(e, &a, 4);
	memcpy(e + 4, &b, 4);
	memcpy(e + 8, &feature, 2);
	memcpy(e + 10, &flags, 2);
	e[12] = length;
	e[13] = with_length;
	return (struct ksma_patch_table){ BASE + TABLE_AT, e, 14 };
}

static void test_alternatives(void **state)
{
	struct ksma_patch_table table;
	struct box box;

	box_init(&box, KSMA_NOPS_11);
	memset(box.bytes + 0x10, 0x90, 8);
	memcpy(box.bytes + 0x200, "\xfa", 1);
	table = alternative(&box, 0x10, 0x200, 100, 0, 8, 1);
	/* without the feature the NOPs become one */
	ksma_patch_alternatives(&box.patch, &table);
	assert_bytes(&box, 0x10, "0f1f840000000000");
	/* with it, the replacement and a NOP for the rest */
	set_feature(&box, 100);
	ksma_patch_alternatives(&box.patch, &table);
	assert_bytes(&box, 0x10, "fa0f1f8000000000");
	/* the negated form again not */
	memset(box.bytes + 0x20, 0x90, 8);
	table = alternative(&box, 0x20, 0x200, 100, 1, 8, 1);
	ksma_patch_alternatives(&box.patch, &table);
	assert_bytes(&box, 0x20, "0f1f840000000000");
	/* a jump out of the replacement is moved, and short where it can be */
	memset(box.bytes + 0x30, 0x90, 5);
	ksma_patch_branch(box.bytes + 0x210, 0xe9, BASE + 0x210, BASE + 0x60);
	table = alternative(&box, 0x30, 0x210, 100, 0, 5, 5);
	ksma_patch_alternatives(&box.patch, &table);
	assert_bytes(&box, 0x30, "eb2ecccccc");
	/* long padding is jumped over */
	memset(box.bytes + 0x40, 0x90, 16);
	table = alternative(&box, 0x40, 0x200, 101, 0, 16, 0);
	ksma_patch_alternatives(&box.patch, &table);
	assert_bytes(&box, 0x40, "eb0ecccccccccccccccccccccccccccc");
	assert_int_equal(box.patch.bad, 0);
}

static void test_direct_call(void **state)
{
	struct ksma_patch_table table;
	struct box box;

	box_init(&box, KSMA_NOPS_11);
	box.patch.symbols.bug = BASE + 0x300;
	box.patch.symbols.nop = BASE + 0x310;
	box.pointer = BASE + 0x100;
	set_feature(&box, 100);
	/* call *pointer(%rip) with "call BUG_func" to replace it */
	memcpy(box.bytes + 0x10, "\xff\x15\x0a\x00\x00\x00", 6);
	ksma_patch_branch(box.bytes + 0x200, 0xe8, BASE + 0x200, BASE + 0x300);
	table = alternative(&box, 0x10, 0x200, 100, 2, 6, 5);
	ksma_patch_alternatives(&box.patch, &table);
	assert_bytes(&box, 0x10, "e8eb00000090");
	/* a function that does nothing is not called */
	memcpy(box.bytes + 0x10, "\xff\x15\x0a\x00\x00\x00", 6);
	box.pointer = BASE + 0x310;
	ksma_patch_alternatives(&box.patch, &table);
	assert_bytes(&box, 0x10, "660f1f440000");
	/* a pointer to no function is not believed: the vendor's counts */
	memcpy(box.bytes + 0x10, "\xff\x15\x0a\x00\x00\x00", 6);
	memcpy(box.bytes + 0x20, &(uint64_t){ BASE + 0x120 }, 8);
	box.pointer = BASE + 0x123;
	ksma_patch_alternatives(&box.patch, &table);
	assert_bytes(&box, 0x10, "e80b01000090");
}

static void test_old_alternatives(void **state)
{
	struct ksma_patch_table table;
	struct box box;
	uint8_t *e = box.bytes + TABLE_AT;

	box_init(&box, KSMA_NOPS_K8);
	memset(box.bytes + 0x10, 0x90, 5);
	memcpy(box.bytes + 0x200, "\x0f\x01\xca", 3);
	table = alternative(&box, 0x10, 0x200, 100, 0, 0, 0);
	e[10] = 5;
	e[11] = 3;
	table.size = 12;
	set_feature(&box, 100);
	ksma_patch_alternatives(&box.patch, &table);
	assert_bytes(&box, 0x10, "0f01ca6690");
	assert_int_equal(box.patch.entry, 12);
}

static void test_static_calls(void **state)
{
	static const uint8_t plain[2] = { 0xe8, 0 }, conditional[2] = { 0x0f, 0x84 };
	uint8_t to[6];
	struct box box;

	box_init(&box, KSMA_NOPS_11);
	box.patch.symbols.return0 = BASE + 0x100;
	box.patch.symbols.static_return = BASE + 0x200;
	assert_int_equal(ksma_patch_static_call(&box.patch, plain, BASE, BASE + 0x80, false, to),
			 5);
	assert_memory_equal(to, "\xe8\x7b\x00\x00\x00", 5);
	ksma_patch_static_call(&box.patch, plain, BASE, BASE + 0x80, true, to);
	assert_memory_equal(to, "\xe9\x7b\x00\x00\x00", 5);
	ksma_patch_static_call(&box.patch, plain, BASE, 0, false, to);
	assert_memory_equal(to, "\x0f\x1f\x44\x00\x00", 5);
	ksma_patch_static_call(&box.patch, plain, BASE, 0, true, to);
	assert_memory_equal(to, "\xc3\xcc\xcc\xcc\xcc", 5);
	ksma_patch_static_call(&box.patch, plain, BASE, BASE + 0x100, false, to);
	assert_memory_equal(to, "\x2e\x2e\x2e\x31\xc0", 5);
	assert_int_equal(ksma_patch_static_call(&box.patch, conditional, BASE, 0, true, to), 6);
	assert_memory_equal(to, "\x0f\x84\xfa\x01\x00\x00", 6);
}

static void test_small_sites(void **state)
{
	struct ksma_patch_table table;
	struct box box;

	box_init(&box, KSMA_NOPS_11);
	memcpy(box.bytes + 0x10, "\xf3\x0f\x1e\xfa", 4);
	table = one_site(&box, 0x10);
	ksma_patch_seals(&box.patch, &table);
	assert_bytes(&box, 0x10, "660f1f00");
	box.bytes[0x20] = 0xf0;
	table = one_site(&box, 0x20);
	ksma_patch_locks(&box.patch, &table, BASE, BASE + 0x20);
	assert_bytes(&box, 0x20, "f0");
	ksma_patch_locks(&box.patch, &table, BASE, BASE + 0x21);
	assert_bytes(&box, 0x20, "3e");
	table = one_site(&box, 0x30);
	ksma_patch_runtime(&box.patch, &table, 0x1122334455667788ull, false);
	assert_bytes(&box, 0x30, "8877665544332211");
	/* out of all parts */
	table = one_site(&box, BASE_SIZE - 3);
	ksma_patch_runtime(&box.patch, &table, 0, false);
	assert_int_equal(box.patch.bad, 1);
}

static void test_paravirt(void **state)
{
	struct ksma_patch_table table;
	struct box box;

	box_init(&box, KSMA_NOPS_P6);
	box.patch.symbols.pv_ops = BASE + 0x280;
	box.pointer = BASE + 0x100;
	memcpy(box.bytes + TABLE_AT, &(uint64_t){ BASE + 0x10 }, 8);
	box.bytes[TABLE_AT + 8] = 3;
	box.bytes[TABLE_AT + 9] = 7;
	table = (struct ksma_patch_table){ BASE + TABLE_AT, box.bytes + TABLE_AT, 12 };
	ksma_patch_paravirt(&box.patch, &table, false);
	assert_bytes(&box, 0x10, "e8eb0000006690");
	box.patch.operations[KSMA_OPERATION_DISABLE] = 3;
	ksma_patch_paravirt(&box.patch, &table, true);
	assert_bytes(&box, 0x10, "fa660f1f440000");
	assert_true(ksma_patch_table_holds(&table, KSMA_PATCH_PARAVIRT, BASE + 0x16));
	assert_false(ksma_patch_table_holds(&table, KSMA_PATCH_PARAVIRT, BASE + 0x17));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retpolines),	 cmocka_unit_test(test_returns),
		cmocka_unit_test(test_alternatives),	 cmocka_unit_test(test_direct_call),
		cmocka_unit_test(test_old_alternatives), cmocka_unit_test(test_static_calls),
		cmocka_unit_test(test_small_sites),	 cmocka_unit_test(test_paravirt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
