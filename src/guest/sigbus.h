/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A shared mapping whose file is cut short, or whose page the host cannot give, must not end our process.
 *
 * The first guarded mapping installs a handler for SIGBUS; it stays. A fault inside a guarded mapping puts a page of zeroes
 * there and notes it; any other fault goes to the handler that was there before. It is the only signal handler and the only
 * global state of the library. See docs/decisions/0105. */
#ifndef KSMA_GUEST_SIGBUS_H
#define KSMA_GUEST_SIGBUS_H

#include "base/util.h"

/* Guards [map, map+length), a mapping made by mmap(). @page_size its unit: that of the huge pages where it is made of them
 * @return a number for the other calls, or -1 where too many are guarded already: the mapping must not be used then */
int ksma_sigbus_guard(const void *map, size_t length, size_t page_size);

/* Ends guarding; to be called before munmap(). -1 is fine. */
void ksma_sigbus_unguard(int guard);

/* How many faults were caught in it so far. */
unsigned ksma_sigbus_faults(int guard);

#endif
