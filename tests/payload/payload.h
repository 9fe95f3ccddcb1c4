/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The addresses that the payload's loader script, assembly and C agree on. */
#ifndef KSMA_TESTS_PAYLOAD_H
#define KSMA_TESTS_PAYLOAD_H

#define LOAD_ADDRESS 0x100000		 /* physical address of the image */
#define IMAGE_ADDRESS 0xffffffff81000000 /* virtual address of the image */
#define IMAGE_OFFSET 0xffffffff80f00000	 /* virtual minus physical */
#define TEXT_PAGES 16			 /* of the image: code, then constants, then data */
#define RODATA_PAGES 8
#define DATA_PAGES 40

#define DIRECT_ADDRESS 0xffff888000000000  /* a 1 GiB page at physical address 0 */
#define SCATTER_ADDRESS 0xffffc90000000000 /* eight 4 KiB pages, their frames in falling order */
#define SCATTER_FRAME(i) (0x800000 + (7 - (i)) * 0x3000)
#define SCATTER_USER 3			    /* the one that user mode may read */
#define LARGE_NX_ADDRESS 0xffffffff82000000 /* 2 MiB, data */
#define LARGE_NX_FRAME 0x1000000
#define LARGE_RO_ADDRESS 0xffffffff82200000 /* 2 MiB, code */
#define LARGE_RO_FRAME 0x1200000
#define ABSENT_LARGE_ADDRESS 0xffffffff82400000 /* no entry in the page directory */
#define RESERVED_ADDRESS 0xffffffff82600000	/* a 2 MiB entry with a reserved bit set */
#define ABSENT_HUGE_ADDRESS 0xffff888040000000	/* no entry in the page directory pointer table */
#define ABSENT_TOP_ADDRESS 0xffffa00000000000	/* no entry in the top table */
#define OUTSIDE_ADDRESS 0xffffea0000000000	/* its table is where there is no memory */
#define OUTSIDE_TABLE 0x7fff0000

#define GDT_CODE 0x08
#define GDT_DATA 0x10
#define GDT_TSS 0x18

/* What the registers hold while it counts. */
#define SPIN_RBX 0x1111111111111111
#define SPIN_RCX 0x2222222222222222
#define SPIN_RDX 0x3333333333333333
#define SPIN_RSI 0x4444444444444444
#define SPIN_RDI 0x5555555555555555
#define SPIN_RBP 0x6666666666666666
#define SPIN_R8 0x0808080808080808
#define SPIN_R9 0x0909090909090909
#define SPIN_R10 0x1010101010101010
#define SPIN_R11 0x1111000011110000
#define SPIN_R12 0x1212121212121212
#define SPIN_R13 0x1313131313131313
#define SPIN_R14 0x1414141414141414
#define SPIN_R15 0x1515151515151515

#endif
