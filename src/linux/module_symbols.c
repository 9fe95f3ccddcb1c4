/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The symbol tables that modules carry for kallsyms, decoded with limits: a module's author chooses every byte of them.
 *
 * Source: struct mod_kallsyms in include/linux/module.h; kernel/module/kallsyms.c. After loading, st_value is an address. */
#include "linux/module_symbols.h"

#include <elf.h>

#include "base/bytes.h"

enum {
	MODULES_MAX = 4096,
	SYMBOLS_MAX = 1 << 18, /* of one module: the largest of Debian's has about 40,000 */
	NAME_MAX_BYTES = 512,  /* KSYM_NAME_LEN */
	STRINGS_MAX = 16 << 20,
	TABLES_MAX = 32 << 20, /* bytes of all tables together */
};

struct symbol {
	uint64_t address;
	uint32_t size;
	uint32_t name; /* offset in strings, function in the top bit */
};

#define FUNCTION_BIT (1u << 31)

/* Where the guest keeps a module's table, and with it what tells one load of a module from the next. */
struct source {
	uint64_t symtab, strtab;
	uint32_t count;
};

/* The table of one module. */
struct table {
	struct ksma_module module;
	struct source source;
	bool loaded, failed;
	struct symbol *symbols; /* by address; of several at one address the best comes last */
	size_t count;
	char *strings;
	size_t bytes;
};

struct ksma_module_symbols {
	bool valid;
	uint64_t epoch;
	struct ksma_modules modules;
	struct table *tables; /* beside modules.items */
	size_t count;
	size_t bytes;		       /* of all tables */
	struct ksma_coverage coverage; /* of the list */
};

static void table_clear(struct ksma_module_symbols *all, struct table *table)
{
	all->bytes -= table->bytes;
	free(table->symbols);
	free(table->strings);
	*table = (struct table){ 0 };
}

static void clear(struct ksma_module_symbols *all)
{
	for (size_t i = 0; all->tables && i < all->count; i++)
		table_clear(all, &all->tables[i]);
	free(all->tables);
	all->tables = NULL;
	all->count = 0;
	ksma_modules_free(&all->modules);
	ksma_coverage_deinit(&all->coverage);
	all->coverage = (struct ksma_coverage){ 0 };
	all->valid = false;
}

void ksma_module_symbols_destroy(struct ksma_module_symbols *all)
{
	if (!all)
		return;
	clear(all);
	free(all);
}

static bool read_source(struct ksma_kernel *kernel, uint64_t module, struct source *ret)
{
	const struct ksma_offsets *off = &kernel->off;
	struct source source = { 0 };
	uint64_t kallsyms;

	if (off->module__kallsyms < 0 || off->mod_kallsyms__symtab < 0 ||
	    off->mod_kallsyms__num_symtab < 0 || off->mod_kallsyms__strtab < 0)
		return false;
	if (!ksma_kernel_u64(kernel, module + (uint64_t)off->module__kallsyms, &kallsyms) ||
	    !ksma_kernel_u64(kernel, kallsyms + (uint64_t)off->mod_kallsyms__symtab,
			     &source.symtab) ||
	    !ksma_kernel_u64(kernel, kallsyms + (uint64_t)off->mod_kallsyms__strtab,
			     &source.strtab) ||
	    !ksma_kernel_u32(kernel, kallsyms + (uint64_t)off->mod_kallsyms__num_symtab,
			     &source.count))
		return false;
	*ret = source;
	return true;
}

/* The same module as before, loaded once: then its table is the same too. */
static bool is_same(const struct ksma_module *a, const struct ksma_module *b)
{
	return a->address == b->address && a->base == b->base && a->size == b->size &&
	       strcmp(a->name, b->name) == 0 && strcmp(a->state, b->state) == 0 &&
	       strcmp(a->srcversion, b->srcversion) == 0;
}

/* Takes over the tables of modules that are still there. */
static void keep_tables(struct ksma_kernel *kernel, struct ksma_module_symbols *old,
			struct ksma_module_symbols *new)
{
	for (size_t i = 0; i < new->count; i++) {
		new->tables[i].module = new->modules.items[i];
		for (size_t j = 0; j < old->count; j++) {
			/* Mostly nothing has changed, and j is i. */
			struct table *table = &old->tables[(i + j) % old->count];
			struct source source;

			if (!table->loaded || table->failed ||
			    !is_same(&table->module, &new->modules.items[i]))
				continue;
			if (read_source(kernel, table->module.address, &source) &&
			    source.symtab == table->source.symtab &&
			    source.strtab == table->source.strtab &&
			    source.count == table->source.count) {
				new->tables[i] = *table;
				new->bytes += table->bytes;
				old->bytes -= table->bytes;
				*table = (struct table){ 0 };
			}
			break;
		}
	}
}

/* Makes kernel->module_symbols as new as the guest. */
static struct ksma_error *update(struct ksma_kernel *kernel, struct ksma_module_symbols **ret_all)
{
	struct ksma_module_symbols *all = kernel->module_symbols, new = { 0 };
	struct ksma_error *error;

	if (!all) {
		all = kernel->module_symbols = calloc(1, sizeof(*all));
		if (!all)
			return ksma_error_nomem();
	}
	*ret_all = all;
	if (all->valid && all->epoch == kernel->guest->epoch)
		return NULL;
	error = ksma_linux_modules(kernel, &new.coverage, &new.modules);
	if (error) {
		ksma_coverage_deinit(&new.coverage);
		return error;
	}
	if (new.modules.count > MODULES_MAX) {
		ksma_coverage_gap(&new.coverage, KSMA_COVERAGE_PARTIAL, "more than %d modules",
				  MODULES_MAX);
		new.modules.count = MODULES_MAX;
	}
	new.tables = calloc(new.modules.count ?: 1, sizeof(*new.tables));
	if (!new.tables) {
		clear(&new);
		return ksma_error_nomem();
	}
	new.count = new.modules.count;
	keep_tables(kernel, all, &new);
	clear(all);
	new.valid = true;
	new.epoch = kernel->guest->epoch;
	*all = new;
	return NULL;
}

static int compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if ((x->name ^ y->name) & FUNCTION_BIT)
		return x->name & FUNCTION_BIT ? 1 : -1;
	return x->size < y->size ? -1 : x->size > y->size;
}

static const struct ksma_module_memory *piece_of(const struct ksma_module *module, uint64_t address)
{
	for (size_t i = 0; i < module->memory_count; i++)
		if (address - module->memory[i].base < module->memory[i].size)
			return &module->memory[i];
	return NULL;
}

/* Keeps the symbols that name something in the module's memory. `table->symbols` has room for all of them. */
static void collect(struct table *table, const uint8_t *elf, uint32_t *ret_low, uint32_t *ret_high)
{
	uint32_t low = UINT32_MAX, high = 0;

	for (uint32_t i = 0; i < table->source.count; i++) {
		const uint8_t *bytes = elf + (size_t)i * sizeof(Elf64_Sym);
		uint32_t name = ksma_le32(bytes + offsetof(Elf64_Sym, st_name));
		uint64_t address = ksma_le64(bytes + offsetof(Elf64_Sym, st_value));
		uint64_t size = ksma_le64(bytes + offsetof(Elf64_Sym, st_size));
		unsigned type = ELF64_ST_TYPE(bytes[offsetof(Elf64_Sym, st_info)]);
		const struct ksma_module_memory *piece = piece_of(&table->module, address);

		if (!name || name >= STRINGS_MAX || !piece ||
		    ksma_le16(bytes + offsetof(Elf64_Sym, st_shndx)) == SHN_UNDEF)
			continue;
		low = name < low ? name : low;
		high = name > high ? name : high;
		table->symbols[table->count++] = (struct symbol){
			.address = address,
			.size = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size,
			.name = name | (piece->text && type == STT_FUNC ? FUNCTION_BIT : 0),
		};
	}
	*ret_low = low;
	*ret_high = high;
}

/* Drops the symbols whose name is empty or does not end inside the `length` bytes of strings, and makes the offsets ours. */
static void check_names(struct table *table, uint32_t low, size_t length)
{
	size_t kept = 0;

	for (size_t i = 0; i < table->count; i++) {
		struct symbol symbol = table->symbols[i];
		uint32_t name = (symbol.name & ~FUNCTION_BIT) - low;
		size_t room = name < length ? length - name : 0;

		if (!room || !table->strings[name] ||
		    !memchr(table->strings + name, 0,
			    room < NAME_MAX_BYTES ? room : NAME_MAX_BYTES))
			continue;
		symbol.name = name | (symbol.name & FUNCTION_BIT);
		table->symbols[kept++] = symbol;
	}
	table->count = kept;
}

/* Reads up to `length` bytes, fewer where the memory ends. */
static size_t read_some(struct ksma_kernel *kernel, uint64_t address, char *buffer, size_t length)
{
	size_t done = 0;

	while (done < length) {
		size_t chunk = KSMA_PAGE_SIZE - ((address + done) & (KSMA_PAGE_SIZE - 1));

		if (chunk > length - done)
			chunk = length - done;
		if (!ksma_kernel_bytes(kernel, address + done, buffer + done, chunk))
			break;
		done += chunk;
	}
	return done;
}

static bool load_table(struct ksma_kernel *kernel, struct ksma_module_symbols *all,
		       struct table *table)
{
	_cleanup_free_ uint8_t *elf = NULL;
	uint32_t low, high;
	size_t length, bytes;

	if (!read_source(kernel, table->module.address, &table->source) ||
	    table->source.count > SYMBOLS_MAX)
		return false;
	bytes = (size_t)table->source.count * sizeof(struct symbol);
	if (all->bytes + bytes > TABLES_MAX)
		return false;
	elf = malloc((size_t)table->source.count * sizeof(Elf64_Sym) + 1);
	table->symbols = malloc(bytes + 1);
	if (!elf || !table->symbols ||
	    !ksma_kernel_bytes(kernel, table->source.symtab, elf,
			       (size_t)table->source.count * sizeof(Elf64_Sym)))
		return false;
	collect(table, elf, &low, &high);
	if (!table->count)
		return true;
	length = (size_t)high - low + NAME_MAX_BYTES;
	if (all->bytes + bytes + length > TABLES_MAX)
		return false;
	table->strings = malloc(length);
	if (!table->strings)
		return false;
	check_names(table, low,
		    read_some(kernel, table->source.strtab + low, table->strings, length));
	qsort(table->symbols, table->count, sizeof(*table->symbols), compare);
	table->bytes = bytes + length;
	all->bytes += table->bytes;
	return true;
}

/* The module that holds an address. Pieces do not overlap, but where one says that it is larger than it is: then the one that begins
 * nearest below the address is right. */
static struct table *holder(const struct ksma_module_symbols *all, uint64_t address)
{
	struct table *nearest = NULL;
	uint64_t base = 0;

	for (size_t i = 0; i < all->count; i++) {
		const struct ksma_module_memory *piece = piece_of(&all->tables[i].module, address);

		if (piece && (!nearest || piece->base > base)) {
			nearest = &all->tables[i];
			base = piece->base;
		}
	}
	return nearest;
}

/* Reads the symbols of a table that has none yet. */
static void load(struct ksma_kernel *kernel, struct ksma_module_symbols *all, struct table *table)
{
	if (table->loaded)
		return;
	table->loaded = true;
	table->failed = !load_table(kernel, all, table);
	if (table->failed) {
		free(table->symbols);
		free(table->strings);
		table->symbols = NULL;
		table->strings = NULL;
		table->count = 0;
	}
}

/* The table of the module that holds an address, its symbols read where `loaded`; NULL when no module does. */
static struct table *find_table(struct ksma_kernel *kernel, uint64_t address, bool loaded)
{
	_cleanup_error_ struct ksma_error *error = NULL;
	struct ksma_module_symbols *all;
	struct table *table;

	error = update(kernel, &all);
	if (error)
		return NULL;
	table = holder(all, address);
	if (table && loaded)
		load(kernel, all, table);
	return table;
}

/* The last symbol at or below an address, or NULL. */
static const struct symbol *search(const struct table *table, uint64_t address)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &table->symbols[low - 1] : NULL;
}

const struct ksma_module *ksma_module_owner(struct ksma_kernel *kernel, uint64_t address)
{
	const struct table *table = find_table(kernel, address, false);

	return table ? &table->module : NULL;
}

bool ksma_module_symbol_at(struct ksma_kernel *kernel, uint64_t address,
			   struct ksma_module_symbol *ret_symbol)
{
	const struct table *table = find_table(kernel, address, true);
	const struct ksma_module_memory *piece;
	const struct symbol *symbol;

	if (!table)
		return false;
	piece = piece_of(&table->module, address);
	symbol = search(table, address);
	*ret_symbol = (struct ksma_module_symbol){ .module = &table->module,
						   .name = "",
						   .address = piece->base };
	if (symbol && symbol->address >= piece->base) {
		ret_symbol->name = table->strings + (symbol->name & ~FUNCTION_BIT);
		ret_symbol->address = symbol->address;
		ret_symbol->size = symbol->size;
		ret_symbol->function = symbol->name & FUNCTION_BIT;
	}
	return true;
}

struct ksma_error *ksma_module_symbols_named(
	struct ksma_kernel *kernel, const char *name,
	struct ksma_error *(*fn)(void *arg, const struct ksma_module_symbol *symbol), void *arg)
{
	struct ksma_module_symbols *all;

	KSMA_TRY(update(kernel, &all));
	for (size_t i = 0; i < all->count; i++) {
		struct table *table = &all->tables[i];

		load(kernel, all, table);
		for (size_t j = 0; j < table->count; j++) {
			const struct symbol *s = &table->symbols[j];
			const struct ksma_module_symbol found = {
				.module = &table->module,
				.name = table->strings + (s->name & ~FUNCTION_BIT),
				.address = s->address,
				.size = s->size,
				.function = s->name & FUNCTION_BIT,
			};

			if (strcmp(found.name, name) == 0)
				KSMA_TRY(fn(arg, &found));
		}
	}
	return NULL;
}

enum ksma_function_start ksma_module_function_start(struct ksma_kernel *kernel, uint64_t address)
{
	const struct table *table = find_table(kernel, address, true);
	const struct symbol *symbol;

	if (!table)
		return KSMA_FUNCTION_NO_MODULE;
	if (table->failed)
		return KSMA_FUNCTION_UNKNOWN;
	symbol = search(table, address);
	return symbol && symbol->address == address && symbol->name & FUNCTION_BIT
		       ? KSMA_FUNCTION_START
		       : KSMA_FUNCTION_INSIDE;
}

struct ksma_error *ksma_module_symbols_update(struct ksma_kernel *kernel,
					      struct ksma_coverage *coverage,
					      const struct ksma_modules **ret_modules)
{
	struct ksma_module_symbols *all;

	KSMA_TRY(update(kernel, &all));
	if (all->coverage.reason)
		ksma_coverage_gap(coverage, all->coverage.state, "%s", all->coverage.reason);
	else if (all->coverage.state != KSMA_COVERAGE_COMPLETE)
		ksma_coverage_gap(coverage, all->coverage.state,
				  "the list of modules could not be read to its end");
	*ret_modules = &all->modules;
	return NULL;
}
