/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma ps: the processes of a guest. Only the fields that were asked for are read, so that the plain list stays quick. */
#include <inttypes.h>
#include <time.h>

#include "cli/output.h"
#include "cli/tree.h"

/* The words of --fields. */
static struct ksma_error *parse_fields(const char *text, unsigned *ret_flags)
{
	static const struct {
		const char *name;
		unsigned flags;
	} fields[] = {
		{ "exe", KSMA_PROCESS_EXE },
		{ "cmdline", KSMA_PROCESS_CMDLINE },
		{ "cgroup", KSMA_PROCESS_CGROUP },
		{ "namespaces", KSMA_PROCESS_NAMESPACES },
		{ "all", KSMA_PROCESS_EXE | KSMA_PROCESS_CMDLINE | KSMA_PROCESS_CGROUP |
				 KSMA_PROCESS_NAMESPACES },
	};
	unsigned flags = 0;

	for (const char *p = text;; p++) {
		size_t length = strcspn(p, ","), i;

		for (i = 0; i < ARRAY_SIZE(fields); i++)
			if (strlen(fields[i].name) == length &&
			    strncmp(fields[i].name, p, length) == 0)
				break;
		if (i == ARRAY_SIZE(fields))
			return ksma_error_create(
				KSMA_ERROR_INVALID,
				"--fields knows exe, cmdline, cgroup, namespaces and all, not '%.*s'",
				(int)length, p);
		flags |= fields[i].flags;
		p += length;
		if (!*p)
			break;
	}
	*ret_flags |= flags;
	return NULL;
}

static void json_namespaces(struct cli_json *json, const struct ksma_process *p)
{
	cli_json_object(json, "namespaces");
	cli_json_number(json, "pid", p->ns_pid);
	cli_json_number(json, "mnt", p->ns_mnt);
	cli_json_number(json, "net", p->ns_net);
	cli_json_number(json, "user", p->ns_user);
	cli_json_number(json, "uts", p->ns_uts);
	cli_json_number(json, "ipc", p->ns_ipc);
	cli_json_number(json, "cgroup", p->ns_cgroup);
	cli_json_number(json, "time", p->ns_time);
	cli_json_close(json);
}

static void json_arguments(struct cli_json *json, const struct ksma_process *p)
{
	if (!p->cmdline) {
		cli_json_null(json, "cmdline");
		return;
	}
	cli_json_array(json, "cmdline");
	for (size_t i = 0; i < p->cmdline_length;) {
		size_t length = strnlen(p->cmdline + i, p->cmdline_length - i);

		cli_json_bytes(json, NULL, p->cmdline + i, length);
		i += length + 1;
	}
	cli_json_close(json);
}

static void json_process(struct cli_json *json, const struct ksma_process *p, unsigned flags,
			 uint64_t boot_ns)
{
	cli_json_object(json, NULL);
	cli_json_signed(json, "pid", p->pid);
	if (flags & KSMA_PROCESS_THREADS)
		cli_json_signed(json, "tid", p->tid);
	cli_json_signed(json, "ppid", p->ppid);
	cli_json_bytes(json, "comm", p->comm, strnlen(p->comm, sizeof(p->comm)));
	cli_json_number(json, "uid", p->uid);
	cli_json_number(json, "euid", p->euid);
	cli_json_number(json, "suid", p->suid);
	cli_json_number(json, "fsuid", p->fsuid);
	cli_json_number(json, "gid", p->gid);
	cli_json_number(json, "egid", p->egid);
	cli_json_number(json, "sgid", p->sgid);
	cli_json_number(json, "fsgid", p->fsgid);
	cli_json_hex(json, "cap_effective", p->cap_effective);
	cli_json_hex(json, "cap_permitted", p->cap_permitted);
	cli_json_number(json, "start_ns", p->start_ns);
	cli_json_time(json, "start_time", boot_ns ? boot_ns + p->start_ns : 0);
	cli_json_number(json, "threads", p->threads);
	cli_json_hex(json, "flags", p->flags);
	cli_json_number(json, "state", p->state);
	cli_json_bool(json, "kernel_thread", p->kernel_thread);
	if (flags & KSMA_PROCESS_EXE) {
		cli_json_text(json, "exe", p->exe);
		cli_json_bool(json, "exe_deleted", p->exe_deleted);
	}
	if (flags & KSMA_PROCESS_CMDLINE)
		json_arguments(json, p);
	if (flags & KSMA_PROCESS_CGROUP)
		cli_json_text(json, "cgroup", p->cgroup);
	if (flags & KSMA_PROCESS_NAMESPACES)
		json_namespaces(json, p);
	cli_json_hex(json, "task", p->task);
	cli_json_hex(json, "mm", p->mm);
	cli_json_hex(json, "pgd", p->pgd);
	cli_json_close(json);
}

static void print_json(struct cli *cli, unsigned flags, const struct cli_look *look,
		       const struct ksma_processes *processes)
{
	uint64_t boot_ns = ksma_kernel_info(cli->kernel)->boot_time_ns;
	struct cli_json json;

	cli_document_begin(cli, &json);
	cli_json_array(&json, "processes");
	for (size_t i = 0; i < processes->count; i++)
		json_process(&json, &processes->items[i], flags, boot_ns);
	cli_json_close(&json);
	cli_json_look(&json, look);
	cli_document_end(&json);
}

/* Clock time of today, else the date; seconds since boot where the guest's clock is not known. */
static void start_cell(struct cli_table *table, uint64_t boot_ns, uint64_t start_ns)
{
	time_t start = (time_t)((boot_ns + start_ns) / 1000000000u), now = time(NULL);
	struct tm tm;
	char text[CLI_BUFFER];

	if (!boot_ns || !gmtime_r(&start, &tm) ||
	    strftime(text, sizeof(text), now / 86400 == start / 86400 ? "%H:%M:%S" : "%Y-%m-%d",
		     &tm) == 0)
		cli_cell(table, "+%.2f", (double)start_ns / 1e9);
	else
		cli_cell(table, "%s", text);
}

/* What runs: arguments, else program, else the name in brackets, as ps has it. */
static void command_cell(struct cli_table *table, const struct ksma_process *p, unsigned flags,
			 unsigned depth)
{
	_cleanup_free_ char *text = NULL;
	size_t length = 0, indent = 2 * (size_t)(depth < 32 ? depth : 32);
	const char *from = p->exe;

	if (p->cmdline && p->cmdline_length) {
		from = p->cmdline;
		length = p->cmdline_length;
		while (length && !from[length - 1])
			length--;
	} else if (from) {
		length = strlen(from);
	}
	text = malloc(indent + length + sizeof(p->comm) + 16);
	if (!text) {
		cli_cell(table, "out of memory");
		return;
	}
	memset(text, ' ', indent);
	if (length && (p->tid == p->pid || flags & KSMA_PROCESS_CMDLINE)) {
		memcpy(text + indent, from, length);
		for (size_t i = indent; i < indent + length; i++)
			if (!text[i])
				text[i] = ' ';
	} else {
		length = (size_t)sprintf(text + indent, "[%.*s]", (int)sizeof(p->comm), p->comm);
	}
	cli_cell_bytes(table, text, indent + length);
}

static struct ksma_error *print_table(struct cli *cli, unsigned flags,
				      const struct ksma_processes *processes)
{
	static const struct cli_column columns[] = {
		{ "PID", CLI_RIGHT }, { "TID", CLI_RIGHT },   { "PPID", CLI_RIGHT },
		{ "UID", CLI_RIGHT }, { "START", CLI_RIGHT }, { "COMMAND", CLI_LAST },
	};
	static const struct cli_column without_threads[] = {
		{ "PID", CLI_RIGHT },	{ "PPID", CLI_RIGHT },	 { "UID", CLI_RIGHT },
		{ "START", CLI_RIGHT }, { "COMMAND", CLI_LAST },
	};
	bool threads = flags & KSMA_PROCESS_THREADS;
	_cleanup_table_ struct cli_table *table =
		cli_table_create(cli, threads ? columns : without_threads,
				 threads ? ARRAY_SIZE(columns) : ARRAY_SIZE(without_threads));
	_cleanup_free_ struct cli_tree_line *order = NULL;
	uint64_t boot_ns = ksma_kernel_info(cli->kernel)->boot_time_ns;

	if (cli_has(cli, CLI_TREE))
		KSMA_TRY(cli_tree(processes, &order));
	for (size_t i = 0; i < processes->count; i++) {
		const struct ksma_process *p = &processes->items[order ? order[i].index : i];

		cli_table_line(table);
		cli_cell(table, "%d", p->pid);
		if (threads)
			cli_cell(table, "%d", p->tid);
		cli_cell(table, "%d", p->ppid);
		cli_cell(table, "%u", p->uid);
		start_cell(table, boot_ns, p->start_ns);
		command_cell(table, p, flags, order ? order[i].depth : 0);
	}
	return cli_table_print(table);
}

struct ksma_error *cli_ps(struct cli *cli)
{
	_cleanup_(ksma_processes_free) struct ksma_processes processes = { 0 };
	_cleanup_look_ struct cli_look look = { 0 };
	unsigned flags = 0;

	if (cli_has(cli, CLI_FIELDS))
		KSMA_TRY(parse_fields(cli->values[CLI_FIELDS], &flags));
	else
		flags = KSMA_PROCESS_EXE;
	if (cli_has(cli, CLI_FULL))
		flags |= KSMA_PROCESS_CMDLINE;
	if (cli_has(cli, CLI_THREADS))
		flags |= KSMA_PROCESS_THREADS;
	KSMA_TRY(cli_open_kernel(cli));
	look = cli_look_begin("ps");
	KSMA_TRY(ksma_linux_processes(cli->kernel, flags, &look.coverage, &processes));
	cli_look_end(cli, &look);
	if (cli_has(cli, CLI_JSON))
		print_json(cli, flags, &look, &processes);
	else
		KSMA_TRY(print_table(cli, flags, &processes));
	cli_warn_look(cli, &look);
	return NULL;
}
