/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of the ring that kernel/printk/printk_ringbuffer.c keeps: what a place, a record and a block of text may look like.
 *
 * An id counts up for ever, and its lower bits are its place. The number of a record follows from its id, for place 0 was given
 * number 0 at first (prb_init(), prb_reserve()). Places outside of tail..head were given up (desc_push_tail()), or never used.
 * A record is closed when the next one is begun (desc_make_final() in prb_reserve()). */
#include "checks/log.h"

#include "base/bytes.h"

enum {
	/* A record is given room for its text with its line end, its level and a NUL, which are then taken off (printk_sprint()). */
	SLACK_MAX = 64,
	BLANK_MIN = 2,
};

const char *ksma_log_flaw_name(enum ksma_log_flaw flaw)
{
	static const char *const names[] = {
		[KSMA_LOG_SOUND] = "sound",	    [KSMA_LOG_TORN] = "torn",
		[KSMA_LOG_LEFT_OUT] = "left-out",   [KSMA_LOG_NO_RECORD] = "missing",
		[KSMA_LOG_OPEN] = "open",	    [KSMA_LOG_SEQUENCE] = "sequence",
		[KSMA_LOG_MISPLACED] = "misplaced", [KSMA_LOG_CUT] = "cut",
		[KSMA_LOG_BLANK] = "blank",	    [KSMA_LOG_ORPHAN] = "orphan",
		[KSMA_LOG_REWRITTEN] = "rewritten",
	};

	return (size_t)flaw < ARRAY_SIZE(names) ? names[flaw] : "unknown";
}

uint64_t ksma_log_number(const struct ksma_log_ring *ring, uint64_t id)
{
	uint64_t count = 1ull << ring->count_bits, first = KSMA_LOG_ID_MASK + 1 - count;

	/* DESC0_ID is computed from the negative of an unsigned int. A kernel where it were not would begin below 2^62, and from 0. */
	if (id >= (1ull << 32) - count && id < KSMA_LOG_ID_MASK / 2)
		first = (1ull << 32) - count;
	return (id - first) & KSMA_LOG_ID_MASK;
}

static enum ksma_log_flaw judge_text(const struct ksma_log_ring *ring, uint64_t id,
				     const struct ksma_log_descriptor *descriptor,
				     const struct ksma_log_info *info, char *text)
{
	uint64_t offset, size, owner;

	if ((descriptor->begin | descriptor->next) & KSMA_LOG_DATALESS)
		return KSMA_LOG_SOUND; /* no room was left for its text, or an empty line */
	if (!ksma_log_block(ring, descriptor, &offset, &size) || info->text_length > size - 8)
		return KSMA_LOG_MISPLACED;
	if (!ksma_kernel_u64(ring->kernel, ring->data + offset, &owner) ||
	    !ksma_kernel_bytes(ring->kernel, ring->data + offset + 8, text, info->text_length))
		return KSMA_LOG_TORN;
	if (owner != id)
		return KSMA_LOG_MISPLACED;
	if (size - 8 - info->text_length > SLACK_MAX)
		return KSMA_LOG_CUT;
	for (size_t i = 0; i < info->text_length; i++)
		if (text[i])
			return KSMA_LOG_SOUND;
	return info->text_length >= BLANK_MIN ? KSMA_LOG_BLANK : KSMA_LOG_SOUND;
}

static enum ksma_log_flaw judge_record(const struct ksma_log_ring *ring, uint64_t id,
				       struct ksma_log_descriptor *ret_descriptor,
				       struct ksma_log_info *ret_info, char *text)
{
	struct ksma_log_descriptor again;
	enum ksma_log_flaw flaw;

	if (!ksma_log_info_read(ring, id, ret_info))
		return KSMA_LOG_TORN;
	flaw = judge_text(ring, id, ret_descriptor, ret_info, text);
	if (!ksma_log_descriptor_read(ring, id, &again) ||
	    memcmp(ret_descriptor, &again, sizeof(again)) != 0)
		return KSMA_LOG_TORN;
	if (ret_info->sequence != ksma_log_number(ring, id))
		return KSMA_LOG_SEQUENCE;
	return flaw;
}

enum ksma_log_flaw ksma_log_judge(const struct ksma_log_ring *ring, uint64_t id,
				  struct ksma_log_descriptor *ret_descriptor,
				  struct ksma_log_info *ret_info, char *text)
{
	bool inside = ((id - ring->tail) & KSMA_LOG_ID_MASK) <=
		      ((ring->head - ring->tail) & KSMA_LOG_ID_MASK);
	struct ksma_log_descriptor *descriptor = ret_descriptor;
	bool own;

	*ret_info = (struct ksma_log_info){ 0 };
	if (!ksma_log_descriptor_read(ring, id, descriptor))
		return KSMA_LOG_TORN;
	own = (descriptor->state_var & KSMA_LOG_ID_MASK) == id;
	if (!inside)
		return descriptor->state_var == 0 ||
				       descriptor->state_var >> KSMA_LOG_STATE_SHIFT ==
					       KSMA_LOG_REUSABLE
			       ? KSMA_LOG_SOUND
			       : KSMA_LOG_LEFT_OUT;
	if (!own)
		return KSMA_LOG_NO_RECORD;
	switch (descriptor->state_var >> KSMA_LOG_STATE_SHIFT) {
	case KSMA_LOG_REUSABLE: /* its text made room for newer: ksma_log_follow() tells where not */
		return KSMA_LOG_SOUND;
	case KSMA_LOG_RESERVED:
		return id == ring->head ? KSMA_LOG_SOUND : KSMA_LOG_OPEN;
	case KSMA_LOG_COMMITTED:
		if (id != ring->head)
			return KSMA_LOG_OPEN;
	}
	return judge_record(ring, id, descriptor, ret_info, text);
}

enum ksma_log_flaw ksma_log_follow(const struct ksma_log_ring *ring, struct ksma_budget *budget,
				   uint64_t *ret_id, uint64_t *ret_position)
{
	uint64_t mask = (1ull << ring->size_bits) - 1, position = ring->data_tail;

	/* Further apart than the ring is large: one of them was read later, or forged, which the records tell. */
	if (ring->data_head - ring->data_tail > mask + 1)
		return KSMA_LOG_TORN;
	while (position != ring->data_head) {
		struct ksma_log_descriptor descriptor;
		uint64_t id, state;

		if (!ksma_budget_spend(budget) ||
		    !ksma_kernel_u64(ring->kernel, ring->data + (position & mask), &id) ||
		    !ksma_log_descriptor_read(ring, id, &descriptor))
			return KSMA_LOG_TORN;
		state = descriptor.state_var >> KSMA_LOG_STATE_SHIFT;
		*ret_id = id;
		*ret_position = position;
		if ((descriptor.state_var & KSMA_LOG_ID_MASK) == id && state == KSMA_LOG_RESERVED &&
		    descriptor.begin != position)
			return KSMA_LOG_TORN;
		if ((descriptor.state_var & KSMA_LOG_ID_MASK) != id || state == KSMA_LOG_REUSABLE ||
		    descriptor.begin != position ||
		    descriptor.next - position - 1 > mask /* nor may it stand still */ ||
		    descriptor.next - ring->data_tail > ring->data_head - ring->data_tail)
			return KSMA_LOG_ORPHAN;
		position = descriptor.next;
	}
	return KSMA_LOG_SOUND;
}

int ksma_log_taint(const char *text, size_t length)
{
	/* kernel/module/main.c, check_modinfo() and load_module(): each line says why the taint of its module was set. */
	static const struct {
		int bit;
		const char *line;
	} lines[] = {
		{ 12, ": loading out-of-tree module taints kernel." },
		{ 13,
		  ": module verification failed: signature and/or required key missing - tainting kernel" },
		{ 15, ": tainting kernel with TAINT_LIVEPATCH" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		size_t size = strlen(lines[i].line);

		if (length > size && memcmp(text + length - size, lines[i].line, size) == 0)
			return lines[i].bit;
	}
	return -1;
}
