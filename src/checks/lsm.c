/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does the security framework still ask those whom it was built to ask? Hooks that were added, redirected, taken out, and modules that
 * were told to stop. */
#include "checks/registry.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "x86/decode.h"

enum {
	MAX_HEADS = 1024,
	MAX_HOOKS = 8192, /* of all security modules together */
	MAX_STATIC = 8192,
	JUMP = 0xe9, /* jmp rel32 */
};

/* The arrays of hooks: a module links all of one, or none. */
static const char *const arrays[] = {
	"apparmor_hooks",   "bpf_lsm_hooks",
	"capability_hooks", "evm_hooks",
	"ima_hooks",	    "ipe_hooks",
	"landlock_hooks",   "loadpin_hooks",
	"lockdown_hooks",   "safesetid_security_hooks",
	"selinux_hooks",    "smack_hooks",
	"tomoyo_hooks",	    "yama_hooks",
};

/* One look. */
struct lsm {
	struct ksma_sweep *sweep;
	struct ksma_kernel *kernel;
	struct {
		uint64_t *items;
		size_t count, capacity;
	} linked; /* struct security_hook_list that the framework calls */
	int32_t hook, head, home /* where it belongs: a list, or static calls */;
	const char *member; /* the hook that is looked at */
	uint64_t list;	    /* its head, where hooks are lists */
};

static struct ksma_error *add_linked(struct lsm *l, uint64_t hook)
{
	uint64_t *slot;

	if (l->linked.count == MAX_HOOKS)
		return ksma_error_create(KSMA_ERROR_LIMIT, "more than %d security hooks",
					 MAX_HOOKS);
	KSMA_TRY(KSMA_ARRAY_PUSH(&l->linked, &slot));
	*slot = hook;
	return NULL;
}

static struct ksma_error *report(struct lsm *l, const char *what, uint64_t place, uint64_t found,
				 uint64_t expected, const char *title)
{
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(l->sweep->look, KSMA_SEVERITY_CRITICAL, &finding, "%s/%s",
				  l->member, what));
	KSMA_TRY(ksma_finding_title(finding, "the security hook %s %s", l->member, title));
	KSMA_TRY(ksma_finding_address(l->sweep->look, finding, "place", place));
	KSMA_TRY(ksma_finding_code(l->sweep->look, finding, "found", found));
	if (expected)
		return ksma_finding_code(l->sweep->look, finding, "expected", expected);
	return ksma_finding_text(finding, "expected", "a function of the kernel");
}

/* A function of the kernel that takes or returns something else than this hook does was never registered for it. */
static struct ksma_error *check_function(struct lsm *l, uint64_t hook)
{
	const struct ksma_symbols *symbols = &l->kernel->symbols;
	const struct ksma_symbol *symbol;
	struct ksma_btf_member member;
	struct ksma_finding *finding;
	uint32_t function, options;
	const char *name;
	uint64_t at;

	if (!ksma_kernel_u64(l->kernel, hook + (uint64_t)l->hook, &at) || !at)
		return NULL;
	symbol = ksma_symbols_at(symbols, at);
	if (!symbol || ksma_symbol_address(symbols, symbol) != at)
		return NULL; /* no function, which the sweep tells */
	name = ksma_symbol_name(symbols, symbol);
	options = ksma_btf_find(l->sweep->btf, KSMA_BTF_UNION, "security_list_options");
	function = ksma_btf_find(l->sweep->btf, KSMA_BTF_FUNC, name);
	if (!options || !function || !ksma_btf_member(l->sweep->btf, options, l->member, &member) ||
	    ksma_btf_calls_alike(l->sweep->btf, member.type, function))
		return NULL;
	KSMA_TRY(ksma_finding_add(l->sweep->look, KSMA_SEVERITY_CRITICAL, &finding, "%s/type",
				  l->member));
	KSMA_TRY(ksma_finding_title(finding,
				    "the security hook %s calls %s, which was not made for it",
				    l->member, name));
	KSMA_TRY(ksma_finding_address(l->sweep->look, finding, "place", hook + (uint64_t)l->hook));
	return ksma_finding_code(l->sweep->look, finding, "found", at);
}

/* A struct security_hook_list that the framework was found to call for hook `l->member`. Security modules are part of the kernel. */
static struct ksma_error *check_hook(struct lsm *l, uint64_t hook)
{
	char holder[96];

	if (!ksma_sweep_in_image(l->kernel, hook))
		KSMA_TRY(report(l, "foreign", hook, hook, 0,
				"calls somebody who is not part of the kernel"));
	snprintf(holder, sizeof(holder), "security hook %s", l->member);
	KSMA_TRY(ksma_sweep_object(l->sweep, "security_hook_list", hook, holder));
	KSMA_TRY(check_function(l, hook));
	return add_linked(l, hook);
}

static struct ksma_error *take_hook(void *arg, const struct ksma_registry *row, uint64_t hook)
{
	struct lsm *l = arg;
	uint64_t head;

	(void)row;
	KSMA_TRY(check_hook(l, hook));
	/* Each entry says which list it belongs to, which does not change after the boot. */
	if (l->head == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(l->kernel, hook + (uint64_t)l->head, &head) || head == l->list)
		return NULL;
	return report(l, "list", hook, hook, 0, "calls an entry that was made for another one");
}

/* Up to 6.11: a list for each hook, in a struct of their heads. */
struct heads {
	struct lsm *lsm;
	uint64_t address;
	struct ksma_error *error;
	unsigned count;
};

static bool take_head(void *arg, const char *name, const struct ksma_btf_member *member)
{
	struct heads *heads = arg;
	const struct ksma_registry row = {
		name, KSMA_REGISTRY_HLIST, "security_hook_list", "list", 0, true, NULL
	};

	heads->lsm->member = name;
	heads->lsm->list = heads->address + member->bit_offset / 8;
	if (member->size == 8 && heads->count++ < MAX_HEADS)
		heads->error = ksma_registry_visit_at(heads->lsm->sweep, &row, heads->lsm->list,
						      take_hook, heads->lsm);
	return !heads->error;
}

static struct ksma_error *check_heads(struct lsm *l, uint64_t address)
{
	struct heads heads = { .lsm = l, .address = address };
	uint32_t type = ksma_btf_find(l->sweep->btf, KSMA_BTF_STRUCT, "security_hook_heads");

	if (!type)
		return ksma_kernel_missing_member("security_hook_heads");
	ksma_btf_each_member(l->sweep->btf, type, take_head, &heads);
	return heads.error;
}

/* From 6.12: an array of static calls for each hook, and beside each the entry that it was made from. */
struct statics {
	int32_t key, trampoline, hl, active, enabled;
	uint32_t size;
};

/* The target of a trampoline, or 0 when it does not jump. */
static uint64_t jump_target(struct lsm *l, uint64_t trampoline)
{
	uint8_t bytes[5];

	if (!ksma_kernel_bytes(l->kernel, trampoline, bytes, sizeof(bytes)) || bytes[0] != JUMP)
		return 0;
	return ksma_branch_target(bytes, trampoline);
}

static struct ksma_error *check_static(struct lsm *l, const struct statics *s, uint64_t entry)
{
	uint64_t key, trampoline, hl, active, function, called, target;
	uint32_t enabled = 1;

	if (!ksma_kernel_u64(l->kernel, entry + (uint64_t)s->hl, &hl) ||
	    !ksma_kernel_u64(l->kernel, entry + (uint64_t)s->key, &key) ||
	    !ksma_kernel_u64(l->kernel, entry + (uint64_t)s->trampoline, &trampoline) ||
	    !ksma_kernel_u64(l->kernel, entry + (uint64_t)s->active, &active)) {
		ksma_coverage_gap(l->sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "the static calls of security hooks cannot be read");
		return NULL;
	}
	if (!ksma_kernel_u64(l->kernel, key, &called)) {
		ksma_coverage_gap(l->sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "a static call of the security hook %s cannot be read",
				  l->member);
		return NULL;
	}
	if (!hl) /* nobody uses this one, and nothing is to be called */
		return called ? ksma_sweep_pointer(l->sweep, key, called, "static call", l->member)
			      : NULL;
	KSMA_TRY(check_hook(l, hl));
	if (!ksma_kernel_u64(l->kernel, hl + (uint64_t)l->hook, &function))
		return NULL;
	if (called != function)
		KSMA_TRY(report(l, "call", key, called, function,
				"calls another function than was registered"));
	target = jump_target(l, trampoline);
	if (target && target != called)
		KSMA_TRY(report(l, "trampoline", trampoline, target, called,
				"has a trampoline that leads elsewhere"));
	/* The key beside it decides whether it is called at all (include/linux/lsm_hooks.h). */
	if (s->enabled != KSMA_NO_MEMBER &&
	    ksma_kernel_u32(l->kernel, active + (uint64_t)s->enabled, &enabled) && !enabled)
		return report(l, "inactive", active, function, 0, "was switched off");
	return NULL;
}

struct tables {
	struct lsm *lsm;
	const struct statics *statics;
	uint64_t address;
	struct ksma_error *error;
	unsigned count;
};

static bool take_table(void *arg, const char *name, const struct ksma_btf_member *member)
{
	struct tables *t = arg;
	uint64_t count = member->size / t->statics->size;

	t->lsm->member = name;
	for (uint64_t i = 0; i < count && t->count < MAX_STATIC && !t->error; i++, t->count++)
		t->error = check_static(t->lsm, t->statics,
					t->address + member->bit_offset / 8 + i * t->statics->size);
	return !t->error;
}

static struct ksma_error *check_tables(struct lsm *l, uint64_t address)
{
	const struct statics s = {
		.key = ksma_sweep_offset(l->sweep, "lsm_static_call", "key"),
		.trampoline = ksma_sweep_offset(l->sweep, "lsm_static_call", "trampoline"),
		.hl = ksma_sweep_offset(l->sweep, "lsm_static_call", "hl"),
		.active = ksma_sweep_offset(l->sweep, "lsm_static_call", "active"),
		.enabled = ksma_sweep_offset(l->sweep, "static_key_false", "key.enabled"),
		.size = ksma_sweep_size(l->sweep, "lsm_static_call"),
	};
	struct tables t = { .lsm = l, .statics = &s, .address = address };
	uint32_t type = ksma_btf_find(l->sweep->btf, KSMA_BTF_STRUCT, "lsm_static_calls_table");

	if (!type || !s.size || s.key == KSMA_NO_MEMBER || s.trampoline == KSMA_NO_MEMBER ||
	    s.hl == KSMA_NO_MEMBER || s.active == KSMA_NO_MEMBER)
		return ksma_kernel_missing_member("lsm_static_call as it is known here");
	ksma_btf_each_member(l->sweep->btf, type, take_table, &t);
	return t.error;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_linked(const struct lsm *l, uint64_t hook)
{
	return l->linked.count &&
	       bsearch(&hook, l->linked.items, l->linked.count, sizeof(hook), compare) != NULL;
}

/* One array of hooks: when the framework calls some of it, it has to call all. */
static struct ksma_error *check_array(struct lsm *l, const char *name, uint64_t start, uint64_t end)
{
	uint32_t size = ksma_sweep_size(l->sweep, "security_hook_list");
	unsigned linked = 0, missing = 0;
	struct ksma_finding *finding;
	uint64_t function, home, first = 0, hook = start;

	for (; size && hook + size <= end; hook += size) {
		if (is_linked(l, hook)) {
			linked++;
		} else if (ksma_kernel_u64(l->kernel, hook + (uint64_t)l->hook, &function) &&
			   function) { /* not the space behind the array */
			missing++;
			first = first ?: hook;
		}
	}
	if (!linked || !missing)
		return NULL;
	KSMA_TRY(ksma_finding_add(l->sweep->look, KSMA_SEVERITY_CRITICAL, &finding, "%s/missing",
				  name));
	KSMA_TRY(ksma_finding_title(finding, "%u of %u hooks of %s are not called any more",
				    missing, missing + linked, name));
	KSMA_TRY(ksma_finding_number(finding, "missing", missing));
	KSMA_TRY(ksma_finding_number(finding, "called", linked));
	KSMA_TRY(ksma_finding_address(l->sweep->look, finding, "place", first));
	if (l->home != KSMA_NO_MEMBER &&
	    ksma_kernel_u64(l->kernel, first + (uint64_t)l->home, &home))
		KSMA_TRY(ksma_finding_address(l->sweep->look, finding, "slot", home));
	if (!ksma_kernel_u64(l->kernel, first + (uint64_t)l->hook, &function))
		function = 0;
	return ksma_finding_code(l->sweep->look, finding, "expected", function);
}

static struct ksma_error *check_arrays(struct lsm *l)
{
	const struct ksma_symbols *symbols = &l->kernel->symbols;

	if (l->linked.count)
		qsort(l->linked.items, l->linked.count, sizeof(uint64_t), compare);
	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++) {
		for (const struct ksma_symbol *s = ksma_symbols_find(symbols, arrays[i]); s;
		     s = ksma_symbols_find_next(symbols, s)) {
			const struct ksma_symbol *next = s + 1;
			uint64_t start = ksma_symbol_address(symbols, s);

			while (next < symbols->items + symbols->count &&
			       ksma_symbol_address(symbols, next) <= start)
				next++;
			if (next < symbols->items + symbols->count)
				KSMA_TRY(check_array(l, arrays[i], start,
						     ksma_symbol_address(symbols, next)));
		}
	}
	return NULL;
}

static struct ksma_error *report_state(struct lsm *l, enum ksma_severity severity, const char *id,
				       uint64_t place, uint64_t found, uint64_t expected,
				       const char *title)
{
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(l->sweep->look, severity, &finding, "%s", id));
	KSMA_TRY(ksma_finding_title(finding, "%s", title));
	KSMA_TRY(ksma_finding_address(l->sweep->look, finding, "slot", place));
	KSMA_TRY(ksma_finding_number(finding, "found", found));
	KSMA_TRY(ksma_finding_number(finding, "expected", expected));
	return ksma_finding_text(finding, "command_line", "%s", l->kernel->info.command_line ?: "");
}

static bool says(const struct lsm *l, const char *option)
{
	return l->kernel->info.command_line && strstr(l->kernel->info.command_line, option);
}

/* AppArmor that was initialised is enabled: only the command line turns it off, and then it is not initialised. */
static struct ksma_error *check_apparmor(struct lsm *l)
{
	uint64_t enabled_at = ksma_kernel_symbol(l->kernel, "apparmor_enabled"),
		 initialised_at = ksma_kernel_symbol(l->kernel, "apparmor_initialized"),
		 mode_at = ksma_kernel_symbol(l->kernel, "aa_g_profile_mode");
	uint32_t enabled, initialised, mode;

	if (!enabled_at || !initialised_at || !ksma_kernel_u32(l->kernel, enabled_at, &enabled) ||
	    !ksma_kernel_u32(l->kernel, initialised_at, &initialised))
		return NULL; /* built without it */
	if (initialised && !enabled)
		KSMA_TRY(report_state(l, KSMA_SEVERITY_CRITICAL, "apparmor/enabled", enabled_at,
				      enabled, 1, "AppArmor was switched off after the boot"));
	if (!initialised || !mode_at || !ksma_kernel_u32(l->kernel, mode_at, &mode) || !mode ||
	    says(l, "apparmor.mode="))
		return NULL;
	return report_state(l, KSMA_SEVERITY_MEDIUM, "apparmor/mode", mode_at, mode, 0,
			    "AppArmor does not enforce its profiles");
}

/* Programs are told whether SELinux enforces by a page that the kernel keeps equal to its own state. */
static struct ksma_error *check_selinux(struct lsm *l)
{
	uint64_t state = ksma_kernel_symbol(l->kernel, "selinux_state"), page, policy = 0;
	int32_t enforcing_at = ksma_sweep_offset(l->sweep, "selinux_state", "enforcing"),
		initialised_at = ksma_sweep_offset(l->sweep, "selinux_state", "initialized"),
		page_at = ksma_sweep_offset(l->sweep, "selinux_state", "status_page"),
		policy_at = ksma_sweep_offset(l->sweep, "selinux_state", "policy");
	uint32_t page_size = ksma_sweep_size(l->sweep, "page");
	uint8_t enforcing, initialised, status[12];

	if (!state || enforcing_at == KSMA_NO_MEMBER || initialised_at == KSMA_NO_MEMBER ||
	    !ksma_kernel_bytes(l->kernel, state + (uint64_t)enforcing_at, &enforcing, 1) ||
	    !ksma_kernel_bytes(l->kernel, state + (uint64_t)initialised_at, &initialised, 1))
		return NULL; /* built without it, or without the state of not enforcing */
	if (policy_at != KSMA_NO_MEMBER &&
	    ksma_kernel_u64(l->kernel, state + (uint64_t)policy_at, &policy) && policy &&
	    !initialised)
		KSMA_TRY(report_state(l, KSMA_SEVERITY_CRITICAL, "selinux/initialized",
				      state + (uint64_t)initialised_at, initialised, 1,
				      "SELinux has a policy and does not use it"));
	if (initialised && !enforcing && says(l, "enforcing=1"))
		return report_state(l, KSMA_SEVERITY_HIGH, "selinux/enforcing",
				    state + (uint64_t)enforcing_at, enforcing, 1,
				    "SELinux does not enforce, which it was booted to do");
	if (page_at == KSMA_NO_MEMBER || !page_size || !l->kernel->vmemmap ||
	    !ksma_kernel_u64(l->kernel, state + (uint64_t)page_at, &page) ||
	    page < l->kernel->vmemmap)
		return NULL; /* nobody has asked for the page yet */
	page = l->kernel->page_offset + (page - l->kernel->vmemmap) / page_size * 4096;
	if (!ksma_kernel_bytes(l->kernel, page, status, sizeof(status)))
		return NULL;
	/* struct selinux_kernel_status: version, sequence (odd during a change), enforcing */
	if (ksma_le32(status) != 1 || ksma_le32(status + 4) & 1 ||
	    (ksma_le32(status + 8) != 0) == (enforcing != 0))
		return NULL;
	return report_state(l, KSMA_SEVERITY_CRITICAL, "selinux/enforcing",
			    state + (uint64_t)enforcing_at, enforcing, ksma_le32(status + 8),
			    "SELinux tells programs otherwise than it does");
}

static struct ksma_error *check_all(struct lsm *l)
{
	uint64_t heads = ksma_kernel_symbol(l->kernel, "security_hook_heads"),
		 table = ksma_kernel_symbol(l->kernel, "static_calls_table");

	if (l->hook == KSMA_NO_MEMBER)
		return ksma_kernel_missing_member("security_hook_list.hook");
	if (!heads && !table)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
					 "this kernel has no symbol security_hook_heads");
	KSMA_TRY(heads ? check_heads(l, heads) : check_tables(l, table));
	KSMA_TRY(check_arrays(l));
	KSMA_TRY(check_apparmor(l));
	return check_selinux(l);
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct ksma_sweep sweep;
	struct lsm lsm = { .sweep = &sweep, .kernel = look->kernel };
	struct ksma_error *error = ksma_sweep_init(look, &sweep);

	if (!error) {
		lsm.hook = ksma_sweep_offset(&sweep, "security_hook_list", "hook");
		lsm.head = ksma_sweep_offset(&sweep, "security_hook_list", "head");
		lsm.home = lsm.head != KSMA_NO_MEMBER
				   ? lsm.head
				   : ksma_sweep_offset(&sweep, "security_hook_list", "scalls");
		error = check_all(&lsm);
	}
	free(lsm.linked.items);
	ksma_sweep_deinit(&sweep);
	return error;
}

const struct ksma_check ksma_check_lsm = {
	.info = {
		.name = "lsm",
		.title = "Security modules",
		.attack = "T1562.001",
		.needs = "memory",
		.structures = "security_hook_heads, or static_calls_table with its static calls, keys and trampolines; the arrays of hooks of AppArmor, SELinux, "
			      "capabilities, Yama, Landlock and others, and the prototypes of hooks and functions; apparmor_enabled, aa_g_profile_mode, selinux_state and its status page",
		.why = "With a hook taken out or redirected a policy is loaded and shown, and not applied; a hook of its own makes a process untouchable.",
		.cost = "0.2 ms",
		.false_alarms = "An administrator who puts AppArmor into complain mode: reported as medium. Security modules are part of the kernel, "
				"so that any hook outside it is foreign. A hook that was replaced by another function of the kernel with the same "
				"parameters is told by after-init, given the vendor's build.",
		.todo = "Mandatory access control cannot be trusted from now on: look at what ran since, and restore the guest.",
	},
	.run = run,
};
