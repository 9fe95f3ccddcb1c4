/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The texts beside a manifest and in the folder of keys: signatures (first byte even), and the list of the revoked. Their attacker is
 * whoever may write to the files. */
#include "vendor/revoked.h"
#include "vendor/signatures.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* What was read is written, and read again. */
static void check(const struct ksma_signatures *list)
{
	struct ksma_signatures again;
	char *text;
	size_t length;

	if (ksma_signatures_format(list, &text, &length) ||
	    ksma_signatures_parse(text, length, &again))
		abort();
	if (again.count != list->count)
		abort();
	for (size_t i = 0; i < list->count; i++) {
		const struct ksma_signature *a = &list->items[i], *b = &again.items[i];

		if (memcmp(a->head, b->head, KSMA_SHA256) != 0 || a->scheme != b->scheme ||
		    a->bytes.length != b->bytes.length || !a->bytes.length ||
		    a->certificate_count != b->certificate_count)
			abort();
	}
	ksma_signatures_deinit(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_signatures list;
	struct ksma_revoked revoked;
	struct ksma_error *error;

	if (!length)
		return 0;
	if (data[0] & 1) {
		error = ksma_revoked_parse((const char *)data + 1, length - 1, &revoked);
		if (!error) {
			for (size_t i = 0; i < revoked.count; i++)
				if (!ksma_revoked_has(&revoked,
						      (enum ksma_revoked_kind)revoked.items[i].kind,
						      revoked.items[i].hash))
					abort();
			ksma_revoked_deinit(&revoked);
		}
	} else {
		error = ksma_signatures_parse((const char *)data + 1, length - 1, &list);
		if (!error) {
			check(&list);
			ksma_signatures_deinit(&list);
		}
	}
	ksma_error_destroy(error);
	return 0;
}
