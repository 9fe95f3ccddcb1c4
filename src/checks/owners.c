/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Gathers who owns the code of a kernel, from the records that the kernel itself keeps of every piece of code that it made or loaded. */
#include "checks/owners.h"

#include "base/bytes.h"
#include "checks/bounds.h"
#include "linux/module_symbols.h"
#include "linux/processes.h"
#include "linux/vmap.h"

enum {
	MAX_TRAMPOLINE = 1 << 20,
	MAX_ITS_PAGES = 4096,
	PACK_SIZE = 2 << 20,
	MAX_REALMODE = 1 << 20,
	BOOT_PAGE = 2 << 20,
	MAX_LIST = 1 << 16
};

struct gather {
	struct ksma_kernel *kernel;
	struct ksma_owners *owners;
	struct ksma_vmap vmap;
	struct ksma_bounds bounds;
	bool have_vmap;
	struct ksma_error *error; /* of a callback */
};

void ksma_owners_deinit(struct ksma_owners *owners)
{
	free(owners->exact.items);
	free(owners->areas.items);
	ksma_coverage_deinit(&owners->coverage);
	*owners = (struct ksma_owners){ 0 };
}

const char *ksma_owner_kind_name(enum ksma_owner_kind kind)
{
	static const char *const names[] = {
		[KSMA_OWNER_KERNEL] = "kernel",
		[KSMA_OWNER_MODULE] = "module",
		[KSMA_OWNER_BPF] = "bpf",
		[KSMA_OWNER_BPF_PACK] = "bpf pack",
		[KSMA_OWNER_FTRACE] = "ftrace",
		[KSMA_OWNER_KPROBE] = "kprobe",
		[KSMA_OWNER_REALMODE] = "real mode",
		[KSMA_OWNER_ITS] = "its thunks",
	};

	return (size_t)kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}

static struct ksma_error *add(struct ksma_owner_list *list, uint64_t start, uint64_t end,
			      enum ksma_owner_kind kind, const char *name)
{
	struct ksma_owner *owner;

	KSMA_TRY(KSMA_ARRAY_PUSH(list, &owner));
	owner->start = start;
	owner->end = end;
	owner->kind = kind;
	snprintf(owner->name, sizeof(owner->name), "%s", name);
	return NULL;
}

/* The count begins 300 s before it needs more than 32 bits (INITIAL_JIFFIES, include/linux/jiffies.h), at no more than 1000 Hz. */
enum { YOUNG_TICKS = 300 * 1000 };

bool ksma_owners_is_booting(struct ksma_kernel *kernel)
{
	uint64_t state_at = ksma_kernel_symbol(kernel, "system_state");
	uint64_t ticks_at = ksma_kernel_symbol(kernel, "jiffies_64"), ticks;
	uint32_t state;

	if (!state_at || !ksma_kernel_u32(kernel, state_at, &state) ||
	    kernel->enums.SYSTEM_RUNNING == KSMA_NO_MEMBER ||
	    state >= (uint32_t)kernel->enums.SYSTEM_RUNNING)
		return false;
	/* Who writes into a kernel that runs that it boots gains nothing. */
	return ticks_at && ksma_kernel_u64(kernel, ticks_at, &ticks) &&
	       ticks < (1ull << 32) + YOUNG_TICKS && ksma_init_is_to_come(kernel);
}

uint64_t ksma_owners_image_code_end(struct ksma_kernel *kernel)
{
	/* The first page tables map whole pages of 2 MiB, all of them executable. */
	if (ksma_owners_is_booting(kernel))
		return ksma_align_up(kernel->image_end, BOOT_PAGE);
	return ksma_align_up(kernel->etext, KSMA_PAGE_SIZE);
}

static struct ksma_error *add_kernel(struct gather *g)
{
	struct ksma_kernel *kernel = g->kernel;
	uint64_t init = ksma_kernel_symbol(kernel, "_sinittext"),
		 init_end = ksma_kernel_symbol(kernel, "_einittext");

	KSMA_TRY(add(&g->owners->exact, kernel->text, kernel->etext, KSMA_OWNER_KERNEL, "text"));
	if (init && init_end > init && ksma_owners_is_booting(kernel))
		return add(&g->owners->exact, init, init_end, KSMA_OWNER_KERNEL, "init text");
	return NULL;
}

/* Pages of thunks that a module's own code was given: struct its_array where it has one, two members of struct module where not
 * (872df34d7c51 "x86/its: Use dynamic thunks for indirect branches", and its backports). */
static struct ksma_error *add_its_pages(struct gather *g, uint64_t pages_at, uint64_t count_at,
					const char *name)
{
	uint64_t pages, page;
	uint32_t count;

	if (!ksma_kernel_u64(g->kernel, pages_at, &pages) ||
	    !ksma_kernel_u32(g->kernel, count_at, &count) || count > MAX_ITS_PAGES) {
		ksma_coverage_gap(&g->owners->coverage, KSMA_COVERAGE_PARTIAL,
				  "the ITS thunks of %s cannot be read", name);
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++)
		if (ksma_kernel_u64(g->kernel, pages + 8ul * i, &page))
			KSMA_TRY(add(&g->owners->areas, page, page + KSMA_PAGE_SIZE, KSMA_OWNER_ITS,
				     name));
	return NULL;
}

static struct ksma_error *add_module_its(struct gather *g, const struct ksma_module *module)
{
	const struct ksma_offsets *off = &g->kernel->off;
	uint64_t array;

	if (off->module__its_page_array != KSMA_NO_MEMBER &&
	    off->module__its_num_pages != KSMA_NO_MEMBER)
		return add_its_pages(g, module->address + (uint64_t)off->module__its_page_array,
				     module->address + (uint64_t)off->module__its_num_pages,
				     module->name);
	if (off->module__arch_its_pages == KSMA_NO_MEMBER ||
	    off->its_array__pages == KSMA_NO_MEMBER || off->its_array__num == KSMA_NO_MEMBER)
		return NULL;
	array = module->address + (uint64_t)off->module__arch_its_pages;
	return add_its_pages(g, array + (uint64_t)off->its_array__pages,
			     array + (uint64_t)off->its_array__num, module->name);
}

/* A module owns what it was given, whatever it says of its size. */
static struct ksma_error *add_module_text(struct gather *g, const struct ksma_module *module)
{
	for (size_t i = 0; i < module->memory_count; i++) {
		const struct ksma_module_memory *memory = &module->memory[i];
		uint64_t end = ksma_align_up(memory->base + memory->size, KSMA_PAGE_SIZE);

		if (!memory->text || !memory->size)
			continue;
		if (g->have_vmap)
			ksma_bounds_clip(&g->bounds, memory->base, end - memory->base, &end);
		if (end > memory->base)
			KSMA_TRY(add(&g->owners->exact, memory->base, end, KSMA_OWNER_MODULE,
				     module->name));
	}
	return NULL;
}

static struct ksma_error *add_modules(struct gather *g, const struct ksma_modules *modules)
{
	const struct ksma_offsets *off = &g->kernel->off;
	uint64_t its = ksma_kernel_symbol(g->kernel, "its_pages");

	for (size_t i = 0; i < modules->count; i++) {
		const struct ksma_module *module = &modules->items[i];

		KSMA_TRY(add_module_text(g, module));
		KSMA_TRY(add_module_its(g, module));
	}
	if (its && off->its_array__pages != KSMA_NO_MEMBER && off->its_array__num != KSMA_NO_MEMBER)
		return add_its_pages(g, its + (uint64_t)off->its_array__pages,
				     its + (uint64_t)off->its_array__num, "the kernel");
	return NULL;
}

static bool take_ksym(void *arg, uint64_t node)
{
	struct gather *g = arg;
	const struct ksma_offsets *off = &g->kernel->off;
	uint64_t ksym = node - (uint64_t)off->bpf_ksym__lnode, start, end;
	char name[64];

	if (!ksma_kernel_u64(g->kernel, ksym + (uint64_t)off->bpf_ksym__start, &start) ||
	    !ksma_kernel_u64(g->kernel, ksym + (uint64_t)off->bpf_ksym__end, &end) ||
	    !ksma_kernel_string(g->kernel, ksym + (uint64_t)off->bpf_ksym__name, name,
				sizeof(name)) ||
	    end <= start) {
		ksma_coverage_gap(&g->owners->coverage, KSMA_COVERAGE_PARTIAL,
				  "a BPF symbol at 0x%llx cannot be read",
				  (unsigned long long)ksym);
		return true;
	}
	g->error = add(&g->owners->exact, start, end, KSMA_OWNER_BPF, name);
	return !g->error;
}

static bool take_pack(void *arg, uint64_t node)
{
	struct gather *g = arg;
	const struct ksma_offsets *off = &g->kernel->off;
	const struct ksma_vmap_area *area;
	uint64_t start, size = PACK_SIZE;

	if (!ksma_kernel_u64(g->kernel,
			     node - (uint64_t)off->bpf_prog_pack__list +
				     (uint64_t)off->bpf_prog_pack__ptr,
			     &start)) {
		ksma_coverage_gap(&g->owners->coverage, KSMA_COVERAGE_PARTIAL,
				  "a pack of BPF code cannot be read");
		return true;
	}
	/* BPF_PROG_PACK_SIZE depends on the machine; the allocation says it. */
	area = ksma_vmap_find(&g->vmap, start);
	if (area && area->end - start < size)
		size = area->end - start;
	g->error = add(&g->owners->areas, start, start + size, KSMA_OWNER_BPF_PACK, "programs");
	return !g->error;
}

static bool take_trampoline(struct gather *g, uint64_t ops)
{
	const struct ksma_offsets *off = &g->kernel->off;
	uint64_t start, size;

	if (!ksma_kernel_u64(g->kernel, ops + (uint64_t)off->ftrace_ops__trampoline, &start) ||
	    !ksma_kernel_u64(g->kernel, ops + (uint64_t)off->ftrace_ops__trampoline_size, &size)) {
		ksma_coverage_gap(&g->owners->coverage, KSMA_COVERAGE_PARTIAL,
				  "an ftrace user at 0x%llx cannot be read",
				  (unsigned long long)ops);
		return true;
	}
	/* ftrace_caller itself lies in the kernel, which owns it already. */
	if (!start || ksma_kernel_is_text(g->kernel, start) || size == 0 || size > MAX_TRAMPOLINE)
		return true;
	g->error = add(&g->owners->areas, start, ksma_align_up(start + size, KSMA_PAGE_SIZE),
		       KSMA_OWNER_FTRACE, "trampoline");
	return !g->error;
}

static bool take_listed_ops(void *arg, uint64_t node)
{
	struct gather *g = arg;

	return take_trampoline(g, node - (uint64_t)g->kernel->off.ftrace_ops__list);
}

static bool take_slot_page(void *arg, uint64_t node)
{
	struct gather *g = arg;
	const struct ksma_offsets *off = &g->kernel->off;
	uint64_t page;

	if (!ksma_kernel_u64(g->kernel,
			     node - (uint64_t)off->kprobe_insn_page__list +
				     (uint64_t)off->kprobe_insn_page__insns,
			     &page)) {
		ksma_coverage_gap(&g->owners->coverage, KSMA_COVERAGE_PARTIAL,
				  "a page of kprobe slots cannot be read");
		return true;
	}
	g->error = add(&g->owners->areas, page, page + KSMA_PAGE_SIZE, KSMA_OWNER_KPROBE, "slots");
	return !g->error;
}

/* Walks one of the kernel's lists of code. A kernel that has no such list has no such code. */
static struct ksma_error *walk_list(struct gather *g, uint64_t head, bool known, ksma_list_fn fn,
				    const char *what)
{
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_error *error;

	if (!head)
		return NULL;
	if (!known) {
		ksma_coverage_gap(&g->owners->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel's types do not say how %s is made", what);
		return NULL;
	}
	error = ksma_kernel_list(g->kernel, head, &budget, fn, g);
	if (g->error) {
		ksma_error_destroy(error);
		return TAKE_PTR(g->error);
	}
	if (error && error->code == KSMA_ERROR_NOMEM)
		return error;
	ksma_coverage_error(&g->owners->coverage, KSMA_COVERAGE_PARTIAL, error, what);
	return NULL;
}

static struct ksma_error *add_lists(struct gather *g)
{
	static const char *const slots[] = { "kprobe_insn_slots", "kprobe_optinsn_slots" };
	struct ksma_kernel *kernel = g->kernel;
	const struct ksma_offsets *off = &kernel->off;

	KSMA_TRY(walk_list(g, ksma_kernel_symbol(kernel, "bpf_kallsyms"),
			   off->bpf_ksym__lnode != KSMA_NO_MEMBER &&
				   off->bpf_ksym__start != KSMA_NO_MEMBER &&
				   off->bpf_ksym__end != KSMA_NO_MEMBER &&
				   off->bpf_ksym__name != KSMA_NO_MEMBER,
			   take_ksym, "bpf_kallsyms"));
	KSMA_TRY(walk_list(g, ksma_kernel_symbol(kernel, "pack_list"),
			   off->bpf_prog_pack__list != KSMA_NO_MEMBER &&
				   off->bpf_prog_pack__ptr != KSMA_NO_MEMBER,
			   take_pack, "pack_list"));
	KSMA_TRY(walk_list(g, ksma_kernel_symbol(kernel, "ftrace_ops_trampoline_list"),
			   off->ftrace_ops__list != KSMA_NO_MEMBER &&
				   off->ftrace_ops__trampoline != KSMA_NO_MEMBER,
			   take_listed_ops, "ftrace_ops_trampoline_list"));
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		uint64_t cache = ksma_kernel_symbol(kernel, slots[i]);

		if (cache && off->kprobe_insn_cache__pages != KSMA_NO_MEMBER)
			KSMA_TRY(walk_list(g, cache + (uint64_t)off->kprobe_insn_cache__pages,
					   off->kprobe_insn_page__list != KSMA_NO_MEMBER &&
						   off->kprobe_insn_page__insns != KSMA_NO_MEMBER,
					   take_slot_page, slots[i]));
	}
	return NULL;
}

/* ftrace_ops_list is singly linked and ends at ftrace_list_end. */
static struct ksma_error *add_ftrace_ops(struct gather *g)
{
	uint64_t head = ksma_kernel_symbol(g->kernel, "ftrace_ops_list"),
		 end = ksma_kernel_symbol(g->kernel, "ftrace_list_end"), ops;

	if (!head || !end || g->kernel->off.ftrace_ops__next == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(g->kernel, head, &ops))
		return NULL;
	for (unsigned i = 0; ops != end && ops; i++) {
		if (i == MAX_LIST)
			return ksma_budget_error("ftrace_ops_list");
		if (!take_trampoline(g, ops))
			return TAKE_PTR(g->error);
		if (!ksma_kernel_u64(g->kernel, ops + (uint64_t)g->kernel->off.ftrace_ops__next,
				     &ops)) {
			ksma_coverage_gap(&g->owners->coverage, KSMA_COVERAGE_PARTIAL,
					  "ftrace_ops_list leads out of memory");
			return NULL;
		}
	}
	return NULL;
}

/* The trampoline that brings up processors stays executable in the direct map (arch/x86/realmode/init.c). */
static struct ksma_error *add_realmode(struct gather *g)
{
	const struct ksma_offsets *off = &g->kernel->off;
	uint64_t at = ksma_kernel_symbol(g->kernel, "real_mode_header"), header;
	uint32_t start, end;

	if (!at || !ksma_kernel_u64(g->kernel, at, &header) || !header ||
	    off->real_mode_header__text_start == KSMA_NO_MEMBER ||
	    off->real_mode_header__ro_end == KSMA_NO_MEMBER ||
	    !ksma_kernel_u32(g->kernel, header + (uint64_t)off->real_mode_header__text_start,
			     &start) ||
	    !ksma_kernel_u32(g->kernel, header + (uint64_t)off->real_mode_header__ro_end, &end) ||
	    end <= start || end - start > MAX_REALMODE || end > MAX_REALMODE)
		return NULL;
	return add(&g->owners->areas, g->kernel->page_offset + start,
		   ksma_align_up(g->kernel->page_offset + end, KSMA_PAGE_SIZE), KSMA_OWNER_REALMODE,
		   "trampoline");
}

/* Before there were packs, a program was an allocation of its own, and those of unprivileged users have no symbol. */
static struct ksma_error *add_bpf_areas(struct gather *g)
{
	static const char prefix[] = "bpf_jit_";

	for (size_t i = 0; i < g->vmap.count; i++) {
		const struct ksma_vmap_area *area = &g->vmap.items[i];
		const struct ksma_symbol *symbol =
			area->caller ? ksma_symbols_at(&g->kernel->symbols, area->caller) : NULL;

		if (symbol && ksma_kernel_is_text(g->kernel, area->caller) &&
		    strncmp(ksma_symbol_name(&g->kernel->symbols, symbol), prefix,
			    sizeof(prefix) - 1) == 0)
			KSMA_TRY(add(&g->owners->areas, area->start, area->end, KSMA_OWNER_BPF_PACK,
				     "a program"));
	}
	return NULL;
}

static int by_start(const void *a, const void *b)
{
	const struct ksma_owner *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void sort(struct ksma_owner_list *list)
{
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), by_start);
}

static struct ksma_error *gather_all(struct gather *g)
{
	const struct ksma_modules *modules;
	struct ksma_error *error;

	/* The list before the areas: a module that goes meanwhile has no area then, and is not on the next list. */
	KSMA_TRY(ksma_module_symbols_update(g->kernel, &g->owners->coverage, &modules));
	error = ksma_linux_vmap(g->kernel, g->kernel->modules_start, g->kernel->modules_end,
				&g->vmap);
	if (error && error->code == KSMA_ERROR_NOMEM)
		return error;
	g->have_vmap = !error;
	ksma_coverage_error(&g->owners->coverage, KSMA_COVERAGE_PARTIAL, error, "vmalloc areas");
	KSMA_TRY(ksma_bounds_init(g->kernel, &g->vmap, &g->owners->coverage, &g->bounds));
	KSMA_TRY(add_kernel(g));
	KSMA_TRY(add_modules(g, modules));
	KSMA_TRY(add_lists(g));
	KSMA_TRY(add_ftrace_ops(g));
	KSMA_TRY(add_realmode(g));
	KSMA_TRY(add_bpf_areas(g));
	sort(&g->owners->exact);
	sort(&g->owners->areas);
	return NULL;
}

struct ksma_error *ksma_owners_init(struct ksma_kernel *kernel, struct ksma_owners *ret_owners)
{
	struct ksma_owners owners = { 0 };
	struct gather g = { .kernel = kernel, .owners = &owners };
	struct ksma_error *error = gather_all(&g);

	ksma_vmap_free(&g.vmap);
	ksma_bounds_deinit(&g.bounds);
	if (error) {
		ksma_owners_deinit(&owners);
		return error;
	}
	*ret_owners = owners;
	return NULL;
}

/* The last entry of a list that starts at or below `gva`. */
static size_t last_below(const struct ksma_owner_list *list, uint64_t gva)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->items[middle].start <= gva)
			low = middle + 1;
		else
			high = middle;
	}
	return low; /* one past it */
}

static const struct ksma_owner *find_in(const struct ksma_owner_list *list, uint64_t gva)
{
	size_t at = last_below(list, gva);

	return at && gva < list->items[at - 1].end ? &list->items[at - 1] : NULL;
}

const struct ksma_owner *ksma_owners_find(const struct ksma_owners *owners, uint64_t gva)
{
	return find_in(&owners->exact, gva) ?: find_in(&owners->areas, gva);
}

static bool touches_page(const struct ksma_owner_list *list, uint64_t page)
{
	size_t at = last_below(list, page + KSMA_PAGE_SIZE - 1);

	return at && list->items[at - 1].end > page;
}

bool ksma_owners_has_page(const struct ksma_owners *owners, uint64_t gva)
{
	return touches_page(&owners->exact, gva) || touches_page(&owners->areas, gva);
}

bool ksma_owners_is_function(struct ksma_kernel *kernel, const struct ksma_owners *owners,
			     uint64_t gva)
{
	const struct ksma_owner *owner = ksma_owners_find(owners, gva);
	const struct ksma_symbol *symbol;

	if (!owner)
		return false;
	if (owner->kind == KSMA_OWNER_MODULE)
		return ksma_module_function_start(kernel, gva) == KSMA_FUNCTION_START;
	if (owner->kind != KSMA_OWNER_KERNEL)
		return owner->kind == KSMA_OWNER_BPF && gva == owner->start;
	symbol = ksma_symbols_at(&kernel->symbols, gva);
	return symbol && ksma_symbol_address(&kernel->symbols, symbol) == gva;
}
