/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks for BPF programs where they are reached from, so that one that left the kernel's table of ids is still found.
 *
 * Source: kernel/bpf/{syscall,trampoline,core,cgroup}.c, kernel/trace/bpf_trace.c, include/linux/netdevice.h. */
#include "linux/bpf.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "linux/processes.h"
#include "linux/sockets.h"

enum {
	MAX_ARRAY =
		256, /* programs of one place: BPF_TRACE_MAX_PROGS, BPF_CGROUP_MAX_PROGS are 64 */
	TRAMPOLINE_TABLE = 1024,
	TRAMPOLINE_KINDS = 3, /* BPF_TRAMP_MAX, at the least */
	XDP_MODES = 3,	      /* __MAX_XDP_MODE */
	TCX_PROGRAMS = 64,    /* BPF_MPROG_MAX */
	MAX_CGROUP_TYPES = 64,
	MAX_CGROUPS = 4096,
	LIST_TRIES = 3,
};

struct ksma_error *ksma_bpf_attach(struct ksma_bpf_reader *reader, uint64_t program)
{
	struct ksma_bpf_attachment *attachment;

	/* dummy_bpf_prog, and XDP's empty program */
	if (!program || (program >= reader->kernel->image && program < reader->kernel->image_end))
		return NULL;
	KSMA_TRY(KSMA_ARRAY_PUSH(&reader->bpf->attachments, &attachment));
	attachment->program = program;
	snprintf(attachment->kind, sizeof(attachment->kind), "%s", reader->kind);
	snprintf(attachment->where, sizeof(attachment->where), "%s", reader->where);
	return NULL;
}

static bool read_member(struct ksma_kernel *kernel, uint64_t object, int32_t offset, uint64_t *ret)
{
	return offset != KSMA_NO_MEMBER && ksma_kernel_u64(kernel, object + (uint64_t)offset, ret);
}

/* struct bpf_prog_array: items until one that has no program. */
static struct ksma_error *attach_array(struct ksma_bpf_reader *r, uint64_t array)
{
	const struct ksma_offsets *off = &r->kernel->off;
	uint32_t size = r->kernel->size.bpf_prog_array_item;
	uint64_t program;

	if (!array || !size || off->bpf_prog_array__items == KSMA_NO_MEMBER ||
	    off->bpf_prog_array_item__prog == KSMA_NO_MEMBER)
		return NULL;
	for (unsigned i = 0; i < MAX_ARRAY; i++) {
		if (!ksma_kernel_u64(r->kernel,
				     array + (uint64_t)off->bpf_prog_array__items +
					     (uint64_t)i * size +
					     (uint64_t)off->bpf_prog_array_item__prog,
				     &program) ||
		    !program)
			return NULL;
		KSMA_TRY(ksma_bpf_attach(r, program));
	}
	return NULL;
}

/* Walks a list that may change; what was added by a torn walk is taken back. A list that keeps changing is a gap. */
typedef struct ksma_error *(*walk_fn)(struct ksma_kernel *kernel, uint64_t head,
				      struct ksma_budget *budget, ksma_list_fn fn, void *arg);
static struct ksma_error *walk(struct ksma_bpf_reader *r, walk_fn how, uint64_t head,
			       ksma_list_fn fn, const char *what)
{
	size_t before = r->bpf->attachments.count;
	struct ksma_error *error;

	for (unsigned tries = 0;; tries++) {
		r->bpf->attachments.count = before;
		error = how(r->kernel, head, &r->budget, fn, r);
		if (r->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(r->error);
		}
		if (!error)
			return NULL;
		if (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST)
			return error;
		if (tries == LIST_TRIES ||
		    (error->code != KSMA_ERROR_BAD_DATA && error->code != KSMA_ERROR_FAULT)) {
			ksma_coverage_error(r->coverage, KSMA_COVERAGE_PARTIAL, error, what);
			return NULL;
		}
		ksma_error_destroy(error);
		if (ksma_kernel_is_copied(r->kernel))
			KSMA_TRY(ksma_kernel_refresh(r->kernel));
	}
}

static bool take_link(void *arg, uint64_t index, uint64_t link)
{
	/* enum bpf_link_type of include/uapi/linux/bpf.h, which only grows */
	static const char *const types[] = { "unspec",	     "raw_tracepoint", "tracing",
					     "cgroup",	     "iter",	       "netns",
					     "xdp",	     "perf_event",     "kprobe_multi",
					     "struct_ops",   "netfilter",      "tcx",
					     "uprobe_multi", "netkit",	       "sockmap" };
	struct ksma_bpf_reader *r = arg;
	const struct ksma_offsets *off = &r->kernel->off;
	uint64_t program;
	uint32_t type = 0;

	if (!read_member(r->kernel, link, off->bpf_link__prog, &program))
		return true; /* it went away */
	if (off->bpf_link__type != KSMA_NO_MEMBER &&
	    !ksma_kernel_u32(r->kernel, link + (uint64_t)off->bpf_link__type, &type))
		type = 0;
	snprintf(r->where, sizeof(r->where), "%" PRIu64 " (%s)", index,
		 type < ARRAY_SIZE(types) ? types[type] : "new");
	r->error = ksma_bpf_attach(r, program);
	return !r->error;
}

static struct ksma_error *attach_links(struct ksma_bpf_reader *r)
{
	uint64_t idr = ksma_kernel_symbol(r->kernel, "link_idr");
	size_t before = r->bpf->attachments.count;
	struct ksma_error *error = NULL;

	if (!idr)
		return NULL; /* before 5.8 */
	r->kind = "link";
	for (unsigned tries = 0; tries < LIST_TRIES; tries++) {
		ksma_error_destroy(TAKE_PTR(error));
		r->bpf->attachments.count = before;
		error = ksma_kernel_xarray(r->kernel, idr, &r->budget, take_link, r);
		if (r->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(r->error);
		}
		if (!error)
			return NULL;
	}
	ksma_coverage_error(r->coverage, KSMA_COVERAGE_PARTIAL, error, "the links of BPF");
	return NULL;
}

/* Every program that was made into code has a name, by which the kernel tells what runs. */
static bool take_name(void *arg, uint64_t node)
{
	struct ksma_bpf_reader *r = arg;
	const struct ksma_offsets *off = &r->kernel->off;
	uint64_t ksym = node - (uint64_t)off->bpf_ksym__lnode,
		 aux = ksym - (uint64_t)off->bpf_prog_aux__ksym, program;
	uint8_t is_program;

	if (!ksma_kernel_bytes(r->kernel, ksym + (uint64_t)off->bpf_ksym__prog, &is_program, 1) ||
	    !is_program || !read_member(r->kernel, aux, off->bpf_prog_aux__prog, &program))
		return true;
	if (!ksma_kernel_string(r->kernel, ksym + (uint64_t)off->bpf_ksym__name, r->where,
				sizeof(r->where)))
		r->where[0] = 0;
	r->error = ksma_bpf_attach(r, program);
	return !r->error;
}

static struct ksma_error *attach_names(struct ksma_bpf_reader *r)
{
	const struct ksma_offsets *off = &r->kernel->off;
	uint64_t head = ksma_kernel_symbol(r->kernel, "bpf_kallsyms");

	if (!head || off->bpf_ksym__lnode == KSMA_NO_MEMBER ||
	    off->bpf_ksym__prog == KSMA_NO_MEMBER || off->bpf_ksym__name == KSMA_NO_MEMBER ||
	    off->bpf_prog_aux__ksym == KSMA_NO_MEMBER)
		return NULL;
	r->kind = "name";
	return walk(r, ksma_kernel_list, head, take_name, "bpf_kallsyms");
}

/* What hangs from a trampoline: a program's aux in 5.10, a link since 5.19, a node that names its link since 7.1 or so. */
static bool take_trampoline_user(void *arg, uint64_t node)
{
	struct ksma_bpf_reader *r = arg;
	const struct ksma_offsets *off = &r->kernel->off;
	uint64_t link = 0, program = 0;
	bool read;

	if (off->bpf_tramp_node__tramp_hlist != KSMA_NO_MEMBER)
		read = read_member(r->kernel, node - (uint64_t)off->bpf_tramp_node__tramp_hlist,
				   off->bpf_tramp_node__link, &link) &&
		       read_member(r->kernel, link, off->bpf_link__prog, &program);
	else if (off->bpf_tramp_link__tramp_hlist != KSMA_NO_MEMBER)
		read = read_member(r->kernel,
				   node - (uint64_t)off->bpf_tramp_link__tramp_hlist +
					   (uint64_t)off->bpf_tramp_link__link,
				   off->bpf_link__prog, &program);
	else if (off->bpf_prog_aux__tramp_hlist != KSMA_NO_MEMBER)
		read = read_member(r->kernel, node - (uint64_t)off->bpf_prog_aux__tramp_hlist,
				   off->bpf_prog_aux__prog, &program);
	else
		read = false;
	if (read)
		r->error = ksma_bpf_attach(r, program);
	return !r->error;
}

static bool take_trampoline(void *arg, uint64_t node)
{
	struct ksma_bpf_reader *r = arg;
	const struct ksma_offsets *off = &r->kernel->off;
	int32_t hlist = off->bpf_trampoline__hlist_key != KSMA_NO_MEMBER
				? off->bpf_trampoline__hlist_key
				: off->bpf_trampoline__hlist;
	uint64_t trampoline = node - (uint64_t)hlist, extension, address = 0;
	unsigned kinds =
		(unsigned)(off->bpf_trampoline__progs_cnt - off->bpf_trampoline__progs_hlist) / 8;

	if (kinds > 8)
		kinds = TRAMPOLINE_KINDS;
	if (!read_member(r->kernel, trampoline, off->bpf_trampoline__func_addr, &address) ||
	    !ksma_kernel_describe(r->kernel, ksma_gva_of(address), r->where, sizeof(r->where)))
		snprintf(r->where, sizeof(r->where), "0x%" PRIx64, address);
	if (read_member(r->kernel, trampoline, off->bpf_trampoline__extension_prog, &extension))
		r->error = ksma_bpf_attach(r, extension);
	for (unsigned i = 0; i < kinds && !r->error; i++) {
		struct ksma_error *error = ksma_kernel_hlist(
			r->kernel,
			trampoline + (uint64_t)off->bpf_trampoline__progs_hlist + 8ul * i,
			&r->budget, take_trampoline_user, r);

		/* One that changes just now is looked at in the next pass; its programs have other places too. */
		ksma_error_destroy(error);
	}
	return !r->error;
}

static struct ksma_error *attach_trampolines(struct ksma_bpf_reader *r)
{
	const struct ksma_offsets *off = &r->kernel->off;
	uint64_t table = ksma_kernel_symbol(r->kernel, "trampoline_table")
				 ?: ksma_kernel_symbol(r->kernel, "trampoline_key_table"),
		 heads[TRAMPOLINE_TABLE];

	if (!table || off->bpf_trampoline__progs_hlist == KSMA_NO_MEMBER ||
	    (off->bpf_trampoline__hlist == KSMA_NO_MEMBER &&
	     off->bpf_trampoline__hlist_key == KSMA_NO_MEMBER))
		return NULL;
	if (!ksma_kernel_bytes(r->kernel, table, heads, sizeof(heads))) {
		ksma_coverage_gap(r->coverage, KSMA_COVERAGE_PARTIAL,
				  "the trampolines of BPF cannot be read");
		return NULL;
	}
	r->kind = "trampoline";
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		if (heads[i])
			KSMA_TRY(walk(r, ksma_kernel_hlist, table + 8 * i, take_trampoline,
				      "a trampoline of BPF"));
	return NULL;
}

static struct ksma_error *attach_call(struct ksma_bpf_reader *r, uint64_t call)
{
	uint64_t array;

	if (!read_member(r->kernel, call, r->kernel->off.trace_event_call__prog_array, &array))
		return NULL;
	return attach_array(r, array);
}

static bool take_event(void *arg, uint64_t node)
{
	struct ksma_bpf_reader *r = arg;
	const struct ksma_offsets *off = &r->kernel->off;
	uint64_t call = node - (uint64_t)off->trace_event_call__list, name;

	/* A name, or the tracepoint that has one: both tell where it is. */
	if (!read_member(r->kernel, call, off->trace_event_call__name, &name) ||
	    !ksma_kernel_describe(r->kernel, ksma_gva_of(name), r->where, sizeof(r->where)))
		snprintf(r->where, sizeof(r->where), "0x%" PRIx64, call);
	r->error = attach_call(r, call);
	return !r->error;
}

static struct ksma_error *attach_events(struct ksma_bpf_reader *r)
{
	uint64_t head = ksma_kernel_symbol(r->kernel, "ftrace_events");

	if (!head || r->kernel->off.trace_event_call__list == KSMA_NO_MEMBER)
		return NULL;
	r->kind = "event";
	return walk(r, ksma_kernel_list, head, take_event, "ftrace_events");
}

static bool take_perf_event(void *arg, uint64_t node)
{
	struct ksma_bpf_reader *r = arg;
	const struct ksma_offsets *off = &r->kernel->off;
	uint64_t event = node - (uint64_t)off->perf_event__event_entry, program, call;

	if (read_member(r->kernel, event, off->perf_event__prog, &program))
		r->error = ksma_bpf_attach(r, program);
	if (!r->error && read_member(r->kernel, event, off->perf_event__tp_event, &call) && call)
		r->error = attach_call(r, call);
	return !r->error;
}

/* A context of perf events; `known` where there may be none. */
static struct ksma_error *attach_context(struct ksma_bpf_reader *r, uint64_t context)
{
	uint64_t head = context + (uint64_t)r->kernel->off.perf_event_context__event_list, first;

	if (!ksma_kernel_u64(r->kernel, head, &first) || !first)
		return NULL;
	r->kind = "perf";
	return walk(r, ksma_kernel_list, head, take_perf_event, "a context of perf events");
}

static struct ksma_error *attach_cpus(struct ksma_bpf_reader *r)
{
	if (r->kernel->off.perf_event_context__event_list == KSMA_NO_MEMBER ||
	    r->kernel->off.perf_event__event_entry == KSMA_NO_MEMBER)
		return NULL;
	for (unsigned cpu = 0; cpu < r->kernel->cpus && cpu < KSMA_MAX_CPUS; cpu++) {
		uint64_t context = ksma_kernel_per_cpu(r->kernel, "perf_cpu_context", cpu);

		snprintf(r->where, sizeof(r->where), "processor %u", cpu);
		if (context)
			KSMA_TRY(attach_context(r, context));
	}
	return NULL;
}

static struct ksma_error *attach_task(struct ksma_bpf_reader *r, const struct ksma_process *task)
{
	const struct ksma_offsets *off = &r->kernel->off;
	unsigned contexts = off->perf_event_context__pmu_ctx_list == KSMA_NO_MEMBER ? 2 : 1;

	if (off->task_struct__perf_event_ctxp == KSMA_NO_MEMBER ||
	    off->perf_event_context__event_list == KSMA_NO_MEMBER ||
	    off->perf_event__event_entry == KSMA_NO_MEMBER)
		return NULL;
	snprintf(r->where, sizeof(r->where), "process %d", task->pid);
	for (unsigned i = 0; i < contexts; i++) {
		uint64_t context;

		if (read_member(r->kernel, task->task + 8ul * i, off->task_struct__perf_event_ctxp,
				&context) &&
		    context > 4096 && context != UINT64_MAX)
			KSMA_TRY(attach_context(r, context));
	}
	return NULL;
}

static bool take_device(void *arg, uint64_t node)
{
	struct ksma_bpf_reader *r = arg;
	const struct ksma_offsets *off = &r->kernel->off;
	uint64_t device = node - (uint64_t)off->net_device__dev_list, entity, entry, program, link;
	const int32_t sides[] = { off->net_device__tcx_ingress, off->net_device__tcx_egress };

	if (off->net_device__name == KSMA_NO_MEMBER ||
	    !ksma_kernel_string(r->kernel, device + (uint64_t)off->net_device__name, r->where, 16))
		snprintf(r->where, sizeof(r->where), "0x%" PRIx64, device);
	r->kind = "xdp";
	for (unsigned i = 0; off->net_device__xdp_state != KSMA_NO_MEMBER && i < XDP_MODES; i++) {
		entity = device + (uint64_t)off->net_device__xdp_state +
			 (uint64_t)i * r->kernel->size.bpf_xdp_entity;
		if (read_member(r->kernel, entity, off->bpf_xdp_entity__prog, &program))
			r->error = r->error ?: ksma_bpf_attach(r, program);
		if (read_member(r->kernel, entity, off->bpf_xdp_entity__link, &link) && link &&
		    read_member(r->kernel, link, off->bpf_link__prog, &program))
			r->error = r->error ?: ksma_bpf_attach(r, program);
	}
	/* struct bpf_mprog_entry { fp_items[]: a program each; … } */
	r->kind = "tcx";
	for (size_t i = 0; i < ARRAY_SIZE(sides); i++)
		for (unsigned j = 0; sides[i] != KSMA_NO_MEMBER && j < TCX_PROGRAMS; j++) {
			if (!read_member(r->kernel, device, sides[i], &entry) || !entry ||
			    !ksma_kernel_u64(r->kernel, entry + 8ul * j, &program) || !program)
				break;
			r->error = r->error ?: ksma_bpf_attach(r, program);
		}
	r->error = r->error ?: ksma_bpf_attach_tc(r, device);
	return !r->error;
}

struct nets {
	struct ksma_bpf_reader *reader;
	uint64_t items[256];
	size_t count;
	bool more;
};

static bool take_net(void *arg, uint64_t node)
{
	struct nets *nets = arg;

	if (nets->count == ARRAY_SIZE(nets->items)) {
		nets->more = true;
		return false;
	}
	nets->items[nets->count++] = node - (uint64_t)nets->reader->kernel->off.net__list;
	return true;
}

static struct ksma_error *attach_devices(struct ksma_bpf_reader *r)
{
	const struct ksma_offsets *off = &r->kernel->off;
	uint64_t head = ksma_kernel_symbol(r->kernel, "net_namespace_list");
	struct nets nets = { .reader = r };

	if (!head || off->net__list == KSMA_NO_MEMBER ||
	    off->net__dev_base_head == KSMA_NO_MEMBER ||
	    off->net_device__dev_list == KSMA_NO_MEMBER)
		return NULL;
	ksma_coverage_error(r->coverage, KSMA_COVERAGE_PARTIAL,
			    ksma_kernel_list(r->kernel, head, &r->budget, take_net, &nets),
			    "network namespaces");
	if (nets.more)
		ksma_coverage_gap(r->coverage, KSMA_COVERAGE_PARTIAL,
				  "more network namespaces than are looked through for BPF");
	for (size_t i = 0; i < nets.count; i++)
		KSMA_TRY(walk(r, ksma_kernel_list,
			      nets.items[i] + (uint64_t)off->net__dev_base_head, take_device,
			      "network devices"));
	return NULL;
}

/* Control groups, by the processes that are in them: each is looked at once. */
struct groups {
	uint64_t items[MAX_CGROUPS];
	size_t count;
};

static struct ksma_error *attach_cgroup(struct ksma_bpf_reader *r, struct groups *groups,
					const struct ksma_process *task)
{
	const struct ksma_offsets *off = &r->kernel->off;
	unsigned types = (unsigned)(off->cgroup__bpf_progs - off->cgroup__bpf_effective) / 8;
	uint64_t set, group, array;

	if (off->cgroup__bpf_effective == KSMA_NO_MEMBER ||
	    off->cgroup__bpf_progs == KSMA_NO_MEMBER || types > MAX_CGROUP_TYPES ||
	    !read_member(r->kernel, task->task, off->task_struct__cgroups, &set) ||
	    !read_member(r->kernel, set, off->css_set__dfl_cgrp, &group))
		return NULL;
	for (size_t i = 0; i < groups->count; i++)
		if (groups->items[i] == group)
			return NULL;
	if (groups->count == MAX_CGROUPS) {
		ksma_coverage_gap(r->coverage, KSMA_COVERAGE_PARTIAL,
				  "more control groups than are looked through for BPF");
		return NULL;
	}
	groups->items[groups->count++] = group;
	r->kind = "cgroup";
	snprintf(r->where, sizeof(r->where), "of process %d", task->pid);
	for (unsigned i = 0; i < types; i++)
		if (read_member(r->kernel, group + 8ul * i, off->cgroup__bpf_effective, &array))
			KSMA_TRY(attach_array(r, array));
	return NULL;
}

/* Programs that a socket carries. One of the classic kind has type 0, and never an id. */
static struct ksma_error *attach_socket(struct ksma_bpf_reader *r, uint64_t file, int32_t pid)
{
	const struct ksma_offsets *off = &r->kernel->off;
	uint64_t sock, filter, program;
	uint32_t type;

	if (!ksma_socket_of_file(r->kernel, file, &sock) || !sock ||
	    !read_member(r->kernel, sock, off->sock__sk_filter, &filter) || !filter ||
	    !read_member(r->kernel, filter, off->sk_filter__prog, &program) ||
	    !ksma_kernel_u32(r->kernel, program + (uint64_t)off->bpf_prog__type, &type) || !type)
		return NULL;
	r->kind = "socket";
	snprintf(r->where, sizeof(r->where), "of process %d", pid);
	return ksma_bpf_attach(r, program);
}

/* Who holds programs by a descriptor: the files of bpf(2) name them in private_data. */
static void count_holder(struct ksma_bpf_reader *r, uint64_t file, int32_t pid, uint64_t fops)
{
	const struct ksma_offsets *off = &r->kernel->off;
	uint64_t ops, program;

	if (!fops || !read_member(r->kernel, file, off->file__f_op, &ops) || ops != fops ||
	    !read_member(r->kernel, file, off->file__private_data, &program))
		return;
	for (size_t i = 0; i < r->bpf->programs.count; i++)
		if (r->bpf->programs.items[i].address == program) {
			r->bpf->programs.items[i].holders++;
			r->bpf->programs.items[i].holder = pid;
		}
}

/* A perf event that a process holds, whichever context it is in: the context may be that of a task that ended. */
static struct ksma_error *attach_perf_file(struct ksma_bpf_reader *r, uint64_t file, int32_t pid,
					   uint64_t fops)
{
	const struct ksma_offsets *off = &r->kernel->off;
	uint64_t ops, event, program, call;

	if (!fops || !read_member(r->kernel, file, off->file__f_op, &ops) || ops != fops ||
	    !read_member(r->kernel, file, off->file__private_data, &event))
		return NULL;
	r->kind = "perf";
	snprintf(r->where, sizeof(r->where), "event held by process %d", pid);
	if (read_member(r->kernel, event, off->perf_event__prog, &program))
		KSMA_TRY(ksma_bpf_attach(r, program));
	if (read_member(r->kernel, event, off->perf_event__tp_event, &call) && call)
		return attach_call(r, call);
	return NULL;
}

static struct ksma_error *attach_files(struct ksma_bpf_reader *r, const struct ksma_process *task)
{
	uint64_t fops = ksma_kernel_symbol(r->kernel, "bpf_prog_fops"),
		 perf = ksma_kernel_symbol(r->kernel, "perf_fops");
	struct ksma_fds fds = { 0 };
	struct ksma_error *error;

	if (task->kernel_thread || task->tid != task->pid)
		return NULL;
	error = ksma_task_fds(r->kernel, task->task, &fds);
	if (error && (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST))
		return error;
	ksma_error_destroy(TAKE_PTR(error)); /* it ended, or its files keep changing */
	for (size_t i = 0; i < fds.count && !error; i++) {
		count_holder(r, fds.items[i].file, task->pid, fops);
		error = attach_socket(r, fds.items[i].file, task->pid);
		if (!error)
			error = attach_perf_file(r, fds.items[i].file, task->pid, perf);
	}
	free(fds.items);
	return error;
}

static struct ksma_error *attach_tasks(struct ksma_bpf_reader *r)
{
	_cleanup_free_ struct groups *groups = calloc(1, sizeof(*groups));
	struct ksma_processes tasks = { 0 };
	struct ksma_error *error;

	if (!groups)
		return ksma_error_nomem();
	error = ksma_linux_processes(r->kernel, KSMA_PROCESS_THREADS, r->coverage, &tasks);
	if (error) {
		if (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST)
			return error;
		ksma_coverage_error(r->coverage, KSMA_COVERAGE_PARTIAL, error, "processes");
		return NULL;
	}
	for (size_t i = 0; i < tasks.count && !error; i++) {
		error = attach_task(r, &tasks.items[i]);
		if (!error)
			error = attach_cgroup(r, groups, &tasks.items[i]);
		if (!error)
			error = attach_files(r, &tasks.items[i]);
	}
	ksma_processes_free(&tasks);
	return error;
}

struct ksma_error *ksma_bpf_attachments(struct ksma_bpf_reader *r)
{
	KSMA_TRY(attach_links(r));
	KSMA_TRY(attach_names(r));
	KSMA_TRY(attach_trampolines(r));
	KSMA_TRY(attach_events(r));
	KSMA_TRY(attach_cpus(r));
	KSMA_TRY(attach_devices(r));
	return attach_tasks(r);
}
