/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes the n-th allocation fail, for every n: code that nobody has run is code that does not work.
 *
 * The linker sends each test's malloc and its kin (strdup and asprintf too) through here; see WRAPPED in meson.build.
 * Allocations that the C library makes inside other calls (fopen, getline) are out of reach. */
#ifndef KSMA_TESTS_FAIL_ALLOC_H
#define KSMA_TESTS_FAIL_ALLOC_H

#include "base/util.h"

/* From now on the n-th allocation fails; with `and_after`, so do all that follow it. */
void fail_alloc_arm(unsigned long n, bool and_after);

/* Back to normal. @return whether an allocation was made to fail since fail_alloc_arm() */
bool fail_alloc_disarm(void);

enum fail_alloc_rule {
	FAIL_ALLOC_STRICT, /* each failed allocation must come out as NOMEM */
	FAIL_ALLOC_LENIENT, /* the code may do without (a cache, the words of a gap), but an error must be NOMEM */
};

/* Runs run(state) with the 1st, 2nd, … allocation failing, once alone and once with all after it, until it runs through
 * without a failure, and requires success then. `run` cleans up after itself, and asserts that on an error its out
 * parameters are untouched. Leaks are for the sanitizer build to find. @return the number of allocations of a good run */
unsigned long fail_alloc_each(struct ksma_error *(*run)(void *state), void *state,
			      enum fail_alloc_rule rule);

#endif
