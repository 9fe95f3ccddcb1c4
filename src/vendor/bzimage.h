/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The outside of a kernel image: where in a bzImage the packed kernel lies (Documentation/arch/x86/boot.rst), and how packed things
 * begin. The attacker is who built the package. */
#ifndef KSMA_VENDOR_BZIMAGE_H
#define KSMA_VENDOR_BZIMAGE_H

#include "base/bytes.h"
#include "base/util.h"

enum ksma_packing {
	KSMA_PACKING_NONE, /* no packing that is known: take the bytes as they are */
	KSMA_PACKING_GZIP,
	KSMA_PACKING_XZ,
	KSMA_PACKING_ZSTD,
	KSMA_PACKING_LZ4,
	KSMA_PACKING_LZMA,
	KSMA_PACKING_BZIP2,
	KSMA_PACKING_LZO,
};

/* How these bytes are packed, by how they begin. */
enum ksma_packing ksma_packing_of(const uint8_t *data, size_t length);
const char *ksma_packing_name(enum ksma_packing packing); /* "gzip" */

struct ksma_bzimage {
	const uint8_t *payload;
	size_t payload_length; /* without the size behind it */
	size_t unpacked; /* the size that the payload says it unpacks to: arch/x86/boot/compressed/mkpiggy.c reads it too */
	enum ksma_packing packing;
};

/* Does this look like a bzImage? */
bool ksma_bzimage_is(const uint8_t *data, size_t length);
/* @return NULL, BAD_DATA, UNSUPPORTED (boot protocol before 2.08) */
struct ksma_error *ksma_bzimage_parse(const uint8_t *data, size_t length,
				      struct ksma_bzimage *ret_image) KSMA_MUST_CHECK;

#endif
