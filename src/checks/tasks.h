/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the check of single tasks works out: apart, so that it can be tested. */
#ifndef KSMA_CHECKS_TASKS_H
#define KSMA_CHECKS_TASKS_H

#include "base/util.h"

struct ksma_seccomp {
	uint32_t mode;	  /* 0: none */
	uint32_t filters; /* how many were ever put on */
	uint64_t filter;  /* the newest */
	bool asked;	  /* the kernel asks it at each system call */
};

/* What contradicts itself, in words that follow "its seccomp filter"; NULL when nothing does. */
const char *ksma_seccomp_flaw(const struct ksma_seccomp *seccomp);

/* True for a name that only threads of the kernel have, and those who want to look like one. */
bool ksma_is_kernel_name(const char *comm);

#endif
