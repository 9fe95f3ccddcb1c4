/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the check of kallsyms works out: apart, so that it can be tested. */
#ifndef KSMA_CHECKS_KALLSYMS_H
#define KSMA_CHECKS_KALLSYMS_H

#include "checks/check.h"

enum ksma_kallsyms_lie_kind {
	KSMA_KALLSYMS_MOVED,   /* an export lies elsewhere */
	KSMA_KALLSYMS_MISSING, /* an export or a function is not named */
	KSMA_KALLSYMS_ORDER,
	KSMA_KALLSYMS_EXPORT_DAMAGED,
};

struct ksma_kallsyms_lie {
	enum ksma_kallsyms_lie_kind kind;
	char name[128];
	uint64_t found, expected;
};

/* True when a symbol of that name is at that address. @ret_found the first of the name, or 0 */
bool ksma_kallsyms_agrees(const struct ksma_symbols *symbols, const char *name, uint64_t address,
			  uint64_t *ret_found);

/* True when `order`, of 3 bytes for each symbol, names each symbol's number once. @ret_bad where it does not */
bool ksma_kallsyms_order_holds(const struct ksma_symbols *symbols, const uint8_t *order,
			       size_t *ret_bad);

#endif
