/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel log as it lies in the ring buffer, where no filter of the guest stands between.
 *
 * Source: kernel/printk/printk_ringbuffer.[ch] (b6cf8b3f3312, "printk: add lockless ringbuffer", 5.10). A descriptor carries
 * the state and the id of its record; the record's facts lie in a parallel array, its text in a ring of data blocks, each
 * with its owner's id in front. A record counts when its descriptor's state is the same before and after the copy. */
#include "linux/log.h"

#include "base/bytes.h"
#include "linux/retry.h"
#include <ksma/linux.h>

enum {
	DESCRIPTOR_MAX = 128,
	INFO_MAX = 512,
	COUNT_BITS_MAX =
		26, /* log_buf_len= is 2 GiB at most, and a descriptor is made for each 32 bytes of it */
	DATA_BITS_MAX = 31,
	TEXT_MAX = 65535, /* text_len has 16 bits */
	RECORD_LOOKS = 4,
	LEVEL_SHIFT = 5, /* flags:5 and level:3 share the byte after the facility */
};

#define ID_MASK KSMA_LOG_ID_MASK

/* Empty lines have a position of their own, which like KSMA_LOG_DATALESS points nowhere. */
enum { EMPTY_LINE = 3 };

static bool fits(int32_t offset, size_t length, size_t size)
{
	return offset >= 0 && ksma_in_range((uint64_t)offset, length, size);
}

static struct ksma_error *check_layout(const struct ksma_kernel *kernel)
{
	const struct ksma_offsets *off = &kernel->off;
	const struct ksma_sizes *size = &kernel->size;

	if (!size->printk_ringbuffer)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"the kernel log has the form that it had before 5.10, which ksma does not read");
	KSMA_TRY(KSMA_NEED(kernel, printk_ringbuffer__desc_ring));
	KSMA_TRY(KSMA_NEED(kernel, printk_ringbuffer__text_data_ring));
	KSMA_TRY(KSMA_NEED(kernel, prb_desc_ring__count_bits));
	KSMA_TRY(KSMA_NEED(kernel, prb_desc_ring__descs));
	KSMA_TRY(KSMA_NEED(kernel, prb_desc_ring__infos));
	KSMA_TRY(KSMA_NEED(kernel, prb_desc_ring__head_id));
	KSMA_TRY(KSMA_NEED(kernel, prb_desc_ring__tail_id));
	KSMA_TRY(KSMA_NEED(kernel, prb_data_ring__size_bits));
	KSMA_TRY(KSMA_NEED(kernel, prb_data_ring__data));
	KSMA_TRY(KSMA_NEED(kernel, prb_data_blk_lpos__begin));
	KSMA_TRY(KSMA_NEED(kernel, prb_data_blk_lpos__next));
	if (size->prb_desc > DESCRIPTOR_MAX || !fits(off->prb_desc__state_var, 8, size->prb_desc) ||
	    !fits(off->prb_desc__text_blk_lpos, size->prb_data_blk_lpos, size->prb_desc) ||
	    !fits(off->prb_data_blk_lpos__begin, 8, size->prb_data_blk_lpos) ||
	    !fits(off->prb_data_blk_lpos__next, 8, size->prb_data_blk_lpos) ||
	    size->printk_info > INFO_MAX || !fits(off->printk_info__seq, 8, size->printk_info) ||
	    !fits(off->printk_info__ts_nsec, 8, size->printk_info) ||
	    !fits(off->printk_info__text_len, 2, size->printk_info) ||
	    !fits(off->printk_info__facility, 2, size->printk_info) ||
	    off->printk_info__caller_id != off->printk_info__facility + 2 ||
	    !fits(off->printk_info__caller_id, 4, size->printk_info))
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"the records of this kernel's log have a layout that ksma does not know");
	return NULL;
}

static uint64_t at(uint64_t base, int32_t offset)
{
	return base + (uint64_t)offset;
}

/* `prb` points to the ring in use: a static one, then one sized by log_buf_len=. */
struct ksma_error *ksma_log_ring_open(struct ksma_kernel *kernel, struct ksma_log_ring *ret_ring)
{
	const struct ksma_offsets *off = &kernel->off;
	struct ksma_log_ring *ring = ret_ring;
	uint64_t symbol, prb, desc_ring, text_ring;

	KSMA_TRY(check_layout(kernel));
	KSMA_TRY(ksma_kernel_need_symbol(kernel, "prb", &symbol));
	if (!ksma_kernel_u64(kernel, symbol, &prb))
		return ksma_error_fault(symbol, "the pointer to the kernel log is not mapped");
	desc_ring = at(prb, off->printk_ringbuffer__desc_ring);
	text_ring = at(prb, off->printk_ringbuffer__text_data_ring);
	*ring = (struct ksma_log_ring){
		.kernel = kernel,
		.address = prb,
		.tail_address = at(desc_ring, off->prb_desc_ring__tail_id),
	};
	if (!ksma_kernel_u32(kernel, at(desc_ring, off->prb_desc_ring__count_bits),
			     &ring->count_bits) ||
	    !ksma_kernel_u64(kernel, at(desc_ring, off->prb_desc_ring__descs),
			     &ring->descriptors) ||
	    !ksma_kernel_u64(kernel, at(desc_ring, off->prb_desc_ring__infos), &ring->infos) ||
	    !ksma_kernel_u64(kernel, ring->tail_address, &ring->tail) ||
	    !ksma_kernel_u64(kernel, at(desc_ring, off->prb_desc_ring__head_id), &ring->head) ||
	    !ksma_kernel_u32(kernel, at(text_ring, off->prb_data_ring__size_bits),
			     &ring->size_bits) ||
	    !ksma_kernel_u64(kernel, at(text_ring, off->prb_data_ring__data), &ring->data))
		return ksma_error_fault(prb, "the head of the kernel log at 0x%llx is not mapped",
					(unsigned long long)prb);
	ring->head &= ID_MASK;
	ring->tail &= ID_MASK;
	if (ring->count_bits == 0 || ring->count_bits > COUNT_BITS_MAX || ring->size_bits < 3 ||
	    ring->size_bits > DATA_BITS_MAX ||
	    ((ring->head - ring->tail) & ID_MASK) >> ring->count_bits)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the head of the kernel log at 0x%llx is not plausible",
					 (unsigned long long)prb);
	if (off->prb_data_ring__head_lpos == KSMA_NO_MEMBER ||
	    off->prb_data_ring__tail_lpos == KSMA_NO_MEMBER)
		return NULL;
	if (!ksma_kernel_u64(kernel, at(text_ring, off->prb_data_ring__head_lpos),
			     &ring->data_head) ||
	    !ksma_kernel_u64(kernel, at(text_ring, off->prb_data_ring__tail_lpos),
			     &ring->data_tail))
		return ksma_error_fault(prb, "the text of the kernel log at 0x%llx is not mapped",
					(unsigned long long)prb);
	return NULL;
}

bool ksma_log_descriptor_read(const struct ksma_log_ring *ring, uint64_t id,
			      struct ksma_log_descriptor *ret)
{
	const struct ksma_offsets *off = &ring->kernel->off;
	uint8_t bytes[DESCRIPTOR_MAX];
	uint32_t size = ring->kernel->size.prb_desc;

	if (!ksma_kernel_bytes(ring->kernel, ring->descriptors + ksma_log_slot(ring, id) * size,
			       bytes, size))
		return false;
	ret->state_var = ksma_le64(bytes + off->prb_desc__state_var);
	ret->begin =
		ksma_le64(bytes + off->prb_desc__text_blk_lpos + off->prb_data_blk_lpos__begin);
	ret->next = ksma_le64(bytes + off->prb_desc__text_blk_lpos + off->prb_data_blk_lpos__next);
	return true;
}

bool ksma_log_block(const struct ksma_log_ring *ring, const struct ksma_log_descriptor *descriptor,
		    uint64_t *ret_offset, uint64_t *ret_size)
{
	uint64_t ring_size = 1ull << ring->size_bits;
	uint64_t last = descriptor->next - 1;
	/* Positions start just below zero, so that the first time around is also the time when the numbers end. */
	uint64_t wraps =
		((last & -ring_size) - (descriptor->begin & -ring_size)) >> ring->size_bits;

	if (descriptor->begin % 8 || descriptor->next % 8)
		return false;
	if (wraps == 0 && descriptor->begin <= last) {
		*ret_offset = descriptor->begin & (ring_size - 1);
		*ret_size = descriptor->next - descriptor->begin;
	} else if (wraps == 1) {
		*ret_offset = 0;
		*ret_size = (last & (ring_size - 1)) + 1;
	} else {
		return false;
	}
	return *ret_size >= 8;
}

/* What became of one id. */
enum outcome {
	OUTCOME_RECORD,
	OUTCOME_NOTHING, /* not written yet, or given up to make room: not part of the log */
	OUTCOME_TORN,
};

/* Copies the text of a record; the caller looks at the descriptor again afterwards. */
static enum outcome read_text(const struct ksma_log_ring *ring, uint64_t id,
			      const struct ksma_log_descriptor *descriptor, size_t length,
			      char *text)
{
	uint64_t offset, size, owner;

	if (descriptor->begin & KSMA_LOG_DATALESS || descriptor->next & KSMA_LOG_DATALESS)
		return descriptor->begin == EMPTY_LINE && descriptor->next == EMPTY_LINE &&
				       length == 0
			       ? OUTCOME_RECORD
			       : OUTCOME_NOTHING;
	if (!ksma_log_block(ring, descriptor, &offset, &size) || length > size - 8)
		return OUTCOME_TORN;
	if (!ksma_kernel_u64(ring->kernel, ring->data + offset, &owner) || owner != id ||
	    !ksma_kernel_bytes(ring->kernel, ring->data + offset + 8, text, length))
		return OUTCOME_TORN;
	return OUTCOME_RECORD;
}

bool ksma_log_info_read(const struct ksma_log_ring *ring, uint64_t id, struct ksma_log_info *ret)
{
	const struct ksma_offsets *off = &ring->kernel->off;
	uint32_t size = ring->kernel->size.printk_info;
	uint8_t info[INFO_MAX];

	if (!ksma_kernel_bytes(ring->kernel, ring->infos + ksma_log_slot(ring, id) * size, info,
			       size))
		return false;
	*ret = (struct ksma_log_info){
		.sequence = ksma_le64(info + off->printk_info__seq),
		.time_ns = ksma_le64(info + off->printk_info__ts_nsec),
		.text_length = ksma_le16(info + off->printk_info__text_len),
		.facility = info[off->printk_info__facility],
		.level = info[off->printk_info__facility + 1] >> LEVEL_SHIFT,
		.caller = ksma_le32(info + off->printk_info__caller_id),
	};
	return true;
}

static enum outcome read_record(const struct ksma_log_ring *ring, uint64_t id,
				struct ksma_log_record *record, char *text, size_t *ret_length)
{
	struct ksma_log_descriptor descriptor, again;
	struct ksma_log_info info;
	enum outcome outcome;

	if (!ksma_log_descriptor_read(ring, id, &descriptor))
		return OUTCOME_TORN;
	if (descriptor.state_var >> KSMA_LOG_STATE_SHIFT == KSMA_LOG_REUSABLE ||
	    descriptor.state_var >> KSMA_LOG_STATE_SHIFT == KSMA_LOG_RESERVED)
		return OUTCOME_NOTHING;
	if ((descriptor.state_var & ID_MASK) != id || !ksma_log_info_read(ring, id, &info))
		return OUTCOME_TORN;
	*ret_length = info.text_length;
	outcome = read_text(ring, id, &descriptor, *ret_length, text);
	if (!ksma_log_descriptor_read(ring, id, &again) ||
	    memcmp(&descriptor, &again, sizeof(again)) != 0)
		return OUTCOME_TORN;
	record->sequence = info.sequence;
	record->time_ns = info.time_ns;
	record->facility = info.facility;
	record->level = info.level;
	record->caller = info.caller;
	return outcome;
}

/* A record that made room for newer ones since we began is no gap: it left the log. */
static bool left_the_log(const struct ksma_log_ring *ring, uint64_t id)
{
	uint64_t tail;

	if (!ksma_kernel_u64(ring->kernel, ring->tail_address, &tail))
		return false;
	return ((tail - 1 - id) & ID_MASK) >> ring->count_bits == 0;
}

/* A record that is being extended is whole again a moment later. */
static enum outcome read_settled(const struct ksma_log_ring *ring, uint64_t id,
				 struct ksma_log_record *record, char *text, size_t *ret_length)
{
	enum outcome outcome = OUTCOME_TORN;

	for (unsigned i = 0; i < RECORD_LOOKS && outcome == OUTCOME_TORN; i++)
		outcome = read_record(ring, id, record, text, ret_length);
	return outcome == OUTCOME_TORN && left_the_log(ring, id) ? OUTCOME_NOTHING : outcome;
}

static struct ksma_error *append(struct ksma_log *log, const struct ksma_log_record *record,
				 const char *text, size_t length)
{
	struct ksma_log_record *item;
	char *copy = malloc(length + 1);

	if (!copy)
		return ksma_error_nomem();
	/* A NUL inside the text would hide the rest of it from whoever reads a string. */
	for (size_t i = 0; i < length; i++)
		copy[i] = text[i] ? text[i] : ' ';
	copy[length] = '\0';
	struct ksma_error *error = KSMA_ARRAY_PUSH(log, &item);
	if (error) {
		free(copy);
		return error;
	}
	*item = *record;
	item->text = copy;
	return NULL;
}

/* One look at the whole log. A record that changes under the reader was overwritten by a newer one, or is being extended: the
 * next look settles it. */
static struct ksma_error *look(struct ksma_kernel *kernel, char *text, struct ksma_log *log)
{
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_error *error = NULL;
	struct ksma_log_ring ring = { 0 };

	KSMA_TRY(ksma_log_ring_open(kernel, &ring));
	for (uint64_t id = ring.tail;; id = (id + 1) & ID_MASK) {
		struct ksma_log_record record = { 0 };
		size_t length = 0;
		enum outcome outcome;

		if (!ksma_budget_spend(&budget)) {
			ksma_error_destroy(error);
			return ksma_budget_error("kernel log");
		}
		outcome = read_settled(&ring, id, &record, text, &length);
		if (outcome == OUTCOME_TORN && !error)
			error = ksma_error_create(
				KSMA_ERROR_BAD_DATA,
				"record %llu of the kernel log changed while it was read, or is damaged",
				(unsigned long long)id);
		if (outcome == OUTCOME_RECORD) {
			struct ksma_error *failed = append(log, &record, text, length);

			if (failed) {
				ksma_error_destroy(error);
				return failed;
			}
		}
		if (id == ring.head)
			return error;
	}
}

KSMA_API struct ksma_error *ksma_linux_log(struct ksma_kernel *kernel,
					   struct ksma_coverage *coverage, struct ksma_log *ret_log)
{
	_cleanup_(ksma_log_free) struct ksma_log log = { 0 };
	_cleanup_free_ char *text = malloc(TEXT_MAX);
	struct ksma_error *error;
	unsigned attempt = 0;

	if (!text)
		return ksma_error_nomem();
	do {
		ksma_log_free(&log);
		error = look(kernel, text, &log);
	} while (ksma_kernel_retry(kernel, &attempt, &error));
	if (error) {
		if (error->code != KSMA_ERROR_BAD_DATA && error->code != KSMA_ERROR_FAULT &&
		    error->code != KSMA_ERROR_LIMIT)
			return error;
		ksma_coverage_error(coverage,
				    log.count ? KSMA_COVERAGE_PARTIAL : KSMA_COVERAGE_UNKNOWN,
				    error, "kernel log");
	}
	*ret_log = log;
	log = (struct ksma_log){ 0 };
	return NULL;
}

KSMA_API void ksma_log_free(struct ksma_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		free(log->items[i].text);
	free(log->items);
	*log = (struct ksma_log){ 0 };
}
