/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sweeps objects and tables for function pointers that lead to code of nobody. */
#include "checks/sweep.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "checks/owners.h"
#include "linux/module_symbols.h"

enum {
	NOT_A_POINTER = 4096, /* flags and errors in place of a pointer are smaller */
	MAX_DEPTH = 3,	      /* of tables that lead to tables */
	MAX_SEEN = 1 << 20,
	MAX_SHAPE = 16384,
	MAX_OFFSET = 1 << 20, /* a srcu_struct is large */
	MAX_USES = 1024,      /* modules that a module uses */
	FORGETS_AFTER = 128,  /* objects */
};

struct ksma_error *ksma_sweep_init(struct ksma_look *look, struct ksma_sweep *ret_sweep)
{
	*ret_sweep = (struct ksma_sweep){ .look = look, .kernel = look->kernel };
	KSMA_TRY(ksma_kernel_btf(look->kernel, &ret_sweep->btf));
	ret_sweep->shapes.btf = ret_sweep->btf;
	ret_sweep->init_start = ksma_kernel_symbol(look->kernel, "_sinittext");
	ret_sweep->init_end = ksma_kernel_symbol(look->kernel, "_einittext");
	return NULL;
}

void ksma_sweep_deinit(struct ksma_sweep *sweep)
{
	ksma_shapes_deinit(&sweep->shapes);
	free(sweep->seen.items);
	free(sweep->todo.items);
	*sweep = (struct ksma_sweep){ 0 };
}

struct ksma_error *ksma_sweep_run(struct ksma_look *look,
				  struct ksma_error *(*check)(struct ksma_sweep *sweep))
{
	struct ksma_sweep sweep;
	struct ksma_error *error = ksma_sweep_init(look, &sweep);

	if (!error)
		error = check(&sweep);
	ksma_sweep_deinit(&sweep);
	return error;
}

static struct ksma_sweep_place *seen_slot(const struct ksma_sweep_seen *seen, uint64_t address,
					  uint32_t type)
{
	size_t i =
		(size_t)(((address >> 3) + type) * 0x9e3779b97f4a7c15ull >> 24) & (seen->size - 1);

	while (seen->items[i].address &&
	       (seen->items[i].address != address || seen->items[i].type != type))
		i = (i + 1) & (seen->size - 1);
	return &seen->items[i];
}

static struct ksma_error *seen_grow(struct ksma_sweep_seen *seen)
{
	struct ksma_sweep_seen larger = { .size = seen->size ? seen->size * 2 : 1024,
					  .used = seen->used };

	larger.items = calloc(larger.size, sizeof(*larger.items));
	if (!larger.items)
		return ksma_error_nomem();
	for (size_t i = 0; i < seen->size; i++)
		if (seen->items[i].address)
			*seen_slot(&larger, seen->items[i].address, seen->items[i].type) =
				seen->items[i];
	free(seen->items);
	*seen = larger;
	return NULL;
}

struct ksma_error *ksma_sweep_see(struct ksma_sweep *sweep, uint64_t address, uint32_t type,
				  bool *ret_new)
{
	struct ksma_sweep_seen *seen = &sweep->seen;
	struct ksma_sweep_place *slot;

	if (seen->used >= MAX_SEEN)
		return ksma_error_create(KSMA_ERROR_LIMIT, "more than %d objects with functions",
					 MAX_SEEN);
	if (seen->used * 2 >= seen->size)
		KSMA_TRY(seen_grow(seen));
	slot = seen_slot(seen, address, type);
	*ret_new = slot->address == 0;
	seen->used += slot->address == 0;
	*slot = (struct ksma_sweep_place){ .address = address, .type = type };
	return NULL;
}

int32_t ksma_sweep_offset(const struct ksma_sweep *sweep, const char *type, const char *member)
{
	struct ksma_btf_member found;
	uint32_t id = ksma_btf_find(sweep->btf, KSMA_BTF_STRUCT, type);

	if (!id || !ksma_btf_member(sweep->btf, id, member, &found) || found.bits ||
	    found.bit_offset / 8 > MAX_OFFSET)
		return KSMA_NO_MEMBER;
	return (int32_t)(found.bit_offset / 8);
}

uint32_t ksma_sweep_size(const struct ksma_sweep *sweep, const char *type)
{
	uint32_t id = ksma_btf_find(sweep->btf, KSMA_BTF_STRUCT, type);
	uint64_t size;

	return id && ksma_btf_size_of(sweep->btf, id, &size) && size <= MAX_OFFSET ? (uint32_t)size
										   : 0;
}

uint32_t ksma_sweep_elements(const struct ksma_sweep *sweep, const char *type, const char *member)
{
	struct ksma_btf_member found;
	uint32_t id = ksma_btf_find(sweep->btf, KSMA_BTF_STRUCT, type);

	if (!id || !ksma_btf_member(sweep->btf, id, member, &found))
		return 0;
	return ksma_btf_array_count(sweep->btf, ksma_btf_strip(sweep->btf, found.type));
}

void ksma_sweep_clean_name(char *name)
{
	for (char *c = name; *c; c++)
		if (*c < 0x21 || *c > 0x7e || *c == '/')
			*c = '?';
}

/* A name that is the same at each boot: the symbol of the table where it has one, else who holds it. */
static void table_name(struct ksma_kernel *kernel, uint64_t address, const char *holder, char *name,
		       size_t size)
{
	char *module;

	if (ksma_kernel_describe(kernel, ksma_gva_of(address), name, size)) {
		module = strstr(name, " [");
		if (module)
			*module = 0;
		return;
	}
	snprintf(name, size, "%s", holder);
}

static struct ksma_error *report(struct ksma_look *look, const char *table, const char *member,
				 uint64_t place, uint64_t function, bool in_image,
				 const char *holder)
{
	const struct ksma_owner *owner = ksma_owners_find(look->owners, function);
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(look, KSMA_SEVERITY_CRITICAL, &finding, "%s/%s", table, member));
	KSMA_TRY(ksma_finding_title(finding, "%s of %s%s%s leads to %s", member, table,
				    strcmp(table, holder) != 0 ? ", used by " : "",
				    strcmp(table, holder) != 0 ? holder : "",
				    !owner ? "code that belongs to nobody"
				    : owner->kind == KSMA_OWNER_KERNEL
					    ? "the middle of a kernel function"
				    : in_image ? "code outside the kernel"
					       : "code that is no function of a known module"));
	KSMA_TRY(ksma_finding_address(look, finding, "place", place));
	KSMA_TRY(ksma_finding_code(look, finding, "found", function));
	KSMA_TRY(ksma_finding_text(finding, "holder", "%s", holder));
	return ksma_finding_text(finding, "expected", "%s",
				 in_image ? "a function of the kernel"
					  : "a function of the kernel or of a listed module");
}

struct ksma_error *ksma_sweep_report_table(struct ksma_sweep *sweep, const char *member,
					   uint64_t place, uint64_t table, const char *holder,
					   const char *what, const char *expected)
{
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(sweep->look, KSMA_SEVERITY_HIGH, &finding, "%s/%s/table", holder,
				  member));
	KSMA_TRY(ksma_finding_title(finding, "%s of %s %s", member, holder, what));
	KSMA_TRY(ksma_finding_address(sweep->look, finding, "place", place));
	KSMA_TRY(ksma_finding_address(sweep->look, finding, "found", table));
	KSMA_TRY(ksma_finding_text(finding, "holder", "%s", holder));
	return ksma_finding_text(finding, "expected", "%s", expected);
}

/* Objects keep the addresses of functions that ran once at boot: nobody calls them, for their memory is long gone. */
static bool is_boot_function(const struct ksma_sweep *sweep, uint64_t function)
{
	const struct ksma_symbol *symbol;

	if (function < sweep->init_start || function >= sweep->init_end)
		return false;
	symbol = ksma_symbols_at(&sweep->kernel->symbols, function);
	return symbol && ksma_symbol_address(&sweep->kernel->symbols, symbol) == function;
}

/* Operations that BPF programs may provide lead to trampolines, of which several lie in one page. */
static bool is_bpf(const struct ksma_owner *owner)
{
	return owner && (owner->kind == KSMA_OWNER_BPF || owner->kind == KSMA_OWNER_BPF_PACK);
}

static bool takes_bpf(const char *type)
{
	static const char *const types[] = { "tcp_congestion_ops", "Qdisc_ops", "sched_ext_ops",
					     "hid_bpf_ops" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

static bool fits(struct ksma_sweep *sweep, uint64_t function, bool in_image, const char *type)
{
	struct ksma_look *look = sweep->look;

	if (ksma_kernel_is_text(look->kernel, function)) {
		const struct ksma_symbol *symbol =
			ksma_symbols_at(&look->kernel->symbols, function);

		return symbol && ksma_symbol_address(&look->kernel->symbols, symbol) == function;
	}
	if (is_boot_function(sweep, function))
		return true;
	if (takes_bpf(type) && is_bpf(ksma_owners_find(look->owners, function)))
		return true;
	if (in_image)
		return false;
	if (ksma_module_function_start(look->kernel, function) == KSMA_FUNCTION_UNKNOWN) {
		/* Not being able to read is no evidence. */
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "the symbols of a module cannot be read");
		return true;
	}
	return ksma_owners_is_function(look->kernel, look->owners, function);
}

static bool is_pointer(uint64_t value)
{
	return value >= NOT_A_POINTER && value < -(uint64_t)NOT_A_POINTER;
}

struct ksma_error *ksma_sweep_pointer(struct ksma_sweep *sweep, uint64_t place, uint64_t function,
				      const char *member, const char *holder)
{
	/* A variable of the kernel's that modules set, as bridge does, is no table of the compiler's. */
	if (!is_pointer(function) || fits(sweep, function, false, ""))
		return NULL;
	return report(sweep->look, holder, member, place, function, false, holder);
}

/* Tables are made by the compiler. Types whose tables some honest drivers fill in at run time, in memory of their own, are left out. */
static bool is_made_by_compiler(const char *type)
{
	static const char *const types[] = {
		"address_space_operations",
		"block_device_operations",
		"dentry_operations",
		"ethtool_ops",
		"export_operations",
		"file_lock_operations",
		"file_operations",
		"header_ops",
		"inode_operations",

		"kobj_ns_type_operations",
		"net_device_ops",
		"net_proto_family",
		"proc_ops",
		"proto",
		"proto_ops",
		"quotactl_ops",
		"seq_operations",
		"super_operations",
		"sysfs_ops",
		"tcp_congestion_ops",
		"tty_ldisc_ops",
		"tty_operations",
		"tty_port_operations",
		"vm_operations_struct",
		"xattr_handler",
		"inet_connection_sock_af_ops",
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

/* A walk along the modules that a module uses. */
struct uses {
	struct ksma_kernel *kernel;
	uint64_t wanted; /* struct module */
	bool found, incomplete;
};

static bool take_use(void *arg, uint64_t node)
{
	struct uses *uses = arg;
	const struct ksma_offsets *off = &uses->kernel->off;
	uint64_t target;

	if (!ksma_kernel_u64(uses->kernel,
			     node - (uint64_t)off->module_use__target_list +
				     (uint64_t)off->module_use__target,
			     &target))
		uses->incomplete = true;
	else
		uses->found = target == uses->wanted;
	return !uses->found && !uses->incomplete;
}

bool ksma_sweep_module_uses(struct ksma_sweep *sweep, const struct ksma_module *module,
			    const struct ksma_module *other)
{
	const struct ksma_offsets *off = &sweep->kernel->off;
	struct ksma_budget budget = { .nodes = MAX_USES };
	struct uses uses = { .kernel = sweep->kernel, .wanted = other->address };
	struct ksma_error *error;

	if (module->address == other->address)
		return true;
	if (off->module__target_list == KSMA_NO_MEMBER ||
	    off->module_use__target == KSMA_NO_MEMBER ||
	    off->module_use__target_list == KSMA_NO_MEMBER) {
		ksma_coverage_gap(sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel does not say which modules use which");
		return true;
	}
	error = ksma_kernel_list(sweep->kernel,
				 module->address + (uint64_t)off->module__target_list, &budget,
				 take_use, &uses);
	if (error || uses.incomplete)
		ksma_coverage_gap(sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "which modules %s uses cannot be read", module->name);
	uses.incomplete |= error != NULL;
	ksma_error_destroy(error);
	return uses.found || uses.incomplete;
}

struct ksma_error *ksma_sweep_belongs(struct ksma_sweep *sweep, const char *member, uint64_t place,
				      const struct ksma_module *module, const char *holder)
{
	const struct ksma_module *owner;
	uint64_t table;

	if (!ksma_kernel_u64(sweep->kernel, place, &table) || !is_pointer(table) ||
	    ksma_sweep_in_image(sweep->kernel, table))
		return NULL;
	owner = ksma_module_owner(sweep->kernel, table);
	if (!owner || (module && ksma_sweep_module_uses(sweep, module, owner)))
		return NULL; /* that nobody owns it is found elsewhere */
	return ksma_sweep_report_table(sweep, member, place, table, holder,
				       "is a table of a module that has nothing to do with it",
				       module ? "the kernel's own table, or one of the module "
						"that made it"
					      : "the kernel's own table");
}

static struct ksma_error *check_place(struct ksma_sweep *sweep, const struct ksma_shape *shape,
				      uint64_t address, uint64_t place, const char *member,
				      const char *holder)
{
	struct ksma_kernel *kernel = sweep->kernel;

	if (ksma_sweep_in_image(kernel, address) || ksma_module_owner(kernel, address) ||
	    !is_made_by_compiler(shape->name) ||
	    (takes_bpf(shape->name) && ksma_sweep_is_kernel(address)))
		return NULL;
	return ksma_sweep_report_table(
		sweep, member, place, address, holder,
		ksma_sweep_is_kernel(address)
			? "is a table in memory that belongs to no listed module"
			: "is a table outside the kernel's memory",
		"a table in the image of the kernel or in a listed module");
}

/* Modules that copy a protocol of the kernel's, owner and all, and put functions of their own into the copy. */
static bool copies_protocols(const char *module)
{
	return strcmp(module, "tls") == 0 || strcmp(module, "smc") == 0;
}

/* The module that a table names must be a listed one; a protocol in a module must name its module. */
static struct ksma_error *check_owner(struct ksma_sweep *sweep, const struct ksma_shape *shape,
				      const struct ksma_slot *slot, uint64_t address,
				      uint64_t value, const char *holder)
{
	const struct ksma_module *module;

	if (is_pointer(value)) {
		module = ksma_module_owner(sweep->kernel, value);
		if (module && module->address == value)
			return NULL;
		return ksma_sweep_report_table(sweep, slot->name, address + slot->offset, value,
					       holder, "names a module that is on no list",
					       "a listed module, or none");
	}
	if (strcmp(shape->name, "proto") != 0 && strcmp(shape->name, "proto_ops") != 0)
		return NULL;
	module = ksma_module_owner(sweep->kernel, address);
	if (!module || copies_protocols(module->name))
		return NULL;
	return ksma_sweep_report_table(sweep, shape->name, address + slot->offset, address, holder,
				       "lies in a module and says that it belongs to the kernel",
				       "the kernel's own table, or one that names its module");
}

static struct ksma_error *check_table_slot(struct ksma_sweep *sweep, const struct ksma_slot *slot,
					   uint64_t place, uint64_t value, unsigned depth,
					   const char *holder)
{
	const struct ksma_shape *shape;
	struct ksma_sweep_place *todo;
	bool new;

	KSMA_TRY(ksma_shapes_get(&sweep->shapes, slot->type, &shape));
	if (!shape)
		return NULL;
	KSMA_TRY(ksma_sweep_see(sweep, value, shape->type, &new));
	if (!new)
		return NULL;
	KSMA_TRY(check_place(sweep, shape, value, place, slot->name, holder));
	if (!ksma_sweep_is_kernel(value))
		return NULL;
	KSMA_TRY(KSMA_ARRAY_PUSH(&sweep->todo, &todo));
	*todo = (struct ksma_sweep_place){ value, shape->type, depth };
	return NULL;
}

/* Looks at one struct as it is now: reads it once, from its first slot to its last. */
static struct ksma_error *check_struct(struct ksma_sweep *sweep, const struct ksma_shape *shape,
				       uint64_t address, unsigned depth, const char *holder)
{
	bool in_image = ksma_sweep_in_image(sweep->kernel, address);
	uint8_t bytes[MAX_SHAPE];
	uint32_t start = shape->size, end = 0;

	for (size_t i = 0; i < shape->count; i++) {
		start = shape->items[i].offset < start ? shape->items[i].offset : start;
		end = shape->items[i].offset + 8 > end ? shape->items[i].offset + 8 : end;
	}
	if (!end)
		return NULL;
	if (!ksma_kernel_bytes(sweep->kernel, address + start, bytes, end - start)) {
		ksma_coverage_gap(sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "the %s of %s at 0x%" PRIx64 " cannot be read", shape->name,
				  holder, address);
		return NULL;
	}
	for (size_t i = 0; i < shape->count; i++) {
		const struct ksma_slot *slot = &shape->items[i];
		uint64_t value = ksma_le64(bytes + slot->offset - start);
		uint64_t place = address + slot->offset;
		char name[128];

		if (slot->kind == KSMA_SLOT_OWNER) {
			KSMA_TRY(check_owner(sweep, shape, slot, address, value, holder));
			continue;
		}
		if (!is_pointer(value))
			continue;
		if (slot->kind == KSMA_SLOT_TABLE) {
			if (depth < MAX_DEPTH)
				KSMA_TRY(check_table_slot(sweep, slot, place, value, depth + 1,
							  holder));
			continue;
		}
		if (fits(sweep, value, in_image, shape->name))
			continue;
		table_name(sweep->kernel, address, holder, name, sizeof(name));
		KSMA_TRY(report(sweep->look, name, slot->name, place, value, in_image, holder));
	}
	return NULL;
}

/* Looks at the tables that were found on the way; each may lead to more. */
static struct ksma_error *check_todo(struct ksma_sweep *sweep, const char *holder)
{
	while (sweep->todo.count) {
		struct ksma_sweep_place place = sweep->todo.items[--sweep->todo.count];
		const struct ksma_shape *shape;

		KSMA_TRY(ksma_shapes_get(&sweep->shapes, place.type, &shape));
		if (shape)
			KSMA_TRY(check_struct(sweep, shape, place.address, place.depth, holder));
	}
	return NULL;
}

static struct ksma_error *shape_of(struct ksma_sweep *sweep, const char *type,
				   const struct ksma_shape **ret_shape)
{
	size_t slot = ((uintptr_t)type >> 2 ^ (uintptr_t)type >> 9) % ARRAY_SIZE(sweep->recent);
	uint32_t id;

	if (sweep->recent[slot].shape && sweep->recent[slot].name == type) {
		*ret_shape = sweep->recent[slot].shape;
		return NULL;
	}
	id = ksma_btf_find(sweep->btf, KSMA_BTF_STRUCT, type);
	*ret_shape = NULL;
	if (id)
		KSMA_TRY(ksma_shapes_get(&sweep->shapes, id, ret_shape));
	sweep->recent[slot].name = type;
	sweep->recent[slot].shape = *ret_shape;
	if (!*ret_shape)
		ksma_coverage_gap(sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel's types do not say how struct %s is made", type);
	return NULL;
}

void ksma_sweep_goes_on(struct ksma_sweep *sweep)
{
	if (sweep->look->held && ++sweep->objects % FORGETS_AFTER == 0)
		ksma_guest_forget_above(sweep->kernel->guest, sweep->look->held);
}

struct ksma_error *ksma_sweep_object(struct ksma_sweep *sweep, const char *type, uint64_t address,
				     const char *holder)
{
	const struct ksma_shape *shape;
	bool new;

	if (!address)
		return NULL;
	KSMA_TRY(shape_of(sweep, type, &shape));
	if (!shape)
		return NULL;
	KSMA_TRY(ksma_sweep_see(sweep, address, shape->type, &new));
	if (!new)
		return NULL;
	ksma_sweep_goes_on(sweep);
	KSMA_TRY(check_struct(sweep, shape, address, 0, holder));
	return check_todo(sweep, holder);
}

struct ksma_error *ksma_sweep_table(struct ksma_sweep *sweep, const char *type, uint64_t address,
				    const char *holder)
{
	const struct ksma_shape *shape;
	struct ksma_slot slot = { .kind = KSMA_SLOT_TABLE, .name = type };

	if (!is_pointer(address))
		return NULL;
	KSMA_TRY(shape_of(sweep, type, &shape));
	if (!shape)
		return NULL;
	slot.type = shape->type;
	KSMA_TRY(check_table_slot(sweep, &slot, 0, address, 0, holder));
	return check_todo(sweep, holder);
}
