/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opens a guest's kernel: finds it, learns its members, and notices when it is no longer the same one. */
#include "linux/kernel.h"

#include "base/bytes.h"
#include "guest/process.h"
#include "linux/build_id.h"
#include "linux/cache.h"
#include "linux/clock.h"
#include "linux/external_types.h"
#include "linux/find.h"
#include "linux/module_symbols.h"
#include "linux/pulse.h"

#define LINK_TEXT 0xffffffff81000000ull
#define DIRECT_MAP_L4 0xffff888000000000ull
#define DIRECT_MAP_L5 0xff11000000000000ull
#define VMALLOC_L4 0xffffc90000000000ull
#define VMALLOC_L5 0xffa0000000000000ull
#define VMEMMAP_L4 0xffffea0000000000ull
#define VMEMMAP_L5 0xffd4000000000000ull
/* The module area starts where the image mapping ends: 1 GiB with KASLR built in, 512 MiB without (asm/page_64_types.h). */
#define MODULES_KASLR 0xffffffffc0000000ull
#define MODULES_PLAIN 0xffffffffa0000000ull
#define MODULES_END 0xffffffffff000000ull

enum {
	KSMA_PATCH_LOCKS = 6,
	STOPPED_S = 2,
	FIND_ATTEMPTS = 4,
	MAX_BANNER = 512,
	MAX_COMMAND_LINE = 4096,
	REST_NS = 1000000000,
	REST_CPU_NS = 20000000, /* and 2 % of the time; to boot takes much more */
};

/* What tells one boot of a guest from another. */
struct identity {
	uint64_t image_gpa, page_offset, vmalloc, per_cpu;
	char banner[64];
};

struct ksma_kernel_priv {
	struct ksma_tables tables;
	struct ksma_image image;
	struct identity identity;
	struct ksma_pulse pulse;
	uint64_t beat_cpu_ns; /* what QEMU had taken of processors when the clock last moved */
	bool still;	      /* its clock stands still, and memory alone cannot say why */
	uint8_t *external_btf;
	size_t external_btf_size;
	struct held_lock {
		uint64_t owner, since_ns;
	} held[KSMA_PATCH_LOCKS]; /* see ksma_kernel_patching() */
};

void ksma_kernel_forget(struct ksma_kernel *kernel)
{
	for (size_t i = 0; i < KSMA_MEMORIES; i++) {
		if (kernel->memories[i].data)
			kernel->memories[i].destroy(kernel->memories[i].data);
		kernel->memories[i].data = NULL;
	}
	if (kernel->reference)
		kernel->reference_destroy(kernel->reference);
	kernel->reference = NULL;
}

KSMA_API void ksma_kernel_destroy(struct ksma_kernel *kernel)
{
	if (!kernel)
		return;
	ksma_kernel_forget(kernel);
	ksma_module_symbols_destroy(kernel->module_symbols);
	ksma_btf_destroy(kernel->btf);
	ksma_space_deinit(&kernel->space);
	ksma_registers_free(&kernel->registers);
	free(kernel->info.banner);
	free(kernel->info.command_line);
	if (kernel->priv) {
		ksma_tables_deinit(&kernel->priv->tables);
		free(kernel->priv->external_btf);
		free(kernel->priv);
	}
	free(kernel);
}

static void kernel_destroyp(struct ksma_kernel **kernel)
{
	ksma_kernel_destroy(*kernel);
}

KSMA_API const struct ksma_kernel_info *ksma_kernel_info(const struct ksma_kernel *kernel)
{
	return &kernel->info;
}

struct ksma_error *ksma_kernel_missing_member(const char *member)
{
	return ksma_error_create(KSMA_ERROR_UNSUPPORTED, "this kernel's types have no %s", member);
}

uint64_t ksma_kernel_symbol(const struct ksma_kernel *kernel, const char *name)
{
	const struct ksma_symbol *symbol = ksma_symbols_find(&kernel->symbols, name);

	return symbol ? ksma_symbol_address(&kernel->symbols, symbol) : 0;
}

struct ksma_error *ksma_kernel_need_symbol(const struct ksma_kernel *kernel, const char *name,
					   uint64_t *ret_address)
{
	uint64_t address = ksma_kernel_symbol(kernel, name);

	if (!address)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "this kernel has no symbol %s",
					 name);
	*ret_address = address;
	return NULL;
}

KSMA_API struct ksma_error *ksma_kernel_lookup(struct ksma_kernel *kernel, const char *name,
					       ksma_gva *ret_gva)
{
	return ksma_kernel_need_symbol(kernel, name, &ret_gva->v);
}

uint64_t ksma_kernel_per_cpu(const struct ksma_kernel *kernel, const char *name, unsigned cpu)
{
	const struct ksma_symbol *symbol = ksma_symbols_find(&kernel->symbols, name);

	if (!symbol || cpu >= kernel->cpus || !kernel->per_cpu[cpu])
		return 0;
	return ksma_symbol_address(&kernel->symbols, symbol) + kernel->per_cpu[cpu];
}

KSMA_API struct ksma_error *ksma_kernel_read(struct ksma_kernel *kernel, ksma_gva gva, void *buffer,
					     size_t length)
{
	return ksma_space_read(&kernel->space, gva, buffer, length);
}

bool ksma_kernel_string(struct ksma_kernel *kernel, uint64_t gva, char *buffer, size_t size)
{
	size_t done = 0;

	while (done < size - 1) {
		uint64_t at = gva + done;
		size_t chunk = KSMA_PAGE_SIZE - (at & 0xfff);

		if (chunk > size - 1 - done)
			chunk = size - 1 - done;
		if (chunk > 64)
			chunk = 64; /* names are short, and a page further on may not be there */
		if (!ksma_kernel_bytes(kernel, at, buffer + done, chunk))
			return false;
		if (memchr(buffer + done, 0, chunk))
			return true;
		done += chunk;
	}
	buffer[done] = 0;
	return true;
}

static uint64_t read_symbol(struct ksma_kernel *kernel, const char *name, uint64_t otherwise)
{
	uint64_t address = ksma_kernel_symbol(kernel, name), value;

	return address && ksma_kernel_u64(kernel, address, &value) ? value : otherwise;
}

static void read_bases(struct ksma_kernel *kernel)
{
	bool l5 = kernel->space.levels == 5;

	kernel->page_offset =
		read_symbol(kernel, "page_offset_base", l5 ? DIRECT_MAP_L5 : DIRECT_MAP_L4);
	kernel->vmalloc = read_symbol(kernel, "vmalloc_base", l5 ? VMALLOC_L5 : VMALLOC_L4);
	kernel->vmemmap = read_symbol(kernel, "vmemmap_base", l5 ? VMEMMAP_L5 : VMEMMAP_L4);
	/* kernel_randomize_memory() is built with CONFIG_RANDOMIZE_MEMORY, which needs CONFIG_RANDOMIZE_BASE; it is init code, but
	 * kallsyms keeps init symbols. */
	kernel->modules_start = ksma_kernel_symbol(kernel, "kernel_randomize_memory")
					? MODULES_KASLR
					: MODULES_PLAIN;
	kernel->modules_end = MODULES_END;
}

static void read_cpus(struct ksma_kernel *kernel)
{
	uint64_t offsets = ksma_kernel_symbol(kernel, "__per_cpu_offset"),
		 count_at = ksma_kernel_symbol(kernel, "nr_cpu_ids");
	uint32_t count = 0;

	if (!count_at || !ksma_kernel_u32(kernel, count_at, &count) || count == 0) {
		kernel->cpus_left_out = true;
		count = 1;
	}
	kernel->cpus_left_out |= count > KSMA_MAX_CPUS;
	kernel->cpus = count > KSMA_MAX_CPUS ? KSMA_MAX_CPUS : count;
	for (unsigned i = 0; i < kernel->cpus; i++)
		if (!offsets || !ksma_kernel_u64(kernel, offsets + 8ul * i, &kernel->per_cpu[i]))
			kernel->per_cpu[i] = 0;
}

static void read_names(struct ksma_kernel *kernel)
{
	struct ksma_kernel_info *info = &kernel->info;
	uint64_t uts = ksma_kernel_symbol(kernel, "init_uts_ns") +
		       (uint64_t)kernel->off.uts_namespace__name;
	const struct {
		int32_t offset;
		char *to;
	} fields[] = {
		{ kernel->off.new_utsname__release, info->release },
		{ kernel->off.new_utsname__version, info->version },
		{ kernel->off.new_utsname__machine, info->machine },
		{ kernel->off.new_utsname__nodename, info->nodename },
	};

	if (kernel->off.uts_namespace__name == KSMA_NO_MEMBER)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].offset == KSMA_NO_MEMBER ||
		    !ksma_kernel_string(kernel, uts + (uint64_t)fields[i].offset, fields[i].to,
					sizeof(info->release)))
			fields[i].to[0] = 0;
}

/* A string of the kernel on our heap; "" when it cannot be read. A trailing newline goes. */
static struct ksma_error *copy_string(struct ksma_kernel *kernel, uint64_t gva, size_t size,
				      char **ret_s)
{
	char *s = malloc(size);
	size_t length;

	if (!s)
		return ksma_error_nomem();
	if (!gva || !ksma_kernel_string(kernel, gva, s, size))
		s[0] = 0;
	length = strlen(s);
	if (length && s[length - 1] == '\n')
		s[length - 1] = 0;
	*ret_s = s;
	return NULL;
}

/* KPTI: the user half of the kernel's top table, in the page behind it, maps something in the upper half of the addresses. */
static bool has_kpti(struct ksma_kernel *kernel)
{
	const struct ksma_symbol *symbol = ksma_symbols_find(&kernel->symbols, "init_top_pgt");
	uint64_t next = ksma_kernel_symbol(kernel, "level3_ident_pgt")
				?: ksma_kernel_symbol(kernel, "level4_kernel_pgt");
	uint8_t page[KSMA_PAGE_SIZE];

	if (!symbol || !next ||
	    next - ksma_symbol_address(&kernel->symbols, symbol) < 2 * KSMA_PAGE_SIZE ||
	    !ksma_guest_try_read(kernel->guest, kernel->space.root + KSMA_PAGE_SIZE, page,
				 sizeof(page)))
		return false;
	for (unsigned i = 256; i < 512; i++)
		if (ksma_le64(page + 8 * i) & KSMA_PTE_P)
			return true;
	return false;
}

static void take_identity(struct ksma_kernel *kernel, struct identity *ret)
{
	uint64_t banner = ksma_kernel_symbol(kernel, "linux_banner");

	memset(ret, 0, sizeof(*ret));
	if (!ksma_space_try_translate(&kernel->space, kernel->image, &ret->image_gpa))
		ret->image_gpa = 0;
	ret->page_offset = read_symbol(kernel, "page_offset_base", 0);
	ret->vmalloc = read_symbol(kernel, "vmalloc_base", 0);
	ret->per_cpu = read_symbol(kernel, "__per_cpu_offset", 0);
	if (!ksma_kernel_bytes(kernel, banner, ret->banner, sizeof(ret->banner)))
		ret->banner[0] = 0;
}

/* With a monitor nobody asks. */
static void note_beat(struct ksma_kernel *kernel)
{
	const struct ksma_guest_info *info = &kernel->guest->info;

	if (info->kind != KSMA_GUEST_LIVE || !*info->monitor_problem ||
	    !ksma_host_process_cpu(info->pid, &kernel->priv->beat_cpu_ns))
		kernel->priv->beat_cpu_ns = UINT64_MAX;
}

/* The first task is called swapper where the members and the symbols are this kernel's. */
static struct ksma_error *verify_members(struct ksma_kernel *kernel)
{
	static const char name[] = "swapper";
	char comm[sizeof(name) - 1];
	uint64_t task;

	KSMA_TRY(ksma_kernel_need_symbol(kernel, "init_task", &task));
	KSMA_TRY(KSMA_NEED(kernel, task_struct__comm));
	if (!ksma_kernel_bytes(kernel, task + (uint64_t)kernel->off.task_struct__comm, comm,
			       sizeof(comm)) ||
	    memcmp(comm, name, sizeof(comm)) != 0)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"the type information does not fit this kernel: its first task is not called %s%s",
			name,
			kernel->priv->external_btf ? "; give the types of this very build" : "");
	return NULL;
}

/* Fills everything that follows from symbols and members. */
static struct ksma_error *fill(struct ksma_kernel *kernel)
{
	struct ksma_kernel_priv *priv = kernel->priv;
	struct ksma_kernel_info *info = &kernel->info;

	KSMA_TRY(verify_members(kernel));
	kernel->image = ksma_kernel_symbol(kernel, "_text");
	kernel->image_end = ksma_kernel_symbol(kernel, "_end");
	KSMA_TRY(ksma_kernel_need_symbol(kernel, "_stext", &kernel->text));
	KSMA_TRY(ksma_kernel_need_symbol(kernel, "_etext", &kernel->etext));
	kernel->physical_base = priv->image.gpa;
	kernel->virtual_slide = kernel->image - LINK_TEXT;
	read_bases(kernel);
	read_cpus(kernel);
	read_names(kernel);
	ksma_build_id_of_kernel(kernel, &kernel->info.build_id);
	KSMA_TRY(copy_string(kernel, ksma_kernel_symbol(kernel, "linux_banner"), MAX_BANNER,
			     &info->banner));
	KSMA_TRY(copy_string(kernel, read_symbol(kernel, "saved_command_line", 0), MAX_COMMAND_LINE,
			     &info->command_line));
	info->virtual_slide = kernel->virtual_slide;
	info->physical_base = kernel->physical_base;
	info->paging_levels = kernel->space.levels;
	info->kpti = has_kpti(kernel);
	info->types_from_guest = priv->tables.have_layouts && !priv->external_btf;
	info->cached = priv->tables.cached;
	info->symbols = kernel->symbols.count;
	info->cpus = kernel->cpus;
	ksma_error_destroy(
		ksma_linux_boot_time(kernel, &info->boot_time_ns)); /* 0 when it is not known */
	ksma_pulse_init(&priv->pulse, read_symbol(kernel, "jiffies_64", 0), ksma_now_ns());
	note_beat(kernel);
	take_identity(kernel, &priv->identity);
	return NULL;
}

/* Types given by the user replace those that the guest lacks (or carries, when they were asked for). */
static struct ksma_error *use_types(struct ksma_kernel *kernel, const char *path)
{
	struct ksma_kernel_priv *priv = kernel->priv;

	if (path) {
		KSMA_TRY(ksma_external_types_read(path, &priv->external_btf,
						  &priv->external_btf_size));
		KSMA_TRY(ksma_error_prefix(ksma_btf_create(priv->external_btf,
							   priv->external_btf_size, &kernel->btf),
					   "%s", path));
		ksma_types_resolve(kernel->btf, &priv->tables.layouts);
		priv->tables.have_layouts = true;
	}
	if (!priv->tables.have_layouts && priv->tables.types_error)
		return ksma_error_prefix(
			TAKE_PTR(priv->tables.types_error),
			"give this kernel's types with --types, its own are damaged");
	if (!priv->tables.have_layouts)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"this kernel carries no type information (CONFIG_DEBUG_INFO_BTF); give its vmlinux or a BTF file with "
			"--types: bpftool btf dump, pahole --btf_encode_detached, or the distribution's debug package");
	kernel->off = priv->tables.layouts.off;
	kernel->size = priv->tables.layouts.size;
	kernel->enums = priv->tables.layouts.enums;
	return NULL;
}

/* The registers move on while we look (a process may exit and its tables be reused), so a failed look is tried again. */
static struct ksma_error *find(struct ksma_kernel *kernel, const char *cache_dir,
			       struct ksma_found *ret_found)
{
	struct ksma_error *error = NULL;

	for (unsigned attempt = 0; attempt < FIND_ATTEMPTS; attempt++) {
		ksma_error_destroy(error);
		ksma_registers_free(&kernel->registers);
		kernel->registers = (struct ksma_registers){ 0 };
		KSMA_TRY(ksma_guest_refresh(kernel->guest));
		error = ksma_guest_registers(kernel->guest, KSMA_REGISTERS_BASIC,
					     &kernel->registers);
		kernel->have_registers = !error;
		if (error && error->code != KSMA_ERROR_UNSUPPORTED &&
		    error->code != KSMA_ERROR_TIMEOUT && error->code != KSMA_ERROR_BAD_DATA)
			return error;
		ksma_error_destroy(error);
		error = ksma_find_kernel(kernel->guest,
					 kernel->have_registers ? &kernel->registers : NULL,
					 cache_dir, ret_found);
		if (!error || !kernel->have_registers)
			return error;
	}
	return error;
}

KSMA_API struct ksma_error *ksma_kernel_open(struct ksma_guest *guest,
					     const struct ksma_kernel_options *options,
					     struct ksma_kernel **ret_kernel)
{
	static const struct ksma_kernel_options defaults;
	_cleanup_(kernel_destroyp) struct ksma_kernel *kernel = calloc(1, sizeof(*kernel));
	_cleanup_free_ char *default_dir = NULL;
	struct ksma_found found = { 0 };
	const char *cache_dir;

	if (!kernel || !(kernel->priv = calloc(1, sizeof(*kernel->priv))))
		return ksma_error_nomem();
	if (!options)
		options = &defaults;
	cache_dir = options->cache_dir;
	if (cache_dir && !*cache_dir) {
		ksma_error_destroy(ksma_cache_default_dir(&default_dir));
		cache_dir = default_dir; /* NULL, no cache, when there is no place for one */
	}
	kernel->guest = guest;
	KSMA_TRY(find(kernel, cache_dir, &found));
	kernel->space = found.space;
	kernel->symbols = found.tables.symbols;
	kernel->info.from_registers = found.from_registers;
	kernel->priv->tables = found.tables;
	kernel->priv->image = found.image;
	KSMA_TRY(use_types(kernel, options->types));
	KSMA_TRY(fill(kernel));
	*ret_kernel = TAKE_PTR(kernel);
	return NULL;
}

struct ksma_error *ksma_kernel_btf(struct ksma_kernel *kernel, const struct ksma_btf **ret_btf)
{
	if (!kernel->btf) {
		const struct ksma_piece *piece = &kernel->priv->tables.btf;

		if (!piece->size)
			return ksma_error_create(
				KSMA_ERROR_UNSUPPORTED,
				"this kernel carries no type information; give --types");
		KSMA_TRY(ksma_btf_create(piece->data, piece->size, &kernel->btf));
	}
	*ret_btf = kernel->btf;
	return NULL;
}

static struct ksma_error *kernel_gone(void)
{
	return ksma_error_create(
		KSMA_ERROR_LOST,
		"the kernel that was opened is gone: the guest rebooted, or started another one");
}

/* The clock stands still: is the guest paused, or does another kernel run in it? The registers know; memory alone shows it where
 * exactly one other kernel's clock moves. */
static struct ksma_error *search_another(struct ksma_kernel *kernel)
{
	struct ksma_kernel_priv *priv = kernel->priv;
	struct ksma_registers registers = { 0 };
	struct ksma_found found = { 0 };
	struct ksma_error *error =
		ksma_guest_registers(kernel->guest, KSMA_REGISTERS_BASIC, &registers);
	bool have_registers = !error, another;

	if (error && (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST))
		return error;
	ksma_error_destroy(error);
	error = ksma_find_kernel(kernel->guest, have_registers ? &registers : NULL, NULL, &found);
	ksma_registers_free(&registers);
	if (error && (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST))
		return error;
	another = !error && found.image.gpa != priv->identity.image_gpa;
	/* Registers in firmware, a boot loader or another kernel are not in this one. */
	another |= error && have_registers;
	priv->still = !have_registers;
	ksma_error_destroy(error);
	ksma_found_deinit(&found);
	return another ? kernel_gone() : NULL;
}

bool ksma_kernel_tables_same(struct ksma_kernel *kernel, uint64_t *ret_gva, bool *ret_unread)
{
	const struct ksma_piece *piece = &kernel->priv->tables.kallsyms;
	const struct ksma_image *image = &kernel->priv->image;
	uint8_t bytes[KSMA_PAGE_SIZE];

	for (size_t done = 0, chunk; done < piece->size; done += chunk) {
		uint64_t gpa = image->gpa + piece->offset + done;

		chunk = piece->size - done < sizeof(bytes) ? piece->size - done : sizeof(bytes);
		if (!ksma_guest_try_read(kernel->guest, gpa, bytes, chunk)) {
			*ret_unread = true;
		} else if (memcmp(bytes, piece->data + done, chunk) != 0) {
			*ret_gva = image->gva + piece->offset + done;
			return false;
		}
	}
	return true;
}

bool ksma_kernel_rests(const struct ksma_kernel *kernel)
{
	const struct ksma_kernel_priv *priv = kernel->priv;
	uint64_t cpu, still = ksma_now_ns() - priv->pulse.moved_ns;

	return still >= REST_NS && priv->beat_cpu_ns != UINT64_MAX &&
	       ksma_host_process_cpu(kernel->guest->info.pid, &cpu) &&
	       cpu - priv->beat_cpu_ns <= REST_CPU_NS + still / 50;
}

KSMA_API struct ksma_error *ksma_kernel_refresh(struct ksma_kernel *kernel)
{
	struct ksma_kernel_priv *priv = kernel->priv;
	uint64_t moved_ns = priv->pulse.moved_ns;
	enum ksma_pulse_verdict verdict;
	struct identity now;

	KSMA_TRY(ksma_guest_refresh(kernel->guest));
	take_identity(kernel, &now);
	if (memcmp(&now, &priv->identity, sizeof(now)) != 0)
		return kernel_gone();
	if (kernel->guest->info.kind != KSMA_GUEST_LIVE)
		return NULL;
	verdict =
		ksma_pulse_take(&priv->pulse, read_symbol(kernel, "jiffies_64", 0), ksma_now_ns());
	if (priv->pulse.moved_ns != moved_ns)
		note_beat(kernel);
	switch (verdict) {
	case KSMA_PULSE_BACKWARDS:
		return kernel_gone();
	case KSMA_PULSE_SEARCH:
		return search_another(kernel);
	case KSMA_PULSE_BEATS:
		priv->still = false;
		return NULL;
	case KSMA_PULSE_STILL:
		return NULL;
	}
	return NULL;
}

/* Locks under which a kernel patches itself. */
static const char *const patch_locks[KSMA_PATCH_LOCKS] = {
	"static_call_mutex", "jump_label_mutex", "ftrace_lock",
	"kprobe_mutex",	     "module_mutex",	 "text_mutex",
};

bool ksma_kernel_patching(struct ksma_kernel *kernel, struct ksma_patching *ret_patching)
{
	int32_t member = kernel->off.mutex__owner;
	uint64_t now = ksma_now_ns();

	*ret_patching = (struct ksma_patching){ .since_ns = UINT64_MAX };
	if (kernel->guest->info.kind != KSMA_GUEST_LIVE || member == KSMA_NO_MEMBER)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(patch_locks); i++) {
		struct held_lock *held = &kernel->priv->held[i];
		uint64_t lock = ksma_kernel_symbol(kernel, patch_locks[i]), owner = 0;

		if (lock)
			ksma_kernel_u64(kernel, lock + (uint64_t)member, &owner);
		owner &= ~7ull; /* flags */
		if (owner != held->owner)
			*held = (struct held_lock){ owner, now };
		if (!owner || held->since_ns >= ret_patching->since_ns)
			continue;
		ret_patching->lock = patch_locks[i];
		ret_patching->since_ns = held->since_ns;
	}
	ret_patching->stopped =
		ret_patching->lock && ksma_pulse_still_s(&kernel->priv->pulse, now) >= STOPPED_S;
	return ret_patching->lock != NULL;
}

uint64_t ksma_kernel_moved_ns(const struct ksma_kernel *kernel)
{
	return kernel->priv->pulse.moved_ns;
}

uint64_t ksma_kernel_still_s(const struct ksma_kernel *kernel)
{
	uint64_t s = ksma_pulse_still_s(&kernel->priv->pulse, ksma_now_ns());

	return kernel->priv->still && s >= KSMA_PULSE_STILL_S ? s : 0;
}
