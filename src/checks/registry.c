/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walks the kernel's registries of hooks as rows of a table describe them. */
#include "checks/registry.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "linux/retry.h"

enum { MAX_ELEMENTS = 4096, MAX_CHAIN = 65536, MAX_NAME = 48 };

uint64_t ksma_registry_variable(const struct ksma_kernel *kernel, const char *name)
{
	for (const struct ksma_symbol *symbol = ksma_symbols_find(&kernel->symbols, name); symbol;
	     symbol = ksma_symbols_find_next(&kernel->symbols, symbol)) {
		uint64_t address = ksma_symbol_address(&kernel->symbols, symbol);

		if (!ksma_kernel_is_text(kernel, address))
			return address;
	}
	return 0;
}

/* The objects of one registry, gathered before they are looked at, so that a walk that is torn can start anew. */
struct gather {
	struct ksma_sweep *sweep;
	const struct ksma_registry *row;
	int32_t link;
	struct {
		uint64_t *items;
		size_t count, capacity;
	} objects;
	struct ksma_error *error;
};

static struct ksma_error *add(struct gather *g, uint64_t object)
{
	uint64_t *slot;

	if (g->objects.count == MAX_CHAIN)
		return ksma_error_create(KSMA_ERROR_LIMIT, "more than %d objects in %s", MAX_CHAIN,
					 g->row->symbol);
	KSMA_TRY(KSMA_ARRAY_PUSH(&g->objects, &slot));
	*slot = object;
	return NULL;
}

static bool take_entry(void *arg, uint64_t entry)
{
	struct gather *g = arg;

	g->error = add(g, entry - (uint64_t)g->link);
	return !g->error;
}

static bool take_pointer(void *arg, uint64_t index, uint64_t entry)
{
	struct gather *g = arg;

	(void)index;
	if (ksma_sweep_is_kernel(entry) && (entry & 3) == 0)
		g->error = add(g, entry);
	return !g->error;
}

static struct ksma_error *unreadable(const struct gather *g, uint64_t address)
{
	return ksma_error_fault(address, "%s: 0x%" PRIx64 " is not mapped", g->row->symbol,
				address);
}

/* A chain of pointers has no way back to compare with: a cycle ends with the number of its elements. */
static struct ksma_error *walk_chain(struct gather *g, uint64_t head, uint64_t link)
{
	uint64_t object;

	if (!ksma_kernel_u64(g->sweep->kernel, head, &object))
		return unreadable(g, head);
	for (size_t n = 0; object; n++) {
		if (n == MAX_CHAIN)
			return ksma_error_create(KSMA_ERROR_LIMIT, "%s has no end", g->row->symbol);
		KSMA_TRY(add(g, object - (link == 0 ? (uint64_t)g->link : 0)));
		if (!ksma_kernel_u64(g->sweep->kernel, object + link, &object))
			return unreadable(g, object + link);
	}
	return NULL;
}

/* How many elements an array has room for: up to the next symbol. */
static unsigned room(const struct gather *g, uint64_t address, unsigned size)
{
	const struct ksma_symbols *symbols = &g->sweep->kernel->symbols;
	const struct ksma_symbol *symbol = ksma_symbols_at(symbols, address);
	unsigned wanted = g->row->count ?: MAX_ELEMENTS;

	if (!symbol || ksma_symbol_address(symbols, symbol) != address)
		return g->row->count;
	for (size_t i = (size_t)(symbol - symbols->items) + 1; i < symbols->count; i++) {
		uint64_t next = ksma_symbol_address(symbols, &symbols->items[i]);

		if (next <= address)
			continue;
		return (next - address) / size < wanted ? (unsigned)((next - address) / size)
							: wanted;
	}
	return g->row->count;
}

static struct ksma_error *walk_list(struct gather *g, uint64_t head)
{
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_error *error = ksma_kernel_list(g->sweep->kernel, head, &budget, take_entry, g);

	if (g->error) {
		ksma_error_destroy(error);
		return TAKE_PTR(g->error);
	}
	return error;
}

static struct ksma_error *walk_idr(struct gather *g, uint64_t address)
{
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_error *error =
		ksma_kernel_xarray(g->sweep->kernel, address, &budget, take_pointer, g);

	if (g->error) {
		ksma_error_destroy(error);
		return TAKE_PTR(g->error);
	}
	return error;
}

static struct ksma_error *walk_pointers(struct gather *g, uint64_t address, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t object;

		if (!ksma_kernel_u64(g->sweep->kernel, address + 8ull * i, &object))
			return unreadable(g, address + 8ull * i);
		if (object)
			KSMA_TRY(add(g, object));
	}
	return NULL;
}

static struct ksma_error *walk_objects(struct gather *g, uint64_t address)
{
	uint32_t size = ksma_sweep_size(g->sweep, g->row->type);

	for (unsigned i = 0, n = size ? room(g, address, size) : 0; i < n; i++)
		KSMA_TRY(add(g, address + (uint64_t)size * i));
	return NULL;
}

static struct ksma_error *walk(struct gather *g, uint64_t address)
{
	uint64_t function;

	switch (g->row->walk) {
	case KSMA_REGISTRY_LIST:
		return walk_list(g, address);
	case KSMA_REGISTRY_LISTS:
		for (unsigned i = 0, n = room(g, address, 16); i < n; i++)
			KSMA_TRY(walk_list(g, address + 16ull * i));
		return NULL;
	case KSMA_REGISTRY_HLIST:
		return walk_chain(g, address, 0);
	case KSMA_REGISTRY_CHAIN:
		return walk_chain(g, address, (uint64_t)g->link);
	case KSMA_REGISTRY_CHAINS:
		for (unsigned i = 0, n = room(g, address, 8); i < n; i++)
			KSMA_TRY(walk_chain(g, address + 8ull * i, (uint64_t)g->link));
		return NULL;
	case KSMA_REGISTRY_POINTER:
		return walk_pointers(g, address, 1);
	case KSMA_REGISTRY_POINTERS:
		return walk_pointers(g, address, room(g, address, 8));
	case KSMA_REGISTRY_FUNCTION:
		return ksma_kernel_u64(g->sweep->kernel, address, &function)
			       ? ksma_sweep_pointer(g->sweep, address, function, "function",
						    g->row->symbol)
			       : unreadable(g, address);
	case KSMA_REGISTRY_OBJECT:
		return add(g, address);
	case KSMA_REGISTRY_OBJECTS:
		return walk_objects(g, address);
	case KSMA_REGISTRY_IDR:
		return walk_idr(g, address);
	}
	return NULL;
}

/* "netfilter target REJECT": the variable, and the object's own name where it has one. */
static void object_name(struct gather *g, uint64_t object, char *holder, size_t size)
{
	char name[MAX_NAME] = "";
	int32_t at = g->row->name ? ksma_sweep_offset(g->sweep, g->row->type, g->row->name)
				  : KSMA_NO_MEMBER;
	uint64_t text;

	if (at != KSMA_NO_MEMBER &&
	    ksma_sweep_elements(g->sweep, g->row->type, g->row->name)) /* it is the name */
		ksma_kernel_string(g->sweep->kernel, object + (uint64_t)at, name, sizeof(name));
	else if (at != KSMA_NO_MEMBER &&
		 ksma_kernel_u64(g->sweep->kernel, object + (uint64_t)at, &text) && text)
		ksma_kernel_string(g->sweep->kernel, text, name, sizeof(name));
	ksma_sweep_clean_name(name);
	snprintf(holder, size, "%s%s%s", g->row->symbol, *name ? " " : "", name);
}

static struct ksma_error *sweep_objects(struct gather *g, ksma_registry_fn fn, void *arg)
{
	char holder[MAX_NAME * 2 + 64];

	for (size_t i = 0; i < g->objects.count; i++) {
		uint64_t object = g->objects.items[i];

		object_name(g, object, holder, sizeof(holder));
		KSMA_TRY(ksma_sweep_object(g->sweep, g->row->type, object, holder));
		if (fn)
			KSMA_TRY(fn(arg, g->row, object));
	}
	return NULL;
}

static struct ksma_error *visit_objects(struct gather *g, ksma_registry_fn fn, void *arg)
{
	for (size_t i = 0; i < g->objects.count; i++)
		KSMA_TRY(fn(arg, g->row, g->objects.items[i]));
	return NULL;
}

static struct ksma_error *walk_at(struct ksma_sweep *sweep, const struct ksma_registry *row,
				  uint64_t address, ksma_registry_fn fn, void *arg, bool visit)
{
	struct gather g = { .sweep = sweep, .row = row };
	struct ksma_error *error;
	unsigned attempt = 0;

	if (row->link) {
		g.link = ksma_sweep_offset(sweep, row->type, row->link);
		if (g.link == KSMA_NO_MEMBER) {
			ksma_coverage_gap(sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
					  "struct %s has no member %s", row->type, row->link);
			return NULL;
		}
	}
	do {
		g.objects.count = 0;
		error = walk(&g, address);
	} while (ksma_kernel_retry(sweep->kernel, &attempt, &error));
	if (!error || (error->code != KSMA_ERROR_NOMEM && error->code != KSMA_ERROR_LOST)) {
		/* What was reached is looked at, even where the rest was not. */
		ksma_coverage_error(sweep->look->coverage, KSMA_COVERAGE_PARTIAL, error,
				    row->symbol);
		error = visit ? visit_objects(&g, fn, arg) : sweep_objects(&g, fn, arg);
	}
	free(g.objects.items);
	return error;
}

struct ksma_error *ksma_registry_walk_at(struct ksma_sweep *sweep, const struct ksma_registry *row,
					 uint64_t address, ksma_registry_fn fn, void *arg)
{
	return walk_at(sweep, row, address, fn, arg, false);
}

struct ksma_error *ksma_registry_visit_at(struct ksma_sweep *sweep, const struct ksma_registry *row,
					  uint64_t address, ksma_registry_fn fn, void *arg)
{
	return walk_at(sweep, row, address, fn, arg, true);
}

struct ksma_error *ksma_registry_visit(struct ksma_sweep *sweep, const struct ksma_registry *row,
				       ksma_registry_fn fn, void *arg)
{
	uint64_t address = ksma_registry_variable(sweep->kernel, row->symbol);

	if (address)
		return walk_at(sweep, row, address, fn, arg, true);
	if (row->needed)
		ksma_coverage_gap(sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel has no symbol %s", row->symbol);
	return NULL;
}

struct ksma_error *ksma_registry_sweep(struct ksma_sweep *sweep, const struct ksma_registry *rows,
				       size_t count, ksma_registry_fn fn, void *arg)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t address = ksma_registry_variable(sweep->kernel, rows[i].symbol);

		if (address)
			KSMA_TRY(ksma_registry_walk_at(sweep, &rows[i], address, fn, arg));
		else if (rows[i].needed)
			ksma_coverage_gap(sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
					  "this kernel has no symbol %s", rows[i].symbol);
	}
	return NULL;
}
