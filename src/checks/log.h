/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the check of the kernel log works out: apart, so that it can be tested. */
#ifndef KSMA_CHECKS_LOG_H
#define KSMA_CHECKS_LOG_H

#include "linux/log.h"

/* What printk never makes of a record, or of the place of one. */
enum ksma_log_flaw {
	KSMA_LOG_SOUND,
	KSMA_LOG_TORN, /* it could not be read as one */
	KSMA_LOG_LEFT_OUT, /* a record that lies before the tail or behind the head, so that nobody reads it */
	KSMA_LOG_NO_RECORD, /* between tail and head, and nothing was ever written there */
	KSMA_LOG_OPEN, /* said to be in the making, with newer records behind it: readers stop before it */
	KSMA_LOG_SEQUENCE,  /* its number is not that of its place */
	KSMA_LOG_MISPLACED, /* it points to text that is not its own */
	KSMA_LOG_CUT,	    /* far less text than was reserved for it */
	KSMA_LOG_BLANK,	    /* its text is nothing but zeroes */
	KSMA_LOG_ORPHAN, /* text between the tail and the head of the text, whose record does not own it */
	KSMA_LOG_REWRITTEN, /* it was another one when it was looked at before */
};

const char *ksma_log_flaw_name(enum ksma_log_flaw flaw);

/* Judges the place of an id, which lies less than a whole round behind the ring's tail.
 * @text  KSMA_LOG_TEXT_MAX bytes: the record's text, when the flaw is none and `ret_info->text_length` is not 0 */
enum ksma_log_flaw ksma_log_judge(const struct ksma_log_ring *ring, uint64_t id,
				  struct ksma_log_descriptor *ret_descriptor,
				  struct ksma_log_info *ret_info, char *text);

enum { KSMA_LOG_TEXT_MAX = 65535 }; /* text_len has 16 bits */

/* The number of the record at an id: 0 is the first one of the boot. */
uint64_t ksma_log_number(const struct ksma_log_ring *ring, uint64_t id);

/* Goes along the blocks of text from their tail to their head, each of which has to be its record's.
 * @ret_id the id that stands in the first block whose record is not its owner, @ret_position where that lies
 * @return KSMA_LOG_SOUND, KSMA_LOG_ORPHAN, or KSMA_LOG_TORN: what lies behind is not known, for a record is being written */
enum ksma_log_flaw ksma_log_follow(const struct ksma_log_ring *ring, struct ksma_budget *budget,
				   uint64_t *ret_id, uint64_t *ret_position);

/* The bit of the taint that a line of the kernel speaks of, or -1. */
int ksma_log_taint(const char *text, size_t length);

#endif
