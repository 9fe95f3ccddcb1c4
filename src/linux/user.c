/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the memory of a process without its help.
 *
 * The page tables are walked here, and not by the x86 layer: the processor sees an entry that is not present, where Linux sees
 * a page that is swapped out, or one that is in memory but kept from the process for a while (NUMA balancing, PROT_NONE).
 * Source: arch/x86/include/asm/pgtable_types.h, pgtable-invert.h, pgtable_64.h. */
#include "linux/user.h"

uint64_t ksma_user_pgd(struct ksma_kernel *kernel, uint64_t pgd)
{
	uint64_t gpa =
		pgd - kernel->page_offset; /* wraps below the direct map, and is then no RAM */

	if (pgd == 0)
		return 0;
	/* Page tables come from the page allocator, so that the direct map has them. */
	if (kernel->page_offset == 0 && !ksma_space_try_translate(&kernel->space, pgd, &gpa))
		return 0;
	return (gpa & 0xfff) == 0 && ksma_guest_is_ram(kernel->guest, gpa) ? gpa : 0;
}

/* An entry that is not present and has this bit is a page all the same, with its frame number inverted (_PAGE_PROTNONE). */
#define PTE_PROTNONE KSMA_PTE_G

/* Follows one entry. @return true when *ret_gpa is the page's address, or the next table's while *ret_leaf is false */
static bool follow(uint64_t entry, unsigned level, uint64_t address, uint64_t *ret_gpa,
		   bool *ret_leaf)
{
	uint64_t inside = (1ull << (12 + 9 * (level - 1))) - 1;
	bool large = level == 1 || (entry & KSMA_PTE_PS);

	if (entry & KSMA_PTE_P) {
		*ret_leaf = large;
		*ret_gpa = large ? (entry & KSMA_PTE_FRAME & ~inside) | (address & inside)
				 : entry & KSMA_PTE_FRAME;
		return !large || level <= 3;
	}
	if (!large || level > 2 || !(entry & PTE_PROTNONE))
		return false;
	*ret_leaf = true;
	*ret_gpa = (~entry & KSMA_PTE_FRAME & ~inside) | (address & inside);
	return true;
}

static enum ksma_user_end translate(struct ksma_kernel *kernel, uint64_t pgd, uint64_t address,
				    uint64_t *ret_gpa)
{
	uint64_t table = pgd, entry;

	for (unsigned level = kernel->space.levels; level >= 1; level--) {
		uint64_t index = address >> (12 + 9 * (level - 1)) & 0x1ff;
		bool leaf;

		if (!ksma_guest_try_read(kernel->guest, table + index * 8, &entry, 8))
			return KSMA_USER_NOTHING;
		if (!follow(entry, level, address, &table, &leaf))
			return entry ? KSMA_USER_AWAY : KSMA_USER_NOTHING;
		if (leaf) {
			*ret_gpa = table;
			return KSMA_USER_WHOLE;
		}
	}
	return KSMA_USER_NOTHING;
}

size_t ksma_user_read(struct ksma_kernel *kernel, uint64_t pgd, uint64_t address, void *buffer,
		      size_t length, enum ksma_user_end *ret_end)
{
	uint64_t limit =
		1ull << (kernel->space.levels == 5
				 ? 56
				 : 47); /* the kernel's half is none of the process's business */
	enum ksma_user_end end =
		pgd && ksma_in_range(address, length, limit) ? KSMA_USER_WHOLE : KSMA_USER_NOTHING;
	size_t done = 0;

	while (end == KSMA_USER_WHOLE && done < length) {
		size_t chunk = KSMA_PAGE_SIZE - ((address + done) & (KSMA_PAGE_SIZE - 1));
		uint64_t gpa;

		if (chunk > length - done)
			chunk = length - done;
		end = translate(kernel, pgd, address + done, &gpa);
		if (end == KSMA_USER_WHOLE &&
		    !ksma_guest_try_read(kernel->guest, gpa, (uint8_t *)buffer + done, chunk))
			end = KSMA_USER_NOTHING;
		if (end == KSMA_USER_WHOLE)
			done += chunk;
	}
	if (ret_end)
		*ret_end = end;
	return done;
}
