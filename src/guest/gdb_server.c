/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The debugger's socket of a guest, as the monitor knows it: is there one, is somebody connected, open one, close it.
 *
 * QEMU names the character device of its gdbstub "gdb", whether it came from -s, -gdb or `gdbserver`, and says of a socket that nobody
 * is connected to that it is "disconnected:". Source: gdbserver_start() and qemu_chr_socket_address() of QEMU. */
#include "guest/gdb_server.h"

#include <json-c/json.h>

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &value))
		return "";
	return json_object_get_string(value) ?: "";
}

/* "disconnected:unix:/run/x.sock,server=on" or "tcp:127.0.0.1:1234,server=on <-> 127.0.0.1:4321". */
static struct ksma_error *parse_filename(const char *filename, struct ksma_gdb_server *server)
{
	static const char disconnected[] = "disconnected:";

	server->present = true;
	server->connected = strncmp(filename, disconnected, strlen(disconnected)) != 0;
	if (!server->connected)
		filename += strlen(disconnected);
	if (strncmp(filename, "unix:", 5) != 0 && strncmp(filename, "tcp:", 4) != 0)
		return NULL;
	server->address = strndup(filename, strcspn(filename, ","));
	return server->address ? NULL : ksma_error_nomem();
}

struct ksma_error *ksma_gdb_server_parse(struct json_object *chardevs, struct json_object *status,
					 struct ksma_gdb_server *ret_server)
{
	struct ksma_gdb_server server = { 0 };
	struct ksma_error *error;

	if (!json_object_is_type(chardevs, json_type_array))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the monitor's list of character devices is no list");
	error = ksma_strdup(text_of(status, "status"), &server.status);
	for (size_t i = 0; i < json_object_array_length(chardevs) && !error && !server.present;
	     i++) {
		struct json_object *chardev = json_object_array_get_idx(chardevs, i);

		if (strcmp(text_of(chardev, "label"), "gdb") == 0)
			error = parse_filename(text_of(chardev, "filename"), &server);
	}
	if (error) {
		ksma_gdb_server_deinit(&server);
		return error;
	}
	*ret_server = server;
	return NULL;
}

void ksma_gdb_server_deinit(struct ksma_gdb_server *server)
{
	free(server->address);
	free(server->status);
	*server = (struct ksma_gdb_server){ 0 };
}

/* The error of a run, or of one of its calls. */
static struct ksma_error *run(struct ksma_monitor *monitor, struct ksma_qmp_call *calls,
			      size_t count)
{
	KSMA_TRY(ksma_monitor_run(monitor, calls, count));
	for (size_t i = 0; i < count; i++)
		if (calls[i].error)
			return TAKE_PTR(calls[i].error);
	return NULL;
}

struct ksma_error *ksma_gdb_server_find(struct ksma_monitor *monitor,
					struct ksma_gdb_server *ret_server)
{
	struct ksma_qmp_call calls[] = { { .command = "query-chardev" },
					 { .command = "query-status" } };
	struct ksma_error *error = run(monitor, calls, ARRAY_SIZE(calls));

	if (!error)
		error = ksma_gdb_server_parse(calls[0].result, calls[1].result, ret_server);
	ksma_qmp_calls_deinit(calls, ARRAY_SIZE(calls));
	return error;
}

/* The human monitor's gdbserver, which says in words what came of it. */
static struct ksma_error *gdbserver(struct ksma_monitor *monitor, const char *device)
{
	_cleanup_free_ char *arguments = NULL;
	struct ksma_qmp_call call = { .command = "human-monitor-command" };
	struct ksma_error *error;
	const char *text;
	size_t length;

	KSMA_TRY(ksma_asprintf(&arguments, KSMA_HMP("gdbserver %s"), device));
	call.arguments = arguments;
	error = run(monitor, &call, 1);
	if (!error)
		error = ksma_hmp_text(&call, &text, &length);
	if (!error && !strstr(text, "Waiting for gdb connection") &&
	    !strstr(text, "Disabled gdbserver"))
		error = ksma_error_create(
			KSMA_ERROR_PERMISSION,
			"QEMU does not open a debugger's socket (gdbserver %s): %.*s", device,
			(int)strcspn(text, "\r\n"), text);
	ksma_qmp_calls_deinit(&call, 1);
	return error;
}

struct ksma_error *ksma_gdb_server_open(struct ksma_monitor *monitor, const char *path)
{
	_cleanup_free_ char *device = NULL;

	if (path[strcspn(path, ",\"\\\r\n")])
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "%s: not a path that QEMU can be told of", path);
	KSMA_TRY(ksma_asprintf(&device, "unix:%s,server=on,wait=off", path));
	return gdbserver(monitor, device);
}

struct ksma_error *ksma_gdb_server_close(struct ksma_monitor *monitor)
{
	return gdbserver(monitor, "none");
}
