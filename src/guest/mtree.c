/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's physical memory as QEMU's `info mtree -f` prints it: which bytes of which backend lie where.
 *
 * Source: mtree_print_flatview() in softmmu/memory.c (system/memory.c since 9.2) of QEMU. A view looks so:
 *
 *   FlatView #3
 *    AS "memory", root: system
 *    Root memory region: system
 *     0000000000100000-000000003fffffff (prio 0, ram): ram0 @0000000000100000 KVM
 */
#include "guest/mtree.h"

struct line {
	const char *p, *end;
};

static bool next_line(struct line *text, struct line *ret)
{
	const char *stop;

	if (text->p >= text->end)
		return false;
	stop = memchr(text->p, '\n', (size_t)(text->end - text->p));
	ret->p = text->p;
	ret->end = stop ? stop : text->end;
	text->p = stop ? stop + 1 : text->end;
	while (ret->end > ret->p && ret->end[-1] == '\r')
		ret->end--;
	while (ret->p < ret->end && *ret->p == ' ')
		ret->p++;
	return true;
}

static bool skip(struct line *line, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(line->end - line->p) < n || memcmp(line->p, word, n) != 0)
		return false;
	line->p += n;
	return true;
}

/* Exactly 16 hexadecimal digits. */
static bool take_address(struct line *line, uint64_t *ret)
{
	uint64_t v = 0;

	if (line->end - line->p < 16)
		return false;
	for (int i = 0; i < 16; i++) {
		char c = line->p[i];
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else
			return false;
		v = v << 4 | digit;
	}
	line->p += 16;
	*ret = v;
	return true;
}

/* Finds " @", the last one: the name of a backend may hold nearly anything. */
static const char *find_offset(const struct line *line)
{
	const char *found = NULL;

	for (const char *p = line->p; p + 1 < line->end; p++)
		if (p[0] == ' ' && p[1] == '@')
			found = p;
	return found;
}

/* Reads "START-END (prio N, TYPE): NAME[ @OFFSET][ KVM]". @return false when the line is no such range, or is none of RAM;
 * *ret_bad where it began as one and did not go on so */
static bool parse_range(struct line line, struct ksma_mtree_range *range, bool *ret_bad)
{
	uint64_t start, end;
	const char *at;
	size_t length;

	*ret_bad = false;
	if (!take_address(&line, &start))
		return false;
	*ret_bad = true;
	if (!skip(&line, "-") || !take_address(&line, &end) || !skip(&line, " (prio ") ||
	    end < start)
		return false;
	while (line.p < line.end && (*line.p == '-' || (*line.p >= '0' && *line.p <= '9')))
		line.p++;
	if (!skip(&line, ", "))
		return false;
	if (!skip(&line, "ram): ") && !skip(&line, "rom): ")) {
		*ret_bad = false;
		return false;
	}
	range->gpa = start;
	if (end == UINT64_MAX && start == 0)
		return false;
	range->size = end - start + 1;
	range->offset = 0;
	/* One for each address space in which KVM has the range. */
	while (line.end - line.p > 4 && memcmp(line.end - 4, " KVM", 4) == 0)
		line.end -= 4;
	at = find_offset(&line);
	if (at) {
		struct line number = { at + 2, line.end };

		if (!take_address(&number, &range->offset) || number.p != number.end)
			return false;
		line.end = at;
	}
	/* Old machine types name a backend by its whole path. */
	skip(&line, "/objects/");
	length = (size_t)(line.end - line.p);
	if (length == 0 || length >= sizeof(range->backend) || memchr(line.p, 0, length) ||
	    range->offset > UINT64_MAX - range->size)
		return false;
	memcpy(range->backend, line.p, length);
	range->backend[length] = 0;
	*ret_bad = false;
	return true;
}

static struct ksma_error *add_range(struct ksma_mtree *mtree, const struct ksma_mtree_range *range)
{
	struct ksma_mtree_range *last = mtree->count ? &mtree->items[mtree->count - 1] : NULL;
	struct ksma_mtree_range *item;

	if (last && range->gpa - last->gpa < last->size)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the monitor's memory map has overlapping ranges");
	if (last && range->gpa < last->gpa)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the monitor's memory map is not sorted");
	if (mtree->count >= KSMA_MTREE_MAX)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "the monitor's memory map has over %d ranges",
					 KSMA_MTREE_MAX);
	KSMA_TRY(KSMA_ARRAY_PUSH(mtree, &item));
	*item = *range;
	return NULL;
}

static struct ksma_error *parse_view(struct line text, struct ksma_mtree *mtree, bool *ret_found)
{
	bool inside = false;
	struct line line;

	*ret_found = false;
	while (next_line(&text, &line)) {
		struct ksma_mtree_range range;
		bool bad;

		if (skip(&line, "FlatView #")) {
			if (*ret_found)
				return NULL;
			inside = false;
		} else if (skip(&line, "AS \"memory\",")) {
			inside = *ret_found = true;
		} else if (inside && parse_range(line, &range, &bad)) {
			KSMA_TRY(add_range(mtree, &range));
		} else if (inside && bad) {
			return ksma_error_create(
				KSMA_ERROR_BAD_DATA,
				"cannot make sense of a line of the monitor's memory map: %.*s",
				(int)(line.end - line.p < 100 ? line.end - line.p : 100), line.p);
		}
	}
	return NULL;
}

struct ksma_error *ksma_mtree_parse(const char *text, size_t length, struct ksma_mtree *ret_mtree)
{
	struct ksma_mtree mtree = { 0 };
	struct ksma_error *error;
	bool found;

	error = parse_view((struct line){ text, text + length }, &mtree, &found);
	if (!error && !found)
		error = ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"the monitor's memory map has no address space \"memory\"");
	if (error) {
		ksma_mtree_free(&mtree);
		return error;
	}
	*ret_mtree = mtree;
	return NULL;
}

void ksma_mtree_free(struct ksma_mtree *mtree)
{
	free(mtree->items);
	*mtree = (struct ksma_mtree){ 0 };
}

static bool follows(const struct ksma_mtree_range *a, const struct ksma_mtree_range *b)
{
	return a->gpa + a->size == b->gpa && a->offset + a->size == b->offset &&
	       strcmp(a->backend, b->backend) == 0;
}

void ksma_mtree_filter(struct ksma_mtree *mtree, bool (*keep)(const char *backend, void *arg),
		       void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < mtree->count; i++) {
		struct ksma_mtree_range *item = &mtree->items[i];

		if (!keep(item->backend, arg))
			continue;
		if (kept && follows(&mtree->items[kept - 1], item))
			mtree->items[kept - 1].size += item->size;
		else
			mtree->items[kept++] = *item;
	}
	mtree->count = kept;
}
