/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module's code and constants as they have to lie in memory: its .ko, laid out, linked and patched as the loader does it.
 *
 * Source: kernel/module/main.c (kernel/module.c before 5.17): layout_sections(), simplify_symbols(); arch/x86/kernel/module.c:
 * apply_relocate_add(), module_finalize(). Only the addresses of the module's areas are taken from the guest. */
#include <inttypes.h>

#include "base/bytes.h"
#include "checks/proof.h"
#include "linux/module_symbols.h"

enum {
	SHF_RO_AFTER_INIT = 1 << 30, /* no section of a file has it */
	MAX_AREA = 256 << 20,
	MAX_SECTIONS = 4096,
	STB_WEAK = 2,
	SEARCHED = 4 << 20, /* bytes of read-only data in which the build id is looked for */
	BUILD_ID = 20,
	EXPORT = 12, /* struct kernel_symbol: three offsets of 32 bits */
};

/* Tables that the loader sorts. */
static const struct {
	const char *name;
	struct ksma_proof_layout layout;
} sorted[] = {
	{ "__ex_table", { 12, 2, false, 0 } },
	{ "__jump_table", { 16, 2, true, 2 } },
	{ ".static_call_sites", { 8, 2, false, 2 } },
	{ "__mcount_loc", { 8, 0, false, 0 } },
};

static bool is_sorted(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
		if (strcmp(sorted[i].name, name) == 0)
			return true;
	return false;
}

static bool is_init(const char *name)
{
	return strncmp(name, ".init", 5) == 0;
}

/* Sections that have the flag in the file but are not loaded, or elsewhere. */
static bool is_loaded(const struct ksma_elf_section *s)
{
	return (s->flags & KSMA_SHF_ALLOC) && strcmp(s->name, ".modinfo") != 0 &&
	       strcmp(s->name, "__versions") != 0 && strcmp(s->name, "__version_ext_crcs") != 0 &&
	       strcmp(s->name, "__version_ext_names") != 0 && strcmp(s->name, ".data..percpu") != 0;
}

static enum ksma_proof_area area_of(const struct ksma_proof *proof,
				    const struct ksma_elf_section *s)
{
	if (s->flags & KSMA_SHF_EXECINSTR)
		return KSMA_PROOF_AREA_TEXT;
	if (!(s->flags & KSMA_SHF_WRITE))
		return KSMA_PROOF_AREA_RODATA;
	if (strcmp(s->name, ".data..ro_after_init") == 0 || strcmp(s->name, "__jump_table") == 0)
		return KSMA_PROOF_AREA_AFTER_INIT;
	/* 7.x: kernel/module/strict_rwx.c; told by where the first look finds them, see lay_out(). */
	if (proof->calls_after_init && strcmp(s->name, ".static_call_sites") == 0)
		return KSMA_PROOF_AREA_AFTER_INIT;
	return KSMA_PROOF_AREA_DATA;
}

/* Gives each section its address. @return false when they do not fit where the guest says that the module is */
static bool lay_out(const struct ksma_proof *proof, struct ksma_proof_module *m)
{
	const struct ksma_elf *elf = &m->elf;
	uint64_t at = 0;

	memset(m->addresses, 0, elf->section_count * sizeof(*m->addresses));
	for (unsigned area = 0; area < KSMA_PROOF_AREAS; area++) {
		if (m->separate)
			at = 0;
		for (size_t i = 0; i < elf->section_count; i++) {
			const struct ksma_elf_section *s = &elf->sections[i];
			uint64_t align = s->alignment ?: 1;

			if (!is_loaded(s) || is_init(s->name) || area_of(proof, s) != area)
				continue;
			if ((align & (align - 1)) || s->size > MAX_AREA)
				return false;
			at = ksma_align_up(at, align);
			m->addresses[i] = m->areas[area].base + at;
			at += s->size;
			if (at > m->areas[area].size)
				return false;
		}
		if (!m->separate)
			at = ksma_align_up(at, KSMA_PAGE_SIZE);
	}
	return true;
}

/* Where the guest has the module's areas. In older kernels they are one, in order, each rounded up to a page. */
bool ksma_proof_module_areas(struct ksma_kernel *kernel, struct ksma_proof_module *m)
{
	const struct ksma_offsets *off = &kernel->off;
	const int32_t types[KSMA_PROOF_AREAS] = { kernel->enums.MOD_TEXT, kernel->enums.MOD_RODATA,
						  kernel->enums.MOD_RO_AFTER_INIT,
						  kernel->enums.MOD_DATA };
	uint64_t layout;
	uint32_t size;

	m->separate = off->module__mem != KSMA_NO_MEMBER;
	for (unsigned i = 0; i < KSMA_PROOF_AREAS; i++) {
		if (m->separate) {
			if (types[i] == KSMA_NO_MEMBER)
				return false;
			layout = m->module + (uint64_t)off->module__mem +
				 (uint64_t)types[i] * kernel->size.module_memory;
			if (!ksma_kernel_u64(kernel, layout + (uint64_t)off->module_memory__base,
					     &m->areas[i].base) ||
			    !ksma_kernel_u32(kernel, layout + (uint64_t)off->module_memory__size,
					     &size))
				return false;
		} else {
			layout = m->module + (uint64_t)off->module__core_layout;
			if (off->module__core_layout == KSMA_NO_MEMBER ||
			    !ksma_kernel_u64(kernel, layout + (uint64_t)off->module_layout__base,
					     &m->areas[i].base) ||
			    !ksma_kernel_u32(kernel, layout + (uint64_t)off->module_layout__size,
					     &size))
				return false;
		}
		if (size > MAX_AREA)
			return false;
		m->areas[i].size = size;
	}
	return off->module__percpu == KSMA_NO_MEMBER ||
	       ksma_kernel_u64(kernel, m->module + (uint64_t)off->module__percpu, &m->percpu);
}

/* A module that was unloaded and loaded again lies at its old place more often than not. Its folder in sysfs has a number that is given
 * once. @return 0: not known */
uint64_t ksma_proof_module_instance(struct ksma_kernel *kernel, uint64_t module)
{
	const struct ksma_offsets *off = &kernel->off;
	uint64_t node, id;

	if (off->module__mkobj_sd == KSMA_NO_MEMBER || off->kernfs_node__id == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(kernel, module + (uint64_t)off->module__mkobj_sd, &node) || !node ||
	    !ksma_kernel_u64(kernel, node + (uint64_t)off->kernfs_node__id, &id))
		return 0;
	return id;
}

bool ksma_proof_module_is_live(struct ksma_kernel *kernel, const struct ksma_proof_module *m)
{
	uint32_t state;

	if (kernel->off.module__state == KSMA_NO_MEMBER ||
	    kernel->enums.MODULE_STATE_LIVE == KSMA_NO_MEMBER)
		return true;
	return ksma_kernel_u32(kernel, m->module + (uint64_t)kernel->off.module__state, &state) &&
	       (int32_t)state == kernel->enums.MODULE_STATE_LIVE &&
	       ksma_proof_module_instance(kernel, m->module) == m->instance;
}

/* The note of the build id lies somewhere in the read-only data. @return its length in `id`, or 0 */
size_t ksma_proof_module_build_id(struct ksma_kernel *kernel, uint64_t module, uint8_t *id,
				  size_t size)
{
	static const uint8_t head[16] = { 4, 0, 0, 0, BUILD_ID, 0,   0,	  0,
					  3, 0, 0, 0, 'G',	'N', 'U', 0 };
	struct ksma_proof_module m = { .module = module };
	_cleanup_free_ uint8_t *buffer = NULL;
	uint64_t start, length;
	uint32_t text = 0;
	const uint8_t *note;

	if (size < BUILD_ID || !ksma_proof_module_areas(kernel, &m))
		return 0;
	start = m.areas[KSMA_PROOF_AREA_RODATA].base;
	length = m.areas[KSMA_PROOF_AREA_RODATA].size;
	if (!m.separate && (kernel->off.module_layout__text_size == KSMA_NO_MEMBER ||
			    !ksma_kernel_u32(kernel,
					     module + (uint64_t)kernel->off.module__core_layout +
						     (uint64_t)kernel->off.module_layout__text_size,
					     &text) ||
			    text > length))
		return 0;
	start += text;
	length = length - text < SEARCHED ? length - text : SEARCHED;
	buffer = malloc(length ?: 1);
	if (!buffer || !ksma_kernel_bytes(kernel, start, buffer, length))
		return 0;
	note = memmem(buffer, length, head, sizeof(head));
	if (!note || (size_t)(note - buffer) + sizeof(head) + BUILD_ID > length)
		return 0;
	memcpy(id, note + sizeof(head), BUILD_ID);
	return BUILD_ID;
}

static uint64_t hash_name(const char *name)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3ull;
	return h;
}

static struct ksma_export *find_export(const struct ksma_proof *proof, const char *name)
{
	size_t mask = proof->exports.size - 1;

	for (size_t i = hash_name(name) & mask;; i = (i + 1) & mask) {
		struct ksma_export *e = &proof->exports.items[i];

		if (!e->name || strcmp(e->name, name) == 0)
			return e;
	}
}

static struct ksma_error *add_export(struct ksma_proof *proof, const char *name, uint64_t address)
{
	struct ksma_export *e;

	if (proof->exports.used * 2 >= proof->exports.size) {
		struct ksma_export *old = proof->exports.items;
		size_t old_size = proof->exports.size, size = old_size ? old_size * 2 : 1 << 15;

		proof->exports.items = calloc(size, sizeof(*old));
		if (!proof->exports.items) {
			proof->exports.items = old;
			return ksma_error_nomem();
		}
		proof->exports.size = size;
		for (size_t i = 0; i < old_size; i++)
			if (old[i].name)
				*find_export(proof, old[i].name) = old[i];
		free(old);
	}
	e = find_export(proof, name);
	if (!e->name)
		proof->exports.used++;
	*e = (struct ksma_export){ name, address };
	return NULL;
}

/* What the kernel itself exports, by the vendor's own tables: { value, name, namespace }, each an offset from its place. */
struct ksma_error *ksma_proof_kernel_exports(struct ksma_proof *proof)
{
	static const char *const tables[] = { "__ksymtab", "__ksymtab_gpl" };

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		const struct ksma_elf_section *s = ksma_elf_section(&proof->image.elf, tables[t]);
		uint64_t gva = s ? s->address + proof->kernel->virtual_slide : 0;
		const uint8_t *bytes = s ? ksma_patch_at(&proof->unit.patch, gva, s->size) : NULL;

		for (size_t at = 0; bytes && at + EXPORT <= s->size; at += EXPORT) {
			uint64_t value = gva + at +
					 (uint64_t)(int64_t)(int32_t)ksma_le32(bytes + at),
				 name = gva + at + 4 +
					(uint64_t)(int64_t)(int32_t)ksma_le32(bytes + at + 4);
			const char *text = (const char *)ksma_patch_at(&proof->unit.patch, name, 1);
			size_t room =
				text ? proof->size - (size_t)((const uint8_t *)text - proof->bytes)
				     : 0;

			if (text && memchr(text, 0, room < 512 ? room : 512))
				KSMA_TRY(add_export(proof, text, value));
		}
	}
	return NULL;
}

/* The address of symbol `index`, placed as the module is. @ret_known false: in a section that is gone, or nobody exports it */
static uint64_t symbol_address(const struct ksma_proof *proof, const struct ksma_proof_module *m,
			       const struct ksma_elf_symbol *s, bool *ret_known)
{
	const struct ksma_export *e;

	*ret_known = true;
	if (s->section == KSMA_SHN_ABS)
		return s->value;
	if (s->section == KSMA_SHN_UNDEF) {
		e = proof->exports.size ? find_export(proof, s->name) : NULL;
		if (e && e->name)
			return e->address;
		*ret_known = s->binding == STB_WEAK;
		return 0;
	}
	if (s->section < m->elf.section_count) {
		if (strcmp(m->elf.sections[s->section].name, ".data..percpu") == 0)
			return m->percpu + s->value;
		if (m->addresses[s->section])
			return m->addresses[s->section] + s->value;
	}
	*ret_known = false;
	return 0;
}

struct ksma_error *ksma_proof_module_exports(struct ksma_proof *proof, struct ksma_proof_module *m)
{
	static const char prefix[] = "__ksymtab_";
	struct ksma_elf_symbol s;
	bool any = false, known;

	for (size_t i = 0; i < m->elf.section_count && !any; i++)
		any = strncmp(m->elf.sections[i].name, "__ksymtab", 9) == 0;
	/* What is marked as exported need not be the symbol of that name: but it is, but for aliases, which have their own. */
	for (size_t i = 1; any && i < m->elf.symbol_count; i++)
		if (ksma_elf_symbol(&m->elf, i, &s) &&
		    strncmp(s.name, prefix, sizeof(prefix) - 1) == 0)
			KSMA_TRY(add_export(proof, s.name + sizeof(prefix) - 1, 0));
	for (size_t i = 1; any && i < m->elf.symbol_count; i++) {
		struct ksma_export *e;
		uint64_t address;

		if (!ksma_elf_symbol(&m->elf, i, &s) || s.section == KSMA_SHN_UNDEF || !s.binding)
			continue;
		e = find_export(proof, s.name);
		if (!e->name || e->address)
			continue;
		address = symbol_address(proof, m, &s, &known);
		if (known)
			e->address = address;
	}
	return NULL;
}

/* Where in the unit's bytes a section lies. */
static uint8_t *section_bytes(struct ksma_proof_module *m, size_t index)
{
	return m->addresses[index] ? ksma_patch_at(&m->unit.patch, m->addresses[index],
						   m->elf.sections[index].size)
				   : NULL;
}

static void accept_guest(struct ksma_proof *proof, uint64_t gva, uint8_t *bytes, size_t size)
{
	uint8_t found[8];

	if (ksma_kernel_bytes(proof->kernel, gva, found, size))
		memcpy(bytes, found, size);
}

static void relocate_section(struct ksma_proof *proof, struct ksma_proof_module *m,
			     const struct ksma_elf_section *list, size_t target)
{
	uint64_t gva = m->addresses[target], size = m->elf.sections[target].size;
	uint8_t *bytes = section_bytes(m, target);

	if (!bytes || m->elf.sections[target].type == KSMA_SHT_NOBITS)
		return;
	for (size_t i = 0; i < ksma_elf_relocation_count(list); i++) {
		struct ksma_elf_relocation r = ksma_elf_relocation(list, i);
		struct ksma_elf_symbol symbol;
		uint64_t value, width = 4;
		bool known;

		if (r.type == KSMA_R_X86_64_NONE)
			continue;
		if (r.type == KSMA_R_X86_64_64 || r.type == KSMA_R_X86_64_PC64)
			width = 8;
		if (!ksma_in_range(r.offset, width, size) ||
		    !ksma_elf_symbol(&m->elf, r.symbol, &symbol)) {
			m->unit.patch.bad++;
			continue;
		}
		value = symbol_address(proof, m, &symbol, &known) + (uint64_t)r.addend;
		if (!known) {
			/* Into code that was freed after the module's start, or of somebody without a reference. */
			if (symbol.section == KSMA_SHN_UNDEF)
				m->unresolved++;
			else
				m->unit.skipped++;
			if (!is_sorted(m->elf.sections[target].name)) {
				accept_guest(proof, gva + r.offset, bytes + r.offset, width);
				continue;
			}
		}
		if (r.type == KSMA_R_X86_64_PC32 || r.type == KSMA_R_X86_64_PLT32 ||
		    r.type == KSMA_R_X86_64_PC64)
			value -= gva + r.offset;
		memcpy(bytes + r.offset, &value, width);
	}
}

/* Makes the areas' bytes: sections from the file, zeroes elsewhere. */
static struct ksma_error *load(struct ksma_proof_module *m)
{
	struct ksma_patch *p = &m->unit.patch;

	for (unsigned i = 0; i < (m->separate ? KSMA_PROOF_AREAS : 1u); i++) {
		uint8_t *bytes;

		if (!m->areas[i].size)
			continue;
		bytes = calloc(1, m->areas[i].size);
		if (!bytes)
			return ksma_error_nomem();
		p->parts[p->part_count++] =
			(struct ksma_patch_part){ m->areas[i].base, bytes, m->areas[i].size };
	}
	for (size_t i = 0; i < m->elf.section_count; i++) {
		const struct ksma_elf_section *s = &m->elf.sections[i];
		uint8_t *bytes = s->data ? section_bytes(m, i) : NULL;

		if (bytes)
			memcpy(bytes, s->data, s->size);
	}
	return NULL;
}

static struct ksma_patch_table section_table(struct ksma_proof_module *m, const char *name)
{
	const struct ksma_elf_section *s = ksma_elf_section(&m->elf, name);
	size_t i = s ? (size_t)(s - m->elf.sections) : 0;
	const uint8_t *bytes = s ? section_bytes(m, i) : NULL;

	return bytes ? (struct ksma_patch_table){ m->addresses[i], bytes, s->size }
		     : (struct ksma_patch_table){ 0 };
}

/* A site of a static call whose key is not exported names the trampoline: the loader puts the key there. */
static void resolve_keys(struct ksma_proof *proof, struct ksma_proof_module *m)
{
	struct ksma_patch_table table = section_table(m, ".static_call_sites");
	const struct ksma_symbols *symbols = &proof->kernel->symbols;
	char name[256] = "__SCK__";

	for (size_t at = 0; at + 8 <= table.size; at += 8) {
		uint64_t place = table.gva + at + 4,
			 key = place + (uint64_t)(int64_t)(int32_t)ksma_le32(table.bytes + at + 4);
		const struct ksma_symbol *s = ksma_symbols_at(symbols, key & ~3ull);
		uint32_t offset;
		uint64_t real;

		if (!ksma_kernel_is_text(proof->kernel, key & ~3ull) || !s ||
		    strncmp(ksma_symbol_name(symbols, s), "__SCT__", 7) != 0)
			continue;
		snprintf(name + 7, sizeof(name) - 7, "%s", ksma_symbol_name(symbols, s) + 7);
		real = ksma_kernel_symbol(proof->kernel, name);
		if (!real)
			continue;
		offset = (uint32_t)((real | (key & 3)) - place);
		memcpy(ksma_patch_at(&m->unit.patch, place, 4), &offset, 4);
	}
}

/* Trampolines and keys that the module defines. */
static struct ksma_error *own_calls(struct ksma_proof *proof, struct ksma_proof_module *m)
{
	struct ksma_elf_symbol s, key;

	for (size_t i = 1; i < m->elf.symbol_count; i++) {
		struct ksma_call_site *site;
		bool known;

		if (!ksma_elf_symbol(&m->elf, i, &s) || s.section == KSMA_SHN_UNDEF ||
		    strncmp(s.name, "__SCT__", 7) != 0)
			continue;
		for (size_t j = 1; j < m->elf.symbol_count; j++) {
			if (!ksma_elf_symbol(&m->elf, j, &key) ||
			    strncmp(key.name, "__SCK__", 7) != 0 ||
			    strcmp(key.name + 7, s.name + 7) != 0)
				continue;
			KSMA_TRY(KSMA_ARRAY_PUSH(&m->unit.calls, &site));
			*site = (struct ksma_call_site){
				.code = symbol_address(proof, m, &s, &known),
				.key = symbol_address(proof, m, &key, &known),
				.tail = true,
			};
			break;
		}
	}
	return NULL;
}

static struct ksma_error *gather(struct ksma_proof *proof, struct ksma_proof_module *m)
{
	struct ksma_proof_unit *unit = &m->unit;
	const struct ksma_elf_section *text;
	struct ksma_patch_table table;

	table = section_table(m, "__jump_table");
	KSMA_TRY(ksma_proof_jumps(unit, &table));
	resolve_keys(proof, m);
	table = section_table(m, ".static_call_sites");
	KSMA_TRY(ksma_proof_calls(unit, &table));
	KSMA_TRY(own_calls(proof, m));
	table = section_table(m, "__mcount_loc");
	KSMA_TRY(ksma_proof_traces(unit, &table));
	for (size_t i = 0; i < KSMA_PROOF_TABLES; i++)
		ksma_proof_add_table(unit, ksma_proof_tables[i].kind,
				     section_table(m, ksma_proof_tables[i].section));
	text = ksma_elf_section(&m->elf, ".text");
	if (m->separate)
		ksma_proof_patch(proof, unit, m->areas[KSMA_PROOF_AREA_TEXT].base,
				 m->areas[KSMA_PROOF_AREA_TEXT].base +
					 m->areas[KSMA_PROOF_AREA_TEXT].size);
	else if (text)
		ksma_proof_patch(proof, unit, m->addresses[text - m->elf.sections],
				 m->addresses[text - m->elf.sections] + text->size);
	return NULL;
}

static void sort_tables(struct ksma_proof *proof, struct ksma_proof_module *m)
{
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
		struct ksma_patch_table table = section_table(m, sorted[i].name);

		ksma_proof_sorted(proof, &m->unit, table.gva, table.size, &sorted[i].layout);
	}
}

/* What is compared: code, up to the end of its last page, and constants. Tables that are only read while the module is loaded
 * and that the loader rewrites on the way are left out: .altinstructions, .orc_unwind and .orc_unwind_ip. */
static void gather_ranges(const struct ksma_proof *proof, struct ksma_proof_module *m)
{
	struct ksma_proof_unit *unit = &m->unit;
	uint64_t base = m->areas[KSMA_PROOF_AREA_TEXT].base, end = base;

	for (size_t i = 0; i < m->elf.section_count; i++) {
		const struct ksma_elf_section *s = &m->elf.sections[i];
		enum ksma_proof_area area = area_of(proof, s);

		if (!m->addresses[i] || !s->size || s->type == KSMA_SHT_NOBITS)
			continue;
		if (area == KSMA_PROOF_AREA_TEXT)
			end = m->addresses[i] + s->size > end ? m->addresses[i] + s->size : end;
		else if (strcmp(s->name, "__jump_table") == 0 ||
			 (area == KSMA_PROOF_AREA_RODATA &&
			  strcmp(s->name, ".altinstructions") != 0 &&
			  strncmp(s->name, ".orc_unwind", 11) != 0))
			ksma_proof_add_range(unit->data, &unit->data_count, s->name,
					     m->addresses[i], s->size);
	}
	/* All of the pages that hold code, what lies between sections too: the loader cleared it. */
	ksma_proof_add_range(unit->text, &unit->text_count, "text", base,
			     ksma_align_up(end, KSMA_PAGE_SIZE) - base);
}

/* What all units of one kernel have in common. */
void ksma_proof_inherit(const struct ksma_proof *proof, struct ksma_patch *p)
{
	const struct ksma_patch *kernel = &proof->unit.patch;

	memcpy(p->features, kernel->features, sizeof(p->features));
	memcpy(p->operations, kernel->operations, sizeof(p->operations));
	p->nops = kernel->nops;
	p->entry = kernel->entry;
	p->symbols = kernel->symbols;
	p->iret = kernel->iret;
	p->read = kernel->read;
	p->its_thunk = kernel->its_thunk;
	p->is_function = kernel->is_function;
	p->arg = kernel->arg;
}

struct ksma_error *ksma_proof_module_place(struct ksma_proof *proof, struct ksma_proof_module *m)
{
	m->addresses = calloc(m->elf.section_count, sizeof(*m->addresses));
	if (!m->addresses)
		return ksma_error_nomem();
	if (m->elf.section_count > MAX_SECTIONS || !ksma_proof_module_areas(proof->kernel, m) ||
	    !lay_out(proof, m))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "module %s does not have the size of the vendor's",
					 m->name);
	return NULL;
}

struct ksma_error *ksma_proof_module_build(struct ksma_proof *proof, struct ksma_proof_module *m)
{
	struct ksma_patch_table table;

	KSMA_TRY(load(m));
	ksma_proof_inherit(proof, &m->unit.patch);
	for (size_t i = 0; i < m->elf.section_count; i++)
		if (m->elf.sections[i].type == KSMA_SHT_RELA &&
		    m->elf.sections[i].info < m->elf.section_count)
			relocate_section(proof, m, &m->elf.sections[i], m->elf.sections[i].info);
	KSMA_TRY(gather(proof, m));
	sort_tables(proof, m);
	gather_ranges(proof, m);
	table = section_table(m, "__bug_table");
	ksma_proof_warnings(proof, &m->unit, table.gva, table.size);
	table = section_table(m, ".data..ro_after_init");
	return ksma_proof_take_late(proof, &m->unit, "ro_after_init", table.gva, table.size);
}

void ksma_proof_module_deinit(struct ksma_proof_module *m)
{
	for (size_t i = 0; i < m->unit.patch.part_count; i++)
		free(m->unit.patch.parts[i].bytes);
	ksma_proof_unit_deinit(&m->unit);
	ksma_elf_deinit(&m->elf);
	ksma_vendor_object_deinit(&m->object);
	free(m->addresses);
	free(m->problem);
	*m = (struct ksma_proof_module){ 0 };
}
