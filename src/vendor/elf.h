/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 64-bit x86 ELF files, as kernels and modules are: sections, segments, symbols, relocations, notes.
 *
 * The attacker is who built the package: every offset, size, index and name is held against the file's end. Nothing is copied, so
 * the bytes outlive the reader. */
#ifndef KSMA_VENDOR_ELF_H
#define KSMA_VENDOR_ELF_H

#include "base/bytes.h"
#include "base/util.h"

/* The numbers of <elf.h> that are met here. */
enum {
	KSMA_ET_REL = 1,
	KSMA_ET_EXEC = 2,
	KSMA_ET_DYN = 3,
	KSMA_PT_LOAD = 1,
	KSMA_PT_NOTE = 4,
	KSMA_SHT_PROGBITS = 1,
	KSMA_SHT_SYMTAB = 2,
	KSMA_SHT_STRTAB = 3,
	KSMA_SHT_RELA = 4,
	KSMA_SHT_NOTE = 7,
	KSMA_SHT_NOBITS = 8,
	KSMA_SHF_WRITE = 1,
	KSMA_SHF_ALLOC = 2,
	KSMA_SHF_EXECINSTR = 4,
	KSMA_SHN_UNDEF = 0,
	KSMA_SHN_ABS = 0xfff1,
	KSMA_SHN_COMMON = 0xfff2,
	KSMA_R_X86_64_NONE = 0,
	KSMA_R_X86_64_64 = 1,
	KSMA_R_X86_64_PC32 = 2,
	KSMA_R_X86_64_PLT32 = 4,
	KSMA_R_X86_64_32 = 10,
	KSMA_R_X86_64_32S = 11,
	KSMA_R_X86_64_PC64 = 24,
};

struct ksma_elf_section {
	const char *name;    /* inside the file, NUL-terminated */
	const uint8_t *data; /* NULL when it has no bytes in the file */
	uint64_t address, offset, size, flags, alignment, entry_size;
	uint32_t type, link, info;
};

struct ksma_elf_segment {
	const uint8_t *data; /* `file_size` bytes */
	uint64_t virtual, physical, offset, file_size, memory_size;
	uint32_t type, flags;
};

struct ksma_elf_symbol {
	const char *name; /* inside the file */
	uint64_t value, size;
	uint16_t section;      /* an index, or KSMA_SHN_… */
	uint8_t type, binding; /* STT_…, STB_… */
};

struct ksma_elf_relocation {
	uint64_t offset; /* in the section that it is for */
	int64_t addend;
	uint32_t type, symbol;
};

struct ksma_elf {
	const uint8_t *data;
	size_t length;
	uint16_t type;
	uint64_t entry;
	size_t end; /* where the last header or piece of content ends: what follows is not of the ELF */
	struct ksma_elf_section *sections;
	size_t section_count;
	struct ksma_elf_segment *segments;
	size_t segment_count;
	/* The symbol table, or no symbols. */
	const uint8_t *symbols;
	size_t symbol_count;
	const char *strings;
	size_t strings_length; /* the last byte is NUL */
};

/* Reads the headers. @ret_elf ended with ksma_elf_deinit(); `data` must outlive it
 * @return NULL, BAD_DATA (what is wrong), UNSUPPORTED (not 64-bit x86), LIMIT, NOMEM */
struct ksma_error *ksma_elf_init(const void *data, size_t length,
				 struct ksma_elf *ret_elf) KSMA_MUST_CHECK;
void ksma_elf_deinit(struct ksma_elf *elf);

/* The first section of that name, or NULL. */
const struct ksma_elf_section *ksma_elf_section(const struct ksma_elf *elf, const char *name);

/* Symbol `index` (0 is the empty one). @return false when there is no such symbol, or its name is not inside the strings */
bool ksma_elf_symbol(const struct ksma_elf *elf, size_t index, struct ksma_elf_symbol *ret_symbol);

/* How many relocations a section holds; 0 unless it is SHT_RELA with entries of the right size. */
size_t ksma_elf_relocation_count(const struct ksma_elf_section *section);
/* `index` must be below that. The symbol's index is not checked: ksma_elf_symbol() does. */
struct ksma_elf_relocation ksma_elf_relocation(const struct ksma_elf_section *section,
					       size_t index);

/* The GNU build id: bytes inside the file. Looks in every section of notes, or where there are no sections, in every segment. NULL when the file has none. */
const uint8_t *ksma_elf_build_id(const struct ksma_elf *elf, size_t *ret_length);

#endif
