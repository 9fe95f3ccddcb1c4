/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a policy says of an access, and where the guest has to be looked at for it. */
#include "guard/glob.h"
#include "guard/policy_rules.h"

void ksma_rule_deinit(struct ksma_rule *rule)
{
	free(rule->fsname);
	free(rule->fs_subtype);
	free(rule->path);
	*rule = (struct ksma_rule){ 0 };
}

void ksma_policy_destroy(struct ksma_policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->count; i++)
		ksma_rule_deinit(&policy->items[i]);
	free(policy->items);
	free(policy);
}

bool ksma_policy_wants_signatures(const struct ksma_policy *policy)
{
	for (size_t i = 0; i < policy->count; i++)
		if (policy->items[i].action == KSMA_RULE_APPRAISE &&
		    policy->items[i].trust != KSMA_SUFFICES_MANIFEST &&
		    policy->items[i].trust != KSMA_SUFFICES_CONTENTS)
			return true;
	return false;
}

size_t ksma_policy_rules(const struct ksma_policy *policy)
{
	return policy->count;
}

const char *ksma_access_func_name(enum ksma_access_func func)
{
	static const char *const names[KSMA_FUNCS] = {
		[KSMA_FUNC_ANY] = "any",
		[KSMA_FUNC_FILE_CHECK] = "FILE_CHECK",
		[KSMA_FUNC_MMAP_CHECK] = "MMAP_CHECK",
		[KSMA_FUNC_MMAP_CHECK_REQPROT] = "MMAP_CHECK_REQPROT",
		[KSMA_FUNC_BPRM_CHECK] = "BPRM_CHECK",
		[KSMA_FUNC_CREDS_CHECK] = "CREDS_CHECK",
		[KSMA_FUNC_MODULE_CHECK] = "MODULE_CHECK",
		[KSMA_FUNC_FIRMWARE_CHECK] = "FIRMWARE_CHECK",
		[KSMA_FUNC_KEXEC_KERNEL_CHECK] = "KEXEC_KERNEL_CHECK",
		[KSMA_FUNC_KEXEC_INITRAMFS_CHECK] = "KEXEC_INITRAMFS_CHECK",
		[KSMA_FUNC_POLICY_CHECK] = "POLICY_CHECK",
	};

	return func < KSMA_FUNCS ? names[func] : "unknown";
}

const char *ksma_suffices_name(enum ksma_suffices trust)
{
	static const char *const names[] = {
		[KSMA_SUFFICES_MANIFEST] = "manifest", [KSMA_SUFFICES_CONTENTS] = "contents",
		[KSMA_SUFFICES_IMA] = "ima",	       [KSMA_SUFFICES_EITHER] = "either",
		[KSMA_SUFFICES_BOTH] = "both",
	};

	return trust < ARRAY_SIZE(names) ? names[trust] : "unknown";
}

/* security/integrity/ima/ima_main.c: what process_measurement() is called with. */
unsigned ksma_func_mask(enum ksma_access_func func)
{
	switch (func) {
	case KSMA_FUNC_ANY:
	case KSMA_FUNC_FILE_CHECK:
		return 0;
	case KSMA_FUNC_MMAP_CHECK:
	case KSMA_FUNC_MMAP_CHECK_REQPROT:
	case KSMA_FUNC_BPRM_CHECK:
	case KSMA_FUNC_CREDS_CHECK:
		return KSMA_MAY_EXEC;
	default:
		return KSMA_MAY_READ;
	}
}

/* Whether a condition is met: no, yes, or not to be known. The order is that of how much they leave open. */
enum answer { NO, UNKNOWN, YES };

static enum answer known(const struct ksma_access *access, unsigned what, bool met)
{
	if (!(access->known & what))
		return UNKNOWN;
	return met ? YES : NO;
}

static bool relates(const struct ksma_rule_id *rule, uint32_t id)
{
	switch (rule->relation) {
	case '<':
		return id < rule->id;
	case '>':
		return id > rule->id;
	default:
		return id == rule->id;
	}
}

/* Who may change to another identity at will has each of them (ima_match_rules()). */
static bool relates_to_any(const struct ksma_rule_id *rule, uint32_t real, uint32_t effective,
			   uint32_t saved, bool may_change)
{
	if (!rule->effective)
		return relates(rule, real);
	return relates(rule, effective) ||
	       (may_change && (relates(rule, saved) || relates(rule, real)));
}

static bool is_text(const char *have, const char *wanted)
{
	return have && strcmp(have, wanted) == 0;
}

static bool matches_func(const struct ksma_rule *rule, const struct ksma_access *access)
{
	if ((rule->has & KSMA_HAS_FUNC) && rule->func != access->func)
		return false;
	if (rule->has & KSMA_HAS_MASK)
		return rule->mask_any ? (rule->mask & access->mask) != 0
				      : rule->mask == access->mask;
	return true;
}

static enum answer matches_file(const struct ksma_rule *rule, const struct ksma_access *access)
{
	enum answer answer = YES;
#define ALSO(flag, what, met)                                                                      \
	do {                                                                                       \
		if (answer != NO && (rule->has & (flag))) {                                        \
			enum answer also_ =                                                        \
				known(access, what, (access->known & (what)) && (met));            \
			answer = also_ < answer ? also_ : answer;                                  \
		}                                                                                  \
	} while (0)

	ALSO(KSMA_HAS_FSMAGIC, KSMA_KNOWN_FSMAGIC, access->fsmagic == rule->fsmagic);
	ALSO(KSMA_HAS_FSUUID, KSMA_KNOWN_FSUUID, memcmp(access->fsuuid, rule->fsuuid, 16) == 0);
	ALSO(KSMA_HAS_FSNAME, KSMA_KNOWN_FSNAME, is_text(access->fsname, rule->fsname));
	ALSO(KSMA_HAS_FS_SUBTYPE, KSMA_KNOWN_FS_SUBTYPE,
	     is_text(access->fs_subtype, rule->fs_subtype));
	ALSO(KSMA_HAS_FOWNER, KSMA_KNOWN_OWNER, relates(&rule->fowner, access->fowner));
	ALSO(KSMA_HAS_FGROUP, KSMA_KNOWN_OWNER, relates(&rule->fgroup, access->fgroup));
	ALSO(KSMA_HAS_UID, KSMA_KNOWN_CREDENTIALS,
	     relates_to_any(&rule->uid, access->uid, access->euid, access->suid, access->setuid));
	ALSO(KSMA_HAS_GID, KSMA_KNOWN_CREDENTIALS,
	     relates_to_any(&rule->gid, access->gid, access->egid, access->sgid, access->setgid));
	ALSO(KSMA_HAS_PATH, KSMA_KNOWN_PATH,
	     access->path && ksma_glob_match(rule->path, access->path));
#undef ALSO
	return answer;
}

static void apply(const struct ksma_rule *rule, struct ksma_policy_verdict *verdict)
{
	switch (rule->action) {
	case KSMA_RULE_APPRAISE:
	case KSMA_RULE_DONT_APPRAISE:
		verdict->appraise = rule->action == KSMA_RULE_APPRAISE;
		verdict->appraise_line = rule->line;
		verdict->trust = rule->trust;
		verdict->hashes = rule->hashes;
		verdict->signatures = rule->signatures;
		break;
	case KSMA_RULE_MEASURE:
	case KSMA_RULE_DONT_MEASURE:
		verdict->measure = rule->action == KSMA_RULE_MEASURE;
		verdict->measure_line = rule->line;
		verdict->pcr = rule->pcr;
		verdict->template = rule->template;
		break;
	default:
		verdict->audit = rule->action == KSMA_RULE_AUDIT;
		verdict->audit_line = rule->line;
	}
}

void ksma_policy_match(const struct ksma_policy *policy, const struct ksma_access *access,
		       struct ksma_policy_verdict *ret_verdict)
{
	struct ksma_policy_verdict verdict = { 0 };
	unsigned open = KSMA_RULE_DO;

	for (size_t i = 0; open && i < policy->count; i++) {
		const struct ksma_rule *rule = &policy->items[i];
		bool asks = (rule->action & KSMA_RULE_DO) != 0;
		unsigned subject = asks ? rule->action : rule->action >> 1;
		enum answer answer;

		if (!(subject & open) || !matches_func(rule, access))
			continue;
		answer = matches_file(rule, access);
		if (answer == NO)
			continue;
		if (answer == UNKNOWN) {
			verdict.unsure = true;
			if (!asks)
				continue;
		}
		apply(rule, &verdict);
		open &= ~subject;
	}
	*ret_verdict = verdict;
}

/* What meets both: by its path or by its contents the manifest is asked either way, so the stricter of the two stays. */
static enum ksma_suffices stricter(enum ksma_suffices a, enum ksma_suffices b)
{
	bool a_manifest = a == KSMA_SUFFICES_MANIFEST || a == KSMA_SUFFICES_CONTENTS;
	bool b_manifest = b == KSMA_SUFFICES_MANIFEST || b == KSMA_SUFFICES_CONTENTS;

	if (a == b || a == KSMA_SUFFICES_BOTH || b == KSMA_SUFFICES_EITHER)
		return a;
	if (b == KSMA_SUFFICES_BOTH || a == KSMA_SUFFICES_EITHER)
		return b;
	return a_manifest && b_manifest ? KSMA_SUFFICES_MANIFEST : KSMA_SUFFICES_BOTH;
}

/* Of two sets, what is in both. 0 is any. */
static uint32_t in_both(uint32_t a, uint32_t b)
{
	if (!a || !b)
		return a | b;
	/* None of them is left: a bit that stands for nothing, for 0 would be any. */
	return a & b ? a & b : 1u << 31;
}

void ksma_policy_verdict_add(struct ksma_policy_verdict *verdict,
			     const struct ksma_policy_verdict *more)
{
	if (more->appraise && !verdict->appraise) {
		verdict->appraise = true;
		verdict->appraise_line = more->appraise_line;
		verdict->trust = more->trust;
		verdict->hashes = more->hashes;
		verdict->signatures = more->signatures;
	} else if (more->appraise) {
		verdict->trust = stricter(verdict->trust, more->trust);
		verdict->hashes = in_both(verdict->hashes, more->hashes);
		verdict->signatures = in_both(verdict->signatures, more->signatures);
	}
	if (more->measure && !verdict->measure) {
		verdict->measure = true;
		verdict->measure_line = more->measure_line;
		verdict->pcr = more->pcr;
		verdict->template = more->template;
	}
	if (more->audit && !verdict->audit) {
		verdict->audit = true;
		verdict->audit_line = more->audit_line;
	}
	verdict->unsure |= more->unsure;
}

static unsigned hooks_of(enum ksma_access_func func)
{
	switch (func) {
	case KSMA_FUNC_FILE_CHECK:
		return KSMA_HOOK_OPEN;
	case KSMA_FUNC_MMAP_CHECK:
	case KSMA_FUNC_MMAP_CHECK_REQPROT:
		return KSMA_HOOK_MMAP | KSMA_HOOK_MPROTECT;
	case KSMA_FUNC_BPRM_CHECK:
	case KSMA_FUNC_CREDS_CHECK:
		return KSMA_HOOK_EXEC;
	case KSMA_FUNC_MODULE_CHECK:
	case KSMA_FUNC_FIRMWARE_CHECK:
	case KSMA_FUNC_KEXEC_KERNEL_CHECK:
		return KSMA_HOOK_KERNEL_READ | KSMA_HOOK_KERNEL_DATA;
	default:
		return KSMA_HOOK_KERNEL_READ;
	}
}

/* A rule with no condition but where and how: after it, nothing is asked of its subject there. */
static bool settles(const struct ksma_rule *rule)
{
	const unsigned conditions = KSMA_HAS_MASK | KSMA_HAS_FSMAGIC | KSMA_HAS_FSUUID |
				    KSMA_HAS_FSNAME | KSMA_HAS_FS_SUBTYPE | KSMA_HAS_UID |
				    KSMA_HAS_GID | KSMA_HAS_FOWNER | KSMA_HAS_FGROUP |
				    KSMA_HAS_PATH;

	return !(rule->has & conditions);
}

/* Whether the kernel ever asks at `func` with what the rule's mask wants. */
static bool mask_occurs(const struct ksma_rule *rule, enum ksma_access_func func)
{
	unsigned mask = ksma_func_mask(func);

	if (!mask || !(rule->has & KSMA_HAS_MASK))
		return true;
	return rule->mask == mask;
}

static unsigned hooks_at(const struct ksma_policy *policy, enum ksma_access_func func)
{
	unsigned open = KSMA_RULE_DO;

	for (size_t i = 0; open && i < policy->count; i++) {
		const struct ksma_rule *rule = &policy->items[i];
		bool asks = (rule->action & KSMA_RULE_DO) != 0;
		unsigned subject = asks ? rule->action : rule->action >> 1;

		if (!(subject & open) || ((rule->has & KSMA_HAS_FUNC) && rule->func != func) ||
		    !mask_occurs(rule, func))
			continue;
		if (asks)
			return hooks_of(func);
		if (settles(rule))
			open &= ~subject;
	}
	return 0;
}

unsigned ksma_policy_hooks(const struct ksma_policy *policy)
{
	unsigned hooks = 0;

	for (enum ksma_access_func func = KSMA_FUNC_ANY + 1; func < KSMA_FUNCS; func++)
		hooks |= hooks_at(policy, func);
	return hooks;
}
