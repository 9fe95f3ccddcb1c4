/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is what the guest executes what it ought to be? Every executable page of every process, and every cached page of signed files, against
 * the hashes of a manifest: from memory alone, with no exit and no pause. */
#ifndef KSMA_FILES_APPRAISE_H
#define KSMA_FILES_APPRAISE_H

#include "checks/check.h"
#include "files/frames.h"
#include <ksma/manifest.h>

/* What is kept from one look to the next: the hashes of frames. Borrows the manifest. One guest, one thread. */
struct ksma_appraiser;

/* How much the last pass looked at. */
struct ksma_appraisal_cost {
	uint64_t processes, files, pages; /* pages of processes: equal frames counted each time */
	uint64_t read, hashed; /* frames that were read, and of these whose SHA-256 was computed */
};

struct ksma_error *ksma_appraiser_create(struct ksma_manifest *manifest,
					 struct ksma_appraiser **ret_appraiser) KSMA_MUST_CHECK;
void ksma_appraiser_destroy(struct ksma_appraiser *appraiser);
struct ksma_appraisal_cost ksma_appraisal_cost(const struct ksma_appraiser *appraiser);

/* The check `files`. Its look's `extra` is the appraiser. */
extern const struct ksma_check ksma_check_files;

#endif
