/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes small kallsyms tables, as the comments of linux/kallsyms.h describe them. */
#include "tiny_kallsyms.h"

#include <assert.h>

enum { RODATA_OFFSET = 0x1000000 };

static const char *const long_tokens[] = {
	"__a_token_of_more_than_sixteen_bytes", "function_", "data_", "__start", "Tt", "_a"
};

void tiny_kallsyms_like(struct tiny_kallsyms *t, unsigned kernel, uint32_t count)
{
	t->layout = kernel == 64 || kernel == 615 || kernel == 70 ? KSMA_KALLSYMS_ADDRESSES_LAST
								  : KSMA_KALLSYMS_ADDRESSES_FIRST;
	t->encoding = KSMA_KALLSYMS_RELATIVE_PERCPU;
	if (kernel == 615)
		t->encoding = KSMA_KALLSYMS_RELATIVE;
	if (kernel == 70)
		t->encoding = KSMA_KALLSYMS_PLACE;
	if (kernel == 0)
		t->encoding = KSMA_KALLSYMS_ABSOLUTE;
	t->marker_size = kernel == 419 ? 8 : 4;
	t->seqs = kernel == 61 ? 3 : 0;
	t->align = kernel == 70 ? 4 : 8;
	t->count = count;
	t->at = 4096 + (kernel == 70 ? 4 : 0);
}

static uint32_t per_cpu(const struct tiny_kallsyms *t)
{
	return t->encoding == KSMA_KALLSYMS_RELATIVE_PERCPU || t->encoding == KSMA_KALLSYMS_ABSOLUTE
		       ? TINY_KALLSYMS_PER_CPU
		       : 0;
}

void tiny_kallsyms_symbol(const struct tiny_kallsyms *t, uint32_t i, struct tiny_symbol *ret)
{
	static const char *const last[] = { "_etext", "__start_rodata", "linux_banner",
					    "__end_rodata", "_end" };
	uint32_t first = per_cpu(t), from_end = t->count - i;

	*ret = (struct tiny_symbol){ .type = 'T' };
	if (i < first) {
		*ret = (struct tiny_symbol){ .address = i * 0x1000u,
					     .absolute = true,
					     .type = 'A' };
		sprintf(ret->name, "per_cpu_%u", i);
	} else if (from_end <= ARRAY_SIZE(last)) {
		static const uint64_t offsets[] = { 0xf00000, RODATA_OFFSET, RODATA_OFFSET + 0x100,
						    RODATA_OFFSET + TINY_KALLSYMS_MAX, 0x2000000 };

		ret->address = TINY_KALLSYMS_BASE + offsets[ARRAY_SIZE(last) - from_end];
		ret->type = from_end == 3 ? 'D' : 'R';
		strcpy(ret->name, last[ARRAY_SIZE(last) - from_end]);
	} else {
		uint32_t n = i - first;

		/* Two share the first address, and so do others here and there. */
		ret->address =
			TINY_KALLSYMS_BASE + (n <= 1 ? 0 : (uint64_t)(n - (n % 50 == 1)) * 64);
		ret->type = n % 3 ? 't' : 'T';
		if (n == 0)
			strcpy(ret->name, "_stext");
		else if (n == 1)
			strcpy(ret->name, "_text");
		else if (n == TINY_KALLSYMS_LONG)
			sprintf(ret->name, "long_%0400u", n);
		else if (n % 64 == TINY_KALLSYMS_TWIN)
			strcpy(ret->name, "twin");
		else
			sprintf(ret->name, "%s%s%u.constprop.0",
				n % 5 ? "function_" : "__a_token_of_more_than_sixteen_bytes",
				n % 7 ? "" : "data_", n);
	}
}

/* The token of a code: a character for itself, the long ones where no character is used. */
static void token_text(unsigned code, char *ret)
{
	static const char used[] = "._$";

	ret[0] = (char)code;
	ret[1] = '\0';
	if ((code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') ||
	    (code >= 'A' && code <= 'Z') || (code && code < 128 && strchr(used, (int)code)))
		return;
	ret[0] = '\0';
	if (code < 2 * ARRAY_SIZE(long_tokens))
		strcpy(ret, long_tokens[code / 2]);
}

/* Compresses `text`: the longest long token, or a character. */
static size_t compress(const char *text, uint8_t *ret)
{
	size_t size = 0;

	while (*text) {
		unsigned best = 0;
		size_t length = 1;

		for (unsigned i = 0; i < ARRAY_SIZE(long_tokens); i++) {
			if (strncmp(text, long_tokens[i], strlen(long_tokens[i])) == 0 &&
			    strlen(long_tokens[i]) > length) {
				best = i + 1;
				length = strlen(long_tokens[i]);
			}
		}
		ret[size++] = best ? (uint8_t)(2 * (best - 1)) : (uint8_t)*text;
		text += length;
	}
	return size;
}

static void put(struct tiny_kallsyms *t, uint64_t value, unsigned bytes)
{
	assert(t->size + bytes <= sizeof(t->data));
	memcpy(t->data + t->size, &value, bytes);
	t->size += bytes;
}

static size_t align(struct tiny_kallsyms *t)
{
	t->size = ksma_align_up(t->size, t->align);
	return t->size;
}

static void put_addresses(struct tiny_kallsyms *t)
{
	t->tables.offsets = align(t);
	for (uint32_t i = 0; i < t->count; i++) {
		uint64_t place = TINY_KALLSYMS_GVA + t->size;
		struct tiny_symbol s;

		tiny_kallsyms_symbol(t, i, &s);
		if (t->encoding == KSMA_KALLSYMS_ABSOLUTE)
			put(t, s.address, 8);
		else if (t->encoding == KSMA_KALLSYMS_PLACE)
			put(t, s.address - place, 4);
		else if (t->encoding == KSMA_KALLSYMS_RELATIVE)
			put(t, s.address - TINY_KALLSYMS_BASE, 4);
		else
			put(t, s.absolute ? s.address : TINY_KALLSYMS_BASE - s.address - 1, 4);
	}
	if (t->encoding == KSMA_KALLSYMS_RELATIVE || t->encoding == KSMA_KALLSYMS_RELATIVE_PERCPU) {
		t->tables.relative_base_at = align(t);
		put(t, TINY_KALLSYMS_BASE, 8);
	}
}

static void put_names(struct tiny_kallsyms *t)
{
	static uint32_t markers[TINY_KALLSYMS_MAX / 256];

	t->tables.num_syms_at = align(t);
	put(t, t->count, 4);
	t->tables.names = align(t);
	for (uint32_t i = 0; i < t->count; i++) {
		struct tiny_symbol s;
		char text[sizeof(s.name) + 1];
		uint8_t code[sizeof(text)];
		size_t length;

		tiny_kallsyms_symbol(t, i, &s);
		text[0] = s.type;
		strcpy(text + 1, s.name);
		length = compress(text, code);
		if (i % 256 == 0)
			markers[i / 256] = (uint32_t)(t->size - t->tables.names);
		if (length > 0x7f)
			put(t, (length & 0x7f) | 0x80 | length >> 7 << 8, 2);
		else
			put(t, length, 1);
		assert(t->size + length <= sizeof(t->data));
		memcpy(t->data + t->size, code, length);
		t->size += length;
	}
	t->tables.names_end = t->size;
	t->tables.markers = align(t);
	for (uint32_t i = 0; i < t->count; i += 256)
		put(t, markers[i / 256], t->marker_size);
	if (t->seqs)
		align(t);
	for (uint32_t i = 0; i < t->count && t->seqs; i++)
		put(t, i * 7919u % t->count, t->seqs);
}

static void put_tokens(struct tiny_kallsyms *t)
{
	uint16_t index[256];

	t->tables.token_table = align(t);
	for (unsigned i = 0; i < 256; i++) {
		char text[64];

		token_text(i, text);
		index[i] = (uint16_t)(t->size - t->tables.token_table);
		for (const char *p = text; *p; p++)
			put(t, (uint8_t)*p, 1);
		put(t, 0, 1);
	}
	t->tables.token_index = align(t);
	for (unsigned i = 0; i < 256; i++)
		put(t, index[i], 2);
}

void tiny_kallsyms_make(struct tiny_kallsyms *t)
{
	memset(t->data, 0, sizeof(t->data));
	t->size = t->at;
	t->tables = (struct ksma_kallsyms){
		.layout = t->layout,
		.encoding = t->encoding,
		.marker_size = t->marker_size,
		.num_syms = t->count,
		.gva = TINY_KALLSYMS_GVA,
		.relative_base = TINY_KALLSYMS_BASE,
		.start = t->at,
	};
	if (t->layout == KSMA_KALLSYMS_ADDRESSES_FIRST)
		put_addresses(t);
	put_names(t);
	put_tokens(t);
	if (t->layout == KSMA_KALLSYMS_ADDRESSES_LAST)
		put_addresses(t);
	t->tables.end = t->size;
	/* and something that is none of it */
	for (unsigned i = 0; i < 64; i++)
		put(t, 0x6b5a4938271605f4u * (i + 1), 8);
}
