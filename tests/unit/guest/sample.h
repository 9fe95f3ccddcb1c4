/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recorded answers of real QEMUs, for the tests of what reads them. */
#ifndef KSMA_TESTS_SAMPLE_H
#define KSMA_TESTS_SAMPLE_H

#include "unit.h"

/* The bytes of tests/unit/guest/samples/NAME with a NUL behind them. Freed by the caller. */
static inline char *sample_read(const char *name, size_t *ret_length)
{
	char path[512], *data;

	snprintf(path, sizeof(path), "%s/%s", KSMA_SAMPLES, name);
	assert_ok(ksma_read_file(path, 1 << 20, &data, ret_length));
	return data;
}

#endif
