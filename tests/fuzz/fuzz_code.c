/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Code that a hook leads to: whoever wrote it also chose what a finding shows of it. */
#include "x86/code.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	uint64_t target;
	char text[96];

	if (ksma_code_format(data, length, 0xffffffffc0000000ull, 16, text, sizeof(text)) > length)
		__builtin_trap();
	if (strlen(text) >= sizeof(text))
		__builtin_trap();
	ksma_code_hex(data, length, text, sizeof(text));
	(void)ksma_code_follow(data, length, 0xffffffffc0000000ull, &target);
	return 0;
}
