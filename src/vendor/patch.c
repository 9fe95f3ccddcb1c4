/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The patch sites that are simple: thunks, returns, seals, locks, constants, static calls. Alternatives have a file of their own. */
#include "vendor/patch.h"

#include "base/bytes.h"
#include "x86/decode.h"

enum {
	FEATURE_RETPOLINE =
		11 * 32 + 12, /* arch/x86/include/asm/cpufeatures.h, equal in all that we know */
	FEATURE_RETPOLINE_LFENCE = 11 * 32 + 13,
	FEATURE_RETHUNK = 11 * 32 + 14,
	THUNK_SIZE = 32, /* RETPOLINE_THUNK_SIZE */
	CALL = 0xe8,
	JMP = 0xe9,
	JMP8 = 0xeb,
	RET = 0xc3,
	INT3 = 0xcc,
	LOCK = 0xf0,
	DS = 0x3e,
	PARAVIRT_ENTRY = 16, /* the last one lacks its padding */
	PARAVIRT_USED = 10,
};

static const uint8_t endbr[KSMA_ENDBR_LENGTH] = { 0xf3, 0x0f, 0x1e, 0xfa };
/* gen_endbr_poison(), in its two forms: nopw (%rax), later nopl -42(%rax). */
static const uint8_t poisons[2][KSMA_ENDBR_LENGTH] = { { 0x66, 0x0f, 0x1f, 0x00 },
						       { 0x0f, 0x1f, 0x40, 0xd6 } };

bool ksma_patch_is_endbr(const uint8_t code[KSMA_ENDBR_LENGTH])
{
	return memcmp(code, endbr, sizeof(endbr)) == 0 ||
	       memcmp(code, poisons[0], sizeof(endbr)) == 0 ||
	       memcmp(code, poisons[1], sizeof(endbr)) == 0;
}

uint8_t *ksma_patch_at(struct ksma_patch *p, uint64_t gva, size_t length)
{
	const struct ksma_patch_part *part;

	for (size_t i = 0; i < p->part_count; i++) {
		size_t n = (p->last + i) % p->part_count;

		part = &p->parts[n];
		if (gva - part->gva < part->size) {
			p->last = n;
			return length <= part->size - (gva - part->gva)
				       ? part->bytes + (gva - part->gva)
				       : NULL;
		}
	}
	return NULL;
}

bool ksma_patch_feature(const struct ksma_patch *p, unsigned feature)
{
	return feature / 32 < KSMA_PATCH_WORDS &&
	       (p->features[feature / 32] >> (feature % 32) & 1) != 0;
}

bool ksma_patch_wants_return_thunk(const struct ksma_patch *p, uint64_t site)
{
	if (!ksma_patch_feature(p, FEATURE_RETHUNK))
		return false;
	if (!p->symbols.its_return || p->symbols.return_target != p->symbols.its_return)
		return true;
	return !(site & 0x20);
}

void ksma_patch_branch(uint8_t *to, uint8_t opcode, uint64_t site, uint64_t target)
{
	uint32_t displacement = (uint32_t)(target - (site + 5));

	to[0] = opcode;
	memcpy(to + 1, &displacement, 4);
}

/* The entries of a table of 32-bit offsets, each from its own place. */
static bool next_site(const struct ksma_patch_table *table, size_t *at, uint64_t *ret_site)
{
	if (table->size < 4 || *at > table->size - 4)
		return false;
	*ret_site = table->gva + *at + (uint64_t)(int64_t)(int32_t)ksma_le32(table->bytes + *at);
	*at += 4;
	return true;
}

static bool is_jcc32(const struct ksma_instruction *i)
{
	return i->opcode[0] == 0x0f && (i->opcode[1] & 0xf0) == 0x80;
}

/* CALL or JMP *%reg. */
static size_t emit_indirect(bool jump, unsigned reg, uint8_t *to)
{
	size_t n = 0;

	if (reg >= 8)
		to[n++] = 0x41;
	to[n++] = 0xff;
	to[n++] = (uint8_t)((jump ? 0xe0 : 0xd0) + (reg & 7));
	return n;
}

/* A branch of the same length to a thunk. */
static size_t emit_thunk(const struct ksma_instruction *i, uint64_t site, uint64_t thunk,
			 uint8_t *to)
{
	size_t n = 0;

	if (is_jcc32(i)) {
		to[n++] = 0x0f;
		ksma_patch_branch(to + n, i->opcode[1], site + n, thunk);
		return n + 5;
	}
	if (i->length == 6)
		to[n++] = 0x2e;
	ksma_patch_branch(to + n, i->opcode[0], site + n, thunk);
	return n + 5;
}

/* What a branch to __x86_indirect_thunk_REG becomes. @return 0: it stays as it is */
static size_t retpoline(const struct ksma_patch *p, const struct ksma_instruction *i, uint64_t site,
			unsigned reg, uint8_t *to)
{
	bool lfence = ksma_patch_feature(p, FEATURE_RETPOLINE_LFENCE),
	     jump = i->opcode[0] == JMP || is_jcc32(i);
	size_t n = 0, excess;

	if (ksma_patch_feature(p, FEATURE_RETPOLINE) && !lfence)
		return 0;
	if (is_jcc32(i)) {
		to[n++] = (uint8_t)(0x70 + ((i->opcode[1] & 0xf) ^ 1));
		to[n++] = (uint8_t)(i->length - 2);
	}
	if (lfence) {
		static const uint8_t fence[3] = { 0x0f, 0xae, 0xe8 };

		memcpy(to + n, fence, 3);
		n += 3;
	}
	if (p->its_thunk && !((site + n + 1 + reg / 8) & 0x20)) {
		uint64_t thunk = p->its_thunk(p->arg, site, i->length, reg);

		if (thunk)
			return emit_thunk(i, site, thunk, to);
	}
	if (n + 2 + reg / 8 > i->length)
		return 0;
	excess = i->length - n - 2 - reg / 8;
	if (p->nops == KSMA_NOPS_11 && p->symbols.warn_trap && !jump && excess <= 3)
		while (excess--) /* newer kernels prefer prefixes to a NOP */
			to[n++] = 0x2e;
	n += emit_indirect(jump, reg, to + n);
	if (jump && n < i->length)
		to[n++] = INT3;
	while (n < i->length)
		to[n++] = jump && p->nops == KSMA_NOPS_11 && p->symbols.warn_trap ? INT3 : 0x90;
	return n;
}

/* Single-byte NOPs at the end become long ones: what optimize_nops() does to these sites. */
static void join_nops(const struct ksma_patch *p, uint8_t *to, size_t length)
{
	size_t n = length;

	while (n && to[n - 1] == 0x90)
		n--;
	if (length - n > 1)
		ksma_patch_nops(p, to + n, length - n);
}

void ksma_patch_retpolines(struct ksma_patch *p, const struct ksma_patch_table *table)
{
	uint64_t site;

	for (size_t at = 0; next_site(table, &at, &site);) {
		struct ksma_instruction i;
		uint8_t *code = ksma_patch_at(p, site, 6), buffer[16];
		uint64_t target, reg;
		size_t room = 6, n;

		if (!code)
			code = ksma_patch_at(p, site, room = 5);
		if (!code || !ksma_decode(code, room, &i)) {
			p->bad++;
			continue;
		}
		p->count[KSMA_PATCH_RETPOLINE]++;
		target = site + i.length + (uint64_t)i.immediate;
		reg = (target - p->symbols.indirect_thunks) / THUNK_SIZE;
		if (i.immediate_size != 4 || reg > 15 || i.length > 6) {
			p->bad++;
			continue;
		}
		n = retpoline(p, &i, site, (unsigned)reg, buffer);
		if (n != i.length)
			continue;
		join_nops(p, buffer, n);
		memcpy(code, buffer, n);
	}
}

void ksma_patch_returns(struct ksma_patch *p, const struct ksma_patch_table *table)
{
	static const uint8_t trampoline[3] = { 0x0f, 0xb9, 0xcc };
	uint64_t site;

	for (size_t at = 0; next_site(table, &at, &site);) {
		uint8_t *code = ksma_patch_at(p, site, 8);
		struct ksma_instruction i;

		if (code && memcmp(code + 5, trampoline, 3) == 0)
			continue; /* of a static call: its key says what it holds */
		if (!code)
			code = ksma_patch_at(p, site, 5);
		if (!code || !ksma_decode(code, 5, &i) || i.opcode[0] != JMP ||
		    site + i.length + (uint64_t)i.immediate != p->symbols.return_thunk) {
			p->bad++;
			continue;
		}
		p->count[KSMA_PATCH_RETURN]++;
		if (ksma_patch_wants_return_thunk(p, site)) {
			ksma_patch_branch(code, JMP, site, p->symbols.return_target);
		} else {
			code[0] = RET;
			memset(code + 1, INT3, 4);
		}
	}
}

void ksma_patch_seals(struct ksma_patch *p, const struct ksma_patch_table *table)
{
	const uint8_t *poison = poisons[0];
	uint8_t found[4];
	uint64_t site;
	size_t first = 0;

	/* No table says which form this kernel has: the first site does, for all of them. */
	if (next_site(table, &first, &site) && p->read && p->read(p->arg, site, found, 4) &&
	    memcmp(found, poisons[1], 4) == 0)
		poison = poisons[1];
	for (size_t at = 0; next_site(table, &at, &site);) {
		uint8_t *code = ksma_patch_at(p, site, 4);

		if (!code) {
			p->bad++;
			continue;
		}
		p->count[KSMA_PATCH_SEAL]++;
		if (memcmp(code, endbr, 4) == 0)
			memcpy(code, poison, 4);
	}
}

void ksma_patch_locks(struct ksma_patch *p, const struct ksma_patch_table *table, uint64_t start,
		      uint64_t end)
{
	uint64_t site;

	for (size_t at = 0; next_site(table, &at, &site);) {
		uint8_t *code;

		if (!ksma_le32(table->bytes + at - 4) || site < start || site >= end)
			continue;
		code = ksma_patch_at(p, site, 1);
		if (!code) {
			p->bad++;
			continue;
		}
		p->count[KSMA_PATCH_LOCK]++;
		if (*code == LOCK)
			*code = DS;
	}
}

void ksma_patch_runtime(struct ksma_patch *p, const struct ksma_patch_table *table, uint64_t value,
			bool shift)
{
	uint64_t site;

	for (size_t at = 0; next_site(table, &at, &site);) {
		uint8_t *code = ksma_patch_at(p, site, shift ? 1 : 8);

		if (!code) {
			p->bad++;
			continue;
		}
		p->count[KSMA_PATCH_RUNTIME]++;
		memcpy(code, &value, shift ? 1 : 8);
	}
}

/* The instructions that 5.10 puts in the place of a call (arch/x86/kernel/paravirt_patch.c). */
struct inlined {
	uint8_t length, bytes[3];
};

static const struct inlined *inline_operation(const struct ksma_patch *p, unsigned type,
					      uint64_t function)
{
	static const struct inlined fixed[KSMA_OPERATIONS] = {
		[KSMA_OPERATION_SAVE_FLAGS] = { 2, { 0x9c, 0x58 } },
		[KSMA_OPERATION_RESTORE_FLAGS] = { 2, { 0x57, 0x9d } },
		[KSMA_OPERATION_DISABLE] = { 1, { 0xfa } },
		[KSMA_OPERATION_ENABLE] = { 1, { 0xfb } },
		[KSMA_OPERATION_READ_CR2] = { 3, { 0x0f, 0x20, 0xd0 } },
		[KSMA_OPERATION_READ_CR3] = { 3, { 0x0f, 0x20, 0xd8 } },
		[KSMA_OPERATION_WRITE_CR3] = { 3, { 0x0f, 0x22, 0xdf } },
		[KSMA_OPERATION_WBINVD] = { 2, { 0x0f, 0x09 } },
	};
	static const struct inlined unlock = { 3, { 0xc6, 0x07, 0x00 } },
				    preempted = { 2, { 0x31, 0xc0 } },
				    identity = { 3, { 0x48, 0x89, 0xf8 } },
				    undefined = { 2, { 0x0f, 0x0b } };

	for (size_t i = 0; i < KSMA_OPERATIONS; i++)
		if (p->operations[i] == (int32_t)type)
			return &fixed[i];
	if (!function)
		return &undefined;
	if (function == p->symbols.native_unlock)
		return &unlock;
	if (function == p->symbols.native_preempted)
		return &preempted;
	return function == p->symbols.identity ? &identity : NULL;
}

/* A pointer of the guest that says where a call goes. One that leads to no function of the kernel was not there at boot: then it is
 * as the vendor built it. */
bool ksma_patch_pointer(struct ksma_patch *p, uint64_t slot, uint64_t *ret_function)
{
	const uint8_t *vendor = ksma_patch_at(p, slot, 8);

	if (!p->read || !p->read(p->arg, slot, ret_function, 8))
		return false;
	if (*ret_function && p->is_function && !p->is_function(p->arg, *ret_function) && vendor)
		*ret_function = ksma_le64(vendor);
	return true;
}

void ksma_patch_paravirt(struct ksma_patch *p, const struct ksma_patch_table *table, bool inlined)
{
	for (size_t at = 0; at + PARAVIRT_USED <= table->size; at += PARAVIRT_ENTRY) {
		uint64_t site = ksma_le64(table->bytes + at), function = 0;
		uint8_t type = table->bytes[at + 8], length = table->bytes[at + 9];
		uint8_t *code = ksma_patch_at(p, site, length);
		const struct inlined *with;
		size_t used = 0;

		if (!code || length < 5 || !p->symbols.pv_ops ||
		    !ksma_patch_pointer(p, p->symbols.pv_ops + 8ull * type, &function)) {
			p->bad++;
			continue;
		}
		p->count[KSMA_PATCH_PARAVIRT]++;
		with = inlined ? inline_operation(p, type, function) : NULL;
		if (with) {
			used = with->length;
			memcpy(code, with->bytes, used);
		} else if (function != p->symbols.nop) {
			ksma_patch_branch(code, p->iret == type ? JMP : CALL, site,
					  function ?: p->symbols.bug);
			used = 5;
		}
		ksma_patch_nops(p, code + used, length - used);
	}
}

size_t ksma_patch_static_call(const struct ksma_patch *p, const uint8_t *vendor, uint64_t site,
			      uint64_t function, bool tail, uint8_t *to)
{
	static const uint8_t clear[5] = { 0x2e, 0x2e, 0x2e, 0x31, 0xc0 },
			     warn[5] = { 0x67, 0x48, 0x0f, 0xb9, 0x3a };

	if (tail && vendor[0] == 0x0f && (vendor[1] & 0xf0) == 0x80) {
		if (!function)
			function = ksma_patch_feature(p, FEATURE_RETHUNK)
					   ? p->symbols.return_target
					   : p->symbols.static_return;
		to[0] = 0x0f;
		ksma_patch_branch(to + 1, vendor[1], site + 1, function);
		return 6;
	}
	if (!tail && !function) {
		memcpy(to, ksma_patch_nop5(p), 5);
	} else if (!tail && p->symbols.return0 && function == p->symbols.return0) {
		memcpy(to, clear, 5);
	} else if (!tail && p->symbols.warn_trap && function == p->symbols.warn_trap) {
		memcpy(to, warn, 5);
	} else if (function) {
		ksma_patch_branch(to, tail ? JMP : CALL, site, function);
	} else if (ksma_patch_wants_return_thunk(p, site)) {
		ksma_patch_branch(to, JMP, site, p->symbols.return_target);
	} else {
		to[0] = RET;
		memset(to + 1, INT3, 4);
	}
	return 5;
}

bool ksma_patch_table_holds(const struct ksma_patch_table *table, enum ksma_patch_kind kind,
			    uint64_t gva)
{
	size_t length = kind == KSMA_PATCH_LOCK	       ? 1
			: kind == KSMA_PATCH_RETPOLINE ? 6
			: kind == KSMA_PATCH_RUNTIME   ? 8
			: kind == KSMA_PATCH_SEAL      ? 4
						       : 5;
	uint64_t site;

	if (kind == KSMA_PATCH_PARAVIRT) {
		for (size_t at = 0; at + PARAVIRT_USED <= table->size; at += PARAVIRT_ENTRY)
			if (gva - ksma_le64(table->bytes + at) < table->bytes[at + 9])
				return true;
		return false;
	}
	for (size_t at = 0; next_site(table, &at, &site);)
		if (gva - site < length)
			return true;
	return false;
}

const char *ksma_patch_kind_name(enum ksma_patch_kind kind)
{
	static const char *const names[KSMA_PATCH_KINDS] = {
		[KSMA_PATCH_NONE] = "none",
		[KSMA_PATCH_ALTERNATIVE] = "alternative",
		[KSMA_PATCH_PARAVIRT] = "paravirt call",
		[KSMA_PATCH_RETPOLINE] = "retpoline",
		[KSMA_PATCH_RETURN] = "return",
		[KSMA_PATCH_CALL] = "tracked call",
		[KSMA_PATCH_SEAL] = "sealed ENDBR",
		[KSMA_PATCH_LOCK] = "LOCK prefix",
		[KSMA_PATCH_RUNTIME] = "runtime constant",
		[KSMA_PATCH_JUMP_LABEL] = "jump label",
		[KSMA_PATCH_STATIC_CALL] = "static call",
		[KSMA_PATCH_FTRACE] = "ftrace",
		[KSMA_PATCH_KPROBE] = "kprobe",
	};

	return (size_t)kind < KSMA_PATCH_KINDS ? names[kind] : "none";
}
