/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Budgets bound what hostile data may cost; coverage says what a look did not see. */
#include "base/budget.h"

enum { DEFAULT_NODES = 4 << 20, DEFAULT_SECONDS = 10, MAX_REASON = 2048 };

struct ksma_budget ksma_budget_default(void)
{
	return (struct ksma_budget){
		.nodes = DEFAULT_NODES,
		.deadline_ns = ksma_now_ns() + DEFAULT_SECONDS * 1000000000ull,
	};
}

struct ksma_error *ksma_budget_error(const char *walk)
{
	return ksma_error_create(KSMA_ERROR_LIMIT, "%s did not end within its budget", walk);
}

/* True when `reason` is one of those joined in `reasons`, as a whole: "pid 1" is not in "pid 11". */
static bool has_reason(const char *reasons, const char *reason)
{
	size_t length = strlen(reason);

	for (const char *at = strstr(reasons, reason); at; at = strstr(at + 1, reason))
		if ((at == reasons || (at - reasons >= 2 && at[-2] == ';')) &&
		    (!at[length] || at[length] == ';'))
			return true;
	return false;
}

static void add_reason(struct ksma_coverage *coverage, const char *reason)
{
	char *joined;

	if (!coverage->reason) {
		coverage->reason = strdup(reason);
		return;
	}
	if (has_reason(coverage->reason, reason) ||
	    strlen(coverage->reason) + strlen(reason) > MAX_REASON)
		return;
	if (asprintf(&joined, "%s; %s", coverage->reason, reason) < 0)
		return;
	free(coverage->reason);
	coverage->reason = joined;
}

static void worsen(struct ksma_coverage *coverage, enum ksma_coverage_state state)
{
	if (state > coverage->state)
		coverage->state = state;
}

void ksma_coverage_gap(struct ksma_coverage *coverage, enum ksma_coverage_state state,
		       const char *format, ...)
{
	_cleanup_free_ char *reason = NULL;
	va_list args;

	worsen(coverage, state);
	coverage->gaps++;
	va_start(args, format);
	if (vasprintf(&reason, format, args) < 0)
		reason = NULL;
	va_end(args);
	if (reason)
		add_reason(coverage, reason);
}

void ksma_coverage_error(struct ksma_coverage *coverage, enum ksma_coverage_state state,
			 struct ksma_error *error, const char *what)
{
	if (!error)
		return;
	ksma_coverage_gap(coverage, state, "%s: %s", what, error->message);
	ksma_error_destroy(error);
}

struct ksma_error *ksma_coverage_take(struct ksma_coverage *coverage,
				      enum ksma_coverage_state state, struct ksma_error *error,
				      const char *what)
{
	if (error && (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST))
		return error;
	ksma_coverage_error(coverage, state, error, what);
	return NULL;
}

void ksma_coverage_merge(struct ksma_coverage *to, struct ksma_coverage *from)
{
	worsen(to, from->state);
	to->gaps += from->gaps;
	if (from->reason)
		add_reason(to, from->reason);
	ksma_coverage_deinit(from);
}

KSMA_API void ksma_coverage_deinit(struct ksma_coverage *coverage)
{
	free(coverage->reason);
	*coverage = (struct ksma_coverage){ 0 };
}

KSMA_API const char *ksma_coverage_state_name(enum ksma_coverage_state state)
{
	static const char *const names[] = {
		[KSMA_COVERAGE_COMPLETE] = "complete",
		[KSMA_COVERAGE_PARTIAL] = "partial",
		[KSMA_COVERAGE_UNKNOWN] = "unknown",
	};

	return (size_t)state < ARRAY_SIZE(names) ? names[state] : "unknown";
}
