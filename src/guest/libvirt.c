/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The monitor of a guest that libvirt owns, reached through libvirt's own library, loaded only when there is such a guest.
 *
 * The few functions used are declared here by hand, so that neither building nor running needs libvirt. Source:
 * libvirt-host.h, libvirt-domain.h, libvirt-qemu.h, virterror.h; they are stable ABI since 0.8.3 (WithFiles: 8.2.0). */
#include "guest/libvirt.h"

#include <dlfcn.h>
#include <json-c/json.h>

struct api {
	void *(*open)(const char *uri);			     /* virConnectOpen */
	int (*close)(void *connection);			     /* virConnectClose */
	void *(*lookup)(void *connection, const char *uuid); /* virDomainLookupByUUIDString */
	int (*free)(void *domain);			     /* virDomainFree */
	const char *(*last_error)(void);		     /* virGetLastErrorMessage */
	void (*set_global)(void *data, void (*fn)(void *, void *)); /* virSetErrorFunc */
	int (*command)(void *domain, const char *command, char **result, unsigned flags);
	int (*command_fds)(void *domain, const char *command, unsigned in_count, int *in,
			   unsigned *out_count, int **out, char **result, unsigned flags);
};

struct ksma_libvirt {
	char *uri, *uuid;
	void *core,
		*qemu; /* the libraries; never unloaded, for libvirt keeps threads and exit handlers */
	struct api api;
	void *connection, *domain;
};

struct ksma_error *ksma_libvirt_create(const char *uri, const char *uuid,
				       struct ksma_libvirt **ret_libvirt)
{
	struct ksma_libvirt *libvirt = calloc(1, sizeof(*libvirt));
	struct ksma_error *error;

	if (!libvirt)
		return ksma_error_nomem();
	error = ksma_strdup(uri, &libvirt->uri);
	if (!error)
		error = ksma_strdup(uuid, &libvirt->uuid);
	if (!error && !*uuid)
		error = ksma_error_create(
			KSMA_ERROR_NOT_PRESENT,
			"libvirt owns the monitor, but the guest has no UUID to ask "
			"libvirt for it");
	if (error) {
		ksma_libvirt_destroy(libvirt);
		return error;
	}
	*ret_libvirt = libvirt;
	return NULL;
}

void ksma_libvirt_destroy(struct ksma_libvirt *libvirt)
{
	if (!libvirt)
		return;
	if (libvirt->domain)
		libvirt->api.free(libvirt->domain);
	if (libvirt->connection)
		libvirt->api.close(libvirt->connection);
	free(libvirt->uri);
	free(libvirt->uuid);
	free(libvirt);
}

bool ksma_libvirt_passes_fds(const struct ksma_libvirt *libvirt)
{
	return libvirt->api.command_fds != NULL;
}

/* libvirt prints errors on stderr unless it is told where else to put them. */
static void swallow(void *data, void *error)
{
	(void)data;
	(void)error;
}

static struct ksma_error *load(struct ksma_libvirt *libvirt)
{
	const struct {
		const char *name;
		void *field;
		bool qemu, optional;
	} symbols[] = {
		{ "virConnectOpen", &libvirt->api.open, false, false },
		{ "virConnectClose", &libvirt->api.close, false, false },
		{ "virDomainLookupByUUIDString", &libvirt->api.lookup, false, false },
		{ "virDomainFree", &libvirt->api.free, false, false },
		{ "virGetLastErrorMessage", &libvirt->api.last_error, false, false },
		{ "virSetErrorFunc", &libvirt->api.set_global, false, true },
		{ "virDomainQemuMonitorCommand", &libvirt->api.command, true, false },
		{ "virDomainQemuMonitorCommandWithFiles", &libvirt->api.command_fds, true, true },
	};

	if (libvirt->qemu)
		return NULL;
	libvirt->core = dlopen("libvirt.so.0", RTLD_NOW | RTLD_LOCAL);
	libvirt->qemu = libvirt->core ? dlopen("libvirt-qemu.so.0", RTLD_NOW | RTLD_LOCAL) : NULL;
	if (!libvirt->qemu)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"libvirt owns the monitor, and its library cannot be loaded (%s): "
			"install libvirt0",
			dlerror());
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *symbol =
			dlsym(symbols[i].qemu ? libvirt->qemu : libvirt->core, symbols[i].name);

		if (!symbol && !symbols[i].optional) {
			libvirt->qemu = NULL;
			return ksma_error_create(KSMA_ERROR_UNSUPPORTED, "this libvirt has no %s",
						 symbols[i].name);
		}
		memcpy(symbols[i].field, &symbol, sizeof(symbol));
	}
	if (libvirt->api.set_global)
		libvirt->api.set_global(NULL, swallow);
	return NULL;
}

static struct ksma_error *connected(struct ksma_libvirt *libvirt)
{
	KSMA_TRY(load(libvirt));
	if (!libvirt->connection)
		libvirt->connection = libvirt->api.open(libvirt->uri);
	if (!libvirt->connection)
		return ksma_error_create(KSMA_ERROR_LOST, "libvirt %s: %s", libvirt->uri,
					 libvirt->api.last_error());
	if (!libvirt->domain)
		libvirt->domain = libvirt->api.lookup(libvirt->connection, libvirt->uuid);
	if (!libvirt->domain)
		return ksma_error_create(KSMA_ERROR_LOST, "libvirt %s: %s", libvirt->uri,
					 libvirt->api.last_error());
	return NULL;
}

static struct ksma_error *run_one(struct ksma_libvirt *libvirt, struct ksma_qmp_call *call)
{
	_cleanup_free_ char *command = NULL;
	_cleanup_free_ char *answer = NULL;
	struct json_object *object;
	uint64_t start = ksma_now_ns();
	int status, fd = call->fd;

	KSMA_TRY(ksma_asprintf(&command, "{\"execute\":\"%s\"%s%s}", call->command,
			       call->arguments ? ",\"arguments\":" : "",
			       call->arguments ? call->arguments : ""));
	if (fd > 0 && !libvirt->api.command_fds)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"this libvirt passes no descriptors to QEMU; 8.2 and newer do");
	if (fd > 0)
		status = libvirt->api.command_fds(libvirt->domain, command, 1, &fd, NULL, NULL,
						  &answer, 0);
	else
		status = libvirt->api.command(libvirt->domain, command, &answer, 0);
	if (status < 0 || !answer)
		return ksma_error_create(KSMA_ERROR_LOST, "libvirt %s: %s", libvirt->uri,
					 libvirt->api.last_error());
	object = json_tokener_parse(answer);
	if (!json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "libvirt %s: the answer to %s is not JSON", libvirt->uri,
					 call->command);
	}
	call->elapsed_us = (ksma_now_ns() - start) / 1000;
	call->error = ksma_qmp_answer(object, call->command, &call->result);
	json_object_put(object);
	return NULL;
}

struct ksma_error *ksma_libvirt_run(struct ksma_libvirt *libvirt, struct ksma_qmp_call *calls,
				    size_t count)
{
	struct ksma_error *error = connected(libvirt);

	for (size_t i = 0; i < count && !error; i++)
		error = run_one(libvirt, &calls[i]);
	if (error)
		ksma_qmp_calls_deinit(calls, count);
	return error;
}
