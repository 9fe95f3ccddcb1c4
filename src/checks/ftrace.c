/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who has himself called by the kernel's functions, and does the list of those explain every place that was patched for it? */
#include <inttypes.h>

#include "base/bytes.h"
#include "checks/hooks.h"
#include "checks/owners.h"
#include "linux/ftrace.h"
#include "linux/module_symbols.h"
#include "linux/retry.h"
#include "x86/decode.h"

enum {
	MAX_NAMES = 8,	      /* of functions, in the evidence of one user */
	MAX_UNEXPLAINED = 32, /* places that are reported one by one */
	CALL_BYTES = 5,
	TRAMPOLINE_BYTES = 512,
	FGRAPH_ARRAY = 16, /* FGRAPH_ARRAY_SIZE of kernel/trace/fgraph.c */
	PERSIST_MS = 500,  /* a user leaves the list just before his places are counted down */
};

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	struct ksma_ftrace ftrace;
	struct ksma_error *error;
	size_t unexplained;
	bool graph_told; /* that a module uses the function graph */
};

/* The functions that a user is called at: "tcp4_seq_show, udp4_seq_show and 3 more". */
static const char *hooked_names(struct survey *s, const struct ksma_ftrace_hash *filter,
				char *buffer, size_t size)
{
	size_t used = 0;
	char name[128];

	if (!filter->count) {
		snprintf(buffer, size, "every function");
		return buffer;
	}
	buffer[0] = 0;
	for (size_t i = 0; i < filter->count && i < MAX_NAMES && used < size; i++)
		used += (size_t)snprintf(buffer + used, size - used, "%s%s", i ? ", " : "",
					 ksma_hook_name(s->kernel, filter->items[i].ip, name,
							sizeof(name)));
	if (filter->count > MAX_NAMES && used < size)
		snprintf(buffer + used, size - used, " and %zu more", filter->count - MAX_NAMES);
	return buffer;
}

/* A name for the user that is the same at each boot: where it is called first by name. */
static const char *user_name(struct survey *s, const struct ksma_ftrace_ops *ops, char *buffer,
			     size_t size)
{
	char name[128];

	if (!ops->filter.count) {
		snprintf(buffer, size, "every-function");
		return buffer;
	}
	ksma_hook_name(s->kernel, ops->filter.items[0].ip, buffer, size);
	for (size_t i = 1; i < ops->filter.count && i < MAX_NAMES; i++)
		if (strcmp(ksma_hook_name(s->kernel, ops->filter.items[i].ip, name, sizeof(name)),
			   buffer) < 0)
			snprintf(buffer, size, "%s", name);
	return buffer;
}

static struct ksma_error *add_evidence(struct survey *s, const struct ksma_ftrace_ops *ops,
				       struct ksma_finding *finding)
{
	char names[1024];

	KSMA_TRY(ksma_finding_address(s->look, finding, "ops", ops->address));
	KSMA_TRY(ksma_finding_text(finding, "flags", "0x%" PRIx64 "%s%s%s", ops->flags,
				   ops->flags & KSMA_FTRACE_OPS_IPMODIFY ? " IPMODIFY" : "",
				   ops->flags & KSMA_FTRACE_OPS_SAVE_REGS ? " SAVE_REGS" : "",
				   ops->flags & KSMA_FTRACE_OPS_DIRECT ? " DIRECT" : ""));
	if (ops->trampoline)
		KSMA_TRY(ksma_finding_code(s->look, finding, "trampoline", ops->trampoline));
	return ksma_finding_text(finding, "hooked", "%s",
				 hooked_names(s, &ops->filter, names, sizeof(names)));
}

static struct ksma_error *check_function(struct survey *s, const struct ksma_ftrace_ops *ops,
					 const char *member, uint64_t function)
{
	char name[128], names[1024], id[160], what[1200];
	struct ksma_finding *finding;
	struct ksma_hook hook = { id, what, ops->address, function };

	switch (ksma_hook_target(s->look, function)) {
	case KSMA_HOOK_STRAY:
	case KSMA_HOOK_NOBODY:
		break;
	default:
		return NULL;
	}
	snprintf(id, sizeof(id), "%s/%s", user_name(s, ops, name, sizeof(name)), member);
	snprintf(what, sizeof(what), "an ftrace hook (%s) on %s", member,
		 hooked_names(s, &ops->filter, names, sizeof(names)));
	KSMA_TRY(ksma_hook_check(s->look, &hook, &finding));
	return finding ? add_evidence(s, ops, finding) : NULL;
}

static bool hooks_sensitive(struct survey *s, const struct ksma_ftrace_hash *filter)
{
	char name[128];

	for (size_t i = 0; i < filter->count; i++)
		if (ksma_hook_is_sensitive(
			    ksma_hook_name(s->kernel, filter->items[i].ip, name, sizeof(name))))
			return true;
	return !filter->count;
}

/* A module on the list that has itself called: harmless in a tracer, and the usual hook of a rootkit that does not hide. */
static struct ksma_error *check_module_hook(struct survey *s, const struct ksma_ftrace_ops *ops,
					    uint64_t function)
{
	bool redirects = ops->flags & (KSMA_FTRACE_OPS_IPMODIFY | KSMA_FTRACE_OPS_DIRECT),
	     sensitive;
	const struct ksma_module *module;
	struct ksma_finding *finding;
	char name[128], names[1024];

	if (ksma_hook_target(s->look, function) != KSMA_HOOK_MODULE)
		return NULL;
	sensitive = hooks_sensitive(s, &ops->filter);
	module = ksma_module_owner(s->kernel, function);
	if (!module || (!redirects && !sensitive))
		return NULL;
	KSMA_TRY(ksma_finding_add(
		s->look, redirects && sensitive ? KSMA_SEVERITY_HIGH : KSMA_SEVERITY_MEDIUM,
		&finding, "module/%s/%s", module->name, user_name(s, ops, name, sizeof(name))));
	KSMA_TRY(ksma_finding_title(finding, "module %s %s %s", module->name,
				    redirects ? "puts itself in the place of"
					      : "has itself called at",
				    hooked_names(s, &ops->filter, names, sizeof(names))));
	KSMA_TRY(ksma_finding_code(s->look, finding, "found", function));
	KSMA_TRY(ksma_finding_text(finding, "expected",
				   "tracers of the kernel, BPF and live patches only"));
	return add_evidence(s, ops, finding);
}

/* Which of a user's functions is the hook itself: a filter by process may stand before it. */
static struct ksma_error *check_user(struct survey *s, const struct ksma_ftrace_ops *ops)
{
	uint64_t function = ops->saved_func ?: ops->func;

	KSMA_TRY(check_function(s, ops, "func", ops->func));
	if (ops->saved_func != ops->func)
		KSMA_TRY(check_function(s, ops, "saved_func", ops->saved_func));
	KSMA_TRY(check_function(s, ops, "direct_call", ops->direct_call));
	KSMA_TRY(check_module_hook(s, ops, function));
	if (ops->direct_call)
		return check_module_hook(s, ops, ops->direct_call);
	return NULL;
}

/* 6.12 has the probe around the user; later ones have a table of them, see the check of kprobes. */
static struct ksma_error *check_fprobe(struct survey *s, const struct ksma_ftrace_ops *ops)
{
	const struct ksma_offsets *off = &s->kernel->off;
	struct ksma_ftrace_ops user = *ops;
	uint64_t probe, entry, exit;
	char name[128];

	if (off->fprobe__ops == KSMA_NO_MEMBER || off->fprobe__entry_handler == KSMA_NO_MEMBER ||
	    off->fprobe__exit_handler == KSMA_NO_MEMBER ||
	    strncmp(ksma_hook_name(s->kernel, ops->func, name, sizeof(name)), "fprobe_", 7) != 0)
		return NULL;
	probe = ops->address - (uint64_t)off->fprobe__ops;
	if (!ksma_kernel_u64(s->kernel, probe + (uint64_t)off->fprobe__entry_handler, &entry) ||
	    !ksma_kernel_u64(s->kernel, probe + (uint64_t)off->fprobe__exit_handler, &exit))
		return ksma_error_fault(probe, "an fprobe is not mapped");
	user.direct_call = 0;
	KSMA_TRY(check_function(s, &user, "entry_handler", entry));
	KSMA_TRY(check_function(s, &user, "exit_handler", exit));
	KSMA_TRY(check_module_hook(s, &user, entry));
	return entry == exit ? NULL : check_module_hook(s, &user, exit);
}

/* What a place calls directly, past all of ftrace. */
static struct ksma_error *check_direct(struct survey *s, const struct ksma_ftrace_hash *hash)
{
	for (size_t i = 0; i < hash->count; i++) {
		const struct ksma_ftrace_entry *entry = &hash->items[i];
		struct ksma_ftrace_ops user = {
			.address = entry->ip,
			.flags = KSMA_FTRACE_OPS_DIRECT,
			.filter = { .items = &hash->items[i], .count = 1 },
		};

		KSMA_TRY(check_function(s, &user, "direct", entry->direct));
		KSMA_TRY(check_module_hook(s, &user, entry->direct));
	}
	return NULL;
}

/* Follows a patched place to the user whose trampoline it calls: the trampoline loads the address of its user by `mov x(%rip), %rdx`
 * (arch/x86/kernel/ftrace.c, create_trampoline()). */
static struct ksma_error *follow(struct survey *s, uint64_t ip, struct ksma_finding *finding)
{
	uint8_t code[TRAMPOLINE_BYTES];
	uint64_t target, ops, func;

	if (!ksma_kernel_bytes(s->kernel, ip, code, CALL_BYTES) || code[0] != 0xe8)
		return NULL;
	target = ksma_branch_target(code, ip);
	KSMA_TRY(ksma_finding_code(s->look, finding, "calls", target));
	if (!ksma_kernel_bytes(s->kernel, target, code, sizeof(code)))
		return NULL;
	for (size_t i = 0; i + 7 <= sizeof(code); i++) {
		if (code[i] != 0x48 || code[i + 1] != 0x8b || code[i + 2] != 0x15)
			continue;
		if (ksma_kernel_u64(s->kernel,
				    target + i + 7 +
					    (uint64_t)(int64_t)(int32_t)ksma_le32(code + i + 3),
				    &ops) &&
		    ksma_kernel_u64(s->kernel, ops + (uint64_t)s->kernel->off.ftrace_ops__func,
				    &func)) {
			KSMA_TRY(ksma_finding_address(s->look, finding, "ops", ops));
			return ksma_finding_code(s->look, finding, "found", func);
		}
		break;
	}
	return NULL;
}

static bool take_record(void *arg, uint64_t ip, uint64_t flags)
{
	struct survey *s = arg;
	unsigned users = ksma_ftrace_users(&s->ftrace, ip),
		 count = (unsigned)(flags & KSMA_FTRACE_REC_COUNT);
	struct ksma_finding *finding;
	char name[128];

	/* A place that is still patched though nobody is left is counted as one too. */
	if (users >= (count ?: 1))
		return true;
	if (++s->unexplained > MAX_UNEXPLAINED)
		return true;
	ksma_hook_name(s->kernel, ip, name, sizeof(name));
	s->error = ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "unlisted/%s", name);
	if (s->error)
		return false;
	finding->persist_ms = PERSIST_MS;
	finding->living = true;
	s->error = ksma_finding_title(
		finding, "%s calls a hook that the list of ftrace does not have", name);
	if (!s->error)
		s->error = ksma_finding_address(s->look, finding, "place", ip);
	if (!s->error)
		s->error = ksma_finding_text(finding, "flags", "0x%" PRIx64, flags);
	if (!s->error)
		s->error = ksma_finding_number(finding, "counted_users", count);
	if (!s->error)
		s->error = ksma_finding_number(finding, "listed_users", users);
	if (!s->error)
		s->error = follow(s, ip, finding);
	return !s->error;
}

static void drop_findings(struct survey *s, size_t from)
{
	while (s->look->findings->count > from)
		ksma_finding_deinit(&s->look->findings->items[--s->look->findings->count]);
}

/* The list and the records as of one moment: the list is read, then the records, and then the list is still the same. */
static struct ksma_error *look_once(struct survey *s)
{
	size_t before = s->look->findings->count;
	struct ksma_error *error;

	ksma_ftrace_deinit(&s->ftrace);
	KSMA_TRY(ksma_linux_ftrace(s->kernel, &s->ftrace));
	s->unexplained = 0;
	error = ksma_ftrace_records(s->kernel, take_record, s);
	if (s->error) {
		ksma_error_destroy(error);
		return TAKE_PTR(s->error);
	}
	if (!error && !ksma_ftrace_is_current(s->kernel, &s->ftrace))
		error = ksma_error_create(KSMA_ERROR_BAD_DATA,
					  "the list of ftrace changed while it was looked at");
	if (error)
		drop_findings(s, before);
	return error;
}

static struct ksma_error *check_records(struct survey *s)
{
	struct ksma_error *error;
	unsigned attempt = 0;

	do {
		error = look_once(s);
	} while (ksma_kernel_retry(s->kernel, &attempt, &error));
	KSMA_TRY(error);
	if (s->unexplained > MAX_UNEXPLAINED)
		ksma_coverage_gap(
			s->look->coverage, KSMA_COVERAGE_PARTIAL,
			"%zu places call hooks that ftrace does not list; %d are reported",
			s->unexplained, MAX_UNEXPLAINED);
	return NULL;
}

/* A user that has a trampoline of its own is on a list of trampolines too, for as long as it is on the list of users. Those of the
 * kernel itself keep theirs for the next time (kprobes do). */
static bool take_trampoline(void *arg, uint64_t node)
{
	struct survey *s = arg;
	uint64_t address = node - (uint64_t)s->kernel->off.ftrace_ops__list, func = 0;
	struct ksma_finding *finding;

	for (size_t i = 0; i < s->ftrace.count; i++)
		if (s->ftrace.items[i].address == address)
			return true;
	if (ksma_kernel_u64(s->kernel, address + (uint64_t)s->kernel->off.ftrace_ops__func,
			    &func) &&
	    ksma_hook_target(s->look, func) == KSMA_HOOK_KERNEL)
		return true;
	s->error = ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding,
				    "unlisted-user/0x%" PRIx64, address);
	if (s->error)
		return false;
	finding->persist_ms = PERSIST_MS;
	finding->living = true;
	s->error = ksma_finding_title(
		finding, "a user of ftrace has a trampoline, and is not on the list of users");
	if (!s->error)
		s->error = ksma_finding_address(s->look, finding, "ops", address);
	if (!s->error && func)
		s->error = ksma_finding_code(s->look, finding, "found", func);
	return !s->error;
}

static struct ksma_error *check_trampolines(struct survey *s)
{
	uint64_t head = ksma_kernel_symbol(s->kernel, "ftrace_ops_trampoline_list");
	size_t before = s->look->findings->count;
	struct ksma_error *error;
	unsigned attempt = 0;

	if (!head || s->kernel->off.ftrace_ops__list == KSMA_NO_MEMBER)
		return NULL; /* 5.10 of some vendors keeps no such list */
	do {
		struct ksma_budget budget = ksma_budget_default();

		drop_findings(s, before);
		error = ksma_kernel_list(s->kernel, head, &budget, take_trampoline, s);
		if (s->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(s->error);
		}
	} while (ksma_kernel_retry(s->kernel, &attempt, &error));
	return error;
}

/* The functions that a user of the function graph is called at: its own ftrace user says it (6.11), or all. */
static const struct ksma_ftrace_ops *graph_user(struct survey *s, uint64_t graph)
{
	const struct ksma_offsets *off = &s->kernel->off;

	for (size_t i = 0; off->fgraph_ops__ops != KSMA_NO_MEMBER && i < s->ftrace.count; i++)
		if (s->ftrace.items[i].address == graph + (uint64_t)off->fgraph_ops__ops)
			return &s->ftrace.items[i];
	return NULL;
}

/* Pointers through which the kernel calls whoever is the only user, or those of the function graph.
 * @user  NULL: of every function */
static struct ksma_error *check_pointer(struct survey *s, const char *name, uint64_t place,
					const struct ksma_ftrace_ops *user)
{
	const struct ksma_ftrace_ops all = { .address = place };
	char id[64], what[80];
	struct ksma_hook hook = { id, what, place, 0 };

	if (!ksma_kernel_u64(s->kernel, place, &hook.function)) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL, "%s cannot be read",
				  name);
		return NULL;
	}
	snprintf(id, sizeof(id), "%s", name);
	snprintf(what, sizeof(what), "%s", name);
	KSMA_TRY(ksma_hook_check(s->look, &hook, NULL));
	/* Entry and return of one user are told once. */
	if (s->graph_told || ksma_hook_target(s->look, hook.function) != KSMA_HOOK_MODULE)
		return NULL;
	s->graph_told = true;
	return check_module_hook(s, user ?: &all, hook.function);
}

static struct ksma_error *check_globals(struct survey *s)
{
	static const char *const names[] = { "ftrace_trace_function", "ftrace_graph_entry",
					     "ftrace_graph_return", "__ftrace_graph_entry" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		uint64_t place = ksma_kernel_symbol(s->kernel, names[i]);

		/* A function of that name is none of them. */
		if (place && !ksma_kernel_is_text(s->kernel, place))
			KSMA_TRY(check_pointer(s, names[i], place, NULL));
	}
	return NULL;
}

static struct ksma_error *check_graph(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t array = ksma_kernel_symbol(s->kernel, "fgraph_array"), users[FGRAPH_ARRAY];
	const int32_t members[] = { off->fgraph_ops__entryfunc, off->fgraph_ops__retfunc,
				    off->fgraph_ops__saved_func };
	static const char *const names[] = { "entryfunc", "retfunc", "saved_func" };

	if (!array)
		return NULL;
	if (!ksma_kernel_bytes(s->kernel, array, users, sizeof(users)))
		return ksma_error_fault(array, "fgraph_array is not mapped");
	for (size_t i = 0; i < ARRAY_SIZE(users); i++, s->graph_told = false)
		for (size_t j = 0; users[i] && j < ARRAY_SIZE(members); j++) {
			char id[64];

			if (members[j] == KSMA_NO_MEMBER)
				continue;
			snprintf(id, sizeof(id), "fgraph/%zu/%s", i, names[j]);
			KSMA_TRY(check_pointer(s, id, users[i] + (uint64_t)members[j],
					       graph_user(s, users[i])));
		}
	return NULL;
}

static struct ksma_error *check_users(struct survey *s)
{
	for (size_t i = 0; i < s->ftrace.count; i++) {
		const struct ksma_ftrace_ops *ops = &s->ftrace.items[i];

		KSMA_TRY(check_user(s, ops));
		KSMA_TRY(check_fprobe(s, ops));
		if (ops->flags & KSMA_FTRACE_OPS_DIRECT && !s->ftrace.direct.count)
			KSMA_TRY(check_direct(s, &ops->filter));
	}
	return check_direct(s, &s->ftrace.direct);
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look, .kernel = look->kernel };
	struct ksma_error *error;

	if (!ksma_kernel_symbol(look->kernel, "ftrace_ops_list"))
		return NULL; /* built without ftrace: nothing can be hooked by it */
	error = check_records(&s);
	if (!error)
		error = check_users(&s);
	if (!error)
		error = check_trampolines(&s);
	if (!error)
		error = check_globals(&s);
	if (!error)
		error = check_graph(&s);
	ksma_ftrace_deinit(&s.ftrace);
	return error;
}

const struct ksma_check ksma_check_ftrace = {
	.info = {
		.name = "ftrace",
		.title = "Hooks by ftrace",
		.attack = "T1014",
		.needs = "memory",
		.structures = "ftrace_ops_list and every hash bucket of its users (struct ftrace_ops), sub-users, fprobes, direct_functions, "
			      "ftrace_ops_trampoline_list, the records of all places (struct dyn_ftrace), ftrace_trace_function, fgraph_array",
		.why = "ftrace lets a module put itself in the place of any function with no change to the text that the kernel would not make itself: "
		       "the hook that most published rootkits use.",
		.cost = "0.2 ms",
		.false_alarms = "A security product or driver that hooks functions by ftrace is reported (medium, or high where what it hooks decides what "
				"the tools of the guest are told): its module is in the evidence. The kernel's own tracers, kprobes, BPF and live patches "
				"are none, and neither is a module that is only called at functions that tell nothing. A place whose users are just "
				"coming or going has to stay so for half a second.",
		.todo = "The module that owns the hook, or nobody, is the thing to look at: with ksma modules, and where it is a tool "
			"of your own, with an exception by its owner.",
	},
	.run = run,
};
