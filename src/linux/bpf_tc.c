/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* BPF programs that traffic control calls for the packets of a device.
 *
 * A filter of kind "bpf" has the head of a list of programs as its root. The structs of net/sched/cls_bpf.c are a module's, so that the
 * kernel's types do not tell of them: struct cls_bpf_head begins with the list, struct cls_bpf_prog with its program and the link. So it is
 * in 5.10 to 7.2. */
#include "linux/bpf.h"

#include "base/bytes.h"
#include "linux/traffic_control.h"

enum {
	MAX_PROGRAMS = 4096,
	PROGRAM_OF_LINK = 8, /* the program lies before the link */
	KIND = 16,	     /* IFNAMSIZ */
};

static bool read_member(struct ksma_kernel *kernel, uint64_t object, int32_t offset, uint64_t *ret)
{
	return offset != KSMA_NO_MEMBER && ksma_kernel_u64(kernel, object + (uint64_t)offset, ret);
}

/* One that was made of a packet filter's old instructions has no id, as those of sockets. */
static bool is_classic(struct ksma_kernel *kernel, uint64_t program)
{
	uint32_t type;

	return !ksma_kernel_u32(kernel, program + (uint64_t)kernel->off.bpf_prog__type, &type) ||
	       type == 0;
}

static struct ksma_error *attach_filter(struct ksma_bpf_reader *r, uint64_t head)
{
	uint64_t link, program;

	if (!ksma_kernel_u64(r->kernel, head, &link))
		return NULL;
	for (unsigned i = 0; link != head && i < MAX_PROGRAMS; i++) {
		if (!ksma_budget_spend(&r->budget))
			return ksma_budget_error("filters of traffic control");
		if (!ksma_kernel_u64(r->kernel, link - PROGRAM_OF_LINK, &program) ||
		    !ksma_kernel_u64(r->kernel, link, &link))
			return NULL; /* it is being taken away */
		if (program && !is_classic(r->kernel, program))
			KSMA_TRY(ksma_bpf_attach(r, program));
	}
	return NULL;
}

static bool is_bpf(struct ksma_kernel *kernel, uint64_t proto)
{
	uint64_t ops;
	char kind[KIND];

	return read_member(kernel, proto, kernel->off.tcf_proto__ops, &ops) &&
	       kernel->off.tcf_proto_ops__kind != KSMA_NO_MEMBER &&
	       ksma_kernel_string(kernel, ops + (uint64_t)kernel->off.tcf_proto_ops__kind, kind,
				  sizeof(kind)) &&
	       strcmp(kind, "bpf") == 0;
}

static struct ksma_error *attach_filters(struct ksma_bpf_reader *r, const struct ksma_tc *tc)
{
	uint64_t root;

	r->kind = "tc";
	for (size_t i = 0; i < tc->filters.count; i++)
		if (is_bpf(r->kernel, tc->filters.items[i]) &&
		    read_member(r->kernel, tc->filters.items[i], r->kernel->off.tcf_proto__root,
				&root) &&
		    root)
			KSMA_TRY(attach_filter(r, root));
	return NULL;
}

struct ksma_error *ksma_bpf_attach_tc(struct ksma_bpf_reader *r, uint64_t device)
{
	struct ksma_tc tc;
	struct ksma_error *error = ksma_coverage_take(r->coverage, KSMA_COVERAGE_PARTIAL,
						      ksma_tc_read(r->kernel, device, &tc),
						      "filters of traffic control");

	if (!error)
		error = attach_filters(r, &tc);
	ksma_tc_deinit(&tc);
	return error;
}
