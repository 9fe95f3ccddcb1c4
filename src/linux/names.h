/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One hash and one probing rule for every table of names, because the tables lie in cache files and come from hostile guests. */
#ifndef KSMA_LINUX_NAMES_H
#define KSMA_LINUX_NAMES_H

#include "base/bytes.h"

/* How far a name may lie from its place. Half-filled tables of honest names stay under 40; beyond this the names were chosen to
 * collide, and a table that probed on would cost quadratic time. */
enum { KSMA_NAME_PROBES = 256 };

static inline uint64_t ksma_name_mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#define KSMA_NAME_SEED 0x9e3779b97f4a7c15u
#define KSMA_NAME_STEP 0xd6e8feb86659fd93u
#define KSMA_NAME_LAST 0xa0761d6478bd642fu

/* Folded multiplication over 8 bytes at a time, the rest filled up with zeros. It has no secret, so that tables can be cached:
 * see KSMA_NAME_PROBES. `salt` tells tables apart that share one hash. */
static inline uint64_t ksma_name_hash(const char *name, size_t length, uint64_t salt)
{
	uint64_t hash = KSMA_NAME_SEED ^ salt << 32, tail = 0;

	for (; length >= 8; name += 8, length -= 8)
		hash = ksma_name_mix(hash ^ ksma_le64(name), KSMA_NAME_STEP);
	if (length >= 4)
		tail = ksma_le32(name) | (uint64_t)ksma_le32(name + length - 4) << 8 * (length - 4);
	else
		for (size_t i = 0; i < length; i++)
			tail |= (uint64_t)(uint8_t)name[i] << 8 * i;
	return ksma_name_mix(hash ^ tail, KSMA_NAME_LAST);
}

/* The same for a name that ends with a NUL somewhere before `end`, with no search for that NUL beforehand. */
static inline uint64_t ksma_name_hash_within(const char *name, const char *end, uint64_t salt)
{
	uint64_t hash = KSMA_NAME_SEED ^ salt << 32, tail = 0;

	for (; end - name >= 8; name += 8) {
		uint64_t word = ksma_le64(name);
		/* The lowest bit that is set marks the first byte that is zero. */
		uint64_t zero = (word - 0x0101010101010101u) & ~word & 0x8080808080808080u;

		if (zero)
			return ksma_name_mix(hash ^ (word & (((zero & -zero) >> 7) - 1)),
					     KSMA_NAME_LAST);
		hash = ksma_name_mix(hash ^ word, KSMA_NAME_STEP);
	}
	for (unsigned shift = 0; name < end && *name; name++, shift += 8)
		tail |= (uint64_t)(uint8_t)*name << shift;
	return ksma_name_mix(hash ^ tail, KSMA_NAME_LAST);
}

/* The size of a table that `count` names fill to at most half: a power of two. */
static inline size_t ksma_name_slots(size_t count)
{
	size_t slots = 16;

	while (slots / 2 < count)
		slots *= 2;
	return slots;
}

#endif
