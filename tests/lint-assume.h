/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tells clang's analyzer, which does not believe returns_nonnull across files, that making an error yields one. Without
 * it every early return looks like a success with out parameters unset. */
#include "base/budget.h"

#define KSMA_ASSUME_ERROR(call)                                                                    \
	({                                                                                         \
		struct ksma_error *assumed_ = (call);                                              \
		if (!assumed_)                                                                     \
			__builtin_unreachable();                                                   \
		assumed_;                                                                          \
	})
#define ksma_error_create(...) KSMA_ASSUME_ERROR((ksma_error_create)(__VA_ARGS__))
#define ksma_error_os(...) KSMA_ASSUME_ERROR((ksma_error_os)(__VA_ARGS__))
#define ksma_error_fault(...) KSMA_ASSUME_ERROR((ksma_error_fault)(__VA_ARGS__))
#define ksma_error_nomem() KSMA_ASSUME_ERROR((ksma_error_nomem)())
#define ksma_budget_error(walk) KSMA_ASSUME_ERROR((ksma_budget_error)(walk))
