/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest kernel's own symbol table, decoded once: name to address and address to name. */
#ifndef KSMA_LINUX_SYMBOLS_H
#define KSMA_LINUX_SYMBOLS_H

#include "base/util.h"

/* Rises when items, hash or the hashing of names change, so that no cache file of another form is taken for one of this. */
enum { KSMA_SYMBOLS_FORMAT = 2 };

/* One symbol, 16 bytes, so that a table can be mapped from a cache file as it is. */
struct ksma_symbol {
	uint64_t
		address; /* link-time relative: add the table's slide; per-CPU symbols are offsets, flagged */
	uint32_t name;	  /* offset in `names` */
	uint8_t type;	  /* as in nm: t, T, d, D, … */
	uint8_t absolute; /* per-CPU or absolute: no slide */
	uint16_t
		tag; /* 15 bits of the name's hash; bit 0: another symbol of this name follows. Set by ksma_symbols_index() */
};

/* Sorted by address (absolute ones first). Everything is {pointer, count} and may point into a read-only cache file. */
struct ksma_symbols {
	const struct ksma_symbol *items;
	size_t count;
	const char *names; /* NUL-terminated strings */
	size_t names_size;
	/* Open addressing; hash_size is a power of two. 0 is empty, else bits of the name's hash above the index in items plus 1. */
	const uint32_t *hash;
	size_t hash_size;
	uint64_t slide; /* added to the address of a symbol that is not absolute */
	void *owned[3]; /* what deinit frees, or NULLs */
};

void ksma_symbols_deinit(struct ksma_symbols *symbols);

/* Checks the invariants (sorted, names inside and terminated), and builds `hash` and the tags when `hash` is NULL: `items` is
 * then memory that may be written, and one of owned[] is NULL. With a hash (out of a cache file) nothing is written.
 * Ownership stays with `symbols`, of a failure too.
 * @return NULL, BAD_DATA, LIMIT (the names were crafted to collide) or NOMEM */
struct ksma_error *ksma_symbols_index(struct ksma_symbols *symbols) KSMA_MUST_CHECK;

/* The first symbol of that name, or NULL. */
const struct ksma_symbol *ksma_symbols_find(const struct ksma_symbols *symbols, const char *name);
/* The next symbol of the same name after `previous`, or NULL: static functions often share one. */
const struct ksma_symbol *ksma_symbols_find_next(const struct ksma_symbols *symbols,
						 const struct ksma_symbol *previous);
/* The last symbol at or below an address, or NULL; of several at one address a global function wins, then a function, then
 * the first, which is the one that the kernel itself prints. Addresses below the slide are looked up among the absolute ones. */
const struct ksma_symbol *ksma_symbols_at(const struct ksma_symbols *symbols, uint64_t address);

static inline const char *ksma_symbol_name(const struct ksma_symbols *symbols,
					   const struct ksma_symbol *symbol)
{
	return symbols->names + symbol->name;
}

static inline uint64_t ksma_symbol_address(const struct ksma_symbols *symbols,
					   const struct ksma_symbol *symbol)
{
	return symbol->absolute ? symbol->address : symbol->address + symbols->slide;
}

#endif
