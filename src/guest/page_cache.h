/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copied pages: guest memory that has no mapping of ours (anonymous RAM, compressed dumps), read through a bounded cache.
 *
 * Pages are forgotten when guest->epoch rises (ksma_guest_refresh). A miss that goes on where the last one ended fetches a
 * growing run of pages at once; a long read of uncached pages goes straight into the caller's buffer and displaces nothing. */
#ifndef KSMA_GUEST_PAGE_CACHE_H
#define KSMA_GUEST_PAGE_CACHE_H

#include "guest/guest.h"

enum { KSMA_PAGE_CACHE_DEFAULT = 4096 }; /* pages: 16 MiB, touched only as they fill */

/* Makes an empty cache. @max_pages 1 to 2^20. @ret_cache owned by the caller, ended with ksma_page_cache_destroy()
 * @return NULL, INVALID or NOMEM */
struct ksma_error *ksma_page_cache_create(size_t max_pages,
					  struct ksma_page_cache **ret_cache) KSMA_MUST_CHECK;
void ksma_page_cache_destroy(struct ksma_page_cache *cache); /* NULL is fine */

/* Reads [gpa, gpa+length), which lies inside `region`, through guest->cache. Page borders are those of the guest, so a region
 * that is not mapped begins and ends at one. On an error nothing in `buffer` is to be used.
 * @return NULL, FAULT (outside the region), or what ops->fetch_page says */
struct ksma_error *ksma_page_cache_read(struct ksma_guest *guest,
					const struct ksma_ram_region *region, uint64_t gpa,
					void *buffer, size_t length) KSMA_MUST_CHECK;

#endif
