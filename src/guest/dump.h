/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory dumps as guests: QEMU's dump-guest-memory in ELF and kdump-compressed form, and raw images.
 *
 * - ELF64 core (paging false or true): mapped read-only. Regions are the physical addresses of its PT_LOAD segments.
 * - kdump-compressed, plain (kdump-raw-zlib) or in the "makedumpfile" flattened form (kdump-zlib): pages are read and
 *   decompressed one by one through the page cache. lzo, snappy and zstd are UNSUPPORTED.
 * - raw: the byte at offset N is the byte at physical address N, as `pmemsave 0` writes it. The RAM file of a guest that has
 *   memory above the hole below 4 GiB is *not* of this form, and nothing in it says so: its upper part lies elsewhere.
 *
 * Registers come from the dump's notes (struct QEMUCPUState of target/i386/arch_dump.c of QEMU): no MSRs and no debug registers.
 * A file may be cut off or damaged; all its sizes are checked before they are used. When another process shrinks it while it
 * is read, what is missing reads as zeroes (a mapping) or is an error (kdump), and ksma_guest_refresh() says LOST. */
#ifndef KSMA_GUEST_DUMP_H
#define KSMA_GUEST_DUMP_H

#include "guest/guest.h"

/* Opens a dump file. @ret_guest owned by the caller, ended with ksma_guest_destroy(); untouched on error
 * @return NULL, NOT_PRESENT (no such file), INVALID (not a file), BAD_DATA (damaged or cut off), UNSUPPORTED, LIMIT, OS,
 * PERMISSION, NOMEM */
struct ksma_error *ksma_dump_open(const char *path, struct ksma_guest **ret_guest) KSMA_MUST_CHECK;

/* The same for an open file, which is taken over, on failure too. `name` is what errors and the guest's info call it. */
struct ksma_error *ksma_dump_open_fd(int fd, const char *name,
				     struct ksma_guest **ret_guest) KSMA_MUST_CHECK;

#endif
