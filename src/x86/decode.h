/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The little of an instruction that the kernel's own patching asks for: how long it is, and where its displacements lie. */
#ifndef KSMA_X86_DECODE_H
#define KSMA_X86_DECODE_H

#include "base/bytes.h"

struct ksma_instruction {
	uint8_t length;
	uint8_t opcode[2]; /* the second one is 0 unless the first is 0x0f */
	uint8_t modrm_reg; /* 0 when there is no modrm */
	bool has_modrm, rip_relative;
	bool repeat;				  /* an F3 prefix */
	bool wide;				  /* REX.W */
	bool extended_base;			  /* REX.B */
	uint8_t immediate_offset, immediate_size; /* bytes; size 0: none */
	uint8_t displacement_offset, displacement_size;
	int64_t immediate, displacement;
};

/* Where the five bytes of a near call or jump at `gva` lead. */
static inline uint64_t ksma_branch_target(const uint8_t *code, uint64_t gva)
{
	return gva + 5 + (uint64_t)(int64_t)(int32_t)ksma_le32(code + 1);
}

/* Decodes the instruction at `code`. @return false when there is none within `length` bytes */
bool ksma_decode(const uint8_t *code, size_t length, struct ksma_instruction *ret);

#endif
