/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the payload's parts lie: loaded from LOAD_ADDRESS on, linked to run at IMAGE_ADDRESS. */
#include "payload.h"
OUTPUT_FORMAT(elf64-x86-64)
ENTRY(boot)
SECTIONS
{
	. = IMAGE_ADDRESS;
	image_start = .;
	.text : AT(LOAD_ADDRESS) { KEEP(*(.multiboot)) *(.text .text.*) }
	ASSERT(. <= IMAGE_ADDRESS + TEXT_PAGES * 4096, "the payload's code has outgrown TEXT_PAGES")
	. = IMAGE_ADDRESS + TEXT_PAGES * 4096;
	.rodata : AT(ADDR(.rodata) - IMAGE_OFFSET) { *(.rodata .rodata.*) }
	ASSERT(. <= IMAGE_ADDRESS + (TEXT_PAGES + RODATA_PAGES) * 4096, "the payload's constants have outgrown RODATA_PAGES")
	. = IMAGE_ADDRESS + (TEXT_PAGES + RODATA_PAGES) * 4096;
	.data : AT(ADDR(.data) - IMAGE_OFFSET) { *(.data .data.*) }
	.bss : AT(ADDR(.bss) - IMAGE_OFFSET) { *(.bss .bss.* COMMON) }
	image_end = .;
	ASSERT(. <= IMAGE_ADDRESS + (TEXT_PAGES + RODATA_PAGES + DATA_PAGES) * 4096, "the payload's data has outgrown DATA_PAGES")
	/DISCARD/ : { *(.comment) *(.note*) *(.eh_frame) }
}
