/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints all that libksma says of a guest's processes as one JSON document, for tests that compare it with the guest's own word.
 *
 * Every byte of a string is one character, U+0000 to U+00FF, so that names that are no UTF-8 come through unchanged. */
#include <ksma/check.h>
#include <ksma/linux.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static unsigned gaps;

static void string(const char *text, size_t length)
{
	putchar('"');
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void member(const char *name, const char *text)
{
	printf(",\"%s\":", name);
	if (text)
		string(text, strlen(text));
	else
		printf("null");
}

static void number(const char *name, uint64_t value)
{
	printf(",\"%s\":%" PRIu64, name, value);
}

static void coverage_end(const char *what, int32_t pid, struct ksma_coverage *coverage)
{
	if (coverage->state != KSMA_COVERAGE_COMPLETE) {
		fprintf(stderr, "model: %s %d: %s: %s\n", what, pid,
			ksma_coverage_state_name(coverage->state),
			coverage->reason ? coverage->reason : "");
		gaps++;
	}
	ksma_coverage_deinit(coverage);
}

static void complain(const char *what, int32_t pid, struct ksma_error *error)
{
	fprintf(stderr, "model: %s %d: %s: %s\n", what, pid, ksma_error_code_name(error->code),
		error->message);
	ksma_error_destroy(error);
	gaps++;
}

static void print_maps(struct ksma_kernel *kernel, int32_t pid)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_maps maps;
	struct ksma_error *error = ksma_linux_maps(kernel, pid, &coverage, &maps);

	if (error) {
		complain("maps", pid, error);
		return;
	}
	printf(",\"maps\":[");
	for (size_t i = 0; i < maps.count; i++) {
		const struct ksma_map *m = &maps.items[i];

		printf("%s{\"perms\":\"%s\"", i ? ",\n" : "", m->perms);
		number("start", m->start);
		number("end", m->end);
		number("offset", m->offset);
		number("major", m->major);
		number("minor", m->minor);
		number("inode", m->inode);
		member("path", m->path);
		printf("}");
	}
	printf("]");
	ksma_maps_free(&maps);
	coverage_end("maps", pid, &coverage);
}

static void print_files(struct ksma_kernel *kernel, int32_t pid)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_files files;
	struct ksma_error *error = ksma_linux_files(kernel, pid, &coverage, &files);

	if (error) {
		complain("files", pid, error);
		return;
	}
	printf(",\"files\":[");
	for (size_t i = 0; i < files.count; i++) {
		const struct ksma_file *f = &files.items[i];

		printf("%s{\"fd\":%d", i ? ",\n" : "", f->fd);
		member("type", f->type);
		number("flags", f->flags);
		number("mode", f->mode);
		number("position", f->position);
		number("inode", f->inode);
		number("major", f->major);
		number("minor", f->minor);
		member("path", f->path);
		printf("}");
	}
	printf("]");
	ksma_files_free(&files);
	coverage_end("files", pid, &coverage);
}

static void print_mounts(struct ksma_kernel *kernel, int32_t pid)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_mounts mounts;
	struct ksma_error *error = ksma_linux_mounts(kernel, pid, &coverage, &mounts);

	if (error) {
		complain("mounts", pid, error);
		return;
	}
	printf(",\"mounts\":[");
	for (size_t i = 0; i < mounts.count; i++) {
		const struct ksma_mount *m = &mounts.items[i];

		printf("%s{\"id\":%d", i ? ",\n" : "", m->id);
		printf(",\"parent\":%d", m->parent);
		number("major", m->major);
		number("minor", m->minor);
		number("flags", m->flags);
		member("path", m->path);
		member("root", m->root);
		member("fstype", m->fstype);
		member("source", m->source);
		printf("}");
	}
	printf("]");
	ksma_mounts_free(&mounts);
	coverage_end("mounts", pid, &coverage);
}

static void print_process(const struct ksma_process *p)
{
	printf("{\"pid\":%d,\"tid\":%d,\"ppid\":%d", p->pid, p->tid, p->ppid);
	member("comm", p->comm);
	printf(",\"uids\":[%u,%u,%u,%u],\"gids\":[%u,%u,%u,%u]", p->uid, p->euid, p->suid, p->fsuid,
	       p->gid, p->egid, p->sgid, p->fsgid);
	number("cap_effective", p->cap_effective);
	number("cap_permitted", p->cap_permitted);
	number("start_ns", p->start_ns);
	number("threads", p->threads);
	number("flags", p->flags);
	number("state", p->state);
	number("mm", p->mm);
	number("pgd", p->pgd);
	printf(",\"kernel_thread\":%s,\"exe_deleted\":%s", p->kernel_thread ? "true" : "false",
	       p->exe_deleted ? "true" : "false");
	member("exe", p->exe);
	printf(",\"cmdline\":");
	if (p->cmdline)
		string(p->cmdline, p->cmdline_length);
	else
		printf("null");
	member("cgroup", p->cgroup);
	printf(",\"ns\":{\"pid\":%u,\"mnt\":%u,\"net\":%u,\"user\":%u,\"uts\":%u,\"ipc\":%u,\"cgroup\":%u,\"time\":%u}",
	       p->ns_pid, p->ns_mnt, p->ns_net, p->ns_user, p->ns_uts, p->ns_ipc, p->ns_cgroup,
	       p->ns_time);
}

static struct ksma_error *print_model(struct ksma_kernel *kernel)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_processes list;
	struct ksma_error *error = ksma_linux_processes(kernel, KSMA_PROCESS_ALL, &coverage, &list);

	if (error)
		return error;
	coverage_end("processes", 0, &coverage);
	printf("{\"processes\":[\n");
	for (size_t i = 0; i < list.count; i++) {
		const struct ksma_process *p = &list.items[i];

		if (i)
			printf(",\n");
		print_process(p);
		if (p->pid == p->tid) {
			print_maps(kernel, p->pid);
			print_files(kernel, p->pid);
			print_mounts(kernel, p->pid);
		}
		printf("}");
	}
	printf("]}\n");
	ksma_processes_free(&list);
	return NULL;
}

/* One process, looked up by its number. */
static struct ksma_error *print_one(struct ksma_kernel *kernel, int32_t pid)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_process process;
	struct ksma_error *error =
		ksma_linux_process(kernel, pid, KSMA_PROCESS_ALL, &coverage, &process);

	if (error)
		return error;
	print_process(&process);
	printf("}\n");
	ksma_process_deinit(&process);
	coverage_end("process", pid, &coverage);
	return NULL;
}

/* The same walk over and over: microseconds of the fastest and of the middle one. */
static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct ksma_error *time_walks(struct ksma_kernel *kernel, unsigned flags, const char *what)
{
	enum { ROUNDS = 201 };
	uint64_t spent[ROUNDS];
	size_t count = 0;

	for (size_t i = 0; i < ROUNDS; i++) {
		struct ksma_coverage coverage = { 0 };
		struct ksma_processes list;
		uint64_t start = now_ns();
		struct ksma_error *error = ksma_linux_processes(kernel, flags, &coverage, &list);

		if (error)
			return error;
		spent[i] = now_ns() - start;
		count = list.count;
		coverage_end(what, 0, &coverage);
		ksma_processes_free(&list);
	}
	printf("%s: %zu processes, first %.1f us, ", what, count, (double)spent[0] / 1000);
	qsort(spent, ROUNDS, sizeof(spent[0]), compare);
	printf("fastest %.1f us, median %.1f us\n", (double)spent[0] / 1000,
	       (double)spent[ROUNDS / 2] / 1000);
	return NULL;
}

/* True, and told, when an answer about a process was not whole. That it is gone meanwhile is an answer. */
static bool is_bad(const char *what, int32_t pid, struct ksma_error *error,
		   struct ksma_coverage *coverage)
{
	bool bad = coverage->state != KSMA_COVERAGE_COMPLETE;

	if (bad)
		fprintf(stderr, "model: %s %d: %s\n", what, pid, coverage->reason);
	if (error && error->code != KSMA_ERROR_NOT_PRESENT) {
		fprintf(stderr, "model: %s %d: %s\n", what, pid, error->message);
		bad = true;
	}
	ksma_error_destroy(error);
	ksma_coverage_deinit(coverage);
	*coverage = (struct ksma_coverage){ 0 };
	return bad;
}

/* Maps, files and mounts of one process. */
static unsigned soak_one(struct ksma_kernel *kernel, int32_t pid)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_maps maps = { 0 };
	struct ksma_files files = { 0 };
	struct ksma_mounts mounts = { 0 };
	unsigned bad = 0;

	bad += is_bad("maps", pid, ksma_linux_maps(kernel, pid, &coverage, &maps), &coverage);
	bad += is_bad("files", pid, ksma_linux_files(kernel, pid, &coverage, &files), &coverage);
	bad += is_bad("mounts", pid, ksma_linux_mounts(kernel, pid, &coverage, &mounts), &coverage);
	ksma_maps_free(&maps);
	ksma_files_free(&files);
	ksma_mounts_free(&mounts);
	return bad;
}

/* Walks for some seconds while the guest changes, and says how often the answer was not whole. */
static struct ksma_error *soak(struct ksma_kernel *kernel, unsigned seconds)
{
	uint64_t end = now_ns() + seconds * 1000000000ull, rounds = 0, partial = 0, one_bad = 0,
		 least = UINT64_MAX, most = 0;

	while (now_ns() < end) {
		struct ksma_coverage coverage = { 0 };
		struct ksma_processes list;
		struct ksma_error *error =
			ksma_linux_processes(kernel, KSMA_PROCESS_ALL, &coverage, &list);

		if (error)
			return error;
		rounds++;
		if (coverage.state != KSMA_COVERAGE_COMPLETE) {
			partial++;
			fprintf(stderr, "model: round %" PRIu64 ": %s\n", rounds, coverage.reason);
		}
		least = list.count < least ? list.count : least;
		most = list.count > most ? list.count : most;
		/* The youngest ones are those that change. */
		for (size_t i = 0; i < 4 && i < list.count; i++)
			one_bad += soak_one(kernel, list.items[list.count - 1 - i].pid);
		ksma_coverage_deinit(&coverage);
		ksma_processes_free(&list);
	}
	partial += one_bad;
	printf("%" PRIu64 " walks, %" PRIu64 " not whole, %" PRIu64 " to %" PRIu64 " tasks\n",
	       rounds, partial, least, most);
	gaps += partial != 0;
	return NULL;
}

int main(int argc, char **argv)
{
	struct ksma_kernel_options options = { .cache_dir = "" };
	struct ksma_guest *guest = NULL;
	struct ksma_kernel *kernel = NULL;
	struct ksma_error *error;

	if (argc < 2) {
		fprintf(stderr, "usage: model VM [time | soak SECONDS | process PID]\n");
		return 2;
	}
	error = ksma_guest_open(argv[1], NULL, &guest);
	if (!error)
		error = ksma_kernel_open(guest, &options, &kernel);
	if (!error && argc > 2 && !strcmp(argv[2], "time")) {
		error = time_walks(kernel, 0, "list");
		if (!error)
			error = time_walks(kernel, KSMA_PROCESS_EXE | KSMA_PROCESS_CMDLINE,
					   "list with programs and command lines");
		if (!error)
			error = time_walks(kernel, KSMA_PROCESS_ALL, "all of it, threads too");
	} else if (!error && argc > 3 && !strcmp(argv[2], "soak")) {
		error = soak(kernel, (unsigned)atoi(argv[3]));
	} else if (!error && argc > 3 && !strcmp(argv[2], "process")) {
		error = print_one(kernel, atoi(argv[3]));
	} else if (!error) {
		error = print_model(kernel);
	}
	if (error)
		complain(argv[1], 0, error);
	ksma_kernel_destroy(kernel);
	ksma_guest_destroy(guest);
	return gaps ? 3 : 0;
}
