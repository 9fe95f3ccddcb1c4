/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vCPU registers as QEMU's human monitor prints them: `info registers -a`.
 *
 * Source: x86_cpu_dump_state() in target/i386/cpu-dump.c of QEMU. A vCPU in 64-bit code prints RAX and RIP, one in 32-bit
 * code EAX and EIP; then no r8 to r15 are there, and they are 0. */
#include "guest/info_registers.h"

/* What must have been seen of a vCPU. */
enum {
	SEEN_GPR = 0, /* 16 bits */
	SEEN_RIP = 16,
	SEEN_FLAGS,
	SEEN_SEGMENT = 18, /* 10 bits: es cs ss ds fs gs ldt tr gdt idt */
	SEEN_CR0 = 28,
	SEEN_CR2,
	SEEN_CR3,
	SEEN_CR4,
	SEEN_DR = 32, /* 6 bits: dr0-3, dr6, dr7 */
	SEEN_EFER = 38,
	SEEN_HLT,
	SEEN_COUNT,
};

static const char *const seen_names[SEEN_COUNT] = {
	"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8",	"R9",
	"R10", "R11", "R12", "R13", "R14", "R15", "RIP", "RFL", "ES",	"CS",
	"SS",  "DS",  "FS",  "GS",  "LDT", "TR",  "GDT", "IDT", "CR0",	"CR2",
	"CR3", "CR4", "DR0", "DR1", "DR2", "DR3", "DR6", "DR7", "EFER", "HLT",
};

#define SEEN_ALL ((UINT64_C(1) << SEEN_COUNT) - 1)
#define SEEN_HIGH_GPRS (UINT64_C(0xff) << 8)

struct cursor {
	const char *p, *end;
};

static void skip_spaces(struct cursor *c)
{
	while (c->p < c->end && *c->p == ' ')
		c->p++;
}

/* 1 to 16 hexadecimal digits, and no more. */
static bool take_hex(struct cursor *c, uint64_t *ret)
{
	const char *start;
	uint64_t v = 0;

	skip_spaces(c);
	start = c->p;
	for (; c->p < c->end; c->p++) {
		char d = *c->p;

		if (d >= '0' && d <= '9')
			v = v << 4 | (uint64_t)(d - '0');
		else if (d >= 'a' && d <= 'f')
			v = v << 4 | (uint64_t)(d - 'a' + 10);
		else
			break;
	}
	*ret = v;
	return c->p > start && c->p - start <= 16;
}

/* A name, then '=' with or without spaces before it: "RAX=", "R8 =", "LDT=". */
static bool take_name(struct cursor *c, char name[static 8])
{
	size_t n = 0;

	while (c->p < c->end && n < 7 &&
	       ((*c->p >= 'A' && *c->p <= 'Z') || (*c->p >= '0' && *c->p <= '9')))
		name[n++] = *c->p++;
	name[n] = 0;
	skip_spaces(c);
	if (n == 0 || c->p == c->end || *c->p != '=')
		return false;
	c->p++;
	return true;
}

static struct ksma_segment *segment_of(struct ksma_vcpu *v, unsigned index)
{
	struct ksma_segment *const all[] = { &v->es, &v->cs,  &v->ss, &v->ds,  &v->fs,
					     &v->gs, &v->ldt, &v->tr, &v->gdt, &v->idt };

	return all[index];
}

static bool take_segment(struct cursor *c, struct ksma_vcpu *vcpu, unsigned index)
{
	struct ksma_segment *s = segment_of(vcpu, index);
	uint64_t selector = 0, base, limit, flags = 0;
	bool table = index >= 8; /* gdt and idt have base and limit only */

	if (!table && !take_hex(c, &selector))
		return false;
	if (!take_hex(c, &base) || !take_hex(c, &limit) || (!table && !take_hex(c, &flags)))
		return false;
	if (selector > UINT16_MAX || limit > UINT32_MAX || flags > UINT32_MAX)
		return false;
	*s = (struct ksma_segment){ .base = base,
				    .limit = (uint32_t)limit,
				    .selector = (uint16_t)selector,
				    .flags = (uint32_t)flags };
	/* What follows is the meaning of the flags in words. */
	c->p = c->end;
	return true;
}

static uint64_t *value_of(struct ksma_vcpu *v, unsigned index)
{
	uint64_t *const control[] = { &v->cr0, &v->cr2, &v->cr3, &v->cr4 };
	static const unsigned char debug[] = { 0, 1, 2, 3, 6, 7 };

	if (index < SEEN_RIP)
		return &v->gpr[index];
	if (index == SEEN_RIP)
		return &v->rip;
	if (index == SEEN_FLAGS)
		return &v->rflags;
	if (index >= SEEN_CR0 && index <= SEEN_CR4)
		return control[index - SEEN_CR0];
	if (index >= SEEN_DR && index < SEEN_DR + 6)
		return &v->dr[debug[index - SEEN_DR]];
	return index == SEEN_EFER ? &v->efer : NULL;
}

static int index_of(const char *name)
{
	for (int i = 0; i < SEEN_COUNT; i++)
		if (strcmp(name, seen_names[i]) == 0)
			return i;
	/* EAX to EDI, EIP, EFL of 32-bit code. */
	if (name[0] == 'E' && strlen(name) == 3)
		for (int i = 0; i <= SEEN_FLAGS; i++)
			if (seen_names[i][0] == 'R' && strcmp(name + 1, seen_names[i] + 1) == 0)
				return i;
	return -1;
}

/* Is this the start of a line that ends what we read of a vCPU (floating point, vectors)? */
static bool is_rest(const struct cursor *line)
{
	return line->end - line->p > 4 && memcmp(line->p, "FCW=", 4) == 0;
}

static struct ksma_error *bad(const char *name, unsigned vcpu)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA,
				 "the monitor's registers of vCPU %u do not fit: %s", vcpu, name);
}

static struct ksma_error *parse_line(struct cursor line, struct ksma_vcpu *vcpu, uint64_t *seen)
{
	while (skip_spaces(&line), line.p < line.end) {
		char name[8];
		uint64_t v;
		int index;

		if (*line.p == '[') { /* "[-------]": the flags in letters */
			const char *close = memchr(line.p, ']', (size_t)(line.end - line.p));

			if (!close)
				return bad("flags", vcpu->index);
			line.p = close + 1;
			continue;
		}
		if (!take_name(&line, name))
			return NULL; /* a line of another kind */
		index = index_of(name);
		if (index < 0) {
			/* CPL, II, A20, SMM, CCS, CCO and what newer ones add: a word. */
			while (line.p < line.end && *line.p != ' ')
				line.p++;
			continue;
		}
		if (*seen >> index & 1)
			return bad(name, vcpu->index);
		if (index >= SEEN_SEGMENT && index < SEEN_CR0) {
			if (!take_segment(&line, vcpu, (unsigned)(index - SEEN_SEGMENT)))
				return bad(name, vcpu->index);
		} else {
			if (!take_hex(&line, &v))
				return bad(name, vcpu->index);
			if (index == SEEN_HLT)
				vcpu->halted = v != 0;
			else
				*value_of(vcpu, (unsigned)index) = v;
		}
		*seen |= UINT64_C(1) << index;
	}
	return NULL;
}

/* Ends one vCPU: is everything there? */
static struct ksma_error *finish(struct ksma_vcpu *vcpu, uint64_t seen)
{
	/* Without r8 to r15 it was in 32-bit code. */
	if (!(seen & SEEN_HIGH_GPRS))
		seen |= SEEN_HIGH_GPRS;
	for (int i = 0; i < SEEN_COUNT; i++)
		if (!(seen >> i & 1))
			return bad(seen_names[i], vcpu->index);
	vcpu->has_general = vcpu->has_debug = true;
	return NULL;
}

struct list {
	struct ksma_vcpu *items;
	size_t count, capacity;
};

static bool take_heading(struct cursor *line, unsigned *ret_index)
{
	unsigned v = 0;
	const char *p = line->p;

	if (line->end - p < 5 || memcmp(p, "CPU#", 4) != 0)
		return false;
	for (p += 4; p < line->end && *p >= '0' && *p <= '9' && v < KSMA_VCPUS_MAX * 16; p++)
		v = v * 10 + (unsigned)(*p - '0');
	*ret_index = v;
	return p > line->p + 4;
}

static struct ksma_error *parse(struct cursor text, struct list *list)
{
	struct ksma_vcpu *vcpu = NULL;
	uint64_t seen = 0;
	bool rest = false;

	while (text.p < text.end) {
		const char *stop = memchr(text.p, '\n', (size_t)(text.end - text.p));
		struct cursor line = { text.p, stop ? stop : text.end };
		unsigned index;

		text.p = stop ? stop + 1 : text.end;
		while (line.end > line.p && line.end[-1] == '\r')
			line.end--;
		if (take_heading(&line, &index)) {
			if (vcpu)
				KSMA_TRY(finish(vcpu, seen));
			if (vcpu && index <= vcpu->index)
				return bad("vCPUs are not in order", index);
			if (list->count >= KSMA_VCPUS_MAX)
				return ksma_error_create(KSMA_ERROR_LIMIT, "over %d vCPUs",
							 KSMA_VCPUS_MAX);
			KSMA_TRY(KSMA_ARRAY_PUSH(list, &vcpu));
			vcpu->index = index;
			seen = 0;
			rest = false;
		} else if (vcpu && !rest) {
			rest = is_rest(&line);
			if (!rest)
				KSMA_TRY(parse_line(line, vcpu, &seen));
		}
	}
	if (!vcpu)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the monitor's registers name no vCPU");
	return finish(vcpu, seen);
}

struct ksma_error *ksma_info_registers_parse(const char *text, size_t length,
					     struct ksma_registers *ret_registers)
{
	struct list list = { 0 };
	struct ksma_error *error = parse((struct cursor){ text, text + length }, &list);

	if (error) {
		free(list.items);
		return error;
	}
	*ret_registers = (struct ksma_registers){ .vcpus = list.items, .count = list.count };
	return NULL;
}
