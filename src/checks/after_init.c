/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is what boot wrote and then closed still what it was, and does it lead nowhere that is nobody's? */
#include "base/bytes.h"
#include "checks/pages.h"
#include "checks/reference.h"

#define KERNEL_HALF 0xff00000000000000ull

static struct ksma_error *report(struct ksma_look *look, uint64_t place, uint64_t value)
{
	struct ksma_finding *finding;
	char where[256];

	ksma_kernel_describe(look->kernel, ksma_gva_of(place), where, sizeof(where));
	KSMA_TRY(ksma_finding_add(look, KSMA_SEVERITY_CRITICAL, &finding, "leads/%s", where));
	KSMA_TRY(ksma_finding_title(
		finding, "%s, set at boot, leads to code that is no function of anybody", where));
	KSMA_TRY(ksma_finding_address(look, finding, "place", place));
	return ksma_finding_code(look, finding, "found", value);
}

/* Where memory for modules begins is kept here as well (execmem_info, since 6.10): a page there that is nobody's is told by the check of modules. */
static bool leads_somewhere(struct ksma_look *look, uint64_t value)
{
	const struct ksma_kernel *kernel = look->kernel;

	if (value >= kernel->modules_start && value < kernel->modules_end &&
	    !(value & (KSMA_PAGE_SIZE - 1)))
		return true;
	return ksma_owners_is_function(look->kernel, look->owners, value);
}

/* A word that boot wrote has no vendor, but where it leads to code, that has an owner and begins there. */
static struct ksma_error *check_words(struct ksma_look *look, struct ksma_proof_unit *unit,
				      const struct ksma_proof_range *range)
{
	const struct ksma_pages *pages;

	KSMA_TRY(ksma_look_pages(look, &pages));
	for (uint64_t place = ksma_align_up(range->gva, 8); place + 8 <= range->gva + range->size;
	     place += 8) {
		const uint8_t *word = ksma_patch_at(&unit->patch, place, 8);
		uint64_t value = word ? ksma_le64(word) : 0;

		if (value >= KERNEL_HALF && ksma_pages_is_code(pages, value) &&
		    !leads_somewhere(look, value))
			KSMA_TRY(report(look, place, value));
	}
	return NULL;
}

static struct ksma_error *check_unit(struct ksma_look *look, struct ksma_proof_unit *unit)
{
	for (size_t i = 0; i < unit->late_count; i++)
		KSMA_TRY(check_words(look, unit, &unit->late[i]));
	return ksma_proof_compare(look, unit, false, unit->late, unit->late_count, NULL);
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct ksma_reference *reference;
	struct ksma_proof *proof;

	KSMA_TRY(ksma_look_reference(look, &reference));
	KSMA_TRY(ksma_reference_modules(look, reference));
	proof = reference->proof;
	KSMA_TRY(check_unit(look, &proof->unit));
	for (size_t i = 0; i < proof->modules.count; i++)
		KSMA_TRY(check_unit(look, &proof->modules.items[i]->unit));
	look->reference = "baseline";
	return NULL;
}

const struct ksma_check ksma_check_after_init = {
	.info = {
		.name = "after-init",
		.title = "Data that boot sets and closes",
		.attack = "T1014",
		.needs = "memory",
		.structures = "__start_ro_after_init to __end_ro_after_init of the image, .data..ro_after_init of each module",
		.why = "Boot leaves pointers, limits and switches here that decide what the kernel does: static calls, page protections, security hooks, mitigations. No "
		       "code may write to them any more, so whoever does went around the page tables.",
		.cost = "1 ms",
		.false_alarms = "What boot does not change is held against the vendor's build; what it writes, against the first look after boot, word by word, "
				"and the coverage says baseline. No honest code can write there later.",
		.todo = "Compare `expected` with `found`; the symbol says what the changed word decides.",
	},
	.run = run,
};
