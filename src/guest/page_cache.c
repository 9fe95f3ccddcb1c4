/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A page that must be copied costs a system call or a decompression: this keeps the last ones, within a bound. */
#include "guest/page_cache.h"

enum {
	MAX_PAGES = 1 << 20,
	MAX_RUN = 32,	 /* pages fetched ahead of a sequential reader, at most */
	DIRECT_MIN = 16, /* a read of so many whole pages does not go through the cache */
	DIRECT_MAX = 64, /* pages of one direct fetch */
};

#define NO_PAGE UINT64_MAX

struct slot {
	uint64_t gpa;  /* NO_PAGE when the slot holds nothing */
	uint32_t next; /* index + 1 of the next slot of the same bucket, 0 at the end */
	bool referenced;
};

struct ksma_page_cache {
	uint8_t *pages; /* page i belongs to slot i */
	struct slot *slots;
	uint32_t *buckets; /* index + 1 of the first slot, 0 when empty */
	size_t max_pages;
	size_t used; /* slots from here on have never held a page */
	size_t hand; /* of the clock */
	unsigned bucket_bits;
	unsigned run;	   /* pages to fetch when the next miss is at `next_gpa` */
	uint64_t next_gpa; /* where a sequential reader misses next */
	uint64_t epoch;
};

struct ksma_error *ksma_page_cache_create(size_t max_pages, struct ksma_page_cache **ret_cache)
{
	struct ksma_page_cache *cache;

	if (max_pages == 0 || max_pages > MAX_PAGES)
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "a page cache holds 1 to %d pages, not %zu", MAX_PAGES,
					 max_pages);
	cache = calloc(1, sizeof(*cache));
	if (!cache)
		return ksma_error_nomem();
	cache->max_pages = max_pages;
	cache->bucket_bits = 1;
	while ((1ull << cache->bucket_bits) < 2 * max_pages)
		cache->bucket_bits++;
	cache->run = 1;
	cache->next_gpa = NO_PAGE;
	cache->pages = malloc(max_pages * KSMA_PAGE_SIZE);
	cache->slots = calloc(max_pages, sizeof(*cache->slots));
	cache->buckets = calloc(1ull << cache->bucket_bits, sizeof(*cache->buckets));
	if (!cache->pages || !cache->slots || !cache->buckets) {
		ksma_page_cache_destroy(cache);
		return ksma_error_nomem();
	}
	*ret_cache = cache;
	return NULL;
}

void ksma_page_cache_destroy(struct ksma_page_cache *cache)
{
	if (!cache)
		return;
	free(cache->pages);
	free(cache->slots);
	free(cache->buckets);
	free(cache);
}

static uint8_t *page_of(const struct ksma_page_cache *cache, size_t index)
{
	return cache->pages + index * KSMA_PAGE_SIZE;
}

static uint32_t *bucket_of(const struct ksma_page_cache *cache, uint64_t gpa)
{
	return &cache->buckets[(gpa / KSMA_PAGE_SIZE * 0x9e3779b97f4a7c15ull) >>
			       (64 - cache->bucket_bits)];
}

/* The slot of a page, or NULL. */
static struct slot *find(const struct ksma_page_cache *cache, uint64_t gpa)
{
	for (uint32_t i = *bucket_of(cache, gpa); i; i = cache->slots[i - 1].next)
		if (cache->slots[i - 1].gpa == gpa)
			return &cache->slots[i - 1];
	return NULL;
}

/* A new page is not marked yet: what is read only once, as by a scan, goes first. */
static void link_slot(struct ksma_page_cache *cache, size_t index, uint64_t gpa)
{
	uint32_t *bucket = bucket_of(cache, gpa);

	cache->slots[index] = (struct slot){ .gpa = gpa, .next = *bucket };
	*bucket = (uint32_t)index + 1;
}

static void unlink_slot(struct ksma_page_cache *cache, size_t index)
{
	struct slot *slot = &cache->slots[index];
	uint32_t *link;

	if (slot->gpa == NO_PAGE)
		return;
	for (link = bucket_of(cache, slot->gpa); *link != index + 1;
	     link = &cache->slots[*link - 1].next)
		;
	*link = slot->next;
	slot->gpa = NO_PAGE;
}

static void forget(struct ksma_page_cache *cache)
{
	memset(cache->buckets, 0, sizeof(*cache->buckets) << cache->bucket_bits);
	cache->used = 0;
	cache->hand = 0;
	cache->run = 1;
	cache->next_gpa = NO_PAGE;
}

/* A slot that may be overwritten, in no bucket. It counts as referenced, so that a hand that comes round while a run is being
 * gathered does not give it out again: a run is a quarter of the slots at most, and the others lost their mark by then. */
static size_t take_slot(struct ksma_page_cache *cache)
{
	size_t index;

	if (cache->used < cache->max_pages) {
		index = cache->used++;
		cache->slots[index] = (struct slot){ .gpa = NO_PAGE, .referenced = true };
		return index;
	}
	for (;;) {
		struct slot *slot = &cache->slots[cache->hand];

		index = cache->hand;
		cache->hand = (cache->hand + 1) % cache->max_pages;
		if (!slot->referenced)
			break;
		slot->referenced = false;
	}
	unlink_slot(cache, index);
	cache->slots[index].referenced = true;
	return index;
}

/* Fetches `count` pages from `gpa` on to where `pages` point. */
static struct ksma_error *fetch(struct ksma_guest *guest, const struct ksma_ram_region *region,
				uint64_t gpa, uint8_t *const *pages, size_t count)
{
	if (count > 1 && guest->ops->fetch_pages)
		return guest->ops->fetch_pages(guest, region, gpa, pages, count);
	for (size_t i = 0; i < count; i++)
		KSMA_TRY(guest->ops->fetch_page(guest, region, gpa + i * KSMA_PAGE_SIZE, pages[i]));
	return NULL;
}

/* How many pages from `gpa` on, at most `limit`, are inside the region and not cached. At least one. */
static size_t uncached_run(const struct ksma_page_cache *cache,
			   const struct ksma_ram_region *region, uint64_t gpa, size_t limit)
{
	uint64_t left = (region->size - (gpa - region->gpa)) / KSMA_PAGE_SIZE;
	size_t count = 1;

	if (limit > left)
		limit = (size_t)left;
	while (count < limit && !find(cache, gpa + count * KSMA_PAGE_SIZE))
		count++;
	return count;
}

/* How many pages to fetch for a miss at `gpa`: one, or twice as many as last time when the reader goes straight on. */
static size_t choose_run(struct ksma_page_cache *cache, const struct ksma_guest *guest,
			 uint64_t gpa)
{
	size_t limit = cache->max_pages / 4;

	if (gpa != cache->next_gpa || !guest->ops->fetch_pages)
		cache->run = 1;
	else if (cache->run < MAX_RUN)
		cache->run *= 2;
	if (limit == 0)
		limit = 1;
	return cache->run < limit ? cache->run : limit;
}

/* Brings the page at `gpa`, and perhaps some after it, into the cache. */
static struct ksma_error *fill(struct ksma_guest *guest, const struct ksma_ram_region *region,
			       uint64_t gpa, size_t *ret_index)
{
	struct ksma_page_cache *cache = guest->cache;
	size_t count = uncached_run(cache, region, gpa, choose_run(cache, guest, gpa));
	struct ksma_error *error;
	uint8_t *pages[MAX_RUN] = { NULL };
	size_t slots[MAX_RUN], taken = 0;

	do {
		slots[taken] = take_slot(cache);
		pages[taken] = page_of(cache, slots[taken]);
	} while (++taken < count);
	error = fetch(guest, region, gpa, pages, count);
	if (error && count > 1) { /* one of the neighbours may be the trouble */
		ksma_error_destroy(error);
		count = 1;
		error = fetch(guest, region, gpa, pages, count);
	}
	if (error)
		return error;
	for (size_t i = 0; i < count; i++)
		link_slot(cache, slots[i], gpa + i * KSMA_PAGE_SIZE);
	cache->next_gpa = gpa + count * KSMA_PAGE_SIZE;
	*ret_index = slots[0];
	return NULL;
}

/* Reads whole pages that are not cached straight into `buffer`, as far as there is a run of them. @ret_done 0 when there is none */
static struct ksma_error *read_direct(struct ksma_guest *guest,
				      const struct ksma_ram_region *region, uint64_t gpa,
				      uint8_t *buffer, size_t length, size_t *ret_done)
{
	size_t count = length / KSMA_PAGE_SIZE;
	uint8_t *pages[DIRECT_MAX];

	*ret_done = 0;
	if (count > DIRECT_MAX)
		count = DIRECT_MAX;
	if (count < DIRECT_MIN || gpa % KSMA_PAGE_SIZE || find(guest->cache, gpa))
		return NULL;
	count = uncached_run(guest->cache, region, gpa, count);
	if (count < DIRECT_MIN)
		return NULL;
	for (size_t i = 0; i < count; i++)
		pages[i] = buffer + i * KSMA_PAGE_SIZE;
	KSMA_TRY(fetch(guest, region, gpa, pages, count));
	*ret_done = count * KSMA_PAGE_SIZE;
	return NULL;
}

/* Reads what of [gpa, gpa+length) lies in the first page, through the cache. */
static struct ksma_error *read_cached(struct ksma_guest *guest,
				      const struct ksma_ram_region *region, uint64_t gpa,
				      uint8_t *buffer, size_t length, size_t *ret_done)
{
	struct ksma_page_cache *cache = guest->cache;
	uint64_t offset = gpa % KSMA_PAGE_SIZE;
	struct slot *slot = find(cache, gpa - offset);
	size_t index;

	if (length > KSMA_PAGE_SIZE - offset)
		length = KSMA_PAGE_SIZE - offset;
	if (likely(slot != NULL)) {
		slot->referenced = true;
		index = (size_t)(slot - cache->slots);
	} else {
		KSMA_TRY(fill(guest, region, gpa - offset, &index));
	}
	memcpy(buffer, page_of(cache, index) + offset, length);
	*ret_done = length;
	return NULL;
}

struct ksma_error *ksma_page_cache_read(struct ksma_guest *guest,
					const struct ksma_ram_region *region, uint64_t gpa,
					void *buffer, size_t length)
{
	struct ksma_page_cache *cache = guest->cache;
	uint8_t *to = buffer;

	if (!cache || !guest->ops->fetch_page)
		return ksma_error_fault(gpa,
					"physical address 0x%llx cannot be copied from this guest",
					(unsigned long long)gpa);
	if (!ksma_in_range(gpa - region->gpa, length, region->size))
		return ksma_error_fault(gpa, "physical address 0x%llx is outside its region",
					(unsigned long long)gpa);
	if (unlikely(cache->epoch != guest->epoch)) {
		forget(cache);
		cache->epoch = guest->epoch;
	}
	while (length) {
		size_t done;

		KSMA_TRY(read_direct(guest, region, gpa, to, length, &done));
		if (!done)
			KSMA_TRY(read_cached(guest, region, gpa, to, length, &done));
		gpa += done;
		to += done;
		length -= done;
	}
	return NULL;
}
