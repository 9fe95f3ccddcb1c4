/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a compiled switch statement leads for a value: the way kernels from 6.9 (and those that took the fix for branch history
 * injection, CVE-2024-2201) dispatch system calls, instead of through a table. */
#ifndef KSMA_X86_SWITCH_H
#define KSMA_X86_SWITCH_H

#include "base/util.h"

struct ksma_switch;

/* Decodes a function. The code is copied and may come from a hostile guest; up to 256 KiB.
 * @gva        address of its first byte
 * @ret_switch ended with ksma_switch_destroy()
 * @return NULL, LIMIT or NOMEM */
struct ksma_error *ksma_switch_create(const uint8_t *code, size_t length, uint64_t gva,
				      struct ksma_switch **ret_switch) KSMA_MUST_CHECK;
void ksma_switch_destroy(struct ksma_switch *table);

/* Follows the comparisons of f(void *, unsigned int value) until control leaves the function by a jump or a call.
 * A call in the first instruction (the ftrace site) is stepped over.
 * @ret_target where it leads to
 * @ret_place  address of the jump or call that leaves the function
 * @return NULL, UNSUPPORTED (an instruction that such a switch does not have: names it), LIMIT (it does not leave) */
struct ksma_error *ksma_switch_target(const struct ksma_switch *table, uint32_t value,
				      uint64_t *ret_target, uint64_t *ret_place) KSMA_MUST_CHECK;

#endif
