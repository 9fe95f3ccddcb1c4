/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was found out about files before, so that a file that is used again is not hashed again.
 *
 * The guest chooses everything that a file is known by: number, size, times, version. None of it proves that the contents are the
 * same (docs/security-analysis.md, «A verdict that went stale», names for each of them how it is kept unchanged). So a verdict that allows
 * is remembered with a fingerprint of every page, and whoever uses it again compares the pages that are in the guest's memory now; the rest of the
 * identity only says which verdict to look for, and when to throw one away early. A verdict that denies carries no fingerprints,
 * and is believed for a short time only: it stands in the way of nobody but a file that was mended. */
#ifndef KSMA_GUARD_VERDICTS_H
#define KSMA_GUARD_VERDICTS_H

#include "base/page_mac.h"
#include "guard/policy.h"
#include "linux/page_cache.h"

/* What a verdict was asked about. Two questions that differ in any of this have nothing in common. */
struct ksma_verdict_key {
	struct ksma_inode_identity file;
	const char *path; /* where it lies; a manifest knows files by their paths. Borrowed */
	enum ksma_suffices trust;
	uint32_t hashes, signatures; /* of struct ksma_policy_verdict */
};

/* What else has to be as it was. */
struct ksma_verdict_moment {
	uint64_t now_ns;    /* CLOCK_MONOTONIC of the host */
	uint64_t epoch;	    /* counted up whenever keys, revocations or the manifest change */
	uint64_t clock_set; /* how often the guest's clock was set */
};

/* Belongs to the cache, and lives until the next call that changes it. */
struct ksma_file_verdict {
	bool allow, hashed; /* hashed: sha256 is of the contents */
	uint16_t reason;    /* enum ksma_reason of decide.h */
	uint8_t sha256[32];
	uint32_t measured; /* in which registers, a bit for each */
	uint64_t disk_ns;  /* when the pages that were not in memory were last read from the disk */
	uint64_t executed_by,
		executed_ns; /* the task whose exec last had the pages looked at, and when; 0: none */
	uint64_t pages;
	const struct ksma_page_mac *macs; /* of each page; NULL when it denies */
};

struct ksma_verdicts;

struct ksma_verdicts_count {
	uint64_t verdicts, bytes; /* now */
	uint64_t hits, misses;	  /* of ksma_verdicts_find() */
	uint64_t dropped;	  /* because of a change */
	uint64_t evicted;	  /* for lack of room */
};

enum {
	KSMA_DENIED_FOR_S = 2, /* how long a verdict that denies is believed */
	KSMA_YOUNG_S =
		2, /* a file that changed so recently may change again and still have the same times */
};

/* @param bytes  what all verdicts together may take; 64 MiB hold those of 10 GiB of files
 * @ret_verdicts ended with ksma_verdicts_destroy() */
struct ksma_error *ksma_verdicts_create(size_t bytes,
					struct ksma_verdicts **ret_verdicts) KSMA_MUST_CHECK;
void ksma_verdicts_destroy(struct ksma_verdicts *verdicts);

/* Looks for a verdict on exactly this. One on an earlier state of the same file is dropped. @return NULL when there is none */
const struct ksma_file_verdict *ksma_verdicts_find(struct ksma_verdicts *verdicts,
						   const struct ksma_verdict_key *key,
						   const struct ksma_verdict_moment *moment);

/* Whether a page is the one that the verdict was about. */
bool ksma_verdicts_page(const struct ksma_verdicts *verdicts,
			const struct ksma_file_verdict *verdict, uint64_t index,
			const uint8_t *page);

/* The fingerprint of a page, for ksma_verdicts_keep(). */
struct ksma_page_mac ksma_verdicts_mac(const struct ksma_verdicts *verdicts, const uint8_t *page);

/* Remembers a verdict, in the place of any other on the same file and path. One that is too large for the cache is not kept, which is no error.
 * Lack of memory is none either: the next use is hashed again.
 * @param macs  `verdict->pages` of them, taken over (malloc); NULL when it denies */
void ksma_verdicts_keep(struct ksma_verdicts *verdicts, const struct ksma_verdict_key *key,
			const struct ksma_verdict_moment *moment,
			const struct ksma_file_verdict *verdict, struct ksma_page_mac *macs);

/* The pages of the verdict that are not in memory were read from the disk again. */
void ksma_verdicts_refresh(struct ksma_verdicts *verdicts, const struct ksma_verdict_key *key,
			   uint64_t now_ns);

/* All of it that is in memory was looked at, for this task to execute it. */
void ksma_verdicts_executed(struct ksma_verdicts *verdicts, const struct ksma_verdict_key *key,
			    uint64_t task, uint64_t now_ns);

/* What the verdict was about was entered in a register. */
void ksma_verdicts_measured(struct ksma_verdicts *verdicts, const struct ksma_verdict_key *key,
			    unsigned pcr);

/* Forgets what is known of a file at a path; of all. */
void ksma_verdicts_drop(struct ksma_verdicts *verdicts, const struct ksma_verdict_key *key);
void ksma_verdicts_drop_all(struct ksma_verdicts *verdicts);

struct ksma_verdicts_count ksma_verdicts_count(const struct ksma_verdicts *verdicts);

/* Whether a file's times are old enough to tell a change from none; `guest_s` is the guest's wall clock. */
static inline bool ksma_is_settled(const struct ksma_inode_identity *file, int64_t guest_s)
{
	return file->ctime_s <= guest_s && guest_s - file->ctime_s >= KSMA_YOUNG_S;
}

#endif
