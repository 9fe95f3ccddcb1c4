/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a look at a guest covered: no look is worth more than its coverage says. */
#ifndef KSMA_COVERAGE_H
#define KSMA_COVERAGE_H

#ifdef __cplusplus
extern "C" {
#endif

enum ksma_coverage_state {
	KSMA_COVERAGE_COMPLETE, /* everything was looked at */
	KSMA_COVERAGE_PARTIAL,	/* some of it, see reason */
	KSMA_COVERAGE_UNKNOWN,	/* nothing, see reason */
};

/* What a look covered. State only ever gets worse. The reasons are joined by "; " and deduplicated, at most a few.
 * The caller's storage: zero it before the first look, and end it with ksma_coverage_deinit(). */
struct ksma_coverage {
	enum ksma_coverage_state state;
	char *reason;  /* NULL when complete */
	unsigned gaps; /* how many gaps were recorded, repeated ones too */
};

void ksma_coverage_deinit(struct ksma_coverage *coverage);

/* "complete", "partial", "unknown": the words of the JSON output. */
const char *ksma_coverage_state_name(enum ksma_coverage_state state);

#ifdef __cplusplus
}
#endif
#endif
