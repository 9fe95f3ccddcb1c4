/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Integrity checks: a question about a guest, answered with findings and with what was covered. */
#ifndef KSMA_CHECK_H
#define KSMA_CHECK_H

#include <ksma/linux.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ksma_severity {
	KSMA_SEVERITY_INFO,
	KSMA_SEVERITY_LOW,
	KSMA_SEVERITY_MEDIUM,
	KSMA_SEVERITY_HIGH,
	KSMA_SEVERITY_CRITICAL
};

/* One fact of a finding: {"slot", "0xffffffff81e00320"}. */
struct ksma_evidence {
	char *key;
	char *value;
	bool number; /* value is a decimal number; JSON prints it without quotes */
};

struct ksma_finding {
	char *id; /* stable over looks and reboots where the thing is the same: "syscall-table/x64/59" */
	const char *check; /* name of the check */
	enum ksma_severity severity;
	char *title;	    /* one sentence */
	const char *attack; /* MITRE ATT&CK technique id */
	struct ksma_evidence *items;
	size_t count, capacity;
	unsigned looks; /* how many looks in a row saw it */
	unsigned
		persist_ms; /* for how long looks must see it: above 0 where an honest kernel passes through such a state */
	bool living; /* a kernel that patches itself is like this on its way: not judged where it stopped there */
	bool at_once; /* no honest kernel passes through this state: a second look need not wait */
	uint64_t first_seen_ns; /* CLOCK_MONOTONIC, of the first of these looks */
};

struct ksma_findings {
	struct ksma_finding *items;
	size_t count, capacity;
};

struct ksma_names {
	char **items;
	size_t count, capacity;
};

/* What a check covered. */
struct ksma_check_coverage {
	const char *check;
	const char *state; /* "complete", "partial", "unknown" */
	/* What code was held against: "vendor", the vendor's build, or "baseline", the guest's own first look, which an infection from
	 * before it is part of. NULL for checks that compare no code. */
	const char *reference;
	char *reason; /* NULL when complete */
	struct ksma_names
		baselined; /* modules that no vendor's build was found for: "baseline" holds for them, whatever `reference` says */
	uint64_t cost_us;
	uint64_t cpu_us;   /* processor time of that: a busy host takes longer, and does no more */
	uint64_t pause_us; /* guest time taken by register reads */
};

/* A finding that an operator knows about and does not want to be woken for. */
struct ksma_exception {
	char *finding; /* id of the finding; with evidence also a shell pattern of ids */
	struct ksma_evidence *items; /* all of these must be in the finding, as they are here */
	size_t count, capacity;
	char *reason;	     /* why it is all right, and who says so */
	char *expires;	     /* "2027-01-31", or with a time, "2027-01-31T12:00:00Z" */
	uint64_t expires_ns; /* the same, since the epoch: from then on it excepts nothing */
};

struct ksma_exceptions {
	struct ksma_exception *items;
	size_t count, capacity;
};

/* A finding that an exception took out of a report. */
struct ksma_excepted {
	struct ksma_finding finding;
	size_t exception; /* which one */
};

struct ksma_report {
	struct ksma_findings findings;
	struct {
		struct ksma_excepted *items;
		size_t count, capacity;
	} excepted; /* empty until ksma_exceptions_apply() */
	struct {
		struct ksma_check_coverage *items;
		size_t count, capacity;
	} coverage;
	uint64_t
		first_look_ns; /* since the epoch: when what the vendor does not prove was first looked at; 0: it was not looked at */
	char *first_look_note; /* why a first look that was kept is not used, or NULL */
};

struct ksma_more_checks;

struct ksma_check_options {
	const char *const *names; /* checks to run, NULL-terminated; NULL: all */
	bool memory_only;	  /* no registers; said in the coverage */
	bool again; /* this kernel is looked at again soon: what was read of its memory stays mapped */
	unsigned confirm_ms; /* time between the look and the second look; 0 means 20 */
	const char *vendor;  /* folder of the vendor store; NULL: ksma_vendor_default_path() */
	const char *
		baseline; /* folder in which first looks are kept from one run to the next; NULL: nowhere */
	const struct ksma_more_checks *more; /* NULL; for programs of kvm-sma */
};

/* What is said of a check in usage, docs and JSON. */
struct ksma_check_info {
	const char *name;
	const char *title;
	const char *attack;
	const char *needs;	/* "memory", "registers" */
	const char *structures; /* the guest structures it reads */
	const char *why;	/* what an attacker gains by it, one or two sentences */
	const char *
		false_alarms; /* what honest thing could look like it, and how that is told apart */
	const char *cost;     /* of a first look at a small guest, measured: "0.4 ms" */
	const char *todo; /* what to do about a finding, besides what holds for all; may be NULL */
};

size_t ksma_check_count(void);
const struct ksma_check_info *ksma_check_info(size_t index);

/* Runs checks. A finding is reported only when a second look some milliseconds later still sees it; one that an honest kernel may
 * pass through for a moment, only when it stays. What comes and goes until time is up is a gap in the coverage.
 * @ret_report freed with ksma_report_free()
 * @return NULL, INVALID (no check of that name), LOST, NOMEM; everything else is a finding or a gap in the coverage */
struct ksma_error *ksma_check_run(struct ksma_kernel *kernel,
				  const struct ksma_check_options *options,
				  struct ksma_report *ret_report) KSMA_MUST_CHECK;
void ksma_report_free(struct ksma_report *report);

/* Reads exceptions from a file: one JSON object, an array of them, or one a line, each with "finding", "reason", "expires", and
 * "evidence" where only some things under that id are excepted. Exceptions without a reason or an end are refused.
 * @ret_exceptions freed with ksma_exceptions_free(); untouched on error
 * @return NULL, OS, LIMIT, NOMEM, INVALID (names the file, the record and what is wrong with it) */
struct ksma_error *ksma_exceptions_read(const char *path,
					struct ksma_exceptions *ret_exceptions) KSMA_MUST_CHECK;
/* The same from text; `name` is what errors call it. */
struct ksma_error *ksma_exceptions_parse(const char *name, const char *text, size_t length,
					 struct ksma_exceptions *ret_exceptions) KSMA_MUST_CHECK;
void ksma_exceptions_free(struct ksma_exceptions *exceptions);

/* Moves the findings for which an exception is in force from `findings` to `excepted`.
 * @now_ns since the epoch
 * @return NULL or NOMEM; then the report is as it was for the findings not moved yet */
struct ksma_error *ksma_exceptions_apply(const struct ksma_exceptions *exceptions, uint64_t now_ns,
					 struct ksma_report *report) KSMA_MUST_CHECK;

/* True for evidence that is the same after a reboot, and so belongs into an exception: names and owners, not addresses. */
bool ksma_evidence_is_stable(const struct ksma_evidence *evidence);

const char *ksma_severity_name(enum ksma_severity severity);

#ifdef __cplusplus
}
#endif
#endif
