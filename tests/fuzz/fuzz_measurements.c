/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A measurement list that a guard goes on with: whoever may write in its folder made it. */
#include "guard/measurements_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_measured measured;
	size_t position = 0, before = 0;

	while (ksma_measured_next(data, length, &position, &measured)) {
		char *line = NULL;
		struct ksma_error *error = ksma_measured_line(&measured, &line);

		if (position <= before || position > length || (!error && strchr(line, '\n')))
			abort();
		before = position;
		ksma_error_destroy(error);
		free(line);
	}
	return 0;
}
