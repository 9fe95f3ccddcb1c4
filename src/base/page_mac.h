/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fast fingerprint of a page that nobody can foresee who does not know the key: by it a page that was once hashed in full is known
 * again, at a tenth of the price of SHA-256.
 *
 * NH, the hash underneath UMAC (RFC 4418, section 5.2; Black et al., CRYPTO '99), over one page and with a key as long as the page, drawn
 * once for each process. Whatever two different pages a guest chooses, both have the same fingerprint for at most one key in 2^64. The
 * fingerprints never leave the process, so that a guest learns nothing of the key but whether an attempt failed. */
#ifndef KSMA_BASE_PAGE_MAC_H
#define KSMA_BASE_PAGE_MAC_H

#include "base/util.h"

enum { KSMA_MAC_PAGE = 4096, KSMA_MAC_SHIFT = 16 };

struct ksma_page_mac {
	uint64_t low, high;
};

struct ksma_page_mac_key {
	uint8_t bytes[KSMA_MAC_PAGE + KSMA_MAC_SHIFT];
	unsigned width; /* bytes that the processor takes at once: 16, 32 (AVX2), 64 (AVX-512) */
};

/* Draws a key. @return NULL or OS */
struct ksma_error *ksma_page_mac_init(struct ksma_page_mac_key *ret_key) KSMA_MUST_CHECK;

/* The fingerprint of a page of KSMA_MAC_PAGE bytes. */
struct ksma_page_mac ksma_page_mac(const struct ksma_page_mac_key *key, const uint8_t *page);

static inline bool ksma_page_mac_same(struct ksma_page_mac a, struct ksma_page_mac b)
{
	return a.low == b.low && a.high == b.high;
}

#endif
