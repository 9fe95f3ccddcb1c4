/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kallsyms: the table of symbols that a kernel carries in its read-only data, found and decoded with nothing else known.
 *
 * Source: scripts/kallsyms.c and kernel/kallsyms.c of the kernel, 4.19 to 7.2. The tables are emitted in one piece, in one of
 * two orders, and addresses are stored in one of four ways; see the enums. Hostile input: the bytes may be crafted, and may
 * change while they are read. */
#ifndef KSMA_LINUX_KALLSYMS_H
#define KSMA_LINUX_KALLSYMS_H

#include "linux/symbols.h"

/* The order of the tables. */
enum ksma_kallsyms_layout {
	/* offsets, relative_base, num_syms, names, markers, [seqs_of_names from 6.2,] token_table, token_index */
	KSMA_KALLSYMS_ADDRESSES_FIRST,
	/* num_syms, names, markers, token_table, token_index, offsets, [relative_base,] seqs_of_names:
	 * 404bad70fcf7 "scripts/kallsyms: change the output order", 6.4 */
	KSMA_KALLSYMS_ADDRESSES_LAST,
};

/* How an address is stored. */
enum ksma_kallsyms_encoding {
	KSMA_KALLSYMS_ABSOLUTE, /* 64 bits, CONFIG_KALLSYMS_BASE_RELATIVE=n (gone in 6.12) */
	KSMA_KALLSYMS_RELATIVE, /* u32 from relative_base */
	/* s32: from 0 up as they are (per-CPU offsets), below 0 relative_base - 1 - offset: CONFIG_KALLSYMS_ABSOLUTE_PERCPU,
	 * removed by 01157ddc58dc "kallsyms: Remove KALLSYMS_ABSOLUTE_PERCPU", 6.15 */
	KSMA_KALLSYMS_RELATIVE_PERCPU,
	/* s32 from the place of the offset itself: a081b5789255 "kallsyms: Get rid of kallsyms relative base", 7.0 */
	KSMA_KALLSYMS_PLACE,
};

/* Where the tables lie. Offsets are from the start of the data that was searched. */
struct ksma_kallsyms {
	enum ksma_kallsyms_layout layout;
	enum ksma_kallsyms_encoding encoding;
	size_t start, end;	 /* all that ksma_kallsyms_decode() reads lies between */
	size_t offsets;		 /* or addresses */
	size_t relative_base_at; /* 0: none is stored */
	size_t num_syms_at;
	size_t names, names_end;
	size_t markers;
	unsigned marker_size; /* 4, or 8 before 5.0 */
	size_t token_table, token_index;
	uint64_t gva; /* where the data is mapped */
	uint64_t
		relative_base; /* run-time address of the first symbol that is not absolute: the slide of the decoded table */
	uint32_t num_syms;
};

/* Finds kallsyms tables in a piece of kernel image (its .rodata, or all of it).
 *
 * Everything is checked: the token table against its index, the markers against a walk of the names, the order of the
 * addresses, and that these lie around `gva`. Still, tables may be a decoy or a stale copy: the caller decides by what they
 * say, and may go on to the next.
 *
 * @data      starts at a multiple of 8 in the guest
 * @length    up to 1 GiB
 * @gva       the address at which `data` is mapped in the kernel; 0 when not known: whether the symbols lie near is then not
 *            checked, and relative_base of KSMA_KALLSYMS_PLACE counts from the start of the data
 * @position  where to start, 0 at first; on success, where to look for the next
 * @return NULL, NOT_PRESENT (no, or no further, tables) or LIMIT (crafted data cost too much; *position is behind it, and the
 *         caller may go on at its own expense) */
struct ksma_error *ksma_kallsyms_locate(const uint8_t *data, size_t length, uint64_t gva,
					size_t *position,
					struct ksma_kallsyms *ret) KSMA_MUST_CHECK;

/* Decodes all symbols of tables that were located in the same data. Addresses are relative to tables->relative_base, which
 * becomes the slide, so that the decoded table is the same at each boot of a kernel.
 * @ret_symbols indexed; freed with ksma_symbols_deinit(); untouched on error
 * @return NULL, BAD_DATA (the data changed meanwhile), LIMIT (crafted names) or NOMEM */
struct ksma_error *ksma_kallsyms_decode(const uint8_t *data, size_t length,
					const struct ksma_kallsyms *tables,
					struct ksma_symbols *ret_symbols) KSMA_MUST_CHECK;

/* Checks what the symbols say of themselves: _stext, _etext and linux_banner exist, and __start_rodata and __end_rodata, where
 * present, enclose the tables that they came from. A copy of a kernel's tables elsewhere in memory fails this.
 * @return NULL or BAD_DATA with what does not fit */
struct ksma_error *ksma_kallsyms_verify(const struct ksma_kallsyms *tables,
					const struct ksma_symbols *symbols) KSMA_MUST_CHECK;

#endif
