/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is the guest here at all? A QEMU that waits for a migration to come, or has sent its guest away, holds memory that is none.
 *
 * Source: RunState in qapi/run-state.json, MigrationStatus in qapi/migration.json of QEMU. */
#include "guest/runstate.h"

#include <json-c/json.h>

static bool status_is(struct json_object *object, const char *const *states, const char **ret_state)
{
	struct json_object *status;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, "status", &status))
		return false;
	*ret_state = json_object_get_string(status) ?: "";
	for (; *states; states++)
		if (strcmp(*ret_state, *states) == 0)
			return true;
	return false;
}

struct ksma_error *ksma_runstate_check(struct json_object *status)
{
	static const char *const coming[] = { "inmigrate", NULL };
	static const char *const gone[] = { "postmigrate", "finish-migrate", "colo", NULL };
	const char *state;

	if (status_is(status, coming, &state))
		return ksma_error_create(
			KSMA_ERROR_LOST,
			"the guest is not here yet: its QEMU waits for a migration to come (%s)",
			state);
	if (status_is(status, gone, &state))
		return ksma_error_create(KSMA_ERROR_LOST, "the guest has migrated away (%s)",
					 state);
	return NULL;
}

struct ksma_error *ksma_runstate_check_migration(struct json_object *migration)
{
	static const char *const busy[] = {
		"setup",
		"active",
		"pre-switchover",
		"device",
		"postcopy-active",
		"postcopy-paused",
		"postcopy-recover",
		"postcopy-recover-setup",
		"postcopy-device",
		"wait-unplug",
		"colo",
		"cancelling",
		NULL,
	};
	const char *state;

	if (status_is(migration, busy, &state))
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "this cannot be read while the guest migrates (%s)",
					 state);
	return NULL;
}
