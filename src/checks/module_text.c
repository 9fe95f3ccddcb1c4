/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is the code of each listed module, and are its constants, what the vendor's file says? */
#include "checks/reference.h"
#include "linux/module_symbols.h"

/* Its struct is read piece by piece, while it may be on its way out. */
enum { MISMATCH_PERSIST_MS = 1000 };

static struct ksma_error *report_mismatch(struct ksma_look *look, const struct ksma_proof_module *m)
{
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(look, KSMA_SEVERITY_HIGH, &finding, "%s", m->name));
	finding->persist_ms = MISMATCH_PERSIST_MS;
	finding->living = true;
	KSMA_TRY(ksma_finding_title(
		finding, "module %s bears the build id of a vendor's module that it cannot be",
		m->name));
	KSMA_TRY(ksma_finding_address(look, finding, "module", m->module));
	return ksma_finding_text(finding, "problem", "%s", m->problem);
}

static struct ksma_error *check_module(struct ksma_look *look, struct ksma_reference *reference,
				       struct ksma_proof_module *m)
{
	struct ksma_proof_unit *unit = &m->unit;

	/* Sites in code that was freed after the module's start are in its tables still. */
	if (unit->patch.bad > unit->skipped)
		ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
				  "%zu patch sites of the vendor's %s make no sense",
				  unit->patch.bad, m->name);
	KSMA_TRY(ksma_proof_compare_code(look, reference->proof, unit));
	KSMA_TRY(ksma_proof_made_by_kprobes(look, reference->proof, unit));
	KSMA_TRY(ksma_proof_update_warnings(look, unit));
	return ksma_proof_compare(look, unit, false, unit->data, unit->data_count, NULL);
}

/* A module on its way in or out. It is complete in a moment, or gone, so that it is waited for. One that is new since the look before came after
 * this check began, and guests are busy with others all the time; one that says so for ever would hide from this check, and is a gap. */
static struct ksma_error *pass_over(struct ksma_look *look, const struct ksma_reference *reference,
				    struct ksma_moving *now, const char *name, const char *state,
				    uint64_t module, uint64_t instance)
{
	bool known = !reference->moving_known;
	struct ksma_moving_module *slot;
	uint32_t at = 0;

	/* Before it is in sysfs, and after, its loadings are only told apart by how far they are: one often lies where the one before lay. */
	if (!instance && look->kernel->off.module__state != KSMA_NO_MEMBER &&
	    ksma_kernel_u32(look->kernel, module + (uint64_t)look->kernel->off.module__state, &at))
		instance = at;
	KSMA_TRY(KSMA_ARRAY_PUSH(now, &slot));
	*slot = (struct ksma_moving_module){ module, instance };
	for (size_t i = 0; i < reference->moving.count; i++)
		known |= reference->moving.items[i].module == module &&
			 reference->moving.items[i].instance == instance;
	if (!known)
		return NULL;
	ksma_coverage_gap(look->coverage, KSMA_COVERAGE_PARTIAL,
			  "module %s is %s: its code is not compared", name, state);
	look->passing = true;
	return NULL;
}

/* Live modules are in the reference. Of those that are not, "unformed" ones have no code yet: the check of modules holds them to that. */
static struct ksma_error *pass_over_rest(struct ksma_look *look,
					 const struct ksma_reference *reference,
					 struct ksma_moving *now)
{
	const struct ksma_modules *modules;

	KSMA_TRY(ksma_module_symbols_update(look->kernel, look->coverage, &modules));
	for (size_t i = 0; i < modules->count; i++) {
		const struct ksma_module *module = &modules->items[i];

		if (strcmp(module->state, "live") != 0 && strcmp(module->state, "unformed") != 0)
			KSMA_TRY(pass_over(
				look, reference, now, module->name, module->state, module->address,
				ksma_proof_module_instance(look->kernel, module->address)));
	}
	return NULL;
}

static struct ksma_error *check_modules(struct ksma_look *look, struct ksma_reference *reference,
					struct ksma_moving *now)
{
	struct ksma_proof *proof = reference->proof;

	for (size_t i = 0; i < proof->modules.count; i++) {
		struct ksma_proof_module *m = proof->modules.items[i];

		if (m->torn || !ksma_proof_module_is_live(look->kernel, m)) {
			KSMA_TRY(pass_over(look, reference, now, m->name, "coming or going",
					   m->module, m->instance));
			continue;
		}
		if (m->mismatch) {
			KSMA_TRY(report_mismatch(look, m));
			continue;
		}
		if (!m->has_reference) {
			look->reference = "baseline";
			KSMA_TRY(ksma_look_baselined(look, m->name));
		}
		KSMA_TRY(check_module(look, reference, m));
	}
	return pass_over_rest(look, reference, now);
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct ksma_reference *reference;
	struct ksma_moving now = { 0 };
	struct ksma_error *error;

	KSMA_TRY(ksma_look_reference(look, &reference));
	KSMA_TRY(ksma_reference_modules(look, reference));
	error = check_modules(look, reference, &now);
	free(reference->moving.items);
	reference->moving = now;
	reference->moving_known = true;
	return error;
}

const struct ksma_check ksma_check_module_text = {
	.info = {
		.name = "module-text",
		.title = "Module code and constants, byte for byte",
		.attack = "T1547.006",
		.needs = "memory",
		.structures = "struct module: its areas, percpu; the module's code, constants and patch sites; static keys; ftrace records; kprobe_table",
		.why = "A module that belongs there is the best place to hide code in: it is on every list, and nobody expects anything of its bytes. Each "
		       "is linked and patched here as the kernel did it, from the vendor's file.",
		.cost = "14 ms",
		.false_alarms = "As for kernel text. What a module keeps of code that was freed after its start is not compared.",
		.todo = "Compare `expected` with `found`. A module that is not the vendor's at all is named by its build id: find out "
			"where it comes from.",
	},
	.run = run,
};
