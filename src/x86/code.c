/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disassembles a few instructions, and sees through the trampolines that hooks are made of. */
#include "x86/code.h"

#include <inttypes.h>

#include <Zydis/Zydis.h>

enum { MAX_FOLLOWED = 8 };

size_t ksma_code_format(const uint8_t *code, size_t length, uint64_t gva, unsigned count,
			char *buffer, size_t size)
{
	ZydisDisassembledInstruction instruction;
	size_t at = 0, used = 0;

	buffer[0] = 0;
	while (count-- && at < length) {
		bool good =
			ZYAN_SUCCESS(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, gva + at,
							   code + at, length - at, &instruction));
		const char *text = good ? instruction.text : "(bad)";
		int n = snprintf(buffer + used, size - used, "%s%s", used ? "; " : "", text);

		if (n < 0 || (size_t)n >= size - used) {
			buffer[used] = 0;
			break;
		}
		used += (size_t)n;
		if (!good)
			break;
		at += instruction.info.length;
	}
	return at;
}

const char *ksma_code_hex(const uint8_t *code, size_t length, char *buffer, size_t size)
{
	size_t used = 0;

	buffer[0] = 0;
	for (size_t i = 0; i < length && used + 4 <= size; i++)
		used += (size_t)snprintf(buffer + used, size - used, "%s%02x", i ? " " : "",
					 code[i]);
	return buffer;
}

/* What the followed code has put where. */
struct follow {
	ZydisRegister reg; /* that holds `value`, or NONE */
	uint64_t value;
	bool pushed; /* `top` lies on the stack */
	uint64_t top;
};

static bool is_register(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_REGISTER;
}

static bool is_immediate(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}

static enum ksma_code_jump take_jump(const struct follow *f, const ZydisDecodedInstruction *info,
				     const ZydisDecodedOperand *operand, uint64_t gva,
				     uint64_t *ret_target)
{
	if (is_register(operand)) {
		*ret_target = f->value;
		return f->reg == operand->reg.value ? KSMA_CODE_JUMPS : KSMA_CODE_STAYS;
	}
	if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(info, operand, gva, ret_target)))
		return KSMA_CODE_STAYS;
	return is_immediate(operand) ? KSMA_CODE_JUMPS : KSMA_CODE_INDIRECT;
}

/* mov REG, IMMEDIATE, and mov [rsp+4], IMMEDIATE behind a push of the lower half. @return false: not followed further */
static bool take_move(struct follow *f, const ZydisDecodedOperand *operands)
{
	const ZydisDecodedOperand *to = &operands[0];

	if (!is_immediate(&operands[1]))
		return false;
	if (is_register(to)) {
		f->reg =
			ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, to->reg.value);
		f->value = operands[1].imm.value.u;
		return true;
	}
	if (!f->pushed || to->mem.base != ZYDIS_REGISTER_RSP || to->mem.disp.value != 4)
		return false;
	f->top = (uint32_t)f->top | operands[1].imm.value.u << 32;
	return true;
}

static bool take_push(struct follow *f, const ZydisDecodedOperand *operand)
{
	if (is_register(operand) && f->reg == operand->reg.value)
		f->top = f->value;
	else if (is_immediate(operand))
		f->top = (uint64_t)operand->imm.value.s;
	else
		return false;
	f->pushed = true;
	return true;
}

enum ksma_code_jump ksma_code_follow(const uint8_t *code, size_t length, uint64_t gva,
				     uint64_t *ret_target)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	struct follow f = { .reg = ZYDIS_REGISTER_NONE };
	ZydisDecodedInstruction info;
	ZydisDecoder decoder;
	size_t at = 0;

	if (!ZYAN_SUCCESS(
		    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return KSMA_CODE_STAYS;
	for (unsigned i = 0; i < MAX_FOLLOWED && at < length; i++) {
		uint64_t target;
		enum ksma_code_jump jump;
		bool go_on;

		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code + at, length - at, &info,
							 operands)))
			return KSMA_CODE_STAYS;
		switch (info.mnemonic) {
		case ZYDIS_MNEMONIC_ENDBR64:
		case ZYDIS_MNEMONIC_NOP:
			go_on = true;
			break;
		case ZYDIS_MNEMONIC_MOV:
			go_on = take_move(&f, operands);
			break;
		case ZYDIS_MNEMONIC_PUSH:
			go_on = take_push(&f, operands);
			break;
		case ZYDIS_MNEMONIC_JMP:
			jump = take_jump(&f, &info, operands, gva + at, &target);
			if (jump != KSMA_CODE_STAYS)
				*ret_target = target;
			return jump;
		case ZYDIS_MNEMONIC_RET:
			if (!f.pushed)
				return KSMA_CODE_STAYS;
			*ret_target = f.top;
			return KSMA_CODE_JUMPS;
		default:
			go_on = false;
		}
		if (!go_on)
			return KSMA_CODE_STAYS;
		at += info.length;
	}
	return KSMA_CODE_STAYS;
}
