/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bounded readers: the only way in which bytes of a guest, a file or a wire become numbers. */
#ifndef KSMA_BASE_BYTES_H
#define KSMA_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t ksma_le16(const void *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t ksma_le32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t ksma_le64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t ksma_be16(const void *p)
{
	return __builtin_bswap16(ksma_le16(p));
}

static inline uint32_t ksma_be32(const void *p)
{
	return __builtin_bswap32(ksma_le32(p));
}

static inline uint64_t ksma_be64(const void *p)
{
	return __builtin_bswap64(ksma_le64(p));
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the host is x86-64");

/* A run of bytes with an end. A failed read sets `failed` and yields 0, so that a parser may read on and ask once. */
struct ksma_bytes {
	const uint8_t *data;
	size_t length;
	size_t position;
	bool failed;
};

static inline struct ksma_bytes ksma_bytes_of(const void *data, size_t length)
{
	return (struct ksma_bytes){ .data = data, .length = length };
}

/* The next `n` bytes, or NULL (and failed) when fewer are left. */
static inline const uint8_t *ksma_bytes_take(struct ksma_bytes *b, size_t n)
{
	const uint8_t *p;

	if (b->failed || n > b->length - b->position) {
		b->failed = true;
		return NULL;
	}
	p = b->data + b->position;
	b->position += n;
	return p;
}

static inline bool ksma_bytes_seek(struct ksma_bytes *b, size_t position)
{
	if (b->failed || position > b->length) {
		b->failed = true;
		return false;
	}
	b->position = position;
	return true;
}

#define KSMA_BYTES_READER(name, type, load)                                                        \
	static inline type ksma_bytes_##name(struct ksma_bytes *b)                                 \
	{                                                                                          \
		const uint8_t *p = ksma_bytes_take(b, sizeof(type));                               \
                                                                                                   \
		return p ? load(p) : 0;                                                            \
	}
#define KSMA_LOAD_U8(p) (*(p))

KSMA_BYTES_READER(u8, uint8_t, KSMA_LOAD_U8)
KSMA_BYTES_READER(le16, uint16_t, ksma_le16)
KSMA_BYTES_READER(le32, uint32_t, ksma_le32)
KSMA_BYTES_READER(le64, uint64_t, ksma_le64)
KSMA_BYTES_READER(be16, uint16_t, ksma_be16)
KSMA_BYTES_READER(be32, uint32_t, ksma_be32)
KSMA_BYTES_READER(be64, uint64_t, ksma_be64)

#endif
