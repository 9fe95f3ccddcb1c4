/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way to a guest's monitor: a QMP socket of its own, or libvirt where libvirt holds it. */
#include "guest/monitor.h"

#include <json-c/json.h>

#include "guest/connect.h"
#include "guest/libvirt.h"

enum { MONITOR_TIMEOUT_MS = 2000 };

struct ksma_monitor {
	char *paths[KSMA_CMDLINE_MONITORS + 1];
	unsigned timeout_ms;
	int pid;
	bool proxied; /* the path is a person's word */
	struct ksma_qmp *qmp;
	struct ksma_libvirt *libvirt;
	char *name;
	struct ksma_qmp_events events; /* of connections that ended */
};

/* The path of a socket as it is to be opened from here: QEMU may live in a mount namespace of its own (a container). */
static struct ksma_error *resolve(int pid, const char *path, char **ret_path)
{
	char link[64], theirs[64] = "", ours[64] = "";

	if (pid <= 0)
		return ksma_strdup(path, ret_path);
	if (*path != '/')
		return ksma_asprintf(ret_path, "/proc/%d/cwd/%s", pid, path);
	snprintf(link, sizeof(link), "/proc/%d/ns/mnt", pid);
	if (readlink(link, theirs, sizeof(theirs) - 1) > 0 &&
	    readlink("/proc/self/ns/mnt", ours, sizeof(ours) - 1) > 0 && strcmp(theirs, ours) != 0)
		return ksma_asprintf(ret_path, "/proc/%d/root%s", pid, path);
	return ksma_strdup(path, ret_path);
}

static struct ksma_error *fill_paths(struct ksma_monitor *monitor,
				     const struct ksma_cmdline *cmdline, const char *path)
{
	if (path)
		return ksma_strdup(path, &monitor->paths[0]);
	for (size_t i = 0; i < cmdline->monitor_count; i++)
		KSMA_TRY(resolve(monitor->pid, cmdline->monitors[i], &monitor->paths[i]));
	return NULL;
}

static struct ksma_error *prepare(struct ksma_monitor *monitor, const struct ksma_cmdline *cmdline,
				  const char *path)
{
	KSMA_TRY(fill_paths(monitor, cmdline, path));
	if (monitor->paths[0])
		return ksma_strdup(monitor->paths[0], &monitor->name);
	if (cmdline->libvirt) {
		const char *uri = cmdline->libvirt_session ? "qemu:///session" : "qemu:///system";

		KSMA_TRY(ksma_asprintf(&monitor->name, "libvirt %s", uri));
		return ksma_libvirt_create(uri, cmdline->uuid, &monitor->libvirt);
	}
	return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
				 "the guest has no QMP socket%s: start QEMU with "
				 "-qmp unix:PATH,server=on,wait=off",
				 cmdline->human_monitor ? ", only a human monitor" : "");
}

struct ksma_error *ksma_monitor_create(const struct ksma_cmdline *cmdline,
				       const struct ksma_monitor_options *options,
				       struct ksma_monitor **ret_monitor)
{
	struct ksma_monitor *monitor = calloc(1, sizeof(*monitor));
	struct ksma_error *error;

	if (!monitor)
		return ksma_error_nomem();
	monitor->pid = options->pid;
	monitor->proxied = options->path != NULL;
	monitor->timeout_ms = options->timeout_ms ? options->timeout_ms : MONITOR_TIMEOUT_MS;
	error = prepare(monitor, cmdline, options->path);
	if (error) {
		ksma_monitor_destroy(monitor);
		return error;
	}
	*ret_monitor = monitor;
	return NULL;
}

void ksma_monitor_destroy(struct ksma_monitor *monitor)
{
	if (!monitor)
		return;
	ksma_qmp_destroy(monitor->qmp);
	ksma_libvirt_destroy(monitor->libvirt);
	for (size_t i = 0; i < ARRAY_SIZE(monitor->paths); i++)
		free(monitor->paths[i]);
	free(monitor->name);
	free(monitor);
}

static void add_events(struct ksma_qmp_events *sum, const struct ksma_qmp_events *events)
{
	sum->resets += events->resets;
	sum->shutdowns += events->shutdowns;
	sum->stops += events->stops;
	sum->resumes += events->resumes;
	sum->migrations += events->migrations;
	sum->paused_us += events->paused_us;
	sum->stop_us = events->stop_us;
}

static void disconnect(struct ksma_monitor *monitor)
{
	if (!monitor->qmp)
		return;
	add_events(&monitor->events, ksma_qmp_events(monitor->qmp));
	ksma_qmp_destroy(monitor->qmp);
	monitor->qmp = NULL;
}

void ksma_monitor_rest(struct ksma_monitor *monitor)
{
	disconnect(monitor);
}

static struct ksma_error *connected(struct ksma_monitor *monitor)
{
	struct ksma_connect_options options = {
		.paths = monitor->paths,
		.timeout_ms = monitor->timeout_ms,
		.pid = monitor->pid,
		.proxied = monitor->proxied,
	};
	char *name;

	if (monitor->qmp)
		return NULL;
	KSMA_TRY(ksma_qmp_connect(&options, &monitor->qmp));
	KSMA_TRY(ksma_strdup(ksma_qmp_name(monitor->qmp), &name));
	free(monitor->name);
	monitor->name = name;
	return NULL;
}

struct ksma_error *ksma_monitor_run(struct ksma_monitor *monitor, struct ksma_qmp_call *calls,
				    size_t count)
{
	struct ksma_error *error;

	if (monitor->libvirt)
		return ksma_libvirt_run(monitor->libvirt, calls, count);
	error = connected(monitor);
	if (!error)
		error = ksma_qmp_run(monitor->qmp, calls, count);
	if (error)
		disconnect(monitor);
	/* A connection that ends is the monitor's loss, not the guest's: whoever can goes on without. */
	if (error && (error->code == KSMA_ERROR_LOST || error->code == KSMA_ERROR_OS))
		error->code = KSMA_ERROR_UNSUPPORTED;
	return error;
}

void ksma_monitor_poll(struct ksma_monitor *monitor)
{
	struct ksma_error *error;

	if (!monitor->qmp)
		return;
	error = ksma_qmp_poll(monitor->qmp);
	if (error)
		disconnect(monitor);
	ksma_error_destroy(error);
}

struct ksma_qmp_events ksma_monitor_events(const struct ksma_monitor *monitor, bool *ret_seen)
{
	struct ksma_qmp_events sum = monitor->events;

	*ret_seen = !monitor->libvirt;
	if (monitor->qmp)
		add_events(&sum, ksma_qmp_events(monitor->qmp));
	return sum;
}

const char *ksma_monitor_name(const struct ksma_monitor *monitor)
{
	return monitor->name;
}

bool ksma_monitor_passes_fds(const struct ksma_monitor *monitor)
{
	return monitor->libvirt ? ksma_libvirt_passes_fds(monitor->libvirt) : true;
}

bool ksma_monitor_after_fork(struct ksma_monitor *monitor)
{
	disconnect(monitor);
	return !monitor->libvirt;
}

struct ksma_error *ksma_hmp_text(const struct ksma_qmp_call *call, const char **ret_text,
				 size_t *ret_length)
{
	if (!call->result || !json_object_is_type(call->result, json_type_string))
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "the answer to %s %s is not text",
					 call->command, call->arguments ? call->arguments : "");
	*ret_text = json_object_get_string(call->result);
	*ret_length = (size_t)json_object_get_string_len(call->result);
	return NULL;
}
