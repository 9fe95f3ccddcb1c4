/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does every system call lead to its own function, by the tables and by the switch statements that replaced them?
 *
 * Kernels that took the fix for branch history injection dispatch through x64_sys_call(), x32_sys_call() and ia32_sys_call()
 * (1e3ad78334a6 "x86/syscall: Don't force use of indirect calls for system calls"); sys_call_table then only serves tracing. */
#include <inttypes.h>

#include "base/bytes.h"
#include "checks/check.h"
#include "x86/switch.h"

enum {
	MAX_SYSCALLS = 1024,
	X32_BIT_START = 512, /* numbers of the x32 ABI's own calls */
	MAX_NAME = 96,
	MAX_FUNCTION = 64 << 10,
	TABLE_ALIGN_SLOTS = 8, /* zeroes that alignment may leave behind a table */
};

/* An ABI: its table, its switch, and the prefixes that its functions may have. */
struct abi {
	const char *name;
	const char *table, *dispatch;
	const char *prefixes[5];
	bool named; /* the kernel's own metadata gives the name for a number */
};

static const struct abi abis[] = {
	{ "x64", "sys_call_table", "x64_sys_call", { "__x64_sys_" }, true },
	{ "x32",
	  "x32_sys_call_table",
	  "x32_sys_call",
	  { "__x64_sys_", "__x32_compat_sys_", "__x64_compat_sys_", "compat_sys_" },
	  false },
	{ "ia32",
	  "ia32_sys_call_table",
	  "ia32_sys_call",
	  { "__ia32_sys_", "__ia32_compat_sys_", "__x64_sys_" },
	  false },
};

/* What the kernel itself wrote down at boot of its calls: "sys_openat" for 257. Empty where it has no such record. */
struct names {
	char (*items)[MAX_NAME];
	size_t count;
};

/* syscalls_metadata[] is made by init_ftrace_syscalls() (kernel/trace/trace_syscalls.c), one pointer a call. */
static struct ksma_error *read_names(struct ksma_look *look, size_t count, struct names *ret_names)
{
	struct ksma_kernel *kernel = look->kernel;
	uint64_t slot = ksma_kernel_symbol(kernel, "syscalls_metadata"), array;
	char(*items)[MAX_NAME];

	if (!slot || kernel->off.syscall_metadata__name == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(kernel, slot, &array) || !array)
		return NULL; /* built without CONFIG_FTRACE_SYSCALLS */
	items = calloc(count, sizeof(*items));
	if (!items)
		return ksma_error_nomem();
	for (size_t i = 0; i < count; i++) {
		uint64_t record, name;

		if (ksma_kernel_u64(kernel, array + 8 * i, &record) && record &&
		    ksma_kernel_u64(kernel, record + (uint64_t)kernel->off.syscall_metadata__name,
				    &name) &&
		    name && !ksma_kernel_string(kernel, name, items[i], MAX_NAME))
			items[i][0] = 0;
	}
	*ret_names = (struct names){ items, count };
	return NULL;
}

/* A symbol at exactly this address whose name begins as the ABI's functions do; several functions may share one address. */
static const char *function_of_abi(const struct ksma_kernel *kernel, const struct abi *abi,
				   uint64_t address)
{
	const struct ksma_symbols *symbols = &kernel->symbols;
	const struct ksma_symbol *symbol = ksma_symbols_at(symbols, address);

	if (!symbol || ksma_symbol_address(symbols, symbol) != address)
		return NULL;
	/* Back to the first symbol of this address, then over all of them. */
	while (symbol > symbols->items && ksma_symbol_address(symbols, symbol - 1) == address)
		symbol--;
	for (; symbol < symbols->items + symbols->count &&
	       ksma_symbol_address(symbols, symbol) == address;
	     symbol++)
		for (size_t i = 0; i < ARRAY_SIZE(abi->prefixes) && abi->prefixes[i]; i++)
			if (strncmp(ksma_symbol_name(symbols, symbol), abi->prefixes[i],
				    strlen(abi->prefixes[i])) == 0)
				return ksma_symbol_name(symbols, symbol);
	return NULL;
}

/* The address that a number must lead to, or 0 when any function of the ABI will do. */
static uint64_t expected_address(const struct ksma_kernel *kernel, const struct abi *abi,
				 const struct names *names, size_t number)
{
	char name[MAX_NAME + 8];

	if (!abi->named || number >= names->count || !names->items[number][0])
		return 0;
	snprintf(name, sizeof(name), "__x64_%s", names->items[number]);
	return ksma_kernel_symbol(kernel, name);
}

static struct ksma_error *report(struct ksma_look *look, const struct abi *abi, bool by_switch,
				 bool live, size_t number, uint64_t place, uint64_t found,
				 uint64_t expected)
{
	const char *name =
		expected ? ksma_symbol_name(&look->kernel->symbols,
					    ksma_symbols_at(&look->kernel->symbols, expected))
			 : NULL;
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(look, live ? KSMA_SEVERITY_CRITICAL : KSMA_SEVERITY_HIGH,
				  &finding, "%s/%zu", by_switch ? abi->dispatch : abi->name,
				  number));
	/* Eight bytes that are read at once, and that nobody ever writes. A branch may be patched. */
	finding->at_once = !by_switch;
	KSMA_TRY(ksma_finding_title(
		finding, "system call %zu of %s %s%s%s", number, abi->name,
		name ? "does not lead to " : "leads to code that is no system call of this kernel",
		name ?: "", live ? "" : " in a table that this kernel no longer dispatches by"));
	KSMA_TRY(ksma_finding_text(finding, "abi", "%s", abi->name));
	KSMA_TRY(ksma_finding_number(finding, "number", number));
	KSMA_TRY(ksma_finding_address(look, finding, by_switch ? "branch" : "slot", place));
	KSMA_TRY(ksma_finding_code(look, finding, "found", found));
	if (expected)
		return ksma_finding_address(look, finding, "expected", expected);
	return ksma_finding_text(finding, "expected", "a function whose name begins with %s",
				 abi->prefixes[0]);
}

/* One number of one table or switch. */
static struct ksma_error *check_target(struct ksma_look *look, const struct abi *abi,
				       const struct names *names, bool by_switch, bool live,
				       size_t number, uint64_t place, uint64_t found)
{
	uint64_t expected = expected_address(look->kernel, abi, names, number);

	if (expected ? found == expected : function_of_abi(look->kernel, abi, found) != NULL)
		return NULL;
	return report(look, abi, by_switch, live, number, place, found, expected);
}

/* Slots up to the next symbol; what alignment may have left behind the last one is not one. */
static size_t table_length(const struct ksma_kernel *kernel, uint64_t table, uint64_t *slots)
{
	const struct ksma_symbols *symbols = &kernel->symbols;
	const struct ksma_symbol *symbol = ksma_symbols_at(symbols, table);
	const struct ksma_symbol *end = symbols->items + symbols->count;
	size_t count = MAX_SYSCALLS, padding = 0;

	if (!symbol)
		return 0; /* addresses that wrap around: the symbols were changed while they were read */
	while (symbol < end && ksma_symbol_address(symbols, symbol) <= table)
		symbol++;
	if (symbol < end && (ksma_symbol_address(symbols, symbol) - table) / 8 < count)
		count = (ksma_symbol_address(symbols, symbol) - table) / 8;
	while (count && padding < TABLE_ALIGN_SLOTS && slots[count - 1] == 0) {
		count--;
		padding++;
	}
	return count;
}

static struct ksma_error *check_table(struct ksma_look *look, const struct abi *abi,
				      const struct names *names, uint64_t table, bool live)
{
	uint64_t slots[MAX_SYSCALLS];
	size_t count;

	KSMA_TRY(ksma_error_prefix(ksma_space_read(&look->kernel->space, ksma_gva_of(table), slots,
						   sizeof(slots)),
				   "%s", abi->table));
	count = table_length(look->kernel, table, slots);
	for (size_t i = 0; i < count; i++)
		KSMA_TRY(check_target(look, abi, names, false, live, i, table + 8 * i, slots[i]));
	return NULL;
}

/* Follows the switch for every number. */
static struct ksma_error *check_switch(struct ksma_look *look, const struct abi *abi,
				       const struct names *names, uint64_t function)
{
	const struct ksma_symbols *symbols = &look->kernel->symbols;
	const struct ksma_symbol *symbol = ksma_symbols_at(symbols, function),
				 *end = symbols->items + symbols->count;
	_cleanup_free_ uint8_t *code = malloc(MAX_FUNCTION);
	struct ksma_error *error = NULL;
	struct ksma_switch *table;
	size_t length = MAX_FUNCTION;

	if (!code)
		return ksma_error_nomem();
	if (!symbol)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "%s lies below all symbols",
					 abi->dispatch);
	while (symbol < end && ksma_symbol_address(symbols, symbol) <= function)
		symbol++;
	if (symbol < end && ksma_symbol_address(symbols, symbol) - function < length)
		length = ksma_symbol_address(symbols, symbol) - function;
	KSMA_TRY(ksma_error_prefix(ksma_space_read(&look->kernel->space, ksma_gva_of(function),
						   code, length),
				   "%s", abi->dispatch));
	KSMA_TRY(ksma_switch_create(code, length, function, &table));
	for (uint32_t number = 0; number < MAX_SYSCALLS && !error; number++) {
		uint64_t target, place;

		error = ksma_switch_target(table, number, &target, &place);
		if (!error)
			error = check_target(look, abi, names, true, true, number, place, target);
	}
	ksma_switch_destroy(table);
	/* A switch that cannot be followed was changed, or was built by a compiler that we do not know: not a clean bill. */
	return ksma_error_prefix(error, "%s", abi->dispatch);
}

static struct ksma_error *check_abi(struct ksma_look *look, const struct abi *abi,
				    const struct names *names)
{
	uint64_t table = ksma_kernel_symbol(look->kernel, abi->table),
		 dispatch = ksma_kernel_symbol(look->kernel, abi->dispatch);
	struct ksma_error *error;

	if (table) {
		error = check_table(look, abi, names, table, dispatch == 0);
		if (error && error->code == KSMA_ERROR_NOMEM)
			return error;
		ksma_coverage_error(look->coverage, KSMA_COVERAGE_PARTIAL, error, abi->name);
	}
	if (dispatch) {
		error = check_switch(look, abi, names, dispatch);
		if (error && error->code == KSMA_ERROR_NOMEM)
			return error;
		ksma_coverage_error(look->coverage, KSMA_COVERAGE_PARTIAL, error, abi->name);
	}
	return NULL;
}

/* How many calls the metadata may be asked for: as many as the table has, which is what it was made from. */
static size_t named_calls(struct ksma_look *look)
{
	uint64_t table = ksma_kernel_symbol(look->kernel, "sys_call_table"), slots[MAX_SYSCALLS];

	if (!table || !ksma_kernel_bytes(look->kernel, table, slots, sizeof(slots)))
		return 0;
	return table_length(look->kernel, table, slots);
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct ksma_error *error = NULL;
	struct names names = { 0 };
	size_t calls = named_calls(look);

	if (!ksma_kernel_symbol(look->kernel, "sys_call_table") &&
	    !ksma_kernel_symbol(look->kernel, "x64_sys_call"))
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
					 "this kernel has neither sys_call_table nor x64_sys_call");
	if (calls)
		KSMA_TRY(read_names(look, calls, &names));
	for (size_t i = 0; i < ARRAY_SIZE(abis) && !error; i++)
		error = check_abi(look, &abis[i], &names);
	free(names.items);
	return error;
}

const struct ksma_check ksma_check_syscall_table = {
	.info = {
		.name = "syscall-table",
		.title = "System call dispatch",
		.attack = "T1014",
		.needs = "memory",
		.structures = "sys_call_table, ia32_sys_call_table, x32_sys_call_table; x64_sys_call, ia32_sys_call, x32_sys_call; syscalls_metadata",
		.why = "Hooking a system call is the classic way to hide files, processes and connections. Where the kernel dispatches by a switch, "
		       "one changed jump does the same and leaves the table as it was.",
		.cost = "1.9 ms",
		.false_alarms = "None known: the tables are read-only, and no tracer patches them. A switch in a form that cannot be followed is a gap "
				"in the coverage, not a finding.",
		.todo = "Follow `found_leads_to` to the code that runs instead; what the guest's programs say through that call is not "
			"to be believed.",
	},
	.run = run,
};
