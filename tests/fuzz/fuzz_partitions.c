/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A disk that the guest wrote: its partition table, and what lies in each partition. */
#include "files/volumes.h"
#include "memory_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct memory_block memory = memory_block_of(data, length);
	struct ksma_block *block = &memory.head;
	struct ksma_coverage coverage = { 0 };
	struct ksma_volumes volumes;
	struct ksma_error *error = ksma_volumes_find(&block, 1, &coverage, &volumes);

	if (!error) {
		for (size_t i = 0; i < volumes.count; i++) {
			const struct ksma_volume *v = &volumes.items[i];

			if (!v->name && !ksma_in_range(v->start, v->block->size, length))
				abort();
		}
		ksma_volumes_free(&volumes);
	}
	ksma_error_destroy(error);
	ksma_coverage_deinit(&coverage);
	return 0;
}
