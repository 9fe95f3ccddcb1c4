/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest made of byte arrays, either mapped or copied page by page, whose n-th read can be made to fail.
 *
 * For unit tests and fuzz targets alike. It ends the program when memory is out, for it is only a prop. */
#ifndef KSMA_TESTS_FAKE_GUEST_H
#define KSMA_TESTS_FAKE_GUEST_H

#include "guest/guest.h"

enum fake_kind {
	FAKE_MAPPED, /* readers see the bytes themselves, at once */
	FAKE_COPIED, /* readers fetch pages through the page cache, and each fetch may fail */
};

struct fake_guest {
	struct ksma_guest guest;
	unsigned long fetches; /* pages fetched so far */
	unsigned long fail_at; /* the fetch that fails, counted from 1; 0: none */

	/* Called before each fetch, so that a test can change memory under a walk; may be NULL. */
	void (*on_fetch)(struct fake_guest *fake, uint64_t gpa);
	void *on_fetch_data;

	/* What ksma_guest_registers() yields, copied; NULL: UNSUPPORTED. The caller's storage. */
	const struct ksma_vcpu *vcpus;
	size_t vcpu_count;

	struct ksma_error *refresh_error; /* given out by the next refresh */
	void *memory[KSMA_MAX_REGIONS];
	size_t memory_count;
};

/* Makes a guest without RAM. Ended with fake_guest_destroy(), not with ksma_guest_destroy(). */
struct fake_guest *fake_guest_create(void);
void fake_guest_destroy(struct fake_guest *fake);

/* Adds RAM at `gpa` that holds a copy of `data` (NULL: zeroes). A copied region's ends are rounded to whole pages.
 * Regions may be added in any order. @return the guest's bytes, to be changed at will; they live as long as the guest */
uint8_t *fake_guest_add(struct fake_guest *fake, uint64_t gpa, const void *data, size_t size,
			enum fake_kind kind);

/* The bytes at `gpa`; NULL where there is no RAM for `length` bytes in one region. */
uint8_t *fake_guest_at(struct fake_guest *fake, uint64_t gpa, size_t length);

/* Forgets what readers have cached, as ksma_guest_refresh() does. */
void fake_guest_forget(struct fake_guest *fake);

/* Runs run(guest, state) with the 1st, 2nd, … fetch of a page failing as FAULT, each time with cold caches, until it runs
 * through without one. `run` judges: it sees in fake->fail_at whether a failure is set, and returns whatever error it got,
 * which is ended here; the last, good run must return NULL. Its regions have to be FAKE_COPIED.
 * @return the number of fetches of a good run, or -1 when the good run failed */
long fake_guest_fail_each(struct fake_guest *fake,
			  struct ksma_error *(*run)(struct fake_guest *fake, void *state),
			  void *state);

#endif
