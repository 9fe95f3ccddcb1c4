/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes small BTF blobs, as Documentation/bpf/btf.rst describes them. */
#include "tiny_btf.h"

#include <assert.h>
#include <string.h>

#include "linux/btf.h"

static void put32(uint8_t *p, uint32_t value)
{
	memcpy(p, &value, sizeof(value));
}

void tiny_btf_start(struct tiny_btf *b)
{
	b->types_size = 0;
	b->layouts_size = 0;
	b->count = 0;
	b->strings[0] = '\0';
	b->strings_size = 1;
}

uint32_t tiny_btf_string(struct tiny_btf *b, const char *string)
{
	uint32_t at = b->strings_size;

	if (!*string)
		return 0;
	assert(at + strlen(string) + 1 <= sizeof(b->strings));
	memcpy(b->strings + at, string, strlen(string) + 1);
	b->strings_size += (uint32_t)strlen(string) + 1;
	return at;
}

void tiny_btf_u32(struct tiny_btf *b, uint32_t value)
{
	assert(b->types_size + 4 <= sizeof(b->types));
	put32(b->types + b->types_size, value);
	b->types_size += 4;
}

uint32_t tiny_btf_type(struct tiny_btf *b, const char *name, unsigned kind, bool flag,
		       uint32_t vlen, uint32_t size_or_type)
{
	tiny_btf_u32(b, tiny_btf_string(b, name));
	tiny_btf_u32(b, (uint32_t)flag << 31 | kind << 24 | vlen);
	tiny_btf_u32(b, size_or_type);
	return ++b->count;
}

void tiny_btf_member(struct tiny_btf *b, const char *name, uint32_t type, uint32_t offset)
{
	tiny_btf_u32(b, tiny_btf_string(b, name));
	tiny_btf_u32(b, type);
	tiny_btf_u32(b, offset);
}

void tiny_btf_layout(struct tiny_btf *b, unsigned kind, uint8_t fixed, uint8_t element)
{
	assert(kind * 4 + 4 <= sizeof(b->layouts));
	if (b->layouts_size < kind * 4 + 4) {
		memset(b->layouts + b->layouts_size, 0, kind * 4 + 4 - b->layouts_size);
		b->layouts_size = kind * 4 + 4;
	}
	b->layouts[kind * 4] = fixed;
	b->layouts[kind * 4 + 1] = element;
}

void tiny_btf_finish(struct tiny_btf *b)
{
	uint32_t header = b->layouts_size ? TINY_BTF_HEADER + 8 : TINY_BTF_HEADER;
	uint8_t *p = b->data;

	assert(header + b->types_size + b->layouts_size + b->strings_size <= sizeof(b->data));
	memset(p, 0, header);
	memcpy(p, "\x9f\xeb\x01", 3);
	put32(p + 4, header);
	put32(p + 8, 0);
	put32(p + 12, b->types_size);
	put32(p + 16, b->types_size + b->layouts_size);
	put32(p + 20, b->strings_size);
	if (b->layouts_size) {
		put32(p + 24, b->types_size);
		put32(p + 28, b->layouts_size);
	}
	p += header;
	memcpy(p, b->types, b->types_size);
	p += b->types_size;
	memcpy(p, b->layouts, b->layouts_size);
	p += b->layouts_size;
	memcpy(p, b->strings, b->strings_size);
	b->size = header + b->types_size + b->layouts_size + b->strings_size;
}

static uint32_t array(struct tiny_btf *b, uint32_t element, uint32_t index, uint32_t count)
{
	uint32_t id = tiny_btf_type(b, "", KSMA_BTF_ARRAY, false, 0, 0);

	tiny_btf_u32(b, element);
	tiny_btf_u32(b, index);
	tiny_btf_u32(b, count);
	return id;
}

static void enumerator(struct tiny_btf *b, const char *name, uint32_t value)
{
	tiny_btf_u32(b, tiny_btf_string(b, name));
	tiny_btf_u32(b, value);
}

/* struct outer { int first; union { int low; struct { int deep; long deeper; }; }; struct inner in; int list[3];
 *		  int bit_a : 3; int bit_b : 5; const chain last; int tail[]; }; */
static void sample_structs(struct tiny_btf *b, struct tiny_btf_ids *ids)
{
	uint32_t anonymous_struct, anonymous_union, flexible = array(b, ids->u_int, ids->u_int, 0);

	ids->inner = tiny_btf_type(b, "inner", KSMA_BTF_STRUCT, false, 2, 16);
	tiny_btf_member(b, "x", ids->u_int, 0);
	tiny_btf_member(b, "next", ids->pointer, 64);
	anonymous_struct = tiny_btf_type(b, "", KSMA_BTF_STRUCT, false, 2, 16);
	tiny_btf_member(b, "deep", ids->u_int, 0);
	tiny_btf_member(b, "deeper", ids->u_long, 64);
	anonymous_union = tiny_btf_type(b, "", KSMA_BTF_UNION, false, 2, 16);
	tiny_btf_member(b, "low", ids->u_int, 0);
	tiny_btf_member(b, "", anonymous_struct, 0);
	ids->outer = tiny_btf_type(b, "outer", KSMA_BTF_STRUCT, true, 8, 72);
	tiny_btf_member(b, "first", ids->u_int, 0);
	tiny_btf_member(b, "", anonymous_union, 64);
	tiny_btf_member(b, "in", ids->inner, 192);
	tiny_btf_member(b, "list", ids->array, 320);
	tiny_btf_member(b, "bit_a", ids->u_int, 3u << 24 | 416);
	tiny_btf_member(b, "bit_b", ids->u_int, 5u << 24 | 419);
	tiny_btf_member(b, "last", ids->chain, 448);
	tiny_btf_member(b, "tail", flexible, 576);
	ids->holder = tiny_btf_type(b, "holder", KSMA_BTF_UNION, false, 2, 72);
	tiny_btf_member(b, "o", ids->outer, 0);
	tiny_btf_member(b, "gone", ids->forward, 0);
}

void tiny_btf_sample(struct tiny_btf *b, struct tiny_btf_ids *ids)
{
	uint32_t narrow;

	tiny_btf_start(b);
	ids->u_int = tiny_btf_type(b, "int", KSMA_BTF_INT, false, 0, 4);
	tiny_btf_u32(b, 1u << 24 | 32);
	ids->u_long = tiny_btf_type(b, "long int", KSMA_BTF_INT, false, 0, 8);
	tiny_btf_u32(b, 1u << 24 | 64);
	ids->pointer = tiny_btf_type(b, "", KSMA_BTF_PTR, false, 0, ids->u_int);
	ids->array = array(b, ids->u_int, ids->u_int, 3);
	ids->matrix = array(b, ids->array, ids->u_int, 5);
	ids->alias = tiny_btf_type(b, "alias", KSMA_BTF_TYPEDEF, false, 0, ids->u_long);
	ids->type_tag = tiny_btf_type(b, "user", KSMA_BTF_TYPE_TAG, false, 0, ids->alias);
	ids->chain = tiny_btf_type(b, "", KSMA_BTF_CONST, false, 0, ids->type_tag);
	ids->chain = tiny_btf_type(b, "", KSMA_BTF_VOLATILE, false, 0, ids->chain);
	ids->chain = tiny_btf_type(b, "", KSMA_BTF_RESTRICT, false, 0, ids->chain);
	ids->forward = tiny_btf_type(b, "nowhere", KSMA_BTF_FWD, false, 0, 0);
	sample_structs(b, ids);
	/* Bit fields as they were before kind_flag: the integer says the width. */
	narrow = tiny_btf_type(b, "int", KSMA_BTF_INT, false, 0, 4);
	tiny_btf_u32(b, 2u << 16 | 3);
	ids->oldbits = tiny_btf_type(b, "oldbits", KSMA_BTF_STRUCT, false, 2, 4);
	tiny_btf_member(b, "whole", ids->u_int, 0);
	tiny_btf_member(b, "part", narrow, 8);
	ids->color = tiny_btf_type(b, "color", KSMA_BTF_ENUM, true, 3, 4);
	enumerator(b, "RED", 1);
	enumerator(b, "GREEN", 2);
	enumerator(b, "MINUS", (uint32_t)-7);
	ids->wide = tiny_btf_type(b, "wide", KSMA_BTF_ENUM64, false, 2, 8);
	tiny_btf_member(b, "HUGE", 0x89abcdef, 0x01234567);
	tiny_btf_member(b, "RED", 99, 0);
	tiny_btf_type(b, "", KSMA_BTF_ENUM, false, 1, 4);
	enumerator(b, "TOP_BIT", 0x80000000);
	ids->proto = tiny_btf_type(b, "", KSMA_BTF_FUNC_PROTO, false, 2, ids->u_int);
	tiny_btf_u32(b, tiny_btf_string(b, "argument"));
	tiny_btf_u32(b, ids->pointer);
	tiny_btf_u32(b, 0);
	tiny_btf_u32(b, 0);
	ids->func = tiny_btf_type(b, "work", KSMA_BTF_FUNC, false, 1, ids->proto);
	ids->var = tiny_btf_type(b, "counter", KSMA_BTF_VAR, false, 0, ids->matrix);
	tiny_btf_u32(b, 1);
	ids->section = tiny_btf_type(b, ".data..percpu", KSMA_BTF_DATASEC, false, 1, 128);
	tiny_btf_u32(b, ids->var);
	tiny_btf_u32(b, 0);
	tiny_btf_u32(b, 60);
	ids->real = tiny_btf_type(b, "double", KSMA_BTF_FLOAT, false, 0, 8);
	ids->tag = tiny_btf_type(b, "kfunc", KSMA_BTF_DECL_TAG, false, 0, ids->func);
	tiny_btf_u32(b, 0xffffffff);
	tiny_btf_finish(b);
}
