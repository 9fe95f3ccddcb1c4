/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two kinds of guest address, kept apart by the compiler so that they cannot be mixed. */
#ifndef KSMA_TYPES_H
#define KSMA_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A guest physical address. */
typedef struct {
	uint64_t v;
} ksma_gpa;

/* A guest virtual address. */
typedef struct {
	uint64_t v;
} ksma_gva;

static inline ksma_gpa ksma_gpa_of(uint64_t v)
{
	return (ksma_gpa){ v };
}

static inline ksma_gva ksma_gva_of(uint64_t v)
{
	return (ksma_gva){ v };
}

#endif
