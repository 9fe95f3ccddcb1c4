/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of modules and each module's symbol table: a module's author wrote the one, a rootkit the other. */
#include "kernel_input.h"

#include "linux/module_symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static void look(struct ksma_kernel *kernel, uint64_t address)
{
	struct ksma_module_symbol symbol;
	char text[64];

	if (ksma_module_symbol_at(kernel, address, &symbol)) {
		if (!ksma_module_holds(symbol.module, address) || symbol.address > address ||
		    strlen(symbol.name) >= 512)
			abort();
		if (ksma_module_function_start(kernel, address) == KSMA_FUNCTION_START &&
		    symbol.address != address)
			abort();
	}
	ksma_kernel_describe(kernel, ksma_gva_of(address), text, sizeof(text));
}

static struct ksma_error *on_named(void *arg, const struct ksma_module_symbol *symbol)
{
	if (strcmp(symbol->name, arg) != 0)
		abort();
	return NULL;
}

static void fuzz(struct fake_kernel *k)
{
	struct ksma_coverage coverage = { 0 };
	const struct ksma_modules *modules;
	struct ksma_error *error = ksma_module_symbols_update(&k->kernel, &coverage, &modules);

	for (size_t i = 0; !error && i < modules->count && i < 16; i++) {
		const struct ksma_module *m = &modules->items[i];

		for (size_t j = 0; j < m->memory_count; j++) {
			look(&k->kernel, m->memory[j].base);
			look(&k->kernel, m->memory[j].base + m->memory[j].size - 1);
			look(&k->kernel, m->memory[j].base + m->memory[j].size / 2);
		}
	}
	ksma_error_destroy(
		ksma_module_symbols_named(&k->kernel, "init", on_named, (char[]){ "init" }));
	k->kernel.guest->epoch++;
	look(&k->kernel, KERNEL_INPUT_MAX / 2);
	ksma_error_destroy(error);
	ksma_coverage_deinit(&coverage);
}

/* The first byte chooses the form of struct module. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct fake_kernel *k;

	if (length < 1 || length > KERNEL_INPUT_MAX)
		return 0;
	k = kernel_of_input(data, length);
	if (data[0] & 1)
		fake_layout_old_modules(&k->kernel);
	else
		fake_layout_modules(&k->kernel);
	fake_kernel_symbol(k, "modules", 8);
	fuzz(k);
	fake_kernel_destroy(k);
	return 0;
}
