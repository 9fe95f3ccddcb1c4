/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Data that lies outside of what is constant from the start: what boot writes and then closes (__ro_after_init), and the table of
 * warnings, of which a running kernel marks those that were given.
 *
 * What boot did not change has to be the vendor's. Of what it did change nobody but this guest knows what it has to be: word by word,
 * the first look is the baseline. It is taken when boot is over, for from then on nothing honest can write there. */
#include "base/bytes.h"
#include "checks/proof.h"

enum {
	WORD = 8,
	MAX_LATE = 16 << 20,
	BUG_ONCE = 2, /* include/asm-generic/bug.h */
	BUG_DONE = 4,
};

static struct ksma_error *take_word(struct ksma_proof_unit *unit, uint64_t gva)
{
	uint64_t *word;

	KSMA_TRY(KSMA_ARRAY_PUSH(&unit->taken, &word));
	*word = gva;
	return NULL;
}

/* What an earlier command took over, and nothing else. @return false: it did not look here */
static struct ksma_error *take_kept(struct ksma_proof *proof, struct ksma_proof_unit *unit,
				    uint64_t gva, uint64_t size, bool *ret_kept)
{
	const struct ksma_kept_word *words;
	size_t count = 0;

	*ret_kept =
		proof->kept && ksma_kept_words(proof->kept, &unit->key, gva, size, &words, &count);
	for (size_t i = 0; i < count; i++) {
		size_t n = WORD - (words[i].gva & (WORD - 1)), left = gva + size - words[i].gva;
		uint8_t *expected;

		n = n < left ? n : left;
		expected = ksma_patch_at(&unit->patch, words[i].gva, n);
		if (!expected)
			continue;
		KSMA_TRY(take_word(unit, words[i].gva));
		memcpy(expected, words[i].bytes, n);
	}
	return NULL;
}

static struct ksma_error *take_now(struct ksma_proof *proof, struct ksma_proof_unit *unit,
				   uint64_t gva, uint64_t size, uint8_t *expected)
{
	_cleanup_free_ uint8_t *found = malloc(size);

	if (!found)
		return ksma_error_nomem();
	if (!ksma_kernel_bytes(proof->kernel, gva, found, size))
		return ksma_error_fault(gva, "what is read-only after init cannot be read");
	unit->fresh++;
	for (uint64_t at = 0, n; at < size; at += n) {
		n = WORD - ((gva + at) & (WORD - 1));
		n = n < size - at ? n : size - at;
		if (memcmp(found + at, expected + at, n) == 0)
			continue;
		KSMA_TRY(take_word(unit, gva + at));
		memcpy(expected + at, found + at, n);
	}
	return NULL;
}

struct ksma_error *ksma_proof_take_late(struct ksma_proof *proof, struct ksma_proof_unit *unit,
					const char *name, uint64_t gva, uint64_t size)
{
	uint8_t *expected = size && size < MAX_LATE ? ksma_patch_at(&unit->patch, gva, size) : NULL;
	bool kept;

	if (!expected || unit->late_count == KSMA_PROOF_RANGES)
		return NULL;
	KSMA_TRY(take_kept(proof, unit, gva, size, &kept));
	if (!kept)
		KSMA_TRY(take_now(proof, unit, gva, size, expected));
	unit->late[unit->late_count++] =
		(struct ksma_proof_range){ .gva = gva, .size = size, .name = name };
	return NULL;
}

static int by_gva(const void *a, const void *b)
{
	const struct ksma_proof_range *x = a, *y = b;

	return x->gva < y->gva ? -1 : x->gva > y->gva;
}

/* The image's: all that lies between the symbols and is not compared with the vendor's build already. */
struct ksma_error *ksma_proof_late_kernel(struct ksma_proof *proof)
{
	struct ksma_proof_unit *unit = &proof->unit;
	struct ksma_proof_range known[KSMA_PROOF_RANGES];
	uint64_t at = ksma_kernel_symbol(proof->kernel, "__start_ro_after_init"),
		 end = ksma_kernel_symbol(proof->kernel, "__end_ro_after_init");
	size_t count = unit->data_count;

	if (!at || end <= at)
		return NULL;
	memcpy(known, unit->data, count * sizeof(*known));
	qsort(known, count, sizeof(*known), by_gva);
	for (size_t i = 0; i < count; i++) {
		if (known[i].gva + known[i].size <= at || known[i].gva >= end)
			continue;
		if (known[i].gva > at)
			KSMA_TRY(ksma_proof_take_late(proof, unit, "ro_after_init", at,
						      known[i].gva - at));
		at = known[i].gva + known[i].size;
	}
	return at < end ? ksma_proof_take_late(proof, unit, "ro_after_init", at, end - at) : NULL;
}

bool ksma_proof_is_taken(const struct ksma_proof_unit *unit, uint64_t gva)
{
	uint64_t word = gva & ~(uint64_t)(WORD - 1);
	size_t low = 0, high = unit->taken.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (unit->taken.items[middle] < word)
			low = middle + 1;
		else
			high = middle;
	}
	return low < unit->taken.count && unit->taken.items[low] <= gva &&
	       unit->taken.items[low] - word < WORD;
}

void ksma_proof_warnings(struct ksma_proof *proof, struct ksma_proof_unit *unit, uint64_t gva,
			 uint64_t size)
{
	const struct ksma_kernel *kernel = proof->kernel;
	uint64_t entry = kernel->size.bug_entry;

	if (!entry || !ksma_in_range((uint64_t)kernel->off.bug_entry__flags, 1, entry) || !size ||
	    size > MAX_LATE || !ksma_patch_at(&unit->patch, gva, size) ||
	    unit->data_count == KSMA_PROOF_RANGES)
		return;
	unit->warnings = (struct ksma_proof_range){ .gva = gva,
						    .size = size - size % entry,
						    .name = "__bug_table" };
	unit->data[unit->data_count++] = unit->warnings;
}

/* A warning that is given once is marked when it was. */
struct ksma_error *ksma_proof_update_warnings(struct ksma_look *look, struct ksma_proof_unit *unit)
{
	const struct ksma_proof_range *table = &unit->warnings;
	size_t entry = look->kernel->size.bug_entry;
	_cleanup_free_ uint8_t *found = NULL;
	uint8_t *expected;

	if (!table->size)
		return NULL;
	expected = ksma_patch_at(&unit->patch, table->gva, table->size);
	found = malloc(table->size);
	if (!found)
		return ksma_error_nomem();
	if (!expected || !ksma_kernel_bytes(look->kernel, table->gva, found, table->size))
		return NULL; /* told where it is compared */
	for (size_t at = (size_t)look->kernel->off.bug_entry__flags; at < table->size; at += entry)
		if (expected[at] & BUG_ONCE)
			expected[at] =
				(uint8_t)((expected[at] & ~BUG_DONE) | (found[at] & BUG_DONE));
	return NULL;
}
