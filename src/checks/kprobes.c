/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is called when the kernel runs over a probe? kprobes, kretprobes, and fprobes where the kernel keeps a table of them. */
#include <inttypes.h>

#include "checks/hooks.h"
#include "linux/retry.h"

/* KPROBE_TABLE_SIZE and FPROBE_TABLE_SIZE of kernel/kprobes.c and kernel/trace/fprobe.c */
enum { BUCKETS = 64, MAX_PROBES = 1 << 20 };

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	struct ksma_budget *budget;
	struct ksma_error *error;
	uint64_t aggregate, kretprobe; /* the pre_handlers that stand for others, or 0 */
	size_t probes;
	char name[128]; /* of the probed function */
	bool sensitive;
};

static bool read_name(struct survey *s, uint64_t address)
{
	char function[128];

	ksma_hook_name(s->kernel, address, function, sizeof(function));
	s->sensitive = ksma_hook_is_sensitive(function);
	if (!ksma_kernel_describe(s->kernel, ksma_gva_of(address), s->name, sizeof(s->name)))
		snprintf(s->name, sizeof(s->name), "0x%" PRIx64, address);
	s->name[strcspn(s->name, " ")] = 0;
	return true;
}

static struct ksma_error *check_handler(struct survey *s, uint64_t object, int32_t offset,
					const char *kind, const char *member)
{
	char id[200], what[256];
	enum ksma_hook_target target;
	uint64_t function;

	snprintf(id, sizeof(id), "%s/%s", s->name, member);
	snprintf(what, sizeof(what), "the %s of a %s on %s", member, kind, s->name);
	KSMA_TRY(ksma_hook_member(s->look, object, offset, id, what, &target));
	if (target != KSMA_HOOK_MODULE || !s->sensitive ||
	    !ksma_kernel_u64(s->kernel, object + (uint64_t)offset, &function))
		return NULL;
	snprintf(what, sizeof(what), "has itself called by a %s on %s", kind, s->name);
	return ksma_hook_of_module(s->look, KSMA_SEVERITY_MEDIUM, s->name, what, function, NULL);
}

static struct ksma_error *check_kretprobe(struct survey *s, uint64_t probe)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t kretprobe = probe - (uint64_t)off->kretprobe__kp, rethook;

	if (off->kretprobe__kp == KSMA_NO_MEMBER || off->kretprobe__handler == KSMA_NO_MEMBER)
		return ksma_kernel_missing_member("kretprobe as it is known here");
	KSMA_TRY(check_handler(s, kretprobe, off->kretprobe__handler, "kretprobe", "handler"));
	KSMA_TRY(check_handler(s, kretprobe, off->kretprobe__entry_handler, "kretprobe",
			       "entry_handler"));
	if (off->kretprobe__rh == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(s->kernel, kretprobe + (uint64_t)off->kretprobe__rh, &rethook) ||
	    !rethook)
		return NULL;
	return check_handler(s, rethook, off->rethook__handler, "kretprobe", "rethook_handler");
}

static struct ksma_error *check_one(struct survey *s, uint64_t probe)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t address, pre;

	s->probes++;
	if (!ksma_kernel_u64(s->kernel, probe + (uint64_t)off->kprobe__addr, &address) ||
	    !ksma_kernel_u64(s->kernel, probe + (uint64_t)off->kprobe__pre_handler, &pre))
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "a kprobe went away");
	read_name(s, address);
	KSMA_TRY(check_handler(s, probe, off->kprobe__pre_handler, "kprobe", "pre_handler"));
	KSMA_TRY(check_handler(s, probe, off->kprobe__post_handler, "kprobe", "post_handler"));
	if (s->kretprobe && pre == s->kretprobe)
		return check_kretprobe(s, probe);
	return NULL;
}

static bool take_child(void *arg, uint64_t node)
{
	struct survey *s = arg;

	s->error = check_one(s, node - (uint64_t)s->kernel->off.kprobe__list);
	return !s->error;
}

static bool take_probe(void *arg, uint64_t node)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t probe = node - (uint64_t)off->kprobe__hlist, pre;

	s->error = check_one(s, probe);
	/* Several at one place hang from one that calls them all. */
	if (!s->error && s->aggregate &&
	    ksma_kernel_u64(s->kernel, probe + (uint64_t)off->kprobe__pre_handler, &pre) &&
	    pre == s->aggregate) {
		struct ksma_error *error = ksma_kernel_list(
			s->kernel, probe + (uint64_t)off->kprobe__list, s->budget, take_child, s);

		if (!s->error)
			s->error = error;
		else
			ksma_error_destroy(error);
	}
	return !s->error;
}

/* 7.2: struct fprobe_hlist { hlist; fp; array[] of places }. */
static bool take_fprobe(void *arg, uint64_t node)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t list = node - (uint64_t)off->fprobe_hlist__hlist, probe, address = 0;

	if (!ksma_kernel_u64(s->kernel, list + (uint64_t)off->fprobe_hlist__fp, &probe) || !probe)
		return true; /* it is being removed */
	if (off->fprobe_hlist__array != KSMA_NO_MEMBER &&
	    off->fprobe_hlist_node__addr != KSMA_NO_MEMBER &&
	    !ksma_kernel_u64(s->kernel,
			     list + (uint64_t)off->fprobe_hlist__array +
				     (uint64_t)off->fprobe_hlist_node__addr,
			     &address))
		return true;
	read_name(s, address);
	s->error = check_handler(s, probe, off->fprobe__entry_handler, "fprobe", "entry_handler");
	if (!s->error)
		s->error = check_handler(s, probe, off->fprobe__exit_handler, "fprobe",
					 "exit_handler");
	return !s->error;
}

static struct ksma_error *walk_buckets(struct survey *s, uint64_t table, ksma_list_fn fn)
{
	for (unsigned i = 0; i < BUCKETS; i++) {
		struct ksma_error *error =
			ksma_kernel_hlist(s->kernel, table + 8ul * i, s->budget, fn, s);

		if (s->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(s->error);
		}
		KSMA_TRY(error);
	}
	return NULL;
}

/* Looks through a table until it holds still for as long as that takes. */
static struct ksma_error *check_table(struct survey *s, const char *symbol, bool known,
				      ksma_list_fn fn)
{
	uint64_t table = ksma_kernel_symbol(s->kernel, symbol);
	size_t before = s->look->findings->count;
	struct ksma_error *error;
	unsigned attempt = 0;

	if (!table)
		return NULL; /* this kernel has no such probes */
	if (!known)
		return ksma_kernel_missing_member("kprobe or fprobe as they are known here");
	do {
		struct ksma_budget budget = { .nodes = MAX_PROBES };

		/* cppcheck-suppress autoVariables ; taken back below */
		s->budget = &budget;
		s->probes = 0;
		while (s->look->findings->count > before)
			ksma_finding_deinit(&s->look->findings->items[--s->look->findings->count]);
		error = walk_buckets(s, table, fn);
		s->budget = NULL;
	} while (ksma_kernel_retry(s->kernel, &attempt, &error));
	return error;
}

/* Somebody's probes are there and none is called: who turned them off does not want to be seen. */
static struct ksma_error *check_disarmed(struct survey *s)
{
	uint64_t at = ksma_kernel_symbol(s->kernel, "kprobes_all_disarmed");
	struct ksma_finding *finding;
	uint8_t disarmed;

	if (!at || !s->probes || !ksma_kernel_bytes(s->kernel, at, &disarmed, 1) || !disarmed)
		return NULL;
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_MEDIUM, &finding, "disarmed"));
	KSMA_TRY(ksma_finding_title(
		finding, "all kprobes are turned off, and %zu are there that should be called",
		s->probes));
	KSMA_TRY(ksma_finding_address(s->look, finding, "address", at));
	return ksma_finding_number(finding, "value", disarmed);
}

static struct ksma_error *run(struct ksma_look *look)
{
	const struct ksma_offsets *off = &look->kernel->off;
	struct survey s = { .look = look,
			    .kernel = look->kernel,
			    .aggregate = ksma_kernel_symbol(look->kernel, "aggr_pre_handler"),
			    .kretprobe =
				    ksma_kernel_symbol(look->kernel, "pre_handler_kretprobe") };

	KSMA_TRY(check_table(&s, "fprobe_table",
			     off->fprobe_hlist__hlist != KSMA_NO_MEMBER &&
				     off->fprobe_hlist__fp != KSMA_NO_MEMBER &&
				     off->fprobe__entry_handler != KSMA_NO_MEMBER,
			     take_fprobe));
	KSMA_TRY(check_table(&s, "kprobe_table",
			     off->kprobe__hlist != KSMA_NO_MEMBER &&
				     off->kprobe__list != KSMA_NO_MEMBER &&
				     off->kprobe__addr != KSMA_NO_MEMBER &&
				     off->kprobe__pre_handler != KSMA_NO_MEMBER,
			     take_probe));
	return check_disarmed(&s);
}

const struct ksma_check ksma_check_kprobes = {
	.info = {
		.name = "kprobes",
		.title = "Probes of the kernel",
		.attack = "T1014",
		.needs = "memory",
		.structures = "all buckets of kprobe_table with the probes that share a place (struct kprobe, kretprobe, rethook), fprobe_table, "
			      "kprobes_all_disarmed",
		.why = "A probe is called with the registers of whatever function it was put on, and may change them: arguments, results, and where it goes on.",
		.cost = "under 0.01 ms",
		.false_alarms = "A security product whose module puts probes on functions that decide what the tools of the guest are told is reported as "
				"medium. Probes of tracefs, perf and BPF lead to functions of the kernel.",
		.todo = "Look at the owner of the handler. Probes that an administrator set are listed in the guest's tracefs; these "
			"are not.",
	},
	.run = run,
};
