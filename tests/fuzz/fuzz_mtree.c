/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `info mtree -f`: QEMU writes it, but names in it are the operator's, and whoever holds the socket's path may answer. */
#include "guest/mtree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static bool keep(const char *backend, void *arg)
{
	return backend[0] != 'v';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_mtree mtree;
	struct ksma_error *error = ksma_mtree_parse((const char *)data, length, &mtree);
	uint64_t end = 0;

	if (error) {
		ksma_error_destroy(error);
		return 0;
	}
	ksma_mtree_filter(&mtree, keep, NULL);
	for (size_t i = 0; i < mtree.count; i++) {
		const struct ksma_mtree_range *r = &mtree.items[i];

		/* Sorted, apart, not empty, and inside the numbers. */
		if (r->size == 0 || (i && r->gpa < end) || r->gpa > UINT64_MAX - (r->size - 1) ||
		    r->offset > UINT64_MAX - r->size || !*r->backend)
			abort();
		end = r->gpa + r->size;
	}
	ksma_mtree_free(&mtree);
	return 0;
}
