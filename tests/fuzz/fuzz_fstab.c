/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /etc/fstab of an image that somebody else made. */
#include "signed/fstab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct signed_fstab fstab;
	struct ksma_error *error;

	error = signed_fstab_parse((const char *)data, length, &fstab);
	if (error) {
		ksma_error_destroy(error);
		return 0;
	}
	if (fstab.count > SIGNED_FSTAB_LINES)
		abort();
	for (size_t i = 0; i < fstab.count; i++)
		if (!fstab.items[i].what[0] || fstab.items[i].where[0] != '/' ||
		    !fstab.items[i].kind)
			abort();
	signed_fstab_deinit(&fstab);
	return 0;
}
