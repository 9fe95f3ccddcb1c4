/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the present state of a running kernel into the expected bytes: static keys, static calls, ftrace. */
#include <inttypes.h>

#include "base/bytes.h"
#include "checks/proof.h"
#include "x86/decode.h"

enum {
	JMP = 0xe9,
	JMP8 = 0xeb,
	CALL = 0xe8,
	MAX_RECORDS = 1 << 20,
	MAX_PAGES = 1 << 16,
	RECORDS_AT_ONCE = 256,
	RECORD = 16, /* struct dyn_ftrace: ip, flags */
	KPROBE_BUCKETS = 64,
	MAX_PROBES = 1 << 16,
	KPROBE_GONE = 1, /* include/linux/kprobes.h */
	KPROBE_DISABLED = 2,
	KPROBE_OPTIMIZED = 4,
	KPROBE_FTRACE = 8,
	INT3 = 0xcc,
};

/* include/linux/ftrace.h: the flags are counted from the top, equal in all kernels that have them. */
#define RECORD_ENABLED (1ull << 31)
#define RECORD_REGS (1ull << 29)
#define RECORD_TRAMPOLINE (1ull << 27)
#define RECORD_DIRECT (1ull << 23)

/* static_key_enabled(): a key that is being changed counts as on. */
static bool key_enabled(struct ksma_kernel *kernel, uint64_t key, bool *ret_enabled)
{
	uint32_t value;

	if (!ksma_kernel_u32(kernel, key, &value))
		return false;
	*ret_enabled = value != 0;
	return true;
}

/* A site of a baseline whose length is not known yet. @return false: it is still being patched */
static bool settle_jump(struct ksma_look *look, struct ksma_proof_unit *unit,
			struct ksma_jump_site *site)
{
	uint8_t *code = ksma_patch_at(&unit->patch, site->code, 5);

	if (!code)
		return false;
	if (!ksma_baseline_settle(look->kernel, code, site->code, 5))
		return false;
	site->size = ksma_proof_jump_size(code);
	return true;
}

static void update_jumps(struct ksma_look *look, struct ksma_proof_unit *unit)
{
	const uint8_t *nop5 = ksma_patch_nop5(&unit->patch);
	size_t lost = 0, unsettled = 0;

	for (size_t i = 0; i < unit->jumps.count; i++) {
		struct ksma_jump_site *s = &unit->jumps.items[i];
		bool enabled = false;
		uint8_t *code;

		if (!s->size && !settle_jump(look, unit, s)) {
			unsettled++;
			continue;
		}
		code = ksma_patch_at(&unit->patch, s->code, s->size);
		if (!code)
			continue;
		lost += !key_enabled(look->kernel, s->key, &enabled);
		if (enabled == s->branch) {
			ksma_patch_nops(&unit->patch, code, s->size);
			if (s->size == 5)
				memcpy(code, nop5, 5);
		} else if (s->size == 2) {
			code[0] = JMP8;
			code[1] = (uint8_t)(s->target - (s->code + 2));
		} else {
			ksma_patch_branch(code, JMP, s->code, s->target);
		}
	}
	if (lost)
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "%zu static keys cannot be read", lost);
	if (unsettled)
		ksma_coverage_gap(
			look->coverage, KSMA_COVERAGE_PARTIAL,
			"%zu branches of static keys have been in the midst of a change since the first look",
			unsettled);
}

/* A static call leads to the start of a function of somebody. */
static bool may_be_called(struct ksma_look *look, uint64_t function)
{
	const struct ksma_owner *owner = ksma_owners_find(look->owners, function);

	if (!owner)
		return false;
	return owner->kind == KSMA_OWNER_BPF || owner->kind == KSMA_OWNER_BPF_PACK ||
	       ksma_owners_is_function(look->kernel, look->owners, function);
}

static struct ksma_error *report_call(struct ksma_look *look, const struct ksma_call_site *site,
				      uint64_t function)
{
	struct ksma_finding *finding;
	char name[200];

	ksma_kernel_describe(look->kernel, ksma_gva_of(site->key ?: site->code), name,
			     sizeof(name));
	KSMA_TRY(ksma_finding_add(look, KSMA_SEVERITY_CRITICAL, &finding, "static-call/%s", name));
	KSMA_TRY(ksma_finding_title(finding,
				    "a static call leads to code that is no function of anybody"));
	KSMA_TRY(ksma_finding_address(look, finding, "key", site->key));
	KSMA_TRY(ksma_finding_address(look, finding, "site", site->code));
	return ksma_finding_code(look, finding, "found", function);
}

/* Where a static call leads: by its key, or for a trampoline of a module without a reference whose key nothing names, by itself. */
static bool read_call(struct ksma_look *look, const struct ksma_call_site *site,
		      uint64_t *ret_function)
{
	uint8_t code[5];

	if (site->key)
		return ksma_kernel_u64(look->kernel, site->key, ret_function);
	if (!ksma_kernel_bytes(look->kernel, site->code, code, sizeof(code)))
		return false;
	*ret_function = code[0] == JMP ? ksma_branch_target(code, site->code) : 0;
	return true;
}

static struct ksma_error *update_calls(struct ksma_look *look, struct ksma_proof_unit *unit)
{
	uint64_t known = 0; /* the function last seen to be one */
	size_t lost = 0, unsettled = 0;

	for (size_t i = 0; i < unit->calls.count; i++) {
		struct ksma_call_site *s = &unit->calls.items[i];
		uint8_t *code = ksma_patch_at(&unit->patch, s->code, 5), buffer[6];
		uint64_t function;
		size_t n;

		if (!code)
			continue;
		if (unit->baseline && s->vendor[0] == INT3) {
			if (!ksma_baseline_settle(look->kernel, code, s->code,
						  ksma_patch_at(&unit->patch, s->code, 6) ? 6
											  : 5)) {
				unsettled++;
				continue;
			}
			memcpy(s->vendor, code, sizeof(s->vendor));
		}
		if (!read_call(look, s, &function)) {
			lost++;
			continue;
		}
		if (function && function != known) {
			if (may_be_called(look, function))
				known = function;
			else
				KSMA_TRY(report_call(look, s, function));
		}
		n = ksma_patch_static_call(&unit->patch, s->vendor, s->code, function, s->tail,
					   buffer);
		if (ksma_patch_at(&unit->patch, s->code, n))
			memcpy(code, buffer, n);
	}
	if (lost)
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "the keys of %zu static calls cannot be read", lost);
	if (unsettled)
		ksma_coverage_gap(
			look->coverage, KSMA_COVERAGE_PARTIAL,
			"%zu static calls have been in the midst of a change since the first look",
			unsettled);
	return NULL;
}

static struct ksma_trace_site *find_trace(struct ksma_proof_unit *unit, uint64_t ip)
{
	size_t low = 0, high = unit->traces.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (unit->traces.items[middle].ip < ip)
			low = middle + 1;
		else
			high = middle;
	}
	return low < unit->traces.count && unit->traces.items[low].ip == ip
		       ? &unit->traces.items[low]
		       : NULL;
}

/* Where a traced function's first instruction leads. Of a trampoline or a direct call the record says only that there is one: the
 * guest's own target is taken when it is the start of one. @return 0: nothing that it could be */
static uint64_t trace_target(struct ksma_look *look, uint64_t ip, uint64_t flags)
{
	const struct ksma_owner *owner;
	uint8_t code[5];
	uint64_t target;

	if (flags & (RECORD_DIRECT | RECORD_TRAMPOLINE)) {
		if (!ksma_kernel_bytes(look->kernel, ip, code, 5) || code[0] != CALL)
			return 0;
		target = ksma_branch_target(code, ip);
		owner = ksma_owners_find(look->owners, target);
		if (owner && owner->kind == KSMA_OWNER_FTRACE && target == owner->start)
			return target;
		if (owner && flags & RECORD_DIRECT &&
		    (owner->kind == KSMA_OWNER_BPF || owner->kind == KSMA_OWNER_BPF_PACK ||
		     (owner->kind == KSMA_OWNER_MODULE &&
		      ksma_owners_is_function(look->kernel, look->owners, target))))
			return target;
		/* 5.10: the graph tracer's own entry is a trampoline of the image. */
		if (flags & RECORD_TRAMPOLINE &&
		    target == ksma_kernel_symbol(look->kernel, "ftrace_graph_caller"))
			return target;
		if (flags & RECORD_TRAMPOLINE &&
		    target == ksma_kernel_symbol(look->kernel, "ftrace_caller"))
			return target;
		return 0;
	}
	return ksma_kernel_symbol(look->kernel,
				  flags & RECORD_REGS ? "ftrace_regs_caller" : "ftrace_caller");
}

static void reset_traces(struct ksma_proof_unit *unit)
{
	const uint8_t *nop = ksma_patch_nop5(&unit->patch);

	for (size_t i = 0; i < unit->traces.count; i++) {
		struct ksma_trace_site *s = &unit->traces.items[i];
		uint8_t *code = s->enabled ? ksma_patch_at(&unit->patch, s->ip, 5) : NULL;

		if (code)
			memcpy(code, nop, 5);
		s->enabled = false;
	}
}

static void update_traces(struct ksma_look *look, struct ksma_proof *proof,
			  struct ksma_proof_unit *unit)
{
	size_t low = 0, high = proof->records.count;

	reset_traces(unit);
	if (!unit->traces.count)
		return;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (proof->records.items[middle].ip < unit->traces.items[0].ip)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < proof->records.count; low++) {
		const struct ksma_trace_record *r = &proof->records.items[low];
		struct ksma_trace_site *site;
		uint8_t *code;
		uint64_t target;

		if (r->ip > unit->traces.items[unit->traces.count - 1].ip)
			break;
		site = find_trace(unit, r->ip);
		code = site ? ksma_patch_at(&unit->patch, r->ip, 5) : NULL;
		target = code ? trace_target(look, r->ip, r->flags) : 0;
		if (!target)
			continue; /* the NOP stays expected, and the difference is told */
		ksma_patch_branch(code, CALL, r->ip, target);
		site->enabled = true;
	}
}

static int by_record(const void *a, const void *b)
{
	const struct ksma_trace_record *x = a, *y = b;

	return x->ip < y->ip ? -1 : x->ip > y->ip;
}

/* Without the vendor's table of functions that can be traced, the records name them. */
static struct ksma_error *add_trace(struct ksma_proof_unit *unit, uint64_t ip)
{
	uint8_t *code = ksma_patch_at(&unit->patch, ip, 5);
	struct ksma_trace_site *site;

	if (!code)
		return NULL;
	KSMA_TRY(KSMA_ARRAY_PUSH(&unit->traces, &site));
	site->ip = ip;
	memcpy(code, ksma_patch_nop5(&unit->patch), 5);
	return NULL;
}

static int by_site(const void *a, const void *b)
{
	const struct ksma_trace_site *x = a, *y = b;

	return x->ip < y->ip ? -1 : x->ip > y->ip;
}

/* One page of records: those of traced functions are kept. */
static struct ksma_error *take_records(struct ksma_look *look, struct ksma_proof *proof,
				       uint64_t array, uint32_t count)
{
	uint8_t buffer[RECORDS_AT_ONCE * RECORD];

	for (uint32_t done = 0; done < count;) {
		uint32_t n = count - done < RECORDS_AT_ONCE ? count - done : RECORDS_AT_ONCE;

		if (!ksma_kernel_bytes(look->kernel, array + (uint64_t)done * RECORD, buffer,
				       (size_t)n * RECORD))
			return ksma_error_fault(array, "ftrace records cannot be read");
		for (uint32_t i = 0; i < n; i++) {
			struct ksma_trace_record *r;

			for (size_t j = 0; j < proof->wanting.count; j++)
				KSMA_TRY(add_trace(proof->wanting.items[j],
						   ksma_le64(buffer + i * RECORD)));
			if (!(ksma_le64(buffer + i * RECORD + 8) & RECORD_ENABLED))
				continue;
			KSMA_TRY(KSMA_ARRAY_PUSH(&proof->records, &r));
			r->ip = ksma_le64(buffer + i * RECORD);
			r->flags = ksma_le64(buffer + i * RECORD + 8);
		}
		done += n;
	}
	return NULL;
}

/* struct ftrace_page { next; records; index; … } */
static struct ksma_error *read_records(struct ksma_look *look, struct ksma_proof *proof)
{
	struct ksma_kernel *kernel = look->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t page = 0, head = ksma_kernel_symbol(kernel, "ftrace_pages_start");
	size_t records = 0, pages = 0;

	KSMA_TRY(KSMA_NEED(kernel, ftrace_page__next));
	KSMA_TRY(KSMA_NEED(kernel, ftrace_page__records));
	KSMA_TRY(KSMA_NEED(kernel, ftrace_page__index));
	if (!head || kernel->size.dyn_ftrace != RECORD || !ksma_kernel_u64(kernel, head, &page))
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"this kernel's ftrace records are not in a form that is known");
	for (; page; pages++) {
		uint64_t array;
		uint32_t count;

		if (pages == MAX_PAGES ||
		    !ksma_kernel_u64(kernel, page + (uint64_t)off->ftrace_page__records, &array) ||
		    !ksma_kernel_u32(kernel, page + (uint64_t)off->ftrace_page__index, &count) ||
		    !ksma_kernel_u64(kernel, page + (uint64_t)off->ftrace_page__next, &page))
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "the list of ftrace records is damaged");
		records += count;
		if (records > MAX_RECORDS)
			return ksma_budget_error("ftrace records");
		KSMA_TRY(take_records(look, proof, array, count));
	}
	if (proof->records.count)
		qsort(proof->records.items, proof->records.count, sizeof(*proof->records.items),
		      by_record);
	return NULL;
}

/* What a probe stands on, where its copies of that lie, and where an optimised one leads. */
static void read_armed(struct ksma_kernel *kernel, uint64_t probe, uint32_t flags,
		       struct ksma_armed *armed)
{
	const struct ksma_offsets *off = &kernel->off;
	uint64_t optimized = probe - (uint64_t)off->optimized_kprobe__kp;

	armed->has_opcode =
		off->kprobe__opcode != KSMA_NO_MEMBER &&
		ksma_kernel_bytes(kernel, probe + (uint64_t)off->kprobe__opcode, &armed->opcode, 1);
	if (off->kprobe__ainsn_insn != KSMA_NO_MEMBER)
		ksma_kernel_u64(kernel, probe + (uint64_t)off->kprobe__ainsn_insn, &armed->step);
	if (!(flags & KPROBE_OPTIMIZED) || off->optimized_kprobe__insn == KSMA_NO_MEMBER ||
	    off->optimized_kprobe__kp == KSMA_NO_MEMBER)
		return;
	armed->optimized = optimized;
	ksma_kernel_u64(kernel, optimized + (uint64_t)off->optimized_kprobe__insn, &armed->jump);
	if (off->optimized_kprobe__copied == KSMA_NO_MEMBER ||
	    !ksma_kernel_bytes(kernel, optimized + (uint64_t)off->optimized_kprobe__copied,
			       armed->copied, sizeof(armed->copied)))
		armed->has_opcode = false;
}

/* kprobe_table[64]: chains of kprobes by address. An aggregate stands for several at one place. */
struct ksma_error *ksma_proof_read_probes(struct ksma_proof *proof)
{
	struct ksma_kernel *kernel = proof->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t table = ksma_kernel_symbol(kernel, "kprobe_table");
	size_t seen = 0;

	proof->probes.count = 0;
	if (!table)
		return NULL; /* a kernel without kprobes */
	KSMA_TRY(KSMA_NEED(kernel, kprobe__hlist));
	KSMA_TRY(KSMA_NEED(kernel, kprobe__addr));
	KSMA_TRY(KSMA_NEED(kernel, kprobe__flags));
	for (unsigned i = 0; i < KPROBE_BUCKETS; i++) {
		uint64_t node;

		if (!ksma_kernel_u64(kernel, table + 8ull * i, &node))
			return ksma_error_fault(table, "kprobe_table cannot be read");
		while (node) {
			uint64_t probe = node - (uint64_t)off->kprobe__hlist;
			struct ksma_armed *armed;
			uint32_t flags;

			if (seen++ == MAX_PROBES)
				return ksma_budget_error("kprobe_table");
			KSMA_TRY(KSMA_ARRAY_PUSH(&proof->probes, &armed));
			*armed = (struct ksma_armed){ 0 };
			if (!ksma_kernel_u64(kernel, probe + (uint64_t)off->kprobe__addr,
					     &armed->address) ||
			    !ksma_kernel_u32(kernel, probe + (uint64_t)off->kprobe__flags,
					     &flags) ||
			    !ksma_kernel_u64(kernel, node, &node))
				return ksma_error_fault(node, "a kprobe cannot be read");
			/* A disabled one that is optimised still has its jump, until a worker gets round to it. */
			armed->leaving = flags & KPROBE_DISABLED;
			if (flags & (KPROBE_GONE | KPROBE_FTRACE) ||
			    (armed->leaving && !(flags & KPROBE_OPTIMIZED)))
				proof->probes.count--;
			else
				read_armed(kernel, probe, flags, armed);
		}
	}
	return NULL;
}

struct ksma_error *ksma_proof_read_state(struct ksma_look *look, struct ksma_proof *proof)
{
	struct ksma_error *error;

	proof->owners = look->owners;
	proof->records.count = proof->probes.count = 0;
	error = read_records(look, proof);
	if (error && error->code == KSMA_ERROR_NOMEM)
		return error;
	ksma_coverage_error(look->coverage, KSMA_COVERAGE_PARTIAL, error, "ftrace");
	for (size_t i = 0; i < proof->wanting.count; i++)
		if (proof->wanting.items[i]->traces.count)
			qsort(proof->wanting.items[i]->traces.items,
			      proof->wanting.items[i]->traces.count,
			      sizeof(*proof->unit.traces.items), by_site);
	proof->wanting.count = 0;
	error = ksma_proof_read_probes(proof);
	if (error && error->code == KSMA_ERROR_NOMEM)
		return error;
	ksma_coverage_error(look->coverage, KSMA_COVERAGE_PARTIAL, error, "kprobes");
	return NULL;
}

void ksma_proof_restore_probed(struct ksma_proof_unit *unit)
{
	while (unit->probed.count) {
		const struct ksma_probed *p = &unit->probed.items[--unit->probed.count];
		uint8_t *code = ksma_patch_at(&unit->patch, p->gva, 5);

		if (code)
			memcpy(code, p->bytes, 5);
	}
}

/* At an armed kprobe there is a breakpoint, or where it was optimised, a jump to its own copy of the instructions. */
static struct ksma_error *update_probes(struct ksma_look *look, struct ksma_proof *proof,
					struct ksma_proof_unit *unit)
{
	for (size_t i = 0; i < proof->probes.count; i++) {
		const struct ksma_armed *armed = &proof->probes.items[i];
		uint8_t *code = ksma_patch_at(&unit->patch, armed->address, 5), found[5];
		const struct ksma_owner *owner;
		struct ksma_probed *saved;

		if (!code || !ksma_kernel_bytes(look->kernel, armed->address, found, 5))
			continue;
		if (unit->baseline)
			ksma_baseline_unprobe(code, armed);
		if (armed->leaving && found[0] != JMP)
			continue;
		KSMA_TRY(KSMA_ARRAY_PUSH(&unit->probed, &saved));
		saved->gva = armed->address;
		memcpy(saved->bytes, code, 5);
		owner = armed->jump ? ksma_owners_find(look->owners, armed->jump) : NULL;
		if (found[0] == JMP && owner && owner->kind == KSMA_OWNER_KPROBE)
			ksma_patch_branch(code, JMP, armed->address, armed->jump);
		else
			code[0] = INT3;
	}
	return NULL;
}

/* The one place in ftrace_caller and ftrace_regs_caller that names the function of all tracers. */
static void update_trace_function(struct ksma_look *look, struct ksma_proof_unit *unit)
{
	static const char *const places[] = { "ftrace_call", "ftrace_regs_call" };
	uint64_t variable = ksma_kernel_symbol(look->kernel, "ftrace_trace_function"), function;

	if (!variable || !ksma_kernel_u64(look->kernel, variable, &function) ||
	    !ksma_owners_is_function(look->kernel, look->owners, function))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		uint64_t at = ksma_kernel_symbol(look->kernel, places[i]);
		uint8_t *code = at ? ksma_patch_at(&unit->patch, at, 5) : NULL;

		if (!code)
			continue;
		ksma_patch_branch(code, CALL, at, function);
		unit->trace_calls[i] = at;
	}
}

/* Where the graph tracer is a jump behind the call of all tracers: to nothing, or to it (ftrace_enable_ftrace_graph_caller()). */
static void update_graph(struct ksma_look *look, struct ksma_proof_unit *unit)
{
	struct ksma_kernel *kernel = look->kernel;
	uint64_t at = ksma_kernel_symbol(kernel, "ftrace_graph_call"),
		 active = ksma_kernel_symbol(kernel, "ftrace_graph_active"),
		 target = ksma_kernel_symbol(kernel, "ftrace_graph_caller");
	uint8_t *code = at ? ksma_patch_at(&unit->patch, at, 5) : NULL;
	uint32_t users;

	if (!code || code[0] != JMP || !active || !target ||
	    !ksma_kernel_u32(kernel, active, &users))
		return;
	if (!users)
		target = ksma_kernel_symbol(kernel, "ftrace_stub");
	ksma_patch_branch(code, JMP, at, target);
	unit->trace_calls[KSMA_PROOF_TRACE_CALLS - 1] = at;
}

/* Before 6.2 the dispatcher of XDP programs is entered by a jump that is written over the NOP its function begins with
 * (bpf_dispatcher_update()); what it leads to must be BPF's. */
static struct ksma_error *update_dispatcher(struct ksma_look *look, struct ksma_proof_unit *unit)
{
	uint64_t at = ksma_kernel_symbol(look->kernel, "bpf_dispatcher_xdp_func"), target;
	uint8_t *code = at ? ksma_patch_at(&unit->patch, at, 5) : NULL, found[5];
	const struct ksma_owner *owner;
	struct ksma_probed *saved;

	if (!code || memcmp(code, ksma_patch_nop5(&unit->patch), 5) != 0 ||
	    !ksma_kernel_bytes(look->kernel, at, found, 5) || found[0] != JMP)
		return NULL;
	target = ksma_branch_target(found, at);
	owner = ksma_owners_find(look->owners, target);
	if (!owner || (owner->kind != KSMA_OWNER_BPF && owner->kind != KSMA_OWNER_BPF_PACK))
		return NULL; /* the NOP stays expected, and the difference is told */
	KSMA_TRY(KSMA_ARRAY_PUSH(&unit->probed, &saved));
	saved->gva = at;
	memcpy(saved->bytes, code, 5);
	memcpy(code, found, 5);
	return NULL;
}

struct ksma_error *ksma_proof_update(struct ksma_look *look, struct ksma_proof *proof,
				     struct ksma_proof_unit *unit)
{
	ksma_proof_restore_probed(unit);
	update_jumps(look, unit);
	KSMA_TRY(update_calls(look, unit));
	update_traces(look, proof, unit);
	if (unit == &proof->unit) {
		update_trace_function(look, unit);
		update_graph(look, unit);
		KSMA_TRY(update_dispatcher(look, unit));
	}
	return update_probes(look, proof, unit);
}
