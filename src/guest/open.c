/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a person calls a guest - its name, its UUID, its QEMU's pid, the path of a dump - becomes a guest. */
#include <ctype.h>
#include <strings.h>
#include <sys/stat.h>

#include "guest/discover.h"
#include "guest/dump.h"
#include "guest/guest.h"
#include "guest/live.h"

enum { OPEN_CANDIDATES_SHOWN = 8 };

/* @return the number, or -1 where the text is none */
static int number_of(const char *spec)
{
	long v = 0;

	if (!*spec)
		return -1;
	for (const char *p = spec; *p; p++) {
		if (!isdigit((unsigned char)*p) || v > 0xffffff)
			return -1;
		v = v * 10 + (*p - '0');
	}
	return (int)v;
}

static bool is_uuid(const char *a, const char *b)
{
	return *a && strcasecmp(a, b) == 0;
}

static bool fits_name(const struct ksma_host_process *process, const char *spec)
{
	return strcmp(process->cmdline.name, spec) == 0 || is_uuid(process->cmdline.uuid, spec);
}

static struct ksma_error *ambiguous(const char *spec, const struct ksma_host_process *processes,
				    size_t count, size_t fit)
{
	char list[1024] = "";
	size_t used = 0, shown = 0;

	for (size_t i = 0; i < count && shown < OPEN_CANDIDATES_SHOWN && used < sizeof(list); i++) {
		if (!fits_name(&processes[i], spec))
			continue;
		used += (size_t)snprintf(
			list + used, sizeof(list) - used, "%spid %d (%.40s, uuid %.40s)",
			shown++ ? ", " : "", processes[i].pid, processes[i].cmdline.name,
			*processes[i].cmdline.uuid ? processes[i].cmdline.uuid : "none");
	}
	return ksma_error_create(KSMA_ERROR_INVALID,
				 "%s fits %zu guests: %s%s; use a pid or a UUID", spec, fit, list,
				 fit > shown ? ", …" : "");
}

static struct ksma_error *nothing(const char *spec, size_t guests)
{
	if (guests == 0)
		return ksma_error_create(
			KSMA_ERROR_NOT_PRESENT,
			"no guest or dump is called %s, and no QEMU that this user may see "
			"runs here",
			spec);
	return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
				 "no guest or dump is called %s; `ksma list` shows the guests",
				 spec);
}

/* @ret_pid 0 where no guest is called so */
static struct ksma_error *find_pid(const char *spec, int *ret_pid, size_t *ret_guests)
{
	struct ksma_host_process *processes;
	struct ksma_error *error = NULL;
	size_t count, fit = 0;

	KSMA_TRY(ksma_host_processes_discover(&processes, &count));
	*ret_pid = 0;
	*ret_guests = count;
	for (size_t i = 0; i < count; i++) {
		if (fits_name(&processes[i], spec)) {
			*ret_pid = processes[i].pid;
			fit++;
		}
	}
	if (fit > 1)
		error = ambiguous(spec, processes, count, fit);
	ksma_host_processes_free(processes, count);
	return error;
}

KSMA_API struct ksma_error *ksma_guest_open(const char *spec,
					    const struct ksma_guest_options *options,
					    struct ksma_guest **ret_guest)
{
	struct ksma_error *error = NULL, *other;
	int number = number_of(spec);
	size_t guests = 0;
	struct stat st;
	int pid;

	if (!*spec)
		return ksma_error_create(
			KSMA_ERROR_INVALID,
			"name a guest: its name, UUID or QEMU pid, or a dump file");
	/* What has a slash can only be a path; a path without one is tried after the guests' names. */
	if (strchr(spec, '/'))
		return ksma_dump_open(spec, ret_guest);
	/* The pid of a QEMU is taken at its word, without a look at all the others' names. */
	if (number > 0) {
		error = ksma_live_open(number, options, ret_guest);
		if (!error ||
		    (error->code != KSMA_ERROR_NOT_PRESENT && error->code != KSMA_ERROR_INVALID))
			return error;
	}
	other = find_pid(spec, &pid, &guests);
	if (!other && pid)
		other = ksma_live_open(pid, options, ret_guest);
	else if (!other && stat(spec, &st) == 0)
		other = ksma_dump_open(spec, ret_guest);
	else if (!other && error)
		return error; /* why that pid is none */
	else if (!other)
		other = nothing(spec, guests);
	ksma_error_destroy(error);
	return other;
}
