/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names for addresses: what a person can read where the guest has only a number. */
#include "linux/kernel.h"
#include "linux/module_symbols.h"

#include "base/bytes.h"

static void print_symbol(char *buffer, size_t size, const char *name, uint64_t offset,
			 const char *module)
{
	char at[24] = "", of[64 + 4] = "";

	if (offset)
		snprintf(at, sizeof(at), "+0x%llx", (unsigned long long)offset);
	if (module)
		snprintf(of, sizeof(of), " [%s]", module);
	snprintf(buffer, size, "%s%s%s", name, at, of);
}

KSMA_API bool ksma_kernel_describe(struct ksma_kernel *kernel, ksma_gva gva, char *buffer,
				   size_t size)
{
	const struct ksma_symbol *symbol = NULL;
	struct ksma_module_symbol of_module;

	if (gva.v >= kernel->image && gva.v < kernel->image_end) {
		symbol = ksma_symbols_at(&kernel->symbols, gva.v);
		if (symbol && !symbol->absolute) {
			print_symbol(buffer, size, ksma_symbol_name(&kernel->symbols, symbol),
				     gva.v - ksma_symbol_address(&kernel->symbols, symbol), NULL);
			return true;
		}
	} else if (ksma_module_symbol_at(kernel, gva.v, &of_module)) {
		if (*of_module.name) {
			print_symbol(buffer, size, of_module.name, gva.v - of_module.address,
				     of_module.module->name);
			return true;
		}
		snprintf(buffer, size, "0x%llx [%s]", (unsigned long long)gva.v,
			 of_module.module->name);
		return false;
	}
	snprintf(buffer, size, "0x%llx", (unsigned long long)gva.v);
	return false;
}
