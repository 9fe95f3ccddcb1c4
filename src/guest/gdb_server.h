/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The debugger's socket of a guest, as the monitor knows it: is there one, is somebody connected, open one, close it. */
#ifndef KSMA_GUEST_GDB_SERVER_H
#define KSMA_GUEST_GDB_SERVER_H

#include "guest/monitor.h"

struct ksma_gdb_server {
	bool present;	/* QEMU listens for a debugger, or has one */
	bool connected; /* a client is there */
	char *address;	/* for ksma_gdb_connect(), or NULL: no socket, or nothing is present */
	char *status;	/* "running", "paused", "debug", "prelaunch", … */
};

/* Asks the monitor. @ret_server freed with ksma_gdb_server_deinit() */
struct ksma_error *ksma_gdb_server_find(struct ksma_monitor *monitor,
					struct ksma_gdb_server *ret_server) KSMA_MUST_CHECK;
void ksma_gdb_server_deinit(struct ksma_gdb_server *server);

/* Reads the results of query-chardev and query-status. @return NULL, BAD_DATA, NOMEM */
struct ksma_error *ksma_gdb_server_parse(struct json_object *chardevs, struct json_object *status,
					 struct ksma_gdb_server *ret_server) KSMA_MUST_CHECK;

/* Has QEMU listen on a unix socket, as its command `gdbserver` does. The path has no comma, quote or backslash.
 * @return NULL, PERMISSION (QEMU may not make a socket there), INVALID, or as ksma_monitor_run() */
struct ksma_error *ksma_gdb_server_open(struct ksma_monitor *monitor,
					const char *path) KSMA_MUST_CHECK;

/* Has QEMU listen no more. Whoever was connected is no more either; breakpoints stay: detach first. */
struct ksma_error *ksma_gdb_server_close(struct ksma_monitor *monitor) KSMA_MUST_CHECK;

#endif
