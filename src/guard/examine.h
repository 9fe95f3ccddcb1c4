/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is this file what it ought to be: its pages against the manifest, itself against its own signature. */
#ifndef KSMA_GUARD_EXAMINE_H
#define KSMA_GUARD_EXAMINE_H

#include "guard/pages.h"
#include "vendor/digest.h"
#include "vendor/ima_sig.h"

struct ksma_examiner {
	struct ksma_subject_reader *reader;
	struct ksma_manifest *manifest; /* or NULL */
	bool distrusts;			/* there is none any more that is to be believed */
	const struct ksma_keys *keys;	/* or NULL */
	const struct ksma_disk_source *disk;
	struct ksma_sha256 *sha256;
	const struct ksma_verdicts *verdicts; /* fingerprints by its key */
};

/* What an examination found out. */
struct ksma_examined {
	enum ksma_outcome outcome;
	enum ksma_reason reason;
	bool hashed;
	uint8_t sha256[KSMA_SHA256];
	uint64_t pages, from_disk;
	struct ksma_page_mac *macs;	 /* of all pages, where it is allowed; owned */
	uint8_t signature[KSMA_IMA_MAX]; /* the attribute, where it was asked for */
	size_t signature_length;
	char detail[160];
};

enum { KSMA_EXAMINED_MAX = 1 << 20 }; /* pages of a file: 4 GiB take seconds */

/* @ret_examined its macs are freed by the caller; always filled */
void ksma_examine(const struct ksma_examiner *examiner, const struct ksma_subject *subject,
		  const struct ksma_policy_verdict *asked, uint64_t deadline_ns,
		  struct ksma_examined *ret_examined);

/* The SHA-256 of the contents alone. @return whether it could be computed */
bool ksma_examine_hash(const struct ksma_examiner *examiner, const struct ksma_subject *subject,
		       uint64_t deadline_ns, uint8_t ret_sha256[KSMA_SHA256]);

enum ksma_again {
	KSMA_AGAIN_SAME, /* all that is in memory is what it was */
	KSMA_AGAIN_CHANGED,
	KSMA_AGAIN_UNKNOWN, /* something could not be read */
};

/* Compares the pages with those of a verdict. @from_disk also those that are not in memory @ret_pages,ret_from_disk looked at */
enum ksma_again ksma_examine_again(const struct ksma_examiner *examiner,
				   const struct ksma_subject *subject,
				   const struct ksma_file_verdict *verdict, bool from_disk,
				   uint64_t deadline_ns, uint64_t *ret_pages,
				   uint64_t *ret_from_disk);

#endif
