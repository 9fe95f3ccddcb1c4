/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose function does each timer end in? A timer is how code comes back with no thread, module or hook to be seen.
 *
 * The wheel as in kernel/time/timer.c (struct timer_base), the trees as in kernel/time/hrtimer.c. */
#include <inttypes.h>

#include "base/bytes.h"
#include "checks/check.h"
#include "checks/cpus.h"
#include "checks/hooks.h"
#include "linux/retry.h"

enum {
	MAX_BASES = 3, /* NR_BASES */
	MAX_BASE_SIZE = 16384,
	MAX_CLOCKS = 8, /* HRTIMER_MAX_CLOCK_BASES */
	MAX_TIMERS = 1 << 18,
	BUCKET_TRIES = 16,
	TIMER_WINDOW = 64,
};

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	unsigned cpu;
	struct ksma_budget budget;
	uint64_t delayed_work; /* the function behind which a work item waits */
	struct ksma_error *error;
	unsigned torn;
};

/* One function; one that does not fit is read again, in its place, because the timer may have been somebody else's meanwhile. */
static struct ksma_error *check_function(struct survey *s, uint64_t place, const char *kind)
{
	struct ksma_hook hook = { .place = place };
	enum ksma_hook_target target;
	char id[64], what[64], name[128];
	uint64_t again;

	if (!ksma_kernel_u64(s->kernel, place, &hook.function))
		return NULL;
	target = ksma_hook_target(s->look, hook.function);
	if (target != KSMA_HOOK_STRAY && target != KSMA_HOOK_NOBODY)
		return NULL;
	if (!ksma_kernel_u64(s->kernel, place, &again) || again != hook.function)
		return NULL;
	snprintf(id, sizeof(id), "%s/%.40s", kind,
		 ksma_hook_name(s->kernel, hook.function, name, sizeof(name)));
	snprintf(what, sizeof(what), "a %s of processor %u", kind, s->cpu);
	hook.id = id;
	hook.what = what;
	return ksma_hook_check(s->look, &hook, NULL);
}

/* A list of timers. @ret_torn it changed while it was followed */
static struct ksma_error *check_bucket(struct survey *s, uint64_t head, bool *ret_torn)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t previous = head, node;

	*ret_torn = false;
	if (!ksma_kernel_u64(s->kernel, head, &node))
		return NULL;
	while (node) {
		uint64_t timer = node - (uint64_t)off->timer_list__entry, function;
		uint64_t links[2]; /* next, pprev */

		if (!ksma_budget_spend(&s->budget))
			return ksma_budget_error("timers");
		if (!ksma_kernel_bytes(s->kernel, node, links, sizeof(links)) ||
		    links[1] != previous ||
		    !ksma_kernel_u64(s->kernel, timer + (uint64_t)off->timer_list__function,
				     &function)) {
			*ret_torn = true;
			return NULL;
		}
		KSMA_TRY(check_function(s, timer + (uint64_t)off->timer_list__function, "timer"));
		if (function && function == s->delayed_work &&
		    off->delayed_work__timer != KSMA_NO_MEMBER &&
		    off->work_struct__func != KSMA_NO_MEMBER)
			KSMA_TRY(check_function(s,
						timer - (uint64_t)off->delayed_work__timer +
							(uint64_t)off->work_struct__func,
						"delayed work"));
		previous = node;
		node = links[0];
	}
	return NULL;
}

/* The room of a symbol, up to the next one. */
static uint64_t room_of(const struct ksma_kernel *kernel, const char *name)
{
	const struct ksma_symbols *symbols = &kernel->symbols;
	const struct ksma_symbol *symbol = ksma_symbols_find(symbols, name);
	size_t i;

	if (!symbol)
		return 0;
	for (i = (size_t)(symbol - symbols->items); i < symbols->count; i++)
		if (symbols->items[i].address > symbol->address)
			return symbols->items[i].address - symbol->address;
	return UINT64_MAX;
}

static struct ksma_error *check_base(struct survey *s, uint64_t base, const uint8_t *bytes,
				     uint32_t size)
{
	for (uint32_t at = (uint32_t)s->kernel->off.timer_base__vectors; at + 8 <= size; at += 8) {
		unsigned tries = 0;
		bool torn;

		if (!ksma_le64(bytes + at))
			continue;
		do
			KSMA_TRY(check_bucket(s, base + at, &torn));
		while (torn && ++tries < BUCKET_TRIES);
		s->torn += torn;
	}
	return NULL;
}

static struct ksma_error *check_wheel(struct survey *s)
{
	uint64_t bases = ksma_kernel_per_cpu(s->kernel, "timer_bases", s->cpu);
	uint64_t room = room_of(s->kernel, "timer_bases");
	uint32_t size = s->kernel->size.timer_base;
	_cleanup_free_ uint8_t *bytes = NULL;

	if (!bases || !size || size > MAX_BASE_SIZE || room < size ||
	    s->kernel->off.timer_base__vectors == KSMA_NO_MEMBER ||
	    s->kernel->off.timer_list__entry == KSMA_NO_MEMBER ||
	    s->kernel->off.timer_list__function == KSMA_NO_MEMBER) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel does not say how its timers are kept");
		return NULL;
	}
	bytes = malloc(size);
	if (!bytes)
		return ksma_error_nomem();
	for (unsigned i = 0; i < MAX_BASES && (i + 1) * (uint64_t)size <= room; i++) {
		if (!ksma_kernel_bytes(s->kernel, bases + (uint64_t)i * size, bytes, size))
			continue;
		KSMA_TRY(check_base(s, bases + (uint64_t)i * size, bytes, size));
	}
	return NULL;
}

static bool take_hrtimer(void *arg, uint64_t node)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;

	s->error = check_function(
		s, node - (uint64_t)off->hrtimer__node + (uint64_t)off->hrtimer__function,
		"high-resolution timer");
	return !s->error;
}

/* Trees of running processors change all the time: looked at until one look is whole. */
static struct ksma_error *check_tree(struct survey *s, uint64_t root)
{
	struct ksma_error *error = NULL;
	unsigned look = 0;
	bool again;

	do {
		ksma_error_destroy(error);
		error = ksma_kernel_rbtree(s->kernel, root, &s->budget, take_hrtimer, s);
		if (s->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(s->error);
		}
		if (!error)
			return NULL;
		if (error->code != KSMA_ERROR_BAD_DATA && error->code != KSMA_ERROR_FAULT)
			break;
		KSMA_TRY(ksma_kernel_look_again(s->kernel, &look, &again));
	} while (again);
	if (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST)
		return error;
	ksma_error_destroy(error);
	s->torn++;
	return NULL;
}

static struct ksma_error *check_trees(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t base = ksma_kernel_per_cpu(s->kernel, "hrtimer_bases", s->cpu);
	uint32_t size = s->kernel->size.hrtimer_clock_base;

	if (!base || !size || off->hrtimer_cpu_base__clock_base == KSMA_NO_MEMBER ||
	    off->hrtimer_clock_base__active == KSMA_NO_MEMBER ||
	    off->hrtimer__node == KSMA_NO_MEMBER || off->hrtimer__function == KSMA_NO_MEMBER) {
		ksma_coverage_gap(
			s->look->coverage, KSMA_COVERAGE_PARTIAL,
			"this kernel does not say how its high-resolution timers are kept");
		return NULL;
	}
	base += (uint64_t)off->hrtimer_cpu_base__clock_base;
	/* The root of the tree is the first member of `active`, and the rb_node that of `node`, whatever these are called. */
	for (unsigned i = 0; i < MAX_CLOCKS; i++)
		KSMA_TRY(check_tree(s, base + (uint64_t)i * size +
					       (uint64_t)off->hrtimer_clock_base__active));
	return NULL;
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = {
		.look = look,
		.kernel = look->kernel,
		.budget = { .nodes = MAX_TIMERS },
		.delayed_work = ksma_kernel_symbol(look->kernel, "delayed_work_timer_fn"),
	};

	for (s.cpu = 0; s.cpu < look->kernel->cpus; s.cpu++) {
		if (!look->kernel->per_cpu[s.cpu] || !ksma_cpu_is_online(look->kernel, s.cpu))
			continue;
		KSMA_TRY(check_wheel(&s));
		KSMA_TRY(check_trees(&s));
	}
	if (s.torn)
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "%u lists of timers kept changing", s.torn);
	return NULL;
}

const struct ksma_check ksma_check_timers = {
	.info = {
		.name = "timers",
		.title = "Timers",
		.attack = "T1014",
		.needs = "memory",
		.structures = "timer_bases and hrtimer_bases of every processor: timer_list, delayed_work, hrtimer",
		.why = "Code that hides itself comes back by a timer: no thread, no hook and no module shows it.",
		.cost = "0.03 ms",
		.false_alarms = "Timers come and go all the time: what leads nowhere is read again in its place, and must be there at the second look.",
		.todo = "Look at the owner of the function: with no owner it is what is left of, or hides, a module.",
	},
	.run = run,
};
