/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kdump-compressed dump, plain or flattened, that somebody hands us: headers, bitmaps, records and zlib streams of theirs. */
#include "dump_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	if (length < 16 || length > 1 << 20)
		return 0;
	if (memcmp(data, "KDUMP   ", 8) != 0 && memcmp(data, "makedumpfile\0\0\0", 16) != 0)
		return 0;
	open_and_look(data, length);
	return 0;
}
