/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes small ELF files: a kernel image with boot relocations, a module; for tests that then spoil them. */
#ifndef KSMA_TESTS_TINY_ELF_H
#define KSMA_TESTS_TINY_ELF_H

#include "base/util.h"

struct tiny_elf {
	uint8_t *data;
	size_t length;
	size_t elf_length;				  /* without the relocations behind it */
	size_t section_headers, program_headers, symbols; /* offsets */
};

/* The text is linked at 0xffffffff81000000 and 0x2000 bytes long, data follows at 0xffffffff81002000, 0x1000 bytes. */
#define TINY_TEXT 0xffffffff81000000ull
#define TINY_DATA 0xffffffff81002000ull

/* Lists: each ends with 0. `subtract32` NULL leaves that list out. */
struct tiny_elf tiny_kernel(const uint32_t *add64, const uint32_t *subtract32,
			    const uint32_t *add32);
/* A module with .text, .rela.text (two relocations), .modinfo, .symtab and a build id of twenty times `id`. */
struct tiny_elf tiny_module(const char *name, uint8_t id);
void tiny_elf_free(struct tiny_elf *elf);

#endif
