/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kernel whose memory is the input: from address 0, so that small numbers are pointers that the fuzzer can guess. */
#ifndef KSMA_TESTS_KERNEL_INPUT_H
#define KSMA_TESTS_KERNEL_INPUT_H

#include "fake_kernel.h"

enum { KERNEL_INPUT_MAX = 1 << 16, KERNEL_INPUT_NODES = 1 << 14 };

static inline struct fake_kernel *kernel_of_input(const uint8_t *data, size_t length)
{
	struct fake_kernel *k = fake_kernel_create(0, KERNEL_INPUT_MAX, FAKE_MAPPED);

	if (length)
		memcpy(fake_kernel_at(k, 0, length), data, length);
	return k;
}

#endif
