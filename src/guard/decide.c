/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an access to what becomes of it: the policy asks, what is remembered answers fast, an examination answers for certain. */
#include "guard/decide.h"
#include "guard/examine.h"
#include "linux/clock.h"

#define NS_PER_S 1000000000ull

enum {
	VERDICT_BYTES = 64 << 20,
	DISK_FRESH_S = 10,
	EXEC_MS =
		10, /* from the question whether a program may be executed to that whether it may be mapped */
};

struct ksma_decider {
	struct ksma_decider_setup setup;
	struct ksma_subject_reader reader;
	struct ksma_verdicts *verdicts;
	struct ksma_sha256 *sha256;
	uint64_t epoch;
	bool distrusts; /* no manifest is to be believed any more */
	/* Of the decision at hand, here because of their size. */
	struct ksma_subject subject;
	uint8_t signature[KSMA_IMA_MAX];
	size_t signature_length;
	uint32_t known_in; /* the registers that a remembered file is entered in */
	char name[2 * (KSMA_PATH_MAX + 64) + 2];
};

static void decider_destroyp(struct ksma_decider **decider)
{
	ksma_decider_destroy(*decider);
}

struct ksma_error *ksma_decider_create(const struct ksma_decider_setup *setup,
				       struct ksma_decider **ret_decider)
{
	_cleanup_(decider_destroyp) struct ksma_decider *decider = calloc(1, sizeof(*decider));

	if (!decider)
		return ksma_error_nomem();
	if (ksma_policy_wants_signatures(setup->policy) && !(setup->keys && setup->disk))
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "the policy asks for signatures of files: that needs a "
					 "folder of keys, and the guest's disks");
	decider->setup = *setup;
	if (!decider->setup.verdict_bytes)
		decider->setup.verdict_bytes = VERDICT_BYTES;
	if (!decider->setup.disk_fresh_ns)
		decider->setup.disk_fresh_ns = DISK_FRESH_S * NS_PER_S;
	KSMA_TRY(ksma_subject_reader_init(&decider->reader, setup->kernel));
	KSMA_TRY(ksma_sha256_create(&decider->sha256));
	KSMA_TRY(ksma_verdicts_create(decider->setup.verdict_bytes, &decider->verdicts));
	*ret_decider = TAKE_PTR(decider);
	return NULL;
}

void ksma_decider_destroy(struct ksma_decider *decider)
{
	if (!decider)
		return;
	ksma_verdicts_destroy(decider->verdicts);
	ksma_sha256_destroy(decider->sha256);
	free(decider);
}

void ksma_decider_trust(struct ksma_decider *decider, struct ksma_manifest *manifest,
			const struct ksma_keys *keys)
{
	decider->setup.manifest = manifest;
	decider->setup.keys = keys;
	decider->distrusts = !manifest;
	decider->epoch++;
}

struct ksma_verdicts_count ksma_decider_verdicts(const struct ksma_decider *decider)
{
	return ksma_verdicts_count(decider->verdicts);
}

bool ksma_question_of_file(struct ksma_decider *decider, uint64_t file,
			   struct ksma_question *question)
{
	struct ksma_file_facts facts;

	question->place = (struct ksma_place){ 0 };
	if (!ksma_file_read(&decider->reader.paths, file, &facts))
		return false;
	question->place = (struct ksma_place){ facts.mnt, facts.dentry, facts.inode };
	return true;
}

/* The kernel asks IMA once more for the credentials of a new program, and for what was asked for rather than given. */
static void ask_policy(struct ksma_decider *decider, const struct ksma_question *question,
		       struct ksma_policy_verdict *ret_asked)
{
	const struct ksma_policy *policy = decider->setup.policy;
	struct ksma_access access = decider->subject.access;
	struct ksma_policy_verdict more = { 0 };

	if (!access.mask)
		access.mask = ksma_func_mask(access.func);
	ksma_policy_match(policy, &access, ret_asked);
	if (question->func == KSMA_FUNC_BPRM_CHECK && question->new_cred) {
		access.func = KSMA_FUNC_CREDS_CHECK;
		ksma_subject_cred(&decider->reader, question->new_cred, &access);
	} else if (question->func == KSMA_FUNC_MMAP_CHECK && question->requested) {
		access.func = KSMA_FUNC_MMAP_CHECK_REQPROT;
	} else {
		return;
	}
	ksma_policy_match(policy, &access, &more);
	ksma_policy_verdict_add(ret_asked, &more);
}

/* The names under which a file may be known are part of the question. No name holds two slashes in a row. */
static void make_key(struct ksma_decider *decider, const struct ksma_policy_verdict *asked,
		     struct ksma_verdict_key *key)
{
	const struct ksma_subject *subject = &decider->subject;

	snprintf(decider->name, sizeof(decider->name), "%s//%s", subject->path,
		 strcmp(subject->path, subject->seen) ? subject->seen : "");
	memset(key, 0, sizeof(*key));
	key->file = subject->file;
	key->path = decider->name;
	key->trust = asked->trust;
	key->hashes = asked->hashes;
	key->signatures = asked->signatures;
}

struct moment {
	struct ksma_verdict_moment now;
	bool clock_known;
	int64_t guest_s;
};

static void read_moment(struct ksma_decider *decider, struct moment *moment)
{
	uint32_t set = 0;

	*moment = (struct moment){ .now = { .now_ns = ksma_now_ns(), .epoch = decider->epoch } };
	moment->clock_known = ksma_linux_clock_now(decider->setup.kernel, &moment->guest_s, &set);
	moment->now.clock_set = set;
}

static struct ksma_examiner examiner_of(struct ksma_decider *decider)
{
	return (struct ksma_examiner){
		.reader = &decider->reader,
		.manifest = decider->setup.manifest,
		.distrusts = decider->distrusts,
		.keys = decider->setup.keys,
		.disk = decider->setup.disk,
		.sha256 = decider->sha256,
		.verdicts = decider->verdicts,
	};
}

static void conclude(struct ksma_decision *decision, enum ksma_outcome outcome,
		     enum ksma_reason reason)
{
	decision->outcome = outcome;
	decision->reason = reason;
}

/* The kernel asks twice about a program: when it is to be executed, and a moment later when the same task maps it to that end. Nobody may open it to
 * write in between (deny_write_access). What would change it all the same can as well come right after the second question. */
static bool is_same_exec(const struct ksma_question *question,
			 const struct ksma_file_verdict *verdict, uint64_t now_ns)
{
	return question->func == KSMA_FUNC_MMAP_CHECK && question->task &&
	       verdict->executed_by == question->task &&
	       now_ns - verdict->executed_ns < EXEC_MS * UINT64_C(1000000);
}

/* @return whether what is remembered decides it */
static bool decide_again(struct ksma_decider *decider, const struct ksma_question *question,
			 const struct ksma_verdict_key *key, const struct moment *moment,
			 struct ksma_decision *decision)
{
	struct ksma_examiner examiner = examiner_of(decider);
	const struct ksma_file_verdict *verdict;
	enum ksma_again again = KSMA_AGAIN_SAME;
	bool stale, look;

	if (!moment->clock_known)
		return false;
	verdict = ksma_verdicts_find(decider->verdicts, key, &moment->now);
	if (!verdict)
		return false;
	stale = !decider->setup.disk ||
		moment->now.now_ns - verdict->disk_ns > decider->setup.disk_fresh_ns;
	look = verdict->allow && !is_same_exec(question, verdict, moment->now.now_ns);
	if (look)
		again = ksma_examine_again(&examiner, &decider->subject, verdict, stale,
					   question->deadline_ns, &decision->pages,
					   &decision->from_disk);
	if (again != KSMA_AGAIN_SAME) {
		ksma_verdicts_drop(decider->verdicts, key);
		decision->pages = decision->from_disk = 0;
		return false;
	}
	conclude(decision, verdict->allow ? KSMA_OUTCOME_ALLOW : KSMA_OUTCOME_DENY,
		 (enum ksma_reason)verdict->reason);
	decision->known = true;
	decider->known_in = verdict->measured;
	decision->hashed = verdict->hashed;
	memcpy(decision->sha256, verdict->sha256, sizeof(decision->sha256));
	if (look && stale)
		ksma_verdicts_refresh(decider->verdicts, key, moment->now.now_ns);
	if (verdict->allow && question->func == KSMA_FUNC_BPRM_CHECK)
		ksma_verdicts_executed(decider->verdicts, key, question->task, moment->now.now_ns);
	return true;
}

/* Remembers what a later use may be answered by. What has a writer, or changed just now, may change again and look the same. */
static void remember(struct ksma_decider *decider, const struct ksma_question *question,
		     const struct ksma_verdict_key *key, const struct moment *moment,
		     struct ksma_examined *examined)
{
	struct ksma_file_verdict verdict = {
		.allow = examined->outcome == KSMA_OUTCOME_ALLOW,
		.reason = (uint16_t)examined->reason,
		.hashed = examined->hashed,
		.disk_ns = moment->now.now_ns,
		.executed_by = question->func == KSMA_FUNC_BPRM_CHECK ? question->task : 0,
		.executed_ns = moment->now.now_ns,
		.pages = examined->macs ? examined->pages : 0,
	};

	if (examined->outcome == KSMA_OUTCOME_UNDECIDED || !moment->clock_known ||
	    !ksma_is_settled(&decider->subject.file, moment->guest_s) ||
	    ksma_subject_has_writers(&decider->subject))
		return;
	memcpy(verdict.sha256, examined->sha256, sizeof(verdict.sha256));
	ksma_verdicts_keep(decider->verdicts, key, &moment->now, &verdict,
			   TAKE_PTR(examined->macs));
}

static void decide_afresh(struct ksma_decider *decider, const struct ksma_question *question,
			  const struct ksma_policy_verdict *asked,
			  const struct ksma_verdict_key *key, const struct moment *moment,
			  struct ksma_decision *decision)
{
	struct ksma_examiner examiner = examiner_of(decider);
	struct ksma_examined examined;

	ksma_examine(&examiner, &decider->subject, asked, question->deadline_ns, &examined);
	/* Only in a guest that runs: what was looked at is not what it is now. */
	if (!ksma_subject_is_same(&decider->reader, &decider->subject)) {
		examined.outcome = KSMA_OUTCOME_UNDECIDED;
		examined.reason = KSMA_REASON_UNREADABLE;
	}
	conclude(decision, examined.outcome, examined.reason);
	decision->hashed = examined.hashed;
	memcpy(decision->sha256, examined.sha256, sizeof(decision->sha256));
	decision->pages = examined.pages;
	decision->from_disk = examined.from_disk;
	memcpy(decision->detail, examined.detail, sizeof(decision->detail));
	memcpy(decider->signature, examined.signature, examined.signature_length);
	decider->signature_length = examined.signature_length;
	remember(decider, question, key, moment, &examined);
	free(examined.macs);
}

static void appraise(struct ksma_decider *decider, const struct ksma_question *question,
		     const struct ksma_policy_verdict *asked, const struct ksma_verdict_key *key,
		     struct ksma_decision *decision)
{
	struct moment moment;

	decision->appraised = true;
	/* What is read may go on changing while it is read; what is executed may not. */
	if (question->func != KSMA_FUNC_FILE_CHECK && ksma_subject_has_writers(&decider->subject)) {
		conclude(decision, KSMA_OUTCOME_DENY, KSMA_REASON_WRITER);
		snprintf(decision->detail, sizeof(decision->detail),
			 "open for writing %d times, mapped so %d times",
			 decider->subject.writers > 0 ? decider->subject.writers : 0,
			 decider->subject.writable_maps > 0 ? decider->subject.writable_maps : 0);
		return;
	}
	read_moment(decider, &moment);
	if (!decide_again(decider, question, key, &moment, decision))
		decide_afresh(decider, question, asked, key, &moment, decision);
}

/* Enters the access in the list. What cannot be hashed is entered as a violation, so that its lack shows. */
static void measure(struct ksma_decider *decider, const struct ksma_question *question,
		    const struct ksma_policy_verdict *asked, const struct ksma_verdict_key *key,
		    struct ksma_decision *decision)
{
	/* What is known is entered already, unless it is for another register. */
	struct ksma_examiner examiner = examiner_of(decider);
	const struct ksma_subject *subject = &decider->subject;
	struct ksma_measurement measurement = { .pcr = asked->pcr, .template = asked->template };

	if (!decider->setup.measurements ||
	    (decision->known && decider->known_in >> asked->pcr & 1))
		return;
	if (!decision->hashed)
		decision->hashed = ksma_examine_hash(&examiner, subject, question->deadline_ns,
						     decision->sha256);
	measurement.violation = !decision->hashed || ksma_subject_has_writers(subject);
	measurement.path = *subject->path ? subject->path : "(unknown)";
	measurement.signature = decider->signature;
	measurement.signature_length = decider->signature_length;
	memcpy(measurement.sha256, decision->sha256, sizeof(measurement.sha256));
	/* What went wrong is told by ksma_measurements_trouble(). */
	ksma_error_destroy(ksma_measurements_add(decider->setup.measurements, &measurement,
						 &decision->measured));
	if (!measurement.violation)
		ksma_verdicts_measured(decider->verdicts, key, asked->pcr);
}

/* A manifest does not list what was revoked. Its hash tells, and is of use to whoever reads of the refusal. */
static void name_revoked(struct ksma_decider *decider, const struct ksma_question *question,
			 struct ksma_decision *decision)
{
	struct ksma_examiner examiner = examiner_of(decider);

	if (decision->reason != KSMA_REASON_NOT_LISTED)
		return;
	if (!decision->hashed)
		decision->hashed = ksma_examine_hash(&examiner, &decider->subject,
						     question->deadline_ns, decision->sha256);
	if (decision->hashed && decider->setup.keys &&
	    ksma_keys_file_revoked(decider->setup.keys, decision->sha256))
		decision->reason = KSMA_REASON_REVOKED;
}

static void decide_file(struct ksma_decider *decider, const struct ksma_question *question,
			struct ksma_decision *decision)
{
	struct ksma_policy_verdict asked;
	struct ksma_verdict_key key;

	snprintf(decision->path, sizeof(decision->path), "%s", decider->subject.path);
	if (strcmp(decider->subject.path, decider->subject.seen) != 0)
		snprintf(decision->seen, sizeof(decision->seen), "%s", decider->subject.seen);
	ask_policy(decider, question, &asked);
	decision->line = asked.appraise_line;
	decision->audited = asked.audit;
	decision->unsure = asked.unsure;
	conclude(decision, KSMA_OUTCOME_ALLOW, KSMA_REASON_NOT_ASKED);
	if (!asked.appraise && !asked.measure)
		return;
	decider->signature_length = 0;
	make_key(decider, &asked, &key);
	if (asked.appraise)
		appraise(decider, question, &asked, &key, decision);
	name_revoked(decider, question, decision);
	if (asked.measure)
		measure(decider, question, &asked, &key, decision);
}

void ksma_decide(struct ksma_decider *decider, const struct ksma_question *question,
		 struct ksma_decision *ret_decision)
{
	uint64_t start = ksma_now_ns();

	memset(ret_decision, 0, sizeof(*ret_decision));
	switch (ksma_subject_read(&decider->reader, question, &decider->subject)) {
	case KSMA_SUBJECT_OTHER:
		conclude(ret_decision, KSMA_OUTCOME_ALLOW, KSMA_REASON_NO_FILE);
		break;
	case KSMA_SUBJECT_UNREADABLE:
		conclude(ret_decision, KSMA_OUTCOME_UNDECIDED, KSMA_REASON_UNREADABLE);
		break;
	default:
		decide_file(decider, question, ret_decision);
	}
	ret_decision->cost_ns = ksma_now_ns() - start;
}
