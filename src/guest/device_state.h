/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of the vCPUs out of QEMU's device state (`xen-save-devices-state`), for the MSRs that nothing else shows.
 *
 * The stream is a migration stream without RAM: sections with a name and no length, big-endian fields without a schema.
 * Other sections hold bytes that the guest chose (a network back end's buffers, device registers), and so could hold what
 * looks like a vCPU's section: when a vCPU shows up twice, nothing is believed. */
#ifndef KSMA_GUEST_DEVICE_STATE_H
#define KSMA_GUEST_DEVICE_STATE_H

#include "base/util.h"
#include <ksma/guest.h>

enum { KSMA_DEVICE_STATE_MAX = 64 << 20 };

/* Takes MSRs, and the other registers too, of every vCPU listed in `registers` (which names them by index, and whose tables
 * and EFER must agree with the stream). On an error `registers` is as it was.
 * @return NULL, BAD_DATA (says which vCPU and why), UNSUPPORTED (another version of the vCPU section) */
struct ksma_error *ksma_device_state_parse(const void *data, size_t length,
					   struct ksma_registers *registers) KSMA_MUST_CHECK;

#endif
