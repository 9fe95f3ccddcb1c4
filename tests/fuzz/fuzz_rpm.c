/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The headers of an .rpm, which whoever built it wrote. (What follows them is libarchive's.) */
#include "ingest/rpm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct rpm_info info;
	struct ksma_error *error = rpm_parse(data, length, &info);

	if (!error &&
	    (!*info.name || strlen(info.name) + strlen(info.version) + strlen(info.release) +
					    strlen(info.architecture) >
				    4 * length))
		abort();
	ksma_error_destroy(error);
	return 0;
}
