/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A policy as it lies in memory, for the reader of its text and for what asks it. */
#ifndef KSMA_GUARD_POLICY_RULES_H
#define KSMA_GUARD_POLICY_RULES_H

#include "guard/policy.h"

/* Actions; each dont_ follows its do. */
enum {
	KSMA_RULE_MEASURE = 1 << 0,
	KSMA_RULE_DONT_MEASURE = 1 << 1,
	KSMA_RULE_APPRAISE = 1 << 2,
	KSMA_RULE_DONT_APPRAISE = 1 << 3,
	KSMA_RULE_AUDIT = 1 << 4,
	KSMA_RULE_DONT_AUDIT = 1 << 5,
	KSMA_RULE_DONT_HASH =
		1 << 6, /* the guard never writes a hash into a guest: honoured by doing nothing */
	KSMA_RULE_DO = KSMA_RULE_MEASURE | KSMA_RULE_APPRAISE | KSMA_RULE_AUDIT,
};

/* Which conditions and options a rule has. */
enum {
	KSMA_HAS_FUNC = 1 << 0,
	KSMA_HAS_MASK = 1 << 1,
	KSMA_HAS_FSMAGIC = 1 << 2,
	KSMA_HAS_FSUUID = 1 << 3,
	KSMA_HAS_FSNAME = 1 << 4,
	KSMA_HAS_FS_SUBTYPE = 1 << 5,
	KSMA_HAS_UID = 1 << 6,
	KSMA_HAS_GID = 1 << 7,
	KSMA_HAS_FOWNER = 1 << 8,
	KSMA_HAS_FGROUP = 1 << 9,
	KSMA_HAS_PATH = 1 << 10,
	KSMA_HAS_APPRAISE_TYPE = 1 << 11,
	KSMA_HAS_APPRAISE_FLAG = 1 << 12,
	KSMA_HAS_APPRAISE_ALGOS = 1 << 13,
	KSMA_HAS_TRUST = 1 << 14,
	KSMA_HAS_DIRECTIO = 1 << 15,
	KSMA_HAS_PCR = 1 << 16,
	KSMA_HAS_TEMPLATE = 1 << 17,
	KSMA_HAS_DIGEST_TYPE = 1 << 18,
};

/* uid=5, uid<5, uid>5 */
struct ksma_rule_id {
	char relation;	/* '=', '<', '>' */
	bool effective; /* euid, egid */
	uint32_t id;
};

struct ksma_rule {
	unsigned line;
	unsigned action; /* one KSMA_RULE_… */
	unsigned has;	 /* KSMA_HAS_… */
	enum ksma_access_func func;
	unsigned mask;
	bool mask_any; /* ^: the access has this bit, whatever else it has */
	uint64_t fsmagic;
	uint8_t fsuuid[16];
	char *fsname, *fs_subtype, *path;
	struct ksma_rule_id uid, gid, fowner, fgroup;
	enum ksma_suffices trust;
	uint32_t hashes, signatures;
	unsigned pcr;
	enum ksma_ima_template template;
};

struct ksma_policy {
	struct ksma_rule *items;
	size_t count, capacity;
};

void ksma_rule_deinit(struct ksma_rule *rule);

#endif
