/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables that the kernel sorts when it starts or loads a module: the same entries have to be there, in any order. */
#include "base/bytes.h"
#include "checks/proof.h"

enum { MAX_TABLE = 16 << 20 };

/* An entry with its offsets made absolute. */
struct entry {
	uint64_t fields[3];
	uint8_t rest[8];
};

static struct entry read_entry(const uint8_t *bytes, uint64_t gva,
			       const struct ksma_proof_layout *layout)
{
	struct entry e = { 0 };
	size_t at = 0, n = 0, rest;

	for (; n < layout->relative && n < 2; n++, at += 4)
		e.fields[n] = gva + at + (uint64_t)(int64_t)(int32_t)ksma_le32(bytes + at);
	if (layout->wide) {
		e.fields[n++] = gva + at + ksma_le64(bytes + at);
		at += 8;
	}
	if (n)
		e.fields[n - 1] &= ~layout->ignored;
	rest = layout->entry - at < sizeof(e.rest) ? layout->entry - at : sizeof(e.rest);
	memcpy(e.rest, bytes + at, rest);
	return e;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct entry));
}

/* The entries that concern what is still there, sorted. */
static size_t read_entries(struct ksma_proof_unit *unit, const uint8_t *bytes, uint64_t gva,
			   size_t size, const struct ksma_proof_layout *layout,
			   struct entry *entries)
{
	size_t count = 0;

	for (size_t at = 0; at + layout->entry <= size; at += layout->entry) {
		struct entry e = read_entry(bytes + at, gva + at, layout);
		uint64_t place = layout->relative ? e.fields[0] : ksma_le64(e.rest);

		if (ksma_patch_at(&unit->patch, place, 1))
			entries[count++] = e;
	}
	qsort(entries, count, sizeof(*entries), compare);
	return count;
}

void ksma_proof_sorted(struct ksma_proof *proof, struct ksma_proof_unit *unit, uint64_t gva,
		       size_t size, const struct ksma_proof_layout *layout)
{
	uint8_t *expected =
		size && size < MAX_TABLE ? ksma_patch_at(&unit->patch, gva, size) : NULL;
	size_t most = size / layout->entry + 1;
	_cleanup_free_ uint8_t *found = expected ? malloc(size) : NULL;
	_cleanup_free_ struct entry *x = found ? calloc(most, sizeof(*x)) : NULL,
				    *y = x ? calloc(most, sizeof(*y)) : NULL;
	size_t count;

	/* Without memory the order stays the vendor's, and the difference is told. */
	if (!y || !ksma_kernel_bytes(proof->kernel, gva, found, size))
		return;
	count = read_entries(unit, expected, gva, size, layout, x);
	if (count == read_entries(unit, found, gva, size, layout, y) &&
	    memcmp(x, y, count * sizeof(*x)) == 0)
		memcpy(expected, found, size);
}
