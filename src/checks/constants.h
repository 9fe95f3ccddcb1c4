/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Read-only data as a whole: a constant that points to somebody else's code was not put there by the compiler. */
#ifndef KSMA_CHECKS_CONSTANTS_H
#define KSMA_CHECKS_CONSTANTS_H

#include "checks/check.h"

/* Looks through the constants of the kernel for pointers to code outside it, and through those of each listed module for pointers
 * to code of a module that it does not depend on, or of nobody. System call tables have a check of their own and are left out.
 * @return NULL, LOST or NOMEM; everything else is a finding or a gap */
struct ksma_error *ksma_constants_check(struct ksma_look *look) KSMA_MUST_CHECK;

#endif
