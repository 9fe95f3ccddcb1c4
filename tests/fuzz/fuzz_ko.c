/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Modules of packages: sections, symbols, relocations, .modinfo and the appended signature are whatever their builder likes. */
#include "vendor/module.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static size_t look(const struct ksma_elf *elf)
{
	struct ksma_elf_symbol symbol;
	size_t sum = 0, size = 0;
	const uint8_t *id = ksma_elf_build_id(elf, &size);
	const char *name = ksma_modinfo(elf, "name");

	for (size_t i = 0; id && i < size; i++)
		sum += id[i];
	sum += name ? strlen(name) : 0;
	for (size_t i = 0; i < elf->section_count; i++) {
		const struct ksma_elf_section *s = &elf->sections[i];

		sum += strlen(s->name);
		if (s->data && s->size)
			sum += s->data[0] + s->data[s->size - 1];
		for (size_t k = 0; k < ksma_elf_relocation_count(s); k++) {
			struct ksma_elf_relocation r = ksma_elf_relocation(s, k);

			if (ksma_elf_symbol(elf, r.symbol, &symbol))
				sum += strlen(symbol.name);
		}
	}
	for (size_t i = 0; i <= elf->symbol_count; i++)
		if (ksma_elf_symbol(elf, i, &symbol))
			sum += symbol.section;
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_module_signature signature;
	volatile size_t seen = 0;
	struct ksma_elf elf;
	struct ksma_error *error;

	if (length > 1 << 16)
		return 0;
	error = ksma_module_signature(data, length, &signature);
	if (!error) {
		if (signature.content_length > length ||
		    (signature.pkcs7 && signature.pkcs7 + signature.pkcs7_length > data + length))
			abort();
		error = ksma_elf_init(data, signature.content_length, &elf);
	}
	if (!error) {
		seen = look(&elf);
		ksma_elf_deinit(&elf);
	}
	(void)seen;
	ksma_error_destroy(error);
	return 0;
}
