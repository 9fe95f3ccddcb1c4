/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables of operations are constants, whatever their type and whoever uses them. So one pass over all constants finds a replaced
 * pointer in any of them, as long as it leads to code that the owner of the constant cannot have known when it was linked. */
#include "checks/constants.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "checks/owners.h"
#include "checks/pages.h"
#include "linux/module_symbols.h"

#define PARAMETER "__param_"
#define KERNEL_HALF_L5 0xff00000000000000ull

enum {
	CHUNK = 64 << 10,
	MAX_FINDINGS = 64,
	MAX_DEPENDENCIES = 256,
	MAX_CHUNKS = 16384 /* 1 GiB */
};

/* A piece of read-only memory, and whose it is. */
struct constants {
	struct ksma_look *look;
	const struct ksma_pages *pages;
	uint64_t image_code_end;	  /* behind it no page of the image may be executable */
	const struct ksma_module *module; /* NULL: the kernel's */
	uint64_t dependencies[MAX_DEPENDENCIES]; /* struct modules that `module` uses */
	size_t dependency_count;
	unsigned findings;
	struct ksma_budget budget; /* of all chunks together */
};

/* Code outside the kernel's own text; behind that, code in the image is somebody else's. */
static bool is_code(const struct constants *c, uint64_t value)
{
	return ksma_pages_is_code(c->pages, value) &&
	       (value < c->look->kernel->image || value >= c->image_code_end);
}

/* True where the owner of the constants may well have known the code: its own, or that of a module that it was linked with. */
static bool is_known(const struct constants *c, uint64_t value)
{
	const struct ksma_module *owner;

	if (!c->module)
		return false;
	owner = ksma_module_owner(c->look->kernel, value);
	if (!owner)
		return false;
	if (owner->address == c->module->address)
		return true;
	for (size_t i = 0; i < c->dependency_count; i++)
		if (c->dependencies[i] == owner->address)
			return true;
	return false;
}

/* Unnamed sections of a module keep pointers into its init code, whose memory went to somebody else after it ran: only what lies
 * in a named object counts. Init code itself is in no other object than an init one, which is gone as well. Its init data is in
 * one kind: the descriptions of parameters, which hold no functions (include/linux/moduleparam.h; seen: `force` of libata, whose buffer's
 * memory had become another module's code). */
static bool is_named(const struct constants *c, uint64_t place)
{
	struct ksma_module_symbol symbol;

	return !c->module || (ksma_module_symbol_at(c->look->kernel, place, &symbol) &&
			      *symbol.name && place - symbol.address < symbol.size &&
			      strncmp(symbol.name, PARAMETER, strlen(PARAMETER)) != 0);
}

static bool is_syscall_table(const char *symbol)
{
	return strstr(symbol, "sys_call_table") != NULL;
}

/* True when this look has a finding about the same place already, which knows more of it. */
static bool is_reported(const struct ksma_findings *findings, uint64_t place)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%016" PRIx64, place);
	for (size_t i = 0; i < findings->count; i++)
		for (size_t j = 0; j < findings->items[i].count; j++)
			if (strcmp(findings->items[i].items[j].key, "place") == 0 &&
			    strcmp(findings->items[i].items[j].value, text) == 0)
				return true;
	return false;
}

static struct ksma_error *report(struct constants *c, uint64_t place, uint64_t value)
{
	struct ksma_finding *finding;
	char symbol[256];
	char *bracket;

	if (!ksma_kernel_describe(c->look->kernel, ksma_gva_of(place), symbol, sizeof(symbol)))
		snprintf(symbol, sizeof(symbol), "0x%" PRIx64, place);
	if (is_syscall_table(symbol) || is_reported(c->look->findings, place))
		return NULL;
	if (++c->findings > MAX_FINDINGS)
		return NULL;
	bracket = strstr(symbol, " [");
	if (bracket)
		*bracket = 0;
	KSMA_TRY(
		ksma_finding_add(c->look, KSMA_SEVERITY_CRITICAL, &finding, "constant/%s", symbol));
	KSMA_TRY(ksma_finding_title(
		finding, "a constant of %s%s, at %s, points to code of somebody else",
		c->module ? "module " : "the kernel", c->module ? c->module->name : "", symbol));
	KSMA_TRY(ksma_finding_address(c->look, finding, "place", place));
	KSMA_TRY(ksma_finding_code(c->look, finding, "found", value));
	return ksma_finding_text(
		finding, "expected", "%s",
		c->module ? "code of the kernel, of this module, or of one that it uses"
			  : "code of the kernel");
}

static struct ksma_error *scan_bytes(struct constants *c, uint64_t gva, const uint8_t *bytes,
				     size_t size)
{
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint64_t value = ksma_le64(bytes + i);

		if (value >= KERNEL_HALF_L5 && is_code(c, value) && !is_known(c, value) &&
		    is_named(c, gva + i))
			KSMA_TRY(report(c, gva + i, value));
	}
	return NULL;
}

static struct ksma_error *scan(struct constants *c, uint64_t start, uint64_t end, const char *what)
{
	_cleanup_free_ uint8_t *bytes = malloc(CHUNK);

	if (!bytes)
		return ksma_error_nomem();
	for (uint64_t gva = ksma_align_up(start, 8); gva < end;) {
		size_t size = CHUNK - (gva & (KSMA_PAGE_SIZE - 1));

		if (!ksma_budget_spend(&c->budget))
			return ksma_budget_error("the look through constants");
		if (size > end - gva)
			size = end - gva;
		if (!ksma_kernel_bytes(c->look->kernel, gva, bytes, size)) {
			/* Page by page, so that one that is missing costs no other. */
			size = KSMA_PAGE_SIZE - (gva & (KSMA_PAGE_SIZE - 1));
			if (size > end - gva)
				size = end - gva;
			if (!ksma_kernel_bytes(c->look->kernel, gva, bytes, size)) {
				ksma_coverage_gap(c->look->coverage, KSMA_COVERAGE_PARTIAL,
						  "constants of %s cannot be read", what);
				gva += size;
				continue;
			}
		}
		KSMA_TRY(scan_bytes(c, gva, bytes, size));
		gva += size;
	}
	return NULL;
}

struct dependency_walk {
	struct constants *constants;
	bool incomplete;
};

static bool take_dependency(void *arg, uint64_t node)
{
	struct dependency_walk *walk = arg;
	struct constants *c = walk->constants;
	const struct ksma_offsets *off = &c->look->kernel->off;
	uint64_t target;

	if (!ksma_kernel_u64(c->look->kernel,
			     node - (uint64_t)off->module_use__target_list +
				     (uint64_t)off->module_use__target,
			     &target))
		return !(walk->incomplete = true);
	if (c->dependency_count == MAX_DEPENDENCIES) {
		walk->incomplete = true;
		return false;
	}
	c->dependencies[c->dependency_count++] = target;
	return true;
}

/* The read-only part of a module's memory: a span of core_layout, or a piece of its own (see linux/modules.c). */
static bool constants_of(const struct ksma_kernel *kernel, uint64_t module, uint64_t *ret_start,
			 uint64_t *ret_end)
{
	const struct ksma_offsets *off = &kernel->off;
	struct ksma_kernel *k = (struct ksma_kernel *)kernel;
	uint64_t layout, base;
	uint32_t text, size;

	if (off->module__mem != KSMA_NO_MEMBER) {
		if (kernel->enums.MOD_RODATA == KSMA_NO_MEMBER || !kernel->size.module_memory ||
		    off->module_memory__base == KSMA_NO_MEMBER ||
		    off->module_memory__size == KSMA_NO_MEMBER)
			return false;
		layout = module + (uint64_t)off->module__mem +
			 (uint64_t)kernel->enums.MOD_RODATA * kernel->size.module_memory;
		if (!ksma_kernel_u64(k, layout + (uint64_t)off->module_memory__base, &base) ||
		    !ksma_kernel_u32(k, layout + (uint64_t)off->module_memory__size, &size))
			return false;
		*ret_start = base;
		*ret_end = base + size;
		return base != 0;
	}
	if (off->module__core_layout == KSMA_NO_MEMBER ||
	    off->module_layout__base == KSMA_NO_MEMBER ||
	    off->module_layout__text_size == KSMA_NO_MEMBER ||
	    off->module_layout__ro_size == KSMA_NO_MEMBER)
		return false;
	layout = module + (uint64_t)off->module__core_layout;
	if (!ksma_kernel_u64(k, layout + (uint64_t)off->module_layout__base, &base) ||
	    !ksma_kernel_u32(k, layout + (uint64_t)off->module_layout__text_size, &text) ||
	    !ksma_kernel_u32(k, layout + (uint64_t)off->module_layout__ro_size, &size))
		return false;
	*ret_start = base + text;
	*ret_end = base + size;
	return base != 0;
}

static struct ksma_error *check_module(struct constants *c, const struct ksma_module *module)
{
	const struct ksma_offsets *off = &c->look->kernel->off;
	struct ksma_budget budget = { .nodes = MAX_DEPENDENCIES + 1 };
	struct dependency_walk walk = { .constants = c };
	struct ksma_error *error;
	uint64_t start, end;

	if (strcmp(module->state, "live") != 0 ||
	    !constants_of(c->look->kernel, module->address, &start, &end) || end <= start ||
	    end - start > module->size)
		return NULL; /* it comes or goes, or has none */
	c->module = module;
	c->dependency_count = 0;
	error = ksma_kernel_list(c->look->kernel,
				 module->address + (uint64_t)off->module__target_list, &budget,
				 take_dependency, &walk);
	if (walk.incomplete && !error)
		error = ksma_error_create(KSMA_ERROR_LIMIT, "which modules it uses cannot be read");
	if (error) {
		ksma_coverage_error(c->look->coverage, KSMA_COVERAGE_PARTIAL, error, module->name);
		return NULL;
	}
	return scan(c, start, end, module->name);
}

struct ksma_error *ksma_constants_check(struct ksma_look *look)
{
	struct constants c = { .look = look,
			       .image_code_end = ksma_owners_image_code_end(look->kernel),
			       .budget = { .nodes = MAX_CHUNKS } };
	const struct ksma_offsets *off = &look->kernel->off;
	uint64_t start = ksma_kernel_symbol(look->kernel, "__start_rodata"),
		 end = ksma_kernel_symbol(look->kernel, "__end_rodata");
	uint64_t init = ksma_kernel_symbol(look->kernel, "__start_ro_after_init");
	uint64_t init_end = ksma_kernel_symbol(look->kernel, "__end_ro_after_init");
	const struct ksma_modules *modules;

	KSMA_TRY(ksma_look_pages(look, &c.pages));
	if (!start || end <= start || end > look->kernel->image_end) {
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel does not say where its constants lie");
		return NULL;
	}
	/* What is set during boot may well be an address outside the image: it is no constant of the compiler's. */
	if (init > start && init_end > init && init_end < end) {
		KSMA_TRY(scan(&c, start, init, "the kernel"));
		start = init_end;
	}
	KSMA_TRY(scan(&c, start, end, "the kernel"));
	if (off->module__target_list == KSMA_NO_MEMBER ||
	    off->module_use__target == KSMA_NO_MEMBER ||
	    off->module_use__target_list == KSMA_NO_MEMBER) {
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel does not say which modules use which");
		return NULL;
	}
	KSMA_TRY(ksma_module_symbols_update(look->kernel, look->coverage, &modules));
	for (size_t i = 0; i < modules->count; i++)
		KSMA_TRY(check_module(&c, &modules->items[i]));
	return NULL;
}
