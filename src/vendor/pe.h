/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kernel image as UEFI sees it, a PE file: which bytes its Secure Boot signature covers, and where the signature is ("Windows
 * Authenticode Portable Executable Signature Format", 2008). The attacker is who built or changed the image. */
#ifndef KSMA_VENDOR_PE_H
#define KSMA_VENDOR_PE_H

#include "base/bytes.h"
#include "base/util.h"

enum { KSMA_PE_RANGES = 4, KSMA_PE_SIGNATURES = 8 };

struct ksma_pe_range {
	const uint8_t *data;
	size_t length;
};

struct ksma_pe {
	/* All of the file but its checksum, the place that says where the signatures are, and the signatures; in file order. */
	struct ksma_pe_range hashed[KSMA_PE_RANGES];
	size_t hashed_count;
	/* PKCS#7 each; none when it is not signed. */
	struct ksma_pe_range signatures[KSMA_PE_SIGNATURES];
	size_t signature_count;
};

/* Does it begin as a PE file? */
bool ksma_pe_is(const uint8_t *data, size_t length);
/* @return NULL, BAD_DATA, or UNSUPPORTED: its sections do not cover the file one after the other, so that the rules for
 * what is hashed leave a choice, and whoever chooses otherwise verifies other bytes */
struct ksma_error *ksma_pe_parse(const uint8_t *data, size_t length,
				 struct ksma_pe *ret_pe) KSMA_MUST_CHECK;

#endif
