/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Takes packages, images and folders of modules into a store: each file given is added as a whole, or not at all. */
#ifndef KSMA_INGEST_ADD_H
#define KSMA_INGEST_ADD_H

#include "ingest/unpack.h"
#include "vendor/write.h"

struct ingest_trust;

/* What became of one file that was given. */
struct ingest_result {
	size_t kernels, modules; /* objects that it holds */
	size_t known;		 /* of these, in the store already */
	size_t passed_over;	 /* modules without a build id, which no guest can be matched to */
	uint64_t bytes;		 /* of the objects that were written */
};

/* Adds one file or folder. @trust certificates, or NULL
 * @return NULL, or why it was refused, naming what is wrong in it; then nothing of it was added */
struct ksma_error *ingest_add(struct ksma_vendor *vendor, const char *path,
			      const struct ingest_trust *trust,
			      struct ingest_result *ret_result) KSMA_MUST_CHECK;

/* Parses one object of the store again. @return NULL, or what is wrong with it */
struct ksma_error *ingest_verify(const struct ksma_vendor_object *object) KSMA_MUST_CHECK;

#endif
