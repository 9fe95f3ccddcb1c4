/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Alternatives, in the two ways in which kernels have applied them: entry by entry in place (to 6.2), and the last one that fits
 * with its branches moved (since 6.3: 270a69c4485d "x86/alternative: Support relocations in alternatives"). */
#include "base/bytes.h"
#include "vendor/patch.h"
#include "x86/decode.h"

enum {
	ENTRY_OLD = 12, /* s32, s32, u16 cpuid, u8, u8 */
	ENTRY_NEW =
		14, /* s32, s32, u16 cpuid, u16 flags, u8, u8: 5d1dd961e743 "x86/alternatives: Add alt_instr.flags" */
	OLD_NOT = 1 << 15,
	FLAG_NOT = 1 << 0,
	FLAG_DIRECT_CALL = 1 << 1,
	CALL = 0xe8,
	JMP = 0xe9,
	JMP8 = 0xeb,
	INT3 = 0xcc,
	NOP = 0x90,
};

/* One entry of .altinstructions, in either layout. */
struct entry {
	uint64_t site, with; /* addresses of the instructions and of what replaces them */
	uint16_t feature;
	bool negated, direct_call;
	uint8_t length, with_length;
};

static const uint8_t nops_new[] = {
	0x90, 0x66, 0x90, 0x0f, 0x1f, 0x00, 0x0f, 0x1f, 0x40, 0x00, 0x0f, 0x1f, 0x44, 0x00,
	0x00, 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00, 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00,
	0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00, 0x66,
	0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00,
};
static const uint8_t nops_k8[] = {
	0x90, 0x66, 0x90, 0x66, 0x66, 0x90, 0x66, 0x66, 0x66, 0x90, 0x66, 0x66,
	0x90, 0x66, 0x90, 0x66, 0x66, 0x90, 0x66, 0x66, 0x90, 0x66, 0x66, 0x66,
	0x90, 0x66, 0x66, 0x90, 0x66, 0x66, 0x66, 0x90, 0x66, 0x66, 0x66, 0x90,
};

static const uint8_t *nop_of(const struct ksma_patch *p, size_t length)
{
	return (p->nops == KSMA_NOPS_K8 ? nops_k8 : nops_new) + length * (length - 1) / 2;
}

const uint8_t *ksma_patch_nop5(const struct ksma_patch *p)
{
	static const uint8_t k8_atomic[5] = { 0x66, 0x66, 0x66, 0x66, 0x90 };

	return p->nops == KSMA_NOPS_K8 ? k8_atomic : nop_of(p, 5);
}

/* add_nop() of newer kernels: one NOP, or a jump over INT3s. add_nops() of older ones: NOPs of 8 bytes, and a rest. */
void ksma_patch_nops(const struct ksma_patch *p, uint8_t *to, size_t length)
{
	size_t max = p->nops == KSMA_NOPS_11 ? 11 : 8;

	if (p->nops == KSMA_NOPS_11 && length > max) {
		size_t jump = length < 128 ? 2 : 5;

		to[0] = length < 128 ? JMP8 : JMP;
		to[1] = (uint8_t)(length - jump);
		if (jump == 5)
			memset(to + 2, 0, 3);
		memset(to + jump, INT3, length - jump);
		return;
	}
	while (length) {
		size_t n = length < max ? length : max;

		memcpy(to, nop_of(p, n), n);
		to += n;
		length -= n;
	}
}

/* Which layout a table has: the one in which every entry makes sense. @return size of an entry, or 0 */
static size_t entry_size(struct ksma_patch *p, const struct ksma_patch_table *table);

static bool read_entry(const struct ksma_patch_table *table, size_t size, size_t at,
		       struct entry *ret)
{
	const uint8_t *e = table->bytes + at;
	uint64_t gva = table->gva + at;
	uint16_t flags;

	if (table->size < size || at > table->size - size)
		return false;
	*ret = (struct entry){
		.site = gva + (uint64_t)(int64_t)(int32_t)ksma_le32(e),
		.with = gva + 4 + (uint64_t)(int64_t)(int32_t)ksma_le32(e + 4),
		.feature = ksma_le16(e + 8),
		.length = e[size - 2],
		.with_length = e[size - 1],
	};
	if (size == ENTRY_OLD) {
		ret->negated = (ret->feature & OLD_NOT) != 0;
		ret->feature &= (uint16_t)~OLD_NOT;
	} else {
		flags = ksma_le16(e + 10);
		ret->negated = flags & FLAG_NOT;
		ret->direct_call = flags & FLAG_DIRECT_CALL;
	}
	return true;
}

static bool makes_sense(struct ksma_patch *p, const struct entry *e)
{
	return e->feature < KSMA_PATCH_WORDS * 32 && e->length <= KSMA_PATCH_LENGTH &&
	       ksma_patch_at(p, e->site, e->length) && ksma_patch_at(p, e->with, e->with_length);
}

static size_t entry_size(struct ksma_patch *p, const struct ksma_patch_table *table)
{
	static const size_t sizes[] = { ENTRY_NEW, ENTRY_OLD };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct entry e;
		size_t at = 0, good = 0;

		if (table->size % sizes[i])
			continue;
		while (good < 64 && read_entry(table, sizes[i], at, &e) && makes_sense(p, &e)) {
			at += sizes[i];
			good++;
		}
		if (good == 64 || at == table->size)
			return sizes[i];
	}
	return 0;
}

static bool applies(const struct ksma_patch *p, const struct entry *e)
{
	return ksma_patch_feature(p, e->feature) != e->negated;
}

/* Older kernels: a jump gets its shortest form, a call its new displacement; nothing else is moved. */
static void old_branch(const struct ksma_patch *p, const struct entry *e, uint8_t *buffer)
{
	uint64_t target = ksma_branch_target(buffer, e->with);
	int32_t distance = (int32_t)(target - e->site);
	bool near;

	if (e->with_length != 5)
		return;
	if (buffer[0] == CALL)
		ksma_patch_branch(buffer, CALL, e->site, target);
	if (buffer[0] != JMP && buffer[0] != JMP8)
		return;
	near = distance >= 0 ? distance - 2 <= 127 : ((distance - 2) & 0xff) == distance - 2;
	if (near) {
		buffer[0] = JMP8;
		buffer[1] = (uint8_t)(distance - 2);
		ksma_patch_nops(p, buffer + 2, 3);
	} else {
		ksma_patch_branch(buffer, JMP, e->site, target);
	}
}

/* Runs of two or more single-byte NOPs between whole instructions. */
static void old_optimize(const struct ksma_patch *p, uint8_t *code, size_t length)
{
	struct ksma_instruction i;

	for (size_t at = 0; at < length;) {
		size_t n = at;

		if (!ksma_decode(code + at, length - at, &i))
			return;
		while (i.length == 1 && n < length && code[n] == NOP)
			n++;
		if (n > at + 1)
			ksma_patch_nops(p, code + at, n - at);
		at = n > at ? n : at + i.length;
	}
}

static void apply_old(struct ksma_patch *p, const struct ksma_patch_table *table)
{
	struct entry e;

	for (size_t at = 0; read_entry(table, ENTRY_OLD, at, &e); at += ENTRY_OLD) {
		uint8_t *code = ksma_patch_at(p, e.site, e.length), buffer[256 + 8];
		const uint8_t *with = ksma_patch_at(p, e.with, e.with_length);
		size_t n = e.with_length;

		if (!makes_sense(p, &e) || n > e.length) {
			p->bad++;
			continue;
		}
		p->count[KSMA_PATCH_ALTERNATIVE]++;
		if (applies(p, &e)) {
			memset(buffer, NOP, sizeof(buffer));
			memcpy(buffer, with, n);
			old_branch(p, &e, buffer);
			memcpy(code, buffer, e.length);
		}
		old_optimize(p, code, e.length);
	}
}

/* insn_is_nop() */
static bool is_nop(const struct ksma_instruction *i)
{
	if (i->opcode[0] == NOP)
		return !i->repeat && !i->extended_base;
	return i->opcode[0] == 0x0f && i->opcode[1] == 0x1f && i->modrm_reg == 0;
}

static void new_optimize(const struct ksma_patch *p, uint8_t *buffer, size_t length)
{
	struct ksma_instruction i;

	for (size_t at = 0, next; at < length; at = next) {
		if (!ksma_decode(buffer + at, length - at, &i))
			return;
		next = at + i.length;
		if (!is_nop(&i))
			continue;
		if (next == length)
			return;
		while (next < length && ksma_decode(buffer + next, length - next, &i) && is_nop(&i))
			next += i.length;
		ksma_patch_nops(p, buffer + at, next - at);
	}
}

/* Adds to a displacement of 1 or 4 bytes. */
static void move(uint8_t *at, size_t size, int64_t by)
{
	uint32_t v = 0;

	if (size != 1 && size != 4)
		return;
	memcpy(&v, at, size);
	v += (uint32_t)by;
	memcpy(at, &v, size);
}

static bool leads_out(int64_t offset, size_t length)
{
	return offset < 0 || offset > (int64_t)length;
}

/* Moves the branches and RIP-relative operands of a block from where it was built to where it goes. */
static void relocate(uint8_t *buffer, size_t length, uint64_t from, size_t from_length, uint64_t to)
{
	int64_t by = (int64_t)(from - to);
	struct ksma_instruction i;

	for (size_t at = 0, next; at < length; at = next) {
		bool branch;

		if (!ksma_decode(buffer + at, length - at, &i))
			return;
		next = at + i.length;
		branch = (i.opcode[0] == 0x0f && (i.opcode[1] & 0xf0) == 0x80) ||
			 (i.opcode[0] & 0xf0) == 0x70 || i.opcode[0] == JMP8 ||
			 i.opcode[0] == JMP || i.opcode[0] == CALL;
		if (branch && leads_out((int64_t)next + i.immediate, from_length))
			move(buffer + at + i.immediate_offset, i.immediate_size, by);
		if (i.opcode[0] == JMP) {
			int64_t near = i.immediate + by + 3;

			if (near >= -128 && near <= 127) {
				buffer[at] = JMP8;
				buffer[at + 1] = (uint8_t)near;
				memset(buffer + at + 2, INT3, i.length - 2u);
			}
		}
		if (i.rip_relative && leads_out((int64_t)next + i.displacement, from_length))
			move(buffer + at + i.displacement_offset, i.displacement_size, by);
	}
}

/* "call BUG_func" becomes a call of what the pointer at the site holds. @return bytes used */
static size_t direct_call(struct ksma_patch *p, const struct entry *e, const uint8_t *site,
			  uint8_t *buffer)
{
	uint64_t slot, target = 0;
	uint32_t displacement;

	if (e->with_length != 5 || buffer[0] != CALL || e->length < 6 || site[0] != 0xff ||
	    site[1] != 0x15) {
		p->bad++;
		return e->with_length;
	}
	slot = e->site + 6 + (uint64_t)(int64_t)(int32_t)ksma_le32(site + 2);
	if (!ksma_patch_pointer(p, slot, &target))
		p->bad++;
	if (!target)
		target = p->symbols.bug;
	displacement = ksma_le32(buffer + 1) + (uint32_t)(target - p->symbols.bug);
	memcpy(buffer + 1, &displacement, 4);
	return target == p->symbols.nop ? 0 : 5;
}

static void apply_site(struct ksma_patch *p, const struct entry *e, size_t length)
{
	uint8_t *code = ksma_patch_at(p, e->site, length), buffer[256];
	const uint8_t *with = ksma_patch_at(p, e->with, e->with_length);
	size_t n = e->with_length;

	if (!code || !with || n > length || length > KSMA_PATCH_LENGTH) {
		p->bad++;
		return;
	}
	memset(buffer, NOP, sizeof(buffer));
	memcpy(buffer, with, n);
	if (e->direct_call && direct_call(p, e, code, buffer) == 0)
		memset(buffer, NOP, n);
	relocate(buffer, length, e->with, e->with_length, e->site);
	new_optimize(p, buffer, length);
	memcpy(code, buffer, length);
}

static void apply_new(struct ksma_patch *p, const struct ksma_patch_table *table)
{
	struct entry e, chosen = { 0 };

	for (size_t at = 0; read_entry(table, ENTRY_NEW, at, &e);) {
		uint64_t site = e.site;
		size_t length = 0;
		bool have = false;

		/* Nested alternatives are consecutive entries of one site. */
		for (; read_entry(table, ENTRY_NEW, at, &e) && e.site == site; at += ENTRY_NEW) {
			length = e.length > length ? e.length : length;
			p->count[KSMA_PATCH_ALTERNATIVE]++;
			if (applies(p, &e)) {
				chosen = e;
				have = true;
			}
		}
		if (have) {
			apply_site(p, &chosen, length);
		} else {
			uint8_t *code = ksma_patch_at(p, site, length);

			if (code)
				new_optimize(p, code, length);
			else
				p->bad++;
		}
	}
}

void ksma_patch_alternatives(struct ksma_patch *p, const struct ksma_patch_table *table)
{
	size_t size = p->entry ?: entry_size(p, table);

	if (!table->size)
		return;
	p->entry = size;
	if (size == ENTRY_OLD)
		apply_old(p, table);
	else if (size == ENTRY_NEW)
		apply_new(p, table);
	else
		p->bad += table->size;
}
