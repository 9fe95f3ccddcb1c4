/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Without a reference: what the guest holds at the first look is what it is held against from then on.
 *
 * The kernel may be patching itself at that very moment. A site that begins with INT3 is about to hold something else: it is taken
 * again at a later look (ksma_baseline_settle()). What kprobes stand on is put back, and told by the probes of each look instead. */
#include <inttypes.h>

#include "base/bytes.h"
#include "base/large.h"
#include "checks/proof.h"
#include "guest/guest.h"
#include "linux/module_symbols.h"
#include "x86/decode.h"

enum {
	MAX_IMAGE = 256 << 20,
	FORGOTTEN_AT_ONCE = 2 << 20,
	MAX_AREA = 256 << 20,
	MAX_SITES = 1 << 20,
	INT3 = 0xcc,
	JMP = 0xe9,
};

/* Takes code of the first look anew that was being patched then. @return false: it still is, and `code` is as the guest has it */
bool ksma_baseline_settle(struct ksma_kernel *kernel, uint8_t *code, uint64_t gva, size_t length)
{
	uint8_t now[6];

	if (code[0] != INT3)
		return true;
	if (length > sizeof(now) || !ksma_kernel_bytes(kernel, gva, now, length))
		return false;
	memcpy(code, now, length);
	return now[0] != INT3;
}

/* Puts back what a probe stands on, where the copy holds the probe: a breakpoint, a jump, or on the way between them a breakpoint
 * in front of the jump's displacement. */
void ksma_baseline_unprobe(uint8_t *code, const struct ksma_armed *armed)
{
	bool jumps = armed->jump && (code[0] == JMP || code[0] == INT3) &&
		     ksma_branch_target(code, armed->address) == armed->jump;

	if (!armed->has_opcode || (code[0] != INT3 && !jumps))
		return;
	code[0] = armed->opcode;
	if (jumps)
		memcpy(code + 1, armed->copied, sizeof(armed->copied));
}

/* Before 6.2 the dispatcher of XDP programs begins with a NOP that becomes a jump (see update_dispatcher()). */
static void undispatch(struct ksma_proof *proof)
{
	uint64_t at = ksma_kernel_symbol(proof->kernel, "bpf_dispatcher_xdp_func");
	uint8_t *code = at ? ksma_patch_at(&proof->unit.patch, at, 5) : NULL;

	if (code && code[0] == JMP)
		memcpy(code, ksma_patch_nop5(&proof->unit.patch), 5);
}

static void unprobe_listed(struct ksma_proof *proof, struct ksma_proof_unit *unit)
{
	for (size_t i = 0; i < proof->probes.count; i++) {
		const struct ksma_armed *armed = &proof->probes.items[i];
		uint8_t *code = ksma_patch_at(&unit->patch, armed->address, 5);

		if (code)
			ksma_baseline_unprobe(code, armed);
	}
}

/* Torn or damaged: the look that follows says so. */
static struct ksma_error *try_probes(struct ksma_proof *proof)
{
	struct ksma_error *error = ksma_proof_read_probes(proof);

	if (error && error->code == KSMA_ERROR_NOMEM)
		return error;
	ksma_error_destroy(error);
	return NULL;
}

/* A probe may have gone since the code was copied, and been listed before; and one that became a jump meanwhile saved what it stands
 * on just before that. So the list as it is now comes first, then the one of before. */
static struct ksma_error *unprobe_all(struct ksma_proof *proof, struct ksma_proof_unit *unit)
{
	__typeof__(proof->probes) before = proof->probes;
	struct ksma_error *error;

	memset(&proof->probes, 0, sizeof(proof->probes));
	error = try_probes(proof);
	if (!error) {
		unprobe_listed(proof, unit);
		free(proof->probes.items);
		proof->probes = before;
		unprobe_listed(proof, unit);
		return NULL;
	}
	free(before.items);
	return error;
}

/* Where an earlier command kept its first look at a run, that is the first look. */
static void take_kept(struct ksma_proof *proof, struct ksma_proof_unit *unit, uint64_t gva,
		      uint8_t *bytes, uint64_t size)
{
	const uint8_t *kept =
		proof->kept ? ksma_kept_bytes(proof->kept, &unit->key, gva, size) : NULL;

	if (kept)
		memcpy(bytes, kept, size);
	else
		unit->fresh++;
}

/* Copies the guest's image, text to the end of read-only data: the first look. */
static struct ksma_error *snapshot(struct ksma_proof *proof, uint64_t end)
{
	struct ksma_kernel *kernel = proof->kernel;

	proof->gva = kernel->image;
	if (end <= proof->gva || end - proof->gva > MAX_IMAGE)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "the kernel's image has no end");
	proof->size = end - proof->gva;
	proof->bytes = ksma_large_alloc(proof->size);
	if (!proof->bytes)
		return ksma_error_nomem();
	memset(proof->bytes, 0, proof->size);
	for (uint64_t at = 0; at < proof->size; at += KSMA_PAGE_SIZE) {
		uint64_t n = proof->size - at < KSMA_PAGE_SIZE ? proof->size - at : KSMA_PAGE_SIZE;

		ksma_kernel_bytes(kernel, proof->gva + at, proof->bytes + at, n);
		if (at % FORGOTTEN_AT_ONCE == 0 && at)
			ksma_guest_forget(kernel->guest,
					  kernel->physical_base + at - FORGOTTEN_AT_ONCE,
					  FORGOTTEN_AT_ONCE);
	}
	ksma_guest_forget(kernel->guest, kernel->physical_base, proof->size);
	take_kept(proof, &proof->unit, proof->gva, proof->bytes, proof->size);
	proof->unit.patch.parts[0] =
		(struct ksma_patch_part){ proof->gva, proof->bytes, proof->size };
	proof->unit.patch.part_count = 1;
	proof->unit.baseline = true;
	return NULL;
}

static struct ksma_error *build_baseline(struct ksma_proof *proof)
{
	struct ksma_kernel *kernel = proof->kernel;
	struct ksma_proof_unit *unit = &proof->unit;
	uint64_t rodata = ksma_kernel_symbol(kernel, "__start_rodata"),
		 end = ksma_kernel_symbol(kernel, "__end_rodata"),
		 ro_start = ksma_kernel_symbol(kernel, "__start_ro_after_init");
	struct ksma_proof_unit **wanting;
	struct ksma_patch_table table;

	KSMA_TRY(try_probes(proof));
	KSMA_TRY(snapshot(proof, end ?: kernel->etext));
	KSMA_TRY(unprobe_all(proof, unit));
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
	KSMA_TRY(KSMA_ARRAY_PUSH(&proof->wanting, &wanting));
	*wanting = unit;
	KSMA_TRY(ksma_proof_prepare(proof));
	undispatch(proof);
	table = ksma_proof_symbol_table(proof, "__start___jump_table", "__stop___jump_table");
	KSMA_TRY(ksma_proof_jumps(unit, &table));
	table = ksma_proof_symbol_table(proof, "__start_static_call_sites",
					"__stop_static_call_sites");
	KSMA_TRY(ksma_proof_calls(unit, &table));
	KSMA_TRY(ksma_proof_trampolines(proof, unit));
	ksma_proof_add_range(unit->text, &unit->text_count, ".text", kernel->text,
			     kernel->etext - kernel->text);
	if (rodata && end > rodata)
		ksma_proof_add_range(unit->data, &unit->data_count, ".rodata", rodata,
				     (ro_start > rodata && ro_start < end ? ro_start : end) -
					     rodata);
	ksma_proof_vdso(proof);
	return ksma_proof_late_kernel(proof);
}

struct ksma_error *ksma_proof_create_baseline(struct ksma_kernel *kernel,
					      const struct ksma_owners *owners,
					      const struct ksma_kept *kept,
					      struct ksma_proof **ret_proof)
{
	struct ksma_proof *proof = calloc(1, sizeof(*proof));
	struct ksma_error *error;

	if (!proof)
		return ksma_error_nomem();
	proof->kernel = kernel;
	proof->owners = owners;
	proof->kept = kept;
	error = build_baseline(proof);
	if (error) {
		ksma_proof_destroy(proof);
		return error;
	}
	*ret_proof = proof;
	return NULL;
}

/* Copies a piece of the module as it is now; it becomes a range to be compared. */
static struct ksma_error *copy_area(struct ksma_proof *proof, struct ksma_proof_module *m,
				    enum ksma_proof_area area, uint64_t gva, uint64_t size)
{
	struct ksma_patch *p = &m->unit.patch;
	uint8_t *bytes;

	if (!size || size > MAX_AREA || p->part_count == KSMA_PATCH_PARTS)
		return NULL;
	bytes = calloc(1, size);
	if (!bytes)
		return ksma_error_nomem();
	p->parts[p->part_count++] = (struct ksma_patch_part){ gva, bytes, size };
	if (!ksma_kernel_bytes(proof->kernel, gva, bytes, size))
		return ksma_error_fault(gva, "module %s cannot be read", m->name);
	take_kept(proof, &m->unit, gva, bytes, size);
	if (area == KSMA_PROOF_AREA_AFTER_INIT)
		return ksma_proof_take_late(proof, &m->unit, "ro_after_init", gva, size);
	if (area == KSMA_PROOF_AREA_TEXT)
		ksma_proof_add_range(m->unit.text, &m->unit.text_count, "text", gva, size);
	else
		ksma_proof_add_range(m->unit.data, &m->unit.data_count, "constants", gva, size);
	return NULL;
}

/* A table of sites that struct module points to. */
static struct ksma_error *guest_table(struct ksma_proof *proof, struct ksma_proof_module *m,
				      int32_t pointer, int32_t count, size_t entry,
				      struct ksma_error *(*take)(struct ksma_proof_unit *,
								 const struct ksma_patch_table *))
{
	struct ksma_kernel *kernel = proof->kernel;
	struct ksma_patch_table table = { 0 };
	_cleanup_free_ uint8_t *bytes = NULL;
	uint32_t n;

	if (pointer == KSMA_NO_MEMBER || count == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(kernel, m->module + (uint64_t)pointer, &table.gva) ||
	    !ksma_kernel_u32(kernel, m->module + (uint64_t)count, &n) || !table.gva || !n ||
	    n > MAX_SITES)
		return NULL;
	table.size = n * entry;
	table.bytes = bytes = malloc(table.size);
	if (!bytes)
		return ksma_error_nomem();
	if (!ksma_kernel_bytes(kernel, table.gva, bytes, table.size))
		return NULL;
	return take(&m->unit, &table);
}

/* The key of a trampoline, among those that the module's sites name: __SCK__NAME for __SCT__NAME. @return 0: none of them */
static uint64_t key_of(struct ksma_proof *proof, const struct ksma_proof_module *m, size_t sites,
		       const struct ksma_module_symbol *trampoline)
{
	struct ksma_module_symbol key;
	uint64_t last = 0;

	for (size_t i = 0; i < sites; i++) {
		uint64_t at = m->unit.calls.items[i].key;

		if (at != last && ksma_module_symbol_at(proof->kernel, at, &key) &&
		    key.address == at && strncmp(key.name, "__SCK__", 7) == 0 &&
		    strcmp(key.name + 7, trampoline->name + 7) == 0)
			return at;
		last = at;
	}
	return 0;
}

/* Trampolines of static calls begin with JMP or RET, and are aligned (arch/x86/include/asm/static_call.h); the rest is their name. */
static struct ksma_error *module_trampolines(struct ksma_proof *proof, struct ksma_proof_module *m)
{
	const struct ksma_patch_part *text = &m->unit.patch.parts[0];
	size_t sites = m->unit.calls.count;

	for (size_t at = 0; at + 8 <= text->size; at += 4) {
		struct ksma_module_symbol s;
		struct ksma_call_site *site;

		if (text->bytes[at] != 0xe9 && text->bytes[at] != 0xc3)
			continue;
		if (!ksma_module_symbol_at(proof->kernel, text->gva + at, &s) ||
		    s.address != text->gva + at || strncmp(s.name, "__SCT__", 7) != 0)
			continue;
		KSMA_TRY(KSMA_ARRAY_PUSH(&m->unit.calls, &site));
		*site = (struct ksma_call_site){ .code = s.address,
						 .key = key_of(proof, m, sites, &s),
						 .tail = true };
	}
	return NULL;
}

struct ksma_error *ksma_proof_module_baseline(struct ksma_proof *proof, struct ksma_proof_module *m)
{
	const struct ksma_offsets *off = &proof->kernel->off;
	struct ksma_proof_unit **wanting;
	uint32_t text = 0, constants = 0, late = 0;
	uint64_t layout;

	if (!ksma_proof_module_areas(proof->kernel, m))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the areas of module %s cannot be read", m->name);
	m->unit.baseline = true;
	ksma_proof_inherit(proof, &m->unit.patch);
	if (m->separate) {
		for (unsigned i = 0; i <= KSMA_PROOF_AREA_AFTER_INIT; i++)
			KSMA_TRY(copy_area(proof, m, i, m->areas[i].base, m->areas[i].size));
	} else {
		layout = m->module + (uint64_t)off->module__core_layout;
		KSMA_TRY(KSMA_NEED(proof->kernel, module_layout__text_size));
		KSMA_TRY(KSMA_NEED(proof->kernel, module_layout__ro_size));
		if (!ksma_kernel_u32(proof->kernel,
				     layout + (uint64_t)off->module_layout__text_size, &text) ||
		    !ksma_kernel_u32(proof->kernel, layout + (uint64_t)off->module_layout__ro_size,
				     &constants) ||
		    text > constants || constants > m->areas[0].size)
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "the sizes of module %s make no sense", m->name);
		KSMA_TRY(copy_area(proof, m, KSMA_PROOF_AREA_TEXT, m->areas[0].base, text));
		KSMA_TRY(copy_area(proof, m, KSMA_PROOF_AREA_RODATA, m->areas[0].base + text,
				   constants - text));
		if (off->module_layout__ro_after_init_size != KSMA_NO_MEMBER &&
		    ksma_kernel_u32(proof->kernel,
				    layout + (uint64_t)off->module_layout__ro_after_init_size,
				    &late) &&
		    late > constants && late <= m->areas[0].size)
			KSMA_TRY(copy_area(proof, m, KSMA_PROOF_AREA_AFTER_INIT,
					   m->areas[0].base + constants, late - constants));
	}
	KSMA_TRY(unprobe_all(proof, &m->unit));
	KSMA_TRY(guest_table(proof, m, off->module__jump_entries, off->module__num_jump_entries, 16,
			     ksma_proof_jumps));
	KSMA_TRY(guest_table(proof, m, off->module__static_call_sites,
			     off->module__num_static_call_sites, 8, ksma_proof_calls));
	KSMA_TRY(module_trampolines(proof, m));
	m->unit.patch.bad = 0; /* entries about code that was freed */
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
	KSMA_TRY(KSMA_ARRAY_PUSH(&proof->wanting, &wanting));
	*wanting = &m->unit;
	return NULL;
}
