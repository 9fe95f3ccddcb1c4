/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was found out about files before, so that a file that is used again is not hashed again. */
#include "guard/verdicts.h"
#include "linux/names.h"

/* A file at a path. In a chain of its bucket, and in the order of use. */
struct entry {
	struct entry *chain;
	struct entry *newer, *older;
	uint64_t hash;
	struct ksma_verdict_key key; /* path is owned */
	struct ksma_verdict_moment moment;
	struct ksma_file_verdict verdict; /* macs is owned */
	size_t bytes;
};

struct ksma_verdicts {
	struct ksma_page_mac_key key;
	uint64_t
		salt; /* paths and numbers are the guest's: without it they could be chosen to share a bucket */
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	struct entry *newest, *oldest;
	size_t limit;
	struct ksma_verdicts_count count;
};

enum { LEAST_BUCKETS = 1 << 10, MOST_BUCKETS = 1 << 18, BYTES_A_BUCKET = 1 << 12 };

struct ksma_error *ksma_verdicts_create(size_t bytes, struct ksma_verdicts **ret_verdicts)
{
	_cleanup_free_ struct ksma_verdicts *verdicts = calloc(1, sizeof(*verdicts));

	if (!verdicts)
		return ksma_error_nomem();
	KSMA_TRY(ksma_page_mac_init(&verdicts->key));
	memcpy(&verdicts->salt, verdicts->key.bytes + KSMA_MAC_PAGE, sizeof(verdicts->salt));
	verdicts->limit = bytes;
	verdicts->bucket_count = LEAST_BUCKETS;
	while (verdicts->bucket_count < MOST_BUCKETS &&
	       verdicts->bucket_count < bytes / BYTES_A_BUCKET)
		verdicts->bucket_count *= 2;
	verdicts->buckets = calloc(verdicts->bucket_count, sizeof(struct entry *));
	if (!verdicts->buckets)
		return ksma_error_nomem();
	*ret_verdicts = TAKE_PTR(verdicts);
	return NULL;
}

static uint64_t hash_key(const struct ksma_verdicts *verdicts, const struct ksma_verdict_key *key)
{
	uint64_t hash = ksma_name_mix(verdicts->salt ^ key->file.number, KSMA_NAME_STEP);

	hash = ksma_name_mix(hash ^ ((uint64_t)key->file.dev << 8 | key->trust), KSMA_NAME_STEP);
	hash ^= ksma_name_hash(key->path, strlen(key->path), verdicts->salt);
	return ksma_name_mix(hash ^ key->hashes ^ (uint64_t)key->signatures << 32,
			     KSMA_NAME_LAST ^ verdicts->salt);
}

static struct entry **bucket_of(const struct ksma_verdicts *verdicts, uint64_t hash)
{
	return &verdicts->buckets[hash & (verdicts->bucket_count - 1)];
}

static bool asks_the_same(const struct ksma_verdict_key *a, const struct ksma_verdict_key *b)
{
	return a->file.dev == b->file.dev && a->file.number == b->file.number &&
	       a->trust == b->trust && a->hashes == b->hashes && a->signatures == b->signatures &&
	       strcmp(a->path, b->path) == 0;
}

static struct entry *look_up(const struct ksma_verdicts *verdicts,
			     const struct ksma_verdict_key *key)
{
	uint64_t hash = hash_key(verdicts, key);

	for (struct entry *e = *bucket_of(verdicts, hash); e; e = e->chain)
		if (e->hash == hash && asks_the_same(&e->key, key))
			return e;
	return NULL;
}

static void leave_order(struct ksma_verdicts *verdicts, struct entry *entry)
{
	*(entry->newer ? &entry->newer->older : &verdicts->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &verdicts->oldest) = entry->newer;
}

static void enter_order(struct ksma_verdicts *verdicts, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = verdicts->newest;
	*(entry->older ? &entry->older->newer : &verdicts->oldest) = entry;
	verdicts->newest = entry;
}

static void entry_destroy(struct entry *entry)
{
	if (!entry)
		return;
	free((char *)entry->key.path);
	free((struct ksma_page_mac *)entry->verdict.macs);
	free(entry);
}

static void forget(struct ksma_verdicts *verdicts, struct entry *entry)
{
	struct entry **link = bucket_of(verdicts, entry->hash);

	while (*link != entry)
		link = &(*link)->chain;
	*link = entry->chain;
	leave_order(verdicts, entry);
	verdicts->count.verdicts--;
	verdicts->count.bytes -= entry->bytes;
	entry_destroy(entry);
}

void ksma_verdicts_drop_all(struct ksma_verdicts *verdicts)
{
	while (verdicts->oldest) {
		verdicts->count.dropped++;
		forget(verdicts, verdicts->oldest);
	}
}

void ksma_verdicts_destroy(struct ksma_verdicts *verdicts)
{
	if (!verdicts)
		return;
	ksma_verdicts_drop_all(verdicts);
	free(verdicts->buckets);
	explicit_bzero(&verdicts->key, sizeof(verdicts->key));
	free(verdicts);
}

void ksma_verdicts_drop(struct ksma_verdicts *verdicts, const struct ksma_verdict_key *key)
{
	struct entry *entry = look_up(verdicts, key);

	if (!entry)
		return;
	verdicts->count.dropped++;
	forget(verdicts, entry);
}

static bool still_stands(const struct entry *entry, const struct ksma_verdict_key *key,
			 const struct ksma_verdict_moment *moment)
{
	uint64_t age = moment->now_ns - entry->moment.now_ns;

	return ksma_inode_is_same(&entry->key.file, &key->file) &&
	       entry->moment.epoch == moment->epoch &&
	       entry->moment.clock_set == moment->clock_set &&
	       (entry->verdict.allow || age < KSMA_DENIED_FOR_S * 1000000000ull);
}

const struct ksma_file_verdict *ksma_verdicts_find(struct ksma_verdicts *verdicts,
						   const struct ksma_verdict_key *key,
						   const struct ksma_verdict_moment *moment)
{
	struct entry *entry = look_up(verdicts, key);

	if (entry && !still_stands(entry, key, moment)) {
		verdicts->count.dropped++;
		forget(verdicts, entry);
		entry = NULL;
	}
	if (!entry) {
		verdicts->count.misses++;
		return NULL;
	}
	verdicts->count.hits++;
	leave_order(verdicts, entry);
	enter_order(verdicts, entry);
	return &entry->verdict;
}

bool ksma_verdicts_page(const struct ksma_verdicts *verdicts,
			const struct ksma_file_verdict *verdict, uint64_t index,
			const uint8_t *page)
{
	return verdict->macs && index < verdict->pages &&
	       ksma_page_mac_same(verdict->macs[index], ksma_page_mac(&verdicts->key, page));
}

struct ksma_page_mac ksma_verdicts_mac(const struct ksma_verdicts *verdicts, const uint8_t *page)
{
	return ksma_page_mac(&verdicts->key, page);
}

void ksma_verdicts_refresh(struct ksma_verdicts *verdicts, const struct ksma_verdict_key *key,
			   uint64_t now_ns)
{
	struct entry *entry = look_up(verdicts, key);

	if (entry)
		entry->verdict.disk_ns = now_ns;
}

void ksma_verdicts_executed(struct ksma_verdicts *verdicts, const struct ksma_verdict_key *key,
			    uint64_t task, uint64_t now_ns)
{
	struct entry *entry = look_up(verdicts, key);

	if (entry) {
		entry->verdict.executed_by = task;
		entry->verdict.executed_ns = now_ns;
	}
}

void ksma_verdicts_measured(struct ksma_verdicts *verdicts, const struct ksma_verdict_key *key,
			    unsigned pcr)
{
	struct entry *entry = look_up(verdicts, key);

	if (entry && pcr < 32)
		entry->verdict.measured |= 1u << pcr;
}

static size_t size_of(const struct ksma_verdict_key *key, const struct ksma_file_verdict *verdict,
		      bool macs)
{
	size_t size = sizeof(struct entry) + strlen(key->path) + 1, more;

	if (!macs)
		return size;
	if (__builtin_mul_overflow(verdict->pages, sizeof(struct ksma_page_mac), &more) ||
	    __builtin_add_overflow(size, more, &size))
		return SIZE_MAX;
	return size;
}

void ksma_verdicts_keep(struct ksma_verdicts *verdicts, const struct ksma_verdict_key *key,
			const struct ksma_verdict_moment *moment,
			const struct ksma_file_verdict *verdict, struct ksma_page_mac *macs)
{
	size_t bytes = size_of(key, verdict, macs != NULL);
	struct entry *entry = look_up(verdicts, key);

	if (entry)
		forget(verdicts, entry);
	entry = bytes <= verdicts->limit ? calloc(1, sizeof(*entry)) : NULL;
	if (!entry) {
		free(macs);
		return;
	}
	entry->hash = hash_key(verdicts, key);
	entry->key = *key;
	entry->key.path = strdup(key->path);
	entry->moment = *moment;
	entry->verdict = *verdict;
	entry->verdict.macs = macs;
	entry->bytes = bytes;
	if (!entry->key.path) {
		entry_destroy(entry);
		return;
	}
	while (verdicts->oldest && verdicts->limit - bytes < verdicts->count.bytes) {
		verdicts->count.evicted++;
		forget(verdicts, verdicts->oldest);
	}
	entry->chain = *bucket_of(verdicts, entry->hash);
	*bucket_of(verdicts, entry->hash) = entry;
	enter_order(verdicts, entry);
	verdicts->count.verdicts++;
	verdicts->count.bytes += bytes;
}

struct ksma_verdicts_count ksma_verdicts_count(const struct ksma_verdicts *verdicts)
{
	return verdicts->count;
}
