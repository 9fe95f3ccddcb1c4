/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decodes kallsyms tables into a table of symbols that does not depend on where the kernel was loaded. */
#include "linux/kallsyms_impl.h"

#include "base/large.h"

enum { SHORT_TOKEN = 31 };

/* The names as they grow. Each goes where its type letter falls on the NUL of the name before: nothing is moved. */
struct output {
	char *text;
	size_t size, capacity;
};

static struct ksma_error *torn(const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "kallsyms changed while it was read: %s",
				 what);
}

static struct ksma_error *reserve(struct output *output)
{
	char *grown;

	/* A name and what a token writes beyond it. */
	if (likely(output->capacity - output->size >= KALLSYMS_NAME_MAX + KALLSYMS_TOKEN_MAX + 1))
		return NULL;
	if (output->capacity > UINT32_MAX / 2)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "kallsyms names are too long: crafted data");
	grown = realloc(output->text, output->capacity * 2);
	if (!grown)
		return ksma_error_nomem();
	output->text = grown;
	output->capacity *= 2;
	return NULL;
}

/* The tokens in places of one size, so that each is copied without a look at its length. */
struct short_tokens {
	struct {
		char text[SHORT_TOKEN];
		uint8_t length;
	} of[KALLSYMS_TOKENS];
	size_t longest; /* SIZE_MAX when one does not fit */
};

static void shorten(const struct kallsyms_tokens *tokens, struct short_tokens *ret)
{
	ret->longest = 1;
	for (unsigned i = 0; i < KALLSYMS_TOKENS; i++) {
		size_t length = tokens->length[i];

		if (length > SHORT_TOKEN)
			ret->longest = SIZE_MAX;
		else if (length > ret->longest)
			ret->longest = length;
		memset(&ret->of[i], 0, sizeof(ret->of[i]));
		memcpy(ret->of[i].text, tokens->text + tokens->at[i],
		       length < SHORT_TOKEN ? length : SHORT_TOKEN);
		ret->of[i].length = (uint8_t)length;
	}
}

/* Expands codes at `p`, where there is room for KALLSYMS_NAME_MAX and a token. @return the end, or NULL beyond the room */
static inline char *expand(const struct kallsyms_tokens *tokens,
			   const struct short_tokens *short_tokens, const uint8_t *code,
			   size_t length, char *p)
{
	const char *limit = p + KALLSYMS_NAME_MAX;

	if (likely(short_tokens->longest <= KALLSYMS_NAME_MAX &&
		   length * short_tokens->longest <= KALLSYMS_NAME_MAX)) {
		for (size_t i = 0; i < length; i++) {
			uint8_t token = kallsyms_u8(code + i);

			memcpy(p, &short_tokens->of[token], sizeof(short_tokens->of[token]));
			p += short_tokens->of[token].length;
		}
		return p;
	}
	for (size_t i = 0; i < length; i++) {
		uint8_t token = kallsyms_u8(code + i);

		memcpy(p, tokens->text + tokens->at[token], tokens->length[token]);
		p += tokens->length[token];
		if (p > limit)
			return NULL;
	}
	return p;
}

/* The address of symbol `i`, from the base or absolute. */
static inline uint64_t address_of(const uint8_t *data, const struct ksma_kallsyms *tables,
				  uint32_t i, uint8_t *ret_absolute)
{
	const uint8_t *p = data + tables->offsets + (size_t)i * 4;
	uint64_t address;
	int32_t offset;

	*ret_absolute = 0;
	switch (tables->encoding) {
	case KSMA_KALLSYMS_PLACE:
		return tables->gva + tables->offsets + (uint64_t)i * 4 +
		       (uint64_t)(int32_t)kallsyms_u32(p) - tables->relative_base;
	case KSMA_KALLSYMS_RELATIVE_PERCPU:
		offset = (int32_t)kallsyms_u32(p);
		*ret_absolute = offset >= 0;
		return (uint32_t)(offset >= 0 ? offset : ~offset);
	case KSMA_KALLSYMS_ABSOLUTE:
		address = kallsyms_u64(p + (size_t)i * 4);
		*ret_absolute = address < tables->relative_base;
		return *ret_absolute ? address : address - tables->relative_base;
	default:
		return kallsyms_u32(p);
	}
}

static struct ksma_error *decode_all(const uint8_t *data, const struct ksma_kallsyms *tables,
				     const struct kallsyms_tokens *tokens,
				     struct ksma_symbol *items, struct output *output)
{
	const struct ksma_symbol *before = NULL;
	struct short_tokens short_tokens;
	size_t at = tables->names;

	shorten(tokens, &short_tokens);
	output->text[0] = '\0'; /* also the empty name */
	output->size = 1;
	for (uint32_t i = 0; i < tables->num_syms; i++) {
		struct ksma_symbol *item = &items[i];
		char *start, *end;
		size_t length;
		unsigned field = kallsyms_name_length(data + at, tables->names_end - at, &length);

		if (unlikely(!field))
			return torn("a name is cut off");
		KSMA_TRY(reserve(output));
		start = output->text + output->size - 1;
		end = expand(tokens, &short_tokens, data + at + field, length, start);
		if (unlikely(!end || end == start))
			return ksma_error_create(
				KSMA_ERROR_BAD_DATA,
				"kallsyms names symbol %u with no or too many letters", i);
		*end = '\0';
		item->type = (uint8_t)*start;
		*start = '\0';
		item->name = (uint32_t)output->size;
		item->tag = 0;
		output->size += (size_t)(end - start);
		item->address = address_of(data, tables, i, &item->absolute);
		/* Below the base, or past the end of all addresses: what is added to it later would come round again.
		 * Where the data's address is not known, the base itself is only a difference. */
		if (unlikely(tables->gva && !item->absolute &&
			     item->address > UINT64_MAX - tables->relative_base))
			return torn("an address wraps around");
		if (unlikely(before && (item->absolute > before->absolute ||
					(item->absolute == before->absolute &&
					 item->address < before->address))))
			return torn("the addresses do not rise");
		before = item;
		at += field + length;
	}
	return NULL;
}

static bool tables_inside(const struct ksma_kallsyms *tables, size_t length)
{
	size_t width = tables->encoding == KSMA_KALLSYMS_ABSOLUTE ? 8 : 4;

	return tables->num_syms && tables->num_syms <= KALLSYMS_SYMBOLS_MAX &&
	       tables->names <= tables->names_end && tables->names_end <= length &&
	       ksma_in_range(tables->offsets, tables->num_syms * width, length);
}

struct ksma_error *ksma_kallsyms_decode(const uint8_t *data, size_t length,
					const struct ksma_kallsyms *tables,
					struct ksma_symbols *ret_symbols)
{
	_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = { 0 };
	_cleanup_free_ struct kallsyms_tokens *tokens = malloc(sizeof(*tokens));
	struct output output = { 0 };
	struct ksma_symbol *items;
	struct ksma_error *error;

	if (!tokens)
		return ksma_error_nomem();
	if (!tables_inside(tables, length))
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "kallsyms tables lie outside the data");
	if (!kallsyms_load_tokens(data, length, tables->token_table, tables->token_index, tokens))
		return torn("the tokens");
	symbols.owned[0] = items = ksma_large_alloc(tables->num_syms * sizeof(*items));
	/* Names grow to two or three times their size. What is not touched takes no memory. */
	output.capacity = (tables->names_end - tables->names) * 4 + 8192;
	output.text = ksma_large_alloc(output.capacity);
	error = items && output.text ? decode_all(data, tables, tokens, items, &output)
				     : ksma_error_nomem();
	symbols.owned[1] = output.text;
	if (error)
		return error;
	symbols.items = items;
	symbols.count = tables->num_syms;
	symbols.names = symbols.owned[1];
	symbols.names_size = output.size;
	symbols.slide = tables->relative_base;
	KSMA_TRY(ksma_symbols_index(&symbols));
	*ret_symbols = symbols;
	symbols = (struct ksma_symbols){ 0 };
	return NULL;
}

static bool address_of_name(const struct ksma_symbols *symbols, const char *name, uint64_t *ret)
{
	const struct ksma_symbol *symbol = ksma_symbols_find(symbols, name);

	if (!symbol || symbol->absolute)
		return false;
	*ret = ksma_symbol_address(symbols, symbol);
	return true;
}

struct ksma_error *ksma_kallsyms_verify(const struct ksma_kallsyms *tables,
					const struct ksma_symbols *symbols)
{
	uint64_t stext, etext, banner, start, end;

	if (!address_of_name(symbols, "_stext", &stext) ||
	    !address_of_name(symbols, "_etext", &etext) ||
	    !address_of_name(symbols, "linux_banner", &banner))
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"kallsyms lacks _stext, _etext or linux_banner: not a kernel's own, or a kernel "
			"without CONFIG_KALLSYMS_ALL");
	if (stext >= etext)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "kallsyms puts _etext before _stext");
	if (address_of_name(symbols, "__start_rodata", &start) &&
	    address_of_name(symbols, "__end_rodata", &end) &&
	    (tables->gva + tables->start < start || tables->gva + tables->end > end))
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"kallsyms lies outside the read-only data that it names: a copy");
	return NULL;
}
