/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which states of QEMU mean that the guest is elsewhere, or on its way. */
#include "unit.h"

#include <json-c/json.h>

#include "guest/runstate.h"

static struct ksma_error *judge(struct ksma_error *(*check)(struct json_object *), const char *text)
{
	struct json_object *object = json_tokener_parse(text);
	struct ksma_error *error = check(object);

	json_object_put(object);
	return error;
}

static void test_here(void **state)
{
	static const char *const texts[] = { "{\"status\": \"running\"}",
					     "{\"status\": \"paused\"}",
					     "{\"status\": \"prelaunch\"}",
					     "{\"status\": \"guest-panicked\"}",
					     "{\"status\": 5}",
					     "{}",
					     "[]",
					     "7",
					     "null" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_ok(judge(ksma_runstate_check, texts[i]));
		assert_ok(judge(ksma_runstate_check_migration, texts[i]));
	}
	assert_ok(judge(ksma_runstate_check_migration, "{\"status\": \"completed\", \"ram\": {}}"));
}

static void test_elsewhere(void **state)
{
	assert_error_says(judge(ksma_runstate_check, "{\"status\": \"inmigrate\"}"),
			  KSMA_ERROR_LOST, "not here yet");
	assert_error_says(judge(ksma_runstate_check, "{\"status\": \"postmigrate\"}"),
			  KSMA_ERROR_LOST, "migrated away");
	assert_error_says(judge(ksma_runstate_check_migration, "{\"status\": \"postcopy-active\"}"),
			  KSMA_ERROR_UNSUPPORTED, "migrates (postcopy-active)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_here),
		cmocka_unit_test(test_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
