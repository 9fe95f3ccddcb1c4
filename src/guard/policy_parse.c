/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads a policy's text, and refuses with line and cure what cannot be honoured. */
#include <errno.h>

#include "guard/glob.h"
#include "guard/policy_rules.h"

enum { MAX_TEXT = 1 << 20, MAX_RULES = 4096, MAX_LINE = 4096 };

/* Where in the text we are, for errors. */
struct source {
	const char *name;
	unsigned line;
};

static struct ksma_error *bad(const struct source *source, const char *format, ...)
	KSMA_PRINTF(2, 3);

static struct ksma_error *bad(const struct source *source, const char *format, ...)
{
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return ksma_error_create(KSMA_ERROR_INVALID, "%s: line %u: %s", source->name, source->line,
				 what);
}

struct word {
	const char *text;
	unsigned value;
};

static const struct word *find_word(const struct word *words, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i].text, text) == 0)
			return &words[i];
	return NULL;
}
#define FIND_WORD(words, text) find_word(words, ARRAY_SIZE(words), text)

static const struct word actions[] = {
	{ "measure", KSMA_RULE_MEASURE },     { "dont_measure", KSMA_RULE_DONT_MEASURE },
	{ "appraise", KSMA_RULE_APPRAISE },   { "dont_appraise", KSMA_RULE_DONT_APPRAISE },
	{ "audit", KSMA_RULE_AUDIT },	      { "dont_audit", KSMA_RULE_DONT_AUDIT },
	{ "dont_hash", KSMA_RULE_DONT_HASH },
};

static const struct word funcs[] = {
	{ "FILE_CHECK", KSMA_FUNC_FILE_CHECK },
	{ "PATH_CHECK", KSMA_FUNC_FILE_CHECK },
	{ "MMAP_CHECK", KSMA_FUNC_MMAP_CHECK },
	{ "FILE_MMAP", KSMA_FUNC_MMAP_CHECK },
	{ "MMAP_CHECK_REQPROT", KSMA_FUNC_MMAP_CHECK_REQPROT },
	{ "BPRM_CHECK", KSMA_FUNC_BPRM_CHECK },
	{ "CREDS_CHECK", KSMA_FUNC_CREDS_CHECK },
	{ "MODULE_CHECK", KSMA_FUNC_MODULE_CHECK },
	{ "FIRMWARE_CHECK", KSMA_FUNC_FIRMWARE_CHECK },
	{ "KEXEC_KERNEL_CHECK", KSMA_FUNC_KEXEC_KERNEL_CHECK },
	{ "KEXEC_INITRAMFS_CHECK", KSMA_FUNC_KEXEC_INITRAMFS_CHECK },
	{ "POLICY_CHECK", KSMA_FUNC_POLICY_CHECK },
};

static const struct word masks[] = {
	{ "MAY_EXEC", KSMA_MAY_EXEC },
	{ "MAY_WRITE", KSMA_MAY_WRITE },
	{ "MAY_READ", KSMA_MAY_READ },
	{ "MAY_APPEND", KSMA_MAY_APPEND },
};

static const struct word trusts[] = {
	{ "manifest", KSMA_SUFFICES_MANIFEST }, { "contents", KSMA_SUFFICES_CONTENTS },
	{ "ima", KSMA_SUFFICES_IMA },		{ "either", KSMA_SUFFICES_EITHER },
	{ "both", KSMA_SUFFICES_BOTH },
};

static const struct word templates[] = {
	{ "ima-ng", KSMA_TEMPLATE_IMA_NG },
	{ "ima-sig", KSMA_TEMPLATE_IMA_SIG },
};

/* The numbers are those of include/uapi/linux/hash_info.h. */
static const struct word hashes[] = {
	{ "sha1", 2 },	 { "sha256", 4 },    { "sha384", 5 },	 { "sha512", 6 },
	{ "sha224", 7 }, { "sha3-256", 20 }, { "sha3-384", 21 }, { "sha3-512", 22 },
};

/* Words of the language that are refused, with the reason and the cure. */
static const struct {
	const char *word, *why;
} refused[] = {
	{ "hash", "writes security.ima, and nothing is ever written into a guest: use measure" },
	{ "obj_user",
	  "what security modules call a file cannot be read from outside yet: use fowner=, fsuuid= or path=" },
	{ "obj_role",
	  "what security modules call a file cannot be read from outside yet: use fowner=, fsuuid= or path=" },
	{ "obj_type",
	  "what security modules call a file cannot be read from outside yet: use fowner=, fsuuid= or path=" },
	{ "subj_user",
	  "what security modules call a process cannot be read from outside yet: use uid= or euid=" },
	{ "subj_role",
	  "what security modules call a process cannot be read from outside yet: use uid= or euid=" },
	{ "subj_type",
	  "what security modules call a process cannot be read from outside yet: use uid= or euid=" },
	{ "keyrings",
	  "belongs to KEY_CHECK, which is about keys and not about files: leave the rule out" },
	{ "label",
	  "belongs to CRITICAL_DATA, which is about the kernel's data and not about files: leave the rule out" },
};

static const struct {
	const char *word, *why;
} refused_funcs[] = {
	{ "KEXEC_CMDLINE", "is about a command line and not about a file: leave the rule out" },
	{ "KEY_CHECK", "is about keys and not about files: leave the rule out" },
	{ "CRITICAL_DATA", "is about the kernel's data and not about files: leave the rule out" },
	{ "SETXATTR_CHECK",
	  "is about writing signatures, which the guest may do: they are looked at when the file is used" },
};

/* A word of a rule: key, relation ('=', '<', '>', or 0) and value. */
struct token {
	char *key, relation, *value;
};

static struct token split(char *word)
{
	struct token token = { .key = word };
	size_t at = strcspn(word, "=<>");

	if (word[at]) {
		token.relation = word[at];
		token.value = word + at + 1;
		word[at] = 0;
	}
	return token;
}

static struct ksma_error *once(const struct source *source, struct ksma_rule *rule, unsigned flag,
			       const char *key)
{
	if (rule->has & flag)
		return bad(source, "%s is given twice", key);
	rule->has |= flag;
	return NULL;
}

/* A number with no sign and nothing after it. */
static bool take_number(const char *text, int base, uint64_t max, uint64_t *ret)
{
	const char *digits = base == 16 ? "0123456789abcdefABCDEFx" : "0123456789";
	char *end;
	unsigned long long value;

	if (!*text || text[strspn(text, digits)])
		return false;
	errno = 0;
	value = strtoull(text, &end, base);
	if (errno || *end || value > max)
		return false;
	*ret = value;
	return true;
}

static struct ksma_error *take_id(const struct source *source, const struct token *token,
				  struct ksma_rule_id *ret)
{
	uint64_t id;

	/* The last number is the kernel's «nobody at all». */
	if (!take_number(token->value, 10, UINT32_MAX - 1, &id))
		return bad(source, "%s%c%s: a number from 0 to 4294967294 is needed", token->key,
			   token->relation, token->value);
	ret->relation = token->relation;
	ret->effective = token->key[0] == 'e';
	ret->id = (uint32_t)id;
	return NULL;
}

static struct ksma_error *take_func(const struct source *source, const struct token *token,
				    struct ksma_rule *rule)
{
	const struct word *word = FIND_WORD(funcs, token->value);

	for (size_t i = 0; i < ARRAY_SIZE(refused_funcs); i++)
		if (strcmp(refused_funcs[i].word, token->value) == 0)
			return bad(source, "func=%s %s", token->value, refused_funcs[i].why);
	if (!word)
		return bad(source,
			   "func=%s: the functions are FILE_CHECK, MMAP_CHECK, BPRM_CHECK, "
			   "CREDS_CHECK, MODULE_CHECK, FIRMWARE_CHECK, KEXEC_KERNEL_CHECK, "
			   "KEXEC_INITRAMFS_CHECK, POLICY_CHECK",
			   token->value);
	rule->func = (enum ksma_access_func)word->value;
	return NULL;
}

static struct ksma_error *take_mask(const struct source *source, const struct token *token,
				    struct ksma_rule *rule)
{
	bool any = token->value[0] == '^';
	const struct word *word = FIND_WORD(masks, token->value + any);

	if (!word)
		return bad(source,
			   "mask=%s: the masks are MAY_EXEC, MAY_WRITE, MAY_READ, MAY_APPEND, "
			   "each also with ^ before it",
			   token->value);
	rule->mask = word->value;
	rule->mask_any = any;
	return NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 8-4-4-4-12 digits, the order of the bytes as written (lib/uuid.c: uuid_parse()). */
static struct ksma_error *take_uuid(const struct source *source, const struct token *token,
				    struct ksma_rule *rule)
{
	static const uint8_t zero[16];
	const char *p = token->value;
	bool good = strlen(p) == 36;

	for (size_t i = 0; good && i < 16; i++, p += 2) {
		int high, low;

		if (i == 4 || i == 6 || i == 8 || i == 10)
			good = *p++ == '-';
		high = hex_digit(p[0]);
		low = hex_digit(p[1]);
		good = good && high >= 0 && low >= 0;
		if (good)
			rule->fsuuid[i] = (uint8_t)(high << 4 | low);
	}
	if (!good)
		return bad(source,
			   "fsuuid=%s: 8-4-4-4-12 hexadecimal digits are needed, as blkid "
			   "prints them",
			   token->value);
	if (memcmp(rule->fsuuid, zero, 16) == 0)
		return bad(source,
			   "fsuuid=%s: a file system with no uuid has this one; use fsname= "
			   "or fsmagic=",
			   token->value);
	return NULL;
}

static struct ksma_error *take_path(const struct source *source, const struct token *token,
				    struct ksma_rule *rule)
{
	const char *complaint = ksma_glob_complaint(token->value);

	if (complaint)
		return bad(source, "path=%s: %s", token->value, complaint);
	return ksma_strdup(token->value, &rule->path);
}

static struct ksma_error *take_appraise_type(const struct source *source, const struct token *token,
					     struct ksma_rule *rule)
{
	if (strcmp(token->value, "imasig|modsig") == 0)
		return bad(source, "appraise_type=imasig|modsig: a module's appended signature is "
				   "not looked at; use appraise_type=imasig, or trust=manifest");
	if (strcmp(token->value, "sigv3") == 0)
		rule->signatures = KSMA_SIGNATURE_VERITY;
	else if (strcmp(token->value, "imasig") == 0)
		rule->signatures = KSMA_SIGNATURE_FILE;
	else
		return bad(source, "appraise_type=%s: the types are imasig and sigv3",
			   token->value);
	if (!(rule->has & KSMA_HAS_TRUST))
		rule->trust = KSMA_SUFFICES_IMA;
	return NULL;
}

static struct ksma_error *take_hashes(const struct source *source, const struct token *token,
				      struct ksma_rule *rule)
{
	char *rest = token->value, *name;

	while ((name = strsep(&rest, ","))) {
		const struct word *word = FIND_WORD(hashes, name);

		if (!word)
			return bad(source,
				   "appraise_algos: no algorithm \"%s\": they are sha1, "
				   "sha224, sha256, sha384, sha512, sha3-256, sha3-384, "
				   "sha3-512, separated by commas",
				   name);
		rule->hashes |= 1u << word->value;
	}
	return NULL;
}

static struct ksma_error *take_word(const struct source *source, const struct token *token,
				    const struct word *words, size_t count, const char *all,
				    unsigned *ret)
{
	const struct word *word = find_word(words, count, token->value);

	if (!word)
		return bad(source, "%s=%s: one of %s is needed", token->key, token->value, all);
	*ret = word->value;
	return NULL;
}

static struct ksma_error *take_option(const struct source *source, const struct token *token,
				      unsigned flag, struct ksma_rule *rule)
{
	uint64_t number;
	unsigned value = 0;

	switch (flag) {
	case KSMA_HAS_APPRAISE_TYPE:
		return take_appraise_type(source, token, rule);
	case KSMA_HAS_APPRAISE_ALGOS:
		return take_hashes(source, token, rule);
	case KSMA_HAS_DIGEST_TYPE:
		if (strcmp(token->value, "verity") != 0)
			return bad(source, "digest_type=%s: the type is verity", token->value);
		return NULL; /* appraise_type says the same */
	case KSMA_HAS_APPRAISE_FLAG:
		if (!strstr(token->value, "blacklist"))
			return bad(source, "appraise_flag=%s: the flag is check_blacklist",
				   token->value);
		return NULL; /* revoked keys and hashes are always refused */
	case KSMA_HAS_TRUST:
		KSMA_TRY(take_word(source, token, trusts, ARRAY_SIZE(trusts),
				   "manifest, contents, ima, either, both", &value));
		rule->trust = (enum ksma_suffices)value;
		return NULL;
	case KSMA_HAS_PCR:
		if (!take_number(token->value, 10, 23, &number))
			return bad(source, "pcr=%s: a number from 0 to 23 is needed", token->value);
		rule->pcr = (unsigned)number;
		return NULL;
	default:
		KSMA_TRY(take_word(source, token, templates, ARRAY_SIZE(templates),
				   "ima-ng, ima-sig", &value));
		rule->template = (enum ksma_ima_template)value;
		return NULL;
	}
}

static struct ksma_error *take_condition(const struct source *source, const struct token *token,
					 unsigned flag, struct ksma_rule *rule)
{
	switch (flag) {
	case KSMA_HAS_FUNC:
		return take_func(source, token, rule);
	case KSMA_HAS_MASK:
		return take_mask(source, token, rule);
	case KSMA_HAS_FSMAGIC:
		if (!take_number(token->value, 16, UINT64_MAX, &rule->fsmagic))
			return bad(source,
				   "fsmagic=%s: a hexadecimal number is needed, as stat -f "
				   "-c %%t prints it",
				   token->value);
		return NULL;
	case KSMA_HAS_FSUUID:
		return take_uuid(source, token, rule);
	case KSMA_HAS_FSNAME:
		return ksma_strdup(token->value, &rule->fsname);
	case KSMA_HAS_FS_SUBTYPE:
		return ksma_strdup(token->value, &rule->fs_subtype);
	case KSMA_HAS_UID:
		return take_id(source, token, &rule->uid);
	case KSMA_HAS_GID:
		return take_id(source, token, &rule->gid);
	case KSMA_HAS_FOWNER:
		return take_id(source, token, &rule->fowner);
	case KSMA_HAS_FGROUP:
		return take_id(source, token, &rule->fgroup);
	case KSMA_HAS_PATH:
		return take_path(source, token, rule);
	default:
		return take_option(source, token, flag, rule);
	}
}

static const struct word conditions[] = {
	{ "func", KSMA_HAS_FUNC },
	{ "mask", KSMA_HAS_MASK },
	{ "fsmagic", KSMA_HAS_FSMAGIC },
	{ "fsuuid", KSMA_HAS_FSUUID },
	{ "fsname", KSMA_HAS_FSNAME },
	{ "fs_subtype", KSMA_HAS_FS_SUBTYPE },
	{ "uid", KSMA_HAS_UID },
	{ "euid", KSMA_HAS_UID },
	{ "gid", KSMA_HAS_GID },
	{ "egid", KSMA_HAS_GID },
	{ "fowner", KSMA_HAS_FOWNER },
	{ "fgroup", KSMA_HAS_FGROUP },
	{ "path", KSMA_HAS_PATH },
	{ "appraise_type", KSMA_HAS_APPRAISE_TYPE },
	{ "appraise_flag", KSMA_HAS_APPRAISE_FLAG },
	{ "appraise_algos", KSMA_HAS_APPRAISE_ALGOS },
	{ "digest_type", KSMA_HAS_DIGEST_TYPE },
	{ "trust", KSMA_HAS_TRUST },
	{ "pcr", KSMA_HAS_PCR },
	{ "template", KSMA_HAS_TEMPLATE },
};

static bool has_order(unsigned flag)
{
	return flag == KSMA_HAS_UID || flag == KSMA_HAS_GID || flag == KSMA_HAS_FOWNER ||
	       flag == KSMA_HAS_FGROUP;
}

static struct ksma_error *take_action(const struct source *source, const char *key, unsigned action,
				      struct ksma_rule *rule)
{
	if (rule->action)
		return bad(source, "a rule has one action, %s is a second one", key);
	rule->action = action;
	return NULL;
}

static struct ksma_error *take(const struct source *source, char *text, struct ksma_rule *rule)
{
	struct token token = split(text);
	const struct word *word;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (strcmp(refused[i].word, token.key) == 0)
			return bad(source, "%s %s", token.key, refused[i].why);
	if (!token.relation) {
		word = FIND_WORD(actions, token.key);
		if (word)
			return take_action(source, token.key, word->value, rule);
		/* A file that is read past the page cache is no different from outside. */
		if (strcmp(token.key, "permit_directio") == 0)
			return once(source, rule, KSMA_HAS_DIRECTIO, token.key);
	}
	word = FIND_WORD(conditions, token.key);
	if (!word)
		return bad(source, "\"%s\" is no word of the policy language; see docs/policy.md",
			   token.key);
	if (!token.relation || !*token.value)
		return bad(source, "%s has no value", token.key);
	if (token.relation != '=' && !has_order(word->value))
		return bad(source, "%s goes with = only", token.key);
	KSMA_TRY(once(source, rule, word->value, token.key));
	return take_condition(source, &token, word->value, rule);
}

static bool wants_signature(const struct ksma_rule *rule)
{
	return rule->trust != KSMA_SUFFICES_MANIFEST && rule->trust != KSMA_SUFFICES_CONTENTS;
}

/* ima_validate_rule(), and rules that would never apply: who wrote one is not protected by it, and would not know. */
static struct ksma_error *check_rule(const struct source *source, const struct ksma_rule *rule)
{
	const unsigned of_appraise = KSMA_HAS_APPRAISE_TYPE | KSMA_HAS_APPRAISE_FLAG |
				     KSMA_HAS_APPRAISE_ALGOS | KSMA_HAS_TRUST;
	unsigned mask = rule->has & KSMA_HAS_FUNC ? ksma_func_mask(rule->func) : 0;

	if (!rule->action)
		return bad(source,
			   "the rule has no action: measure, appraise, audit, or one of them "
			   "with dont_ before it");
	if ((rule->has & KSMA_HAS_DIGEST_TYPE) && rule->action == KSMA_RULE_MEASURE)
		return bad(source,
			   "digest_type: files are measured by the hash of their bytes; leave "
			   "it out");
	if ((rule->has & of_appraise) && rule->action != KSMA_RULE_APPRAISE)
		return bad(source,
			   "appraise_type, appraise_flag, appraise_algos and trust belong to "
			   "appraise");
	if ((rule->has & (KSMA_HAS_PCR | KSMA_HAS_TEMPLATE)) && rule->action != KSMA_RULE_MEASURE)
		return bad(source, "pcr and template belong to measure");
	if ((rule->has & KSMA_HAS_DIGEST_TYPE) && rule->signatures != KSMA_SIGNATURE_VERITY)
		return bad(source, "digest_type=verity goes with appraise_type=sigv3");
	if ((rule->has & KSMA_HAS_APPRAISE_TYPE) && !wants_signature(rule))
		return bad(source,
			   "appraise_type asks for the file's own signature, and "
			   "trust=%s leaves it out: write trust=ima, either or both",
			   ksma_suffices_name(rule->trust));
	if ((rule->has & KSMA_HAS_APPRAISE_ALGOS) && !wants_signature(rule))
		return bad(source, "appraise_algos is about the file's own signature: write "
				   "appraise_type=imasig or trust=ima, either or both with it");
	if ((rule->has & KSMA_HAS_MASK) && mask && rule->mask != mask)
		return bad(source, "at %s only mask=%s occurs, so the rule would never apply",
			   ksma_access_func_name(rule->func),
			   mask == KSMA_MAY_EXEC ? "MAY_EXEC" : "MAY_READ");
	return NULL;
}

static struct ksma_error *take_rule(const struct source *source, char *line, struct ksma_rule *rule)
{
	char *rest = line, *word;

	rule->line = source->line;
	rule->pcr = 10; /* CONFIG_IMA_MEASURE_PCR_IDX, everywhere */
	rule->template = KSMA_TEMPLATE_IMA_SIG;
	while ((word = strsep(&rest, " \t\r"))) {
		if (*word == '#')
			break;
		if (*word)
			KSMA_TRY(take(source, word, rule));
	}
	return check_rule(source, rule);
}

static struct ksma_error *take_line(const struct source *source, const char *text, size_t length,
				    struct ksma_policy *policy)
{
	char line[MAX_LINE + 1];
	size_t blank = 0;
	struct ksma_rule *rule;

	if (length > MAX_LINE)
		return bad(source, "the line is longer than %d bytes", MAX_LINE);
	if (memchr(text, 0, length))
		return bad(source, "there is a zero byte: this is no text");
	memcpy(line, text, length);
	line[length] = 0;
	blank = strspn(line, " \t\r");
	if (!line[blank] || line[blank] == '#')
		return NULL;
	if (policy->count == MAX_RULES)
		return bad(source, "more than %d rules", MAX_RULES);
	KSMA_TRY(KSMA_ARRAY_PUSH(policy, &rule));
	return take_rule(source, line, rule);
}

static void policy_destroyp(struct ksma_policy **policy)
{
	ksma_policy_destroy(*policy);
}

struct ksma_error *ksma_policy_parse(const char *name, const char *text, size_t length,
				     struct ksma_policy **ret_policy)
{
	_cleanup_(policy_destroyp) struct ksma_policy *policy = calloc(1, sizeof(*policy));
	struct source source = { .name = name };

	if (!policy)
		return ksma_error_nomem();
	if (length > MAX_TEXT)
		return ksma_error_create(KSMA_ERROR_LIMIT, "%s: more than %d bytes", name,
					 MAX_TEXT);
	for (size_t at = 0; at < length;) {
		const char *end = memchr(text + at, '\n', length - at);
		size_t line = end ? (size_t)(end - text) - at : length - at;

		source.line++;
		KSMA_TRY(take_line(&source, text + at, line, policy));
		at += line + 1;
	}
	/* An empty policy would guard nothing, and look as if it did. */
	if (!ksma_policy_hooks(policy))
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "%s: no rule asks for anything: write at least one with "
					 "appraise, measure or audit",
					 name);
	*ret_policy = TAKE_PTR(policy);
	return NULL;
}

struct ksma_error *ksma_policy_open(const char *name_or_path, struct ksma_policy **ret_policy)
{
	const char *builtin = ksma_policy_builtin(name_or_path);
	_cleanup_free_ char *text = NULL;
	struct ksma_error *error;
	size_t length;

	if (builtin)
		return ksma_policy_parse(name_or_path, builtin, strlen(builtin), ret_policy);
	error = ksma_read_file(name_or_path, MAX_TEXT, &text, &length);
	if (error)
		return ksma_error_prefix(error,
					 "policy \"%s\" is none of exec, exec+modules, "
					 "all-root-reads, and no file that can be read",
					 name_or_path);
	return ksma_policy_parse(name_or_path, text, length, ret_policy);
}
