/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does the kernel's own table of symbols tell the truth? All that we know of the kernel comes from it, and so may what a debugger in
 * the guest is told. It is held against what else names the same things: the kernel's exports, and its types. */
#include <inttypes.h>

#include "base/bytes.h"
#include "checks/kallsyms.h"

enum {
	EXPORT_SIZE_MAX = 64,
	EXPORT_BYTES_MAX = 16 << 20,
	NAME_SIZE = 512, /* KSYM_NAME_LEN */
	MAX_LIES = 32,	 /* that are named; more are counted */
	ORDER_BYTES = 3, /* of an index in kallsyms_seqs_of_names */
};

/* What is worked out once for a kernel: the tables are constant, and each look asks whether they still are. */
struct verdict {
	struct ksma_kallsyms_lie lies[MAX_LIES];
	size_t count; /* may be more than MAX_LIES */
	struct ksma_coverage coverage;
};

static void verdict_destroy(void *data)
{
	struct verdict *verdict = data;

	ksma_coverage_deinit(&verdict->coverage);
	free(verdict);
}

static void add(struct verdict *verdict, enum ksma_kallsyms_lie_kind kind, const char *name,
		uint64_t found, uint64_t expected)
{
	if (verdict->count < MAX_LIES) {
		struct ksma_kallsyms_lie *lie = &verdict->lies[verdict->count];

		*lie = (struct ksma_kallsyms_lie){ .kind = kind,
						   .found = found,
						   .expected = expected };
		snprintf(lie->name, sizeof(lie->name), "%.*s", (int)sizeof(lie->name) - 1, name);
	}
	verdict->count++;
}

bool ksma_kallsyms_agrees(const struct ksma_symbols *symbols, const char *name, uint64_t address,
			  uint64_t *ret_found)
{
	const struct ksma_symbol *symbol = ksma_symbols_find(symbols, name);

	*ret_found = symbol ? ksma_symbol_address(symbols, symbol) : 0;
	for (; symbol; symbol = ksma_symbols_find_next(symbols, symbol))
		if (ksma_symbol_address(symbols, symbol) == address)
			return true;
	return false;
}

/* A struct kernel_symbol holds both its value and its name as distances from where they are stored (CONFIG_HAVE_ARCH_PREL32_RELOCATIONS). */
static void check_export(struct ksma_look *look, struct verdict *verdict, uint64_t at,
			 const uint8_t *bytes)
{
	const struct ksma_offsets *off = &look->kernel->off;
	uint64_t value = at + (uint32_t)off->kernel_symbol__value_offset +
			 (uint64_t)(int32_t)ksma_le32(bytes + off->kernel_symbol__value_offset);
	uint64_t name_at = at + (uint32_t)off->kernel_symbol__name_offset +
			   (uint64_t)(int32_t)ksma_le32(bytes + off->kernel_symbol__name_offset);
	char name[NAME_SIZE];
	uint64_t found;

	if (!ksma_kernel_string(look->kernel, name_at, name, sizeof(name)) || !name[0]) {
		add(verdict, KSMA_KALLSYMS_EXPORT_DAMAGED, "", name_at, at);
		return;
	}
	if (ksma_kallsyms_agrees(&look->kernel->symbols, name, value, &found))
		return;
	add(verdict, found ? KSMA_KALLSYMS_MOVED : KSMA_KALLSYMS_MISSING, name, found, value);
}

static struct ksma_error *check_export_table(struct ksma_look *look, struct verdict *verdict,
					     const char *start_name, const char *stop_name)
{
	uint64_t start = ksma_kernel_symbol(look->kernel, start_name),
		 stop = ksma_kernel_symbol(look->kernel, stop_name);
	uint32_t size = look->kernel->size.kernel_symbol;
	_cleanup_free_ uint8_t *bytes = NULL;

	if (!start || stop <= start)
		return NULL;
	if (stop - start > EXPORT_BYTES_MAX || (stop - start) % size)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "the exports end at an odd place");
	bytes = malloc(stop - start);
	if (!bytes)
		return ksma_error_nomem();
	if (!ksma_kernel_bytes(look->kernel, start, bytes, stop - start))
		return ksma_error_fault(start, "the exports cannot be read");
	for (uint64_t i = 0; i < stop - start; i += size)
		check_export(look, verdict, start + i, bytes + i);
	return NULL;
}

static struct ksma_error *check_exports(struct ksma_look *look, struct verdict *verdict)
{
	const struct ksma_kernel *kernel = look->kernel;
	struct ksma_error *error;

	if (kernel->size.kernel_symbol == 0 || kernel->size.kernel_symbol > EXPORT_SIZE_MAX ||
	    kernel->off.kernel_symbol__value_offset < 0 ||
	    kernel->off.kernel_symbol__name_offset < 0 ||
	    !ksma_in_range((uint32_t)kernel->off.kernel_symbol__value_offset, 4,
			   kernel->size.kernel_symbol) ||
	    !ksma_in_range((uint32_t)kernel->off.kernel_symbol__name_offset, 4,
			   kernel->size.kernel_symbol) ||
	    !ksma_kernel_symbol(kernel, "__start___ksymtab")) {
		ksma_coverage_gap(&verdict->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel does not say how its exports are kept");
		return NULL;
	}
	error = check_export_table(look, verdict, "__start___ksymtab", "__stop___ksymtab");
	/* The two were made one, with flags, in 7.0. */
	if (!error)
		error = check_export_table(look, verdict, "__start___ksymtab_gpl",
					   "__stop___ksymtab_gpl");
	if (error && error->code == KSMA_ERROR_NOMEM)
		return error;
	ksma_coverage_error(&verdict->coverage, KSMA_COVERAGE_PARTIAL, error, "exports");
	return NULL;
}

/* The functions that checks look into when the kernel has them, and that no export names. The types name them too. */
static struct ksma_error *check_functions(struct ksma_look *look, struct verdict *verdict)
{
	static const char *const functions[] = { "x64_sys_call", "x32_sys_call", "ia32_sys_call" };
	const struct ksma_btf *btf;
	struct ksma_error *error = ksma_kernel_btf(look->kernel, &btf);

	if (error && (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST))
		return error;
	ksma_coverage_error(&verdict->coverage, KSMA_COVERAGE_PARTIAL, error, "names of functions");
	if (error)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (ksma_btf_find(btf, KSMA_BTF_FUNC, functions[i]) &&
		    !ksma_symbols_find(&look->kernel->symbols, functions[i]))
			add(verdict, KSMA_KALLSYMS_MISSING, functions[i], 0, 0);
	return NULL;
}

bool ksma_kallsyms_order_holds(const struct ksma_symbols *symbols, const uint8_t *order,
			       size_t *ret_bad)
{
	_cleanup_free_ uint8_t *seen = calloc(1, symbols->count / 8 + 1);

	if (!seen)
		return true; /* nothing to be said */
	for (size_t i = 0; i < symbols->count; i++) {
		size_t index = (size_t)order[3 * i] << 16 | (size_t)order[3 * i + 1] << 8 |
			       order[3 * i + 2];

		if (index >= symbols->count || (seen[index / 8] & 1 << index % 8)) {
			*ret_bad = i;
			return false;
		}
		seen[index / 8] |= (uint8_t)(1 << index % 8);
	}
	return true;
}

/* By name the kernel finds a symbol through an order of their numbers: a number twice is another one gone
 * (60443c88f3a8 "kallsyms: Improve the performance of kallsyms_lookup_name()", 6.2). */
static struct ksma_error *check_order(struct ksma_look *look, struct verdict *verdict)
{
	const struct ksma_symbols *symbols = &look->kernel->symbols;
	uint64_t at = ksma_kernel_symbol(look->kernel, "kallsyms_seqs_of_names");
	_cleanup_free_ uint8_t *order = NULL;
	size_t bad;

	if (!at || symbols->count > EXPORT_BYTES_MAX / ORDER_BYTES)
		return NULL;
	order = malloc(symbols->count * ORDER_BYTES + 1);
	if (!order)
		return ksma_error_nomem();
	if (!ksma_kernel_bytes(look->kernel, at, order, symbols->count * ORDER_BYTES))
		ksma_coverage_gap(&verdict->coverage, KSMA_COVERAGE_PARTIAL,
				  "kallsyms_seqs_of_names cannot be read");
	else if (!ksma_kallsyms_order_holds(symbols, order, &bad))
		add(verdict, KSMA_KALLSYMS_ORDER, "kallsyms_seqs_of_names", at + ORDER_BYTES * bad,
		    0);
	return NULL;
}

static struct ksma_error *judge(struct ksma_look *look, struct verdict **ret_verdict)
{
	struct verdict *verdict = calloc(1, sizeof(*verdict));
	struct ksma_error *error;

	if (!verdict)
		return ksma_error_nomem();
	error = check_exports(look, verdict);
	if (!error)
		error = check_functions(look, verdict);
	if (!error)
		error = check_order(look, verdict);
	if (error) {
		verdict_destroy(verdict);
		return error;
	}
	*ret_verdict = verdict;
	return NULL;
}

static struct ksma_error *report(struct ksma_look *look, const struct ksma_kallsyms_lie *lie)
{
	static const char *const what[] = {
		[KSMA_KALLSYMS_MOVED] = "moved",
		[KSMA_KALLSYMS_MISSING] = "missing",
		[KSMA_KALLSYMS_ORDER] = "order",
		[KSMA_KALLSYMS_EXPORT_DAMAGED] = "export",
	};
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(look, KSMA_SEVERITY_HIGH, &finding, "%s/%s", what[lie->kind],
				  lie->name));
	switch (lie->kind) {
	case KSMA_KALLSYMS_MOVED:
		KSMA_TRY(ksma_finding_title(
			finding, "kallsyms puts %s elsewhere than the kernel's exports do",
			lie->name));
		KSMA_TRY(ksma_finding_address(look, finding, "found", lie->found));
		return ksma_finding_address(look, finding, "expected", lie->expected);
	case KSMA_KALLSYMS_MISSING:
		KSMA_TRY(ksma_finding_title(
			finding, "kallsyms does not name %s, which the kernel has", lie->name));
		KSMA_TRY(ksma_finding_text(finding, "symbol", "%s", lie->name));
		return lie->expected
			       ? ksma_finding_address(look, finding, "expected", lie->expected)
			       : NULL;
	case KSMA_KALLSYMS_ORDER:
		KSMA_TRY(ksma_finding_title(
			finding, "the order by which the kernel finds symbols by name is damaged"));
		return ksma_finding_address(look, finding, "address", lie->found);
	default:
		KSMA_TRY(ksma_finding_title(finding, "an export of the kernel has no name"));
		return ksma_finding_address(look, finding, "export", lie->expected);
	}
}

static struct ksma_error *check_bytes(struct ksma_look *look)
{
	struct ksma_finding *finding;
	bool unread = false, same;
	uint64_t at;

	same = ksma_kernel_tables_same(look->kernel, &at, &unread);
	if (unread)
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "a part of kallsyms cannot be read");
	if (same)
		return NULL;
	KSMA_TRY(ksma_finding_add(look, KSMA_SEVERITY_CRITICAL, &finding, "changed"));
	KSMA_TRY(ksma_finding_title(
		finding,
		"the kernel's table of symbols is not what it was when the kernel was opened"));
	return ksma_finding_address(look, finding, "address", at);
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct ksma_memory *memory = &look->kernel->memories[KSMA_MEMORY_OF_KALLSYMS];
	struct verdict *verdict = memory->data;

	if (!verdict) {
		KSMA_TRY(judge(look, &verdict));
		*memory = (struct ksma_memory){ verdict, verdict_destroy };
	}
	if (verdict->coverage.state != KSMA_COVERAGE_COMPLETE)
		ksma_coverage_gap(look->coverage, verdict->coverage.state, "%s",
				  verdict->coverage.reason ?: "out of memory");
	if (look->kernel->cpus_left_out)
		ksma_coverage_gap(
			look->coverage, KSMA_COVERAGE_PARTIAL,
			"nr_cpu_ids is not known, or above %d: what other processors have of "
			"their own is not looked at by any check",
			KSMA_MAX_CPUS);
	KSMA_TRY(check_bytes(look));
	for (size_t i = 0; i < verdict->count && i < MAX_LIES; i++)
		KSMA_TRY(report(look, &verdict->lies[i]));
	if (verdict->count > MAX_LIES)
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "%zu more symbols are wrong", verdict->count - MAX_LIES);
	return NULL;
}

const struct ksma_check ksma_check_kallsyms = {
	.info = {
		.name = "kallsyms",
		.title = "The kernel's table of symbols",
		.attack = "T1014",
		.needs = "memory",
		.structures = "kallsyms_names, kallsyms_offsets and what belongs to them, kallsyms_seqs_of_names, __ksymtab and __ksymtab_gpl, the "
			      "functions that checks look into, as BTF names them",
		.why = "Who changes kallsyms misleads whatever asks it: probes go elsewhere, and tools that look for a symbol, this one too, see "
		       "less of the kernel.",
		.cost = "4.4 ms",
		.false_alarms = "None known: the tables are constant.",
		.todo = "Other checks find their way by these symbols: take what they say, clean or not, with care, and compare with "
			"the vendor's build (ksma vendor).",
	},
	.run = run,
};
