/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a walk through hostile data may cost, and the record of what it could not look at. */
#ifndef KSMA_BASE_BUDGET_H
#define KSMA_BASE_BUDGET_H

#include "base/util.h"
#include <ksma/coverage.h>

/* Limits of one walk. Spending past the end is an error of code LIMIT, never a hang. */
struct ksma_budget {
	uint64_t nodes;	      /* left */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0 is none */
};

/* A budget that no honest guest reaches: 4 million nodes, 10 seconds. */
struct ksma_budget ksma_budget_default(void);

/* Spends one node. @return false when the budget is used up. The clock is looked at every 256 nodes. */
static inline bool ksma_budget_spend(struct ksma_budget *budget)
{
	if (unlikely(budget->nodes == 0))
		return false;
	budget->nodes--;
	if (unlikely((budget->nodes & 0xff) == 0 && budget->deadline_ns &&
		     ksma_now_ns() > budget->deadline_ns))
		budget->nodes = 0;
	return true;
}

/* LIMIT, naming the walk. */
struct ksma_error *ksma_budget_error(const char *walk) KSMA_MUST_CHECK KSMA_NEVER_NULL;

/* Records a gap. Lack of memory loses the words, never the state. */
void ksma_coverage_gap(struct ksma_coverage *coverage, enum ksma_coverage_state state,
		       const char *format, ...) KSMA_PRINTF(3, 4);

/* Records a gap from an error, with context, and ends the error. NULL error is no gap. */
void ksma_coverage_error(struct ksma_coverage *coverage, enum ksma_coverage_state state,
			 struct ksma_error *error, const char *what);

/* The same for a part of a check that the others do without: NOMEM and LOST, which end the whole pass, are given back instead.
 * @return NULL, NOMEM, LOST */
struct ksma_error *ksma_coverage_take(struct ksma_coverage *coverage,
				      enum ksma_coverage_state state, struct ksma_error *error,
				      const char *what) KSMA_MUST_CHECK;

/* Adds the gaps of `from` to `to` and leaves `from` empty. */
void ksma_coverage_merge(struct ksma_coverage *to, struct ksma_coverage *from);

#endif
