/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bounded reader of ELF files: what libelf does, in the little that kernels need, with every number checked once at the door. */
#include "vendor/elf.h"

#include "base/note.h"

enum {
	EHDR_SIZE = 64,
	PHDR_SIZE = 56,
	SHDR_SIZE = 64,
	SYM_SIZE = 24,
	RELA_SIZE = 24,
	EM_X86_64 = 62,
	MAX_SEGMENTS = 256,
};

struct header {
	uint64_t phoff, shoff;
	uint16_t phentsize, phnum, shentsize, shnum, shstrndx;
};

static struct ksma_error *bad(const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "not a whole ELF file: %s", what);
}

static void reach(struct ksma_elf *elf, uint64_t end)
{
	if (end > elf->end)
		elf->end = (size_t)end;
}

static struct ksma_error *read_header(struct ksma_elf *elf, struct header *h)
{
	struct ksma_bytes b = ksma_bytes_of(elf->data, elf->length);
	const uint8_t *ident = ksma_bytes_take(&b, 16);
	uint16_t machine;

	if (!ident || memcmp(ident, "\177ELF", 4) != 0)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "not an ELF file");
	if (ident[4] != 2 || ident[5] != 1)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "not a 64-bit little-endian ELF file");
	elf->type = ksma_bytes_le16(&b);
	machine = ksma_bytes_le16(&b);
	ksma_bytes_take(&b, 4); /* version */
	elf->entry = ksma_bytes_le64(&b);
	h->phoff = ksma_bytes_le64(&b);
	h->shoff = ksma_bytes_le64(&b);
	ksma_bytes_take(&b, 4 + 2); /* flags, its own size */
	h->phentsize = ksma_bytes_le16(&b);
	h->phnum = ksma_bytes_le16(&b);
	h->shentsize = ksma_bytes_le16(&b);
	h->shnum = ksma_bytes_le16(&b);
	h->shstrndx = ksma_bytes_le16(&b);
	if (b.failed)
		return bad("its header is cut");
	if (machine != EM_X86_64)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "built for another processor than x86-64 (machine %u)",
					 machine);
	if (h->phnum && (h->phentsize != PHDR_SIZE || h->phnum > MAX_SEGMENTS ||
			 !ksma_in_range(h->phoff, (uint64_t)h->phnum * PHDR_SIZE, elf->length)))
		return bad("its program headers lie outside");
	if (h->shnum && (h->shentsize != SHDR_SIZE ||
			 !ksma_in_range(h->shoff, (uint64_t)h->shnum * SHDR_SIZE, elf->length)))
		return bad("its section headers lie outside");
	if (h->shnum && h->shstrndx >= h->shnum)
		return bad("its section names are missing");
	reach(elf, EHDR_SIZE);
	if (h->phnum)
		reach(elf, h->phoff + (uint64_t)h->phnum * PHDR_SIZE);
	if (h->shnum)
		reach(elf, h->shoff + (uint64_t)h->shnum * SHDR_SIZE);
	return NULL;
}

static struct ksma_error *read_segments(struct ksma_elf *elf, const struct header *h)
{
	if (!h->phnum)
		return NULL;
	elf->segments = calloc(h->phnum, sizeof(*elf->segments));
	if (!elf->segments)
		return ksma_error_nomem();
	elf->segment_count = h->phnum;
	for (size_t i = 0; i < h->phnum; i++) {
		struct ksma_elf_segment *s = &elf->segments[i];
		struct ksma_bytes b =
			ksma_bytes_of(elf->data + h->phoff + i * PHDR_SIZE, PHDR_SIZE);

		s->type = ksma_bytes_le32(&b);
		s->flags = ksma_bytes_le32(&b);
		s->offset = ksma_bytes_le64(&b);
		s->virtual = ksma_bytes_le64(&b);
		s->physical = ksma_bytes_le64(&b);
		s->file_size = ksma_bytes_le64(&b);
		s->memory_size = ksma_bytes_le64(&b);
		if (!ksma_in_range(s->offset, s->file_size, elf->length))
			return bad("a segment lies outside");
		if (s->type == KSMA_PT_LOAD && s->memory_size < s->file_size)
			return bad("a segment is larger in the file than in memory");
		s->data = elf->data + s->offset;
		reach(elf, s->offset + s->file_size);
	}
	return NULL;
}

static struct ksma_error *read_section(struct ksma_elf *elf, const uint8_t *at,
				       struct ksma_elf_section *s, uint32_t *ret_name)
{
	struct ksma_bytes b = ksma_bytes_of(at, SHDR_SIZE);

	*ret_name = ksma_bytes_le32(&b);
	s->type = ksma_bytes_le32(&b);
	s->flags = ksma_bytes_le64(&b);
	s->address = ksma_bytes_le64(&b);
	s->offset = ksma_bytes_le64(&b);
	s->size = ksma_bytes_le64(&b);
	s->link = ksma_bytes_le32(&b);
	s->info = ksma_bytes_le32(&b);
	s->alignment = ksma_bytes_le64(&b);
	s->entry_size = ksma_bytes_le64(&b);
	if (s->alignment & (s->alignment - 1))
		return bad("a section has an alignment that is no power of two");
	if (s->address > UINT64_MAX - s->size)
		return bad("a section wraps around the address space");
	if (s->type == KSMA_SHT_NOBITS || s->type == 0)
		return NULL;
	if (!ksma_in_range(s->offset, s->size, elf->length))
		return bad("a section lies outside");
	s->data = elf->data + s->offset;
	reach(elf, s->offset + s->size);
	return NULL;
}

/* A table of strings that ends with NUL, so that every offset in it is a string. */
static bool is_strings(const struct ksma_elf_section *s)
{
	return s->type == KSMA_SHT_STRTAB && s->size > 0 && s->data[s->size - 1] == 0;
}

static struct ksma_error *read_sections(struct ksma_elf *elf, const struct header *h)
{
	_cleanup_free_ uint32_t *names = NULL;
	const struct ksma_elf_section *strings;

	if (!h->shnum)
		return NULL;
	elf->sections = calloc(h->shnum, sizeof(*elf->sections));
	names = calloc(h->shnum, sizeof(*names));
	if (!elf->sections || !names)
		return ksma_error_nomem();
	elf->section_count = h->shnum;
	for (size_t i = 0; i < h->shnum; i++)
		KSMA_TRY(read_section(elf, elf->data + h->shoff + i * SHDR_SIZE, &elf->sections[i],
				      &names[i]));
	strings = &elf->sections[h->shstrndx];
	if (!is_strings(strings))
		return bad("its section names are no strings");
	for (size_t i = 0; i < h->shnum; i++) {
		if (names[i] >= strings->size)
			return bad("a section's name lies outside");
		elf->sections[i].name = (const char *)strings->data + names[i];
	}
	return NULL;
}

static struct ksma_error *find_symbols(struct ksma_elf *elf)
{
	for (size_t i = 0; i < elf->section_count; i++) {
		const struct ksma_elf_section *s = &elf->sections[i], *strings;

		if (s->type != KSMA_SHT_SYMTAB)
			continue;
		if (s->entry_size != SYM_SIZE || s->link >= elf->section_count)
			return bad("its symbol table makes no sense");
		strings = &elf->sections[s->link];
		if (!is_strings(strings))
			return bad("its symbol names are no strings");
		elf->symbols = s->data;
		elf->symbol_count = s->size / SYM_SIZE;
		elf->strings = (const char *)strings->data;
		elf->strings_length = strings->size;
		break;
	}
	return NULL;
}

static struct ksma_error *read_all(struct ksma_elf *elf)
{
	struct header h = { 0 };

	KSMA_TRY(read_header(elf, &h));
	KSMA_TRY(read_segments(elf, &h));
	KSMA_TRY(read_sections(elf, &h));
	return find_symbols(elf);
}

struct ksma_error *ksma_elf_init(const void *data, size_t length, struct ksma_elf *ret_elf)
{
	struct ksma_elf elf = { .data = data, .length = length };
	struct ksma_error *error = read_all(&elf);

	if (error)
		ksma_elf_deinit(&elf);
	else
		*ret_elf = elf;
	return error;
}

void ksma_elf_deinit(struct ksma_elf *elf)
{
	free(elf->sections);
	free(elf->segments);
	memset(elf, 0, sizeof(*elf));
}

const struct ksma_elf_section *ksma_elf_section(const struct ksma_elf *elf, const char *name)
{
	for (size_t i = 1; i < elf->section_count; i++)
		if (strcmp(elf->sections[i].name, name) == 0)
			return &elf->sections[i];
	return NULL;
}

bool ksma_elf_symbol(const struct ksma_elf *elf, size_t index, struct ksma_elf_symbol *ret_symbol)
{
	const uint8_t *p;
	uint32_t name;

	if (index >= elf->symbol_count)
		return false;
	p = elf->symbols + index * SYM_SIZE;
	name = ksma_le32(p);
	if (name >= elf->strings_length)
		return false;
	*ret_symbol = (struct ksma_elf_symbol){
		.name = elf->strings + name,
		.type = p[4] & 0xf,
		.binding = p[4] >> 4,
		.section = ksma_le16(p + 6),
		.value = ksma_le64(p + 8),
		.size = ksma_le64(p + 16),
	};
	return true;
}

size_t ksma_elf_relocation_count(const struct ksma_elf_section *section)
{
	if (section->type != KSMA_SHT_RELA || section->entry_size != RELA_SIZE)
		return 0;
	return section->size / RELA_SIZE;
}

struct ksma_elf_relocation ksma_elf_relocation(const struct ksma_elf_section *section, size_t index)
{
	const uint8_t *p = section->data + index * RELA_SIZE;
	uint64_t info = ksma_le64(p + 8);

	return (struct ksma_elf_relocation){
		.offset = ksma_le64(p),
		.type = (uint32_t)info,
		.symbol = (uint32_t)(info >> 32),
		.addend = (int64_t)ksma_le64(p + 16),
	};
}

const uint8_t *ksma_elf_build_id(const struct ksma_elf *elf, size_t *ret_length)
{
	const uint8_t *id = NULL;

	for (size_t i = 0; i < elf->section_count && !id; i++)
		if (elf->sections[i].type == KSMA_SHT_NOTE)
			id = ksma_note_build_id(elf->sections[i].data, elf->sections[i].size,
						ret_length);
	for (size_t i = 0; i < elf->segment_count && !id && !elf->section_count; i++)
		if (elf->segments[i].type == KSMA_PT_NOTE)
			id = ksma_note_build_id(elf->segments[i].data, elf->segments[i].file_size,
						ret_length);
	return id;
}
