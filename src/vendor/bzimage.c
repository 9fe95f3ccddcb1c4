/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the packed kernel in a bzImage by its setup header. */
#include "vendor/bzimage.h"

enum {
	SETUP_SECTS = 0x1f1,
	BOOT_FLAG = 0x1fe,
	HEADER = 0x202,
	VERSION = 0x206,
	PAYLOAD_OFFSET = 0x248,
	PAYLOAD_LENGTH = 0x24c,
	HEADER_END = 0x250,
};

static const struct {
	const char *name;
	uint8_t magic[6];
	uint8_t length;
} packings[] = {
	[KSMA_PACKING_NONE] = { "none", { 0 }, 0 },
	[KSMA_PACKING_GZIP] = { "gzip", { 0x1f, 0x8b }, 2 },
	[KSMA_PACKING_XZ] = { "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6 },
	[KSMA_PACKING_ZSTD] = { "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4 },
	[KSMA_PACKING_LZ4] = { "lz4", { 0x02, 0x21, 0x4c, 0x18 }, 4 }, /* the legacy frame */
	[KSMA_PACKING_LZMA] = { "lzma", { 0x5d, 0, 0 }, 3 },
	[KSMA_PACKING_BZIP2] = { "bzip2", { 'B', 'Z', 'h' }, 3 },
	[KSMA_PACKING_LZO] = { "lzo", { 0x89, 'L', 'Z', 'O', 0, 0x0d }, 6 },
};

enum ksma_packing ksma_packing_of(const uint8_t *data, size_t length)
{
	static const uint8_t lz4_frame[] = { 0x04, 0x22, 0x4d, 0x18 };

	for (size_t i = 1; i < ARRAY_SIZE(packings); i++)
		if (length >= packings[i].length &&
		    memcmp(data, packings[i].magic, packings[i].length) == 0)
			return (enum ksma_packing)i;
	if (length >= sizeof(lz4_frame) && memcmp(data, lz4_frame, sizeof(lz4_frame)) == 0)
		return KSMA_PACKING_LZ4;
	return KSMA_PACKING_NONE;
}

const char *ksma_packing_name(enum ksma_packing packing)
{
	return packings[packing].name;
}

bool ksma_bzimage_is(const uint8_t *data, size_t length)
{
	return length >= HEADER_END && ksma_le16(data + BOOT_FLAG) == 0xaa55 &&
	       memcmp(data + HEADER, "HdrS", 4) == 0;
}

static struct ksma_error *bad(const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "not a whole bzImage: %s", what);
}

struct ksma_error *ksma_bzimage_parse(const uint8_t *data, size_t length,
				      struct ksma_bzimage *ret_image)
{
	struct ksma_bzimage image = { 0 };
	uint64_t start;
	uint32_t size;

	if (!ksma_bzimage_is(data, length))
		return bad("its header is not there");
	if (ksma_le16(data + VERSION) < 0x0208)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"its boot protocol is from before 2.08, which does not say where the kernel lies");
	/* 0 means 4 */
	start = ((data[SETUP_SECTS] ? data[SETUP_SECTS] : 4u) + 1u) * 512u;
	start += ksma_le32(data + PAYLOAD_OFFSET);
	size = ksma_le32(data + PAYLOAD_LENGTH);
	if (size < 8 || !ksma_in_range(start, size, length))
		return bad("the kernel in it is cut");
	image.payload = data + start;
	image.packing = ksma_packing_of(image.payload, size);
	image.unpacked = ksma_le32(image.payload + size - 4);
	/* gzip says its size itself, there. */
	image.payload_length = image.packing == KSMA_PACKING_GZIP ? size : size - 4;
	if (image.packing == KSMA_PACKING_NONE) {
		image.payload_length = size;
		image.unpacked = size;
	}
	*ret_image = image;
	return NULL;
}
