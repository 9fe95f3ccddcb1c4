/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Are the kernel's constants, tables and vDSO images what the vendor built? */
#include "checks/reference.h"

static struct ksma_error *run(struct ksma_look *look)
{
	struct ksma_reference *reference;
	struct ksma_proof_unit *unit;

	KSMA_TRY(ksma_look_reference(look, &reference));
	unit = &reference->proof->unit;
	KSMA_TRY(ksma_proof_update_warnings(look, unit));
	return ksma_proof_compare(look, unit, false, unit->data, unit->data_count, NULL);
}

const struct ksma_check ksma_check_rodata = {
	.info = {
		.name = "rodata",
		.title = "Kernel constants, byte for byte",
		.attack = "T1014",
		.needs = "memory",
		.structures = "the image's read-only data: operations, strings, kallsyms, BTF, exported symbols, exception table; jump labels and static "
			      "call sites; unwind tables; vDSO images",
		.why = "Tables of function pointers are constants, and so are the strings and symbols by which a kernel is examined. A changed exception "
		       "table turns a fault into a jump, a changed vDSO runs code in every process.",
		.cost = "1.7 ms",
		.false_alarms = "Boot sorts two tables: the same entries in another order are the same table. What is read-only only after init is "
				"not compared with the vendor's build, except for those tables and the vDSO.",
		.todo = "Compare `expected` with `found`: what is constant is never changed by an honest kernel.",
	},
	.run = run,
};
