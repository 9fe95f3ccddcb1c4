/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is every byte of the kernel's text what the vendor built, patched as this kernel's own state says? */
#include "checks/reference.h"

static struct ksma_error *run(struct ksma_look *look)
{
	struct ksma_reference *reference;
	struct ksma_proof_unit *unit;

	KSMA_TRY(ksma_look_reference(look, &reference));
	unit = &reference->proof->unit;
	/* Of the guest's own tables some entries are about code that was freed after boot. */
	if (unit->patch.bad && !unit->baseline)
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "%zu patch sites of the vendor's kernel make no sense",
				  unit->patch.bad);
	KSMA_TRY(ksma_proof_compare_code(look, reference->proof, unit));
	KSMA_TRY(ksma_proof_made_by_ftrace(look, reference->proof));
	return ksma_proof_made_by_kprobes(look, reference->proof, unit);
}

const struct ksma_check ksma_check_text = {
	.info = {
		.name = "text",
		.title = "Kernel text, byte for byte",
		.attack = "T1014",
		.needs = "memory",
		.structures = "the image's text; boot_cpu_data, pv_ops, x86_return_thunk; static keys and static call keys; ftrace records; kprobe_table",
		.why = "Whoever can change one jump in the kernel can hide anything, and needs no table and no module for it. The reference is the "
		       "vendor's build, so that a guest that was changed before anybody looked is found as well.",
		.cost = "36 ms",
		.false_alarms = "A kernel patches itself all the time. Each such place is known from the vendor's own tables and has one encoding that "
				"the kernel's state allows; state and code are read again and again before they are said to disagree, and what is told has stayed for a while. "
				"Without a vendor's build the first look is the baseline, and the coverage says so.",
		.todo = "Compare `expected` with `found`: a branch leads to the code to look at. The guest is to be restored from a known image; its "
			"own tools will not show the change.",
	},
	.run = run,
};
