/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes small bzImages: setup header, PE headers and sections as the kernel's, and a payload. */
#ifndef KSMA_TESTS_TINY_PE_H
#define KSMA_TESTS_TINY_PE_H

#include "base/util.h"

enum {
	TINY_PE_AT = 0x80, /* of "PE" */
	TINY_PE_CHECKSUM = TINY_PE_AT + 24 + 64,
	TINY_PE_DIRECTORY = TINY_PE_AT + 24 + 112 + 4 * 8,
	TINY_PE_SECTIONS = TINY_PE_AT + 24 + 160,
	TINY_SETUP = 2 * 512, /* boot sector and one more */
};

/* A bzImage around `payload`, as it is; `unpacked` goes behind it, unless 0. Owned by the caller; a multiple of 512 bytes. */
uint8_t *tiny_bzimage(const void *payload, size_t length, uint32_t unpacked, size_t *ret_length);

#endif
