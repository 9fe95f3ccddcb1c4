/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* BTF: right answers for every kind, and a refusal for everything that a hostile guest may have bent. */
#include "unit.h"

#include "fail_alloc.h"
#include "linux/btf.h"
#include "tiny_btf.h"

static struct tiny_btf blob;
static struct tiny_btf_ids ids;

static struct ksma_btf *sample(void)
{
	struct ksma_btf *btf = NULL;

	tiny_btf_sample(&blob, &ids);
	assert_ok(ksma_btf_create(blob.data, blob.size, &btf));
	return btf;
}

static void set32(size_t at, uint32_t value)
{
	memcpy(blob.data + at, &value, sizeof(value));
}

static void refuse(const char *words)
{
	struct ksma_btf *btf = NULL;

	assert_error_says(ksma_btf_create(blob.data, blob.size, &btf), KSMA_ERROR_BAD_DATA, words);
	assert_null(btf);
}

static void test_kinds_names_targets(void **state)
{
	struct ksma_btf *btf = sample();

	assert_int_equal(ksma_btf_type_count(btf), blob.count);
	assert_int_equal(ksma_btf_kind_of(btf, ids.outer), KSMA_BTF_STRUCT);
	assert_int_equal(ksma_btf_kind_of(btf, ids.wide), KSMA_BTF_ENUM64);
	assert_int_equal(ksma_btf_kind_of(btf, 0), KSMA_BTF_VOID);
	assert_int_equal(ksma_btf_kind_of(btf, blob.count), KSMA_BTF_DECL_TAG);
	assert_int_equal(ksma_btf_kind_of(btf, blob.count + 1), KSMA_BTF_VOID);
	assert_int_equal(ksma_btf_kind_of(btf, UINT32_MAX), KSMA_BTF_VOID);
	assert_string_equal(ksma_btf_name_of(btf, ids.outer), "outer");
	assert_string_equal(ksma_btf_name_of(btf, ids.pointer), "");
	assert_string_equal(ksma_btf_name_of(btf, UINT32_MAX), "");
	assert_int_equal(ksma_btf_target(btf, ids.pointer), ids.u_int);
	assert_int_equal(ksma_btf_target(btf, ids.matrix), ids.array);
	assert_int_equal(ksma_btf_target(btf, ids.func), ids.proto);
	assert_int_equal(ksma_btf_target(btf, ids.var), ids.matrix);
	assert_int_equal(ksma_btf_target(btf, ids.outer), 0);
	assert_int_equal(ksma_btf_array_count(btf, ids.matrix), 5);
	assert_int_equal(ksma_btf_array_count(btf, ids.outer), 0);
	assert_int_equal(ksma_btf_strip(btf, ids.chain), ids.u_long);
	assert_int_equal(ksma_btf_strip(btf, ids.outer), ids.outer);
	assert_int_equal(ksma_btf_strip(btf, 0), 0);
	ksma_btf_destroy(btf);
}

static void test_find_by_kind(void **state)
{
	struct ksma_btf *btf = sample();

	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_STRUCT, "outer"), ids.outer);
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_UNION, "outer"), ids.outer);
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_STRUCT, "holder"), ids.holder);
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_TYPEDEF, "alias"), ids.alias);
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_STRUCT, "alias"), 0);
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_ENUM, "wide"), ids.wide);
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_INT, "int"), ids.u_int); /* the first of two */
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_FLOAT, "double"), ids.real);
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_INT, "double"), 0);
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_FUNC, "work"), ids.func);
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_VAR, "counter"), ids.var);
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_DATASEC, ".data..percpu"), ids.section);
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_FWD, "nowhere"), ids.forward);
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_STRUCT, ""), 0);
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_STRUCT, "outer2"), 0);
	ksma_btf_destroy(btf);
}

static void test_sizes(void **state)
{
	const struct {
		uint32_t id;
		uint64_t size;
	} good[] = { { ids.u_int, 4 },	{ ids.pointer, 8 }, { ids.array, 12 },	 { ids.matrix, 60 },
		     { ids.outer, 72 }, { ids.chain, 8 },   { ids.var, 60 },	 { ids.color, 4 },
		     { ids.wide, 8 },	{ ids.real, 8 },    { ids.section, 128 } };
	struct ksma_btf *btf = sample();
	uint64_t size = 77;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(ksma_btf_size_of(btf, good[i].id, &size));
		assert_int_equal(size, good[i].size);
	}
	size = 77;
	assert_false(ksma_btf_size_of(btf, 0, &size));
	assert_false(ksma_btf_size_of(btf, ids.func, &size));
	assert_false(ksma_btf_size_of(btf, ids.forward, &size));
	assert_false(ksma_btf_size_of(btf, blob.count + 1, &size));
	assert_int_equal(size, 77);
	ksma_btf_destroy(btf);
}

static void check_member(const struct ksma_btf *btf, uint32_t type, const char *path,
			 uint64_t bit_offset, uint32_t bits, uint64_t size)
{
	struct ksma_btf_member member;

	if (!ksma_btf_member(btf, type, path, &member))
		fail_now("no member %s", path);
	assert_int_equal(member.bit_offset, bit_offset);
	assert_int_equal(member.bits, bits);
	assert_int_equal(member.size, size);
}

static void test_members_by_path(void **state)
{
	struct ksma_btf *btf = sample();
	struct ksma_btf_member member = { .bit_offset = 4711 };

	check_member(btf, ids.outer, "first", 0, 0, 4);
	check_member(btf, ids.outer, "low", 64, 0, 4);
	check_member(btf, ids.outer, "deep", 64, 0, 4);
	check_member(btf, ids.outer, "deeper", 128, 0, 8);
	check_member(btf, ids.outer, "in", 192, 0, 16);
	check_member(btf, ids.outer, "in.next", 256, 0, 8);
	check_member(btf, ids.outer, "list", 320, 0, 12);
	check_member(btf, ids.outer, "bit_a", 416, 3, 4);
	check_member(btf, ids.outer, "bit_b", 419, 5, 4);
	check_member(btf, ids.outer, "last", 448, 0, 8);
	check_member(btf, ids.outer, "tail", 576, 0, 0);
	check_member(btf, ids.holder, "o.in.next", 256, 0, 8);
	check_member(btf, ids.holder, "gone", 0, 0, 0); /* of a type that is only declared */
	check_member(btf, ids.oldbits, "whole", 0, 0, 4);
	check_member(btf, ids.oldbits, "part", 10, 3, 4);
	static const char *const bad[] = { "",	  ".",	 "firs",     "first2",	  "first.x",
					   "in.", ".in", "in..next", "in.next.x", "gone.x" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(ksma_btf_member(btf, ids.outer, bad[i], &member));
	assert_false(ksma_btf_member(btf, ids.u_int, "first", &member));
	assert_false(ksma_btf_member(btf, ids.pointer, "first", &member));
	assert_false(ksma_btf_member(btf, 0, "first", &member));
	assert_false(ksma_btf_member(btf, UINT32_MAX, "first", &member));
	assert_int_equal(member.bit_offset, 4711);
	ksma_btf_destroy(btf);
}

struct seen {
	unsigned count, stop_after;
	char names[256];
};

static bool note_member(void *arg, const char *name, const struct ksma_btf_member *member)
{
	struct seen *seen = arg;

	strcat(seen->names, name);
	strcat(seen->names, ",");
	return ++seen->count != seen->stop_after;
}

static void test_each_member(void **state)
{
	struct ksma_btf *btf = sample();
	struct seen all = { 0 }, two = { .stop_after = 2 }, none = { 0 };

	ksma_btf_each_member(btf, ids.outer, note_member, &all);
	assert_string_equal(all.names, "first,,in,list,bit_a,bit_b,last,tail,");
	ksma_btf_each_member(btf, ids.outer, note_member, &two);
	assert_string_equal(two.names, "first,,");
	ksma_btf_each_member(btf, ids.color, note_member, &none);
	ksma_btf_each_member(btf, UINT32_MAX, note_member, &none);
	assert_int_equal(none.count, 0);
	ksma_btf_destroy(btf);
}

static void test_enumerators(void **state)
{
	struct ksma_btf *btf = sample();
	int64_t value = 4711;

	assert_true(ksma_btf_enumerator(btf, NULL, "RED", &value));
	assert_int_equal(value, 1); /* the first enum's */
	assert_true(ksma_btf_enumerator(btf, "wide", "RED", &value));
	assert_int_equal(value, 99);
	assert_true(ksma_btf_enumerator(btf, "color", "MINUS", &value));
	assert_int_equal(value, -7);
	assert_true(ksma_btf_enumerator(btf, NULL, "MINUS", &value));
	assert_int_equal(value, -7);
	assert_true(ksma_btf_enumerator(btf, NULL, "HUGE", &value));
	assert_int_equal(value, 0x0123456789abcdef);
	assert_true(ksma_btf_enumerator(btf, NULL, "TOP_BIT", &value));
	assert_int_equal(value, 0x80000000ll);
	value = 4711;
	assert_false(ksma_btf_enumerator(btf, "color", "HUGE", &value));
	assert_false(ksma_btf_enumerator(btf, "colour", "RED", &value));
	assert_false(ksma_btf_enumerator(btf, NULL, "PURPLE", &value));
	assert_int_equal(value, 4711);
	ksma_btf_destroy(btf);
}

static void test_header(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
	} bad[] = {
		{ 0, 0x0001eb9e },  { 0, 0x0002eb9f }, { 0, 0x0101eb9f },  { 4, 20 },
		{ 4, 26 },	    { 4, 8192 },       { 8, 2 },	   { 8, 0x80000000 },
		{ 12, 0 },	    { 12, 8 },	       { 12, 0xfffffff0 }, { 16, 0 },
		{ 16, 0xffffffff }, { 20, 0 },	       { 20, 0xffffffff },
	};

	tiny_btf_sample(&blob, &ids);
	assert_int_equal(ksma_btf_header_size(blob.data, blob.size), blob.size);
	assert_int_equal(ksma_btf_header_size(blob.data, 24), blob.size);
	assert_int_equal(ksma_btf_header_size(blob.data, 23), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		tiny_btf_sample(&blob, &ids);
		set32(bad[i].at, bad[i].value);
		if (ksma_btf_header_size(blob.data, blob.size))
			fail_now("header with %08x at %zu is accepted", bad[i].value, bad[i].at);
		refuse("header");
	}
	tiny_btf_sample(&blob, &ids);
	blob.size--;
	refuse("cut off");
}

static void test_strings(void **state)
{
	tiny_btf_sample(&blob, &ids);
	blob.data[blob.size - 1] = 'x';
	refuse("not terminated");
	tiny_btf_sample(&blob, &ids);
	blob.data[blob.size - blob.strings_size] = 'x';
	refuse("not terminated");
	tiny_btf_sample(&blob, &ids);
	set32(TINY_BTF_HEADER, blob.strings_size);
	refuse("outside its strings");
}

static void test_bad_types(void **state)
{
	tiny_btf_sample(&blob, &ids);
	set32(TINY_BTF_HEADER + 4, 0);
	refuse("unknown kind 0");
	tiny_btf_sample(&blob, &ids);
	set32(TINY_BTF_HEADER + 4, 20u << 24);
	refuse("unknown kind 20");
	tiny_btf_sample(&blob, &ids);
	set32(TINY_BTF_HEADER + 4, 4u << 24 | 0xffffff);
	refuse("larger than its section");
	tiny_btf_start(&blob);
	tiny_btf_type(&blob, "p", KSMA_BTF_PTR, false, 0, 2);
	tiny_btf_finish(&blob);
	refuse("refers to type 2 of 1");
	tiny_btf_start(&blob);
	tiny_btf_type(&blob, "s", KSMA_BTF_STRUCT, false, 1, 4);
	tiny_btf_member(&blob, "m", 9, 0);
	tiny_btf_finish(&blob);
	refuse("refers to type 9 of 1");
	tiny_btf_start(&blob);
	tiny_btf_type(&blob, "i", KSMA_BTF_INT, false, 0, 4);
	tiny_btf_u32(&blob, 32);
	tiny_btf_u32(&blob, 0);
	tiny_btf_finish(&blob);
	refuse("type 2 is cut off");
}

/* A kind of the future is skipped where the blob says how long it is. */
static void test_layouts(void **state)
{
	struct ksma_btf *btf = NULL;
	uint32_t future, after;

	tiny_btf_start(&blob);
	future = tiny_btf_type(&blob, "future", 21, false, 3, 0);
	for (unsigned i = 0; i < 2 + 3 * 1; i++)
		tiny_btf_u32(&blob, 0xffffffff);
	after = tiny_btf_type(&blob, "after", KSMA_BTF_STRUCT, false, 0, 12);
	tiny_btf_layout(&blob, 21, 8, 4);
	tiny_btf_finish(&blob);
	assert_ok(ksma_btf_create(blob.data, blob.size, &btf));
	assert_int_equal(ksma_btf_type_count(btf), 2);
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_STRUCT, "after"), after);
	assert_int_equal(ksma_btf_kind_of(btf, future), KSMA_BTF_VOID);
	assert_int_equal(ksma_btf_target(btf, future), 0);
	ksma_btf_destroy(btf);
	tiny_btf_layout(&blob, 21, 7, 4);
	tiny_btf_finish(&blob);
	refuse("unknown kind 21");
	tiny_btf_layout(&blob, 21, 8, 4);
	tiny_btf_finish(&blob);
	set32(28, 0xfffffff0);
	refuse("header");
}

static void test_cycles(void **state)
{
	struct ksma_btf_member member;
	struct ksma_btf *btf = NULL;
	uint64_t size;
	uint32_t a, b, self, array;

	tiny_btf_start(&blob);
	a = tiny_btf_type(&blob, "a", KSMA_BTF_TYPEDEF, false, 0, 2);
	b = tiny_btf_type(&blob, "", KSMA_BTF_CONST, false, 0, 1);
	self = tiny_btf_type(&blob, "self", KSMA_BTF_STRUCT, false, 3, 8);
	tiny_btf_member(&blob, "", self, 0);
	tiny_btf_member(&blob, "", self, 64);
	tiny_btf_member(&blob, "end", a, 128);
	array = tiny_btf_type(&blob, "", KSMA_BTF_ARRAY, false, 0, 0);
	tiny_btf_u32(&blob, array);
	tiny_btf_u32(&blob, a);
	tiny_btf_u32(&blob, 2);
	tiny_btf_finish(&blob);
	assert_ok(ksma_btf_create(blob.data, blob.size, &btf));
	assert_int_equal(ksma_btf_strip(btf, a), 0);
	assert_int_equal(ksma_btf_strip(btf, b), 0);
	assert_false(ksma_btf_size_of(btf, array, &size));
	assert_false(ksma_btf_size_of(btf, a, &size));
	assert_false(ksma_btf_member(btf, self, "nothing", &member)); /* and it ends */
	assert_true(ksma_btf_member(btf, self, "end", &member));
	assert_int_equal(member.size, 0);
	ksma_btf_destroy(btf);
}

static void test_array_overflow(void **state)
{
	struct ksma_btf *btf = NULL;
	uint64_t size;

	tiny_btf_start(&blob);
	tiny_btf_type(&blob, "i", KSMA_BTF_INT, false, 0, 4);
	tiny_btf_u32(&blob, 32);
	for (uint32_t i = 1; i < 4; i++) {
		tiny_btf_type(&blob, "", KSMA_BTF_ARRAY, false, 0, 0);
		tiny_btf_u32(&blob, i);
		tiny_btf_u32(&blob, 1);
		tiny_btf_u32(&blob, 0xffffffff);
	}
	tiny_btf_finish(&blob);
	assert_ok(ksma_btf_create(blob.data, blob.size, &btf));
	assert_true(ksma_btf_size_of(btf, 2, &size));
	assert_int_equal(size, 0xffffffffull * 4);
	assert_false(ksma_btf_size_of(btf, 3, &size));
	assert_false(ksma_btf_size_of(btf, 4, &size));
	ksma_btf_destroy(btf);
}

/* What was read stays as it was, whatever the guest writes afterwards. */
static void test_memory_that_changes(void **state)
{
	struct ksma_btf *btf = sample();

	memset(blob.data, 0xff, sizeof(blob.data));
	check_member(btf, ids.outer, "in.next", 256, 0, 8);
	assert_string_equal(ksma_btf_name_of(btf, ids.outer), "outer");
	ksma_btf_destroy(btf);
}

/* Thousands of equal names are no quadratic work: the second one ends at the first. */
static void test_many_of_one_name(void **state)
{
	struct ksma_btf *btf = NULL;
	uint64_t start;

	tiny_btf_start(&blob);
	for (unsigned i = 0; i < 40000; i++) {
		tiny_btf_type(&blob, i % 2 ? "twin" : "", KSMA_BTF_STRUCT, false, 0, i);
	}
	tiny_btf_finish(&blob);
	start = ksma_now_ns();
	assert_ok(ksma_btf_create(blob.data, blob.size, &btf));
	assert_true(ksma_now_ns() - start < 1000000000);
	assert_int_equal(ksma_btf_find(btf, KSMA_BTF_STRUCT, "twin"), 2);
	ksma_btf_destroy(btf);
}

static struct ksma_error *create(void *state)
{
	struct ksma_btf *btf = NULL;
	struct ksma_error *error = ksma_btf_create(blob.data, blob.size, &btf);
	int64_t value;

	if (error)
		assert_null(btf);
	else /* without memory for the index, it is found the long way */
		assert_true(ksma_btf_enumerator(btf, NULL, "TOP_BIT", &value));
	ksma_btf_destroy(btf);
	return error;
}

static void test_no_memory(void **state)
{
	tiny_btf_sample(&blob, &ids);
	fail_alloc_each(create, NULL, FAIL_ALLOC_LENIENT);
}

/* Every single byte, bent in eight ways: an answer or an error, nothing else. The sanitizers watch. */
static void test_every_byte_bent(void **state)
{
	tiny_btf_sample(&blob, &ids);
	for (size_t at = 0; at < blob.size; at++) {
		uint8_t before = blob.data[at];

		for (unsigned bit = 0; bit < 8; bit++) {
			struct ksma_btf_member member;
			struct ksma_btf *btf = NULL;
			struct ksma_error *error;
			int64_t value;

			blob.data[at] = before ^ (uint8_t)(1u << bit);
			error = ksma_btf_create(blob.data, blob.size, &btf);
			for (uint32_t id = 0; !error && id <= ksma_btf_type_count(btf) + 1; id++) {
				struct seen seen = { .stop_after = 8 };
				uint64_t size;

				(void)strlen(ksma_btf_name_of(btf, id));
				ksma_btf_size_of(btf, id, &size);
				ksma_btf_target(btf, id);
				ksma_btf_member(btf, id, "in.next", &member);
				ksma_btf_each_member(btf, id, note_member, &seen);
			}
			if (!error)
				ksma_btf_enumerator(btf, NULL, "NONE", &value);
			ksma_error_destroy(error);
			ksma_btf_destroy(btf);
		}
		blob.data[at] = before;
	}
}

/* A prototype of up to two parameters. */
static uint32_t prototype(struct tiny_btf *b, uint32_t returns, unsigned count, uint32_t first,
			  uint32_t second)
{
	uint32_t id = tiny_btf_type(b, "", KSMA_BTF_FUNC_PROTO, false, count, returns);
	const uint32_t types[] = { first, second };

	for (unsigned i = 0; i < count; i++) {
		tiny_btf_u32(b, 0);
		tiny_btf_u32(b, types[i]);
	}
	return id;
}

static void test_calls_alike(void **state)
{
	static struct tiny_btf b;
	uint32_t u_int, u_long, file, task, forward, p_file, p_task, p_forward, p_void, wanted, id;
	struct ksma_btf *btf;

	(void)state;
	tiny_btf_start(&b);
	u_int = tiny_btf_type(&b, "int", KSMA_BTF_INT, false, 0, 4);
	tiny_btf_u32(&b, 1u << 24 | 32);
	u_long = tiny_btf_type(&b, "long int", KSMA_BTF_INT, false, 0, 8);
	tiny_btf_u32(&b, 1u << 24 | 64);
	file = tiny_btf_type(&b, "file", KSMA_BTF_STRUCT, false, 0, 8);
	task = tiny_btf_type(&b, "task_struct", KSMA_BTF_STRUCT, false, 0, 8);
	forward = tiny_btf_type(&b, "file", KSMA_BTF_FWD, false, 0, 0);
	p_file = tiny_btf_type(&b, "", KSMA_BTF_PTR, false, 0, file);
	p_task = tiny_btf_type(&b, "", KSMA_BTF_PTR, false, 0, task);
	p_forward = tiny_btf_type(&b, "", KSMA_BTF_PTR, false, 0, forward);
	p_void = tiny_btf_type(&b, "", KSMA_BTF_PTR, false, 0, 0);
	wanted = prototype(&b, u_int, 2, p_file, u_int);
	wanted = tiny_btf_type(&b, "", KSMA_BTF_PTR, false, 0, wanted);
	const struct {
		uint32_t id;
		bool alike;
	} others[] = {
		{ prototype(&b, u_int, 2, p_file, u_int), true },
		{ prototype(&b, u_int, 2, p_forward, u_int), true },
		{ prototype(&b, u_int, 2, p_void, u_int), true },
		{ prototype(&b, u_int, 2, p_task, u_int), false },
		{ prototype(&b, u_int, 2, p_file, u_long), false },
		{ prototype(&b, u_int, 2, p_file, p_file), false },
		{ prototype(&b, u_int, 1, p_file, 0), false },
		{ prototype(&b, 0, 2, p_file, u_int), false },
	};
	id = tiny_btf_type(&b, "work", KSMA_BTF_FUNC, false, 1, others[0].id);
	tiny_btf_finish(&b);
	assert_ok(ksma_btf_create(b.data, b.size, &btf));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(ksma_btf_calls_alike(btf, wanted, others[i].id), others[i].alike);
	assert_true(ksma_btf_calls_alike(btf, wanted, id));
	/* What is no function is not judged. */
	assert_true(ksma_btf_calls_alike(btf, wanted, u_int));
	assert_true(ksma_btf_calls_alike(btf, 0, 1 << 20));
	ksma_btf_destroy(btf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_names_targets),
		cmocka_unit_test(test_find_by_kind),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_members_by_path),
		cmocka_unit_test(test_each_member),
		cmocka_unit_test(test_enumerators),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_bad_types),
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_calls_alike),
		cmocka_unit_test(test_array_overflow),
		cmocka_unit_test(test_memory_that_changes),
		cmocka_unit_test(test_many_of_one_name),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_every_byte_bent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
