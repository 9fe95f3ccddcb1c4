/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who owns an address of module memory, by the list of modules and by each module's own symbol table.
 *
 * The list is read again after each refresh of the guest; a module's table is read when it is first asked for, and kept for as
 * long as the module stays the same. What these functions say is what the guest's modules say of themselves. */
#ifndef KSMA_LINUX_MODULE_SYMBOLS_H
#define KSMA_LINUX_MODULE_SYMBOLS_H

#include "linux/modules.h"

struct ksma_module_symbols;

/* A symbol of a module. The strings and the module are valid until the next refresh of the guest. */
struct ksma_module_symbol {
	const struct ksma_module *module;
	const char *name; /* "" when the module has no symbol at or below the address */
	uint64_t address; /* of the symbol; of the module's piece when it has no name */
	uint64_t size;	  /* as the table says it, may be 0 */
	bool function;	  /* STT_FUNC, in a piece that holds code */
};

/* What an address is, as a target of a call. */
enum ksma_function_start {
	KSMA_FUNCTION_NO_MODULE, /* no module on the list holds it */
	KSMA_FUNCTION_INSIDE,	 /* of a module, but no function starts there */
	KSMA_FUNCTION_START,
	KSMA_FUNCTION_UNKNOWN, /* of a module whose symbols could not be read */
};

/* The module on the list that holds `address`, or NULL. */
const struct ksma_module *ksma_module_owner(struct ksma_kernel *kernel, uint64_t address);

/* The last symbol at or below `address` in the same piece of memory. @return false when no module holds it */
bool ksma_module_symbol_at(struct ksma_kernel *kernel, uint64_t address,
			   struct ksma_module_symbol *ret_symbol);

/* Calls `fn` for each symbol of this name, of any module on the list, with what `arg` was given. Modules whose symbols cannot be read have none.
 * @return NULL, what listing the modules returned, or what `fn` returned */
struct ksma_error *ksma_module_symbols_named(
	struct ksma_kernel *kernel, const char *name,
	struct ksma_error *(*fn)(void *arg, const struct ksma_module_symbol *symbol),
	void *arg) KSMA_MUST_CHECK;

enum ksma_function_start ksma_module_function_start(struct ksma_kernel *kernel, uint64_t address);

/* Reads the list now if the guest was refreshed since, and says what of it could not be read.
 * @ret_modules belongs to the kernel, valid until the next refresh */
struct ksma_error *
ksma_module_symbols_update(struct ksma_kernel *kernel, struct ksma_coverage *coverage,
			   const struct ksma_modules **ret_modules) KSMA_MUST_CHECK;

/* Part of ksma_kernel_destroy(). */
void ksma_module_symbols_destroy(struct ksma_module_symbols *symbols);

#endif
