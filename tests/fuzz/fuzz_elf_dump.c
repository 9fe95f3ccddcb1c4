/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An ELF dump that somebody hands us to look at: its headers and notes may say anything. */
#include "dump_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	uint8_t *copy;

	if (length < 64 || length > 1 << 20)
		return 0;
	copy = malloc(length);
	if (!copy)
		return 0;
	memcpy(copy, data, length);
	memcpy(copy, "\177ELF\2\1", 6);
	open_and_look(copy, length);
	free(copy);
	return 0;
}
