/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is called at the kernel's tracepoints? Those of the image and of every module on the list. */
#include <inttypes.h>

#include "base/bytes.h"
#include "checks/hooks.h"
#include "linux/module_symbols.h"

enum { MAX_POINTS = 1 << 16, MAX_FUNCS = 1024, MAX_STRUCT = 256 };

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	char name[128]; /* of the tracepoint */
};

/* Where the registers of a system call can be read and changed before it is made, and its result after. */
static bool is_sensitive(const char *name)
{
	static const char *const names[] = { "sys_enter", "sys_exit" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static struct ksma_error *check_function(struct survey *s, uint64_t place, uint64_t function,
					 const char *member)
{
	char id[200], what[220];
	struct ksma_hook hook = { id, what, place, function };

	snprintf(id, sizeof(id), "%s/%s", s->name, member);
	snprintf(what, sizeof(what), "the %s of the tracepoint %s", member, s->name);
	KSMA_TRY(ksma_hook_check(s->look, &hook, NULL));
	if (strcmp(member, "probe") != 0 || !is_sensitive(s->name) ||
	    ksma_hook_target(s->look, function) != KSMA_HOOK_MODULE)
		return NULL;
	snprintf(what, sizeof(what), "has itself called at every system call, by the tracepoint %s",
		 s->name);
	return ksma_hook_of_module(s->look, KSMA_SEVERITY_MEDIUM, s->name, what, function, NULL);
}

/* The array of struct tracepoint_func { func; data; prio } ends with one that has no function. It is replaced, never changed. */
static struct ksma_error *check_funcs(struct survey *s, uint64_t funcs)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint32_t size = s->kernel->size.tracepoint_func;

	for (unsigned i = 0; i < MAX_FUNCS; i++) {
		uint64_t place = funcs + (uint64_t)i * size + (uint64_t)off->tracepoint_func__func,
			 function;

		if (!ksma_kernel_u64(s->kernel, place, &function) || !function)
			return NULL;
		KSMA_TRY(check_function(s, place, function, "probe"));
	}
	ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
			  "tracepoint %s has more than %d probes", s->name, MAX_FUNCS);
	return NULL;
}

static struct ksma_error *check_members(struct survey *s, uint64_t point, const uint8_t *bytes)
{
	const struct ksma_offsets *off = &s->kernel->off;
	const struct {
		const char *name;
		int32_t offset;
	} members[] = { { "iterator", off->tracepoint__iterator },
			{ "regfunc", off->tracepoint__regfunc },
			{ "unregfunc", off->tracepoint__unregfunc } };

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (members[i].offset != KSMA_NO_MEMBER)
			KSMA_TRY(check_function(s, point + (uint64_t)members[i].offset,
						ksma_le64(bytes + members[i].offset),
						members[i].name));
	return NULL;
}

/* A probe that is alone is called directly: by a static call, whose key says whom. */
static struct ksma_error *check_static_call(struct survey *s, const uint8_t *bytes)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t key, place, function;

	if (off->tracepoint__static_call_key == KSMA_NO_MEMBER ||
	    off->static_call_key__func == KSMA_NO_MEMBER)
		return NULL;
	key = ksma_le64(bytes + off->tracepoint__static_call_key);
	place = key + (uint64_t)off->static_call_key__func;
	if (!key || !ksma_kernel_u64(s->kernel, place, &function) || !function)
		return NULL;
	return check_function(s, place, function, "static_call");
}

static struct ksma_error *check_point(struct survey *s, uint64_t point)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint8_t bytes[MAX_STRUCT];
	uint64_t funcs, ext;

	if (!ksma_kernel_bytes(s->kernel, point, bytes, s->kernel->size.tracepoint) ||
	    !ksma_kernel_string(s->kernel, ksma_le64(bytes + off->tracepoint__name), s->name,
				sizeof(s->name))) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "a tracepoint at 0x%" PRIx64 " cannot be read", point);
		return NULL;
	}
	KSMA_TRY(check_members(s, point, bytes));
	KSMA_TRY(check_static_call(s, bytes));
	ext = off->tracepoint__ext == KSMA_NO_MEMBER ? 0 : ksma_le64(bytes + off->tracepoint__ext);
	if (ext) {
		char id[160];

		snprintf(id, sizeof(id), "%s/regfunc", s->name);
		KSMA_TRY(
			ksma_hook_member(s->look, ext, off->tracepoint_ext__regfunc, id, id, NULL));
		snprintf(id, sizeof(id), "%s/unregfunc", s->name);
		KSMA_TRY(ksma_hook_member(s->look, ext, off->tracepoint_ext__unregfunc, id, id,
					  NULL));
	}
	funcs = ksma_le64(bytes + off->tracepoint__funcs);
	return funcs ? check_funcs(s, funcs) : NULL;
}

/* Each entry is the distance from itself to the tracepoint (tracepoint_ptr_t, CONFIG_HAVE_ARCH_PREL32_RELOCATIONS, as on x86-64). */
static struct ksma_error *check_table(struct survey *s, uint64_t start, uint64_t count,
				      const char *whose)
{
	if (count > MAX_POINTS) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "%s has more tracepoints than can be", whose);
		return NULL;
	}
	for (uint64_t i = 0; i < count; i++) {
		uint64_t place = start + 4 * i;
		uint32_t distance;

		if (!ksma_kernel_u32(s->kernel, place, &distance)) {
			ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
					  "the tracepoints of %s cannot be read", whose);
			return NULL;
		}
		KSMA_TRY(check_point(s, place + (uint64_t)(int64_t)(int32_t)distance));
	}
	return NULL;
}

static struct ksma_error *check_modules(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	const struct ksma_modules *modules;

	if (off->module__tracepoints_ptrs == KSMA_NO_MEMBER ||
	    off->module__num_tracepoints == KSMA_NO_MEMBER)
		return ksma_kernel_missing_member("module.tracepoints_ptrs");
	KSMA_TRY(ksma_module_symbols_update(s->kernel, s->look->coverage, &modules));
	for (size_t i = 0; i < modules->count; i++) {
		const struct ksma_module *module = &modules->items[i];
		uint64_t table;
		uint32_t count;

		if (!ksma_kernel_u64(s->kernel,
				     module->address + (uint64_t)off->module__tracepoints_ptrs,
				     &table) ||
		    !ksma_kernel_u32(s->kernel,
				     module->address + (uint64_t)off->module__num_tracepoints,
				     &count))
			continue; /* it was unloaded meanwhile */
		if (count && ksma_module_holds(module, table))
			KSMA_TRY(check_table(s, table, count, module->name));
	}
	return NULL;
}

static bool fits(int32_t offset, uint32_t size)
{
	return offset == KSMA_NO_MEMBER || (uint32_t)offset + 8 <= size;
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look, .kernel = look->kernel };
	const struct ksma_offsets *off = &look->kernel->off;
	uint32_t size = look->kernel->size.tracepoint;
	uint64_t start = ksma_kernel_symbol(look->kernel, "__start___tracepoints_ptrs"),
		 end = ksma_kernel_symbol(look->kernel, "__stop___tracepoints_ptrs");

	if (!start || end <= start)
		return NULL; /* built without tracepoints */
	if (off->tracepoint__name == KSMA_NO_MEMBER || off->tracepoint__funcs == KSMA_NO_MEMBER ||
	    off->tracepoint_func__func == KSMA_NO_MEMBER || !size || size > MAX_STRUCT ||
	    !look->kernel->size.tracepoint_func || !fits(off->tracepoint__name, size) ||
	    !fits(off->tracepoint__funcs, size) || !fits(off->tracepoint__iterator, size) ||
	    !fits(off->tracepoint__regfunc, size) || !fits(off->tracepoint__unregfunc, size) ||
	    !fits(off->tracepoint__static_call_key, size) || !fits(off->tracepoint__ext, size))
		return ksma_kernel_missing_member("tracepoint as it is known here");
	KSMA_TRY(check_table(&s, start, (end - start) / 4, "the kernel"));
	return check_modules(&s);
}

const struct ksma_check ksma_check_tracepoints = {
	.info = {
		.name = "tracepoints",
		.title = "Tracepoints",
		.attack = "T1014",
		.needs = "memory",
		.structures = "__start___tracepoints_ptrs and the tables of all modules on the list: every struct tracepoint, its probes, its functions, "
			      "the key of its static call",
		.why = "A probe of a tracepoint is called with what the kernel is working on; at sys_enter it sees every system call and may change its arguments.",
		.cost = "1.1 ms",
		.false_alarms = "A module that has itself called at sys_enter or sys_exit (monitors such as Falco's driver do) is reported as medium; at "
				"other tracepoints a listed module is none.",
		.todo = "Look at the owner of the probe: it sees each event, and what comes with it, before anybody else.",
	},
	.run = run,
};
