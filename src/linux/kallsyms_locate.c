/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the kallsyms tables of a kernel in its memory, starting from the one table whose form is unmistakable: the index of
 * the 256 tokens. */
#include "linux/kallsyms_impl.h"

#include <emmintrin.h>

enum {
	SEARCH_STRIDE =
		448, /* whole cache lines; an index of 512 bytes always holds 18 bytes at a multiple of it */
	MARKERS_MIN = 3,     /* a kernel with fewer than 513 symbols is none */
	BLOCK_MIN = 256 * 2, /* bytes of 256 names */
	BLOCK_MAX = 256 * (2 + 512),
	PAD_MAX = 7,
	WORK_MAX = 16 << 20, /* steps of one search; an honest kernel takes about a million */
};

#define ADDRESS_SPAN (2ull << 30) /* a kernel image and the tables inside it lie within 2 GiB */
#define KERNEL_HALF 0xffff800000000000ull

/* The data and what may still be spent on it. */
struct search {
	const uint8_t *data;
	size_t length;
	uint64_t gva;
	int64_t work;
	struct kallsyms_tokens *tokens;
};

static bool u32_at(const struct search *search, size_t at, uint32_t *ret)
{
	if (!ksma_in_range(at, 4, search->length))
		return false;
	*ret = kallsyms_u32(search->data + at);
	return true;
}

static bool all_zero(const struct search *search, size_t from, size_t to)
{
	while (from < to)
		if (kallsyms_u8(search->data + from++))
			return false;
	return true;
}

bool kallsyms_load_tokens(const uint8_t *data, size_t length, size_t table, size_t index,
			  struct kallsyms_tokens *ret)
{
	size_t copied = KALLSYMS_TOKEN_BYTES + KALLSYMS_TOKEN_MAX, last;

	if (!ksma_in_range(index, KALLSYMS_INDEX_SIZE, length) || table >= index)
		return false;
	memcpy(ret->at, data + index, KALLSYMS_INDEX_SIZE);
	__asm__("" : : "r"(ret) : "memory");
	last = ret->at[KALLSYMS_TOKENS - 1];
	if (last >= KALLSYMS_TOKEN_BYTES || last >= index - table)
		return false;
	if (copied > last + KALLSYMS_TOKEN_MAX)
		copied = last + KALLSYMS_TOKEN_MAX;
	if (copied > index - table)
		copied = index - table;
	memcpy(ret->text, data + table, copied);
	__asm__("" : : "r"(ret) : "memory");
	memset(ret->text + copied, 0, 16);
	for (unsigned i = 0; i < KALLSYMS_TOKENS; i++) {
		size_t at = ret->at[i], end = i + 1 < KALLSYMS_TOKENS ? ret->at[i + 1] : copied;
		size_t token = end > at ? strnlen(ret->text + at, end - at) : 0;

		if (end <= at || token >= KALLSYMS_TOKEN_MAX || token == end - at)
			return false;
		if (i + 1 < KALLSYMS_TOKENS && at + token + 1 != end)
			return false;
		for (size_t k = at; k < at + token; k++)
			if (ret->text[k] < '!' || ret->text[k] > '~')
				return false;
		ret->length[i] = (uint16_t)token;
		/* A character that names use stands for itself, and names use all of these. */
		if (((i >= '0' && i <= '9') || (i >= 'a' && i <= 'z') || i == '_') &&
		    (token != 1 || ret->text[at] != (char)i))
			return false;
	}
	ret->size = last + ret->length[KALLSYMS_TOKENS - 1] + 1;
	return ret->at[0] == 0;
}

/* The start of the token index that `at` lies in: back to the entry 0. Entries rise by the length of a token and its NUL. */
static bool index_start(const struct search *search, size_t at, size_t *ret_start)
{
	unsigned value = ksma_le16(search->data + at);

	for (unsigned steps = 0; steps < KALLSYMS_TOKENS; steps++) {
		unsigned before;

		if (value == 0) {
			*ret_start = at;
			return at % 4 == 0 &&
			       ksma_in_range(at, KALLSYMS_INDEX_SIZE, search->length);
		}
		if (at < 2)
			return false;
		at -= 2;
		before = ksma_le16(search->data + at);
		if (before >= value || value - before > KALLSYMS_TOKEN_MAX)
			return false;
		value = before;
	}
	return false;
}

/* Looks for eight numbers of 16 bits that rise by 1 to 256 each: a piece of a token index. */
static bool next_probe(const struct search *search, size_t *position, size_t *ret_at)
{
	const __m128i one = _mm_set1_epi16(1);
	size_t at = *position;

	for (; ksma_in_range(at, 18, search->length); at += SEARCH_STRIDE) {
		__m128i low = _mm_loadu_si128((const __m128i *)(search->data + at));
		__m128i high = _mm_loadu_si128((const __m128i *)(search->data + at + 2));
		__m128i rise = _mm_srli_epi16(_mm_sub_epi16(_mm_sub_epi16(high, low), one), 8);

		if (unlikely(_mm_movemask_epi8(_mm_cmpeq_epi16(rise, _mm_setzero_si128())) ==
			     0xffff)) {
			*position = at + SEARCH_STRIDE;
			*ret_at = at;
			return true;
		}
	}
	*position = at;
	return false;
}

/* The token table that ends right before its index. */
static bool find_tokens(struct search *search, size_t index, struct ksma_kallsyms *tables)
{
	size_t last = ksma_le16(search->data + index + KALLSYMS_INDEX_SIZE - 2);
	size_t first = ksma_le16(search->data + index + 2);

	if (!first || first > last || last >= KALLSYMS_TOKEN_BYTES)
		return false;
	for (size_t back = last + 1; back <= last + KALLSYMS_TOKEN_MAX + PAD_MAX && back <= index;
	     back++) {
		size_t table = index - back;

		/* The NULs of the first and of the last token but one are a cheap sign. */
		if (table % 4 || kallsyms_u8(search->data + table + first - 1) ||
		    kallsyms_u8(search->data + table + last - 1))
			continue;
		search->work -= KALLSYMS_TOKENS * 4;
		if (kallsyms_load_tokens(search->data, search->length, table, index,
					 search->tokens) &&
		    index - (table + search->tokens->size) <= PAD_MAX &&
		    all_zero(search, table + search->tokens->size, index)) {
			tables->token_table = table;
			tables->token_index = index;
			return true;
		}
	}
	return false;
}

/* Walks the names from `names`: every 256th must lie where the markers say, and the last one end at the markers. */
static bool walk_names(struct search *search, struct ksma_kallsyms *tables)
{
	size_t at = tables->names, end = tables->markers;

	for (uint32_t i = 0; i < tables->num_syms; i++) {
		size_t length;
		unsigned field;

		if (i % KALLSYMS_MARKER_EVERY == 0) {
			size_t marker = tables->markers +
					(size_t)(i / KALLSYMS_MARKER_EVERY) * tables->marker_size;

			search->work -= KALLSYMS_MARKER_EVERY;
			if (kallsyms_u32(search->data + marker) != at - tables->names)
				return false;
		}
		field = kallsyms_name_length(search->data + at, end - at, &length);
		if (!field)
			return false;
		at += field + length;
	}
	tables->names_end = at;
	return end - at <= PAD_MAX && all_zero(search, at, end);
}

/* Given the markers and how many symbols there may be: finds the number of symbols, and the names right after it. */
static bool find_names(struct search *search, struct ksma_kallsyms *tables, uint32_t low,
		       uint32_t high)
{
	size_t count = ((size_t)high + KALLSYMS_MARKER_EVERY - 1) / KALLSYMS_MARKER_EVERY;
	size_t markers = tables->markers, nearest, farthest;
	uint32_t last = 0;

	if (count < MARKERS_MIN || high > KALLSYMS_SYMBOLS_MAX ||
	    !ksma_in_range(markers, count * tables->marker_size, search->length))
		return false;
	search->work -= (int64_t)count;
	for (size_t i = 1; i < count; i++) {
		uint32_t marker = kallsyms_u32(search->data + markers + i * tables->marker_size);

		if (marker <= last || marker - last < BLOCK_MIN || marker - last > BLOCK_MAX)
			return false;
		if (tables->marker_size == 8 && kallsyms_u32(search->data + markers + i * 8 + 4))
			return false;
		last = marker;
	}
	nearest = (size_t)last + 2;
	farthest = (size_t)last + BLOCK_MAX + PAD_MAX;
	for (size_t back = nearest + (markers - nearest) % 4;
	     back <= farthest && back + 8 <= markers; back += 4) {
		size_t names = markers - back;
		uint32_t before = kallsyms_u32(search->data + names - 4);
		uint32_t number = before;

		tables->num_syms_at = names - 4;
		if (before == 0 && names % 8 == 0) {
			/* 4 bytes and padding, or 8 bytes before 5.0 */
			number = kallsyms_u32(search->data + names - 8);
			tables->num_syms_at = names - 8;
		}
		search->work--;
		if (number < low || number > high)
			continue;
		tables->names = names;
		tables->num_syms = number;
		if (walk_names(search, tables))
			return true;
		if (search->work < 0)
			return false;
	}
	return false;
}

/* Given where the markers start: what lies between them and the tokens tells how many symbols there are. */
static bool try_markers(struct search *search, struct ksma_kallsyms *tables)
{
	size_t gap = tables->token_table - tables->markers, size = tables->marker_size;
	size_t count = gap / size;

	/* Nothing but the markers, and maybe 4 bytes of padding. */
	for (size_t pad = 0, most = size == 4 && tables->token_table % 8 == 0 ? 1 : 0; pad <= most;
	     pad++) {
		if (gap % size == 0 && count - pad >= MARKERS_MIN &&
		    count - pad <= KALLSYMS_SYMBOLS_MAX / 256 &&
		    all_zero(search, tables->token_table - 4 * pad, tables->token_table) &&
		    find_names(search, tables, (uint32_t)((count - pad - 1) * 256 + 1),
			       (uint32_t)((count - pad) * 256)))
			return true;
	}
	/* seqs_of_names: 3 bytes a symbol (19bd8981dc2e, 6.2, and stable 6.1), or 4. Each width allows a few numbers. */
	for (size_t width = 3; size == 4 && width <= 4; width++) {
		size_t middle = gap * 256 / (256 * width + 4);

		for (size_t n = middle > 8 ? middle - 8 : 0; n <= middle + 8; n++) {
			size_t seqs = ksma_align_up(tables->markers + (n + 255) / 256 * 4, 8);
			size_t end = seqs + n * width;

			if (end > tables->token_table || tables->token_table - end > PAD_MAX ||
			    n > KALLSYMS_SYMBOLS_MAX)
				continue;
			if (find_names(search, tables, (uint32_t)n, (uint32_t)n))
				return true;
		}
	}
	return false;
}

static bool plausible_block(uint32_t from, uint32_t to)
{
	return to > from && to - from >= BLOCK_MIN && to - from <= BLOCK_MAX;
}

/* Goes back from the token table to markers: 0, then numbers that rise by the size of 256 names. */
static bool find_markers(struct search *search, struct ksma_kallsyms *tables)
{
	size_t farthest = KALLSYMS_SYMBOLS_MAX * (size_t)4 + KALLSYMS_SYMBOLS_MAX / 256 * 8 + 64;
	uint32_t a, b, c, d;

	for (size_t back = 4 * MARKERS_MIN; back <= farthest && back <= tables->token_table;
	     back += 4) {
		size_t at = tables->token_table - back;

		if (search->work-- < 0)
			return false;
		if (likely(kallsyms_u32(search->data + at)))
			continue;
		if (!u32_at(search, at + 4, &a) || !u32_at(search, at + 8, &b) ||
		    !u32_at(search, at + 12, &c) || !u32_at(search, at + 16, &d))
			continue;
		tables->markers = at;
		if (plausible_block(0, a) && plausible_block(a, b))
			tables->marker_size = 4;
		else if (!a && plausible_block(0, b) && !c && plausible_block(b, d))
			tables->marker_size = 8;
		else
			continue;
		if (try_markers(search, tables))
			return true;
	}
	return false;
}

/* A kernel address near the tables. */
static bool near(const struct search *search, uint64_t address)
{
	if (!search->gva)
		return true;
	return search->gva >= KERNEL_HALF && address >= KERNEL_HALF &&
	       address - search->gva + ADDRESS_SPAN < 2 * ADDRESS_SPAN;
}

/* Offsets from a base: the first relative symbol is the base itself, and they rise. One below zero tells that those from
 * zero up are absolute. @ret_last the highest offset */
static bool check_relative(const struct search *search, struct ksma_kallsyms *tables,
			   uint32_t *ret_last)
{
	const uint8_t *p = search->data + tables->offsets;
	uint32_t n = tables->num_syms, flip = 0, last = 0, i = 0;

	tables->encoding = KSMA_KALLSYMS_RELATIVE;
	if (kallsyms_u32(p + (size_t)(n - 1) * 4) >> 31) {
		tables->encoding = KSMA_KALLSYMS_RELATIVE_PERCPU;
		flip = UINT32_MAX;
		for (; i < n; i++) {
			uint32_t offset = kallsyms_u32(p + (size_t)i * 4);

			if (offset >> 31)
				break;
			if (offset < last)
				return false;
			last = offset;
		}
		last = 0;
	}
	for (uint32_t first = i; i < n; i++) {
		uint32_t offset = kallsyms_u32(p + (size_t)i * 4) ^ flip;

		if (offset < last || offset >> 31 || (i == first && offset))
			return false;
		last = offset;
	}
	*ret_last = last;
	return true;
}

/* Offsets from their own places. The first symbol is the start of the kernel's text, megabytes below its read-only data; offsets
 * from a base, which start at 0 or -1, are told apart by that. */
static bool check_place(const struct search *search, struct ksma_kallsyms *tables)
{
	const uint8_t *p = search->data + tables->offsets;
	uint64_t place = search->gva + tables->offsets, first = 0, last = 0;

	tables->encoding = KSMA_KALLSYMS_PLACE;
	if ((int32_t)kallsyms_u32(p) > -4096)
		return false;
	for (uint32_t i = 0; i < tables->num_syms; i++, p += 4, place += 4) {
		uint64_t address = place + (uint64_t)(int32_t)kallsyms_u32(p);

		if (i == 0)
			first = last = address;
		if (address - first < last - first || address - first >= ADDRESS_SPAN)
			return false;
		last = address;
	}
	tables->relative_base = first;
	return near(search, first) && near(search, last);
}

static bool check_absolute(const struct search *search, struct ksma_kallsyms *tables)
{
	const uint8_t *p = search->data + tables->offsets;
	uint64_t base = 0, last = 0;

	tables->encoding = KSMA_KALLSYMS_ABSOLUTE;
	for (uint32_t i = 0; i < tables->num_syms; i++, p += 8) {
		uint64_t address = kallsyms_u64(p);

		if (address < last)
			return false;
		if (!base && address >= KERNEL_HALF)
			base = address;
		last = address;
	}
	tables->relative_base = base;
	return base && last - base < ADDRESS_SPAN && near(search, base) && near(search, last);
}

/* The base is a pointer, and follows the offsets at a multiple of 8. */
static bool try_relative(struct search *search, struct ksma_kallsyms *tables, size_t offsets,
			 size_t base_at)
{
	uint32_t last;

	if (offsets % 4 || !ksma_in_range(base_at, 8, search->length))
		return false;
	tables->offsets = offsets;
	tables->relative_base_at = base_at;
	tables->relative_base = kallsyms_u64(search->data + base_at);
	search->work -= tables->num_syms;
	return tables->relative_base >= KERNEL_HALF && check_relative(search, tables, &last) &&
	       tables->relative_base <= UINT64_MAX - last && near(search, tables->relative_base) &&
	       near(search, tables->relative_base + last);
}

static bool find_addresses(struct search *search, struct ksma_kallsyms *tables)
{
	size_t size = (size_t)tables->num_syms * 4;
	size_t after = tables->token_index + KALLSYMS_INDEX_SIZE;
	size_t base_at;

	tables->layout = KSMA_KALLSYMS_ADDRESSES_LAST;
	tables->start = tables->num_syms_at;
	base_at = ksma_align_up(after, 8) + ksma_align_up(size, 8);
	tables->end = base_at + 8;
	if (try_relative(search, tables, ksma_align_up(after, 8), base_at))
		return true;

	tables->offsets = after;
	tables->end = after + size;
	tables->relative_base_at = 0;
	search->work -= tables->num_syms;
	if (ksma_in_range(after, size, search->length) && check_place(search, tables))
		return true;

	tables->layout = KSMA_KALLSYMS_ADDRESSES_FIRST;
	tables->end = after;
	base_at = tables->num_syms_at - 8;
	if (tables->num_syms_at >= 8 && ksma_align_up(size, 8) <= base_at) {
		tables->start = base_at - ksma_align_up(size, 8);
		if (try_relative(search, tables, tables->start, base_at))
			return true;
	}
	tables->relative_base_at = 0;
	if (size * 2 > tables->num_syms_at)
		return false;
	tables->start = tables->offsets = tables->num_syms_at - size * 2;
	search->work -= tables->num_syms;
	return check_absolute(search, tables);
}

struct ksma_error *ksma_kallsyms_locate(const uint8_t *data, size_t length, uint64_t gva,
					size_t *position, struct ksma_kallsyms *ret)
{
	struct search search = { .data = data, .length = length, .gva = gva, .work = WORK_MAX };
	_cleanup_free_ struct kallsyms_tokens *tokens = malloc(sizeof(*tokens));
	size_t at, index;

	if (!tokens)
		return ksma_error_nomem();
	search.tokens = tokens;
	if (length > (size_t)1 << 30)
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "cannot search %zu bytes for kallsyms at once", length);
	*position = *position / SEARCH_STRIDE * SEARCH_STRIDE;
	while (next_probe(&search, position, &at)) {
		struct ksma_kallsyms tables = { .gva = gva };

		search.work -= 64;
		if (index_start(&search, at, &index) && find_tokens(&search, index, &tables) &&
		    find_markers(&search, &tables) && find_addresses(&search, &tables)) {
			*ret = tables;
			return NULL;
		}
		if (search.work < 0)
			return ksma_error_create(
				KSMA_ERROR_LIMIT,
				"too much looks like kallsyms without being it: crafted data");
	}
	return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "no kallsyms tables in %zu bytes", length);
}
