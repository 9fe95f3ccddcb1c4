/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the two headers of an .rpm (version 3 and 4 of the format): a lead of 96 bytes, the signatures, padding to 8, the header. */
#include "ingest/rpm.h"

enum {
	LEAD = 96,
	HEADER_MAGIC = 0x8eade801,
	ENTRY = 16,
	TAG_NAME = 1000,
	TAG_VERSION = 1001,
	TAG_RELEASE = 1002,
	TAG_ARCH = 1022,
	TYPE_STRING = 6,
	MAX_ENTRIES = 1 << 16,
};

static struct ksma_error *bad(const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "the package is damaged: %s", what);
}

struct header {
	const uint8_t *entries, *store;
	uint32_t count, size;
};

static bool read_header(struct ksma_bytes *b, struct header *h)
{
	uint32_t magic = ksma_bytes_be32(b);

	ksma_bytes_take(b, 4);
	h->count = ksma_bytes_be32(b);
	h->size = ksma_bytes_be32(b);
	if (b->failed || magic != HEADER_MAGIC || h->count > MAX_ENTRIES)
		return false;
	h->entries = ksma_bytes_take(b, (size_t)h->count * ENTRY);
	h->store = ksma_bytes_take(b, h->size);
	return !b->failed;
}

/* The string of a tag, or "". */
static const char *string(const struct header *h, uint32_t tag)
{
	for (uint32_t i = 0; i < h->count; i++) {
		const uint8_t *e = h->entries + (size_t)i * ENTRY;
		uint32_t offset = ksma_be32(e + 8);

		if (ksma_be32(e) == tag && ksma_be32(e + 4) == TYPE_STRING && offset < h->size &&
		    memchr(h->store + offset, 0, h->size - offset))
			return (const char *)h->store + offset;
	}
	return "";
}

struct ksma_error *rpm_parse(const uint8_t *data, size_t length, struct rpm_info *ret_info)
{
	struct ksma_bytes b = ksma_bytes_of(data, length);
	struct header h = { 0 };

	ksma_bytes_take(&b, LEAD);
	if (!read_header(&b, &h))
		return bad("its signatures are cut");
	ksma_bytes_take(&b, -h.size & 7);
	if (!read_header(&b, &h))
		return bad("its header is cut");
	*ret_info = (struct rpm_info){
		.name = string(&h, TAG_NAME),
		.version = string(&h, TAG_VERSION),
		.release = string(&h, TAG_RELEASE),
		.architecture = string(&h, TAG_ARCH),
	};
	return *ret_info->name ? NULL : bad("it does not say what it is");
}
