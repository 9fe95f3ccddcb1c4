/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handlers of interrupts: the kernel's own are none of our business, those of
 * nobody are told, and lists that never end do end. */
#include "unit.h"

#include "checks/check.h"
#include "checks/owners.h"
#include "fake_kernel.h"

#define BASE 0xffffffff80000000ull

enum {
	ARENA = 1 << 18,
	TEXT = 0x1000,
	TEXT_END = 0x2000,
	FUNCTION = 0x1100,
	NOBODY = 0x9000,
	ACTION = 0x20, /* in a descriptor */
};

struct world {
	struct fake_kernel *k;
	struct ksma_owners owners;
	struct ksma_findings findings;
	struct ksma_coverage coverage;
	uint64_t softirqs, tasklets, descriptor, action;
};

static void put_layout(struct ksma_kernel *kernel)
{
	struct ksma_offsets *off = &kernel->off;

	fake_layout_containers(kernel);
	kernel->size.softirq_action = 8;
	off->tasklet_struct__next = 0;
	off->tasklet_struct__func = 32;
	off->irq_desc__action = ACTION;
	off->irq_desc__handle_irq = ACTION + 8;
	off->irqaction__handler = 0;
	off->irqaction__next = 8;
	off->irqaction__thread_fn = 16;
}

/* Ten softirqs, a processor with an empty list of tasklets, and one interrupt
 * with one handler, all of the kernel's own. */
static struct world make(void)
{
	struct world w = { .k = fake_kernel_create(BASE, ARENA, FAKE_MAPPED) };
	struct ksma_owner *owner = NULL;
	uint64_t tree, node;

	fake_kernel_alloc(w.k, 0xa000, KSMA_PAGE_SIZE);
	put_layout(&w.k->kernel);
	fake_kernel_symbol(w.k, "handler", BASE + FUNCTION);
	assert_null(KSMA_ARRAY_PUSH(&w.owners.exact, &owner));
	if (!owner)
		abort();
	*owner = (struct ksma_owner){ BASE + TEXT, BASE + TEXT_END, KSMA_OWNER_KERNEL, "text" };
	w.softirqs = fake_kernel_alloc(w.k, 80, 64);
	fake_kernel_symbol(w.k, "softirq_vec", w.softirqs);
	for (int i = 0; i < 10; i++)
		fake_kernel_put64(w.k, w.softirqs + 8ul * i, BASE + FUNCTION);
	w.tasklets = fake_kernel_alloc(w.k, 16, 64);
	fake_kernel_symbol(w.k, "tasklet_vec", w.tasklets - 64);
	w.k->kernel.cpus = 1;
	w.k->kernel.per_cpu[0] = 64;
	tree = fake_kernel_alloc(w.k, 16, 64);
	node = fake_kernel_alloc(w.k, 576, 64);
	w.descriptor = fake_kernel_alloc(w.k, 128, 64);
	w.action = fake_kernel_alloc(w.k, 64, 64);
	fake_kernel_symbol(w.k, "irq_desc_tree", tree);
	fake_kernel_put64(w.k, tree + 8, node | 2);
	fake_kernel_put64(w.k, node + 40 + 8 * 3, w.descriptor);
	fake_kernel_put64(w.k, w.descriptor + ACTION, w.action);
	fake_kernel_put64(w.k, w.descriptor + ACTION + 8, BASE + FUNCTION);
	fake_kernel_put64(w.k, w.action, BASE + FUNCTION);
	return w;
}

static size_t look(struct world *w)
{
	struct ksma_look look = { .kernel = &w->k->kernel,
				  .check = "interrupts",
				  .attack = "T1014",
				  .findings = &w->findings,
				  .coverage = &w->coverage,
				  .owners = &w->owners };

	ksma_findings_deinit(&w->findings);
	assert_ok(ksma_check_interrupts.run(&look));
	return w->findings.count;
}

static void end(struct world *w)
{
	ksma_findings_deinit(&w->findings);
	ksma_coverage_deinit(&w->coverage);
	free(w->owners.exact.items);
	fake_kernel_destroy(w->k);
}

static void handlers_of_the_kernel(void **state)
{
	struct world w = make();

	assert_int_equal(look(&w), 0);
	end(&w);
}

static void a_softirq_of_nobody(void **state)
{
	struct world w = make();

	fake_kernel_put64(w.k, w.softirqs + 8 * 5, BASE + NOBODY);
	assert_int_equal(look(&w), 1);
	assert_string_equal(w.findings.items[0].id, "interrupts/softirq/irq_poll");
	fake_kernel_put64(w.k, w.softirqs + 8 * 5, BASE + FUNCTION + 1); /* in the midst of one */
	assert_int_equal(look(&w), 1);
	end(&w);
}

static void a_handler_of_nobody(void **state)
{
	struct world w = make();

	fake_kernel_put64(w.k, w.action + 16, BASE + NOBODY);
	assert_int_equal(look(&w), 1);
	fake_kernel_put64(w.k, w.action + 16, 0);
	fake_kernel_put64(w.k, w.action + 8, w.action); /* shared with itself */
	assert_int_equal(look(&w), 0);
	end(&w);
}

static void tasklets(void **state)
{
	struct world w = make();
	uint64_t first = fake_kernel_alloc(w.k, 64, 64), second = fake_kernel_alloc(w.k, 64, 64);

	fake_kernel_put64(w.k, w.tasklets, first);
	fake_kernel_put64(w.k, first, second);
	fake_kernel_put64(w.k, first + 32, BASE + FUNCTION);
	fake_kernel_put64(w.k, second + 32, BASE + FUNCTION);
	assert_int_equal(look(&w), 0);
	/* Two with one function are told once. */
	fake_kernel_put64(w.k, first + 32, BASE + NOBODY);
	fake_kernel_put64(w.k, second + 32, BASE + NOBODY);
	assert_int_equal(look(&w), 1);
	assert_string_equal(w.findings.items[0].id, "interrupts/tasklet/0xffffffff80009000");
	fake_kernel_put64(w.k, first + 32, BASE + FUNCTION);
	fake_kernel_put64(w.k, second + 32, BASE + FUNCTION);
	fake_kernel_put64(w.k, second, first); /* a circle */
	assert_int_equal(look(&w), 0);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handlers_of_the_kernel),
		cmocka_unit_test(a_softirq_of_nobody),
		cmocka_unit_test(a_handler_of_nobody),
		cmocka_unit_test(tasklets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
