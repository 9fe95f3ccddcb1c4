/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which functions of the kernel are replaced by live patches, by whom, and is that somebody who may? */
#include <inttypes.h>

#include "checks/hooks.h"
#include "linux/module_symbols.h"
#include "linux/retry.h"

/* include/linux/panic.h: the bits of mod->taints */
enum { TAINT_OOT_MODULE = 12, TAINT_UNSIGNED_MODULE = 13 };

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	struct ksma_budget *budget;
	struct ksma_error *error;
	const struct ksma_module *module; /* of the patch, NULL when no module on the list has it */
	uint64_t module_at, patch;
};

static const struct ksma_module *module_at(struct survey *s, uint64_t address)
{
	const struct ksma_modules *modules;
	struct ksma_error *error =
		ksma_module_symbols_update(s->kernel, s->look->coverage, &modules);

	if (error) {
		s->error = error;
		return NULL;
	}
	for (size_t i = 0; i < modules->count; i++)
		if (modules->items[i].address == address)
			return &modules->items[i];
	return NULL;
}

static bool read_name(struct survey *s, uint64_t place, char *name, size_t size)
{
	uint64_t text;

	return ksma_kernel_u64(s->kernel, place, &text) && text &&
	       ksma_kernel_string(s->kernel, text, name, size);
}

/* One replaced function: struct klp_func. */
static bool take_func(void *arg, uint64_t node)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t func = node - (uint64_t)off->klp_func__node, replacement;
	struct ksma_finding *finding;
	char name[128] = "unknown", id[160], what[200];
	struct ksma_hook hook = { id, what, func + (uint64_t)off->klp_func__new_func, 0 };

	if (!ksma_kernel_u64(s->kernel, hook.place, &replacement)) {
		s->error = ksma_error_create(KSMA_ERROR_BAD_DATA, "a live patch went away");
		return false;
	}
	if (!replacement)
		return true; /* of an object that is not loaded, or a patch that takes another back */
	hook.function = replacement;
	if (off->klp_func__old_name != KSMA_NO_MEMBER &&
	    !read_name(s, func + (uint64_t)off->klp_func__old_name, name, sizeof(name)))
		snprintf(name, sizeof(name), "unknown");
	snprintf(id, sizeof(id), "%s/new_func", name);
	snprintf(what, sizeof(what), "the live patch of %s", name);
	s->error = ksma_hook_check(s->look, &hook, &finding);
	if (s->error || finding || !s->module ||
	    !((s->module->taints >> TAINT_OOT_MODULE | s->module->taints >> TAINT_UNSIGNED_MODULE) &
	      1))
		return !s->error;
	snprintf(what, sizeof(what), "%s the function %s by a live patch",
		 s->module->taints >> TAINT_UNSIGNED_MODULE & 1
			 ? "has no signature that the kernel knows, and replaces"
			 : "is not built with the kernel, and replaces",
		 name);
	s->error = ksma_hook_of_module(
		s->look, ksma_hook_is_sensitive(name) ? KSMA_SEVERITY_HIGH : KSMA_SEVERITY_MEDIUM,
		name, what, replacement, NULL);
	return !s->error;
}

static bool take_object(void *arg, uint64_t node)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t object = node - (uint64_t)off->klp_object__node;
	struct ksma_error *error = ksma_kernel_list(
		s->kernel, object + (uint64_t)off->klp_object__func_list, s->budget, take_func, s);

	if (!s->error)
		s->error = error;
	else
		ksma_error_destroy(error);
	return !s->error;
}

static struct ksma_error *report_owner(struct survey *s)
{
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "unlisted/0x%" PRIx64,
				  s->module_at));
	KSMA_TRY(ksma_finding_title(finding,
				    "a live patch belongs to a module that is not on the list"));
	KSMA_TRY(ksma_finding_address(s->look, finding, "patch", s->patch));
	return ksma_finding_address(s->look, finding, "module", s->module_at);
}

/* One patch: struct klp_patch. */
static bool take_patch(void *arg, uint64_t node)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;
	struct ksma_error *error;

	s->patch = node - (uint64_t)off->klp_patch__list;
	if (!ksma_kernel_u64(s->kernel, s->patch + (uint64_t)off->klp_patch__mod, &s->module_at)) {
		s->error = ksma_error_create(KSMA_ERROR_BAD_DATA, "a live patch went away");
		return false;
	}
	s->module = module_at(s, s->module_at);
	if (!s->error && !s->module)
		s->error = report_owner(s);
	if (s->error)
		return false;
	error = ksma_kernel_list(s->kernel, s->patch + (uint64_t)off->klp_patch__obj_list,
				 s->budget, take_object, s);
	if (!s->error)
		s->error = error;
	else
		ksma_error_destroy(error);
	return !s->error;
}

/* Each replaced function has a user of ftrace, which must be the one of live patching. */
static bool take_ops(void *arg, uint64_t node)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t ops = node - (uint64_t)off->klp_ops__node, func,
		 handler = ksma_kernel_symbol(s->kernel, "klp_ftrace_handler"),
		 place = ops + (uint64_t)off->klp_ops__fops + (uint64_t)off->ftrace_ops__func;
	struct ksma_finding *finding;

	if (!handler || !ksma_kernel_u64(s->kernel, place, &func) || func == handler)
		return true;
	s->error = ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "handler/0x%" PRIx64,
				    func);
	if (!s->error)
		s->error = ksma_finding_title(
			finding, "live patching is called by another function than its own");
	if (!s->error)
		s->error = ksma_finding_address(s->look, finding, "place", place);
	if (!s->error)
		s->error = ksma_finding_code(s->look, finding, "found", func);
	if (!s->error)
		s->error = ksma_finding_address(s->look, finding, "expected", handler);
	return !s->error;
}

static struct ksma_error *walk(struct survey *s, uint64_t head, ksma_list_fn fn)
{
	size_t before = s->look->findings->count;
	struct ksma_error *error;
	unsigned attempt = 0;

	do {
		struct ksma_budget budget = ksma_budget_default();

		/* cppcheck-suppress autoVariables ; taken back below */
		s->budget = &budget;
		while (s->look->findings->count > before)
			ksma_finding_deinit(&s->look->findings->items[--s->look->findings->count]);
		error = ksma_kernel_list(s->kernel, head, &budget, fn, s);
		s->budget = NULL;
		if (s->error) {
			ksma_error_destroy(error);
			error = TAKE_PTR(s->error);
		}
	} while (ksma_kernel_retry(s->kernel, &attempt, &error));
	return error;
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look, .kernel = look->kernel };
	const struct ksma_offsets *off = &look->kernel->off;
	uint64_t patches = ksma_kernel_symbol(look->kernel, "klp_patches"),
		 ops = ksma_kernel_symbol(look->kernel, "klp_ops");

	if (!patches)
		return NULL; /* built without live patching: there is none */
	if (off->klp_patch__list == KSMA_NO_MEMBER || off->klp_patch__mod == KSMA_NO_MEMBER ||
	    off->klp_patch__obj_list == KSMA_NO_MEMBER || off->klp_object__node == KSMA_NO_MEMBER ||
	    off->klp_object__func_list == KSMA_NO_MEMBER || off->klp_func__node == KSMA_NO_MEMBER ||
	    off->klp_func__new_func == KSMA_NO_MEMBER)
		return ksma_kernel_missing_member("klp_patch as it is known here");
	KSMA_TRY(walk(&s, patches, take_patch));
	if (!ops || off->klp_ops__node == KSMA_NO_MEMBER || off->klp_ops__fops == KSMA_NO_MEMBER ||
	    off->ftrace_ops__func == KSMA_NO_MEMBER)
		return NULL;
	return walk(&s, ops, take_ops);
}

const struct ksma_check ksma_check_livepatch = {
	.info = {
		.name = "livepatch",
		.title = "Live patches",
		.attack = "T1014",
		.needs = "memory",
		.structures = "klp_patches with the objects and functions of each (struct klp_patch, klp_object, klp_func), klp_ops",
		.why = "A live patch replaces functions of the kernel by the kernel's own means, and is taken for an update.",
		.cost = "under 0.01 ms",
		.false_alarms = "A live patch that was built on the spot, by a module that the kernel's taint marks as unsigned or from outside its tree, is "
				"reported (medium, or high for functions that decide what the tools of the guest are told). Those of distributions are "
				"signed and are none. A kernel without klp_patches has no live patches, and is covered.",
		.todo = "A live patch is a module: compare it with what your vendor ships, and ask who loaded it.",
	},
	.run = run,
};
