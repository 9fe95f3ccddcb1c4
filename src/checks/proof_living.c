/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Code that changes while it is looked at: a difference counts only when no state that the kernel shows explains it. */
#include <unistd.h>

#include "checks/proof.h"

enum {
	ROUNDS = 8,
	ROUND_US = 1000,       /* the first pause; each is longer by as much */
	MAX_DIFFERENCES = 256, /* more are not looked at again: that is no kernel at work */
	MAX_LENGTH = 64,       /* and neither is a longer one */
};

static bool fits_now(struct ksma_kernel *kernel, struct ksma_proof_unit *unit,
		     const struct ksma_proof_difference *d)
{
	size_t length = d->end - d->start;
	uint8_t found[MAX_LENGTH];
	const uint8_t *expected;

	if (length > MAX_LENGTH)
		return false;
	expected = ksma_patch_at(&unit->patch, d->start, length);
	return expected && ksma_kernel_bytes(kernel, d->start, found, length) &&
	       memcmp(found, expected, length) == 0;
}

/* Reads the state anew, writes it into the expected code, and marks what fits it (start = end). @return whether some do not */
static struct ksma_error *round_of(struct ksma_look *look, struct ksma_proof *proof,
				   struct ksma_proof_unit *unit,
				   struct ksma_proof_differences *differences, bool *ret_more)
{
	struct ksma_findings findings = { 0 };
	struct ksma_coverage coverage = { 0 };
	/* What this look has to say of the state was said. */
	struct ksma_look quiet = *look;
	struct ksma_error *error;

	quiet.findings = &findings;
	quiet.coverage = &coverage;
	KSMA_TRY(ksma_kernel_refresh(look->kernel));
	error = ksma_proof_read_state(&quiet, proof);
	if (!error)
		error = ksma_proof_update(&quiet, proof, unit);
	ksma_findings_deinit(&findings);
	ksma_coverage_deinit(&coverage);
	*ret_more = false;
	for (size_t i = 0; i < differences->count && !error; i++) {
		struct ksma_proof_difference *d = &differences->items[i];

		if (d->start == d->end)
			continue;
		if (fits_now(look->kernel, unit, d))
			d->start = d->end;
		else
			*ret_more = true;
	}
	return error;
}

/* Takes back the findings of what was explained. */
static void drop_explained(struct ksma_look *look, const struct ksma_proof_differences *differences)
{
	struct ksma_findings *findings = look->findings;
	size_t kept, k = 0;

	if (!differences->count)
		return;
	kept = differences->items[0].finding;
	for (size_t i = kept; i < findings->count; i++) {
		bool explained = false;

		if (k < differences->count && differences->items[k].finding == i) {
			explained = differences->items[k].start == differences->items[k].end;
			k++;
		}
		if (explained)
			ksma_finding_deinit(&findings->items[i]);
		else
			findings->items[kept++] = findings->items[i];
	}
	findings->count = kept;
}

static void differences_deinit(struct ksma_proof_differences *differences)
{
	free(differences->items);
}

struct ksma_error *ksma_proof_compare_code(struct ksma_look *look, struct ksma_proof *proof,
					   struct ksma_proof_unit *unit)
{
	_cleanup_(differences_deinit) struct ksma_proof_differences differences = { 0 };
	bool more;

	KSMA_TRY(ksma_proof_update(look, proof, unit));
	KSMA_TRY(ksma_proof_compare(look, unit, true, unit->text, unit->text_count, &differences));
	more = differences.count > 0 && differences.count <= MAX_DIFFERENCES &&
	       look->kernel->guest->info.kind == KSMA_GUEST_LIVE;
	for (unsigned i = 0; more && i < ROUNDS; i++) {
		usleep((i + 1) * ROUND_US);
		KSMA_TRY(round_of(look, proof, unit, &differences, &more));
	}
	drop_explained(look, &differences);
	return NULL;
}
