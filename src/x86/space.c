/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Page-table walks over hostile tables, and reads of guest virtual memory through them. */
#include "x86/space.h"

#include "base/bytes.h"

/* A leaf may lie at level 1 (4 KiB), 2 (2 MiB) or 3 (1 GiB); level 5 is the top with LA57. */
enum { TABLE_ENTRIES = 512, MAX_LEAF_LEVEL = 3, EMPTY = 1, LARGE = 2 << 20 };

#define ADDRESS_WIDTH_LIMIT (1ull << 52)

static unsigned level_shift(unsigned level)
{
	return 12 + 9 * (level - 1);
}

struct ksma_error *ksma_space_init(struct ksma_space *space, struct ksma_guest *guest, uint64_t cr3,
				   unsigned levels)
{
	struct ksma_tlb_entry *tlb;

	if (levels != 4 && levels != 5)
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "page tables have 4 or 5 levels, not %u", levels);
	tlb = malloc((KSMA_TLB_ENTRIES + KSMA_TLB_LARGE) * sizeof(*tlb));
	if (!tlb)
		return ksma_error_nomem();
	*space = (struct ksma_space){
		.guest = guest,
		.root = cr3 & KSMA_PTE_FRAME,
		.levels = levels,
		.tlb = tlb,
		.large = tlb + KSMA_TLB_ENTRIES,
	};
	ksma_space_flush(space);
	return NULL;
}

void ksma_space_deinit(struct ksma_space *space)
{
	free(space->tlb);
	space->tlb = space->large = NULL;
}

void ksma_space_flush(struct ksma_space *space)
{
	space->epoch = space->guest->epoch;
	if (!space->tlb)
		return;
	for (size_t i = 0; i < KSMA_TLB_ENTRIES + KSMA_TLB_LARGE; i++)
		space->tlb[i].page = EMPTY;
}

static bool read_entry(struct ksma_guest *guest, uint64_t gpa, uint64_t *ret_entry)
{
	const uint8_t *mapped = ksma_guest_mapped(guest, gpa, 8);

	if (mapped) {
		/* The guest may change it meanwhile: one load, then only the copy is used. */
		*ret_entry = *(const volatile uint64_t *)mapped;
		return true;
	}
	return ksma_guest_try_read(guest, gpa, ret_entry, 8);
}

#define KSMA_PTE_PAT_LARGE (1ull << 12)

/* What one step of a walk found. */
enum step { STEP_TABLE, STEP_LEAF, STEP_ABSENT, STEP_RESERVED };

static enum step classify(uint64_t entry, unsigned level, uint64_t *ret_next)
{
	uint64_t frame = entry & KSMA_PTE_FRAME;

	if (!(entry & KSMA_PTE_P))
		return STEP_ABSENT;
	if (level == 1 || (entry & KSMA_PTE_PS)) {
		if (level > MAX_LEAF_LEVEL)
			return STEP_RESERVED;
		/* In a large leaf bit 12 is PAT; the other bits below the frame must be zero, or the processor faults. */
		*ret_next = frame & ~((1ull << level_shift(level)) - 1);
		if (level > 1 && (frame & ~KSMA_PTE_PAT_LARGE) != *ret_next)
			return STEP_RESERVED;
		return STEP_LEAF;
	}
	*ret_next = frame;
	return STEP_TABLE;
}

struct walk {
	uint64_t gpa;
	uint64_t flags;
	uint64_t size;
	unsigned level; /* where it ended */
	bool fault_in_table;
};

static enum step walk_tables(struct ksma_space *space, uint64_t gva, struct walk *walk)
{
	uint64_t table = space->root;
	uint64_t rights = KSMA_PTE_W | KSMA_PTE_U, nx = 0;

	walk->fault_in_table = false;
	for (unsigned level = space->levels; level >= 1; level--) {
		unsigned shift = level_shift(level);
		uint64_t entry, next;
		enum step step;

		walk->level = level;
		if (!read_entry(space->guest, table + ((gva >> shift) & (TABLE_ENTRIES - 1)) * 8,
				&entry)) {
			walk->fault_in_table = true;
			return STEP_ABSENT;
		}
		step = classify(entry, level, &next);
		rights &= entry;
		nx |= entry & KSMA_PTE_NX;
		if (step == STEP_LEAF) {
			walk->size = 1ull << shift;
			walk->gpa = next | (gva & (walk->size - 1));
			walk->flags = KSMA_PTE_P | rights | nx | (level > 1 ? KSMA_PTE_PS : 0) |
				      (entry & (KSMA_PTE_G | KSMA_PTE_A | KSMA_PTE_D));
			return STEP_LEAF;
		}
		if (step != STEP_TABLE)
			return step;
		table = next;
	}
	return STEP_ABSENT; /* not reached: level 1 is a leaf or absent */
}

struct ksma_error *ksma_space_translate(struct ksma_space *space, ksma_gva gva, ksma_gpa *ret_gpa,
					uint64_t *ret_flags, uint64_t *ret_size)
{
	struct walk walk = { 0 };

	if (!ksma_gva_is_canonical(gva.v, space->levels))
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "address 0x%llx is not canonical",
					 (unsigned long long)gva.v);
	switch (walk_tables(space, gva.v, &walk)) {
	case STEP_LEAF:
		break;
	case STEP_RESERVED:
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"page table entry of level %u for 0x%llx sets a reserved bit", walk.level,
			(unsigned long long)gva.v);
	default:
		return ksma_error_fault(
			gva.v,
			walk.fault_in_table
				? "page table of level %u for 0x%llx lies outside guest memory"
				: "no page at level %u for 0x%llx",
			walk.level, (unsigned long long)gva.v);
	}
	*ret_gpa = ksma_gpa_of(walk.gpa);
	if (ret_flags)
		*ret_flags = walk.flags;
	if (ret_size)
		*ret_size = walk.size;
	return NULL;
}

static struct ksma_tlb_entry *large_entry(const struct ksma_space *space, uint64_t page)
{
	return &space->large[(page / LARGE) % KSMA_TLB_LARGE];
}

/* The direct map has leaves of 2 MiB and more: one walk serves all of their pages. */
static bool fill_from_large(const struct ksma_space *space, uint64_t page,
			    struct ksma_tlb_entry *entry)
{
	const struct ksma_tlb_entry *large = large_entry(space, page);
	uint64_t offset = page & (LARGE - 1);

	if (large->page != page - offset)
		return false;
	entry->gpa = large->gpa + offset;
	entry->host = large->host + offset;
	entry->page = page;
	return true;
}

/* Only what is one run of the host's memory. */
static void keep_large(struct ksma_space *space, uint64_t page, const struct walk *walk)
{
	uint64_t offset = page & (LARGE - 1);
	const uint8_t *host;

	if (walk->size < LARGE)
		return;
	host = ksma_guest_mapped(space->guest, walk->gpa - offset, LARGE);
	if (host)
		*large_entry(space, page) =
			(struct ksma_tlb_entry){ page - offset, host, walk->gpa - offset };
}

/* Fills the entry for a page; false when it is not present. */
static bool tlb_fill(struct ksma_space *space, uint64_t page, struct ksma_tlb_entry *entry)
{
	struct walk walk;

	if (space->tlb && fill_from_large(space, page, entry))
		return true;
	if (!ksma_gva_is_canonical(page, space->levels) ||
	    walk_tables(space, page, &walk) != STEP_LEAF)
		return false;
	if (space->tlb)
		keep_large(space, page, &walk);
	entry->gpa = walk.gpa;
	entry->host = ksma_guest_mapped(space->guest, walk.gpa, KSMA_PAGE_SIZE);
	entry->page = page;
	return true;
}

/* The slot of a page: the low bits, with higher ones mixed in, because kernel objects sit at large strides. */
static size_t tlb_slot(uint64_t page)
{
	uint64_t n = page >> 12;

	return (n ^ (n >> 10)) & (KSMA_TLB_ENTRIES - 1);
}

static inline const struct ksma_tlb_entry *tlb_get(struct ksma_space *space, uint64_t page,
						   struct ksma_tlb_entry *spare)
{
	struct ksma_tlb_entry *entry = spare;

	if (likely(space->tlb != NULL)) {
		if (unlikely(space->epoch != space->guest->epoch))
			ksma_space_flush(space);
		entry = &space->tlb[tlb_slot(page)];
		if (likely(entry->page == page))
			return entry;
		entry->page = EMPTY;
	}
	return tlb_fill(space, page, entry) ? entry : NULL;
}

void ksma_space_prefetch(const struct ksma_space *space, uint64_t gva)
{
	uint64_t page = gva & ~0xfffull;
	const struct ksma_tlb_entry *entry;

	if (!space->tlb || space->epoch != space->guest->epoch)
		return;
	entry = &space->tlb[tlb_slot(page)];
	if (entry->page != page) {
		entry = large_entry(space, page);
		if (entry->page != (page & ~(uint64_t)(LARGE - 1)))
			return;
	}
	if (entry->host)
		__builtin_prefetch(entry->host + (gva - entry->page));
}

bool ksma_space_try_translate(struct ksma_space *space, uint64_t gva, uint64_t *ret_gpa)
{
	struct ksma_tlb_entry spare;
	const struct ksma_tlb_entry *entry = tlb_get(space, gva & ~0xfffull, &spare);

	if (!entry)
		return false;
	*ret_gpa = entry->gpa + (gva & 0xfff);
	return true;
}

/* Reads as far as pages are present. @ret_done the bytes that were read */
static bool read_pages(struct ksma_space *space, uint64_t gva, uint8_t *buffer, size_t length,
		       size_t *ret_done)
{
	size_t done = 0;

	while (done < length) {
		uint64_t at = gva + done;
		size_t offset = at & 0xfff, chunk = KSMA_PAGE_SIZE - offset;
		struct ksma_tlb_entry spare;
		const struct ksma_tlb_entry *entry;

		if (chunk > length - done)
			chunk = length - done;
		entry = at >= gva ? tlb_get(space, at & ~0xfffull, &spare) : NULL;
		if (!entry)
			break;
		if (likely(entry->host != NULL))
			memcpy(buffer + done, entry->host + offset, chunk);
		else if (!ksma_guest_try_read(space->guest, entry->gpa + offset, buffer + done,
					      chunk))
			break;
		done += chunk;
	}
	*ret_done = done;
	return done == length;
}

/* The common case: inside one page whose translation is at hand. */
static inline bool read_hot(struct ksma_space *space, uint64_t gva, void *buffer, size_t length)
{
	uint64_t page = gva & ~0xfffull;
	size_t offset = gva & 0xfff;
	const struct ksma_tlb_entry *entry;

	if (unlikely(!space->tlb || length > KSMA_PAGE_SIZE - offset ||
		     space->epoch != space->guest->epoch))
		return false;
	entry = &space->tlb[tlb_slot(page)];
	if (unlikely(entry->page != page || !entry->host))
		return false;
	if (length == 8)
		memcpy(buffer, entry->host + offset, 8);
	else
		memcpy(buffer, entry->host + offset, length);
	return true;
}

bool ksma_space_try_read(struct ksma_space *space, uint64_t gva, void *buffer, size_t length)
{
	size_t done;

	return likely(read_hot(space, gva, buffer, length)) ||
	       read_pages(space, gva, buffer, length, &done);
}

struct ksma_error *ksma_space_read(struct ksma_space *space, ksma_gva gva, void *buffer,
				   size_t length)
{
	struct ksma_error *error;
	size_t done;
	ksma_gpa gpa;

	if (likely(read_hot(space, gva.v, buffer, length)) ||
	    read_pages(space, gva.v, buffer, length, &done))
		return NULL;
	error = ksma_space_translate(space, ksma_gva_of(gva.v + done), &gpa, NULL, NULL);
	if (error)
		return error;
	return ksma_guest_read(space->guest, gpa, (uint8_t *)buffer + done,
			       length - done < KSMA_PAGE_SIZE ? length - done
							      : KSMA_PAGE_SIZE - (gpa.v & 0xfff))
		       ?: ksma_error_create(KSMA_ERROR_BAD_DATA,
					    "page of 0x%llx changed while it was read",
					    (unsigned long long)gva.v);
}

struct ksma_error *ksma_space_read_string(struct ksma_space *space, ksma_gva gva, char *buffer,
					  size_t size)
{
	size_t done = 0;

	if (size == 0)
		return ksma_error_create(KSMA_ERROR_INVALID, "a string needs room for its end");
	while (done < size - 1) {
		uint64_t at = gva.v + done;
		size_t chunk = KSMA_PAGE_SIZE - (at & 0xfff);

		if (chunk > size - 1 - done)
			chunk = size - 1 - done;
		KSMA_TRY(ksma_space_read(space, ksma_gva_of(at), buffer + done, chunk));
		if (memchr(buffer + done, 0, chunk))
			return NULL;
		done += chunk;
	}
	buffer[done] = 0;
	return NULL;
}

/* A walk in progress: one frame a level instead of recursion. */
struct frame {
	uint64_t table; /* physical address */
	uint64_t base;	/* first gva that it maps */
	uint64_t rights, nx;
	unsigned index;
	bool notable; /* a leaf that is executable or open to user space was seen in it */
	uint8_t entries[KSMA_PAGE_SIZE];
};

/* Tables of the last level that hold nothing but plain data, remembered because some areas (espfix) map one table thousands of times. */
enum { BARREN_TABLES = 256 };

struct range_walk {
	struct ksma_space *space;
	uint64_t start, end;
	struct ksma_coverage *coverage;
	ksma_range_fn fn;
	void *arg;
	struct ksma_range pending; /* size 0: none */
	bool stopped;
	bool executable_only, once;
	uint64_t barren
		[BARREN_TABLES]; /* physical addresses, with the rights that the way to them gives: see barren_key() */
};

static void emit(struct range_walk *walk)
{
	if (walk->pending.size && !walk->stopped && !walk->fn(walk->arg, &walk->pending))
		walk->stopped = true;
	walk->pending.size = 0;
}

/* Joins a leaf to the pending range, or hands that on and starts anew. Clips to [start, end]. */
static void add_leaf(struct range_walk *walk, uint64_t gva, uint64_t gpa, uint64_t size,
		     uint64_t flags)
{
	struct ksma_range *pending = &walk->pending;
	uint64_t last = gva + (size - 1);

	if (gva < walk->start) {
		gpa += walk->start - gva;
		gva = walk->start;
	}
	if (last > walk->end)
		last = walk->end;
	size = last - gva + 1;
	if (pending->size && pending->gva + pending->size == gva &&
	    pending->gpa + pending->size == gpa && pending->flags == flags) {
		pending->size += size;
		return;
	}
	emit(walk);
	*pending = (struct ksma_range){ .gva = gva, .gpa = gpa, .size = size, .flags = flags };
}

static uint64_t sign_extend(uint64_t gva, unsigned levels)
{
	unsigned shift = levels == 5 ? 7 : 16;

	return (uint64_t)((int64_t)(gva << shift) >> shift);
}

static uint64_t *barren_slot(struct range_walk *walk, uint64_t table)
{
	return &walk->barren[(table >> 12) & (BARREN_TABLES - 1)];
}

/* Equal tables may hang at places of unequal rights. The lowest bit tells a key from an empty slot. */
static uint64_t barren_key(uint64_t table, uint64_t rights, uint64_t nx)
{
	return table | 1 | (rights & (KSMA_PTE_W | KSMA_PTE_U)) | (nx ? 8 : 0);
}

/* Loads the table of a frame and places its index at the first entry that matters. */
static bool enter_table(struct range_walk *walk, struct frame *frame, unsigned level)
{
	unsigned shift = level_shift(level);

	if (!ksma_guest_try_read(walk->space->guest, frame->table, frame->entries,
				 KSMA_PAGE_SIZE)) {
		ksma_coverage_gap(
			walk->coverage, KSMA_COVERAGE_PARTIAL,
			"page table of level %u at physical 0x%llx lies outside guest memory",
			level, (unsigned long long)frame->table);
		return false;
	}
	frame->index =
		frame->base < walk->start ? (unsigned)((walk->start - frame->base) >> shift) : 0;
	frame->notable = frame->index != 0; /* a table entered halfway is not known whole */
	return true;
}

/* Handles a present entry that maps memory. */
static void take_leaf(struct range_walk *walk, struct frame *frame, unsigned level, uint64_t gva,
		      uint64_t gpa, uint64_t entry)
{
	uint64_t nx = (frame->nx | entry) & KSMA_PTE_NX;

	if (walk->executable_only && nx)
		return;
	frame->notable |= !nx || (frame->rights & entry & KSMA_PTE_U);
	add_leaf(walk, gva, gpa, 1ull << level_shift(level),
		 KSMA_PTE_P | (frame->rights & entry) | nx | (level > 1 ? KSMA_PTE_PS : 0));
}

/* Handles a present entry that points to a table. @return whether to descend */
static bool take_table(struct range_walk *walk, struct frame *frames, unsigned level, uint64_t gva,
		       uint64_t table, uint64_t entry)
{
	struct frame *frame = &frames[level], *below = &frames[level - 1];
	uint64_t nx = (frame->nx | entry) & KSMA_PTE_NX;

	if (walk->executable_only && nx)
		return false;
	if ((walk->executable_only || walk->once) && level == 2 &&
	    *barren_slot(walk, table) == barren_key(table, frame->rights & entry, nx))
		return false;
	below->table = table;
	below->base = gva;
	below->rights = frame->rights & entry;
	below->nx = nx;
	return enter_table(walk, below, level - 1);
}

/* Goes through the deepest frame until it ends or leads further down. @return the level to go on with */
static unsigned walk_table(struct range_walk *walk, struct frame *frames, unsigned level)
{
	struct frame *frame = &frames[level];
	unsigned shift = level_shift(level);

	while (frame->index < TABLE_ENTRIES && !walk->stopped) {
		uint64_t entry = ksma_le64(frame->entries + 8ul * frame->index), gva, next;

		gva = sign_extend(frame->base + ((uint64_t)frame->index << shift),
				  walk->space->levels);
		if (gva > walk->end)
			return level + 1;
		frame->index++;
		switch (classify(entry, level, &next)) {
		case STEP_ABSENT:
			break;
		case STEP_RESERVED:
			ksma_coverage_gap(
				walk->coverage, KSMA_COVERAGE_PARTIAL,
				"page table entry of level %u for 0x%llx sets a reserved bit",
				level, (unsigned long long)gva);
			break;
		case STEP_LEAF:
			take_leaf(walk, frame, level, gva, next, entry);
			break;
		case STEP_TABLE:
			if (take_table(walk, frames, level, gva, next, entry))
				return level - 1;
			break;
		}
	}
	if (level == 1 && !frame->notable)
		*barren_slot(walk, frame->table) =
			barren_key(frame->table, frame->rights, frame->nx);
	return level + 1;
}

struct ksma_error *ksma_space_walk(struct ksma_space *space, uint64_t start, uint64_t end,
				   unsigned kinds, struct ksma_budget *budget,
				   struct ksma_coverage *coverage, ksma_range_fn fn, void *arg)
{
	struct range_walk walk = {
		.space = space,
		.start = start,
		.end = end,
		.coverage = coverage,
		.fn = fn,
		.arg = arg,
		.executable_only = kinds & KSMA_WALK_EXECUTABLE,
		.once = kinds & KSMA_WALK_ONCE,
	};
	_cleanup_free_ struct frame *frames = NULL;
	unsigned level = space->levels;

	if (start > end || !ksma_gva_is_canonical(start, level) ||
	    !ksma_gva_is_canonical(end, level))
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "0x%llx-0x%llx is not a range of addresses",
					 (unsigned long long)start, (unsigned long long)end);
	frames = calloc(level + 1, sizeof(*frames));
	if (!frames)
		return ksma_error_nomem();
	frames[level] = (struct frame){ .table = space->root, .rights = KSMA_PTE_W | KSMA_PTE_U };
	if (!enter_table(&walk, &frames[level], level))
		return NULL; /* a gap in the coverage */
	/* The top table starts at 0 and its upper half is the sign-extended one. */
	frames[level].index = (unsigned)(start >> level_shift(level)) & (TABLE_ENTRIES - 1);
	while (level <= space->levels && !walk.stopped) {
		if (!ksma_budget_spend(budget))
			return ksma_budget_error("the walk of the page tables");
		level = walk_table(&walk, frames, level);
	}
	emit(&walk);
	return NULL;
}
