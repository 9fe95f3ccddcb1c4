/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes the kernel's image as it has to lie in the guest's memory: the vendor's segments, moved by KASLR, patched as at boot. */
#include "checks/proof.h"

#include "base/bytes.h"
#include "base/large.h"
#include "vendor/store.h"

enum {
	MAX_IMAGE = 256 << 20,
	PIECE = 4 << 20,
	JUMP_ENTRY = 16,
	CALL_ENTRY = 8,
	VDSO_IMAGE = 256, /* struct vdso_image is no larger */
	CALL_TAIL = 1,	  /* STATIC_CALL_SITE_TAIL */
	INT3 = 0xcc,
};

const struct ksma_proof_table_name ksma_proof_tables[KSMA_PROOF_TABLES] = {
	{ ".parainstructions", KSMA_PATCH_PARAVIRT },
	{ ".retpoline_sites", KSMA_PATCH_RETPOLINE },
	{ ".return_sites", KSMA_PATCH_RETURN },
	{ ".ibt_endbr_seal", KSMA_PATCH_SEAL },
	{ ".altinstructions", KSMA_PATCH_ALTERNATIVE },
	{ ".smp_locks", KSMA_PATCH_LOCK },
};

static struct ksma_patch_table table_at(struct ksma_proof *proof, uint64_t gva, uint64_t size)
{
	struct ksma_patch_table table = { .gva = gva,
					  .bytes = ksma_patch_at(&proof->unit.patch, gva, size),
					  .size = size };

	if (!table.bytes)
		table.size = 0;
	return table;
}

static struct ksma_patch_table section_table(struct ksma_proof *proof, const char *name)
{
	const struct ksma_elf_section *s = ksma_elf_section(&proof->image.elf, name);

	if (!s || !s->data)
		return (struct ksma_patch_table){ 0 };
	return table_at(proof, s->address + proof->kernel->virtual_slide, s->size);
}

struct ksma_patch_table ksma_proof_symbol_table(struct ksma_proof *proof, const char *start,
						const char *end)
{
	uint64_t from = ksma_kernel_symbol(proof->kernel, start),
		 to = ksma_kernel_symbol(proof->kernel, end);

	if (!from || to <= from)
		return (struct ksma_patch_table){ 0 };
	return table_at(proof, from, to - from);
}

/* Copies the loadable segments to where they lie from the start of the image on. */
static struct ksma_error *load(struct ksma_proof *proof)
{
	const struct ksma_elf *elf = &proof->image.elf;
	uint64_t low = UINT64_MAX, high = 0;

	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct ksma_elf_segment *s = &elf->segments[i];

		if (s->type != KSMA_PT_LOAD || !s->file_size)
			continue;
		low = s->physical < low ? s->physical : low;
		high = s->physical + s->file_size > high ? s->physical + s->file_size : high;
	}
	if (low >= high || high - low > MAX_IMAGE)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"the vendor's kernel has no segments that could be loaded");
	proof->size = high - low;
	proof->gva = low + KSMA_START_KERNEL_MAP + proof->kernel->virtual_slide;
	proof->bytes = ksma_large_alloc(proof->size);
	if (!proof->bytes)
		return ksma_error_nomem();
	memset(proof->bytes, 0, proof->size);
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct ksma_elf_segment *s = &elf->segments[i];

		if (s->type != KSMA_PT_LOAD)
			continue;
		/* Piece by piece, so that the file and the copy are not both held in full. */
		for (uint64_t at = 0; at < s->file_size; at += PIECE) {
			uint64_t n = s->file_size - at < PIECE ? s->file_size - at : PIECE;

			memcpy(proof->bytes + (s->physical - low) + at, s->data + at, n);
			ksma_vendor_object_forget(&proof->object);
		}
	}
	proof->unit.patch.parts[0] =
		(struct ksma_patch_part){ proof->gva, proof->bytes, proof->size };
	proof->unit.patch.part_count = 1;
	return NULL;
}

/* Adds to each place of a list what the kernel was moved by. */
static void relocate(struct ksma_proof *proof, const struct ksma_boot_relocations *list,
		     size_t width, uint64_t by)
{
	uint64_t base = proof->gva - proof->kernel->virtual_slide;

	for (size_t i = 0; i < list->count; i++) {
		uint64_t at = ksma_boot_relocation(list, i) - base, v = 0;

		if (at > proof->size || width > proof->size - at)
			continue;
		memcpy(&v, proof->bytes + at, width);
		v += by;
		memcpy(proof->bytes + at, &v, width);
	}
}

static bool read_guest(void *arg, uint64_t gva, void *buffer, size_t size)
{
	struct ksma_proof *proof = arg;

	return ksma_kernel_bytes(proof->kernel, gva, buffer, size);
}

static bool is_function(void *arg, uint64_t gva)
{
	struct ksma_proof *proof = arg;
	const struct ksma_symbol *s = ksma_symbols_at(&proof->kernel->symbols, gva);

	return s && ksma_kernel_is_text(proof->kernel, gva) &&
	       ksma_symbol_address(&proof->kernel->symbols, s) == gva;
}

/* A thunk against indirect target selection: made at boot, in pages of its own or in the image, always "jmp *reg; int3". */
static uint64_t its_thunk(void *arg, uint64_t site, size_t length, unsigned reg)
{
	struct ksma_proof *proof = arg;
	const struct ksma_owner *owner;
	uint8_t code[6], thunk[4], expected[4] = { 0x41, 0xff, (uint8_t)(0xe0 + (reg & 7)), 0xcc };
	size_t skip = reg < 8;
	uint64_t target;

	if (length < 5 || length > 6 || !ksma_kernel_bytes(proof->kernel, site, code, length))
		return 0;
	target = site + length + (uint64_t)(int64_t)(int32_t)ksma_le32(code + length - 4);
	owner = ksma_owners_find(proof->owners, target);
	if (!owner || (owner->kind != KSMA_OWNER_ITS && owner->kind != KSMA_OWNER_KERNEL) ||
	    !(target & 0x20) || !ksma_kernel_bytes(proof->kernel, target, thunk, 4 - skip))
		return 0;
	return memcmp(thunk, expected + skip, 4 - skip) == 0 ? target : 0;
}

/* boot_cpu_data.x86_capability: which encoding each alternative has. */
static struct ksma_error *read_features(struct ksma_proof *proof)
{
	struct ksma_kernel *kernel = proof->kernel;
	uint64_t data;

	KSMA_TRY(ksma_kernel_need_symbol(kernel, "boot_cpu_data", &data));
	KSMA_TRY(KSMA_NEED(kernel, cpuinfo_x86__x86_capability));
	if (!ksma_kernel_bytes(kernel, data + (uint64_t)kernel->off.cpuinfo_x86__x86_capability,
			       proof->unit.patch.features, 4ul * 25))
		return ksma_error_fault(data, "the features of the boot processor cannot be read");
	return NULL;
}

/* How many NOPs an array of pointers to them holds: the i-th is i bytes behind the one before. */
static size_t count_nops(struct ksma_kernel *kernel, uint64_t table)
{
	uint64_t at[12] = { 0 };
	size_t n = 1;

	if (!ksma_kernel_bytes(kernel, table, at, sizeof(at)))
		return 0;
	while (n + 1 < ARRAY_SIZE(at) && at[n + 1] == at[n] + n)
		n++;
	return n;
}

static enum ksma_patch_nops which_nops(struct ksma_kernel *kernel)
{
	uint64_t ideal = ksma_kernel_symbol(kernel, "ideal_nops"),
		 table = ksma_kernel_symbol(kernel, "x86_nops"), at;

	if (ideal && ksma_kernel_u64(kernel, ideal, &at))
		return at == ksma_kernel_symbol(kernel, "k8_nops") ? KSMA_NOPS_K8 : KSMA_NOPS_P6;
	return table && count_nops(kernel, table) > 8 ? KSMA_NOPS_11 : KSMA_NOPS_P6;
}

/* Where the operations lie in pv_ops that are replaced by instructions. */
static void find_operations(struct ksma_proof *proof)
{
	const struct ksma_offsets *off = &proof->kernel->off;
	const int32_t places[KSMA_OPERATIONS] = {
		[KSMA_OPERATION_SAVE_FLAGS] = off->paravirt_patch_template__save_fl,
		[KSMA_OPERATION_RESTORE_FLAGS] = off->paravirt_patch_template__restore_fl,
		[KSMA_OPERATION_DISABLE] = off->paravirt_patch_template__irq_disable,
		[KSMA_OPERATION_ENABLE] = off->paravirt_patch_template__irq_enable,
		[KSMA_OPERATION_READ_CR2] = off->paravirt_patch_template__read_cr2,
		[KSMA_OPERATION_READ_CR3] = off->paravirt_patch_template__read_cr3,
		[KSMA_OPERATION_WRITE_CR3] = off->paravirt_patch_template__write_cr3,
		[KSMA_OPERATION_WBINVD] = off->paravirt_patch_template__wbinvd,
	};

	proof->unit.patch.iret = off->paravirt_patch_template__iret == KSMA_NO_MEMBER
					 ? -1
					 : off->paravirt_patch_template__iret / 8;
	for (size_t i = 0; i < KSMA_OPERATIONS; i++)
		proof->unit.patch.operations[i] = places[i] == KSMA_NO_MEMBER ? -1 : places[i] / 8;
}

struct ksma_error *ksma_proof_prepare(struct ksma_proof *proof)
{
	struct ksma_kernel *kernel = proof->kernel;
	struct ksma_patch *p = &proof->unit.patch;
	struct ksma_patch_symbols *s = &p->symbols;
	uint64_t variable = ksma_kernel_symbol(kernel, "x86_return_thunk");

	p->read = read_guest;
	p->is_function = is_function;
	p->its_thunk =
		ksma_kernel_symbol(kernel, "__x86_indirect_its_thunk_array") ? its_thunk : NULL;
	p->arg = proof;
	p->nops = which_nops(kernel);
	s->return_thunk = ksma_kernel_symbol(kernel, "__x86_return_thunk");
	s->return_target = s->return_thunk;
	if (variable && !ksma_kernel_u64(kernel, variable, &s->return_target))
		return ksma_error_fault(variable, "x86_return_thunk cannot be read");
	if (s->return_target && !is_function(proof, s->return_target))
		s->return_target = s->return_thunk;
	s->its_return = ksma_kernel_symbol(kernel, "its_return_thunk");
	s->indirect_thunks = ksma_kernel_symbol(kernel, "__x86_indirect_thunk_array");
	s->bug = ksma_kernel_symbol(kernel, "BUG_func")
			 ?: ksma_kernel_symbol(kernel, "paravirt_BUG");
	s->nop = ksma_kernel_symbol(kernel, "nop_func")
			 ?: ksma_kernel_symbol(kernel, "_paravirt_nop");
	s->identity = ksma_kernel_symbol(kernel, "_paravirt_ident_64");
	s->pv_ops = ksma_kernel_symbol(kernel, "pv_ops");
	s->return0 = ksma_kernel_symbol(kernel, "__static_call_return0");
	s->warn_trap = ksma_kernel_symbol(kernel, "__WARN_trap");
	s->static_return = ksma_kernel_symbol(kernel, "__static_call_return");
	s->native_unlock =
		ksma_kernel_symbol(kernel, "__raw_callee_save___native_queued_spin_unlock");
	s->native_preempted =
		ksma_kernel_symbol(kernel, "__raw_callee_save___native_vcpu_is_preempted");
	find_operations(proof);
	return read_features(proof);
}

void ksma_proof_add_table(struct ksma_proof_unit *unit, enum ksma_patch_kind kind,
			  struct ksma_patch_table table)
{
	if (!table.size || unit->table_count == ARRAY_SIZE(unit->tables))
		return;
	unit->tables[unit->table_count].kind = kind;
	unit->tables[unit->table_count++].table = table;
}

static const struct ksma_patch_table *table_of(const struct ksma_proof_unit *unit,
					       enum ksma_patch_kind kind)
{
	static const struct ksma_patch_table none;

	for (size_t i = 0; i < unit->table_count; i++)
		if (unit->tables[i].kind == kind)
			return &unit->tables[i].table;
	return &none;
}

/* The value of a variable that became a constant. The compiler drops one that is only ever written: then its first site says the
 * value, a pointer into the direct map, and all others must agree. */
static bool read_constant(struct ksma_proof *proof, const char *name,
			  const struct ksma_patch_table *table, bool shift, uint64_t *ret_value)
{
	struct ksma_kernel *kernel = proof->kernel;
	uint64_t variable = ksma_kernel_symbol(kernel, name), value = 0;

	if (variable) {
		if (!ksma_kernel_bytes(kernel, variable, &value, shift ? 4 : 8))
			return false;
	} else if (shift || table->size < 4 ||
		   !ksma_kernel_u64(
			   kernel, table->gva + (uint64_t)(int64_t)(int32_t)ksma_le32(table->bytes),
			   &value) ||
		   value < kernel->page_offset || value >= kernel->vmalloc) {
		return false;
	}
	*ret_value = value;
	return true;
}

void ksma_proof_add_range(struct ksma_proof_range *ranges, size_t *count, const char *name,
			  uint64_t gva, uint64_t size)
{
	if (!size)
		return;
	if (*count && ranges[*count - 1].gva + ranges[*count - 1].size == gva &&
	    *count == KSMA_PROOF_RANGES)
		ranges[*count - 1].size += size;
	else if (*count < KSMA_PROOF_RANGES)
		ranges[(*count)++] =
			(struct ksma_proof_range){ .gva = gva, .size = size, .name = name };
}

/* Constants that boot writes into instructions: runtime_ptr_NAME and runtime_shift_NAME hold the value of NAME. */
static void patch_constants(struct ksma_proof *proof)
{
	static const char *const prefixes[] = { "runtime_ptr_", "runtime_shift_" };
	const struct ksma_elf *elf = &proof->image.elf;

	for (size_t i = 0; i < elf->section_count; i++)
		for (size_t j = 0; j < ARRAY_SIZE(prefixes); j++) {
			const char *name = elf->sections[i].name;
			size_t n = strlen(prefixes[j]);
			struct ksma_patch_table table;
			uint64_t value = 0;

			if (strncmp(name, prefixes[j], n) != 0)
				continue;
			table = section_table(proof, name);
			if (!read_constant(proof, name + n, &table, j == 1, &value)) {
				proof->unit.patch.bad++;
				continue;
			}
			ksma_patch_runtime(&proof->unit.patch, &table, value, j == 1);
			ksma_proof_add_table(&proof->unit, KSMA_PATCH_RUNTIME, table);
		}
}

static bool is_uniprocessor(struct ksma_kernel *kernel)
{
	uint64_t variable = ksma_kernel_symbol(kernel, "uniproc_patched");
	uint8_t value = 0;

	return variable && ksma_kernel_bytes(kernel, variable, &value, 1) && value;
}

/* In the order of alternative_instructions() and module_finalize(). */
void ksma_proof_patch(struct ksma_proof *proof, struct ksma_proof_unit *unit, uint64_t lock_start,
		      uint64_t lock_end)
{
	struct ksma_patch *p = &unit->patch;
	bool inlined = ksma_kernel_symbol(proof->kernel, "native_patch") != 0;

	if (!inlined)
		ksma_patch_paravirt(p, table_of(unit, KSMA_PATCH_PARAVIRT), false);
	ksma_patch_retpolines(p, table_of(unit, KSMA_PATCH_RETPOLINE));
	ksma_patch_returns(p, table_of(unit, KSMA_PATCH_RETURN));
	ksma_patch_alternatives(p, table_of(unit, KSMA_PATCH_ALTERNATIVE));
	ksma_patch_seals(p, table_of(unit, KSMA_PATCH_SEAL));
	if (is_uniprocessor(proof->kernel))
		ksma_patch_locks(p, table_of(unit, KSMA_PATCH_LOCK), lock_start, lock_end);
	if (inlined)
		ksma_patch_paravirt(p, table_of(unit, KSMA_PATCH_PARAVIRT), true);
}

/* JMP rel8 and its NOP are 2 bytes long; everything else is of the long form. */
uint8_t ksma_proof_jump_size(const uint8_t *code)
{
	return code[0] == 0xeb || (code[0] == 0x66 && code[1] == 0x90) ? 2 : 5;
}

struct ksma_error *ksma_proof_jumps(struct ksma_proof_unit *unit,
				    const struct ksma_patch_table *table)
{
	for (size_t at = 0; at + JUMP_ENTRY <= table->size; at += JUMP_ENTRY) {
		const uint8_t *e = table->bytes + at, *code;
		uint64_t gva = table->gva + at, offset = ksma_le64(e + 8);
		struct ksma_jump_site *site;

		KSMA_TRY(KSMA_ARRAY_PUSH(&unit->jumps, &site));
		site->code = gva + (uint64_t)(int64_t)(int32_t)ksma_le32(e);
		site->target = gva + 4 + (uint64_t)(int64_t)(int32_t)ksma_le32(e + 4);
		site->key = gva + 8 + (offset & ~3ull);
		site->branch = offset & 1;
		code = ksma_patch_at(&unit->patch, site->code, 2);
		site->size = code ? ksma_proof_jump_size(code) : 5;
		if (unit->baseline && code && code[0] == INT3)
			site->size = 0;
		if (!code || !ksma_patch_at(&unit->patch, site->code, site->size)) {
			unit->jumps.count--;
			unit->patch.bad++;
		}
	}
	return NULL;
}

struct ksma_error *ksma_proof_calls(struct ksma_proof_unit *unit,
				    const struct ksma_patch_table *table)
{
	for (size_t at = 0; at + CALL_ENTRY <= table->size; at += CALL_ENTRY) {
		const uint8_t *e = table->bytes + at, *code;
		uint64_t gva = table->gva + at,
			 key = gva + 4 + (uint64_t)(int64_t)(int32_t)ksma_le32(e + 4),
			 address = gva + (uint64_t)(int64_t)(int32_t)ksma_le32(e);
		struct ksma_call_site *site;

		code = ksma_patch_at(&unit->patch, address, 6);
		if (!code) {
			unit->patch.bad++;
			continue;
		}
		KSMA_TRY(KSMA_ARRAY_PUSH(&unit->calls, &site));
		*site = (struct ksma_call_site){ .code = address,
						 .key = key & ~3ull,
						 .vendor = { code[0], code[1] },
						 .tail = key & CALL_TAIL };
	}
	return NULL;
}

/* Every trampoline __SCT__NAME of the image has its key __SCK__NAME. */
struct ksma_error *ksma_proof_trampolines(struct ksma_proof *proof, struct ksma_proof_unit *unit)
{
	const struct ksma_symbols *symbols = &proof->kernel->symbols;
	char name[256] = "__SCK__";

	for (size_t i = 0; i < symbols->count; i++) {
		const char *s = ksma_symbol_name(symbols, &symbols->items[i]);
		struct ksma_call_site *site;
		uint64_t key, address;

		if (s[0] != '_' || strncmp(s, "__SCT__", 7) != 0)
			continue;
		snprintf(name + 7, sizeof(name) - 7, "%s", s + 7);
		key = ksma_kernel_symbol(proof->kernel, name);
		address = ksma_symbol_address(symbols, &symbols->items[i]);
		if (!key || !ksma_patch_at(&unit->patch, address, 6))
			continue;
		KSMA_TRY(KSMA_ARRAY_PUSH(&unit->calls, &site));
		*site = (struct ksma_call_site){ .code = address, .key = key, .tail = true };
	}
	return NULL;
}

static int by_ip(const void *a, const void *b)
{
	const struct ksma_trace_site *x = a, *y = b;

	return x->ip < y->ip ? -1 : x->ip > y->ip;
}

/* What was built as a call of __fentry__ is a NOP from boot on. */
struct ksma_error *ksma_proof_traces(struct ksma_proof_unit *unit,
				     const struct ksma_patch_table *table)
{
	const uint8_t *nop = ksma_patch_nop5(&unit->patch);

	for (size_t at = 0; at + 8 <= table->size; at += 8) {
		uint64_t ip = ksma_le64(table->bytes + at);
		uint8_t *code = ksma_patch_at(&unit->patch, ip, 5);
		struct ksma_trace_site *site;

		if (!code) {
			unit->skipped++; /* of a weak function that was replaced: zero in the image */
			continue;
		}
		KSMA_TRY(KSMA_ARRAY_PUSH(&unit->traces, &site));
		site->ip = ip;
		memcpy(code, nop, 5);
	}
	if (unit->traces.count)
		qsort(unit->traces.items, unit->traces.count, sizeof(*unit->traces.items), by_ip);
	return NULL;
}

static struct ksma_error *gather_sites(struct ksma_proof *proof)
{
	struct ksma_proof_unit *unit = &proof->unit;
	struct ksma_patch_table table;

	table = ksma_proof_symbol_table(proof, "__start___jump_table", "__stop___jump_table");
	KSMA_TRY(ksma_proof_jumps(unit, &table));
	table = ksma_proof_symbol_table(proof, "__start_static_call_sites",
					"__stop_static_call_sites");
	KSMA_TRY(ksma_proof_calls(unit, &table));
	KSMA_TRY(ksma_proof_trampolines(proof, unit));
	table = ksma_proof_symbol_table(proof, "__start_mcount_loc", "__stop_mcount_loc");
	return ksma_proof_traces(unit, &table);
}

/* A member of struct vdso_image, where its bytes are. */
static bool vdso_member(const uint8_t *image, int32_t offset, uint64_t *ret_value)
{
	if (offset == KSMA_NO_MEMBER || !ksma_in_range((uint64_t)offset, 8, VDSO_IMAGE))
		return false;
	*ret_value = ksma_le64(image + offset);
	return true;
}

/* The vDSO images are patched like the kernel (init_vdso_image()). They lie among what is read-only after init. */
void ksma_proof_vdso(struct ksma_proof *proof)
{
	static const char *const images[] = { "vdso_image_64", "vdso_image_32", "vdso_image_x32",
					      "vdso64_image",  "vdso32_image",	"vdsox32_image" };
	const struct ksma_offsets *off = &proof->kernel->off;
	struct ksma_proof_unit *unit = &proof->unit;

	for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
		uint64_t image = ksma_kernel_symbol(proof->kernel, images[i]), data, size, alt,
			 length;
		const uint8_t *bytes =
			image ? ksma_patch_at(&unit->patch, image, VDSO_IMAGE) : NULL;
		struct ksma_patch_table table;

		if (!bytes || !vdso_member(bytes, off->vdso_image__data, &data) ||
		    !vdso_member(bytes, off->vdso_image__size, &size) ||
		    !vdso_member(bytes, off->vdso_image__alt, &alt) ||
		    !vdso_member(bytes, off->vdso_image__alt_len, &length) ||
		    !ksma_patch_at(&unit->patch, data, size) || !ksma_in_range(alt, length, size))
			continue;
		/* What was copied from the guest is patched already. */
		if (!unit->baseline) {
			table = table_at(proof, data + alt, length);
			ksma_patch_alternatives(&unit->patch, &table);
			ksma_proof_add_table(unit, KSMA_PATCH_ALTERNATIVE, table);
		}
		ksma_proof_add_range(unit->data, &unit->data_count, "vDSO", data, size);
	}
}

/* A table among what is read-only after init, which boot sorts and then leaves alone. */
static void sorted_table(struct ksma_proof *proof, const char *start, const char *end,
			 const char *name, const struct ksma_proof_layout *layout)
{
	struct ksma_patch_table table = ksma_proof_symbol_table(proof, start, end);

	ksma_proof_sorted(proof, &proof->unit, table.gva, table.size, layout);
	ksma_proof_add_range(proof->unit.data, &proof->unit.data_count, name, table.gva,
			     table.size);
}

static void gather_ranges(struct ksma_proof *proof)
{
	struct ksma_proof_unit *unit = &proof->unit;
	struct ksma_kernel *kernel = proof->kernel;
	const struct ksma_elf_section *text = ksma_elf_section(&proof->image.elf, ".text"),
				      *rodata = ksma_elf_section(&proof->image.elf, ".rodata"),
				      *bug;
	static const char *const tables[] = { ".orc_header", ".orc_unwind_ip", ".orc_unwind" };
	uint64_t slide = kernel->virtual_slide, ro_start, ro_end, end = 0, start;

	if (text) {
		start = text->address + slide;
		ksma_proof_add_range(unit->text, &unit->text_count, ".text", start,
				     ksma_align_up(start + text->size, KSMA_PAGE_SIZE) - start);
	}
	for (size_t i = 0; rodata && i < proof->image.elf.segment_count; i++) {
		const struct ksma_elf_segment *s = &proof->image.elf.segments[i];

		if (rodata->address - s->virtual < s->file_size)
			end = s->virtual + s->file_size + slide;
	}
	ro_start = ksma_kernel_symbol(kernel, "__start_ro_after_init");
	ro_end = ksma_kernel_symbol(kernel, "__end_ro_after_init");
	if (rodata && rodata->address + slide < end) {
		start = rodata->address + slide;
		ksma_proof_add_range(unit->data, &unit->data_count, ".rodata", start,
				     (ro_start > start && ro_start < end ? ro_start : end) - start);
		if (ro_end > start && ro_end < end)
			ksma_proof_add_range(unit->data, &unit->data_count, ".rodata", ro_end,
					     end - ro_end);
	}
	sorted_table(proof, "__start___jump_table", "__stop___jump_table", "__jump_table",
		     &(struct ksma_proof_layout){ 16, 2, true, 2 });
	sorted_table(proof, "__start_static_call_sites", "__stop_static_call_sites",
		     ".static_call_sites", &(struct ksma_proof_layout){ 8, 2, false, 2 });
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		bug = ksma_elf_section(&proof->image.elf, tables[i]);
		if (bug)
			ksma_proof_add_range(unit->data, &unit->data_count, tables[i],
					     bug->address + slide, bug->size);
	}
}

static struct ksma_error *build(struct ksma_proof *proof)
{
	struct ksma_kernel *kernel = proof->kernel;
	struct ksma_patch_table table;

	proof->calls_after_init = ksma_kernel_symbol(kernel, "module_mark_ro_after_init") != 0;
	KSMA_TRY(load(proof));
	if (!proof->image.relocatable && kernel->virtual_slide)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"the vendor's kernel has no list of what to relocate, and the guest's was moved");
	relocate(proof, &proof->image.add64, 8, kernel->virtual_slide);
	relocate(proof, &proof->image.subtract32, 4, -kernel->virtual_slide);
	relocate(proof, &proof->image.add32, 4, kernel->virtual_slide);
	KSMA_TRY(ksma_proof_prepare(proof));
	KSMA_TRY(gather_sites(proof));
	for (size_t i = 0; i < KSMA_PROOF_TABLES; i++)
		ksma_proof_add_table(&proof->unit, ksma_proof_tables[i].kind,
				     section_table(proof, ksma_proof_tables[i].section));
	ksma_proof_patch(proof, &proof->unit, kernel->image, kernel->etext);
	patch_constants(proof);
	ksma_proof_vdso(proof);
	gather_ranges(proof);
	table = ksma_proof_symbol_table(proof, "__start___bug_table", "__stop___bug_table");
	ksma_proof_warnings(proof, &proof->unit, table.gva, table.size);
	KSMA_TRY(ksma_proof_late_kernel(proof));
	return ksma_proof_kernel_exports(proof);
}

void ksma_proof_unit_deinit(struct ksma_proof_unit *unit)
{
	free(unit->taken.items);
	free(unit->probed.items);
	free(unit->jumps.items);
	free(unit->calls.items);
	free(unit->traces.items);
}

void ksma_proof_destroy(struct ksma_proof *proof)
{
	if (!proof)
		return;
	for (size_t i = 0; i < proof->modules.count; i++) {
		ksma_proof_module_deinit(proof->modules.items[i]);
		free(proof->modules.items[i]);
	}
	free(proof->modules.items);
	free(proof->exports.items);
	free(proof->wanting.items);
	free(proof->records.items);
	free(proof->probes.items);
	ksma_proof_unit_deinit(&proof->unit);
	ksma_vendor_image_deinit(&proof->image);
	ksma_vendor_object_deinit(&proof->object);
	free(proof->bytes);
	free(proof);
}

struct ksma_error *ksma_proof_create(struct ksma_kernel *kernel, const struct ksma_owners *owners,
				     const struct ksma_kept *kept,
				     struct ksma_vendor_object *object,
				     struct ksma_proof **ret_proof)
{
	struct ksma_proof *proof = calloc(1, sizeof(*proof));
	struct ksma_error *error;

	if (!proof) {
		ksma_vendor_object_deinit(object);
		return ksma_error_nomem();
	}
	proof->kernel = kernel;
	proof->owners = owners;
	proof->kept = kept;
	proof->object = *object;
	*object = (struct ksma_vendor_object){ 0 };
	error = ksma_vendor_image_init(proof->object.data, proof->object.length, &proof->image);
	ksma_vendor_object_forget(&proof->object);
	if (!error)
		error = build(proof);
	ksma_vendor_object_forget(&proof->object);
	if (error) {
		ksma_proof_destroy(proof);
		return error;
	}
	*ret_proof = proof;
	return NULL;
}
