/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The disks of a running guest: what its monitor tells of them, and the export that they are read through while it lasts. */
#include "guest/disks.h"

#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/run_folder.h"
#include "guest/disks_watch.h"
#include "guest/live.h"
#include "guest/nbd.h"
#include "guest/process.h"

enum { LOCK_TIMEOUT_MS = 10000 };

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return "";
	return json_object_get_string(value);
}

static uint64_t number_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_uint64(value) : 0;
}

static struct ksma_error *take_disk(struct json_object *device, struct ksma_disks *disks)
{
	struct json_object *inserted, *image;
	struct ksma_disk *disk;

	if (!json_object_object_get_ex(device, "inserted", &inserted) ||
	    !*text_of(inserted, "node-name"))
		return NULL;
	if (disks->count == KSMA_DISKS_MAX)
		return ksma_error_create(KSMA_ERROR_LIMIT, "the guest has more than %d disks",
					 KSMA_DISKS_MAX);
	KSMA_TRY(KSMA_ARRAY_PUSH(disks, &disk));
	KSMA_TRY(ksma_strdup(text_of(device, "device"), &disk->device));
	KSMA_TRY(ksma_strdup(text_of(device, "qdev"), &disk->qdev));
	KSMA_TRY(ksma_strdup(text_of(inserted, "node-name"), &disk->node));
	KSMA_TRY(ksma_strdup(text_of(inserted, "drv"), &disk->format));
	KSMA_TRY(ksma_strdup(text_of(inserted, "file"), &disk->file));
	if (json_object_object_get_ex(inserted, "image", &image))
		disk->size = number_of(image, "virtual-size");
	return NULL;
}

/* One command to the monitor. @ret_result may be NULL; a reference of the caller's */
static struct ksma_error *ask(struct ksma_monitor *monitor, const char *command,
			      const char *arguments, struct json_object **ret_result)
{
	struct ksma_qmp_call call = { .command = command, .arguments = arguments };
	struct ksma_error *error;

	KSMA_TRY(ksma_monitor_run(monitor, &call, 1));
	error = TAKE_PTR(call.error);
	if (!error && ret_result)
		*ret_result = json_object_get(call.result);
	ksma_qmp_calls_deinit(&call, 1);
	return error;
}

static struct ksma_error *list_disks(struct ksma_disks *disks)
{
	struct json_object *devices = NULL;
	struct ksma_error *error = NULL;

	KSMA_TRY(ask(disks->monitor, "query-block", NULL, &devices));
	if (!json_object_is_type(devices, json_type_array))
		error = ksma_error_create(KSMA_ERROR_BAD_DATA,
					  "the answer to query-block is not a list");
	for (size_t i = 0; !error && i < json_object_array_length(devices); i++)
		error = take_disk(json_object_array_get_idx(devices, i), disks);
	json_object_put(devices);
	return error;
}

static const char *const folder_files[] = { "lock", "users", "socket", "" };

static bool there_still(int pid, uint64_t started)
{
	struct ksma_host_process process = { 0 };
	struct ksma_error *error = ksma_host_process_read(pid, &process);
	bool there =
		error ? error->code != KSMA_ERROR_NOT_PRESENT && error->code != KSMA_ERROR_INVALID
		      : process.start_time == started;

	ksma_error_destroy(error);
	ksma_host_process_free(&process);
	return there;
}

/* Removes what was left behind for a QEMU that is no more: there is nothing to take back then. */
static void sweep(const char *run)
{
	DIR *dir = opendir(run);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		unsigned long long started;
		int pid, end = 0;
		bool there;

		if (sscanf(entry->d_name, "disks-%d-%llu%n", &pid, &started, &end) != 2 ||
		    entry->d_name[end])
			continue;
		there = there_still(pid, started);
		for (size_t i = 0; !there && i < ARRAY_SIZE(folder_files); i++) {
			_cleanup_free_ char *path = NULL;
			struct ksma_error *error = ksma_asprintf(&path, "%s/%s/%s", run,
								 entry->d_name, folder_files[i]);

			if (!error)
				(void)!(*folder_files[i] ? unlink(path) : rmdir(path));
			ksma_error_destroy(error);
		}
	}
	if (dir)
		closedir(dir);
}

/* The folder of one QEMU: its pid and when it started, as a pid may be reused. */
static struct ksma_error *name_folder(const struct ksma_live *live, struct ksma_disks *disks)
{
	struct ksma_host_process process = { 0 };
	_cleanup_free_ char *run = NULL;
	uint64_t started;

	KSMA_TRY(ksma_host_process_read(live->pid, &process));
	started = process.start_time;
	ksma_host_process_free(&process);
	KSMA_TRY(ksma_run_folder(&run));
	sweep(run);
	KSMA_TRY(ksma_asprintf(&disks->folder, "%s/disks-%d-%llu", run, live->pid,
			       (unsigned long long)started));
	KSMA_TRY(ksma_asprintf(&disks->socket, "%s/socket", disks->folder));
	if (strlen(disks->socket) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return ksma_error_create(KSMA_ERROR_INVALID, "%s: too long for a socket",
					 disks->socket);
	return NULL;
}

struct ksma_error *ksma_disks_open(struct ksma_guest *guest, struct ksma_disks *ret_disks)
{
	struct ksma_disks disks = { .users = -1, .watch = -1 };
	const struct ksma_live *live = guest->priv;
	struct ksma_error *error;

	if (guest->info.kind != KSMA_GUEST_LIVE)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED, "a dump has no disks");
	if (!live->monitor)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED, "disks are read through the monitor: %s",
			live->monitor_problem ? live->monitor_problem : "it is not to be used");
	disks.monitor = live->monitor;
	error = list_disks(&disks);
	if (!error)
		error = name_folder(live, &disks);
	if (error)
		ksma_disks_close(&disks);
	else
		*ret_disks = disks;
	return ksma_error_prefix(error, "the guest's disks");
}

/* Does somebody take connections there? */
static bool answers(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static struct ksma_error *listen_at(const char *path, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (unlink(path) < 0 && errno != ENOENT)
		return ksma_error_os(errno, "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return ksma_error_os(errno, "%s", path);
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

/* The socket is made here and goes to QEMU by descriptor: its user, container or profile need not be able to reach our folder. */
static struct ksma_error *start_server(struct ksma_disks *disks)
{
	_cleanup_close_ int fd = -1;
	struct ksma_qmp_call calls[] = {
		{ .command = "getfd", .arguments = "{\"fdname\":\"ksma-disks\"}" },
		{ .command = "nbd-server-start",
		  .arguments = "{\"addr\":{\"type\":\"fd\",\"data\":{\"str\":\"ksma-disks\"}}}" },
	};
	struct ksma_error *error;

	KSMA_TRY(listen_at(disks->socket, &fd));
	calls[0].fd = fd;
	KSMA_TRY(ksma_monitor_run(disks->monitor, calls, ARRAY_SIZE(calls)));
	error = calls[0].error ? TAKE_PTR(calls[0].error) : TAKE_PTR(calls[1].error);
	if (calls[1].error && !calls[0].error)
		error = NULL;
	ksma_qmp_calls_deinit(calls, ARRAY_SIZE(calls));
	if (error) {
		unlink(disks->socket);
		/* QEMU's word for it: "NBD server already running". */
		if (strstr(error->message, "already running")) {
			ksma_error_destroy(error);
			return ksma_error_create(
				KSMA_ERROR_UNSUPPORTED,
				"an NBD server of somebody else runs in this guest's QEMU (a backup or a "
				"migration of its disks?), and there is room for one: wait until it is done, or end it "
				"with nbd-server-stop");
		}
	}
	return error;
}

/* Who comes first after all others are gone finds the server as they left it: with an end, or, killed, without one. */
static struct ksma_error *join(struct ksma_disks *disks)
{
	_cleanup_free_ char *lock = NULL;
	_cleanup_free_ char *users = NULL;
	_cleanup_close_ int held = -1;
	struct ksma_error *error = NULL;

	if (!ksma_monitor_passes_fds(disks->monitor))
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"no socket can be passed to QEMU on the way to its monitor");
	KSMA_TRY(ksma_asprintf(&lock, "%s/lock", disks->folder));
	KSMA_TRY(ksma_asprintf(&users, "%s/users", disks->folder));
	if (mkdir(disks->folder, 0700) < 0 && errno != EEXIST)
		return ksma_error_os(errno, "%s", disks->folder);
	KSMA_TRY(ksma_run_lock(lock, LOCK_EX, LOCK_TIMEOUT_MS, &held));
	KSMA_TRY(ksma_run_lock(users, LOCK_SH, LOCK_TIMEOUT_MS, &disks->users));
	if (!answers(disks->socket))
		error = start_server(disks);
	if (!error)
		error = ksma_disks_watch_start(disks->monitor, disks->folder, &disks->watch);
	return error;
}

/* Lets go of what was taken for an export, whether or not it came to one. */
static void leave(struct ksma_disks *disks)
{
	bool withdrawn = true;

	if (disks->users >= 0) {
		close(disks->users);
		withdrawn = ksma_disks_withdraw(disks->monitor, disks->folder);
	}
	ksma_disks_watch_end(disks->watch, withdrawn);
	disks->users = disks->watch = -1;
	disks->serving = false;
}

static struct ksma_error *serve(struct ksma_disks *disks)
{
	struct ksma_error *error = join(disks);

	disks->serving = !error;
	if (error)
		leave(disks);
	return error;
}

/* The export of a node that is there already, or a new one. */
static struct ksma_error *export_node(struct ksma_disks *disks, const char *node, char **ret_id)
{
	_cleanup_free_ char *lock = NULL;
	_cleanup_free_ char *arguments = NULL;
	_cleanup_free_ char *id = NULL;
	_cleanup_close_ int held = -1;
	struct json_object *exports = NULL, *quoted;
	struct ksma_error *error;
	unsigned free_number = 0, number;

	KSMA_TRY(ksma_asprintf(&lock, "%s/lock", disks->folder));
	KSMA_TRY(ksma_run_lock(lock, LOCK_EX, LOCK_TIMEOUT_MS, &held));
	KSMA_TRY(ask(disks->monitor, "query-block-exports", NULL, &exports));
	for (size_t i = 0; i < json_object_array_length(exports); i++) {
		struct json_object *export = json_object_array_get_idx(exports, i);
		const char *name = text_of(export, "id");

		if (sscanf(name, KSMA_DISKS_EXPORT "%u", &number) != 1)
			continue;
		if (number >= free_number && number < UINT32_MAX)
			free_number = number + 1;
		if (strcmp(text_of(export, "node-name"), node) == 0) {
			error = ksma_strdup(name, ret_id);
			json_object_put(exports);
			return error;
		}
	}
	json_object_put(exports);
	KSMA_TRY(ksma_asprintf(&id, KSMA_DISKS_EXPORT "%u", free_number));
	quoted = json_object_new_string(node);
	if (!quoted)
		return ksma_error_nomem();
	error = ksma_asprintf(
		&arguments,
		"{\"type\":\"nbd\",\"id\":\"%s\",\"name\":\"%s\",\"node-name\":%s,\"writable\":false}",
		id, id, json_object_to_json_string(quoted));
	json_object_put(quoted);
	if (!error)
		error = ask(disks->monitor, "block-export-add", arguments, NULL);
	if (!error)
		*ret_id = TAKE_PTR(id);
	return error;
}

struct ksma_error *ksma_disks_read(struct ksma_disks *disks, size_t i)
{
	struct ksma_disk *disk = &disks->items[i];
	_cleanup_free_ char *id = NULL;
	struct ksma_error *error = NULL;

	if (disk->block)
		return NULL;
	if (!disks->serving)
		error = serve(disks);
	if (!error)
		error = export_node(disks, disk->node, &id);
	if (!error)
		error = ksma_nbd_open(disks->socket, id, 0, &disk->block);
	return ksma_error_prefix(error, "disk %s", *disk->device ? disk->device : disk->node);
}

void ksma_disks_close(struct ksma_disks *disks)
{
	for (size_t i = 0; i < disks->count; i++) {
		struct ksma_disk *disk = &disks->items[i];

		ksma_block_destroy(disk->block);
		free(disk->device);
		free(disk->qdev);
		free(disk->node);
		free(disk->format);
		free(disk->file);
	}
	free(disks->items);
	if (disks->serving)
		leave(disks);
	free(disks->folder);
	free(disks->socket);
	*disks = (struct ksma_disks){ .users = -1, .watch = -1 };
}
