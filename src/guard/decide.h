/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an access to a file to what becomes of it: policy, what is remembered, the contents, and who vouches for them.
 *
 * The caller knows where in the kernel the guest stands, and stops it: all vCPUs, so that nothing changes between the look and the answer.
 * What can change afterwards, before the guest uses the file, is in docs/security-analysis.md. This side knows files. Everything
 * that is read comes from a hostile guest: what does not hold together is «undecided» with a reason, and what becomes of that is the
 * operator's choice (--fail). */
#ifndef KSMA_GUARD_DECIDE_H
#define KSMA_GUARD_DECIDE_H

#include "guard/measurements.h"
#include "guard/policy.h"
#include "guard/verdicts.h"
#include "linux/lookup.h"
#include <ksma/manifest.h>

struct ksma_keys;

/* Where the pages come from that are not in the guest's memory, and a file's own signature. One thread; it may be slow, and is asked
 * while the guest stands still. */
struct ksma_disk_source {
	void *arg;
	/* Reads whole pages of a file, `count` from `index` on; behind its end come zeros.
	 * @return NULL, UNSUPPORTED (this file system is not read from disk), any other: it could not be read */
	struct ksma_error *(*read)(void *arg, const struct ksma_inode_identity *file,
				   uint64_t index, uint64_t count, uint8_t *ret_pages);
	/* Reads the attribute security.ima. @ret_length 0 when the file has none. @return as above, LIMIT when it is larger */
	struct ksma_error *(*signature)(void *arg, const struct ksma_inode_identity *file,
					uint8_t *buffer, size_t size, size_t *ret_length);
};

/* What becomes of an access. */
enum ksma_outcome {
	KSMA_OUTCOME_ALLOW,
	KSMA_OUTCOME_DENY,
	KSMA_OUTCOME_UNDECIDED, /* it could not be found out: --fail says what that means */
};

enum ksma_reason {
	/* allowed */
	KSMA_REASON_NOT_ASKED, /* no rule appraises it */
	KSMA_REASON_NO_FILE,   /* of no file: a device, a pipe, a directory */
	KSMA_REASON_MANIFEST,
	KSMA_REASON_IMA,
	KSMA_REASON_BOTH,
	/* denied */
	KSMA_REASON_NOT_LISTED, /* the manifest knows no such path */
	KSMA_REASON_NOT_A_FILE, /* the manifest says that a symbolic link is there */
	KSMA_REASON_SIZE,
	KSMA_REASON_CONTENTS,
	KSMA_REASON_DELETED, /* it has no name any more, or never had one (memfd) */
	KSMA_REASON_UNSIGNED,
	KSMA_REASON_SIGNATURE, /* of something else, damaged, or of no allowed kind */
	KSMA_REASON_UNKNOWN_KEY,
	KSMA_REASON_EXPIRED,
	KSMA_REASON_REVOKED,
	KSMA_REASON_WRITER, /* somebody has it open for writing, or mapped so */
	/* undecided */
	KSMA_REASON_UNREADABLE, /* the guest's structures make no sense */
	KSMA_REASON_INCOMPLETE, /* pages are neither in memory nor to be had from the disk */
	KSMA_REASON_TIMEOUT,
	KSMA_REASON_MANIFEST_LOST, /* the manifest could not be read, or is damaged */
	KSMA_REASON_TOO_LARGE,
	KSMA_REASONS
};

/* An access, as the kernel function that was stopped at has it. Addresses are the guest's. */
struct ksma_question {
	enum ksma_access_func func;
	unsigned mask;		 /* KSMA_MAY_…; 0: the one that goes with func */
	struct ksma_place place; /* the file's f_path and inode: ksma_question_of_file() */
	uint64_t task;		 /* struct task_struct of who accesses it; 0: not known */
	uint64_t cred;		 /* its struct cred (task->cred); 0: not known */
	uint64_t new_cred; /* with BPRM_CHECK: bprm->cred, for rules of CREDS_CHECK; 0: none */
	bool requested; /* with MMAP_CHECK: PROT_EXEC was asked for, for rules of MMAP_CHECK_REQPROT */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
};

struct ksma_decision {
	enum ksma_outcome outcome;
	enum ksma_reason reason;
	unsigned line; /* of the policy's rule that asked, 0: none did */
	bool appraised, audited, unsure;
	bool measured; /* it is a new entry of the measurement list */
	bool known; /* from an earlier verdict, with its pages looked at again, or just before, by the same exec */
	bool hashed; /* `sha256` is of the contents */
	uint8_t sha256[32];
	uint64_t pages, from_disk; /* looked at; of them on the disk */
	uint64_t cost_ns;
	char path
		[KSMA_PATH_MAX +
		 64]; /* where the file lies, as the guest's first process names it; "" when not known */
	char seen[KSMA_PATH_MAX +
		  64];	  /* the same through the mounts it was reached by, "" when no different */
	char detail[160]; /* more of the reason: "page 7", a key's name; "" */
};

/* All pointers but the policy's may be NULL; they are borrowed. */
struct ksma_decider_setup {
	struct ksma_kernel *kernel;
	const struct ksma_policy *policy;
	struct ksma_manifest *manifest; /* opened with the keys that signed it */
	const struct ksma_keys *keys;
	const struct ksma_disk_source *disk;
	struct ksma_measurements *measurements;
	size_t verdict_bytes;	/* 0: 64 MiB */
	uint64_t disk_fresh_ns; /* how old a look at pages on the disk may be; 0: ten seconds */
};

struct ksma_decider;

/* @ret_decider ended with ksma_decider_destroy() @return NULL, UNSUPPORTED (the guest's kernel has a layout that is not known), INVALID, NOMEM */
struct ksma_error *ksma_decider_create(const struct ksma_decider_setup *setup,
				       struct ksma_decider **ret_decider) KSMA_MUST_CHECK;
void ksma_decider_destroy(struct ksma_decider *decider);

/* From now on these count; every verdict of before is forgotten. With no manifest, because the keys that signed it were taken back, what only it would
 * vouch for is refused. */
void ksma_decider_trust(struct ksma_decider *decider, struct ksma_manifest *manifest,
			const struct ksma_keys *keys);

/* Fills `place` from a struct file. @return false when it cannot be read: ask all the same, the answer says so */
bool ksma_question_of_file(struct ksma_decider *decider, uint64_t file,
			   struct ksma_question *question);

/* Answers. Never fails: what goes wrong is a reason. */
void ksma_decide(struct ksma_decider *decider, const struct ksma_question *question,
		 struct ksma_decision *ret_decision);

struct ksma_verdicts_count ksma_decider_verdicts(const struct ksma_decider *decider);

/* "allow", "deny", "undecided"; "manifest", "not-listed" and so on; a sentence about it. */
const char *ksma_outcome_name(enum ksma_outcome outcome);
const char *ksma_reason_name(enum ksma_reason reason);
const char *ksma_reason_words(enum ksma_reason reason);

#endif
