/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of kernel symbols: a hash over the names and a binary search over the addresses, both bounded, as the names are the
 * guest's and the table may come out of a cache file. */
#include "linux/symbols.h"

#include "base/large.h"
#include "linux/names.h"

enum {
	SYMBOLS_MAX = (1 << 21) - 1,
	SYMBOLS_ALIASES = 64, /* symbols of one address that are looked at for the best name */
	BATCH = 64,	      /* names whose places are fetched ahead */
};

/* The hash holds the first symbol of each name. Later ones of the same name are found by their tag. */
enum { TAG_MORE = 1 };

static uint16_t tag_of(uint64_t hash)
{
	return (uint16_t)(hash >> 48) & (uint16_t)~TAG_MORE;
}

/* An entry of the hash carries 11 bits of its own, so that symbols of other names are mostly passed without a look at them. */
static uint32_t entry_of(uint64_t hash, uint32_t index)
{
	return (uint32_t)(hash >> 48 << 21) | (index + 1);
}

static uint32_t entry_index(uint32_t entry)
{
	return (entry & SYMBOLS_MAX) - 1;
}

static bool entry_differs(uint32_t entry, uint64_t hash)
{
	return ((uint32_t)(hash >> 48 << 21) ^ entry) & ~(uint32_t)SYMBOLS_MAX;
}

void ksma_symbols_deinit(struct ksma_symbols *symbols)
{
	for (size_t i = 0; i < ARRAY_SIZE(symbols->owned); i++)
		free(symbols->owned[i]);
	*symbols = (struct ksma_symbols){ 0 };
}

static struct ksma_error *check_items(const struct ksma_symbols *symbols)
{
	const struct ksma_symbol *items = symbols->items;

	if (symbols->count > SYMBOLS_MAX || symbols->names_size > UINT32_MAX)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "symbol table of %zu symbols is too large",
					 symbols->count);
	if (!symbols->names_size || symbols->names[symbols->names_size - 1])
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "symbol names are not terminated");
	for (size_t i = 0; i < symbols->count; i++) {
		if (items[i].name >= symbols->names_size)
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "symbol %zu has its name outside the table", i);
		if (i && (items[i].absolute > items[i - 1].absolute ||
			  (items[i].absolute == items[i - 1].absolute &&
			   items[i].address < items[i - 1].address)))
			return ksma_error_create(KSMA_ERROR_BAD_DATA, "symbol %zu is out of order",
						 i);
	}
	return NULL;
}

/* The hash as it is made. */
struct building {
	struct ksma_symbol *items;
	const char *names;
	size_t names_size;
	uint32_t *table;
	size_t mask;
};

/* Enters one symbol. They come from the last to the first, so that the first of a name ends up in the table and each one
 * knows whether another follows. @return false when too many names share its place */
static bool enter(const struct building *b, uint32_t index, uint64_t hash)
{
	uint16_t tag = tag_of(hash);

	for (unsigned probes = 0; probes < KSMA_NAME_PROBES; probes++) {
		uint32_t *slot = &b->table[(hash + probes) & b->mask];

		if (*slot) {
			const struct ksma_symbol *later = &b->items[entry_index(*slot)];

			if (entry_differs(*slot, hash) || (later->tag & ~TAG_MORE) != tag ||
			    strcmp(b->names + later->name, b->names + b->items[index].name))
				continue;
			tag |= TAG_MORE;
		}
		b->items[index].tag = tag;
		*slot = entry_of(hash, index);
		return true;
	}
	return false;
}

/* Enters all symbols, a batch at a time: the table is larger than the processor's caches, and its places are known early. */
static bool enter_all(const struct building *b, size_t count)
{
	uint64_t hashes[BATCH];

	while (count) {
		size_t batch = count % BATCH ?: BATCH;

		count -= batch;
		for (size_t i = 0; i < batch; i++) {
			const char *name = b->names + b->items[count + i].name;

			hashes[i] = ksma_name_hash_within(name, b->names + b->names_size, 0);
			__builtin_prefetch(&b->table[hashes[i] & b->mask], 1);
		}
		for (size_t i = batch; i-- > 0;)
			if (!enter(b, (uint32_t)(count + i), hashes[i]))
				return false;
	}
	return true;
}

static struct ksma_error *build_hash(struct ksma_symbols *symbols)
{
	size_t slots = ksma_name_slots(symbols->count), owner = 0;
	_cleanup_free_ uint32_t *table = ksma_large_alloc(slots * sizeof(*table));
	struct building building = {
		.items = (struct ksma_symbol *)symbols->items,
		.names = symbols->names,
		.names_size = symbols->names_size,
		.table = table,
		.mask = slots - 1,
	};

	while (owner < ARRAY_SIZE(symbols->owned) && symbols->owned[owner])
		owner++;
	if (owner == ARRAY_SIZE(symbols->owned))
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "symbol table has no owner left for its hash");
	if (!table)
		return ksma_error_nomem();
	memset(table, 0, slots * sizeof(*table));
	if (!enter_all(&building, symbols->count))
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "symbol names collide beyond chance: a crafted table");
	symbols->hash_size = slots;
	symbols->hash = table;
	symbols->owned[owner] = TAKE_PTR(table);
	return NULL;
}

struct ksma_error *ksma_symbols_index(struct ksma_symbols *symbols)
{
	KSMA_TRY(check_items(symbols));
	if (!symbols->hash)
		return build_hash(symbols);
	if (!symbols->hash_size || (symbols->hash_size & (symbols->hash_size - 1)))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "symbol hash of %zu places is no power of two",
					 symbols->hash_size);
	return NULL;
}

const struct ksma_symbol *ksma_symbols_find(const struct ksma_symbols *symbols, const char *name)
{
	uint64_t hash = ksma_name_hash(name, strlen(name), 0);

	for (unsigned probes = 0; symbols->hash_size && probes < KSMA_NAME_PROBES; probes++) {
		uint32_t entry = symbols->hash[(hash + probes) & (symbols->hash_size - 1)];
		const struct ksma_symbol *symbol;

		if (!entry || entry_index(entry) >= symbols->count)
			return NULL;
		if (entry_differs(entry, hash))
			continue;
		symbol = &symbols->items[entry_index(entry)];
		if ((symbol->tag & ~TAG_MORE) == tag_of(hash) &&
		    !strcmp(ksma_symbol_name(symbols, symbol), name))
			return symbol;
	}
	return NULL;
}

const struct ksma_symbol *ksma_symbols_find_next(const struct ksma_symbols *symbols,
						 const struct ksma_symbol *previous)
{
	const struct ksma_symbol *end = symbols->items + symbols->count;
	const char *name = ksma_symbol_name(symbols, previous);

	if (!(previous->tag & TAG_MORE))
		return NULL;
	for (const struct ksma_symbol *symbol = previous + 1; symbol < end; symbol++)
		if ((symbol->tag & ~TAG_MORE) == (previous->tag & ~TAG_MORE) &&
		    !strcmp(ksma_symbol_name(symbols, symbol), name))
			return symbol;
	return NULL;
}

/* The absolute symbols come first: how many there are. */
static size_t first_relative(const struct ksma_symbols *symbols)
{
	size_t low = 0, high = symbols->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols->items[middle].absolute)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first of items [low, high) whose address is at least `address`. */
static size_t lower_bound(const struct ksma_symbols *symbols, size_t low, size_t high,
			  uint64_t address)
{
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols->items[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int rank(const struct ksma_symbol *symbol)
{
	switch (symbol->type) {
	case 'T':
		return 2;
	case 't':
	case 'W':
	case 'w':
		return 1;
	default:
		return 0;
	}
}

const struct ksma_symbol *ksma_symbols_at(const struct ksma_symbols *symbols, uint64_t address)
{
	size_t border = first_relative(symbols);
	size_t low = 0, high = border, at, best;

	if (address >= symbols->slide && border < symbols->count) {
		address -= symbols->slide;
		low = border;
		high = symbols->count;
	}
	at = lower_bound(symbols, low, high, address);
	if (at == high || symbols->items[at].address != address) {
		if (at == low)
			return NULL;
		at = lower_bound(symbols, low, at, symbols->items[at - 1].address);
	}
	best = at;
	for (size_t i = at; i < high && i - at < SYMBOLS_ALIASES; i++) {
		if (symbols->items[i].address != symbols->items[at].address)
			break;
		if (rank(&symbols->items[i]) > rank(&symbols->items[best]))
			best = i;
	}
	return &symbols->items[best];
}
