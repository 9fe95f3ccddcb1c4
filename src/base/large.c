/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Allocates in huge pages: a few faults in place of thousands. */
#include "base/large.h"

#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20, LARGE = HUGE_PAGE / 2 };

void *ksma_large_alloc(size_t size)
{
	void *memory;

	if (size < LARGE || size > SIZE_MAX - HUGE_PAGE)
		return malloc(size);
	size = ksma_align_up(size, HUGE_PAGE);
	if (posix_memalign(&memory, HUGE_PAGE, size) != 0)
		return NULL;
	/* A wish: without it the memory is as good, only slower. */
	madvise(memory, size, MADV_HUGEPAGE);
	return memory;
}
