/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file that the kernel has in its own memory already: a module, firmware, an image for kexec.
 *
 * Nobody can change these bytes between the look and the use but the kernel itself, so they count, and not what the page cache has by now. */
#include "guard/memory_file.h"

#include "vendor/digest.h"

static void conclude(struct ksma_decision *d, enum ksma_outcome outcome, enum ksma_reason reason)
{
	d->outcome = outcome;
	d->reason = reason;
}

static bool hash_buffer(const struct ksma_memory_judge *judge, const struct ksma_stop *stop,
			uint8_t ret_hash[KSMA_SHA256])
{
	_cleanup_free_ uint8_t *bytes = NULL;

	if (stop->buffer_size == 0 || stop->buffer_size > KSMA_MEMORY_FILE_MAX)
		return false;
	bytes = malloc(stop->buffer_size);
	if (!bytes ||
	    !ksma_kernel_bytes(judge->kernel, stop->buffer, bytes, (size_t)stop->buffer_size))
		return false;
	ksma_sha256(judge->sha256, bytes, (size_t)stop->buffer_size, ret_hash);
	return true;
}

static void find_hash(const struct ksma_memory_judge *judge, struct ksma_decision *d)
{
	struct ksma_manifest_entry entry;
	struct ksma_error *error;
	bool found = false;

	if (judge->distrusts) {
		conclude(d, KSMA_OUTCOME_DENY, KSMA_REASON_REVOKED);
		return;
	}
	if (!judge->manifest) {
		conclude(d, KSMA_OUTCOME_UNDECIDED, KSMA_REASON_MANIFEST_LOST);
		return;
	}
	error = ksma_manifest_find_hash(judge->manifest, d->sha256, &found, &entry);
	if (error) {
		ksma_error_destroy(error);
		conclude(d, KSMA_OUTCOME_UNDECIDED, KSMA_REASON_MANIFEST_LOST);
	} else if (found) {
		conclude(d, KSMA_OUTCOME_ALLOW, KSMA_REASON_MANIFEST);
		snprintf(d->path, sizeof(d->path), "%s", entry.path);
	} else {
		conclude(d, KSMA_OUTCOME_DENY, KSMA_REASON_CONTENTS);
	}
}

/* From a program's memory: there is no path that a rule could ask for, and no owner. */
static bool is_asked(const struct ksma_memory_judge *judge, const struct ksma_stop *stop,
		     struct ksma_decision *d)
{
	const struct ksma_access access = { .func = stop->func, .mask = stop->mask };
	struct ksma_policy_verdict asked;

	ksma_policy_match(judge->policy, &access, &asked);
	d->appraised = asked.appraise;
	d->line = asked.appraise_line;
	d->unsure = asked.unsure;
	return asked.appraise;
}

void ksma_memory_file_judge(const struct ksma_memory_judge *judge, const struct ksma_stop *stop,
			    struct ksma_decision *d)
{
	uint8_t hash[KSMA_SHA256];

	if (!stop->file) {
		memset(d, 0, offsetof(struct ksma_decision, path));
		d->path[0] = d->seen[0] = d->detail[0] = 0;
		if (!is_asked(judge, stop, d)) {
			conclude(d, KSMA_OUTCOME_ALLOW, KSMA_REASON_NOT_ASKED);
			return;
		}
		snprintf(d->detail, sizeof(d->detail), "from a program's memory");
	} else if (!d->appraised || d->outcome != KSMA_OUTCOME_ALLOW || !d->hashed) {
		return;
	}
	if (!hash_buffer(judge, stop, hash)) {
		conclude(d, KSMA_OUTCOME_UNDECIDED, KSMA_REASON_UNREADABLE);
		return;
	}
	if (!stop->file) {
		memcpy(d->sha256, hash, sizeof(hash));
		d->hashed = true;
		find_hash(judge, d);
	} else if (memcmp(d->sha256, hash, sizeof(hash)) != 0) {
		memcpy(d->sha256, hash, sizeof(hash));
		conclude(d, KSMA_OUTCOME_DENY, KSMA_REASON_CONTENTS);
		snprintf(d->detail, sizeof(d->detail),
			 "the kernel has other bytes than the file by now");
	}
}
