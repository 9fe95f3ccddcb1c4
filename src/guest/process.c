/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One process of the host: is it a QEMU system emulator, and what does its command line say. */
#include "guest/process.h"

#include <errno.h>
#include <limits.h>

#include "guest/maps.h"

bool ksma_host_process_is_qemu(const char *path, bool *ret_x86)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (*name == '.') /* ".qemu-system-x86_64-wrapped" of NixOS */
		name++;
	if (strcmp(name, "kvm") == 0 || strcmp(name, "qemu-kvm") == 0 ||
	    strncmp(name, "qemu-kvm-", 9) == 0 || strcmp(name, "kvm (deleted)") == 0) {
		*ret_x86 = true;
		return true;
	}
	if (strncmp(name, "qemu-system-", 12) != 0)
		return false;
	*ret_x86 = strncmp(name + 12, "x86", 3) == 0 || strncmp(name + 12, "i386", 4) == 0;
	return true;
}

bool ksma_host_process_parse_stat(const char *text, struct ksma_host_process *process)
{
	unsigned long long start, user, system;
	unsigned threads;
	const char *p = strrchr(text, ')'); /* the name before it may hold anything */
	char state;
	int parent;

	if (!p ||
	    sscanf(p + 1,
		   " %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu %*s %*s %*s %*s %u %*s %llu",
		   &state, &parent, &user, &system, &threads, &start) != 6)
		return false;
	process->cpu_ticks = user + system;
	process->parent = parent;
	process->threads = threads;
	process->start_time = start;
	process->running = state != 'Z' && state != 'X';
	return true;
}

void ksma_host_process_free(struct ksma_host_process *process)
{
	free(process->binary);
	ksma_cmdline_free(&process->cmdline);
	*process = (struct ksma_host_process){ 0 };
}

/* The path of the executable; "" where it may not be read. */
static void read_binary(int pid, char path[static PATH_MAX])
{
	static const char deleted[] = " (deleted)";
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = readlink(link, path, PATH_MAX - 1);
	if (n < 0)
		n = 0;
	path[n] = 0;
	if ((size_t)n > sizeof(deleted) && strcmp(path + n - (sizeof(deleted) - 1), deleted) == 0)
		path[n - (ssize_t)(sizeof(deleted) - 1)] = 0;
}

static struct ksma_error *read_stat(int pid, struct ksma_host_process *process)
{
	_cleanup_free_ char *text = NULL;
	struct ksma_error *error;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	error = ksma_read_file(path, 4096, &text, NULL);
	if (error && error->code != KSMA_ERROR_NOMEM) {
		ksma_error_destroy(error);
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "there is no process %d", pid);
	}
	if (error)
		return error;
	if (!ksma_host_process_parse_stat(text, process))
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "cannot make sense of %s", path);
	return NULL;
}

bool ksma_host_process_cpu(int pid, uint64_t *ret_ns)
{
	struct ksma_host_process process = { 0 };
	struct ksma_error *error = read_stat(pid, &process);
	bool known = !error;

	ksma_error_destroy(error);
	*ret_ns = process.cpu_ticks * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
	return known;
}

static struct ksma_error *read_all(int pid, struct ksma_host_process *process)
{
	_cleanup_free_ char *words = NULL;
	char path[64], binary[PATH_MAX];
	struct ksma_error *error;
	size_t length;
	bool x86;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	error = ksma_read_file(path, KSMA_CMDLINE_MAX, &words, &length);
	if (error && error->errnum) {
		int errnum = error->errnum;

		ksma_error_destroy(error);
		if (errnum == ENOENT || errnum == ESRCH)
			return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "there is no process %d",
						 pid);
		return ksma_host_process_error(pid, errnum, "command line");
	}
	if (error)
		return error;
	read_binary(pid, binary);
	if (!ksma_host_process_is_qemu(binary, &x86) && !ksma_host_process_is_qemu(words, &x86))
		return ksma_error_create(
			KSMA_ERROR_INVALID,
			"process %d is not a QEMU system emulator but %s; see ksma list", pid,
			*binary		   ? binary
			: length && *words ? words
					   : "a kernel thread or a zombie");
	process->x86 = x86;
	KSMA_TRY(read_stat(pid, process));
	KSMA_TRY(ksma_strdup(*binary ? binary : words, &process->binary));
	return ksma_cmdline_parse(words, length, &process->cmdline);
}

struct ksma_error *ksma_host_process_read(int pid, struct ksma_host_process *ret_process)
{
	struct ksma_host_process process = { .pid = pid };
	struct ksma_error *error = read_all(pid, &process);

	if (error) {
		ksma_host_process_free(&process);
		return error;
	}
	*ret_process = process;
	return NULL;
}
