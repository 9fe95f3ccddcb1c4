/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Instruction lengths by Zydis, with short cuts for what patch sites mostly hold. */
#include "x86/decode.h"

#include <Zydis/Zydis.h>

#include "base/bytes.h"

/* CALL and JMP rel32, with one CS prefix or none: nine of ten patch sites. */
static bool decode_branch(const uint8_t *code, size_t length, struct ksma_instruction *ret)
{
	size_t prefix = length && code[0] == 0x2e;

	if (length < prefix + 5 || (code[prefix] != 0xe8 && code[prefix] != 0xe9))
		return false;
	*ret = (struct ksma_instruction){
		.length = (uint8_t)(prefix + 5),
		.opcode = { code[prefix], 0 },
		.immediate_offset = (uint8_t)(prefix + 1),
		.immediate_size = 4,
		.immediate = (int32_t)ksma_le32(code + prefix + 1),
	};
	return true;
}

bool ksma_decode(const uint8_t *code, size_t length, struct ksma_instruction *ret)
{
	ZydisDecodedInstruction d;
	ZydisDecoder decoder;

	if (decode_branch(code, length, ret))
		return true;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, code, length, &d)))
		return false;
	*ret = (struct ksma_instruction){
		.length = d.length,
		.opcode = { d.opcode, 0 },
		.has_modrm = (d.attributes & ZYDIS_ATTRIB_HAS_MODRM) != 0,
		.modrm_reg = d.raw.modrm.reg,
		.repeat =
			(d.attributes & ZYDIS_ATTRIB_HAS_REP) || d.mnemonic == ZYDIS_MNEMONIC_PAUSE,
		.wide = d.raw.rex.W,
		.extended_base = d.raw.rex.B,
		.immediate_offset = d.raw.imm[0].offset,
		.immediate_size = (uint8_t)(d.raw.imm[0].size / 8),
		.immediate = d.raw.imm[0].value.s,
		.displacement_offset = d.raw.disp.offset,
		.displacement_size = (uint8_t)(d.raw.disp.size / 8),
		.displacement = d.raw.disp.value,
	};
	if (d.opcode_map == ZYDIS_OPCODE_MAP_0F) {
		ret->opcode[0] = 0x0f;
		ret->opcode[1] = d.opcode;
	} else if (d.opcode_map != ZYDIS_OPCODE_MAP_DEFAULT) {
		ret->opcode[0] = 0x0f; /* 0f 38, 0f 3a, or a vector: no branch, no NOP */
		ret->opcode[1] = 0x38;
	}
	ret->rip_relative = ret->has_modrm && d.raw.modrm.mod == 0 && d.raw.modrm.rm == 5;
	return true;
}
