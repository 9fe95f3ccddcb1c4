/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the BPF programs that have an id: who loaded them, what they consist of, and which helpers they call.
 *
 * Source: include/linux/bpf.h, include/linux/filter.h, kernel/bpf/syscall.c. */
#include "linux/bpf.h"

#include "base/bytes.h"
#include "linux/retry.h"
#include "x86/decode.h"

enum {
	MAX_INSTRUCTIONS =
		1
		<< 20, /* BPF_COMPLEXITY_LIMIT_INSNS bounds what is verified, and this what is loaded */
	MAX_ALL_BYTES = 64 << 20, /* of instructions and code that one reading looks through */
	MAX_CODE = 1 << 22,
	MAX_PARTS = 4096, /* BPF_MAX_SUBPROGS is 256 */
	MAX_MAPS = 4096,
	CHUNK = 4096,
	INSN = 8,
	CALL = 0x85, /* BPF_JMP | BPF_CALL */
	X86_CALL = 0xe8,
};

static const struct {
	const char *symbol;
	unsigned bit;
} helpers[] = {
	{ "bpf_probe_write_user", KSMA_BPF_PROBE_WRITE_USER },
	{ "bpf_override_return", KSMA_BPF_OVERRIDE_RETURN },
	{ "bpf_send_signal", KSMA_BPF_SEND_SIGNAL },
	{ "bpf_send_signal_thread", KSMA_BPF_SEND_SIGNAL },
	{ "bpf_sys_bpf", KSMA_BPF_SYS_BPF },
	{ "bpf_kallsyms_lookup_name", KSMA_BPF_KALLSYMS },
	{ "bpf_probe_read_user", KSMA_BPF_PROBE_READ_USER },
	{ "bpf_probe_read_user_str", KSMA_BPF_PROBE_READ_USER },
	{ "bpf_copy_from_user", KSMA_BPF_PROBE_READ_USER },
	{ "bpf_probe_read_kernel", KSMA_BPF_PROBE_READ_KERNEL },
	{ "bpf_probe_read_kernel_str", KSMA_BPF_PROBE_READ_KERNEL },
	{ "bpf_skb_store_bytes", KSMA_BPF_STORE_PACKET },
	{ "bpf_clone_redirect", KSMA_BPF_REDIRECT },
	{ "bpf_redirect", KSMA_BPF_REDIRECT },
	{ "bpf_xdp_redirect", KSMA_BPF_REDIRECT },
};

KSMA_API const char *ksma_bpf_helper_name(unsigned bit)
{
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++)
		if (helpers[i].bit == bit)
			return helpers[i].symbol;
	return NULL;
}

KSMA_API const char *ksma_bpf_type_name(uint32_t type)
{
	/* enum bpf_prog_type of include/uapi/linux/bpf.h, which only grows */
	static const char *const names[] = {
		"unspec",
		"socket_filter",
		"kprobe",
		"sched_cls",
		"sched_act",
		"tracepoint",
		"xdp",
		"perf_event",
		"cgroup_skb",
		"cgroup_sock",
		"lwt_in",
		"lwt_out",
		"lwt_xmit",
		"sock_ops",
		"sk_skb",
		"cgroup_device",
		"sk_msg",
		"raw_tracepoint",
		"cgroup_sock_addr",
		"lwt_seg6local",
		"lirc_mode2",
		"sk_reuseport",
		"flow_dissector",
		"cgroup_sysctl",
		"raw_tracepoint_writable",
		"cgroup_sockopt",
		"tracing",
		"struct_ops",
		"ext",
		"lsm",
		"sk_lookup",
		"syscall",
		"netfilter",
	};

	return type < ARRAY_SIZE(names) ? names[type] : NULL;
}

KSMA_API void ksma_bpf_free(struct ksma_bpf *bpf)
{
	free(bpf->programs.items);
	free(bpf->attachments.items);
	free(bpf->parts.items);
	*bpf = (struct ksma_bpf){ 0 };
}

/* What the addresses of helpers are told by. */
struct helper_search {
	struct ksma_kernel *kernel;
	uint64_t addresses[ARRAY_SIZE(helpers)], base;
	uint64_t bytes_left;
};

static unsigned helper_of(const struct helper_search *search, uint64_t target)
{
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++)
		if (search->addresses[i] && search->addresses[i] == target)
			return helpers[i].bit;
	return 0;
}

/* Reads [at, at + size) piece by piece, each with the last `overlap` bytes of the one before. */
static bool scan(struct helper_search *search, uint64_t at, uint64_t size, unsigned overlap,
		 unsigned (*look)(const struct helper_search *search, const uint8_t *bytes,
				  size_t length, uint64_t at),
		 unsigned *found)
{
	uint8_t buffer[CHUNK];

	for (uint64_t done = 0; done < size;) {
		uint64_t n = size - done < CHUNK ? size - done : CHUNK;

		if (search->bytes_left < n ||
		    !ksma_kernel_bytes(search->kernel, at + done, buffer, n))
			return false;
		search->bytes_left -= n;
		*found |= look(search, buffer, n, at + done);
		if (n <= overlap || done + n == size)
			break;
		done += n - overlap;
	}
	return true;
}

/* struct bpf_insn { code; dst:4 src:4; off; imm }. A call of a helper has its distance from __bpf_call_base in imm, once verified. */
static unsigned look_instructions(const struct helper_search *search, const uint8_t *bytes,
				  size_t length, uint64_t at)
{
	unsigned found = 0;

	(void)at;
	for (size_t i = 0; i + INSN <= length; i += INSN)
		if (bytes[i] == CALL && bytes[i + 1] >> 4 == 0)
			found |= helper_of(search,
					   search->base + (uint64_t)(int64_t)(int32_t)ksma_le32(
								  bytes + i + 4));
	return found;
}

/* The code itself, in case the instructions are not what it was made from: `call` with the distance of a helper. */
static unsigned look_code(const struct helper_search *search, const uint8_t *bytes, size_t length,
			  uint64_t at)
{
	unsigned found = 0;

	for (size_t i = 0; i + 5 <= length; i++)
		if (bytes[i] == X86_CALL)
			found |= helper_of(search, ksma_branch_target(bytes + i, at + i));
	return found;
}

struct reading {
	struct ksma_bpf_reader *reader;
	struct helper_search search;
	size_t unread; /* programs whose instructions or code could not be looked through */
};

/* The code of one struct bpf_prog_aux, as the kernel names it. */
static void read_code(struct reading *r, uint64_t aux, struct ksma_bpf_program *program, bool whole)
{
	struct ksma_kernel *kernel = r->reader->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t ksym, start, end;

	if (off->bpf_prog_aux__ksym == KSMA_NO_MEMBER || off->bpf_ksym__start == KSMA_NO_MEMBER ||
	    off->bpf_ksym__end == KSMA_NO_MEMBER)
		return;
	ksym = aux + (uint64_t)off->bpf_prog_aux__ksym;
	if (!ksma_kernel_u64(kernel, ksym + (uint64_t)off->bpf_ksym__start, &start) ||
	    !ksma_kernel_u64(kernel, ksym + (uint64_t)off->bpf_ksym__end, &end) || end <= start ||
	    end - start > MAX_CODE)
		return;
	if (whole) {
		program->code = start;
		program->code_end = end;
	}
	if (!scan(&r->search, start, end - start, 4, look_code, &program->helpers))
		r->unread++;
}

static struct ksma_error *read_parts(struct reading *r, uint64_t aux,
				     struct ksma_bpf_program *program)
{
	struct ksma_kernel *kernel = r->reader->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t table, part, part_aux;
	uint32_t count;

	if (off->bpf_prog_aux__func == KSMA_NO_MEMBER ||
	    off->bpf_prog_aux__func_cnt == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(kernel, aux + (uint64_t)off->bpf_prog_aux__func, &table) || !table ||
	    !ksma_kernel_u32(kernel, aux + (uint64_t)off->bpf_prog_aux__func_cnt, &count) ||
	    count > MAX_PARTS)
		return NULL;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t *slot;

		if (!ksma_kernel_u64(kernel, table + 8ul * i, &part) || !part)
			continue;
		KSMA_TRY(KSMA_ARRAY_PUSH(&r->reader->bpf->parts, &slot));
		*slot = part;
		if (ksma_kernel_u64(kernel, part + (uint64_t)off->bpf_prog__aux, &part_aux))
			read_code(r, part_aux, program, false);
	}
	return NULL;
}

static void read_maps(struct ksma_kernel *kernel, uint64_t aux, struct ksma_bpf_program *program)
{
	const struct ksma_offsets *off = &kernel->off;
	uint64_t table, map;
	uint32_t count;

	if (off->bpf_prog_aux__used_maps == KSMA_NO_MEMBER ||
	    off->bpf_prog_aux__used_map_cnt == KSMA_NO_MEMBER ||
	    off->bpf_map__id == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(kernel, aux + (uint64_t)off->bpf_prog_aux__used_maps, &table) ||
	    !ksma_kernel_u32(kernel, aux + (uint64_t)off->bpf_prog_aux__used_map_cnt, &count) ||
	    count > MAX_MAPS)
		return;
	program->map_count = count;
	for (uint32_t i = 0; i < count && i < ARRAY_SIZE(program->maps); i++)
		if (!ksma_kernel_u64(kernel, table + 8ul * i, &map) ||
		    !ksma_kernel_u32(kernel, map + (uint64_t)off->bpf_map__id, &program->maps[i]))
			program->maps[i] = 0;
}

static void read_origin(struct ksma_kernel *kernel, uint64_t aux, struct ksma_bpf_program *program)
{
	const struct ksma_offsets *off = &kernel->off;
	uint64_t user;

	if (off->bpf_prog_aux__load_time != KSMA_NO_MEMBER &&
	    !ksma_kernel_u64(kernel, aux + (uint64_t)off->bpf_prog_aux__load_time,
			     &program->loaded_ns))
		program->loaded_ns = 0;
	if (off->bpf_prog_aux__user == KSMA_NO_MEMBER || off->user_struct__uid == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(kernel, aux + (uint64_t)off->bpf_prog_aux__user, &user) || !user ||
	    !ksma_kernel_u32(kernel, user + (uint64_t)off->user_struct__uid, &program->uid))
		program->uid = UINT32_MAX;
}

static bool read_program(struct reading *r, uint64_t address, struct ksma_bpf_program *program,
			 uint64_t *ret_aux)
{
	struct ksma_kernel *kernel = r->reader->kernel;
	const struct ksma_offsets *off = &kernel->off;

	program->address = address;
	return ksma_kernel_u64(kernel, address + (uint64_t)off->bpf_prog__aux, ret_aux) &&
	       ksma_kernel_u32(kernel, address + (uint64_t)off->bpf_prog__type, &program->type) &&
	       ksma_kernel_u32(kernel, address + (uint64_t)off->bpf_prog__len,
			       &program->instructions) &&
	       ksma_kernel_bytes(kernel, address + (uint64_t)off->bpf_prog__tag, program->tag,
				 sizeof(program->tag)) &&
	       ksma_kernel_u64(kernel, address + (uint64_t)off->bpf_prog__bpf_func,
			       &program->entry) &&
	       ksma_kernel_u32(kernel, *ret_aux + (uint64_t)off->bpf_prog_aux__id, &program->id) &&
	       ksma_kernel_string(kernel, *ret_aux + (uint64_t)off->bpf_prog_aux__name,
				  program->name, sizeof(program->name));
}

/* One entry of prog_idr. */
static bool take_program(void *arg, uint64_t index, uint64_t address)
{
	struct reading *r = arg;
	struct ksma_bpf_reader *reader = r->reader;
	struct ksma_bpf_program *program;
	uint64_t aux;

	reader->error = KSMA_ARRAY_PUSH(&reader->bpf->programs, &program);
	if (reader->error)
		return false;
	if (!read_program(r, address, program, &aux)) {
		reader->error = ksma_error_create(KSMA_ERROR_BAD_DATA,
						  "the BPF program with id %llu went away",
						  (unsigned long long)index);
		return false;
	}
	/* It keeps the id that it is found by, whatever it says of itself. */
	program->id = (uint32_t)index;
	read_origin(reader->kernel, aux, program);
	read_maps(reader->kernel, aux, program);
	read_code(r, aux, program, true);
	if (program->instructions > MAX_INSTRUCTIONS ||
	    !scan(&r->search, address + (uint64_t)reader->kernel->off.bpf_prog__insnsi,
		  (uint64_t)program->instructions * INSN, 0, look_instructions, &program->helpers))
		r->unread++;
	reader->error = read_parts(r, aux, program);
	return !reader->error;
}

static struct ksma_error *know_programs(const struct ksma_kernel *kernel)
{
	KSMA_TRY(KSMA_NEED(kernel, bpf_prog__aux));
	KSMA_TRY(KSMA_NEED(kernel, bpf_prog__type));
	KSMA_TRY(KSMA_NEED(kernel, bpf_prog__len));
	KSMA_TRY(KSMA_NEED(kernel, bpf_prog__tag));
	KSMA_TRY(KSMA_NEED(kernel, bpf_prog__bpf_func));
	KSMA_TRY(KSMA_NEED(kernel, bpf_prog__insnsi));
	KSMA_TRY(KSMA_NEED(kernel, bpf_prog_aux__id));
	return KSMA_NEED(kernel, bpf_prog_aux__name);
}

static struct ksma_error *read_once(struct ksma_kernel *kernel, uint64_t idr,
				    struct ksma_coverage *coverage, struct ksma_bpf *bpf)
{
	struct ksma_bpf_reader reader = {
		.kernel = kernel, .coverage = coverage, .bpf = bpf, .budget = ksma_budget_default()
	};
	struct reading r = { .reader = &reader,
			     .search = { .kernel = kernel,
					 .base = ksma_kernel_symbol(kernel, "__bpf_call_base"),
					 .bytes_left = MAX_ALL_BYTES } };
	struct ksma_error *error;

	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++)
		r.search.addresses[i] = ksma_kernel_symbol(kernel, helpers[i].symbol);
	/* The IDR begins with its tree: struct idr { idr_rt; … }. */
	error = ksma_kernel_xarray(kernel, idr, &reader.budget, take_program, &r);
	if (reader.error) {
		ksma_error_destroy(error);
		return reader.error;
	}
	KSMA_TRY(error);
	if (r.unread)
		ksma_coverage_gap(coverage, KSMA_COVERAGE_PARTIAL,
				  "what %zu BPF programs call could not be read whole", r.unread);
	return ksma_bpf_attachments(&reader);
}

KSMA_API struct ksma_error *ksma_linux_bpf(struct ksma_kernel *kernel,
					   struct ksma_coverage *coverage, struct ksma_bpf *ret_bpf)
{
	uint64_t idr = ksma_kernel_symbol(kernel, "prog_idr");
	struct ksma_coverage seen = { 0 };
	struct ksma_bpf bpf = { 0 };
	struct ksma_error *error;
	unsigned attempt = 0;

	if (!idr) {
		*ret_bpf = bpf; /* built without bpf(2) */
		return NULL;
	}
	KSMA_TRY(know_programs(kernel));
	do {
		ksma_bpf_free(&bpf);
		ksma_coverage_deinit(&seen);
		error = read_once(kernel, idr, &seen, &bpf);
	} while (ksma_kernel_retry(kernel, &attempt, &error));
	if (error) {
		ksma_bpf_free(&bpf);
		ksma_coverage_deinit(&seen);
		return error;
	}
	ksma_coverage_merge(coverage, &seen);
	*ret_bpf = bpf;
	return NULL;
}
