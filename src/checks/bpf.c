/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does every BPF program that is reached stand in the kernel's table, run its own code, and keep to what observers do? */
#include <inttypes.h>

#include "checks/hooks.h"
#include "checks/owners.h"

/* For how long one that is not in the table has to be seen: with users, and without, when it may be on its way out. */
enum { USED_MS = 300, UNUSED_MS = 2000 };

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	struct ksma_bpf bpf;
};

static const char *tag_text(const uint8_t *tag, char *buffer, size_t size)
{
	for (size_t i = 0; i < 8 && 2 * i + 3 <= size; i++)
		snprintf(buffer + 2 * i, size - 2 * i, "%02x", tag[i]);
	return buffer;
}

static struct ksma_error *describe(struct survey *s, const struct ksma_bpf_program *program,
				   struct ksma_finding *finding)
{
	const char *type = ksma_bpf_type_name(program->type);
	char tag[20];

	KSMA_TRY(ksma_finding_number(finding, "program", program->id));
	KSMA_TRY(ksma_finding_text(finding, "name", "%s", program->name));
	KSMA_TRY(ksma_finding_text(finding, "tag", "%s", tag_text(program->tag, tag, sizeof(tag))));
	KSMA_TRY(ksma_finding_text(finding, "type", "%s", type ?: "unknown"));
	KSMA_TRY(ksma_finding_address(s->look, finding, "address", program->address));
	KSMA_TRY(ksma_finding_number(finding, "loaded_by_uid", program->uid));
	KSMA_TRY(ksma_finding_number(finding, "holders", program->holders));
	for (size_t i = 0; i < s->bpf.attachments.count; i++) {
		const struct ksma_bpf_attachment *at = &s->bpf.attachments.items[i];

		if (at->program == program->address && strcmp(at->kind, "name") != 0)
			KSMA_TRY(ksma_finding_text(finding, "reached_from", "%s %s", at->kind,
						   at->where));
	}
	return NULL;
}

/* Helpers that change something outside, one finding each: an exception names the helper and the tag. */
static struct ksma_error *check_helpers(struct survey *s, const struct ksma_bpf_program *program)
{
	static const struct {
		unsigned bit;
		enum ksma_severity severity;
		const char *what;
	} kinds[] = {
		{ KSMA_BPF_PROBE_WRITE_USER, KSMA_SEVERITY_HIGH,
		  "can write the memory of processes" },
		{ KSMA_BPF_OVERRIDE_RETURN, KSMA_SEVERITY_HIGH,
		  "can make functions of the kernel return what it likes" },
		{ KSMA_BPF_SEND_SIGNAL, KSMA_SEVERITY_MEDIUM, "can send signals to processes" },
		{ KSMA_BPF_SYS_BPF, KSMA_SEVERITY_MEDIUM, "can load other programs" },
	};
	struct ksma_finding *finding;
	char tag[20];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!(program->helpers & kinds[i].bit))
			continue;
		KSMA_TRY(ksma_finding_add(s->look, kinds[i].severity, &finding, "helper/%s/%s",
					  ksma_bpf_helper_name(kinds[i].bit),
					  tag_text(program->tag, tag, sizeof(tag))));
		KSMA_TRY(ksma_finding_title(finding, "BPF program %s %s", program->name,
					    kinds[i].what));
		KSMA_TRY(ksma_finding_text(finding, "helper", "%s",
					   ksma_bpf_helper_name(kinds[i].bit)));
		KSMA_TRY(describe(s, program, finding));
	}
	return NULL;
}

/* What runs when the program is called is the code that the kernel made from it, or the interpreter. */
static struct ksma_error *check_entry(struct survey *s, const struct ksma_bpf_program *program)
{
	enum ksma_hook_target target = ksma_hook_target(s->look, program->entry);
	struct ksma_finding *finding;
	char tag[20];

	if (target == KSMA_HOOK_KERNEL || target == KSMA_HOOK_BPF || target == KSMA_HOOK_NONE ||
	    target == KSMA_HOOK_UNKNOWN)
		return NULL;
	/* The kernel's name may begin later than its code, and code of a pack has no name of its own. */
	if (program->entry >= program->code && program->entry < program->code_end)
		return NULL;
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "entry/%s",
				  tag_text(program->tag, tag, sizeof(tag))));
	KSMA_TRY(ksma_finding_title(finding, "BPF program %s runs code that is not its own",
				    program->name));
	KSMA_TRY(ksma_finding_code(s->look, finding, "found", program->entry));
	return describe(s, program, finding);
}

static bool has_id(const struct ksma_bpf *bpf, uint64_t address)
{
	for (size_t i = 0; i < bpf->programs.count; i++)
		if (bpf->programs.items[i].address == address)
			return true;
	for (size_t i = 0; i < bpf->parts.count; i++)
		if (bpf->parts.items[i] == address)
			return true;
	return false;
}

/* True for what only looks like a program, because it was freed; and for the stand-in through which LSM programs of control groups are
 * called, which is no program of anybody. */
static bool is_none(struct ksma_kernel *kernel, uint64_t program, uint64_t *ret_aux)
{
	static const char stand_in[] = "__cgroup_bpf_run_lsm_";
	const struct ksma_offsets *off = &kernel->off;
	uint64_t back, entry;
	char name[64];

	if (!ksma_kernel_u64(kernel, program + (uint64_t)off->bpf_prog__aux, ret_aux) ||
	    !ksma_kernel_u64(kernel, *ret_aux + (uint64_t)off->bpf_prog_aux__prog, &back) ||
	    back != program ||
	    !ksma_kernel_u64(kernel, program + (uint64_t)off->bpf_prog__bpf_func, &entry))
		return true;
	return strncmp(ksma_hook_name(kernel, entry, name, sizeof(name)), stand_in,
		       sizeof(stand_in) - 1) == 0;
}

/* The kernel takes a program whose last user let go out of its table first, and then out of its lists: how long may that take? */
static unsigned persist_ms(struct ksma_kernel *kernel, uint64_t aux)
{
	const struct ksma_offsets *off = &kernel->off;
	uint64_t users;

	return off->bpf_prog_aux__refcnt != KSMA_NO_MEMBER &&
			       ksma_kernel_u64(kernel, aux + (uint64_t)off->bpf_prog_aux__refcnt,
					       &users) &&
			       users
		       ? USED_MS
		       : UNUSED_MS;
}

static struct ksma_error *report_hidden(struct survey *s, uint64_t program, uint64_t aux)
{
	const struct ksma_offsets *off = &s->kernel->off;
	char name[16] = "", tag[20] = "";
	struct ksma_finding *finding;
	uint64_t entry = 0;
	uint8_t bytes[8];

	if (!ksma_kernel_string(s->kernel, aux + (uint64_t)off->bpf_prog_aux__name, name,
				sizeof(name)))
		name[0] = 0;
	if (ksma_kernel_bytes(s->kernel, program + (uint64_t)off->bpf_prog__tag, bytes,
			      sizeof(bytes)))
		tag_text(bytes, tag, sizeof(tag));
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "hidden/%s", tag));
	finding->persist_ms = persist_ms(s->kernel, aux);
	KSMA_TRY(ksma_finding_title(
		finding, "BPF program %s is in use and not in the kernel's table of programs",
		name));
	KSMA_TRY(ksma_finding_text(finding, "name", "%s", name));
	KSMA_TRY(ksma_finding_text(finding, "tag", "%s", tag));
	KSMA_TRY(ksma_finding_address(s->look, finding, "address", program));
	if (ksma_kernel_u64(s->kernel, program + (uint64_t)off->bpf_prog__bpf_func, &entry))
		KSMA_TRY(ksma_finding_code(s->look, finding, "code", entry));
	for (size_t i = 0; i < s->bpf.attachments.count; i++)
		if (s->bpf.attachments.items[i].program == program)
			KSMA_TRY(ksma_finding_text(finding, "reached_from", "%s %s",
						   s->bpf.attachments.items[i].kind,
						   s->bpf.attachments.items[i].where));
	return NULL;
}

static struct ksma_error *check_attachments(struct survey *s)
{
	for (size_t i = 0; i < s->bpf.attachments.count; i++) {
		uint64_t program = s->bpf.attachments.items[i].program, aux = 0;
		bool reported = false;

		for (size_t j = 0; j < i && !reported; j++)
			reported = s->bpf.attachments.items[j].program == program;
		if (!reported && !has_id(&s->bpf, program) && !is_none(s->kernel, program, &aux))
			KSMA_TRY(report_hidden(s, program, aux));
	}
	return NULL;
}

static struct ksma_error *check_programs(struct survey *s)
{
	for (size_t i = 0; i < s->bpf.programs.count; i++) {
		KSMA_TRY(check_helpers(s, &s->bpf.programs.items[i]));
		KSMA_TRY(check_entry(s, &s->bpf.programs.items[i]));
	}
	return NULL;
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look, .kernel = look->kernel };
	struct ksma_error *error = ksma_linux_bpf(look->kernel, look->coverage, &s.bpf);

	if (!error)
		error = check_programs(&s);
	if (!error)
		error = check_attachments(&s);
	ksma_bpf_free(&s.bpf);
	return error;
}

const struct ksma_check ksma_check_bpf = {
	.info = {
		.name = "bpf",
		.title = "BPF programs",
		.attack = "T1014",
		.needs = "memory",
		.structures = "prog_idr (struct bpf_prog, bpf_prog_aux), instructions and code of each program; link_idr, bpf_kallsyms, trampolines, "
			      "trace events, perf events, XDP, tcx and the filters of network devices, control groups, filters of sockets",
		.why = "A program that may write the memory of processes changes what they are told without a module, and one that left the table is seen by no "
		       "tool of the guest.",
		.cost = "1.2 ms",
		.false_alarms = "A tracer or a security product that writes user memory or sends signals is reported; the finding's id holds the helper and the "
				"program's tag, which is the same wherever the same program is loaded, so that one exception allows it. A program that "
				"is just being unloaded is none.",
		.todo = "Look up the program with ksma bpf, with what holds it and where it is attached. A program that left the table "
			"cannot be unloaded from inside: restore the guest.",
	},
	.run = run,
};
