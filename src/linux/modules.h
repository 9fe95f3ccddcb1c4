/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module's own description of itself, wherever it was found: on the list, or by a check that distrusts the list. */
#ifndef KSMA_LINUX_MODULES_H
#define KSMA_LINUX_MODULES_H

#include "linux/kernel.h"
#include <ksma/linux.h>

/* Reads the struct module at `address`, which need not be on any list. The strings in it are the guest's.
 * @return NULL, FAULT, BAD_DATA (it changed while it was read, or its pieces are impossible) or UNSUPPORTED */
struct ksma_error *ksma_module_read(struct ksma_kernel *kernel, uint64_t address,
				    struct ksma_module *ret_module) KSMA_MUST_CHECK;

/* True when `address` lies in one of the module's pieces. */
static inline bool ksma_module_holds(const struct ksma_module *module, uint64_t address)
{
	for (size_t i = 0; i < module->memory_count; i++)
		if (address - module->memory[i].base < module->memory[i].size)
			return true;
	return false;
}

#endif
