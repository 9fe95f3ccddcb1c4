/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the running kernel: first through the registers, which a guest cannot fake, and only then by searching memory. */
#include "linux/find.h"

#include "base/bytes.h"
#include "linux/cache.h"
#include "linux/kallsyms.h"

#define CR0_PG (1ull << 31)
#define CR4_LA57 (1ull << 12)
#define BANNER "Linux version "
/* With KPTI the user half of the page tables lies in the page after the kernel's (PTI_USER_PGTABLE_BIT, arch/x86/include/asm/pgtable.h). */
#define PTI_USER_BIT 0x1000ull

enum {
	EXCEPTION_VECTORS = 32,
	GATE_SIZE = 16,
	IMAGE_ALIGN = 2 << 20, /* CONFIG_PHYSICAL_ALIGN on x86-64 is at least 2 MiB */
	MAX_IMAGE = 256 << 20,
	WINDOW = 24 << 20,
	WINDOW_OVERLAP = 8 << 20, /* no kernel's tables are larger */
	MAX_CANDIDATES = 16,
	MAX_DECOYS = 64,
	CLOCK_PROBE_MS = 20,
	CLOCK_PROBES = 100,
};

void ksma_found_deinit(struct ksma_found *found)
{
	ksma_tables_deinit(&found->tables);
	ksma_space_deinit(&found->space);
}

static uint64_t symbol_address(const struct ksma_tables *tables, const char *name)
{
	const struct ksma_symbol *symbol = ksma_symbols_find(&tables->symbols, name);

	return symbol ? ksma_symbol_address(&tables->symbols, symbol) : 0;
}

static struct ksma_error *no_such_symbol(const char *name)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA,
				 "the symbols found in memory name no %s: not a kernel's", name);
}

/* The banner lies where the symbols say, in the image. */
static struct ksma_error *verify_banner(struct ksma_guest *guest, const struct ksma_image *image,
					const struct ksma_tables *tables)
{
	uint64_t banner = symbol_address(tables, "linux_banner");
	char text[sizeof(BANNER) - 1];

	if (!banner)
		return no_such_symbol("linux_banner");
	if (!ksma_guest_try_read(guest, ksma_image_gpa(image, banner), text, sizeof(text)) ||
	    memcmp(text, BANNER, sizeof(text)) != 0)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"no kernel banner where the symbols say: a stale copy or a decoy");
	if (symbol_address(tables, "_text") != image->gva)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"symbols put the kernel at 0x%llx and the page tables at 0x%llx",
			(unsigned long long)symbol_address(tables, "_text"),
			(unsigned long long)image->gva);
	return NULL;
}

/* Most exception gates of the register IDT lead into this kernel's text. (A few may be hooked: that is for a check to say.) */
static struct ksma_error *verify_idt(struct ksma_space *space, const struct ksma_vcpu *vcpu,
				     const struct ksma_tables *tables)
{
	uint64_t start = symbol_address(tables, "_stext"), end = symbol_address(tables, "_etext");
	unsigned inside = 0;

	if (!start || !end)
		return no_such_symbol("_stext or _etext");
	for (unsigned i = 0; i < EXCEPTION_VECTORS; i++) {
		uint8_t gate[GATE_SIZE];
		uint64_t handler;

		if (!ksma_space_try_read(space, vcpu->idt.base + (uint64_t)i * GATE_SIZE, gate,
					 sizeof(gate)))
			break;
		handler = ksma_le16(gate) | (uint64_t)ksma_le16(gate + 6) << 16 |
			  (uint64_t)ksma_le32(gate + 8) << 32;
		inside += handler >= start && handler < end;
	}
	if (inside < EXCEPTION_VECTORS / 2)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"vCPU %u's interrupt table leads elsewhere than into the kernel that was found",
			vcpu->index);
	return NULL;
}

/* Moves the space to init_top_pgt, which outlives the process that a vCPU happened to run, after making sure that both map the
 * kernel alike. */
static struct ksma_error *settle_space(struct ksma_guest *guest, struct ksma_found *found)
{
	uint64_t root =
		ksma_image_gpa(&found->image, symbol_address(&found->tables, "init_top_pgt"));
	struct ksma_space space;
	uint64_t gpa;

	if (!root)
		return no_such_symbol("init_top_pgt");
	KSMA_TRY(ksma_space_init(&space, guest, root, found->space.levels));
	if (!ksma_space_try_translate(&space, found->image.gva, &gpa) || gpa != found->image.gpa) {
		ksma_space_deinit(&space);
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"the kernel's own page tables do not map the kernel that the vCPU runs");
	}
	ksma_space_deinit(&found->space);
	found->space = space;
	return NULL;
}

static bool ends_search(const struct ksma_error *error)
{
	return error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST;
}

/* Writes an entry, and goes on with that: a mapped file in the place of memory of our own. Where that fails, next time is slower, nothing else. */
static struct ksma_error *store_tables(struct ksma_guest *guest, const struct ksma_image *image,
				       const char *cache_dir, struct ksma_tables *tables)
{
	struct ksma_error *error = ksma_cache_store(cache_dir, image, tables);
	struct ksma_tables stored = { 0 };
	bool found = false;

	if (error) {
		ksma_error_destroy(error);
		return NULL;
	}
	KSMA_TRY(ksma_cache_load(cache_dir, guest, image, &stored, &found));
	if (found) {
		ksma_tables_deinit(tables);
		*tables = stored;
		tables->cached = false; /* it was read just now */
	}
	return NULL;
}

static struct ksma_error *load_tables(struct ksma_guest *guest, const struct ksma_image *image,
				      const char *cache_dir, struct ksma_tables *ret_tables)
{
	_cleanup_(ksma_tables_deinit) struct ksma_tables tables = { 0 };
	bool found = false;

	if (cache_dir)
		KSMA_TRY(ksma_cache_load(cache_dir, guest, image, &tables, &found));
	if (found) {
		struct ksma_error *error = verify_banner(guest, image, &tables);

		/* An entry that does not even name the banner is damaged: read anew, and written over. */
		if (error) {
			ksma_error_destroy(error);
			ksma_tables_deinit(&tables);
			found = false;
		}
	}
	if (!found) {
		KSMA_TRY(ksma_tables_read(guest, image, &tables));
		KSMA_TRY(verify_banner(guest, image, &tables));
		/* Types that are damaged are not the end: the operator may have better ones. */
		tables.types_error = ksma_tables_read_types(guest, image, &tables);
		if (tables.types_error && ends_search(tables.types_error))
			return TAKE_PTR(tables.types_error);
		if (cache_dir && tables.have_layouts)
			KSMA_TRY(store_tables(guest, image, cache_dir, &tables));
	}
	*ret_tables = tables;
	tables = (struct ksma_tables){ 0 };
	return NULL;
}

static struct ksma_error *try_root(struct ksma_guest *guest, const struct ksma_vcpu *vcpu,
				   uint64_t root, const char *cache_dir,
				   struct ksma_found *ret_found)
{
	_cleanup_(ksma_found_deinit) struct ksma_found found = { .from_registers = true };

	KSMA_TRY(ksma_space_init(&found.space, guest, root, vcpu->cr4 & CR4_LA57 ? 5 : 4));
	KSMA_TRY(ksma_image_find(&found.space, &found.image));
	KSMA_TRY(load_tables(guest, &found.image, cache_dir, &found.tables));
	KSMA_TRY(verify_idt(&found.space, vcpu, &found.tables));
	KSMA_TRY(settle_space(guest, &found));
	*ret_found = found;
	found = (struct ksma_found){ 0 };
	return NULL;
}

/* Keeps the more telling of two errors: one that got further than "nothing is mapped there". */
static struct ksma_error *better_error(struct ksma_error *kept, struct ksma_error *error)
{
	if (!kept ||
	    (kept->code == KSMA_ERROR_NOT_PRESENT && error->code != KSMA_ERROR_NOT_PRESENT)) {
		ksma_error_destroy(kept);
		return error;
	}
	ksma_error_destroy(error);
	return kept;
}

static struct ksma_error *find_by_registers(struct ksma_guest *guest,
					    const struct ksma_registers *registers,
					    const char *cache_dir, struct ksma_found *ret_found)
{
	struct ksma_error *kept = NULL;

	for (size_t i = 0; i < registers->count; i++) {
		const struct ksma_vcpu *vcpu = &registers->vcpus[i];
		uint64_t root = vcpu->cr3 & KSMA_PTE_FRAME;

		if (!(vcpu->cr0 & CR0_PG) || !root)
			continue;
		for (int user = 0; user < (root & PTI_USER_BIT ? 2 : 1); user++) {
			struct ksma_error *error =
				try_root(guest, vcpu, user ? root & ~PTI_USER_BIT : root, cache_dir,
					 ret_found);

			if (!error) {
				ksma_error_destroy(kept);
				return NULL;
			}
			kept = better_error(kept, error);
			if (ends_search(kept))
				return kept;
		}
	}
	return kept
		       ?: ksma_error_create(
				  KSMA_ERROR_NOT_PRESENT,
				  "no vCPU has turned paging on yet: the guest is in its firmware or boot loader");
}

/* The kernels that a search of memory came upon. */
struct search {
	struct ksma_guest *guest;
	const char *cache_dir;
	struct ksma_found candidates[MAX_CANDIDATES];
	size_t count;
	struct ksma_error *kept;
};

static void search_deinit(struct search *search)
{
	for (size_t i = 0; i < search->count; i++)
		ksma_found_deinit(&search->candidates[i]);
	ksma_error_destroy(search->kept);
}

/* Levels as the kernel's own variable has them (arch/x86/kernel/head64.c, early_top_pgt). */
static unsigned paging_levels(struct ksma_guest *guest, const struct ksma_tables *tables,
			      uint64_t text_gpa)
{
	uint64_t address = symbol_address(tables, "__pgtable_l5_enabled");
	uint32_t enabled = 0;

	if (address &&
	    ksma_guest_try_read(guest, text_gpa + (address - symbol_address(tables, "_text")),
				&enabled, sizeof(enabled)))
		return enabled ? 5 : 4;
	return 4;
}

/* A candidate is real when its own page tables map its own image to where we found it. */
static struct ksma_error *try_text(struct search *search, const struct ksma_tables *symbols,
				   uint64_t text_gpa)
{
	uint64_t text = symbol_address(symbols, "_text"),
		 pgd = symbol_address(symbols, "init_top_pgt");
	_cleanup_(ksma_found_deinit) struct ksma_found found = { 0 };

	KSMA_TRY(ksma_space_init(&found.space, search->guest, text_gpa + (pgd - text),
				 paging_levels(search->guest, symbols, text_gpa)));
	KSMA_TRY(ksma_image_find(&found.space, &found.image));
	if (found.image.gpa != text_gpa)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"a kernel at physical 0x%llx that its own page tables do not map",
			(unsigned long long)text_gpa);
	for (size_t i = 0; i < search->count; i++)
		if (search->candidates[i].image.gpa == text_gpa)
			return NULL;
	if (search->count == MAX_CANDIDATES)
		return ksma_error_create(KSMA_ERROR_LIMIT, "more than %d kernels in memory",
					 MAX_CANDIDATES);
	KSMA_TRY(load_tables(search->guest, &found.image, search->cache_dir, &found.tables));
	search->candidates[search->count++] = found;
	found = (struct ksma_found){ 0 };
	return NULL;
}

/* Symbols found at `gpa`: the image starts at some 2 MiB boundary below, and there its banner lies where they say. */
static struct ksma_error *try_symbols(struct search *search, const struct ksma_tables *symbols,
				      uint64_t gpa)
{
	uint64_t text = symbol_address(symbols, "_text"),
		 banner = symbol_address(symbols, "linux_banner");
	struct ksma_error *error = NULL;

	if (!ksma_symbols_find(&symbols->symbols, "_text") ||
	    !ksma_symbols_find(&symbols->symbols, "linux_banner") ||
	    !ksma_symbols_find(&symbols->symbols, "init_top_pgt") || banner - text > MAX_IMAGE)
		return no_such_symbol("_text, linux_banner or init_top_pgt");
	for (uint64_t base = ksma_align_down(gpa, IMAGE_ALIGN); gpa - base < MAX_IMAGE;
	     base -= IMAGE_ALIGN) {
		char found[sizeof(BANNER) - 1];

		if (ksma_guest_try_read(search->guest, base + (banner - text), found,
					sizeof(found)) &&
		    memcmp(found, BANNER, sizeof(found)) == 0) {
			struct ksma_error *result = try_text(search, symbols, base);

			if (result)
				error = better_error(error, result);
		}
		if (base == 0 || (error && ends_search(error)))
			break;
	}
	return error;
}

/* Looks for kallsyms in one window of physical memory that is readable at `data`. */
static struct ksma_error *search_window(struct search *search, const uint8_t *data, size_t size,
					uint64_t gpa)
{
	size_t position = 0;

	for (unsigned decoys = 0; decoys < MAX_DECOYS; decoys++) {
		_cleanup_(ksma_tables_deinit) struct ksma_tables symbols = { 0 };
		struct ksma_kallsyms found;
		struct ksma_error *error = ksma_kallsyms_locate(data, size, 0, &position, &found);

		if (error && error->code == KSMA_ERROR_NOT_PRESENT) {
			ksma_error_destroy(error);
			return NULL;
		}
		if (!error)
			error = ksma_kallsyms_decode(data, size, &found, &symbols.symbols);
		if (!error)
			error = try_symbols(search, &symbols, gpa + found.start);
		if (error && ends_search(error))
			return error;
		if (error)
			search->kept = better_error(search->kept, error);
	}
	return ksma_error_create(
		KSMA_ERROR_LIMIT,
		"more than %d symbol tables in one piece of guest memory, most of them decoys",
		MAX_DECOYS);
}

static struct ksma_error *search_run(struct search *search, uint64_t gpa, uint64_t length)
{
	_cleanup_free_ uint8_t *copy = NULL;

	for (uint64_t done = 0;;) {
		size_t size = length - done < WINDOW ? length - done : WINDOW;
		const uint8_t *data = ksma_guest_mapped(search->guest, gpa + done, size);

		if (!data) {
			if (!copy && !(copy = malloc(WINDOW)))
				return ksma_error_nomem();
			KSMA_TRY(ksma_guest_read(search->guest, ksma_gpa_of(gpa + done), copy,
						 size));
			data = copy;
		}
		KSMA_TRY(search_window(search, data, size, gpa + done));
		ksma_guest_forget(search->guest, gpa + done, size);
		if (done + size >= length)
			return NULL;
		done += size - WINDOW_OVERLAP;
	}
}

/* Of several complete kernels in memory (a stale one from before a reset, a decoy) only one has a clock that moves. */
static struct ksma_error *pick_running(struct search *search, size_t *ret_index)
{
	uint64_t first[MAX_CANDIDATES] = { 0 }, now;
	size_t moving = 0;

	for (unsigned probe = 0; probe <= CLOCK_PROBES && !moving; probe++) {
		if (probe) {
			usleep(CLOCK_PROBE_MS * 1000);
			KSMA_TRY(ksma_guest_refresh(search->guest));
		}
		for (size_t i = 0; i < search->count; i++) {
			struct ksma_found *f = &search->candidates[i];
			uint64_t at = ksma_image_gpa(
				&f->image, symbol_address(&f->tables, "jiffies_64")
						   ?: symbol_address(&f->tables, "jiffies"));

			if (!ksma_guest_try_read(search->guest, at, &now, sizeof(now)))
				continue;
			if (!probe)
				first[i] = now;
			else if (now != first[i] && (moving++, 1))
				*ret_index = i;
		}
	}
	if (moving == 1)
		return NULL;
	return ksma_error_create(
		KSMA_ERROR_BAD_DATA,
		"%zu kernels in memory, at physical 0x%llx and 0x%llx among others, and %s: registers are needed to tell them apart",
		search->count, (unsigned long long)search->candidates[0].image.gpa,
		(unsigned long long)search->candidates[1].image.gpa,
		moving ? "more than one seems to run" : "none seems to run");
}

static struct ksma_error *find_by_search(struct ksma_guest *guest, const char *cache_dir,
					 struct ksma_found *ret_found)
{
	_cleanup_(search_deinit) struct search search = { .guest = guest, .cache_dir = cache_dir };
	uint64_t gpa = 0, length;
	size_t index = 0;

	while (ksma_guest_next_data(guest, &gpa, &length)) {
		KSMA_TRY(search_run(&search, gpa, length));
		gpa += length;
	}
	if (!search.count) {
		if (search.kept)
			return ksma_error_prefix(TAKE_PTR(search.kept),
						 "no Linux kernel in guest memory");
		return ksma_error_create(
			KSMA_ERROR_NOT_PRESENT,
			"no Linux kernel in guest memory: no kallsyms tables anywhere");
	}
	if (search.count > 1)
		KSMA_TRY(pick_running(&search, &index));
	*ret_found = search.candidates[index];
	search.candidates[index] = (struct ksma_found){ 0 };
	return NULL;
}

struct ksma_error *ksma_find_kernel(struct ksma_guest *guest,
				    const struct ksma_registers *registers, const char *cache_dir,
				    struct ksma_found *ret_found)
{
	if (registers && registers->count)
		return find_by_registers(guest, registers, cache_dir, ret_found);
	return find_by_search(guest, cache_dir, ret_found);
}
