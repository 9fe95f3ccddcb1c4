/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Type information from a file, for kernels that carry none. */
#ifndef KSMA_LINUX_EXTERNAL_TYPES_H
#define KSMA_LINUX_EXTERNAL_TYPES_H

#include "base/util.h"

/* Reads BTF out of a bare BTF file or an ELF file's .BTF section.
 * @ret_data owned by the caller @return NULL, OS, PERMISSION, BAD_DATA (neither), LIMIT, NOMEM */
struct ksma_error *ksma_external_types_read(const char *path, uint8_t **ret_data,
					    size_t *ret_size) KSMA_MUST_CHECK;

#endif
