/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The monitor of a guest that libvirt owns, reached through libvirt's own library, loaded only when there is such a guest. */
#ifndef KSMA_GUEST_LIBVIRT_H
#define KSMA_GUEST_LIBVIRT_H

#include "guest/qmp.h"

struct ksma_libvirt;

/* Prepares; loads and connects with the first run. @uri "qemu:///system" @uuid of the domain
 * @return NULL, NOT_PRESENT (no UUID on the command line), NOMEM */
struct ksma_error *ksma_libvirt_create(const char *uri, const char *uuid,
				       struct ksma_libvirt **ret_libvirt) KSMA_MUST_CHECK;
void ksma_libvirt_destroy(struct ksma_libvirt *libvirt);

/* Runs calls one after the other. libvirt marks the domain as tainted ("custom-monitor") by this, and has its own time
 * limit for an answer (30 s). Descriptors go along with libvirt 8.2 and newer.
 * @return NULL, UNSUPPORTED (no library: says which package), LOST (no such domain, no daemon), PERMISSION, NOMEM */
struct ksma_error *ksma_libvirt_run(struct ksma_libvirt *libvirt, struct ksma_qmp_call *calls,
				    size_t count) KSMA_MUST_CHECK;
bool ksma_libvirt_passes_fds(const struct ksma_libvirt *libvirt);

#endif
