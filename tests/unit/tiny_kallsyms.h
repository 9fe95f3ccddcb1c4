/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes small kallsyms tables in every form that kernels have had: for unit tests, and as seeds of the fuzz target. */
#ifndef KSMA_TESTS_TINY_KALLSYMS_H
#define KSMA_TESTS_TINY_KALLSYMS_H

#include "linux/kallsyms.h"

enum {
	TINY_KALLSYMS_MAX = 1 << 18,
	TINY_KALLSYMS_PER_CPU = 5, /* absolute symbols, where the encoding has any */
	TINY_KALLSYMS_LONG = 100,  /* the symbol whose name takes two bytes of length */
	TINY_KALLSYMS_TWIN = 7,	   /* every 64th symbol from here on is called "twin" */
};

#define TINY_KALLSYMS_BASE 0xffffffff9a000000ull
#define TINY_KALLSYMS_GVA 0xffffffff9b000000ull

struct tiny_kallsyms {
	/* What is wanted. */
	enum ksma_kallsyms_layout layout;
	enum ksma_kallsyms_encoding encoding;
	unsigned marker_size; /* 4 or 8 */
	unsigned seqs;	      /* bytes a symbol of seqs_of_names before the tokens: 0, 3 or 4 */
	unsigned align;	      /* of each table: 8, or 4 from 7.0 on */
	uint32_t count;
	size_t at; /* where the tables start in data */

	/* What is made. */
	struct ksma_kallsyms tables;
	size_t size;
	uint8_t data[TINY_KALLSYMS_MAX];
};

struct tiny_symbol {
	uint64_t address; /* at run time, or absolute */
	bool absolute;
	char type;
	char name[512];
};

/* The tables as some kernel has them: 5.10, 6.1, 6.4, 6.15 and 7.0 are told apart; 419 is 4.19 and 0 one without base. */
void tiny_kallsyms_like(struct tiny_kallsyms *t, unsigned kernel, uint32_t count);
void tiny_kallsyms_make(struct tiny_kallsyms *t);
/* What symbol `i` of the table is. */
void tiny_kallsyms_symbol(const struct tiny_kallsyms *t, uint32_t i, struct tiny_symbol *ret);

#endif
