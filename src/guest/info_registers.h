/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vCPU registers as QEMU's human monitor prints them: `info registers -a`. */
#ifndef KSMA_GUEST_INFO_REGISTERS_H
#define KSMA_GUEST_INFO_REGISTERS_H

#include "base/util.h"
#include <ksma/guest.h>

enum { KSMA_VCPUS_MAX = 4096 };

/* Parses the text. Every vCPU must have all of its general, segment, control and debug registers and EFER.
 * @ret_registers freed with ksma_registers_free(); untouched on error; pause_us is 0
 * @return NULL, BAD_DATA (names the register that is missing or does not fit), LIMIT, NOMEM */
struct ksma_error *ksma_info_registers_parse(const char *text, size_t length,
					     struct ksma_registers *ret_registers) KSMA_MUST_CHECK;

#endif
