/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists and trees in the guest's kernel memory: whoever owns the guest's kernel hangs them together as they like. */
#include "kernel_input.h"

/* Where the roots lie in the input. */
enum { LIST = 0, XARRAY = 16, RBTREE = 32, MAPLE = 48 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

struct order {
	uint64_t last;
	bool any;
};

static bool on_entry(void *arg, uint64_t entry)
{
	uint64_t *sum = arg;

	*sum += entry;
	return true;
}

/* Indices rise, or a walk went in circles. */
static bool on_indexed(void *arg, uint64_t index, uint64_t entry)
{
	struct order *order = arg;

	if (!entry || (order->any && index <= order->last))
		abort();
	*order = (struct order){ index, true };
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct fake_kernel *k;
	struct order order = { 0 };
	uint64_t sum = 0;

	if (length > KERNEL_INPUT_MAX)
		return 0;
	k = kernel_of_input(data, length);
	fake_layout_containers(&k->kernel);
	ksma_error_destroy(ksma_kernel_list(
		&k->kernel, LIST, &(struct ksma_budget){ KERNEL_INPUT_NODES, 0 }, on_entry, &sum));
	ksma_error_destroy(ksma_kernel_rbtree(&k->kernel, RBTREE,
					      &(struct ksma_budget){ KERNEL_INPUT_NODES, 0 },
					      on_entry, &sum));
	ksma_error_destroy(ksma_kernel_xarray(&k->kernel, XARRAY,
					      &(struct ksma_budget){ KERNEL_INPUT_NODES, 0 },
					      on_indexed, &order));
	order.any = false;
	ksma_error_destroy(ksma_kernel_maple(&k->kernel, MAPLE,
					     &(struct ksma_budget){ KERNEL_INPUT_NODES, 0 },
					     on_indexed, &order));
	fake_kernel_destroy(k);
	return 0;
}
