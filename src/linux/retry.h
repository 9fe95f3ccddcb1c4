/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking again: a guest that runs changes what is being read, and most torn looks succeed a moment later. */
#ifndef KSMA_LINUX_RETRY_H
#define KSMA_LINUX_RETRY_H

#include "linux/kernel.h"

/* Tells whether a look that failed is worth repeating: errors of code BAD_DATA and FAULT are, a few times, with a pause that
 * grows, because the guest's processor may itself have been stopped by the host halfway through a change.
 *
 * Forgets cached pages before it says yes. Takes *error when it says yes (it is NULL then); else *error is what to report,
 * which may have become LOST. A NULL *error is never repeated.
 *
 * @attempt  0 before the first look, kept by the caller */
bool ksma_kernel_retry(struct ksma_kernel *kernel, unsigned *attempt, struct ksma_error **error);

/* How many looks at something that keeps changing, before it is said to keep changing. */
enum { KSMA_LOOKS = 24 };

/* Prepares the next of KSMA_LOOKS looks at something large that changes often, such as the task list: several at once, then
 * the same with longer and longer pauses. Forgets cached pages when memory is seen through copies.
 *
 * @look       0 at the first look, kept by the caller
 * @ret_again  false when no look is left, or none would see anything new (a dump)
 * @return NULL or LOST */
struct ksma_error *ksma_kernel_look_again(struct ksma_kernel *kernel, unsigned *look,
					  bool *ret_again) KSMA_MUST_CHECK;

#endif
