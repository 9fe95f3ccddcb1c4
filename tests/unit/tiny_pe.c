/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes bzImages by hand (Documentation/arch/x86/boot.rst, the PE format), so that tests need no kernel. */
#include "tiny_pe.h"

static void put(uint8_t *at, uint64_t value, size_t width)
{
	memcpy(at, &value, width);
}

static void put_section(uint8_t *image, unsigned number, const char *name, size_t offset,
			size_t size)
{
	uint8_t *s = image + TINY_PE_SECTIONS + number * 40;

	memcpy(s, name, strlen(name));
	put(s + 8, size, 4);
	put(s + 12, offset, 4);
	put(s + 16, size, 4);
	put(s + 20, offset, 4);
	put(s + 36, 0x60000020, 4);
}

uint8_t *tiny_bzimage(const void *payload, size_t length, uint32_t unpacked, size_t *ret_length)
{
	size_t total = ksma_align_up(TINY_SETUP + length + 4, 512);
	uint8_t *image = calloc(1, total), *optional = image + TINY_PE_AT + 24;

	if (!image)
		abort();
	memcpy(image, "MZ", 2);
	put(image + 0x3c, TINY_PE_AT, 4);
	/* The section table ends before the setup header begins at 0x1f1. */
	memcpy(image + TINY_PE_AT, "PE\0\0\x64\x86", 6);
	put(image + TINY_PE_AT + 6, 2, 2);    /* sections */
	put(image + TINY_PE_AT + 20, 160, 2); /* the optional header's size */
	put(image + TINY_PE_AT + 22, 0x206, 2);
	put(optional, 0x20b, 2);
	put(optional + 16, TINY_SETUP, 4); /* entry */
	put(optional + 32, 512, 4);	   /* alignments */
	put(optional + 36, 512, 4);
	put(optional + 56, total, 4); /* in memory */
	put(optional + 60, 512, 4);   /* headers */
	put(optional + 68, 10, 2);
	put(optional + 108, 6, 4); /* directories */
	put_section(image, 0, ".setup", 512, 512);
	put_section(image, 1, ".text", TINY_SETUP, total - TINY_SETUP);
	image[0x1f1] = 1;
	put(image + 0x1fe, 0xaa55, 2);
	memcpy(image + 0x202, "HdrS", 4);
	put(image + 0x206, 0x20f, 2);
	put(image + 0x248, 0, 4);
	put(image + 0x24c, length + (unpacked ? 4 : 0), 4);
	memcpy(image + TINY_SETUP, payload, length);
	if (unpacked)
		put(image + TINY_SETUP + length, unpacked, 4);
	*ret_length = total;
	return image;
}
