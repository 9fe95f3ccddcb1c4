/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes ELF files of a few pages, so that tests need no compiler. */
#include "tiny_elf.h"

#include <elf.h>

enum { MAX_SECTIONS = 12 };

struct writer {
	struct tiny_elf elf;
	size_t capacity;
	Elf64_Shdr sections[MAX_SECTIONS];
	size_t count;
	char names[256];
	size_t names_length;
};

static size_t put(struct writer *w, const void *bytes, size_t length)
{
	size_t at = w->elf.length;

	while (w->elf.length + length > w->capacity) {
		w->capacity = w->capacity ? 2 * w->capacity : 65536;
		w->elf.data = realloc(w->elf.data, w->capacity);
		if (!w->elf.data)
			abort();
	}
	if (bytes)
		memcpy(w->elf.data + at, bytes, length);
	else
		memset(w->elf.data + at, 0, length);
	w->elf.length += length;
	return at;
}

static void align(struct writer *w, size_t to)
{
	put(w, NULL, ksma_align_up(w->elf.length, to) - w->elf.length);
}

static Elf64_Shdr *section(struct writer *w, const char *name, uint32_t type, uint64_t flags,
			   const void *bytes, size_t length)
{
	Elf64_Shdr *s = &w->sections[w->count++];

	if (w->count > MAX_SECTIONS)
		abort();
	align(w, 8);
	s->sh_name = (Elf64_Word)w->names_length;
	memcpy(w->names + w->names_length, name, strlen(name) + 1);
	w->names_length += strlen(name) + 1;
	s->sh_type = type;
	s->sh_flags = flags;
	s->sh_offset = w->elf.length;
	s->sh_size = length;
	s->sh_addralign = 8;
	if (type != SHT_NOBITS)
		put(w, bytes, length);
	return s;
}

static void finish(struct writer *w, uint16_t type, size_t segments)
{
	Elf64_Ehdr header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = type,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = 0x1000000,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phoff = segments ? sizeof(Elf64_Ehdr) : 0,
		.e_phentsize = segments ? sizeof(Elf64_Phdr) : 0,
		.e_phnum = (Elf64_Half)segments,
		.e_shentsize = sizeof(Elf64_Shdr),
	};

	section(w, ".shstrtab", SHT_STRTAB, 0, NULL, 0);
	w->sections[w->count - 1].sh_size = w->names_length;
	put(w, w->names, w->names_length);
	align(w, 8);
	header.e_shoff = w->elf.length;
	header.e_shnum = (Elf64_Half)w->count;
	header.e_shstrndx = (Elf64_Half)(w->count - 1);
	w->elf.section_headers = put(w, w->sections, w->count * sizeof(*w->sections));
	w->elf.program_headers = header.e_phoff;
	memcpy(w->elf.data, &header, sizeof(header));
	w->elf.elf_length = w->elf.length;
}

static void note(uint8_t *out, uint8_t id)
{
	static const uint32_t head[3] = { 4, 20, 3 };

	memcpy(out, head, 12);
	memcpy(out + 12, "GNU", 4);
	memset(out + 16, id, 20);
}

static void put_list(struct writer *w, const uint32_t *list)
{
	put(w, NULL, 4);
	for (; *list; list++)
		put(w, list, 4);
}

struct tiny_elf tiny_kernel(const uint32_t *add64, const uint32_t *subtract32,
			    const uint32_t *add32)
{
	struct writer w = { 0 };
	uint8_t text[0x2000], data[0x1000], id[36];
	Elf64_Phdr segments[2] = { 0 };
	Elf64_Shdr *s;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7);
	memset(data, 0x55, sizeof(data));
	note(id, 0xab);
	put(&w, NULL, sizeof(Elf64_Ehdr) + sizeof(segments));
	section(&w, "", SHT_NULL, 0, NULL, 0);
	s = section(&w, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, text, sizeof(text));
	s->sh_addr = TINY_TEXT;
	segments[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
				    .p_flags = PF_R | PF_X,
				    .p_vaddr = TINY_TEXT,
				    .p_paddr = 0x1000000,
				    .p_offset = s->sh_offset,
				    .p_filesz = sizeof(text),
				    .p_memsz = sizeof(text) };
	s = section(&w, ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, data, sizeof(data));
	s->sh_addr = TINY_DATA;
	segments[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
				    .p_flags = PF_R | PF_W,
				    .p_vaddr = TINY_DATA,
				    .p_paddr = 0x1002000,
				    .p_offset = s->sh_offset,
				    .p_filesz = sizeof(data),
				    .p_memsz = sizeof(data) + 0x1000 };
	s = section(&w, ".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, NULL, 0x1000);
	s->sh_addr = TINY_DATA + sizeof(data);
	section(&w, ".notes", SHT_NOTE, 0, id, sizeof(id));
	finish(&w, ET_EXEC, 2);
	memcpy(w.elf.data + sizeof(Elf64_Ehdr), segments, sizeof(segments));
	if (add64) {
		put_list(&w, add64);
		if (subtract32)
			put_list(&w, subtract32);
		put_list(&w, add32);
	}
	return w.elf;
}

struct tiny_elf tiny_module(const char *name, uint8_t id)
{
	static const char strings[] = "\0init_module\0printk";
	struct writer w = { 0 };
	Elf64_Sym symbols[3] = { 0 };
	Elf64_Rela relocations[2] = { 0 };
	uint8_t text[64], build_id[36];
	char info[128];
	Elf64_Shdr *s;
	int n;

	memset(text, 0x90, sizeof(text));
	note(build_id, id);
	symbols[1] = (Elf64_Sym){ .st_name = 1,
				  .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
				  .st_shndx = 1,
				  .st_size = 16 };
	symbols[2] = (Elf64_Sym){ .st_name = 13, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE) };
	relocations[0] = (Elf64_Rela){ .r_offset = 4,
				       .r_info = ELF64_R_INFO(2, R_X86_64_PLT32),
				       .r_addend = -4 };
	relocations[1] = (Elf64_Rela){ .r_offset = 16,
				       .r_info = ELF64_R_INFO(1, R_X86_64_64),
				       .r_addend = 8 };
	n = snprintf(info, sizeof(info),
		     "license=GPL%cname=%s%cvermagic=6.1.0-tiny SMP mod_unload ", 0, name, 0);
	put(&w, NULL, sizeof(Elf64_Ehdr));
	section(&w, "", SHT_NULL, 0, NULL, 0);
	section(&w, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, text, sizeof(text));
	s = section(&w, ".rela.text", SHT_RELA, 0, relocations, sizeof(relocations));
	s->sh_entsize = sizeof(Elf64_Rela);
	s->sh_link = 4;
	s->sh_info = 1;
	section(&w, ".modinfo", SHT_PROGBITS, SHF_ALLOC, info, (size_t)n + 1);
	s = section(&w, ".symtab", SHT_SYMTAB, 0, symbols, sizeof(symbols));
	s->sh_entsize = sizeof(Elf64_Sym);
	s->sh_link = 5;
	w.elf.symbols = s->sh_offset;
	section(&w, ".strtab", SHT_STRTAB, 0, strings, sizeof(strings));
	section(&w, ".note.gnu.build-id", SHT_NOTE, SHF_ALLOC, build_id, sizeof(build_id));
	section(&w, ".gnu.linkonce.this_module", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, text,
		sizeof(text));
	finish(&w, ET_REL, 0);
	return w.elf;
}

void tiny_elf_free(struct tiny_elf *elf)
{
	free(elf->data);
	memset(elf, 0, sizeof(*elf));
}
