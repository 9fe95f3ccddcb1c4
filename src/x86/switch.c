/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Evaluates a compiled switch: comparisons of one known value with constants, and jumps. Everything else is refused by name,
 * because a look that guesses is worse than one that says where it stopped. */
#include "x86/switch.h"

#include <Zydis/Zydis.h>

enum {
	MAX_CODE = 256 << 10,
	MAX_STEPS = 4096,
	REGISTERS = 16,
	NO_INSTRUCTION = -1,
	FTRACE_SITE_END = 9
};

/* One instruction, boiled down. */
enum op {
	OP_OTHER,
	OP_NOP,
	OP_COMPARE,
	OP_TEST,
	OP_SUBTRACT,
	OP_ADD,
	OP_MOVE,
	OP_JUMP,
	OP_BRANCH,
	OP_CALL,
	OP_RETURN
};

struct instruction {
	uint32_t offset, length;
	enum op op;
	ZydisMnemonic mnemonic;
	int8_t destination, source; /* register numbers; source -1: the immediate */
	uint8_t width;		    /* 32 or 64 */
	uint64_t immediate;	    /* or the target of a jump or call */
};

struct ksma_switch {
	uint64_t gva;
	size_t length;
	struct instruction *items;
	size_t count, capacity;
	int32_t *index; /* offset -> instruction */
};

/* What is known while following. */
struct state {
	uint64_t value[REGISTERS];
	bool known[REGISTERS];
	uint64_t left, right; /* of the last comparison, cut to its width */
	uint8_t width;
	bool compared;
};

void ksma_switch_destroy(struct ksma_switch *table)
{
	if (!table)
		return;
	free(table->items);
	free(table->index);
	free(table);
}

static void switch_destroyp(struct ksma_switch **table)
{
	ksma_switch_destroy(*table);
}

static int register_number(ZydisRegister reg, uint8_t *ret_width)
{
	ZydisRegisterClass class = ZydisRegisterGetClass(reg);

	if (class != ZYDIS_REGCLASS_GPR32 && class != ZYDIS_REGCLASS_GPR64)
		return -1;
	*ret_width = class == ZYDIS_REGCLASS_GPR32 ? 32 : 64;
	return ZydisRegisterGetId(reg);
}

static enum op operation(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_NOP:
	case ZYDIS_MNEMONIC_ENDBR64:
	case ZYDIS_MNEMONIC_INT3:
		return OP_NOP;
	case ZYDIS_MNEMONIC_CMP:
		return OP_COMPARE;
	case ZYDIS_MNEMONIC_TEST:
		return OP_TEST;
	case ZYDIS_MNEMONIC_SUB:
		return OP_SUBTRACT;
	case ZYDIS_MNEMONIC_ADD:
		return OP_ADD;
	case ZYDIS_MNEMONIC_MOV:
		return OP_MOVE;
	case ZYDIS_MNEMONIC_JMP:
		return OP_JUMP;
	case ZYDIS_MNEMONIC_CALL:
		return OP_CALL;
	case ZYDIS_MNEMONIC_RET:
		return OP_RETURN;
	default:
		return OP_OTHER;
	}
}

/* The operands of an instruction that has a register and a register or an immediate; anything else becomes OP_OTHER. */
static void take_operands(struct instruction *i, const ZydisDecodedOperand *operands)
{
	const ZydisDecodedOperand *to = &operands[0], *from = &operands[1];
	uint8_t width;
	int number = to->type == ZYDIS_OPERAND_TYPE_REGISTER
			     ? register_number(to->reg.value, &i->width)
			     : -1;

	i->destination = (int8_t)number;
	i->source = -1;
	if (from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		i->immediate = from->imm.value.u;
	else if (from->type == ZYDIS_OPERAND_TYPE_REGISTER)
		i->source = (int8_t)register_number(from->reg.value, &width);
	if (number < 0 || (from->type != ZYDIS_OPERAND_TYPE_IMMEDIATE && i->source < 0))
		i->op = OP_OTHER;
}

static void boil_down(const ZydisDecodedInstruction *decoded, const ZydisDecodedOperand *operands,
		      uint64_t address, struct instruction *i)
{
	bool branch = decoded->meta.category == ZYDIS_CATEGORY_COND_BR;

	i->length = decoded->length;
	i->mnemonic = decoded->mnemonic;
	i->op = branch ? OP_BRANCH : operation(decoded->mnemonic);
	if (branch || i->op == OP_JUMP || i->op == OP_CALL) {
		if (operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
		    !operands[0].imm.is_relative ||
		    !ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(decoded, &operands[0], address,
							   &i->immediate)))
			i->op = OP_OTHER;
	} else if (i->op == OP_COMPARE || i->op == OP_TEST || i->op == OP_SUBTRACT ||
		   i->op == OP_ADD || i->op == OP_MOVE) {
		take_operands(i, operands);
	}
}

static struct ksma_error *decode_all(struct ksma_switch *table, const uint8_t *code)
{
	ZydisDecoder decoder;
	ZydisDecodedInstruction decoded;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (size_t at = 0; at < table->length;) {
		struct instruction *i;

		KSMA_TRY(KSMA_ARRAY_PUSH(table, &i));
		i->offset = (uint32_t)at;
		i->length = 1;
		if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code + at, table->length - at,
							&decoded, operands)))
			boil_down(&decoded, operands, table->gva + at, i);
		table->index[at] = (int32_t)(table->count - 1);
		at += i->length;
	}
	return NULL;
}

struct ksma_error *ksma_switch_create(const uint8_t *code, size_t length, uint64_t gva,
				      struct ksma_switch **ret_switch)
{
	_cleanup_(switch_destroyp) struct ksma_switch *table = calloc(1, sizeof(*table));

	if (length == 0 || length > MAX_CODE)
		return ksma_error_create(KSMA_ERROR_LIMIT, "a dispatch function of %zu bytes",
					 length);
	if (!table || !(table->index = malloc(length * sizeof(*table->index))))
		return ksma_error_nomem();
	for (size_t i = 0; i < length; i++)
		table->index[i] = NO_INSTRUCTION;
	table->gva = gva;
	table->length = length;
	KSMA_TRY(decode_all(table, code));
	*ret_switch = TAKE_PTR(table);
	return NULL;
}

static uint64_t cut(uint64_t value, uint8_t width)
{
	return width == 32 ? (uint32_t)value : value;
}

/* The second operand; false when it is not known. */
static bool operand(const struct state *s, const struct instruction *i, uint64_t *ret)
{
	if (i->source >= 0 && !s->known[i->source])
		return false;
	*ret = cut(i->source >= 0 ? s->value[i->source] : i->immediate, i->width);
	return true;
}

static void compute(struct state *s, const struct instruction *i)
{
	uint64_t right, left = cut(s->value[i->destination], i->width);
	bool known = operand(s, i, &right);

	if (i->op == OP_MOVE) {
		s->known[i->destination] = known;
		s->value[i->destination] = known ? right : 0;
		return;
	}
	known = known && s->known[i->destination];
	s->compared = known && i->op != OP_ADD;
	if (!known) {
		if (i->op == OP_SUBTRACT || i->op == OP_ADD)
			s->known[i->destination] = false;
		return;
	}
	s->width = i->width;
	s->left = i->op == OP_TEST ? left & right : left;
	s->right = i->op == OP_TEST ? 0 : right;
	if (i->op == OP_SUBTRACT)
		s->value[i->destination] = cut(left - right, i->width);
	else if (i->op == OP_ADD)
		s->value[i->destination] = cut(left + right, i->width);
}

static bool holds(const struct state *s, ZydisMnemonic mnemonic, bool *ret_known)
{
	int64_t left = s->width == 32 ? (int32_t)s->left : (int64_t)s->left;
	int64_t right = s->width == 32 ? (int32_t)s->right : (int64_t)s->right;

	*ret_known = s->compared;
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_JZ:
		return s->left == s->right;
	case ZYDIS_MNEMONIC_JNZ:
		return s->left != s->right;
	case ZYDIS_MNEMONIC_JB:
		return s->left < s->right;
	case ZYDIS_MNEMONIC_JNB:
		return s->left >= s->right;
	case ZYDIS_MNEMONIC_JBE:
		return s->left <= s->right;
	case ZYDIS_MNEMONIC_JNBE:
		return s->left > s->right;
	case ZYDIS_MNEMONIC_JL:
		return left < right;
	case ZYDIS_MNEMONIC_JNL:
		return left >= right;
	case ZYDIS_MNEMONIC_JLE:
		return left <= right;
	case ZYDIS_MNEMONIC_JNLE:
		return left > right;
	default:
		*ret_known = false;
		return false;
	}
}

static struct ksma_error *refuse(const struct ksma_switch *table, const struct instruction *i)
{
	const char *name = i ? ZydisMnemonicGetString(i->mnemonic) : NULL;

	return ksma_error_create(
		KSMA_ERROR_UNSUPPORTED,
		"the dispatch function has %s at 0x%llx, which no plain switch has",
		name ?: "an undecodable instruction",
		(unsigned long long)(table->gva + (i ? i->offset : 0)));
}

struct ksma_error *ksma_switch_target(const struct ksma_switch *table, uint32_t value,
				      uint64_t *ret_target, uint64_t *ret_place)
{
	struct state s = { .value[ZYDIS_REGISTER_RSI - ZYDIS_REGISTER_RAX] = value,
			   .known[ZYDIS_REGISTER_RSI - ZYDIS_REGISTER_RAX] = true };
	uint64_t at = 0;

	for (unsigned steps = 0; steps < MAX_STEPS; steps++) {
		const struct instruction *i = at < table->length && table->index[at] >= 0
						      ? &table->items[table->index[at]]
						      : NULL;
		uint64_t next = i ? at + i->length : 0;
		bool known, taken;

		if (!i || i->op == OP_OTHER || i->op == OP_RETURN)
			return refuse(table, i);
		switch (i->op) {
		case OP_BRANCH:
			taken = holds(&s, i->mnemonic, &known);
			if (!known)
				return refuse(table, i);
			if (taken)
				next = i->immediate - table->gva;
			break;
		case OP_CALL:
			if (at + i->length > FTRACE_SITE_END)
				next = i->immediate - table->gva;
			break;
		case OP_JUMP:
			next = i->immediate - table->gva;
			break;
		case OP_NOP:
			break;
		default:
			compute(&s, i);
		}
		if (next >= table->length && i->op != OP_NOP) {
			*ret_target = table->gva + next;
			*ret_place = table->gva + at;
			return NULL;
		}
		at = next;
	}
	return ksma_error_create(KSMA_ERROR_LIMIT,
				 "the dispatch function at 0x%llx does not end for value %u",
				 (unsigned long long)table->gva, value);
}
