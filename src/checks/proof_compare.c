/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holds the guest's bytes against the expected ones, and tells of each difference what it is. */
#include <inttypes.h>

#include "base/bytes.h"
#include "checks/proof.h"
#include "guest/guest.h"
#include "x86/decode.h"

enum {
	JOIN = 8,   /* differences closer than this are one */
	SHOWN = 32, /* bytes in the evidence */
	FORGOTTEN_AT_ONCE = 2 << 20,
	LOOK_BACK = 4096,
	CONTEXT = 8, /* bytes shown behind a difference in code */
	PERSIST_MS = 300,
	/* At a place that a running kernel changes: text_poke_bp() writes an INT3 first, and waits for every processor. On a host with too
	 * much to do that can last, for a vCPU may not run for hundreds of milliseconds in the middle of it. */
	LIVING_PERSIST_MS = 3000,
	INT3 = 0xcc,
	JMP = 0xe9,
};

/* A comparison under way. */
struct comparison {
	struct ksma_look *look;
	struct ksma_proof_unit *unit;
	const char *name; /* of the section */
	bool code;
	bool forget;	     /* what was looked at: most looks are the only one of their command */
	uint64_t start, end; /* of a difference that may still grow; end 0: none */
	size_t found;
	struct ksma_proof_differences *differences; /* or NULL */
	struct ksma_error *error;
};

static enum ksma_patch_kind kind_at(const struct ksma_proof_unit *unit, uint64_t gva)
{
	for (size_t i = 0; i < unit->jumps.count; i++)
		if (gva - unit->jumps.items[i].code < unit->jumps.items[i].size)
			return KSMA_PATCH_JUMP_LABEL;
	for (size_t i = 0; i < unit->calls.count; i++)
		if (gva - unit->calls.items[i].code < 5)
			return KSMA_PATCH_STATIC_CALL;
	for (size_t i = 0; i < unit->traces.count; i++)
		if (gva - unit->traces.items[i].ip < 5)
			return KSMA_PATCH_FTRACE;
	for (size_t i = 0; i < ARRAY_SIZE(unit->trace_calls); i++)
		if (unit->trace_calls[i] && gva - unit->trace_calls[i] < 5)
			return KSMA_PATCH_FTRACE;
	for (size_t i = 0; i < unit->table_count; i++)
		if (ksma_patch_table_holds(&unit->tables[i].table, unit->tables[i].kind, gva))
			return unit->tables[i].kind;
	return KSMA_PATCH_NONE;
}

/* Where the instruction that holds `gva` begins: decoding what is expected from the function's start on. */
static uint64_t instruction_start(struct comparison *c, uint64_t gva)
{
	const struct ksma_symbols *symbols = &c->look->kernel->symbols;
	const struct ksma_symbol *symbol = ksma_symbols_at(symbols, gva);
	uint64_t at = symbol ? ksma_symbol_address(symbols, symbol) : gva;
	struct ksma_instruction i;

	if (gva - at > 64 * LOOK_BACK)
		return gva;
	while (at < gva) {
		const uint8_t *code = ksma_patch_at(&c->unit->patch, at, 16);

		if (!code || !ksma_decode(code, 16, &i))
			return gva;
		if (at + i.length > gva)
			return at;
		at += i.length;
	}
	return gva;
}

/* Both forms of the code, from the start of its first instruction on; and where a branch that was put there leads. */
static struct ksma_error *add_code(struct comparison *c, struct ksma_finding *finding)
{
	uint64_t from = c->code ? instruction_start(c, c->start) : c->start;
	size_t length = c->end - from + (c->code ? CONTEXT : 0);
	const uint8_t *expected;
	uint8_t found[SHOWN];

	length = length < SHOWN ? length : SHOWN;
	expected = ksma_patch_at(&c->unit->patch, from, length);
	if (!expected) {
		length = c->end - c->start < SHOWN ? c->end - c->start : SHOWN;
		from = c->start;
		expected = ksma_patch_at(&c->unit->patch, from, length);
	}
	if (!expected || !ksma_kernel_bytes(c->look->kernel, from, found, length))
		return NULL;
	KSMA_TRY(ksma_finding_bytes(finding, "expected", expected, length, from));
	KSMA_TRY(ksma_finding_bytes(finding, "found", found, length, from));
	if (c->code && length >= 5 && (found[0] == 0xe8 || found[0] == 0xe9))
		return ksma_finding_code(c->look, finding, "target",
					 ksma_branch_target(found, from));
	return NULL;
}

/* True for what a running kernel changes: static keys, static calls, traced functions, probes. */
static bool is_living(struct comparison *c, enum ksma_patch_kind kind)
{
	const uint8_t *expected = ksma_patch_at(&c->unit->patch, c->start, 1);
	uint8_t found = 0;

	if (kind == KSMA_PATCH_JUMP_LABEL || kind == KSMA_PATCH_STATIC_CALL ||
	    kind == KSMA_PATCH_FTRACE)
		return true;
	if (!c->code || !expected || !ksma_kernel_bytes(c->look->kernel, c->start, &found, 1))
		return false;
	/* A probe that came or went: a breakpoint, or a jump to the copy of what it stands on. */
	return found == INT3 || *expected == INT3 || found == JMP || *expected == JMP;
}

static struct ksma_error *report(struct comparison *c)
{
	size_t length = c->end - c->start;
	enum ksma_patch_kind kind = c->code ? kind_at(c->unit, c->start) : KSMA_PATCH_NONE;
	struct ksma_finding *finding;
	char where[256];

	ksma_kernel_describe(c->look->kernel, ksma_gva_of(c->start), where, sizeof(where));
	KSMA_TRY(ksma_finding_add(c->look, KSMA_SEVERITY_CRITICAL, &finding, "%s", where));
	finding->living = is_living(c, kind);
	finding->persist_ms = finding->living ? LIVING_PERSIST_MS : PERSIST_MS;
	KSMA_TRY(ksma_finding_title(finding, "%zu byte%s at %s %s not what %s", length,
				    length == 1 ? "" : "s", where, length == 1 ? "is" : "are",
				    c->unit->baseline || ksma_proof_is_taken(c->unit, c->start)
					    ? "was there at the first look"
					    : "the vendor built"));
	KSMA_TRY(ksma_finding_address(c->look, finding, "address", c->start));
	KSMA_TRY(ksma_finding_number(finding, "length", length));
	KSMA_TRY(ksma_finding_text(finding, "section", "%s", c->name));
	if (kind != KSMA_PATCH_NONE)
		KSMA_TRY(ksma_finding_text(finding, "site", "%s", ksma_patch_kind_name(kind)));
	return add_code(c, finding);
}

static struct ksma_error *take_difference(struct comparison *c)
{
	struct ksma_proof_difference *d;

	if (!c->differences)
		return NULL;
	KSMA_TRY(KSMA_ARRAY_PUSH(c->differences, &d));
	*d = (struct ksma_proof_difference){ c->start, c->end, c->look->findings->count - 1 };
	return NULL;
}

static struct ksma_error *flush(struct comparison *c)
{
	if (c->end) {
		c->found++;
		KSMA_TRY(report(c));
		KSMA_TRY(take_difference(c));
	}
	c->end = 0;
	return NULL;
}

static struct ksma_error *differ(struct comparison *c, uint64_t gva)
{
	if (c->end && gva - c->end < JOIN) {
		c->end = gva + 1;
		return NULL;
	}
	KSMA_TRY(flush(c));
	c->start = gva;
	c->end = gva + 1;
	return NULL;
}

/* A page, or a part of one, that is not equal. */
static struct ksma_error *compare_bytes(struct comparison *c, uint64_t gva, const uint8_t *found,
					const uint8_t *expected, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (i + 8 <= size && memcmp(found + i, expected + i, 8) == 0) {
			i += 7;
			continue;
		}
		if (found[i] != expected[i])
			KSMA_TRY(differ(c, gva + i));
	}
	return NULL;
}

static bool compare_range(void *arg, const struct ksma_range *range)
{
	struct comparison *c = arg;
	const uint8_t *map = ksma_guest_mapped(c->look->kernel->guest, range->gpa, range->size);
	uint64_t from = 0;

	for (uint64_t done = 0; done < range->size && !c->error;) {
		size_t n = KSMA_PAGE_SIZE - ((range->gva + done) & (KSMA_PAGE_SIZE - 1));
		const uint8_t *expected, *found = map ? map + done : NULL;
		uint8_t buffer[KSMA_PAGE_SIZE];

		n = n < range->size - done ? n : range->size - done;
		expected = ksma_patch_at(&c->unit->patch, range->gva + done, n);
		if (!found &&
		    ksma_guest_try_read(c->look->kernel->guest, range->gpa + done, buffer, n))
			found = buffer;
		if (!found || !expected)
			ksma_coverage_gap(c->look->coverage, KSMA_COVERAGE_PARTIAL,
					  "a page of the kernel cannot be read");
		else if (memcmp(found, expected, n) != 0)
			c->error = compare_bytes(c, range->gva + done, found, expected, n);
		done += n;
		if (c->forget && (done % FORGOTTEN_AT_ONCE == 0 || done == range->size))
			ksma_guest_forget(c->look->kernel->guest, range->gpa + from, done - from);
		if (done % FORGOTTEN_AT_ONCE == 0)
			from = done;
	}
	return !c->error;
}

/* What of the range the page tables did not show. */
struct cover {
	struct comparison *c;
	uint64_t at, end, missing;
};

static bool cover_range(void *arg, const struct ksma_range *range)
{
	struct cover *cover = arg;
	struct ksma_range cut = *range;

	if (cut.gva < cover->at) {
		uint64_t skip = cover->at - cut.gva;

		if (skip >= cut.size)
			return true;
		cut.gva += skip;
		cut.gpa += skip;
		cut.size -= skip;
	}
	if (cut.gva >= cover->end)
		return false;
	if (cut.size > cover->end - cut.gva)
		cut.size = cover->end - cut.gva;
	cover->missing += cut.gva - cover->at;
	cover->at = cut.gva + cut.size;
	return compare_range(cover->c, &cut);
}

struct ksma_error *ksma_proof_compare(struct ksma_look *look, struct ksma_proof_unit *unit,
				      bool code, struct ksma_proof_range *ranges, size_t count,
				      struct ksma_proof_differences *differences)
{
	for (size_t i = 0; i < count; i++) {
		struct comparison c = {
			.look = look,
			.unit = unit,
			.code = code,
			.name = ranges[i].name,
			.forget = !ranges[i].looked_at,
			.differences = differences,
		};
		struct cover cover = { &c, ranges[i].gva, ranges[i].gva + ranges[i].size, 0 };
		struct ksma_budget budget = ksma_budget_default();
		struct ksma_error *error =
			ksma_space_walk(&look->kernel->space, ranges[i].gva,
					ranges[i].gva + ranges[i].size - 1, KSMA_WALK_ALL, &budget,
					look->coverage, cover_range, &cover);

		if (c.error) {
			ksma_error_destroy(error);
			return c.error;
		}
		KSMA_TRY(error);
		KSMA_TRY(flush(&c));
		ranges[i].looked_at = true;
		cover.missing += cover.end - cover.at;
		if (cover.missing)
			ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
					  "%" PRIu64 " bytes of %s are not mapped", cover.missing,
					  ranges[i].name);
	}
	return NULL;
}
