/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of paths, matched in time that the guest's paths cannot inflate; fnmatch() gives no such promise. */
#ifndef KSMA_GUARD_GLOB_H
#define KSMA_GUARD_GLOB_H

#include <stdbool.h>
#include <stddef.h>

enum { KSMA_GLOB_MAX = 255 }; /* bytes of a pattern */

/* What is wrong with a pattern, as a phrase, or NULL. It has to begin with a slash or with `**`. */
const char *ksma_glob_complaint(const char *pattern);

/* Whether the whole of `path` fits: `*` stands for any bytes but a slash, `**` for any bytes, `?` for one byte that is no slash; every
 * other byte stands for itself, and a backslash takes from the next one what it means. Costs at most the product of the two lengths.
 * `pattern` has no complaint. */
bool ksma_glob_match(const char *pattern, const char *path);

#endif
