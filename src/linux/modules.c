/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The modules on the kernel's list, each read in one piece and looked at twice, so that no half of one is ever reported.
 *
 * Source: include/linux/module.h, kernel/module/procfs.c. A module's memory is `core_layout` and `init_layout` up to 6.3, and
 * mem[] from 6.4 on (ac3b43283923, "module: replace module_layout with module_memory"). */
#include "linux/modules.h"

#include "base/bytes.h"
#include "linux/build_id.h"
#include "linux/retry.h"

enum {
	MODULE_MAX = 8192, /* of a struct module: about 900 bytes with all options that matter */
	MODULE_NAME = 56,  /* MODULE_NAME_LEN: 64 - sizeof(long) */
	MODULE_PIECE_MAX = 1 << 30, /* modules live in 1.5 GiB at most */
	REF_BASE = 1,		    /* MODULE_REF_BASE: a loaded module holds itself once */
};

static bool fits(int32_t offset, size_t length, uint32_t size)
{
	return offset >= 0 && ksma_in_range((uint64_t)offset, length, size);
}

/* The members without which nothing useful can be said. */
static struct ksma_error *check_layout(const struct ksma_kernel *kernel)
{
	const struct ksma_offsets *off = &kernel->off;
	uint32_t size = kernel->size.module;

	KSMA_TRY(KSMA_NEED(kernel, module__state));
	KSMA_TRY(KSMA_NEED(kernel, module__list));
	KSMA_TRY(KSMA_NEED(kernel, module__name));
	if (off->module__mem == KSMA_NO_MEMBER)
		KSMA_TRY(KSMA_NEED(kernel, module__core_layout));
	if (size > MODULE_MAX || !fits(off->module__state, 4, size) ||
	    !fits(off->module__list, 16, size) || !fits(off->module__name, MODULE_NAME, size))
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"struct module of this kernel has a layout that ksma does not know");
	return NULL;
}

static uint64_t word_at(const uint8_t *bytes, int32_t offset, size_t width, uint32_t size)
{
	if (!fits(offset, width, size))
		return 0;
	return width == 8 ? ksma_le64(bytes + offset) : ksma_le32(bytes + offset);
}

static const char *state_name(const struct ksma_enumerators *enums, int32_t state)
{
	if (state < 0)
		return "unknown";
	if (state == enums->MODULE_STATE_LIVE)
		return "live";
	if (state == enums->MODULE_STATE_COMING)
		return "coming";
	if (state == enums->MODULE_STATE_GOING)
		return "going";
	if (state == enums->MODULE_STATE_UNFORMED)
		return "unformed";
	return "unknown";
}

static struct ksma_error *add_piece(struct ksma_module *module, uint64_t base, uint64_t size,
				    bool text)
{
	if (!base || !size)
		return NULL;
	if (size > MODULE_PIECE_MAX || base + size < base)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the module at 0x%llx has a piece of %llu bytes at 0x%llx",
					 (unsigned long long)module->address,
					 (unsigned long long)size, (unsigned long long)base);
	if (module->memory_count < KSMA_MODULE_SECTIONS)
		module->memory[module->memory_count++] =
			(struct ksma_module_memory){ .base = base, .size = size, .text = text };
	return NULL;
}

/* A struct module_layout: its code comes first. */
static struct ksma_error *add_layout(const struct ksma_kernel *kernel, const uint8_t *bytes,
				     int32_t layout, struct ksma_module *module)
{
	const struct ksma_offsets *off = &kernel->off;
	uint32_t all = kernel->size.module;
	uint64_t base, size, text;

	if (layout < 0 || off->module_layout__base < 0 || off->module_layout__size < 0 ||
	    off->module_layout__text_size < 0)
		return NULL;
	base = word_at(bytes, layout + off->module_layout__base, 8, all);
	size = word_at(bytes, layout + off->module_layout__size, 4, all);
	text = word_at(bytes, layout + off->module_layout__text_size, 4, all);
	if (text > size)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the module at 0x%llx has more code than memory",
					 (unsigned long long)module->address);
	if (layout == off->module__core_layout)
		module->base = base;
	module->size += size;
	KSMA_TRY(add_piece(module, base, text, true));
	return add_piece(module, base + text, size - text, false);
}

/* The array mem[], indexed by enum mod_mem_type. */
static struct ksma_error *add_memories(const struct ksma_kernel *kernel, const uint8_t *bytes,
				       struct ksma_module *module)
{
	const struct ksma_offsets *off = &kernel->off;
	const struct ksma_enumerators *enums = &kernel->enums;
	uint32_t all = kernel->size.module;

	if (off->module_memory__base < 0 || off->module_memory__size < 0 ||
	    !kernel->size.module_memory || kernel->size.module_memory > MODULE_MAX ||
	    enums->MOD_TEXT < 0)
		return ksma_kernel_missing_member("module_memory.base");
	for (int32_t i = 0; i < KSMA_MODULE_SECTIONS && i < enums->MOD_MEM_NUM_TYPES; i++) {
		int32_t piece = off->module__mem + i * (int32_t)kernel->size.module_memory;
		uint64_t base = word_at(bytes, piece + off->module_memory__base, 8, all);
		uint64_t size = word_at(bytes, piece + off->module_memory__size, 4, all);

		if (i == enums->MOD_TEXT)
			module->base = base;
		module->size += size;
		KSMA_TRY(add_piece(module, base, size,
				   i == enums->MOD_TEXT || i == enums->MOD_INIT_TEXT));
	}
	return NULL;
}

/* What lies outside struct module: false when it is not readable now. */
static bool read_srcversion(struct ksma_kernel *kernel, const uint8_t *bytes,
			    struct ksma_module *module)
{
	uint64_t address = word_at(bytes, kernel->off.module__srcversion, 8, kernel->size.module);

	return !address ||
	       ksma_kernel_string(kernel, address, module->srcversion, sizeof(module->srcversion));
}

static struct ksma_error *parse(const struct ksma_kernel *kernel, const uint8_t *bytes,
				struct ksma_module *module)
{
	const struct ksma_offsets *off = &kernel->off;
	uint32_t size = kernel->size.module;
	int64_t refs = (int64_t)word_at(bytes, off->module__refcnt, 4, size) - REF_BASE;

	memcpy(module->name, bytes + off->module__name, MODULE_NAME);
	strcpy(module->state,
	       state_name(&kernel->enums, (int32_t)ksma_le32(bytes + off->module__state)));
	module->refcount = refs > 0 && refs < INT32_MAX ? (uint32_t)refs : 0;
	module->taints = (uint32_t)word_at(bytes, off->module__taints, 8, size);
	if (off->module__mem >= 0)
		return add_memories(kernel, bytes, module);
	KSMA_TRY(add_layout(kernel, bytes, off->module__core_layout, module));
	return add_layout(kernel, bytes, off->module__init_layout, module);
}

struct ksma_error *ksma_module_read(struct ksma_kernel *kernel, uint64_t address,
				    struct ksma_module *ret_module)
{
	uint8_t bytes[MODULE_MAX], again[64 + MODULE_NAME];
	struct ksma_module module = { .address = address };
	size_t head;

	KSMA_TRY(check_layout(kernel));
	if (!ksma_kernel_bytes(kernel, address, bytes, kernel->size.module))
		return ksma_error_fault(address, "the module at 0x%llx is not mapped",
					(unsigned long long)address);
	KSMA_TRY(parse(kernel, bytes, &module));
	ksma_build_id_of_module(kernel, bytes, &module.build_id);
	if (!read_srcversion(kernel, bytes, &module))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the srcversion of the module at 0x%llx is not mapped",
					 (unsigned long long)address);
	/* State, list and name come first: a module that came, went or was replaced meanwhile differs in one of them. */
	head = (size_t)kernel->off.module__name + MODULE_NAME;
	if (head > sizeof(again))
		head = sizeof(again);
	if (!ksma_kernel_bytes(kernel, address, again, head) || memcmp(bytes, again, head) != 0)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the module at 0x%llx changed while it was read",
					 (unsigned long long)address);
	*ret_module = module;
	return NULL;
}

struct walk {
	struct ksma_kernel *kernel;
	struct ksma_modules modules;
	struct ksma_error *error;
};

/* A module that cannot be read is left out, and the rest of the list is still worth having. */
static bool visit(void *arg, uint64_t entry)
{
	struct walk *walk = arg;
	struct ksma_module *module;
	struct ksma_error *error;

	error = KSMA_ARRAY_PUSH(&walk->modules, &module);
	if (!error) {
		error = ksma_module_read(walk->kernel,
					 entry - (uint64_t)walk->kernel->off.module__list, module);
		if (!error)
			return true;
		walk->modules.count--;
	}
	if (walk->error)
		ksma_error_destroy(error);
	else
		walk->error = error;
	return walk->error->code != KSMA_ERROR_NOMEM;
}

/* One look at the whole list; after an error `walk` holds what could be read. */
static struct ksma_error *look(struct walk *walk, uint64_t head)
{
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_error *error;

	walk->modules.count = 0;
	walk->error = NULL;
	error = ksma_kernel_list(walk->kernel, head, &budget, visit, walk);
	if (walk->error) {
		ksma_error_destroy(error);
		error = TAKE_PTR(walk->error);
	}
	return error;
}

KSMA_API struct ksma_error *ksma_linux_modules(struct ksma_kernel *kernel,
					       struct ksma_coverage *coverage,
					       struct ksma_modules *ret_modules)
{
	_cleanup_(ksma_modules_free) struct ksma_modules modules = { 0 };
	struct walk walk = { .kernel = kernel };
	struct ksma_error *error;
	unsigned attempt = 0;
	uint64_t head;

	KSMA_TRY(check_layout(kernel));
	KSMA_TRY(ksma_kernel_need_symbol(kernel, "modules", &head));
	do {
		error = look(&walk, head);
	} while (ksma_kernel_retry(kernel, &attempt, &error));
	modules = walk.modules;
	if (error) {
		if (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST)
			return error;
		ksma_coverage_error(coverage,
				    modules.count ? KSMA_COVERAGE_PARTIAL : KSMA_COVERAGE_UNKNOWN,
				    error, "modules");
	}
	*ret_modules = modules;
	modules = (struct ksma_modules){ 0 };
	return NULL;
}

KSMA_API void ksma_modules_free(struct ksma_modules *modules)
{
	free(modules->items);
	*modules = (struct ksma_modules){ 0 };
}
