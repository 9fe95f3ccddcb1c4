/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who in the kernel is called when a program runs over a probe, and in which file is it? */
#include <inttypes.h>

#include "checks/hooks.h"
#include "linux/retry.h"

enum { MAX_CONSUMERS = 1 << 16 };

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	struct ksma_budget budget; /* of one walk */
	struct ksma_error *error;
	uint64_t inode, number, offset;
	char device[64];
};

static struct ksma_error *add_evidence(struct survey *s, struct ksma_finding *finding)
{
	if (!finding)
		return NULL;
	KSMA_TRY(ksma_finding_number(finding, "inode", s->number));
	KSMA_TRY(ksma_finding_text(finding, "file_system", "%s", s->device));
	return ksma_finding_text(finding, "offset", "0x%" PRIx64, s->offset);
}

static struct ksma_error *check_handler(struct survey *s, uint64_t consumer, int32_t offset,
					const char *member)
{
	struct ksma_finding *finding;
	char id[128], what[160];
	struct ksma_hook hook = { id, what, consumer + (uint64_t)offset, 0 };

	if (offset == KSMA_NO_MEMBER || !ksma_kernel_u64(s->kernel, hook.place, &hook.function))
		return NULL;
	snprintf(id, sizeof(id), "%s/%" PRIu64 "/0x%" PRIx64 "/%s", s->device, s->number, s->offset,
		 member);
	snprintf(what, sizeof(what), "the %s of a probe on the program with inode %" PRIu64, member,
		 s->number);
	KSMA_TRY(ksma_hook_check(s->look, &hook, &finding));
	KSMA_TRY(add_evidence(s, finding));
	if (ksma_hook_target(s->look, hook.function) != KSMA_HOOK_MODULE)
		return NULL;
	snprintf(what, sizeof(what), "has itself called by the program with inode %" PRIu64,
		 s->number);
	KSMA_TRY(ksma_hook_of_module(s->look, KSMA_SEVERITY_MEDIUM, id, what, hook.function,
				     &finding));
	return add_evidence(s, finding);
}

static struct ksma_error *check_consumer(struct survey *s, uint64_t consumer)
{
	const struct ksma_offsets *off = &s->kernel->off;

	KSMA_TRY(check_handler(s, consumer, off->uprobe_consumer__handler, "handler"));
	KSMA_TRY(check_handler(s, consumer, off->uprobe_consumer__ret_handler, "ret_handler"));
	return check_handler(s, consumer, off->uprobe_consumer__filter, "filter");
}

static bool take_consumer(void *arg, uint64_t node)
{
	struct survey *s = arg;

	s->error = check_consumer(s, node - (uint64_t)s->kernel->off.uprobe_consumer__cons_node);
	return !s->error;
}

/* A list since 6.12; one pointer each before. */
static struct ksma_error *check_consumers(struct survey *s, uint64_t place)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t consumer;

	if (off->uprobe_consumer__cons_node != KSMA_NO_MEMBER)
		return ksma_kernel_list(s->kernel, place, &s->budget, take_consumer, s);
	KSMA_TRY(KSMA_NEED(s->kernel, uprobe_consumer__next));
	if (!ksma_kernel_u64(s->kernel, place, &consumer))
		return ksma_error_fault(place, "a uprobe is not mapped");
	for (unsigned i = 0; consumer; i++) {
		if (i == MAX_CONSUMERS || !ksma_budget_spend(&s->budget))
			return ksma_budget_error("the consumers of a uprobe");
		KSMA_TRY(check_consumer(s, consumer));
		if (!ksma_kernel_u64(s->kernel, consumer + (uint64_t)off->uprobe_consumer__next,
				     &consumer))
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "a consumer of a uprobe went away");
	}
	return NULL;
}

/* Which file it is: its number, and on which kind of file system. */
static void read_file(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t sb, type, name;

	s->number = 0;
	snprintf(s->device, sizeof(s->device), "unknown");
	if (off->inode__i_ino != KSMA_NO_MEMBER &&
	    !ksma_kernel_u64(s->kernel, s->inode + (uint64_t)off->inode__i_ino, &s->number))
		s->number = 0;
	if (off->inode__i_sb == KSMA_NO_MEMBER || off->super_block__s_type == KSMA_NO_MEMBER ||
	    off->file_system_type__name == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(s->kernel, s->inode + (uint64_t)off->inode__i_sb, &sb) ||
	    !ksma_kernel_u64(s->kernel, sb + (uint64_t)off->super_block__s_type, &type) ||
	    !ksma_kernel_u64(s->kernel, type + (uint64_t)off->file_system_type__name, &name) ||
	    !ksma_kernel_string(s->kernel, name, s->device, sizeof(s->device)))
		snprintf(s->device, sizeof(s->device), "unknown");
}

static bool take_uprobe(void *arg, uint64_t node)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t uprobe = node - (uint64_t)off->uprobe__rb_node;
	struct ksma_error *error;

	if (!ksma_kernel_u64(s->kernel, uprobe + (uint64_t)off->uprobe__inode, &s->inode) ||
	    !ksma_kernel_u64(s->kernel, uprobe + (uint64_t)off->uprobe__offset, &s->offset)) {
		s->error = ksma_error_create(KSMA_ERROR_BAD_DATA, "a uprobe went away");
		return false;
	}
	read_file(s);
	error = check_consumers(s, uprobe + (uint64_t)off->uprobe__consumers);
	if (!s->error)
		s->error = error;
	else
		ksma_error_destroy(error);
	return !s->error;
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look, .kernel = look->kernel };
	const struct ksma_offsets *off = &look->kernel->off;
	uint64_t root = ksma_kernel_symbol(look->kernel, "uprobes_tree");
	size_t before = look->findings->count;
	struct ksma_error *error;
	unsigned attempt = 0;

	if (!root)
		return NULL; /* built without uprobes */
	if (off->uprobe__rb_node == KSMA_NO_MEMBER || off->uprobe__consumers == KSMA_NO_MEMBER ||
	    off->uprobe__inode == KSMA_NO_MEMBER || off->uprobe__offset == KSMA_NO_MEMBER ||
	    off->uprobe_consumer__handler == KSMA_NO_MEMBER)
		return ksma_kernel_missing_member("uprobe as it is known here");
	do {
		while (look->findings->count > before)
			ksma_finding_deinit(&look->findings->items[--look->findings->count]);
		s.budget = ksma_budget_default();
		error = ksma_kernel_rbtree(look->kernel, root, &s.budget, take_uprobe, &s);
		if (s.error) {
			ksma_error_destroy(error);
			error = TAKE_PTR(s.error);
		}
	} while (ksma_kernel_retry(look->kernel, &attempt, &error));
	return error;
}

const struct ksma_check ksma_check_uprobes = {
	.info = {
		.name = "uprobes",
		.title = "Probes of programs",
		.attack = "T1056.004",
		.needs = "memory",
		.structures = "uprobes_tree (struct uprobe) and the consumers of each: handler, ret_handler, filter",
		.why = "A probe on a library sees the arguments of its functions in every program that runs them, passwords among them, and may change what the "
		       "program does; the library's file shows nothing.",
		.cost = "under 0.01 ms",
		.false_alarms = "A tracer that puts probes on programs from a module of its own (SystemTap) is reported as medium. Probes of tracefs, perf "
				"and BPF lead to functions of the kernel.",
		.todo = "Look at the owner of the handler and the program it watches: by inode and offset.",
	},
	.run = run,
};
