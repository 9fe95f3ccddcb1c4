/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words for what was decided, and why. */
#include "guard/decide.h"

const char *ksma_outcome_name(enum ksma_outcome outcome)
{
	static const char *const names[] = {
		[KSMA_OUTCOME_ALLOW] = "allow",
		[KSMA_OUTCOME_DENY] = "deny",
		[KSMA_OUTCOME_UNDECIDED] = "undecided",
	};

	return outcome < ARRAY_SIZE(names) ? names[outcome] : "unknown";
}

static const struct {
	const char *name, *words;
} reasons[KSMA_REASONS] = {
	[KSMA_REASON_NOT_ASKED] = { "not-asked", "no rule of the policy appraises it" },
	[KSMA_REASON_NO_FILE] = { "no-file", "it is no regular file" },
	[KSMA_REASON_MANIFEST] = { "manifest", "it is what the manifest says" },
	[KSMA_REASON_IMA] = { "ima", "its own signature fits" },
	[KSMA_REASON_BOTH] = { "both", "it is what the manifest says, and its own signature fits" },
	[KSMA_REASON_NOT_LISTED] = { "not-listed", "the manifest knows nothing of it" },
	[KSMA_REASON_NOT_A_FILE] = { "not-a-file",
				     "the manifest has a symbolic link at its place" },
	[KSMA_REASON_SIZE] = { "size", "it is of another size than the manifest says" },
	[KSMA_REASON_CONTENTS] = { "contents", "it is not what the manifest says" },
	[KSMA_REASON_DELETED] = { "deleted", "it was deleted, or exists in memory alone" },
	[KSMA_REASON_UNSIGNED] = { "unsigned", "it carries no signature" },
	[KSMA_REASON_SIGNATURE] = { "signature", "its own signature does not fit" },
	[KSMA_REASON_UNKNOWN_KEY] = { "unknown-key", "nobody who is trusted signed it" },
	[KSMA_REASON_EXPIRED] = { "expired", "the certificate of who signed it has expired" },
	[KSMA_REASON_REVOKED] = { "revoked", "it was revoked, or the key that signed it" },
	[KSMA_REASON_WRITER] = { "writer", "somebody could change it while it is used" },
	[KSMA_REASON_UNREADABLE] = { "unreadable",
				     "the guest's memory of it makes no sense, or changed" },
	[KSMA_REASON_INCOMPLETE] = { "incomplete", "parts of it are nowhere to be read" },
	[KSMA_REASON_TIMEOUT] = { "timeout", "looking at it took too long" },
	[KSMA_REASON_MANIFEST_LOST] = { "manifest-lost", "the manifest cannot be read" },
	[KSMA_REASON_TOO_LARGE] = { "too-large", "it is too large to be looked at in time" },
};

const char *ksma_reason_name(enum ksma_reason reason)
{
	return reason < KSMA_REASONS ? reasons[reason].name : "unknown";
}

const char *ksma_reason_words(enum ksma_reason reason)
{
	return reason < KSMA_REASONS ? reasons[reason].words : "unknown";
}
