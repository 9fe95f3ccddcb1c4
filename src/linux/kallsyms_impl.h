/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What finding and decoding of kallsyms share: reading memory that changes, and the tokens. */
#ifndef KSMA_LINUX_KALLSYMS_IMPL_H
#define KSMA_LINUX_KALLSYMS_IMPL_H

#include "base/bytes.h"
#include "linux/kallsyms.h"

enum {
	KALLSYMS_TOKENS = 256,
	KALLSYMS_INDEX_SIZE = KALLSYMS_TOKENS * 2,
	KALLSYMS_TOKEN_MAX = 256,	 /* bytes of one token; honest ones have under 32 */
	KALLSYMS_TOKEN_BYTES = 16 << 10, /* all tokens; honest tables have about 1000 */
	KALLSYMS_MARKER_EVERY = 256,	 /* symbols from one marker to the next */
	KALLSYMS_SYMBOLS_MAX = 1 << 20,
	KALLSYMS_NAME_MAX = 1024, /* decoded, with the type; KSYM_NAME_LEN is 512 */
};

/* A byte of memory that may change, read once: what was checked is what is used. */
static inline uint8_t kallsyms_u8(const uint8_t *p)
{
	return *(const volatile uint8_t *)p;
}

static inline uint32_t kallsyms_u32(const uint8_t *p)
{
	uint32_t value = ksma_le32(p);

	__asm__("" : "+r"(value)); /* the compiler may not read it again */
	return value;
}

static inline uint64_t kallsyms_u64(const uint8_t *p)
{
	uint64_t value = ksma_le64(p);

	__asm__("" : "+r"(value));
	return value;
}

/* The tokens, copied. A copy of 16 bytes from any token's start stays inside `text`. */
struct kallsyms_tokens {
	uint16_t at[KALLSYMS_TOKENS];
	uint16_t length[KALLSYMS_TOKENS];
	char text[KALLSYMS_TOKEN_BYTES + KALLSYMS_TOKEN_MAX + 16];
	size_t size; /* of the table */
};

/* Copies and checks a token table and its index. @return false when they do not fit each other or are no tokens */
bool kallsyms_load_tokens(const uint8_t *data, size_t length, size_t table, size_t index,
			  struct kallsyms_tokens *ret);

/* The length of a compressed name and of its length field: ULEB128 of one or two bytes (two from 6.1). `left` bytes remain.
 * @return bytes of the field, or 0 when the name does not fit */
static inline unsigned kallsyms_name_length(const uint8_t *p, size_t left, size_t *ret_length)
{
	unsigned field = 1;
	size_t length;

	if (unlikely(left < 2))
		return 0;
	length = kallsyms_u8(p);
	if (unlikely(length & 0x80)) {
		length = (length & 0x7f) | (size_t)(kallsyms_u8(p + 1) & 0x7f) << 7;
		field = 2;
	}
	if (unlikely(length == 0 || length > left - field))
		return 0;
	*ret_length = length;
	return field;
}

#endif
