/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is all module code that the kernel holds on its list of modules? Five views that are kept by different code are held against
 * each other, so that a module has to be taken out of every one of them, and out of the page tables, to go unseen. */
#include <inttypes.h>

#include "base/bytes.h"
#include "checks/bounds.h"
#include "checks/check.h"
#include "checks/owners.h"
#include "checks/pages.h"
#include "linux/module_symbols.h"
#include "linux/vmap.h"

enum {
	MAX_SUSPECTS = 256,
	MAX_AREA_PAGES = 1 << 19, /* module memory has 393,216 at most */
	MAX_CODE_PAGES = 1 << 17, /* 512 MiB of code: honest kernels have a tenth of that */
	MAX_TRACKED = 8192,	  /* modules, on the list or not */
	MODULE_ALIGN = 64,	  /* struct module is ____cacheline_aligned */
	NAME_LENGTH = 56,
	INT3 = 0xcc,
	CODE_BYTES = 16,   /* of unowned code, shown as evidence */
	PERSIST_MS = 1500, /* longer than a grace period on a busy machine */
};

/* The views. A bit for each where a module was seen. */
enum view {
	VIEW_LIST = 1 << 0,
	VIEW_SYSFS = 1 << 1,
	VIEW_TREE = 1 << 2,
	VIEW_AREA = 1 << 3,  /* a struct module lies in an area of module memory */
	VIEW_PAGES = 1 << 4, /* executable pages that nobody owns */
};

/* A module, by the address of its struct, as the views saw it. */
struct suspect {
	uint64_t module;
	unsigned views;
};

struct survey {
	struct ksma_look *look;
	struct {
		struct suspect *items;
		size_t count, capacity;
	} suspects;
	const struct ksma_modules *list;
	struct ksma_vmap vmap;
	struct ksma_bounds bounds;
	struct {
		struct ksma_range *items; /* executable, nobody's */
		size_t count, capacity;
	} unowned;
	uint64_t image_code_end;  /* behind it no page of the image may be executable */
	size_t code_pages;	  /* executable pages seen */
	size_t area_pages;	  /* pages of vmalloc areas looked through */
	struct ksma_error *error; /* of a callback */
	bool have_sysfs, have_tree, have_areas;
	bool quiet; /* no module came or went meanwhile */
	bool full;  /* more modules than are kept track of: the walks end */
};

static struct ksma_error *saw(struct survey *s, uint64_t module, enum view view)
{
	struct suspect *suspect;

	for (size_t i = 0; i < s->suspects.count; i++) {
		if (s->suspects.items[i].module == module) {
			s->suspects.items[i].views |= view;
			return NULL;
		}
	}
	if (s->suspects.count == MAX_TRACKED) {
		if (!s->full)
			ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
					  "more than %d modules", MAX_TRACKED);
		s->full = true;
		return NULL;
	}
	KSMA_TRY(KSMA_ARRAY_PUSH(&s->suspects, &suspect));
	suspect->module = module;
	suspect->views = view;
	return NULL;
}

static bool in_module_area(const struct ksma_kernel *kernel, uint64_t gva)
{
	return gva >= kernel->modules_start && gva < kernel->modules_end;
}

/* An entry of module_kset: built-in modules have one too, but theirs lies elsewhere, and so the struct module is known even
 * where its back pointer was cleared. */
static bool take_kobject(void *arg, uint64_t node)
{
	struct survey *s = arg;
	struct ksma_kernel *kernel = s->look->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t kobject =
		node - (uint64_t)off->kobject__entry - (uint64_t)off->module_kobject__kobj;

	if (in_module_area(kernel, kobject))
		s->error = saw(s, kobject - (uint64_t)off->module__mkobj, VIEW_SYSFS);
	return !s->error && !s->full;
}

static struct ksma_error *finish_walk(struct survey *s, struct ksma_error *error, const char *what,
				      bool *ret_have)
{
	if (s->error) {
		ksma_error_destroy(error);
		return TAKE_PTR(s->error);
	}
	if (error && error->code == KSMA_ERROR_NOMEM)
		return error;
	*ret_have = !error;
	ksma_coverage_error(s->look->coverage, KSMA_COVERAGE_PARTIAL, error, what);
	return NULL;
}

static struct ksma_error *view_sysfs(struct survey *s)
{
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_kernel *kernel = s->look->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t at = ksma_kernel_symbol(kernel, "module_kset"), kset;
	struct ksma_error *error;

	if (!at || off->kset__list == KSMA_NO_MEMBER || off->kobject__entry == KSMA_NO_MEMBER ||
	    off->module_kobject__kobj == KSMA_NO_MEMBER || off->module__mkobj == KSMA_NO_MEMBER) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel keeps no modules in sysfs");
		return NULL;
	}
	if (!ksma_kernel_u64(kernel, at, &kset))
		error = ksma_error_fault(at, "module_kset cannot be read");
	else
		error = ksma_kernel_list(kernel, kset + (uint64_t)off->kset__list, &budget,
					 take_kobject, s);
	return finish_walk(s, error, "modules in sysfs", &s->have_sysfs);
}

/* A node of one of the two copies of the tree. */
struct tree_walk {
	struct survey *survey;
	uint64_t node_offset; /* of the rb_node in struct mod_tree_node */
};

static bool take_tree_node(void *arg, uint64_t node)
{
	struct tree_walk *walk = arg;
	struct survey *s = walk->survey;
	const struct ksma_offsets *off = &s->look->kernel->off;
	uint64_t module;

	if (!ksma_kernel_u64(s->look->kernel,
			     node - walk->node_offset + (uint64_t)off->mod_tree_node__mod,
			     &module)) {
		s->error = ksma_error_create(KSMA_ERROR_BAD_DATA,
					     "a node of mod_tree at 0x%" PRIx64 " vanished", node);
		return false;
	}
	s->error = saw(s, module, VIEW_TREE);
	return !s->error && !s->full;
}

/* mod_tree is a latched tree: two red-black trees of the same modules, of which one is whole at any moment. */
static struct ksma_error *view_tree(struct survey *s)
{
	struct ksma_kernel *kernel = s->look->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t tree = ksma_kernel_symbol(kernel, "mod_tree");
	struct ksma_error *error = NULL;

	if (!tree || off->mod_tree_node__mod == KSMA_NO_MEMBER ||
	    off->mod_tree_node__node == KSMA_NO_MEMBER ||
	    off->mod_tree_root__tree == KSMA_NO_MEMBER || !kernel->size.rb_root ||
	    !kernel->size.rb_node) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel has no mod_tree");
		return NULL;
	}
	for (unsigned copy = 0; copy < 2 && !error && !s->error; copy++) {
		struct ksma_budget budget = ksma_budget_default();
		struct tree_walk walk = { s, (uint64_t)off->mod_tree_node__node +
						     copy * kernel->size.rb_node };

		error = ksma_kernel_rbtree(kernel,
					   tree + (uint64_t)off->mod_tree_root__tree +
						   copy * kernel->size.rb_root,
					   &budget, take_tree_node, &walk);
	}
	return finish_walk(s, error, "mod_tree", &s->have_tree);
}

static struct ksma_error *view_list(struct survey *s)
{
	KSMA_TRY(ksma_module_symbols_update(s->look->kernel, s->look->coverage, &s->list));
	for (size_t i = 0; i < s->list->count; i++)
		KSMA_TRY(saw(s, s->list->items[i].address, VIEW_LIST));
	return NULL;
}

/* Fills [gva, gva+size) with what is not a trap: code can only be there. */
static bool only_traps(struct ksma_kernel *kernel, uint64_t page)
{
	uint8_t bytes[KSMA_PAGE_SIZE];

	if (!ksma_kernel_bytes(kernel, page, bytes, sizeof(bytes)))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++)
		if (bytes[i] != INT3)
			return false;
	return true;
}

/* Keeps the pages of an executable range that nobody owns. Free room in a pool of executable memory is filled with int3. */
static struct ksma_error *take_range(struct survey *s, const struct ksma_range *range)
{
	for (uint64_t page = range->gva; page - range->gva < range->size; page += KSMA_PAGE_SIZE) {
		struct ksma_range *last =
			s->unowned.count ? &s->unowned.items[s->unowned.count - 1] : NULL;

		if (s->code_pages++ == MAX_CODE_PAGES) {
			ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
					  "more than %d executable pages of the kernel",
					  MAX_CODE_PAGES);
			return NULL;
		}
		if (ksma_owners_has_page(s->look->owners, page) ||
		    (page >= s->look->kernel->image && page < s->image_code_end) ||
		    only_traps(s->look->kernel, page))
			continue;
		if (last && last->gva + last->size == page) {
			last->size += KSMA_PAGE_SIZE;
			continue;
		}
		KSMA_TRY(KSMA_ARRAY_PUSH(&s->unowned, &last));
		*last = (struct ksma_range){ page, range->gpa + (page - range->gva), KSMA_PAGE_SIZE,
					     range->flags };
	}
	return NULL;
}

static struct ksma_error *view_pages(struct survey *s)
{
	const struct ksma_pages *pages;

	KSMA_TRY(ksma_look_pages(s->look, &pages));
	for (size_t i = 0; i < pages->executable.count && s->code_pages <= MAX_CODE_PAGES; i++)
		KSMA_TRY(take_range(s, &pages->executable.items[i]));
	return NULL;
}

static bool is_name(const char *name)
{
	size_t length = strnlen(name, NAME_LENGTH);

	if (length == 0 || length == NAME_LENGTH)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!(name[i] >= '0' && name[i] <= '9') && !(name[i] >= 'a' && name[i] <= 'z') &&
		    !(name[i] >= 'A' && name[i] <= 'Z') && name[i] != '_' && name[i] != '-')
			return false;
	return true;
}

/* A struct module says where its code is; that must be executable and begin an area of module memory. List pointers, the state
 * and mkobj are what a rootkit forges, so nothing is judged by them. */
static bool is_module(struct survey *s, uint64_t address)
{
	struct ksma_kernel *kernel = s->look->kernel;
	struct ksma_module module;
	struct ksma_error *error;
	char name[NAME_LENGTH];

	if (kernel->off.module__name == KSMA_NO_MEMBER ||
	    !ksma_kernel_bytes(kernel, address + (uint64_t)kernel->off.module__name, name,
			       sizeof(name)) ||
	    !is_name(name))
		return false;
	error = ksma_module_read(kernel, address, &module);
	if (error) {
		ksma_error_destroy(error);
		return false;
	}
	for (size_t i = 0; i < module.memory_count; i++) {
		uint64_t flags = 0;
		ksma_gpa gpa;

		if (!module.memory[i].text || !in_module_area(kernel, module.memory[i].base) ||
		    (module.memory[i].base & 0xfff))
			continue;
		error = ksma_space_translate(&kernel->space, ksma_gva_of(module.memory[i].base),
					     &gpa, &flags, NULL);
		if (error)
			ksma_error_destroy(error);
		else if (!(flags & KSMA_PTE_NX))
			return true;
	}
	return false;
}

static bool on_list(const struct survey *s, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < s->list->count; i++)
		for (size_t j = 0; j < s->list->items[i].memory_count; j++) {
			const struct ksma_module_memory *memory = &s->list->items[i].memory[j];

			/* Not by its size, which it says itself. */
			if (memory->size && memory->base >= start && memory->base < end)
				return true;
		}
	return false;
}

/* Looks through one area that no listed module uses for a struct module. */
static struct ksma_error *scan_area(struct survey *s, uint64_t start, uint64_t end)
{
	uint8_t page[KSMA_PAGE_SIZE];

	for (uint64_t gva = start; gva < end && !s->full; gva += KSMA_PAGE_SIZE) {
		if (s->area_pages == MAX_AREA_PAGES) {
			ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
					  "the areas of module memory have more than %d pages",
					  MAX_AREA_PAGES);
			return NULL;
		}
		s->area_pages++;
		if (!ksma_kernel_bytes(s->look->kernel, gva, page, sizeof(page)))
			continue; /* the guard page */
		for (size_t i = 0; i < sizeof(page); i += MODULE_ALIGN)
			if (is_module(s, gva + i))
				KSMA_TRY(saw(s, gva + i, VIEW_AREA));
	}
	return NULL;
}

/* What of an area is module memory: a record that says more was tampered with, or is torn. */
static struct ksma_error *scan_within(struct survey *s, const struct ksma_vmap_area *area)
{
	const struct ksma_kernel *kernel = s->look->kernel;
	uint64_t start = area->start > kernel->modules_start
				 ? ksma_align_down(area->start, KSMA_PAGE_SIZE)
				 : kernel->modules_start;
	uint64_t end = area->end < kernel->modules_end ? area->end : kernel->modules_end;

	if (area->start < kernel->modules_start || area->end > kernel->modules_end)
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "a vmalloc area reaches out of module memory");
	return scan_area(s, start, end);
}

static struct ksma_error *view_areas(struct survey *s)
{
	struct ksma_kernel *kernel = s->look->kernel;
	struct ksma_error *error =
		ksma_linux_vmap(kernel, kernel->modules_start, kernel->modules_end, &s->vmap);

	if (error && error->code == KSMA_ERROR_NOMEM)
		return error;
	s->have_areas = !error;
	ksma_coverage_error(s->look->coverage, KSMA_COVERAGE_PARTIAL, error, "vmalloc areas");
	KSMA_TRY(ksma_bounds_init(kernel, &s->vmap, s->look->coverage, &s->bounds));
	for (size_t i = 0; i < s->vmap.count; i++) {
		const struct ksma_vmap_area *area = &s->vmap.items[i];

		if (!on_list(s, area->start, area->end) &&
		    !ksma_owners_find(s->look->owners, area->start))
			KSMA_TRY(scan_within(s, area));
	}
	return NULL;
}

static const char *view_names(unsigned views, char *buffer, size_t size)
{
	static const char *const names[] = { "list", "sysfs", "mod_tree", "vmalloc areas",
					     "executable pages" };

	return ksma_finding_names(views, names, ARRAY_SIZE(names), buffer, size);
}

static struct ksma_error *add_views(struct survey *s, struct ksma_finding *finding, unsigned views)
{
	unsigned looked =
		VIEW_LIST | (s->have_sysfs ? VIEW_SYSFS : 0) | (s->have_tree ? VIEW_TREE : 0);
	char names[128];

	KSMA_TRY(ksma_finding_text(finding, "seen_in", "%s",
				   view_names(views, names, sizeof(names))));
	return ksma_finding_text(finding, "missing_from", "%s",
				 view_names(looked & ~views, names, sizeof(names)));
}

/* Unowned code that lies in the text of a module that another view saw belongs to that finding. */
static bool claim_pages(struct survey *s, const struct ksma_module *module)
{
	bool claimed = false;

	for (size_t i = 0; i < s->unowned.count; i++)
		for (size_t j = 0; j < module->memory_count; j++) {
			uint64_t base = module->memory[j].base,
				 end = base + ksma_align_up(module->memory[j].size, KSMA_PAGE_SIZE);

			if (s->unowned.items[i].size && s->unowned.items[i].gva >= base &&
			    s->unowned.items[i].gva < end) {
				s->unowned.items[i].size = 0;
				claimed = true;
			}
		}
	return claimed;
}

static struct ksma_error *report_hidden(struct survey *s, const struct suspect *suspect)
{
	struct ksma_module module = { .address = suspect->module };
	unsigned views = suspect->views;
	struct ksma_finding *finding;
	char name[64];

	ksma_error_destroy(ksma_module_read(s->look->kernel, suspect->module, &module));
	if (claim_pages(s, &module))
		views |= VIEW_PAGES;
	if (is_name(module.name))
		snprintf(name, sizeof(name), "%s", module.name);
	else
		snprintf(name, sizeof(name), "0x%" PRIx64, suspect->module);
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "hidden/%s", name));
	/* load_module() lays a module out before it takes the lock and lists it, free_module() lets go of the lock before the memory: the
	 * module is unformed meanwhile. */
	finding->persist_ms = s->quiet && strcmp(module.state, "unformed") != 0 ? 0 : PERSIST_MS;
	finding->living = true;
	KSMA_TRY(ksma_finding_title(
		finding, "module %s is loaded but not on the kernel's list of modules", name));
	KSMA_TRY(ksma_finding_text(finding, "module", "%s", name));
	KSMA_TRY(ksma_finding_text(finding, "address", "0x%016" PRIx64, suspect->module));
	KSMA_TRY(ksma_finding_text(finding, "state", "%s", module.state));
	if (module.base)
		KSMA_TRY(ksma_finding_text(finding, "base", "0x%016" PRIx64, module.base));
	KSMA_TRY(ksma_finding_number(finding, "size", module.size));
	return add_views(s, finding, views);
}

static const struct ksma_module *listed(const struct survey *s, uint64_t address)
{
	for (size_t i = 0; i < s->list->count; i++)
		if (s->list->items[i].address == address)
			return &s->list->items[i];
	return NULL;
}

/* A live module that is missing from a view which every live module is in. */
static struct ksma_error *report_missing(struct survey *s, const struct suspect *suspect,
					 const struct ksma_module *module)
{
	unsigned missing = (s->have_sysfs ? VIEW_SYSFS : 0) | (s->have_tree ? VIEW_TREE : 0);
	struct ksma_finding *finding;

	missing &= ~suspect->views;
	if (!missing || strcmp(module->state, "live") != 0)
		return NULL;
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_HIGH, &finding, "unlinked/%s",
				  module->name));
	finding->persist_ms = s->quiet ? 0 : PERSIST_MS;
	finding->living = true;
	KSMA_TRY(ksma_finding_title(
		finding, "module %s was taken out of part of the kernel's records", module->name));
	KSMA_TRY(ksma_finding_text(finding, "module", "%s", module->name));
	KSMA_TRY(ksma_finding_text(finding, "address", "0x%016" PRIx64, module->address));
	return add_views(s, finding, suspect->views);
}

/* Code is mapped executable when a module leaves that state, so a module that still says it is not is lying. */
static struct ksma_error *report_state(struct survey *s, const struct ksma_module *module)
{
	struct ksma_finding *finding;

	if (strcmp(module->state, "unformed") != 0 || !is_module(s, module->address))
		return NULL;
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_HIGH, &finding, "state/%s", module->name));
	finding->persist_ms = PERSIST_MS;
	finding->living = true;
	KSMA_TRY(ksma_finding_title(
		finding, "module %s says that it is not loaded yet, and its code is executable",
		module->name));
	KSMA_TRY(ksma_finding_text(finding, "module", "%s", module->name));
	return ksma_finding_text(finding, "address", "0x%016" PRIx64, module->address);
}

/* Code is laid out in memory that was asked for it, so that it never says to have more than that. */
static struct ksma_error *report_size(struct survey *s, const struct ksma_module *module)
{
	struct ksma_finding *finding;
	uint64_t end;

	for (size_t i = 0; s->have_areas && i < module->memory_count; i++) {
		const struct ksma_module_memory *memory = &module->memory[i];

		if (!memory->text || !memory->size ||
		    ksma_bounds_clip(&s->bounds, memory->base, memory->size, &end))
			continue;
		KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_HIGH, &finding, "size/%s",
					  module->name));
		finding->persist_ms = s->quiet ? 0 : PERSIST_MS;
		KSMA_TRY(ksma_finding_title(
			finding, "module %s claims code that it was never given", module->name));
		KSMA_TRY(ksma_finding_text(finding, "module", "%s", module->name));
		KSMA_TRY(ksma_finding_text(finding, "address", "0x%016" PRIx64, module->address));
		KSMA_TRY(ksma_finding_text(finding, "base", "0x%016" PRIx64, memory->base));
		KSMA_TRY(ksma_finding_number(finding, "size", memory->size));
		return ksma_finding_number(finding, "given", end - memory->base);
	}
	return NULL;
}

static struct ksma_error *report_unowned(struct survey *s, const struct ksma_range *range)
{
	const struct ksma_vmap_area *area = ksma_vmap_find(&s->vmap, range->gva);
	struct ksma_finding *finding;
	uint8_t code[CODE_BYTES];
	char hex[2 * CODE_BYTES + 1] = "";

	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "unowned/0x%" PRIx64,
				  range->gva));
	/* Init code of a module, slots of probes and the like are freed a grace period after the kernel forgot them. */
	if (area && ksma_kernel_is_text(s->look->kernel, area->caller))
		finding->persist_ms = PERSIST_MS;
	finding->living = true;
	KSMA_TRY(ksma_finding_title(
		finding,
		"executable kernel memory that belongs to no module and no part of the kernel"));
	KSMA_TRY(ksma_finding_text(finding, "address", "0x%016" PRIx64, range->gva));
	KSMA_TRY(ksma_finding_number(finding, "size", range->size));
	KSMA_TRY(ksma_finding_text(finding, "frame", "0x%" PRIx64, range->gpa));
	KSMA_TRY(ksma_finding_text(finding, "writable", "%s",
				   range->flags & KSMA_PTE_W ? "yes" : "no"));
	if (ksma_kernel_bytes(s->look->kernel, range->gva, code, sizeof(code))) {
		for (size_t i = 0; i < sizeof(code); i++)
			snprintf(hex + 2 * i, 3, "%02x", code[i]);
		KSMA_TRY(ksma_finding_text(finding, "bytes", "%s", hex));
	}
	if (area && area->caller)
		return ksma_finding_code(s->look, finding, "allocated_by", area->caller);
	return NULL;
}

/* While a module comes or goes the views differ honestly: free_module() keeps its code mapped for a grace period after it left the
 * list, with module_mutex held. */
static bool is_quiet(const struct survey *s)
{
	uint64_t mutex = ksma_kernel_symbol(s->look->kernel, "module_mutex"), owner;

	return mutex && s->look->kernel->off.mutex__owner != KSMA_NO_MEMBER &&
	       ksma_kernel_u64(s->look->kernel, mutex + (uint64_t)s->look->kernel->off.mutex__owner,
			       &owner) &&
	       (owner & ~7ull) == 0;
}

static struct ksma_error *report(struct survey *s)
{
	for (size_t i = 0; i < s->suspects.count; i++) {
		const struct suspect *suspect = &s->suspects.items[i];
		const struct ksma_module *module = listed(s, suspect->module);

		if (i == MAX_SUSPECTS + s->list->count) {
			ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
					  "more than %d hidden modules", MAX_SUSPECTS);
			break;
		}
		if (!(suspect->views & VIEW_LIST))
			KSMA_TRY(report_hidden(s, suspect));
		else if (module)
			KSMA_TRY(report_missing(s, suspect, module)
					 ?: report_state(s, module)
						    ?: report_size(s, module));
	}
	for (size_t i = 0; i < s->unowned.count; i++)
		if (s->unowned.items[i].size)
			KSMA_TRY(report_unowned(s, &s->unowned.items[i]));
	return NULL;
}

static struct ksma_error *survey(struct survey *s)
{
	s->quiet = is_quiet(s);
	s->image_code_end = ksma_owners_image_code_end(s->look->kernel);
	KSMA_TRY(view_list(s));
	KSMA_TRY(view_sysfs(s));
	KSMA_TRY(view_tree(s));
	KSMA_TRY(view_areas(s));
	KSMA_TRY(view_pages(s));
	s->quiet &= is_quiet(s);
	return report(s);
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look };
	struct ksma_coverage owners = { .state = look->owners->coverage.state };
	struct ksma_error *error;

	if (look->owners->coverage.reason)
		ksma_coverage_gap(&owners, look->owners->coverage.state, "%s",
				  look->owners->coverage.reason);
	ksma_coverage_merge(look->coverage, &owners);
	error = survey(&s);
	ksma_vmap_free(&s.vmap);
	ksma_bounds_deinit(&s.bounds);
	free(s.suspects.items);
	free(s.unowned.items);
	return error;
}

const struct ksma_check ksma_check_modules = {
	.info = {
		.name = "modules",
		.title = "Hidden modules and code that belongs to nobody",
		.attack = "T1547.006",
		.needs = "memory",
		.structures = "modules, module_kset, mod_tree, vmap_area_root or vmap_nodes, execmem_cache, the page tables; owners of code: bpf_kallsyms, pack_list, "
			      "ftrace_ops_list, kprobe_insn_slots",
		.why = "A rootkit takes its module off the list, and out of sysfs, so that lsmod and rmmod do not see it; the most careful ones leave "
		       "no module at all, only code.",
		.cost = "0.6 ms",
		.false_alarms = "A module that is being loaded or unloaded is in some views and not in others, and the code of its start is freed a "
				"grace period after it ran: such signs count only when they stay. Pools of executable memory hold int3 where "
				"nothing lies.",
		.todo = "Its memory can be read from here (ksma read VM BASE SIZE --raw) and looked at; from inside it cannot be "
			"unloaded.",
	},
	.run = run,
};
