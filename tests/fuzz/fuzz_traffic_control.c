/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disciplines and filters of a network device: whoever owns the guest's kernel hangs them together as they like. */
#include "kernel_input.h"

#include "linux/traffic_control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static void require_once(const struct ksma_tc_objects *objects)
{
	for (size_t i = 0; i < objects->count; i++)
		for (size_t j = 0; j < i; j++)
			if (objects->items[i] == objects->items[j])
				abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct fake_kernel *k;
	struct ksma_tc tc;

	if (length > KERNEL_INPUT_MAX)
		return 0;
	k = kernel_of_input(data, length);
	fake_layout_traffic_control(&k->kernel);
	ksma_error_destroy(ksma_tc_read(&k->kernel, 0, &tc));
	require_once(&tc.qdiscs);
	require_once(&tc.filters);
	if (memchr(tc.classful, 0, sizeof(tc.classful)) == NULL)
		abort();
	ksma_tc_deinit(&tc);
	fake_kernel_destroy(k);
	return 0;
}
