/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Code that a running kernel makes from templates of its own: ftrace trampolines, the copies that optimised kprobes jump to, and those
 * that other kprobes step through. It has no vendor, but what it is made of has: so each piece is made again, and compared.
 *
 * Source: arch/x86/kernel/ftrace.c, create_trampoline(); arch/x86/kernel/kprobes/opt.c, arch_prepare_optimized_kprobe();
 * arch/x86/kernel/kprobes/core.c, arch_copy_kprobe(). */
#include "base/bytes.h"
#include "checks/hooks.h"
#include "checks/proof.h"
#include "linux/ftrace.h"
#include "x86/decode.h"

enum {
	MAX_PIECE = 1024,
	SHOWN = 32,
	CALL = 0xe8,
	JMP = 0xe9,
	RET = 0xc3,
	INT3 = 0xcc,
	JNZ8 = 0x75,
	LOAD = 7,	   /* movq x(%rip), %rdx */
	SET_ARGUMENT = 10, /* movabs $x, %rdi */
	MAX_COPY = 32,	   /* of instructions under an optimised probe */
	FEATURE_SMAP = 9 * 32 + 20,
	PERSIST_MS = 3000, /* it may be being made, or taken back */
};

/* A piece of code as it has to be. */
struct piece {
	struct ksma_look *look;
	struct ksma_proof *proof;
	const char *kind;
	uint64_t gva;
	size_t size;
	uint8_t expected[MAX_PIECE], found[MAX_PIECE];
};

static struct ksma_error *report(struct piece *p, size_t first, const char *name)
{
	size_t last = p->size - 1, length;
	struct ksma_finding *finding;

	while (last > first && p->found[last] == p->expected[last])
		last--;
	length = last + 1 - first < SHOWN ? last + 1 - first : SHOWN;
	KSMA_TRY(ksma_finding_add(p->look, KSMA_SEVERITY_CRITICAL, &finding, "%s/%s+0x%zx", p->kind,
				  name, first));
	finding->persist_ms = PERSIST_MS;
	KSMA_TRY(ksma_finding_title(finding, "the %s for %s is not what the kernel makes of it",
				    p->kind, name));
	KSMA_TRY(ksma_finding_address(p->look, finding, "address", p->gva + first));
	KSMA_TRY(ksma_finding_text(finding, "section", "%s", p->kind));
	KSMA_TRY(ksma_finding_bytes(finding, "expected", p->expected + first, length,
				    p->gva + first));
	KSMA_TRY(ksma_finding_bytes(finding, "found", p->found + first, length, p->gva + first));
	if (p->size - first >= 5 && (p->found[first] == CALL || p->found[first] == JMP))
		return ksma_finding_code(p->look, finding, "target",
					 ksma_branch_target(p->found + first, p->gva + first));
	return NULL;
}

static struct ksma_error *compare(struct piece *p, const char *name)
{
	for (size_t i = 0; i < p->size; i++)
		if (p->found[i] != p->expected[i])
			return report(p, i, name);
	return NULL;
}

static uint64_t symbol(struct piece *p, const char *name)
{
	return ksma_kernel_symbol(p->look->kernel, name);
}

/* Moves what an instruction that was copied from `source` says relative to itself, where that lies outside of the copy. */
static bool move(uint8_t *code, size_t size, uint64_t source, uint64_t target)
{
	struct ksma_instruction i;

	for (size_t at = 0; at < size; at += i.length) {
		bool branch;
		uint32_t value;
		size_t place;
		uint64_t leads;

		if (!ksma_decode(code + at, size - at, &i))
			return false;
		branch = i.immediate_size == 4 &&
			 (code[at] == CALL || code[at] == JMP ||
			  (i.opcode[0] == 0x0f && (i.opcode[1] & 0xf0) == 0x80));
		if (!branch && !(i.rip_relative && i.displacement_size == 4))
			continue;
		place = at + (branch ? i.immediate_offset : i.displacement_offset);
		value = ksma_le32(code + place);
		leads = source + at + i.length + (uint64_t)(int64_t)(int32_t)value;
		if (leads - source < size)
			continue;
		value += (uint32_t)(source - target);
		memcpy(code + place, &value, 4);
	}
	return true;
}

/* The return at the end of a trampoline, in the room that the kernel's build gives it: 1, 2 or 5 bytes. */
static void write_return(struct piece *p, size_t at, size_t room)
{
	const struct ksma_patch *patch = &p->proof->unit.patch;

	if (room == 5 && ksma_patch_wants_return_thunk(patch, p->gva + at)) {
		ksma_patch_branch(p->expected + at, JMP, p->gva + at, patch->symbols.return_target);
		return;
	}
	/* What is behind them nobody wrote. */
	memcpy(p->expected + at, p->found + at, room);
	p->expected[at] = RET;
	if (room > 1)
		p->expected[at + 1] = INT3;
}

/* Whom it calls: the user's function, or the kernel's that stands before it. */
static uint64_t called(struct piece *p, const struct ksma_ftrace_ops *ops, size_t at)
{
	uint64_t assist = symbol(p, "ftrace_ops_assist_func"),
		 target = ksma_branch_target(p->found + at, p->gva + at);

	return assist && target == assist ? assist : ops->func;
}

/* @return false when this kernel does not make them in the form that is known */
static bool make_trampoline(struct piece *p, const struct ksma_ftrace_ops *ops)
{
	bool regs = ops->flags & KSMA_FTRACE_OPS_SAVE_REGS;
	uint64_t start = symbol(p, regs ? "ftrace_regs_caller" : "ftrace_caller"),
		 end = symbol(p, regs ? "ftrace_regs_caller_end" : "ftrace_caller_end"),
		 load = symbol(p, regs ? "ftrace_regs_caller_op_ptr" : "ftrace_caller_op_ptr"),
		 call = symbol(p, regs ? "ftrace_regs_call" : "ftrace_call"),
		 jump = symbol(p, "ftrace_regs_caller_jmp");
	size_t size = end - start, room = ops->trampoline_size - size - 8;
	const uint8_t *code;
	uint32_t offset;

	if (!start || end <= start || size > MAX_PIECE / 2 || room < 1 || room > 5 ||
	    !ksma_in_range(load - start, LOAD, size) || !ksma_in_range(call - start, 5, size) ||
	    (regs && !ksma_in_range(jump - start, 2, size)))
		return false;
	code = ksma_patch_at(&p->proof->unit.patch, start, size);
	p->gva = ops->trampoline;
	p->size = ops->trampoline_size;
	if (!code || !ksma_kernel_bytes(p->look->kernel, p->gva, p->found, p->size))
		return false;
	memcpy(p->expected, code, size);
	if (!move(p->expected, size, start, p->gva))
		return false;
	write_return(p, size, room);
	if (regs) {
		if (p->expected[jump - start] != JNZ8)
			return false;
		ksma_patch_nops(&p->proof->unit.patch, p->expected + (jump - start), 2);
	}
	memcpy(p->expected + size + room, &ops->address, 8);
	offset = (uint32_t)(size + room - (load - start + LOAD));
	memcpy(p->expected + (load - start) + 3, &offset, 4);
	ksma_patch_branch(p->expected + (call - start), CALL, p->gva + (call - start),
			  called(p, ops, call - start));
	return true;
}

static struct ksma_error *check_trampolines(struct ksma_look *look, struct ksma_proof *proof,
					    const struct ksma_ftrace *ftrace)
{
	char name[128];

	for (size_t i = 0; i < ftrace->count; i++) {
		const struct ksma_ftrace_ops *ops = &ftrace->items[i];
		struct piece p = { .look = look, .proof = proof, .kind = "ftrace-trampoline" };
		const struct ksma_owner *owner = ksma_owners_find(look->owners, ops->trampoline);

		if (!ops->trampoline || !owner || owner->kind != KSMA_OWNER_FTRACE ||
		    ops->manager || ops->flags & KSMA_FTRACE_OPS_MOVING)
			continue;
		if (!make_trampoline(&p, ops))
			ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
					  "ftrace trampolines are not of a form that is known");
		else
			KSMA_TRY(compare(&p, ksma_hook_name(look->kernel, ops->func, name,
							    sizeof(name))));
	}
	return NULL;
}

/* Copies the instructions at a probed place, as they are without the probe, until `least` bytes are there.
 * @return how many bytes, 0: they cannot be known */
static size_t copy_instructions(struct piece *p, struct ksma_proof_unit *unit, uint64_t from,
				size_t least, size_t at)
{
	size_t size = 0;

	while (size < least) {
		const uint8_t *code = ksma_patch_at(&unit->patch, from + size, 16);
		struct ksma_instruction i;

		if (!code || !ksma_decode(code, 16, &i) || size + i.length > MAX_COPY)
			return 0;
		memcpy(p->expected + at + size, code, i.length);
		if (i.rip_relative && i.displacement_size == 4) {
			uint8_t *place = p->expected + at + size + i.displacement_offset;
			uint32_t value = ksma_le32(place) + (uint32_t)(from - (p->gva + at));

			memcpy(place, &value, 4);
		}
		size += i.length;
	}
	return size;
}

/* @return false when this kernel does not make them in the form that is known */
static bool make_optimized(struct piece *p, struct ksma_proof_unit *unit,
			   const struct ksma_armed *armed)
{
	uint64_t start = symbol(p, "optprobe_template_entry"),
		 end = symbol(p, "optprobe_template_end"),
		 clac = symbol(p, "optprobe_template_clac"),
		 argument = symbol(p, "optprobe_template_val"),
		 call = symbol(p, "optprobe_template_call"),
		 callback = symbol(p, "optimized_callback"), probe = armed->optimized;
	size_t size = end - start, copied;
	const uint8_t *code;

	if (!start || end <= start || !callback || size > MAX_PIECE / 2 ||
	    !ksma_in_range(clac - start, 3, size) ||
	    !ksma_in_range(argument - start, SET_ARGUMENT, size) ||
	    !ksma_in_range(call - start, 5, size))
		return false;
	code = ksma_patch_at(&p->proof->unit.patch, start, size);
	if (!code)
		return false;
	memcpy(p->expected, code, size);
	if (ksma_patch_feature(&p->proof->unit.patch, FEATURE_SMAP))
		memcpy(p->expected + (clac - start), (const uint8_t[]){ 0x0f, 0x01, 0xca }, 3);
	p->expected[argument - start] = 0x48;
	p->expected[argument - start + 1] = 0xbf;
	memcpy(p->expected + (argument - start) + 2, &probe, 8);
	ksma_patch_branch(p->expected + (call - start), CALL, p->gva + (call - start), callback);
	copied = copy_instructions(p, unit, armed->address, 5, size);
	if (!copied)
		return false;
	p->size = size + copied;
	ksma_patch_branch(p->expected + p->size, JMP, p->gva + p->size, armed->address + copied);
	p->size += 5;
	return ksma_kernel_bytes(p->look->kernel, p->gva, p->found, p->size);
}

/* The copy of one instruction that is stepped through; where nothing hinders, a jump back follows it. */
static bool make_step(struct piece *p, struct ksma_proof_unit *unit, const struct ksma_armed *armed)
{
	p->size = copy_instructions(p, unit, armed->address, 1, 0);
	if (!p->size || !ksma_kernel_bytes(p->look->kernel, p->gva, p->found, p->size + 5))
		return false;
	if (p->found[p->size] == JMP) {
		ksma_patch_branch(p->expected + p->size, JMP, p->gva + p->size,
				  armed->address + p->size);
		p->size += 5;
	}
	return true;
}

static bool has_slot(const struct ksma_look *look, uint64_t slot)
{
	const struct ksma_owner *owner = slot ? ksma_owners_find(look->owners, slot) : NULL;

	return owner && owner->kind == KSMA_OWNER_KPROBE;
}

/* Probed bytes are put into the expected code before each look: without them is what is copied. */
static struct ksma_error *check_probes(struct ksma_look *look, struct ksma_proof *proof,
				       struct ksma_proof_unit *unit)
{
	char name[256];

	for (size_t i = 0; i < proof->probes.count; i++) {
		const struct ksma_armed *armed = &proof->probes.items[i];
		struct piece p = { .look = look, .proof = proof, .kind = "kprobe-copy" };

		if (!ksma_patch_at(&unit->patch, armed->address, 1))
			continue;
		ksma_kernel_describe(look->kernel, ksma_gva_of(armed->address), name, sizeof(name));
		p.gva = armed->jump;
		if (has_slot(look, p.gva) && make_optimized(&p, unit, armed))
			KSMA_TRY(compare(&p, name));
		p.gva = armed->step;
		if (has_slot(look, p.gva) && make_step(&p, unit, armed))
			KSMA_TRY(compare(&p, name));
	}
	return NULL;
}

struct ksma_error *ksma_proof_made_by_kprobes(struct ksma_look *look, struct ksma_proof *proof,
					      struct ksma_proof_unit *unit)
{
	if (!proof->probes.count)
		return NULL;
	ksma_proof_restore_probed(unit);
	return check_probes(look, proof, unit);
}

struct ksma_error *ksma_proof_made_by_ftrace(struct ksma_look *look, struct ksma_proof *proof)
{
	struct ksma_ftrace ftrace;
	struct ksma_error *error = ksma_linux_ftrace(look->kernel, &ftrace);

	if (error) {
		if (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST)
			return error;
		if (error->code == KSMA_ERROR_NOT_PRESENT)
			ksma_error_destroy(error);
		else
			ksma_coverage_error(look->coverage, KSMA_COVERAGE_PARTIAL, error,
					    "ftrace trampolines");
		return NULL;
	}
	error = check_trampolines(look, proof, &ftrace);
	ksma_ftrace_deinit(&ftrace);
	return error;
}
