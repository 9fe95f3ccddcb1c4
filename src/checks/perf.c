/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is called when a perf event counts over, and whose code counts? */
#include <inttypes.h>

#include "checks/hooks.h"
#include "linux/processes.h"
#include "linux/retry.h"

enum { TASK_CONTEXTS = 2 /* perf_nr_task_contexts */, MAX_EVENTS = 1 << 18 };

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	struct ksma_budget budget; /* of all events together */
	struct ksma_error *error;
	const char *holder;
	size_t torn; /* contexts that kept changing */
	struct {
		uint64_t *items;
		size_t count, capacity;
	} seen; /* contexts of processors: the units of software share one */
};

static struct ksma_error *see(struct survey *s, uint64_t context, bool *ret_new)
{
	uint64_t *slot;

	for (size_t i = 0; i < s->seen.count; i++)
		if (s->seen.items[i] == context) {
			*ret_new = false;
			return NULL;
		}
	KSMA_TRY(KSMA_ARRAY_PUSH(&s->seen, &slot));
	*slot = context;
	*ret_new = true;
	return NULL;
}

/* The functions of a struct pmu that matter to a hook. */
static struct ksma_error *check_pmu(struct survey *s, uint64_t pmu)
{
	const struct ksma_offsets *off = &s->kernel->off;
	const struct {
		const char *name;
		int32_t offset;
	} members[] = {
		{ "pmu_enable", off->pmu__pmu_enable },
		{ "pmu_disable", off->pmu__pmu_disable },
		{ "event_init", off->pmu__event_init },
		{ "event_mapped", off->pmu__event_mapped },
		{ "add", off->pmu__add },
		{ "del", off->pmu__del },
		{ "start", off->pmu__start },
		{ "stop", off->pmu__stop },
		{ "read", off->pmu__read },
		{ "sched_task", off->pmu__sched_task },
		{ "setup_aux", off->pmu__setup_aux },
		{ "free_aux", off->pmu__free_aux },
		{ "check_period", off->pmu__check_period },
		{ "addr_filters_sync", off->pmu__addr_filters_sync },
	};
	char name[64] = "unnamed", id[128], what[128];
	uint64_t text;

	if (off->pmu__name != KSMA_NO_MEMBER &&
	    ksma_kernel_u64(s->kernel, pmu + (uint64_t)off->pmu__name, &text) && text &&
	    !ksma_kernel_string(s->kernel, text, name, sizeof(name)))
		snprintf(name, sizeof(name), "unnamed");
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		snprintf(id, sizeof(id), "pmu/%s/%s", name, members[i].name);
		snprintf(what, sizeof(what), "%s of the performance unit %s", members[i].name,
			 name);
		KSMA_TRY(ksma_hook_member(s->look, pmu, members[i].offset, id, what, NULL));
	}
	return NULL;
}

static bool take_pmu(void *arg, uint64_t node)
{
	struct survey *s = arg;

	s->error = check_pmu(s, node - (uint64_t)s->kernel->off.pmu__entry);
	return !s->error;
}

static bool take_event(void *arg, uint64_t node)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t event = node - (uint64_t)off->perf_event__event_entry;
	char id[128], what[128];

	snprintf(id, sizeof(id), "%s/overflow_handler", s->holder);
	snprintf(what, sizeof(what), "the overflow handler of a perf event of %s", s->holder);
	s->error =
		ksma_hook_member(s->look, event, off->perf_event__overflow_handler, id, what, NULL);
	return !s->error;
}

/* The events of one context; one that keeps changing belongs to somebody busy, and is counted. */
static struct ksma_error *check_context(struct survey *s, uint64_t context, const char *holder)
{
	size_t before = s->look->findings->count;
	struct ksma_error *error;

	s->holder = holder;
	for (unsigned tries = 0; tries < 3; tries++) {
		while (s->look->findings->count > before)
			ksma_finding_deinit(&s->look->findings->items[--s->look->findings->count]);
		error = ksma_kernel_list(
			s->kernel,
			context + (uint64_t)s->kernel->off.perf_event_context__event_list,
			&s->budget, take_event, s);
		if (s->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(s->error);
		}
		if (!error || error->code == KSMA_ERROR_LIMIT)
			return error;
		ksma_error_destroy(error);
	}
	s->torn++;
	return NULL;
}

static struct ksma_error *check_tasks(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	/* One context for all since 6.2, one for hardware and one for software before. */
	unsigned count =
		off->perf_event_context__pmu_ctx_list == KSMA_NO_MEMBER ? TASK_CONTEXTS : 1;
	struct ksma_processes processes = { 0 };
	struct ksma_error *error;

	KSMA_TRY(KSMA_NEED(s->kernel, task_struct__perf_event_ctxp));
	KSMA_TRY(ksma_linux_processes(s->kernel, KSMA_PROCESS_THREADS, s->look->coverage,
				      &processes));
	error = NULL;
	for (size_t i = 0; i < processes.count && !error; i++)
		for (unsigned j = 0; j < count && !error; j++) {
			char holder[64];
			uint64_t context;

			if (!ksma_kernel_u64(s->kernel,
					     processes.items[i].task +
						     (uint64_t)off->task_struct__perf_event_ctxp +
						     8ul * j,
					     &context) ||
			    context < 4096) /* one that ended has a mark there: TASK_TOMBSTONE */
				continue;
			if (context == UINT64_MAX)
				continue;
			snprintf(holder, sizeof(holder), "process-%d", processes.items[i].pid);
			error = check_context(s, context, holder);
		}
	ksma_processes_free(&processes);
	return error;
}

/* struct perf_cpu_context begins with the context. It is one for each processor since 6.2. */
static struct ksma_error *check_cpus(struct survey *s)
{
	for (unsigned cpu = 0; cpu < s->kernel->cpus && cpu < KSMA_MAX_CPUS; cpu++) {
		uint64_t context = ksma_kernel_per_cpu(s->kernel, "perf_cpu_context", cpu), first;
		char holder[32];

		/* One that is only possible has none yet. */
		if (!context ||
		    !ksma_kernel_u64(
			    s->kernel,
			    context + (uint64_t)s->kernel->off.perf_event_context__event_list,
			    &first) ||
		    !first)
			continue;
		snprintf(holder, sizeof(holder), "processor-%u", cpu);
		KSMA_TRY(check_context(s, context, holder));
	}
	return NULL;
}

/* Before 6.2 each unit has a context for each processor. */
static bool take_unit_contexts(void *arg, uint64_t node)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t pmu = node - (uint64_t)off->pmu__entry, at;

	if (!ksma_kernel_u64(s->kernel, pmu + (uint64_t)off->pmu__pmu_cpu_context, &at) || !at)
		return true;
	for (unsigned cpu = 0; cpu < s->kernel->cpus && cpu < KSMA_MAX_CPUS && !s->error; cpu++) {
		uint64_t context = at + s->kernel->per_cpu[cpu], first;
		char holder[32];
		bool new;

		if (!s->kernel->per_cpu[cpu] ||
		    !ksma_kernel_u64(s->kernel,
				     context + (uint64_t)off->perf_event_context__event_list,
				     &first) ||
		    !first)
			continue;
		snprintf(holder, sizeof(holder), "processor-%u", cpu);
		s->error = see(s, context, &new);
		if (!s->error && new)
			s->error = check_context(s, context, holder);
	}
	return !s->error;
}

static struct ksma_error *walk_units(struct survey *s, uint64_t head, ksma_list_fn fn)
{
	size_t before = s->look->findings->count;
	struct ksma_error *error;
	unsigned attempt = 0;

	do {
		struct ksma_budget budget = ksma_budget_default();

		s->seen.count = 0;
		while (s->look->findings->count > before)
			ksma_finding_deinit(&s->look->findings->items[--s->look->findings->count]);
		error = ksma_kernel_list(s->kernel, head, &budget, fn, s);
		if (s->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(s->error);
		}
	} while (ksma_kernel_retry(s->kernel, &attempt, &error));
	return error;
}

/* What a hypervisor in the guest registers, so that samples of its own guests are told apart. */
static struct ksma_error *check_guest_callbacks(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	const int32_t members[] = { off->perf_guest_info_callbacks__is_in_guest,
				    off->perf_guest_info_callbacks__is_user_mode,
				    off->perf_guest_info_callbacks__get_guest_ip,
				    off->perf_guest_info_callbacks__state,
				    off->perf_guest_info_callbacks__get_ip,
				    off->perf_guest_info_callbacks__handle_intel_pt_intr,
				    off->perf_guest_info_callbacks__handle_mediated_pmi };
	uint64_t at = ksma_kernel_symbol(s->kernel, "perf_guest_cbs"), callbacks;
	char id[64];

	if (!at || !ksma_kernel_u64(s->kernel, at, &callbacks) || !callbacks)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		snprintf(id, sizeof(id), "perf_guest_cbs/%zu", i);
		KSMA_TRY(ksma_hook_member(s->look, callbacks, members[i], id,
					  "a function of perf_guest_cbs", NULL));
	}
	return NULL;
}

/* `pmus` also names a table of a driver in some kernels: the list is the one whose first entry points back. */
static uint64_t find_units(struct ksma_kernel *kernel)
{
	const struct ksma_symbols *symbols = &kernel->symbols;
	const struct ksma_symbol *symbol = ksma_symbols_find(symbols, "pmus");

	for (; symbol; symbol = ksma_symbols_find_next(symbols, symbol)) {
		uint64_t head = ksma_symbol_address(symbols, symbol), links[2], back[2];

		if (ksma_kernel_bytes(kernel, head, links, sizeof(links)) && links[0] &&
		    ksma_kernel_bytes(kernel, links[0], back, sizeof(back)) && back[1] == head)
			return head;
	}
	return 0;
}

static struct ksma_error *check_units(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t pmus = find_units(s->kernel);

	if (!pmus)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
					 "the list of performance units is not found");
	KSMA_TRY(KSMA_NEED(s->kernel, pmu__entry));
	KSMA_TRY(walk_units(s, pmus, take_pmu));
	if (off->pmu__pmu_cpu_context != KSMA_NO_MEMBER)
		return walk_units(s, pmus, take_unit_contexts);
	return check_cpus(s);
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look,
			    .kernel = look->kernel,
			    .budget = { .nodes = MAX_EVENTS } };
	struct ksma_error *error;

	KSMA_TRY(KSMA_NEED(look->kernel, perf_event_context__event_list));
	KSMA_TRY(KSMA_NEED(look->kernel, perf_event__event_entry));
	error = check_units(&s);
	free(s.seen.items);
	KSMA_TRY(error);
	KSMA_TRY(check_tasks(&s));
	KSMA_TRY(check_guest_callbacks(&s));
	if (s.torn)
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "%zu contexts of perf events kept changing", s.torn);
	return NULL;
}

const struct ksma_check ksma_check_perf = {
	.info = {
		.name = "perf",
		.title = "Performance events",
		.attack = "T1014",
		.needs = "memory",
		.structures = "pmus (struct pmu) and the functions of each; the events of all tasks and processors (struct perf_event_context) and their "
			      "overflow handlers; perf_guest_cbs",
		.why = "An event calls its handler from an interrupt, wherever the processor is, and a breakpoint event calls it whenever an address is touched: "
		       "a hook that changes no text.",
		.cost = "0.2 ms",
		.false_alarms = "None known: handlers of the kernel and of modules on the list are none, whichever event they belong to.",
		.todo = "Look at the owner of the handler and at the process that has the event.",
	},
	.run = run,
};
