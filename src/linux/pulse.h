/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does the kernel that was opened still run? With no monitor to tell of a reset, its clock has to. */
#ifndef KSMA_LINUX_PULSE_H
#define KSMA_LINUX_PULSE_H

#include "base/util.h"

/* The guest's tick counter and since when it stands still. */
struct ksma_pulse {
	uint64_t jiffies;
	uint64_t moved_ns;  /* CLOCK_MONOTONIC: when it was last seen to move */
	uint64_t search_ns; /* how long it may stand still before another kernel is searched for */
};

enum ksma_pulse_verdict {
	KSMA_PULSE_BEATS,
	KSMA_PULSE_STILL,     /* longer than an idle kernel does */
	KSMA_PULSE_SEARCH,    /* the same, and it is time to search memory for another kernel */
	KSMA_PULSE_BACKWARDS, /* another kernel counts there now */
};

/* Ticks of an idle kernel without a tick come seconds apart, for its own watchdogs and the writeback timer ask for them. */
enum { KSMA_PULSE_STILL_S = 30 };

void ksma_pulse_init(struct ksma_pulse *pulse, uint64_t jiffies, uint64_t now_ns);

/* Takes the count of a look. Searches are asked for at doubling intervals, as each reads all of memory. */
enum ksma_pulse_verdict ksma_pulse_take(struct ksma_pulse *pulse, uint64_t jiffies,
					uint64_t now_ns);

/* Whole seconds that the clock stands still. */
uint64_t ksma_pulse_still_s(const struct ksma_pulse *pulse, uint64_t now_ns);

#endif
