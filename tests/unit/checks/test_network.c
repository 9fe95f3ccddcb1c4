/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arrays of packet filters: sound ones, a hook of nobody's, sizes and pointers that lie. */
#include "unit.h"

#include "checks/network.h"
#include "checks/owners.h"
#include "fake_kernel.h"
#include "tiny_btf.h"

#define BASE 0xffffffff80000000ull
#define FIRST (BASE + 0x1100)
#define PLACE (BASE + 0x9000)
#define ENTRIES (BASE + 0x9100)
#define NOBODY 0xffffc90000001000ull

struct world {
	struct fake_kernel *k;
	struct tiny_btf *types;
	struct ksma_findings findings;
	struct ksma_coverage coverage;
	struct ksma_owners owners;
};

static void make_types(struct world *w)
{
	struct tiny_btf *b = w->types;
	uint32_t u_int;

	tiny_btf_start(b);
	u_int = tiny_btf_type(b, "int", KSMA_BTF_INT, false, 0, 4);
	tiny_btf_u32(b, 32);
	tiny_btf_type(b, "nf_hook_ops", KSMA_BTF_STRUCT, false, 2, 64);
	tiny_btf_member(b, "hooknum", u_int, 32 * 8);
	tiny_btf_member(b, "priority", u_int, 36 * 8);
	tiny_btf_finish(b);
	assert_ok(ksma_btf_create(b->data, b->size, &w->k->kernel.btf));
}

static struct world make(void)
{
	struct world w = { .k = fake_kernel_create(BASE, 1 << 20, FAKE_MAPPED),
			   .types = calloc(1, sizeof(*w.types)) };
	struct ksma_kernel *kernel = &w.k->kernel;

	if (!w.types)
		abort();
	fake_layout_modules(kernel);
	make_types(&w);
	kernel->image = BASE;
	kernel->image_end = BASE + 0x8000;
	kernel->text = BASE + 0x1000;
	kernel->etext = BASE + 0x2000;
	fake_kernel_symbol(w.k, "first", FIRST);
	fake_kernel_symbol(w.k, "modules", BASE + 0x7000);
	fake_kernel_list(w.k, BASE + 0x7000, NULL, 0);
	fake_kernel_put64(w.k, PLACE, ENTRIES);
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

/* Looks at the filters that PLACE leads to. @return how many findings there are */
static size_t look(struct world *w)
{
	struct ksma_look l = { .kernel = &w->k->kernel,
			       .check = "test",
			       .attack = "T0",
			       .findings = &w->findings,
			       .coverage = &w->coverage,
			       .owners = &w->owners };
	struct ksma_sweep sweep;
	struct ksma_network network = { .sweep = &sweep };

	ksma_findings_deinit(&w->findings);
	w->findings = (struct ksma_findings){ 0 };
	ksma_coverage_deinit(&w->coverage);
	w->coverage = (struct ksma_coverage){ 0 };
	assert_ok(ksma_sweep_init(&l, &sweep));
	assert_ok(ksma_network_filters(&network, PLACE, "ipv4"));
	ksma_sweep_deinit(&sweep);
	return w->findings.count;
}

static const char *evidence(const struct ksma_finding *finding, const char *key)
{
	for (size_t i = 0; i < finding->count; i++)
		if (strcmp(finding->items[i].key, key) == 0)
			return finding->items[i].value;
	return "";
}

static void test_filters(void **state)
{
	struct world w = make();

	(void)state;
	fake_kernel_put(w.k, ENTRIES, 2, 2);
	fake_kernel_put64(w.k, ENTRIES + 8, FIRST);
	fake_kernel_put64(w.k, ENTRIES + 24, FIRST);
	assert_int_equal(look(&w), 0);
	assert_int_equal(w.coverage.state, KSMA_COVERAGE_COMPLETE);
	/* The second is nobody's; what was registered lies behind the two. */
	fake_kernel_put64(w.k, ENTRIES + 24, NOBODY);
	fake_kernel_put64(w.k, ENTRIES + 8 + 32 + 8, ENTRIES + 0x100);
	fake_kernel_put(w.k, ENTRIES + 0x100 + 32, 1, 4);
	fake_kernel_put(w.k, ENTRIES + 0x100 + 36, (uint32_t)-100, 4);
	assert_int_equal(look(&w), 1);
	assert_string_equal(w.findings.items[0].id, "test/ipv4/hook");
	assert_string_equal(evidence(&w.findings.items[0], "priority"), "-100");
	assert_string_equal(evidence(&w.findings.items[0], "hooknum"), "1");
	assert_string_equal(evidence(&w.findings.items[0], "found"), "0xffffc90000001000");
	unmake(&w);
}

static void test_lies(void **state)
{
	struct world w = make();

	(void)state;
	fake_kernel_put(w.k, ENTRIES, 0xffff, 2);
	assert_int_equal(look(&w), 0);
	assert_int_equal(w.coverage.state, KSMA_COVERAGE_PARTIAL);
	fake_kernel_put64(w.k, PLACE, NOBODY);
	assert_int_equal(look(&w), 0);
	assert_int_equal(w.coverage.state, KSMA_COVERAGE_PARTIAL);
	fake_kernel_put64(w.k, PLACE, 0);
	assert_int_equal(look(&w), 0);
	assert_int_equal(w.coverage.state, KSMA_COVERAGE_COMPLETE);
	unmake(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_filters),
					    cmocka_unit_test(test_lies) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
