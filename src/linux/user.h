/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of a guest's process, through that process's own page tables. */
#ifndef KSMA_LINUX_USER_H
#define KSMA_LINUX_USER_H

#include "linux/kernel.h"

/* Physical address of the page tables that mm->pgd points at, or 0 when it lies in no RAM. */
uint64_t ksma_user_pgd(struct ksma_kernel *kernel, uint64_t pgd);

/* Why a read of user memory ended. */
enum ksma_user_end {
	KSMA_USER_WHOLE, /* all of it was read */
	KSMA_USER_NOTHING, /* no page there: never touched, not the process's, or being replaced this very moment */
	KSMA_USER_AWAY, /* swapped out, or on its way to another place: looking again at once does not help */
};

/* Reads user memory as far as it is there.
 * @pgd      physical, as ksma_user_pgd() gives it
 * @ret_end  may be NULL
 * @return the bytes read */
size_t ksma_user_read(struct ksma_kernel *kernel, uint64_t pgd, uint64_t address, void *buffer,
		      size_t length, enum ksma_user_end *ret_end);

#endif
