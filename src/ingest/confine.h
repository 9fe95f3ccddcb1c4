/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fences this process in before it parses what strangers packed: a hole in a decompressor is not to be a hole in the host. */
#ifndef KSMA_INGEST_CONFINE_H
#define KSMA_INGEST_CONFINE_H

#include "base/util.h"

/* From here on: no program is run, no socket opened, no process touched; memory is limited; and where the host's kernel has Landlock
 * (with renames, 5.19), nothing is written outside of the folder `store`. Reading stays free, the files to add are anywhere. */
struct ksma_error *ingest_confine(const char *store) KSMA_MUST_CHECK;

#endif
