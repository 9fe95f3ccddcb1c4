/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way to a guest's monitor: a QMP socket of its own, or libvirt where libvirt holds it.
 *
 * Connected when it is first needed. A QMP socket serves one client at a time, so it is let go of when nobody needs it. */
#ifndef KSMA_GUEST_MONITOR_H
#define KSMA_GUEST_MONITOR_H

#include "guest/cmdline.h"
#include "guest/qmp.h"

struct ksma_monitor;

struct ksma_monitor_options {
	int pid;	     /* of QEMU; 0: not known */
	const char *path;    /* a socket to use instead of those of the command line, or NULL */
	unsigned timeout_ms; /* 0 means 2000 */
};

/* Prepares the way, and connects to nothing yet. `cmdline` must outlive it.
 * @return NULL, NOT_PRESENT (the guest has no monitor: says how to give it one), NOMEM */
struct ksma_error *ksma_monitor_create(const struct ksma_cmdline *cmdline,
				       const struct ksma_monitor_options *options,
				       struct ksma_monitor **ret_monitor) KSMA_MUST_CHECK;
void ksma_monitor_destroy(struct ksma_monitor *monitor);

/* Runs calls as ksma_qmp_run() does, but a connection that ends is UNSUPPORTED, for it is not the guest's end. After an error the
 * next run connects afresh. */
struct ksma_error *ksma_monitor_run(struct ksma_monitor *monitor, struct ksma_qmp_call *calls,
				    size_t count) KSMA_MUST_CHECK;

/* Lets go of the connection, for others want it too; the next run connects again. Events that come meanwhile are missed. */
void ksma_monitor_rest(struct ksma_monitor *monitor);

/* Takes note of events without waiting; does not connect. */
void ksma_monitor_poll(struct ksma_monitor *monitor);

/* Events of all connections so far. Through libvirt there are none: `ret_seen` is false. */
struct ksma_qmp_events ksma_monitor_events(const struct ksma_monitor *monitor, bool *ret_seen);

/* "/run/vm.qmp", "libvirt qemu:///system", for people. */
const char *ksma_monitor_name(const struct ksma_monitor *monitor);

/* Can descriptors be passed to QEMU on this way? */
bool ksma_monitor_passes_fds(const struct ksma_monitor *monitor);

/* In a child after fork(): lets go of the parent's connection, so that the next run makes one of its own.
 * @return false through libvirt, whose library does not bear a fork */
bool ksma_monitor_after_fork(struct ksma_monitor *monitor);

/* The arguments of human-monitor-command for a line of ours (no quotes or backslashes in it). */
#define KSMA_HMP(line) "{\"command-line\":\"" line "\"}"

/* The text that a human-monitor-command returned. @return NULL or BAD_DATA */
struct ksma_error *ksma_hmp_text(const struct ksma_qmp_call *call, const char **ret_text,
				 size_t *ret_length) KSMA_MUST_CHECK;

#endif
