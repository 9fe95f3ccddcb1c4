/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sweep for function pointers: which members it finds by the types, what it takes for a function, and walks that a guest made
 * endless. */
#include "unit.h"

#include "checks/owners.h"
#include "checks/registry.h"
#include "fail_alloc.h"
#include "fake_kernel.h"
#include "tiny_btf.h"

#define BASE 0xffffffff80000000ull

enum { ARENA = 1 << 20, TEXT = 0x1000, TEXT_END = 0x2000, DATA = 0x3000, DATA_END = 0x8000 };

#define FIRST (BASE + TEXT + 0x100)
#define SECOND (BASE + TEXT + 0x200)
#define TABLE (BASE + DATA)
#define ARRAY (BASE + DATA + 0x400)
#define OBJECT (BASE + DATA + 0x800)
#define MODULES (BASE + DATA + 0xc00)

struct world {
	struct fake_kernel *k;
	struct tiny_btf *types;
	struct ksma_findings findings;
	struct ksma_coverage coverage;
	struct ksma_owners owners;
	uint32_t ops, object;
};

static uint32_t pointer_to(struct tiny_btf *b, uint32_t type)
{
	return tiny_btf_type(b, "", KSMA_BTF_PTR, false, 0, type);
}

/* struct file_operations { module *owner; fn open, close; union { fn one; long other; }; struct callback_head head; fn many[2]; };
 * struct object { object *next; const file_operations *ops; struct { fn inner; } part; }; */
static void make_types(struct world *w)
{
	struct tiny_btf *b = w->types;
	uint32_t u_long, proto, function, module, mixed, head, array, part, ops_pointer, next;

	tiny_btf_start(b);
	u_long = tiny_btf_type(b, "long", KSMA_BTF_INT, false, 0, 8);
	tiny_btf_u32(b, 64);
	proto = tiny_btf_type(b, "", KSMA_BTF_FUNC_PROTO, false, 0, 0);
	function = pointer_to(b, proto);
	module = pointer_to(b, tiny_btf_type(b, "module", KSMA_BTF_STRUCT, false, 0, 64));
	mixed = tiny_btf_type(b, "", KSMA_BTF_UNION, false, 2, 8);
	tiny_btf_member(b, "one", function, 0);
	tiny_btf_member(b, "other", u_long, 0);
	head = tiny_btf_type(b, "callback_head", KSMA_BTF_STRUCT, false, 1, 8);
	tiny_btf_member(b, "func", function, 0);
	array = tiny_btf_type(b, "", KSMA_BTF_ARRAY, false, 0, 0);
	tiny_btf_u32(b, function);
	tiny_btf_u32(b, u_long);
	tiny_btf_u32(b, 2);
	w->ops = tiny_btf_type(b, "file_operations", KSMA_BTF_STRUCT, false, 6, 56);
	tiny_btf_member(b, "owner", module, 0);
	tiny_btf_member(b, "open", function, 64);
	tiny_btf_member(b, "close", function, 128);
	tiny_btf_member(b, "", mixed, 192);
	tiny_btf_member(b, "head", head, 256);
	tiny_btf_member(b, "many", array, 320);
	ops_pointer = pointer_to(b, tiny_btf_type(b, "", KSMA_BTF_CONST, false, 0, w->ops));
	part = tiny_btf_type(b, "", KSMA_BTF_STRUCT, false, 1, 8);
	tiny_btf_member(b, "inner", function, 0);
	next = pointer_to(b, b->count + 2);
	w->object = tiny_btf_type(b, "object", KSMA_BTF_STRUCT, false, 3, 24);
	tiny_btf_member(b, "next", next, 0);
	tiny_btf_member(b, "ops", ops_pointer, 64);
	tiny_btf_member(b, "part", part, 128);
	tiny_btf_finish(b);
	assert_ok(ksma_btf_create(b->data, b->size, &w->k->kernel.btf));
}

/* A kernel of a page of code, in which two functions start, and some pages of data. Its memory begins where the image does. */
static struct world make(void)
{
	struct world w = { .k = fake_kernel_create(BASE, ARENA, FAKE_MAPPED),
			   .types = calloc(1, sizeof(*w.types)) };
	struct ksma_kernel *kernel = &w.k->kernel;

	if (!w.types)
		abort();
	fake_layout_modules(kernel);
	make_types(&w);
	kernel->image = BASE;
	kernel->image_end = BASE + DATA_END;
	kernel->text = BASE + TEXT;
	kernel->etext = BASE + TEXT_END;
	fake_kernel_alloc(w.k, DATA_END, KSMA_PAGE_SIZE);
	fake_kernel_symbol(w.k, "first", FIRST);
	fake_kernel_symbol(w.k, "second", SECOND);
	fake_kernel_symbol(w.k, "table", TABLE);
	fake_kernel_symbol(w.k, "array", ARRAY);
	fake_kernel_symbol(w.k, "behind", ARRAY + 16);
	fake_kernel_symbol(w.k, "modules", MODULES);
	fake_kernel_list(w.k, MODULES, NULL, 0);
	return w;
}

static void unmake(struct world *w)
{
	ksma_findings_deinit(&w->findings);
	ksma_coverage_deinit(&w->coverage);
	ksma_owners_deinit(&w->owners);
	ksma_btf_destroy(w->k->kernel.btf);
	fake_kernel_destroy(w->k);
	free(w->types);
}

/* What a look at the object at `address` finds. */
static size_t look(struct world *w, uint64_t address)
{
	struct ksma_look l = { .kernel = &w->k->kernel,
			       .check = "test",
			       .attack = "T0",
			       .findings = &w->findings,
			       .coverage = &w->coverage,
			       .owners = &w->owners };
	struct ksma_sweep sweep;

	ksma_findings_deinit(&w->findings);
	w->findings = (struct ksma_findings){ 0 };
	assert_ok(ksma_sweep_init(&l, &sweep));
	assert_ok(ksma_sweep_object(&sweep, "object", address, "thing"));
	ksma_sweep_deinit(&sweep);
	return w->findings.count;
}

static void test_shape(void **state)
{
	static const struct {
		const char *name;
		uint32_t offset;
		enum ksma_slot_kind kind;
	} expected[] = { { "owner", 0, KSMA_SLOT_OWNER },
			 { "open", 8, KSMA_SLOT_FUNCTION },
			 { "close", 16, KSMA_SLOT_FUNCTION },
			 { "many", 40, KSMA_SLOT_FUNCTION },
			 { "many", 48, KSMA_SLOT_FUNCTION } };
	struct world w = make();
	struct ksma_shapes shapes = { .btf = w.k->kernel.btf };
	const struct ksma_shape *shape, *again;

	(void)state;
	assert_ok(ksma_shapes_get(&shapes, w.ops, &shape));
	assert_int_equal(shape->count, ARRAY_SIZE(expected));
	assert_true(shape->is_table);
	for (size_t i = 0; i < shape->count; i++) {
		assert_string_equal(shape->items[i].name, expected[i].name);
		assert_int_equal(shape->items[i].offset, expected[i].offset);
		assert_int_equal(shape->items[i].kind, expected[i].kind);
	}
	assert_ok(ksma_shapes_get(&shapes, w.ops, &again));
	assert_ptr_equal(again, shape);
	assert_ok(ksma_shapes_get(&shapes, w.object, &shape));
	assert_int_equal(shape->count, 2);
	assert_int_equal(shape->items[0].kind, KSMA_SLOT_TABLE);
	assert_int_equal(shape->items[0].type, w.ops);
	assert_int_equal(shape->items[1].offset, 16);
	assert_string_equal(shape->items[1].name, "inner");
	assert_ok(ksma_shapes_get(&shapes, 1, &shape)); /* a number */
	assert_null(shape);
	ksma_shapes_deinit(&shapes);
	unmake(&w);
}

static void test_functions(void **state)
{
	static const struct {
		uint64_t value;
		bool wrong;
	} cases[] = { { 0, false },
		      { FIRST, false },
		      { SECOND, false },
		      { FIRST + 4, true },
		      { 17, false },
		      { (uint64_t)-22, false },
		      { 0xffffc90000001000ull, true },
		      { BASE + DATA + 8, true } };
	struct world w = make();

	(void)state;
	fake_kernel_put64(w.k, OBJECT + 8, TABLE);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_kernel_put64(w.k, TABLE + 8, FIRST);
		fake_kernel_put64(w.k, TABLE + 48, cases[i].value);
		assert_int_equal(look(&w, OBJECT), cases[i].wrong);
		if (cases[i].wrong)
			assert_string_equal(w.findings.items[0].id, "test/table/many");
		fake_kernel_put64(w.k, TABLE + 48, 0);
		fake_kernel_put64(w.k, OBJECT + 16, cases[i].value);
		assert_int_equal(look(&w, OBJECT), cases[i].wrong);
		fake_kernel_put64(w.k, OBJECT + 16, 0);
	}
	/* What shares its place with something else, and what RCU leaves behind, is not looked at. */
	fake_kernel_put64(w.k, TABLE + 24, 0xffffc90000001000ull);
	fake_kernel_put64(w.k, TABLE + 32, 0xffffc90000001000ull);
	assert_int_equal(look(&w, OBJECT), 0);
	assert_int_equal(w.coverage.state, KSMA_COVERAGE_COMPLETE);
	unmake(&w);
}

/* A table belongs into the image or a listed module, and its owner onto the list. */
static void test_places(void **state)
{
	struct world w = make();

	(void)state;
	fake_kernel_put64(w.k, OBJECT + 8, BASE + DATA_END + 0x100);
	assert_int_equal(look(&w, OBJECT), 1);
	assert_string_equal(w.findings.items[0].id, "test/thing/ops/table");
	fake_kernel_put64(w.k, OBJECT + 8, TABLE);
	fake_kernel_put64(w.k, TABLE, BASE + DATA_END + 0x200);
	assert_int_equal(look(&w, OBJECT), 1);
	assert_string_equal(w.findings.items[0].id, "test/thing/owner/table");
	assert_int_equal(w.coverage.state, KSMA_COVERAGE_COMPLETE);
	fake_kernel_put64(w.k, TABLE, 0);
	fake_kernel_put64(w.k, OBJECT + 8, BASE + ARENA + 0x1000); /* not mapped, and nobody's */
	assert_int_equal(look(&w, OBJECT), 1);
	assert_int_equal(w.coverage.state, KSMA_COVERAGE_PARTIAL);
	unmake(&w);
}

/* Sweeps one row. @return the state of the coverage */
static enum ksma_coverage_state walk(struct world *w, enum ksma_registry_walk how, const char *link,
				     unsigned count)
{
	const struct ksma_registry row = { "array", how, "object", link, count, true, NULL };
	struct ksma_look l = { .kernel = &w->k->kernel,
			       .check = "test",
			       .attack = "T0",
			       .findings = &w->findings,
			       .coverage = &w->coverage,
			       .owners = &w->owners };
	struct ksma_sweep sweep;
	enum ksma_coverage_state state;

	ksma_findings_deinit(&w->findings);
	w->findings = (struct ksma_findings){ 0 };
	assert_ok(ksma_sweep_init(&l, &sweep));
	assert_ok(ksma_registry_sweep(&sweep, &row, 1, NULL, NULL));
	ksma_sweep_deinit(&sweep);
	state = w->coverage.state;
	ksma_coverage_deinit(&w->coverage);
	w->coverage = (struct ksma_coverage){ 0 };
	return state;
}

static void test_registries(void **state)
{
	struct world w = make();

	(void)state;
	/* A chain of two, the second of which is hooked; then one that bites its tail. */
	fake_kernel_put64(w.k, ARRAY, OBJECT);
	fake_kernel_put64(w.k, OBJECT, OBJECT + 64);
	fake_kernel_put64(w.k, OBJECT + 64 + 16, FIRST + 1);
	assert_int_equal(walk(&w, KSMA_REGISTRY_CHAIN, "next", 0), KSMA_COVERAGE_COMPLETE);
	assert_int_equal(w.findings.count, 1);
	fake_kernel_put64(w.k, OBJECT + 64, OBJECT);
	assert_int_equal(walk(&w, KSMA_REGISTRY_CHAIN, "next", 0), KSMA_COVERAGE_PARTIAL);
	assert_int_equal(w.findings.count, 1);
	fake_kernel_put64(w.k, OBJECT + 64, BASE + ARENA + 0x1000);
	assert_int_equal(walk(&w, KSMA_REGISTRY_CHAIN, "next", 0), KSMA_COVERAGE_PARTIAL);
	assert_int_equal(w.findings.count, 1);
	/* An array has room up to the next symbol, whatever the row says. */
	fake_kernel_put64(w.k, ARRAY + 8, OBJECT + 64);
	fake_kernel_put64(w.k, ARRAY + 16, BASE + ARENA + 0x1000);
	assert_int_equal(walk(&w, KSMA_REGISTRY_POINTERS, NULL, 100), KSMA_COVERAGE_COMPLETE);
	assert_int_equal(w.findings.count, 1);
	assert_int_equal(walk(&w, KSMA_REGISTRY_POINTERS, "gone", 0), KSMA_COVERAGE_PARTIAL);
	assert_int_equal(walk(&w, KSMA_REGISTRY_FUNCTION, NULL, 0), KSMA_COVERAGE_COMPLETE);
	assert_int_equal(w.findings.count, 1); /* an object is no function */
	unmake(&w);
}

static struct ksma_error *sweep_once(void *arg)
{
	struct world *w = arg;
	struct ksma_look l = { .kernel = &w->k->kernel,
			       .check = "test",
			       .attack = "T0",
			       .findings = &w->findings,
			       .coverage = &w->coverage,
			       .owners = &w->owners };
	struct ksma_sweep sweep;
	struct ksma_error *error;

	error = ksma_sweep_init(&l, &sweep);
	if (!error)
		error = ksma_sweep_object(&sweep, "object", OBJECT, "thing");
	ksma_sweep_deinit(&sweep);
	ksma_findings_deinit(&w->findings);
	w->findings = (struct ksma_findings){ 0 };
	ksma_coverage_deinit(&w->coverage);
	w->coverage = (struct ksma_coverage){ 0 };
	return error;
}

static void test_allocation(void **state)
{
	struct world w = make();

	(void)state;
	fake_kernel_put64(w.k, OBJECT + 8, TABLE);
	fake_kernel_put64(w.k, TABLE + 8, FIRST);
	assert_true(fail_alloc_each(sweep_once, &w, FAIL_ALLOC_LENIENT) >= 4);
	unmake(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shape),	   cmocka_unit_test(test_functions),
		cmocka_unit_test(test_places),	   cmocka_unit_test(test_registries),
		cmocka_unit_test(test_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
