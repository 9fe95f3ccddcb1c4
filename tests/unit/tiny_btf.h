/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes small BTF blobs: for unit tests, and as seeds of the fuzz target. */
#ifndef KSMA_TESTS_TINY_BTF_H
#define KSMA_TESTS_TINY_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TINY_BTF_MAX = 1 << 20, TINY_BTF_HEADER = 24 };

struct tiny_btf {
	uint32_t types_size, strings_size, layouts_size, count;
	uint8_t types[TINY_BTF_MAX];
	char strings[TINY_BTF_MAX];
	uint8_t layouts[256];
	size_t size; /* of data, set by tiny_btf_finish() */
	uint8_t data[2 * TINY_BTF_MAX];
};

void tiny_btf_start(struct tiny_btf *b);
/* The offset of a string that is added; "" is 0. */
uint32_t tiny_btf_string(struct tiny_btf *b, const char *string);
/* Adds a type's first 12 bytes, with info = flag << 31 | kind << 24 | vlen, and returns its id. */
uint32_t tiny_btf_type(struct tiny_btf *b, const char *name, unsigned kind, bool flag,
		       uint32_t vlen, uint32_t size_or_type);
/* Adds what follows a type. */
void tiny_btf_u32(struct tiny_btf *b, uint32_t value);
void tiny_btf_member(struct tiny_btf *b, const char *name, uint32_t type, uint32_t offset);
/* Says how many bytes follow a type of some kind; the header is then the longer one of 7.1. */
void tiny_btf_layout(struct tiny_btf *b, unsigned kind, uint8_t fixed, uint8_t element);
/* Puts the blob together. Fields of data may then be damaged. */
void tiny_btf_finish(struct tiny_btf *b);

/* What tiny_btf_sample() makes: every kind, and a struct "outer" with whatever members may be. */
struct tiny_btf_ids {
	uint32_t u_int, u_long, pointer, array, matrix, outer, inner, holder, oldbits, color, wide,
		alias, chain, proto, func, var, section, real, tag, forward, type_tag;
};

void tiny_btf_sample(struct tiny_btf *b, struct tiny_btf_ids *ids);

#endif
