/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory in which kallsyms tables are searched: tables in the kernel, and decoys that any program of the guest can plant. */
#include "base/bytes.h"
#include "linux/kallsyms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* Everything that the table says must be usable. */
static void look(const struct ksma_symbols *symbols)
{
	for (size_t i = 0; i < symbols->count; i++) {
		const struct ksma_symbol *symbol = &symbols->items[i];
		const char *name = ksma_symbol_name(symbols, symbol);
		uint64_t address = ksma_symbol_address(symbols, symbol);
		const struct ksma_symbol *found = ksma_symbols_find(symbols, name);

		if (!found || found > symbol || strcmp(ksma_symbol_name(symbols, found), name) != 0)
			abort();
		found = ksma_symbols_at(symbols, address);
		if (!symbol->absolute &&
		    (!found || found->absolute || found->address != symbol->address))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	size_t position = 0;
	uint64_t gva;

	if (length < 8 || length > 1 << 17)
		return 0;
	gva = ksma_le64(data);
	for (unsigned i = 0; i < 4; i++) {
		struct ksma_symbols symbols;
		struct ksma_kallsyms tables;
		struct ksma_error *error =
			ksma_kallsyms_locate(data + 8, length - 8, gva, &position, &tables);

		if (!error) {
			error = ksma_kallsyms_decode(data + 8, length - 8, &tables, &symbols);
			if (!error) {
				if (gva) /* else addresses are not absolute */
					look(&symbols);
				error = ksma_kallsyms_verify(&tables, &symbols);
				ksma_symbols_deinit(&symbols);
			} else if (strstr(error->message, "changed")) {
				abort(); /* nothing has */
			}
		}
		ksma_error_destroy(error);
	}
	return 0;
}
