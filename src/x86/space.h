/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest virtual address space: page-table walks of 4 and 5 levels with a translation cache, and reads through it.
 *
 * Source: Intel SDM volume 3, chapter 4 "Paging"; AMD APM volume 2, chapter 5. */
#ifndef KSMA_X86_SPACE_H
#define KSMA_X86_SPACE_H

#include "base/budget.h"
#include "guest/guest.h"

enum { KSMA_TLB_ENTRIES = 1024, KSMA_TLB_LARGE = 512 };

/* Page-table bits as the SDM names them; KSMA_PTE_* of the leaf, with W, U and NX combined over all levels. */
#define KSMA_PTE_P (1ull << 0)
#define KSMA_PTE_W (1ull << 1)
#define KSMA_PTE_U (1ull << 2)
#define KSMA_PTE_A (1ull << 5)
#define KSMA_PTE_D (1ull << 6)
#define KSMA_PTE_PS (1ull << 7)
#define KSMA_PTE_G (1ull << 8)
#define KSMA_PTE_NX (1ull << 63)
#define KSMA_PTE_FRAME 0x000ffffffffff000ull

struct ksma_tlb_entry {
	uint64_t page;	     /* gva of the 4 KiB page, or 1 when empty */
	const uint8_t *host; /* mapped bytes of that page, or NULL */
	uint64_t gpa;	     /* of that page */
};

/* An address space. In the caller's storage; holds no resources, but must not outlive the guest. One thread. */
struct ksma_space {
	struct ksma_guest *guest;
	uint64_t root;	 /* physical address of the top table, from CR3 without PCID and flags */
	unsigned levels; /* 4 or 5 */
	uint64_t epoch;
	struct ksma_tlb_entry *tlb; /* KSMA_TLB_ENTRIES */
	struct ksma_tlb_entry *
		large; /* KSMA_TLB_LARGE: pieces of 2 MiB of larger leaves; in the allocation of `tlb` */
};

/* A run of pages with equal permissions, contiguous in both spaces. */
struct ksma_range {
	uint64_t gva;
	uint64_t gpa;
	uint64_t size;
	uint64_t flags; /* KSMA_PTE_P | W | U | NX (combined), PS of the leaf */
};

/* @cr3 raw register value. @levels 4 or 5. */
struct ksma_error *ksma_space_init(struct ksma_space *space, struct ksma_guest *guest, uint64_t cr3,
				   unsigned levels) KSMA_MUST_CHECK;
void ksma_space_deinit(struct ksma_space *space);

/* Forgets all translations. Done by itself after ksma_guest_refresh(). */
void ksma_space_flush(struct ksma_space *space);

/* Translates one address. @ret_flags may be NULL; combined permission bits of the walk; @ret_size may be NULL: the leaf's size.
 * @return NULL, FAULT (not present, or a table outside RAM) or BAD_DATA (reserved bits, address not canonical) */
struct ksma_error *ksma_space_translate(struct ksma_space *space, ksma_gva gva, ksma_gpa *ret_gpa,
					uint64_t *ret_flags, uint64_t *ret_size) KSMA_MUST_CHECK;

/* The quiet twins for hot paths and probes: false where the other returns an error; nothing is allocated. */
bool ksma_space_try_translate(struct ksma_space *space, uint64_t gva, uint64_t *ret_gpa);
bool ksma_space_try_read(struct ksma_space *space, uint64_t gva, void *buffer, size_t length);

/* Has the host's processor fetch what will be read soon. Does nothing where no translation is at hand. */
void ksma_space_prefetch(const struct ksma_space *space, uint64_t gva);

static inline bool ksma_space_try_u64(struct ksma_space *space, uint64_t gva, uint64_t *ret)
{
	return ksma_space_try_read(space, gva, ret, sizeof(*ret));
}

static inline bool ksma_space_try_u32(struct ksma_space *space, uint64_t gva, uint32_t *ret)
{
	return ksma_space_try_read(space, gva, ret, sizeof(*ret));
}

/* Reads guest virtual memory; may cross pages. On an error nothing in `buffer` is to be used. FAULT names the first bad address. */
struct ksma_error *ksma_space_read(struct ksma_space *space, ksma_gva gva, void *buffer,
				   size_t length) KSMA_MUST_CHECK;

/* Reads a NUL-terminated string of at most size-1 bytes; always terminates. A string that does not end in time is cut (no error).
 * Stops before a page that is not mapped only if at least the NUL came first; else FAULT. */
struct ksma_error *ksma_space_read_string(struct ksma_space *space, ksma_gva gva, char *buffer,
					  size_t size) KSMA_MUST_CHECK;

/* Calls `fn` for each present range of [start, end], merged while contiguous in both spaces with equal flags. fn returns false to
 * stop. Tables that lie outside RAM are gaps in `coverage`; the budget is spent by tables.
 * @kinds KSMA_WALK_EXECUTABLE passes over what is not executable, which is most of a kernel's memory; KSMA_WALK_ONCE shows a table of
 * plain data (nothing in it is executable or open to user space) only in the first of the places where it hangs with equal rights */
enum { KSMA_WALK_ALL = 0, KSMA_WALK_EXECUTABLE = 1, KSMA_WALK_ONCE = 2 };
typedef bool (*ksma_range_fn)(void *arg, const struct ksma_range *range);
struct ksma_error *ksma_space_walk(struct ksma_space *space, uint64_t start, uint64_t end,
				   unsigned kinds, struct ksma_budget *budget,
				   struct ksma_coverage *coverage, ksma_range_fn fn,
				   void *arg) KSMA_MUST_CHECK;

static inline bool ksma_gva_is_canonical(uint64_t gva, unsigned levels)
{
	unsigned shift = levels == 5 ? 7 : 16;

	return (uint64_t)((int64_t)(gva << shift) >> shift) == gva;
}

#endif
