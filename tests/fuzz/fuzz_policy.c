/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A policy: the operator's own, but what it is matched with is the guest's. The part behind the first zero byte is a path. */
#include "guard/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	const uint8_t *end = memchr(data, 0, length);
	size_t text = end ? (size_t)(end - data) : length;
	char *path = strndup(end ? (const char *)end + 1 : "", end ? length - text - 1 : 0);
	struct ksma_policy *policy = NULL;
	struct ksma_error *error = ksma_policy_parse("input", (const char *)data, text, &policy);

	for (enum ksma_access_func func = KSMA_FUNC_ANY + 1; !error && func < KSMA_FUNCS; func++) {
		struct ksma_access access = {
			.func = func,
			.mask = KSMA_MAY_READ,
			.known = KSMA_KNOWN_ALL,
			.fsname = "ext4",
			.path = path,
		};
		struct ksma_policy_verdict verdict, blind;

		ksma_policy_match(policy, &access, &verdict);
		access.known = 0;
		ksma_policy_match(policy, &access, &blind);
		/* Who sees less asks for no less. */
		if (verdict.appraise && !blind.appraise)
			abort();
		(void)ksma_policy_hooks(policy);
	}
	ksma_error_destroy(error);
	ksma_policy_destroy(policy);
	free(path);
	return 0;
}
