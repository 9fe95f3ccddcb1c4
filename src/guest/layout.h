/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's physical memory as its command line implies it, for guests whose monitor is out of reach. */
#ifndef KSMA_GUEST_LAYOUT_H
#define KSMA_GUEST_LAYOUT_H

#include "guest/cmdline.h"
#include "guest/mtree.h"

/* Works out which bytes of which backend lie where: below and above the hole under 4 GiB, then the DIMMs of the command line.
 * DIMMs plugged in later are not known, nor is the move of memory above 1 TiB on AMD hosts. To be verified through the
 * guest's page tables. @ret_layout freed with ksma_mtree_free(); untouched on error
 * @return NULL, UNSUPPORTED (a machine whose memory map is not known), BAD_DATA (sizes that do not fit), NOMEM */
struct ksma_error *ksma_layout_from_cmdline(const struct ksma_cmdline *cmdline,
					    struct ksma_mtree *ret_layout) KSMA_MUST_CHECK;

#endif
