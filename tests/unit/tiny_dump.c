/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the dumps of tiny_dump.h the way QEMU does: target/i386/arch_dump.c and dump/dump.c say how. */
#include "tiny_dump.h"

#include <elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

enum {
	PRSTATUS_SIZE = 336,
	QEMU_STATE_SIZE = 440,
	NOTE_HEAD = 12 + 8, /* with the name */
	NOTES_SIZE = TINY_VCPUS * (2 * NOTE_HEAD + PRSTATUS_SIZE + QEMU_STATE_SIZE),
};

static const uint64_t pages[] = { 0, 1, 2, TINY_HIGH };

static void put(struct tiny_dump *dump, size_t offset, const void *bytes, size_t size)
{
	if (offset + size > sizeof(dump->data))
		abort();
	memcpy(dump->data + offset, bytes, size);
	if (offset + size > dump->size)
		dump->size = offset + size;
}

static void put32(struct tiny_dump *dump, size_t offset, uint32_t value)
{
	put(dump, offset, &value, sizeof(value));
}

static void put64(struct tiny_dump *dump, size_t offset, uint64_t value)
{
	put(dump, offset, &value, sizeof(value));
}

void tiny_page(uint64_t pfn, uint8_t *page)
{
	uint64_t noise = 88172645463325252ull;

	memset(page, 0, TINY_PAGE);
	for (size_t i = 0; i < TINY_PAGE && pfn != 2; i++) {
		noise ^= noise << 13;
		noise ^= noise >> 7;
		noise ^= noise << 17;
		page[i] = pfn == 1 ? (uint8_t)noise : (uint8_t)("page of a guest "[i % 16] + pfn);
	}
}

uint64_t tiny_register(unsigned vcpu, unsigned number)
{
	return 0xffff800000000000ull + vcpu * 0x10000 + number * 0x101;
}

/* The head of a note and zeroes for its data. @return where the data begins */
static size_t put_note(struct tiny_dump *dump, size_t *at, const char *name, uint32_t type,
		       uint32_t size)
{
	static const uint8_t zeroes[512];
	size_t data = *at + NOTE_HEAD;

	put32(dump, *at, 5);
	put32(dump, *at + 4, size);
	put32(dump, *at + 8, type);
	put(dump, *at + 12, "\0\0\0\0\0\0\0", 8);
	put(dump, *at + 12, name, 4);
	put(dump, data, zeroes, size);
	*at = data + size;
	return data;
}

static void put_prstatus(struct tiny_dump *dump, size_t *at, unsigned vcpu)
{
	static const uint8_t order[] = { 15, 14, 13, 12, 5, 3, 11, 10, 9, 8, 0, 1, 2, 6, 7 };
	size_t regs = put_note(dump, at, "CORE", NT_PRSTATUS, PRSTATUS_SIZE) + 112;

	for (size_t i = 0; i < sizeof(order); i++)
		put64(dump, regs + i * 8, tiny_register(vcpu, order[i]));
	put64(dump, regs + 16 * 8, tiny_register(vcpu, 16));
	put64(dump, regs + 17 * 8, 0x10);
	put64(dump, regs + 18 * 8, 0x246);
	put64(dump, regs + 19 * 8, tiny_register(vcpu, 4));
	put64(dump, regs + 22 * 8, 0xffff888000000000ull + vcpu);
}

static void put_qemu_state(struct tiny_dump *dump, size_t *at, unsigned vcpu)
{
	static const uint8_t order[] = { 0, 3, 1, 2, 6, 7, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15 };
	size_t state = put_note(dump, at, "QEMU", 0, QEMU_STATE_SIZE);

	put32(dump, state, 1);
	put32(dump, state + 4, QEMU_STATE_SIZE);
	for (size_t i = 0; i < sizeof(order); i++)
		put64(dump, state + 8 + i * 8, tiny_register(vcpu, order[i]));
	put64(dump, state + 136, tiny_register(vcpu, 16));
	put64(dump, state + 144, 0x246);
	for (uint32_t i = 0; i < 10; i++) { /* cs ds es fs gs ss ldt tr gdt idt */
		put32(dump, state + 152 + i * 24, 8 * i);
		put32(dump, state + 152 + i * 24 + 4, 0x1000 + i);
		put32(dump, state + 152 + i * 24 + 8, 0xa09b00 + i);
		put64(dump, state + 152 + i * 24 + 16, TINY_LDT_BASE + (i - 6) * 0x1000ull);
	}
	put64(dump, state + 392, 0x80050033);
	put64(dump, state + 408, 0x7fff12345678);
	put64(dump, state + 416, TINY_CR3);
	put64(dump, state + 424, 0x3506f0);
	put64(dump, state + 432, 0xffff88803ec00000ull + vcpu);
}

static void put_notes(struct tiny_dump *dump, size_t at)
{
	dump->notes = at;
	for (unsigned i = 0; i < TINY_VCPUS; i++)
		put_prstatus(dump, &at, i);
	for (unsigned i = 0; i < TINY_VCPUS; i++)
		put_qemu_state(dump, &at, i);
}

static void put_segment(struct tiny_dump *dump, unsigned index, uint32_t type, uint64_t offset,
			uint64_t vaddr, uint64_t paddr, uint64_t size)
{
	Elf64_Phdr segment = { .p_type = type,
			       .p_offset = offset,
			       .p_vaddr = vaddr,
			       .p_paddr = paddr,
			       .p_filesz = size,
			       .p_memsz = size };

	put(dump, sizeof(Elf64_Ehdr) + index * sizeof(segment), &segment, sizeof(segment));
}

/* Header, notes and the pages, for `segments` program headers to be put by the caller. */
static void begin_elf(struct tiny_dump *dump, uint16_t segments)
{
	Elf64_Ehdr header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB,
					   EV_CURRENT },
			      .e_type = ET_CORE,
			      .e_machine = EM_X86_64,
			      .e_version = EV_CURRENT,
			      .e_phoff = sizeof(header),
			      .e_ehsize = sizeof(header),
			      .e_phentsize = sizeof(Elf64_Phdr),
			      .e_phnum = segments };
	uint8_t page[TINY_PAGE];

	memset(dump, 0, sizeof(*dump));
	put(dump, 0, &header, sizeof(header));
	put_notes(dump, sizeof(header) + segments * sizeof(Elf64_Phdr));
	dump->memory = dump->size;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		tiny_page(pages[i], page);
		put(dump, dump->memory + i * TINY_PAGE, page, sizeof(page));
	}
	put_segment(dump, 0, PT_NOTE, dump->notes, 0, 0, NOTES_SIZE);
}

void tiny_dump_elf(struct tiny_dump *dump)
{
	begin_elf(dump, 3);
	put_segment(dump, 1, PT_LOAD, dump->memory, 0, 0, 3 * TINY_PAGE);
	put_segment(dump, 2, PT_LOAD, dump->memory + 3 * TINY_PAGE, 0, TINY_HIGH * TINY_PAGE,
		    TINY_PAGE);
}

void tiny_dump_elf_paging(struct tiny_dump *dump)
{
	const uint64_t direct = 0xffff888000000000ull, image = 0xffffffff81000000ull;

	begin_elf(dump, 6);
	put_segment(dump, 1, PT_LOAD, dump->memory + 3 * TINY_PAGE, direct + TINY_HIGH * TINY_PAGE,
		    TINY_HIGH * TINY_PAGE, TINY_PAGE);
	put_segment(dump, 2, PT_LOAD, dump->memory + TINY_PAGE, image, TINY_PAGE, 2 * TINY_PAGE);
	put_segment(dump, 3, PT_LOAD, dump->memory, direct, 0, TINY_PAGE);
	put_segment(dump, 4, PT_LOAD, dump->memory, direct, 0, 2 * TINY_PAGE);
	put_segment(dump, 5, PT_LOAD, UINT64_MAX, 0xffffc90000000000ull, 0xfed00000,
		    0); /* a device: not in the file */
}

/* One page and its descriptor. */
static void put_kdump_page(struct tiny_dump *dump, size_t index, size_t *at)
{
	uint8_t page[TINY_PAGE], packed[2 * TINY_PAGE];
	uLongf length = sizeof(packed);
	bool raw;

	tiny_page(pages[index], page);
	if (compress2(packed, &length, page, sizeof(page), Z_BEST_SPEED) != Z_OK)
		abort();
	raw = length >= sizeof(page) || pages[index] == 2; /* a page of zeroes is kept as it is */
	if (raw)
		length = sizeof(page);
	put64(dump, dump->descs + index * 24, *at);
	put32(dump, dump->descs + index * 24 + 8, (uint32_t)length);
	put32(dump, dump->descs + index * 24 + 12, raw ? 0 : 1);
	put64(dump, dump->descs + index * 24 + 16, 0);
	put(dump, *at, raw ? page : packed, length);
	*at += length;
}

void tiny_dump_kdump(struct tiny_dump *dump)
{
	const size_t count = sizeof(pages) / sizeof(pages[0]);
	uint8_t bitmap[TINY_PAGE] = { 0 };
	size_t at;

	memset(dump, 0, sizeof(*dump));
	put(dump, 0, "KDUMP   ", 8);
	put32(dump, 8, 6);
	put32(dump, 424, 1); /* zlib */
	put32(dump, 428, TINY_PAGE);
	put32(dump, 432, 1); /* blocks of the sub header and the notes */
	put32(dump, 436, 2); /* blocks of the bitmaps */
	put32(dump, 440, TINY_HIGH + 1);
	put32(dump, 460, TINY_VCPUS);
	put64(dump, TINY_PAGE + 48, TINY_PAGE + 104);
	put64(dump, TINY_PAGE + 56, NOTES_SIZE);
	put64(dump, TINY_PAGE + 96, TINY_HIGH + 1);
	put_notes(dump, TINY_PAGE + 104);
	dump->bitmap1 = 2 * TINY_PAGE;
	dump->bitmap2 = 3 * TINY_PAGE;
	dump->descs = 4 * TINY_PAGE;
	for (size_t i = 0; i < count; i++)
		bitmap[pages[i] / 8] |= (uint8_t)(1u << pages[i] % 8);
	put(dump, dump->bitmap1, bitmap, sizeof(bitmap));
	put(dump, dump->bitmap2, bitmap, sizeof(bitmap));
	at = dump->descs + count * 24;
	for (size_t i = 0; i < count; i++)
		put_kdump_page(dump, i, &at);
}

static void put_be64(struct tiny_dump *dump, size_t offset, uint64_t value)
{
	put64(dump, offset, __builtin_bswap64(value));
}

void tiny_dump_flatten(struct tiny_dump *dump, const struct tiny_dump *plain, size_t piece)
{
	size_t at = TINY_PAGE;

	memset(dump, 0, sizeof(*dump));
	put(dump, 0, "makedumpfile\0\0\0\0", 16);
	put_be64(dump, 16, 1);
	put_be64(dump, 24, 1);
	for (size_t offset = 0; offset < plain->size; offset += piece) {
		size_t size = plain->size - offset < piece ? plain->size - offset : piece;

		put_be64(dump, at, offset);
		put_be64(dump, at + 8, size);
		put(dump, at + 16, plain->data + offset, size);
		at += 16 + size;
	}
	put_be64(dump, at, UINT64_MAX);
	put_be64(dump, at + 8, UINT64_MAX);
}

void tiny_dump_raw(struct tiny_dump *dump)
{
	uint8_t page[TINY_PAGE];

	memset(dump, 0, sizeof(*dump));
	for (size_t i = 0; i < 3; i++) {
		tiny_page(pages[i], page);
		put(dump, i * TINY_PAGE, page, sizeof(page));
	}
}

int tiny_dump_fd(const uint8_t *data, size_t size)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		perror("memfd");
		exit(1);
	}
	return fd;
}
