/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads ELF notes with every size held against the end: a guest may have written them. */
#include "base/note.h"

enum { NT_GNU_BUILD_ID = 3 };

const uint8_t *ksma_note_build_id(const void *notes, size_t length, size_t *ret_length)
{
	struct ksma_bytes b = ksma_bytes_of(notes, length);

	while (b.length - b.position >= 12) {
		uint32_t name_size = ksma_bytes_le32(&b);
		uint32_t size = ksma_bytes_le32(&b);
		uint32_t type = ksma_bytes_le32(&b);
		const uint8_t *name = ksma_bytes_take(&b, name_size);
		const uint8_t *value;

		ksma_bytes_take(&b, -name_size & 3);
		value = ksma_bytes_take(&b, size);
		if (!value)
			return NULL;
		if (type == NT_GNU_BUILD_ID && name_size == 4 && memcmp(name, "GNU", 4) == 0 &&
		    size > 0) {
			*ret_length = size;
			return value;
		}
		if (b.length - b.position < (-size & 3))
			return NULL; /* the last one may lack its padding */
		ksma_bytes_take(&b, -size & 3);
	}
	return NULL;
}
