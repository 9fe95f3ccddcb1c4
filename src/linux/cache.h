/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decoded tables of kernels seen before. An entry holds the guest's own bytes beside what was decoded from them, and serves
 * only where the guest's bytes are equal to it, all of them: no hash stands between a guest and another guest's tables. */
#ifndef KSMA_LINUX_CACHE_H
#define KSMA_LINUX_CACHE_H

#include "linux/tables.h"

/* Looks for this image in the cache. @ret_found false when it is not there, or when the folder or the file is not trustworthy
 * (not ours, writable by others, damaged): then the tables are read anew. Only lack of memory is an error. */
struct ksma_error *ksma_cache_load(const char *dir, struct ksma_guest *guest,
				   const struct ksma_image *image, struct ksma_tables *ret_tables,
				   bool *ret_found) KSMA_MUST_CHECK;

/* Writes an entry atomically (a temporary file, then a rename); makes the folder (0700) when it is missing. Removes the oldest
 * entries when there are more than 64. @return NULL, OS, PERMISSION, NOMEM: the caller goes on without */
struct ksma_error *ksma_cache_store(const char *dir, const struct ksma_image *image,
				    const struct ksma_tables *tables) KSMA_MUST_CHECK;

/* The default folder: /var/cache/ksma for root, else $XDG_CACHE_HOME/ksma or ~/.cache/ksma. @ret_dir owned by the caller */
struct ksma_error *ksma_cache_default_dir(char **ret_dir) KSMA_MUST_CHECK;

#endif
