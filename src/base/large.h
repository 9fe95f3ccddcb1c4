/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of megabytes that is filled at once: in huge pages where the host has them, as first touching each small page costs
 * more than what is then written to it. */
#ifndef KSMA_BASE_LARGE_H
#define KSMA_BASE_LARGE_H

#include "base/util.h"

/* Memory for `size` bytes, its contents not defined; ended with free(). What is never touched takes no memory, but for the
 * rest of a huge page. NULL when memory is out. */
void *ksma_large_alloc(size_t size);

#endif
