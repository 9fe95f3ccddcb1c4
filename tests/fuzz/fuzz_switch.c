/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The code of a dispatch function, which whoever owns the guest's kernel may have rewritten. */
#include "x86/switch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_switch *table;
	struct ksma_error *error = ksma_switch_create(data, length, 0xffffffff81000000ull, &table);
	uint64_t target, place;

	if (error) {
		ksma_error_destroy(error);
		return 0;
	}
	for (uint32_t value = 0; value < 64; value++)
		ksma_error_destroy(ksma_switch_target(table, value, &target, &place));
	ksma_switch_destroy(table);
	return 0;
}
