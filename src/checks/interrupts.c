/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose function does each interrupt end in: the handlers of devices, the operations of their controllers, softirqs and tasklets?
 *
 * Descriptors as in kernel/irq/irqdesc.c: a radix tree until 721255b9826b "genirq: Use a maple tree for interrupt descriptor
 * management" (6.5), a maple tree since. */
#include <inttypes.h>

#include "base/bytes.h"
#include "checks/check.h"
#include "checks/cpus.h"
#include "checks/hooks.h"
#include "linux/retry.h"

enum {
	MAX_ACTIONS = 64, /* that share a line */
	MAX_PARENTS = 8,  /* controllers behind each other */
	MAX_CHIPS = 64,
	MAX_CHIP = 512,
	MAX_TASKLETS = 1024,
	TASKLET_LOOKS = 400, /* some 20 microseconds */
	SOFTIRQS = 10,	     /* NR_SOFTIRQS */
	LABEL = 96,
};

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	uint64_t chips[MAX_CHIPS]; /* looked at already */
	size_t chip_count;
	struct ksma_error *error;
};

static KSMA_PRINTF(4, 5) struct ksma_error *check(struct survey *s, uint64_t place,
						  uint64_t function, const char *id_format, ...)
{
	struct ksma_hook hook = { .place = place, .function = function };
	enum ksma_hook_target target = ksma_hook_target(s->look, function);
	char id[LABEL], what[LABEL];
	va_list args;

	if (target != KSMA_HOOK_STRAY && target != KSMA_HOOK_NOBODY)
		return NULL;
	va_start(args, id_format);
	vsnprintf(id, sizeof(id), id_format, args);
	va_end(args);
	snprintf(what, sizeof(what), "%s", id);
	for (char *p = what; *p; p++)
		*p = *p == '/' ? ' ' : *p;
	hook.id = id;
	hook.what = what;
	return ksma_hook_check(s->look, &hook, NULL);
}

/* The operations of an interrupt controller: all pointers between its name and its flags. */
static struct ksma_error *check_chip(struct survey *s, uint64_t chip)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint32_t start = (uint32_t)off->irq_chip__irq_startup, end = (uint32_t)off->irq_chip__flags;
	char name[32] = "";
	uint8_t bytes[MAX_CHIP];
	uint64_t name_at;

	for (size_t i = 0; i < s->chip_count; i++)
		if (s->chips[i] == chip)
			return NULL;
	if (s->chip_count < MAX_CHIPS)
		s->chips[s->chip_count++] = chip;
	if (off->irq_chip__irq_startup == KSMA_NO_MEMBER ||
	    off->irq_chip__flags == KSMA_NO_MEMBER || end <= start || end > sizeof(bytes) ||
	    !ksma_kernel_bytes(s->kernel, chip, bytes, end)) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "an interrupt controller cannot be read");
		return NULL;
	}
	if (off->irq_chip__name == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(s->kernel, chip + (uint64_t)off->irq_chip__name, &name_at) ||
	    !ksma_kernel_string(s->kernel, name_at, name, sizeof(name)))
		name[0] = 0;
	for (uint32_t at = start; at + 8 <= end; at += 8)
		KSMA_TRY(check(s, chip + at, ksma_le64(bytes + at), "controller/%s/+0x%x", name,
			       at));
	return NULL;
}

static struct ksma_error *check_chips(struct survey *s, uint64_t data)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t chip;

	for (unsigned i = 0; data && i < MAX_PARENTS; i++) {
		if (off->irq_data__chip == KSMA_NO_MEMBER ||
		    !ksma_kernel_u64(s->kernel, data + (uint64_t)off->irq_data__chip, &chip))
			return NULL;
		if (chip)
			KSMA_TRY(check_chip(s, chip));
		if (off->irq_data__parent_data == KSMA_NO_MEMBER ||
		    !ksma_kernel_u64(s->kernel, data + (uint64_t)off->irq_data__parent_data, &data))
			return NULL;
	}
	return NULL;
}

static struct ksma_error *check_actions(struct survey *s, uint64_t irq, uint64_t action)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t handler, thread;

	for (unsigned i = 0; action; i++) {
		if (i == MAX_ACTIONS) {
			ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
					  "more than %d handlers share interrupt %" PRIu64,
					  MAX_ACTIONS, irq);
			return NULL;
		}
		if (!ksma_kernel_u64(s->kernel, action + (uint64_t)off->irqaction__handler,
				     &handler) ||
		    !ksma_kernel_u64(s->kernel, action + (uint64_t)off->irqaction__thread_fn,
				     &thread))
			return NULL; /* it went away */
		KSMA_TRY(check(s, action + (uint64_t)off->irqaction__handler, handler,
			       "irq%" PRIu64 "/handler", irq));
		KSMA_TRY(check(s, action + (uint64_t)off->irqaction__thread_fn, thread,
			       "irq%" PRIu64 "/thread", irq));
		if (!ksma_kernel_u64(s->kernel, action + (uint64_t)off->irqaction__next, &action))
			return NULL;
	}
	return NULL;
}

static bool take_descriptor(void *arg, uint64_t irq, uint64_t desc)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t action, flow;

	if (!ksma_kernel_u64(s->kernel, desc + (uint64_t)off->irq_desc__action, &action) ||
	    !ksma_kernel_u64(s->kernel, desc + (uint64_t)off->irq_desc__handle_irq, &flow))
		return true; /* it went away */
	s->error = check(s, desc + (uint64_t)off->irq_desc__handle_irq, flow, "irq%" PRIu64 "/flow",
			 irq);
	if (!s->error)
		s->error = check_actions(s, irq, action);
	if (!s->error && off->irq_desc__irq_data != KSMA_NO_MEMBER)
		s->error = check_chips(s, desc + (uint64_t)off->irq_desc__irq_data);
	return !s->error;
}

static struct ksma_error *check_descriptors(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t radix = ksma_kernel_symbol(s->kernel, "irq_desc_tree"),
		 maple = ksma_kernel_symbol(s->kernel, "sparse_irqs");
	struct ksma_error *error;
	unsigned attempt = 0;

	if ((!radix && !maple) || off->irq_desc__action == KSMA_NO_MEMBER ||
	    off->irq_desc__handle_irq == KSMA_NO_MEMBER ||
	    off->irqaction__handler == KSMA_NO_MEMBER || off->irqaction__next == KSMA_NO_MEMBER ||
	    off->irqaction__thread_fn == KSMA_NO_MEMBER) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel does not say how its interrupts are kept");
		return NULL;
	}
	do {
		struct ksma_budget budget = ksma_budget_default();

		error = maple ? ksma_kernel_maple(s->kernel, maple, &budget, take_descriptor, s)
			      : ksma_kernel_xarray(s->kernel, radix, &budget, take_descriptor, s);
		if (s->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(s->error);
		}
	} while (ksma_kernel_retry(s->kernel, &attempt, &error));
	return ksma_coverage_take(s->look->coverage, KSMA_COVERAGE_PARTIAL, error, "interrupts");
}

static struct ksma_error *check_softirqs(struct survey *s)
{
	static const char *const names[SOFTIRQS] = { "hi",	"timer",    "net_tx",  "net_rx",
						     "block",	"irq_poll", "tasklet", "sched",
						     "hrtimer", "rcu" };
	uint64_t at = ksma_kernel_symbol(s->kernel, "softirq_vec");
	uint32_t size = s->kernel->size.softirq_action;

	if (!at || size != 8) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "this kernel does not say how its softirqs are kept");
		return NULL;
	}
	for (unsigned i = 0; i < SOFTIRQS; i++) {
		uint64_t function;

		if (ksma_kernel_u64(s->kernel, at + 8ul * i, &function))
			KSMA_TRY(check(s, at + 8ul * i, function, "softirq/%s", names[i]));
	}
	return NULL;
}

/* Those that wait to run: few, and gone in a moment, unless they are put back each time. */
static struct ksma_error *check_tasklets(struct survey *s, const char *symbol, unsigned cpu)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t head = ksma_kernel_per_cpu(s->kernel, symbol, cpu), tasklet = 0, function, again;
	size_t before = s->look->findings->count;
	bool living = s->kernel->guest->info.kind == KSMA_GUEST_LIVE &&
		      s->kernel->guest->info.access != KSMA_RAM_COPIED;

	if (!head || off->tasklet_struct__next == KSMA_NO_MEMBER ||
	    off->tasklet_struct__func == KSMA_NO_MEMBER)
		return NULL; /* a kernel that has none */
	/* One that is put back each time is off the list as often as on it. */
	for (unsigned i = 0; i < (living ? TASKLET_LOOKS : 1); i++)
		if (!ksma_kernel_u64(s->kernel, head, &tasklet))
			return NULL;
		else if (tasklet)
			break;
	for (unsigned i = 0; tasklet && i < MAX_TASKLETS; i++) {
		uint64_t place = tasklet + (uint64_t)off->tasklet_struct__func;

		if (!ksma_kernel_u64(s->kernel, place, &function) ||
		    !ksma_kernel_u64(s->kernel, place, &again) || again != function)
			return NULL;
		/* Several may have one function, which is told once. */
		KSMA_TRY(check(s, place, function, "tasklet/0x%" PRIx64, function));
		if (s->look->findings->count > before)
			return NULL;
		if (!ksma_kernel_u64(s->kernel, tasklet + (uint64_t)off->tasklet_struct__next,
				     &tasklet))
			return NULL;
	}
	return NULL;
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look, .kernel = look->kernel };

	KSMA_TRY(check_descriptors(&s));
	KSMA_TRY(check_softirqs(&s));
	for (unsigned cpu = 0; cpu < look->kernel->cpus; cpu++) {
		if (!look->kernel->per_cpu[cpu] || !ksma_cpu_is_online(look->kernel, cpu))
			continue;
		KSMA_TRY(check_tasklets(&s, "tasklet_vec", cpu));
		KSMA_TRY(check_tasklets(&s, "tasklet_hi_vec", cpu));
	}
	return NULL;
}

const struct ksma_check ksma_check_interrupts = {
	.info = {
		.name = "interrupts",
		.title = "Handlers of interrupts, softirqs and tasklets",
		.attack = "T1014",
		.needs = "memory",
		.structures = "irq_desc_tree or sparse_irqs: irq_desc, irqaction, irq_chip; softirq_vec; tasklet_vec and tasklet_hi_vec of every processor",
		.why = "A handler on a shared interrupt, or a replaced softirq, runs the attacker's code many times a second, in no process.",
		.cost = "0.1 ms",
		.false_alarms = "None known: what runs at an interrupt is a function of the kernel or of a module on the list.",
		.todo = "Look at the owner of the handler and its device; a driver that was unloaded badly looks the same until the "
			"next interrupt of its line.",
	},
	.run = run,
};
