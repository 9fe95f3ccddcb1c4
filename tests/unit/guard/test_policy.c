/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Policies: what a text may say, what it then says of an access, and where the guest is looked at for it. */
#include "unit.h"

#include "fail_alloc.h"
#include "guard/policy.h"

static struct ksma_error *parse(const char *text, struct ksma_policy **ret)
{
	return ksma_policy_parse("file", text, strlen(text), ret);
}

static struct ksma_policy *policy_of(const char *text)
{
	struct ksma_policy *policy = NULL;

	assert_ok(parse(text, &policy));
	return policy;
}

/* A program that root executes, from an ext4 file system. */
static struct ksma_access an_exec(void)
{
	return (struct ksma_access){
		.func = KSMA_FUNC_BPRM_CHECK,
		.mask = KSMA_MAY_EXEC,
		.known = KSMA_KNOWN_ALL,
		.fsmagic = 0xef53,
		.fsuuid = { 0x8b, 0xcb, 0xe3, 0x94, 0x4f, 0x13, 0x41, 0x44, 0xbe, 0x8e, 0x5a, 0xa9,
			    0xea, 0x2c, 0xe2, 0xf6 },
		.fsname = "ext4",
		.path = "/usr/bin/true",
	};
}

static struct ksma_policy_verdict ask(const char *text, const struct ksma_access *access)
{
	struct ksma_policy *policy = policy_of(text);
	struct ksma_policy_verdict verdict;

	ksma_policy_match(policy, access, &verdict);
	ksma_policy_destroy(policy);
	return verdict;
}

static bool appraises(const char *text, const struct ksma_access *access)
{
	return ask(text, access).appraise;
}

static void test_text(void **state)
{
	struct ksma_policy *policy;

	(void)state;
	policy = policy_of("# a comment\n\n \t appraise\tfunc=BPRM_CHECK  # why\r\n"
			   "fowner=0 dont_measure\nmeasure");
	assert_int_equal(ksma_policy_rules(policy), 3);
	ksma_policy_destroy(policy);
	ksma_policy_destroy(NULL);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "no rule asks for anything" },
		{ "dont_appraise\n", "no rule asks for anything" },
		{ "dont_appraise\nappraise func=BPRM_CHECK", "no rule asks for anything" },
		{ "func=BPRM_CHECK", "line 1: the rule has no action" },
		{ "\n\nappraise measure", "line 3: a rule has one action" },
		{ "appraise func=BPRM_CHECK func=BPRM_CHECK", "func is given twice" },
		{ "appraise uid=0 euid=0", "euid is given twice" },
		{ "appraise func=BRPM_CHECK", "func=BRPM_CHECK: the functions are" },
		{ "appraise func", "func has no value" },
		{ "appraise func=", "func has no value" },
		{ "appraise func<BPRM_CHECK", "func goes with = only" },
		{ "appraise mask=MAY_EXECUTE", "the masks are" },
		{ "appraise mask=^", "the masks are" },
		{ "appraise func=MMAP_CHECK mask=MAY_READ", "the rule would never apply" },
		{ "measure func=MODULE_CHECK mask=^MAY_EXEC", "only mask=MAY_READ occurs" },
		{ "appraise fsmagic=ext4", "a hexadecimal number" },
		{ "appraise fsmagic=-1", "a hexadecimal number" },
		{ "appraise fsmagic=11111111111111111", "a hexadecimal number" },
		{ "appraise fsuuid=8bcbe394-4f13-4144-be8e-5aa9ea2ce2f", "8-4-4-4-12" },
		{ "appraise fsuuid=8bcbe394x4f13-4144-be8e-5aa9ea2ce2f6", "8-4-4-4-12" },
		{ "appraise fsuuid=8bcbe394-4f13-4144-be8e-5aa9ea2ce2g6", "8-4-4-4-12" },
		{ "appraise fsuuid=00000000-0000-0000-0000-000000000000", "no uuid" },
		{ "appraise uid=root", "uid=root: a number" },
		{ "appraise uid=4294967295", "a number from 0 to 4294967294" },
		{ "appraise uid=99999999999999999999", "a number from 0" },
		{ "appraise fowner>-1", "fowner>-1: a number" },
		{ "appraise path=usr", "a pattern begins with" },
		{ "appraise path=/a\\", "ends with a backslash" },
		{ "appraise trust=all", "one of manifest, contents, ima, either, both" },
		{ "measure trust=ima", "belong to appraise" },
		{ "appraise appraise_type=imasig trust=manifest", "leaves it out" },
		{ "appraise appraise_type=imasig digest_type=verity",
		  "goes with appraise_type=sigv3" },
		{ "appraise digest_type=verity", "goes with appraise_type=sigv3" },
		{ "appraise appraise_type=sigv3 digest_type=ima", "the type is verity" },
		{ "measure digest_type=verity", "leave it out" },
		{ "appraise appraise_type=imasig|modsig", "appended signature" },
		{ "appraise appraise_type=meta_immutable", "the types are imasig and sigv3" },
		{ "appraise appraise_algos=sha256", "appraise_algos is about" },
		{ "appraise trust=ima appraise_algos=sha256,md5", "no algorithm \"md5\"" },
		{ "appraise trust=ima appraise_algos=sha256,", "no algorithm \"\"" },
		{ "appraise appraise_flag=x", "check_blacklist" },
		{ "appraise pcr=10", "belong to measure" },
		{ "measure pcr=24", "from 0 to 23" },
		{ "measure template=ima", "one of ima-ng, ima-sig" },
		{ "hash func=BPRM_CHECK", "use measure" },
		{ "appraise obj_type=bin_t", "use fowner=" },
		{ "appraise subj_user=root", "use uid=" },
		{ "measure func=KEY_CHECK keyrings=.ima", "is about keys" },
		{ "measure func=CRITICAL_DATA label=selinux", "kernel's data" },
		{ "appraise func=SETXATTR_CHECK appraise_algos=sha256", "writing signatures" },
		{ "measure func=KEXEC_CMDLINE", "a command line" },
		{ "appraise if=1", "\"if\" is no word" },
		{ "dont_appraise permit_directio permit_directio", "given twice" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ksma_policy *policy = NULL;

		assert_error_says(parse(cases[i].text, &policy), KSMA_ERROR_INVALID, cases[i].says);
		assert_null(policy);
	}
}

static void test_limits(void **state)
{
	static char text[(1 << 20) + 2];
	struct ksma_policy *policy = NULL;

	(void)state;
	assert_error_says(ksma_policy_parse("file", "measure\0", 8, &policy), KSMA_ERROR_INVALID,
			  "zero byte");
	memset(text, '#', sizeof(text));
	assert_error(ksma_policy_parse("file", text, sizeof(text), &policy), KSMA_ERROR_LIMIT);
	assert_error_says(ksma_policy_parse("file", text, 5000, &policy), KSMA_ERROR_INVALID,
			  "longer than 4096");
	for (size_t i = 0; i + 8 <= sizeof(text); i += 8)
		memcpy(text + i, "measure\n", 8);
	assert_error_says(ksma_policy_parse("file", text, (size_t)4097 * 8, &policy),
			  KSMA_ERROR_INVALID, "line 4097: more than 4096 rules");
	assert_ok(ksma_policy_parse("file", text, (size_t)4096 * 8, &policy));
	ksma_policy_destroy(policy);
}

static void test_first_match_wins(void **state)
{
	struct ksma_access access = an_exec();
	struct ksma_policy_verdict v;

	(void)state;
	v = ask("dont_appraise path=/usr/bin/*\nappraise func=BPRM_CHECK\nmeasure pcr=11 "
		"template=ima-ng\ndont_measure\naudit",
		&access);
	assert_false(v.appraise);
	assert_int_equal(v.appraise_line, 1);
	assert_true(v.measure);
	assert_int_equal(v.measure_line, 3);
	assert_int_equal(v.pcr, 11);
	assert_int_equal(v.template, KSMA_TEMPLATE_IMA_NG);
	assert_true(v.audit);
	assert_false(v.unsure);
	access.path = "/usr/sbin/x";
	v = ask("dont_appraise path=/usr/bin/*\nappraise func=BPRM_CHECK trust=both "
		"appraise_algos=sha256,sha512\nappraise",
		&access);
	assert_true(v.appraise);
	assert_int_equal(v.appraise_line, 2);
	assert_int_equal(v.trust, KSMA_SUFFICES_BOTH);
	assert_int_equal(v.hashes, 1 << 4 | 1 << 6);
	assert_int_equal(v.signatures, 0);
	assert_false(v.measure || v.audit);
	v = ask("appraise appraise_type=sigv3 digest_type=verity", &access);
	assert_int_equal(v.trust, KSMA_SUFFICES_IMA);
	assert_int_equal(v.signatures, KSMA_SIGNATURE_VERITY);
	v = ask("appraise appraise_type=imasig trust=either", &access);
	assert_int_equal(v.trust, KSMA_SUFFICES_EITHER);
	assert_int_equal(v.signatures, KSMA_SIGNATURE_FILE);
	v = ask("appraise func=MODULE_CHECK", &access);
	assert_false(v.appraise);
	assert_int_equal(v.appraise_line, 0);
}

static void test_conditions(void **state)
{
	struct ksma_access access = an_exec();

	(void)state;
	access.uid = 1000;
	access.euid = 0;
	access.suid = 7;
	access.gid = access.egid = access.sgid = 50;
	access.fowner = 3;
	access.fgroup = 4;
	assert_true(appraises("appraise uid=1000", &access));
	assert_false(appraises("appraise uid=0", &access));
	assert_true(appraises("appraise uid>999", &access));
	assert_false(appraises("appraise uid>1000", &access));
	assert_true(appraises("appraise uid<1001", &access));
	assert_false(appraises("appraise uid<1000", &access));
	assert_true(appraises("appraise euid=0", &access));
	assert_false(appraises("appraise euid=7", &access));
	access.setuid = true;
	assert_true(appraises("appraise euid=7", &access));
	assert_true(appraises("appraise euid=1000", &access));
	assert_false(appraises("appraise uid=7", &access));
	assert_true(appraises("appraise egid>49", &access));
	assert_false(appraises("appraise gid<50", &access));
	assert_true(appraises("appraise fowner=3 fgroup=4", &access));
	assert_false(appraises("appraise fowner=3 fgroup>4", &access));
	assert_true(appraises("appraise fsmagic=0xEF53", &access));
	assert_true(appraises("appraise fsmagic=ef53", &access));
	assert_false(appraises("appraise fsmagic=9fa0", &access));
	assert_true(appraises("appraise fsuuid=8BCBE394-4f13-4144-be8e-5aa9ea2ce2f6", &access));
	assert_false(appraises("appraise fsuuid=8bcbe394-4f13-4144-be8e-5aa9ea2ce2f7", &access));
	assert_true(appraises("appraise fsname=ext4", &access));
	assert_false(appraises("appraise fsname=ext", &access));
	assert_false(appraises("appraise fs_subtype=sshfs", &access));
	access.fs_subtype = "sshfs";
	assert_true(appraises("appraise fs_subtype=sshfs", &access));
	assert_true(appraises("appraise path=/usr/**", &access));
	assert_false(appraises("appraise path=/opt/**", &access));
	assert_true(
		appraises("appraise func=BPRM_CHECK fsname=ext4 uid=1000 path=**/true", &access));
}

static void test_mask(void **state)
{
	struct ksma_access access = an_exec();

	(void)state;
	access.func = KSMA_FUNC_FILE_CHECK;
	access.mask = KSMA_MAY_READ | KSMA_MAY_WRITE;
	assert_false(appraises("appraise func=FILE_CHECK mask=MAY_READ", &access));
	assert_true(appraises("appraise func=PATH_CHECK mask=^MAY_READ", &access));
	assert_false(appraises("appraise mask=^MAY_EXEC", &access));
	access.mask = KSMA_MAY_READ;
	assert_true(appraises("appraise func=FILE_CHECK mask=MAY_READ", &access));
}

/* What could not be read never makes a policy ask for less. */
static void test_unknown(void **state)
{
	static const struct {
		unsigned lacks;
		const char *condition;
	} cases[] = {
		{ KSMA_KNOWN_CREDENTIALS, "uid=5" },
		{ KSMA_KNOWN_CREDENTIALS, "egid<0" },
		{ KSMA_KNOWN_OWNER, "fowner=5" },
		{ KSMA_KNOWN_OWNER, "fgroup=5" },
		{ KSMA_KNOWN_FSMAGIC, "fsmagic=1" },
		{ KSMA_KNOWN_FSNAME, "fsname=x" },
		{ KSMA_KNOWN_FS_SUBTYPE, "fs_subtype=x" },
		{ KSMA_KNOWN_PATH, "path=/x" },
		{ KSMA_KNOWN_FSUUID, "fsuuid=8bcbe394-4f13-4144-be8e-5aa9ea2ce200" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ksma_access access = an_exec();
		struct ksma_policy_verdict v;
		char text[128];

		snprintf(text, sizeof(text), "dont_appraise %s\nappraise\n", cases[i].condition);
		v = ask(text, &access);
		assert_int_equal(v.appraise_line, 2);
		assert_false(v.unsure);
		access.known &= ~cases[i].lacks;
		v = ask(text, &access);
		assert_true(v.appraise && v.unsure);
		assert_int_equal(v.appraise_line, 2);
		snprintf(text, sizeof(text), "appraise %s\n", cases[i].condition);
		v = ask(text, &access);
		assert_true(v.appraise && v.unsure);
		/* One condition that is surely not met decides, whatever the others are. */
		snprintf(text, sizeof(text), "appraise func=MODULE_CHECK %s\n", cases[i].condition);
		v = ask(text, &access);
		assert_false(v.appraise || v.unsure);
	}
}

static unsigned hooks(const char *text)
{
	struct ksma_policy *policy = policy_of(text);
	unsigned found = ksma_policy_hooks(policy);

	ksma_policy_destroy(policy);
	return found;
}

static void test_hooks(void **state)
{
	const unsigned kernel = KSMA_HOOK_KERNEL_READ | KSMA_HOOK_KERNEL_DATA;
	const unsigned map = KSMA_HOOK_MMAP | KSMA_HOOK_MPROTECT;

	(void)state;
	assert_int_equal(hooks("appraise func=BPRM_CHECK"), KSMA_HOOK_EXEC);
	assert_int_equal(hooks("appraise func=CREDS_CHECK uid=0"), KSMA_HOOK_EXEC);
	assert_int_equal(hooks("measure func=FILE_MMAP"), map);
	assert_int_equal(hooks("audit func=FILE_CHECK mask=MAY_READ"), KSMA_HOOK_OPEN);
	assert_int_equal(hooks("appraise func=MODULE_CHECK"), kernel);
	assert_int_equal(hooks("appraise func=POLICY_CHECK"), KSMA_HOOK_KERNEL_READ);
	assert_int_equal(hooks("appraise fowner=0"),
			 KSMA_HOOK_EXEC | map | kernel | KSMA_HOOK_OPEN);
	assert_int_equal(hooks("appraise mask=MAY_EXEC"), KSMA_HOOK_EXEC | map | KSMA_HOOK_OPEN);
	assert_int_equal(hooks("appraise mask=MAY_WRITE"), KSMA_HOOK_OPEN);
	/* What a rule has settled is not looked at for those behind it. */
	assert_int_equal(hooks("dont_appraise func=FILE_CHECK\nappraise fowner=0"),
			 KSMA_HOOK_EXEC | map | kernel);
	assert_int_equal(hooks("dont_appraise func=FILE_CHECK uid=0\nappraise func=FILE_CHECK"),
			 KSMA_HOOK_OPEN);
	assert_int_equal(hooks("dont_appraise func=FILE_CHECK\nmeasure func=FILE_CHECK"),
			 KSMA_HOOK_OPEN);
}

static void test_builtin(void **state)
{
	const unsigned exec = KSMA_HOOK_EXEC | KSMA_HOOK_MMAP | KSMA_HOOK_MPROTECT;
	const unsigned kernel = KSMA_HOOK_KERNEL_READ | KSMA_HOOK_KERNEL_DATA;
	static const char *const names[] = { "exec", "exec+modules", "all-root-reads" };
	const unsigned expected[] = { exec, exec | kernel, exec | kernel | KSMA_HOOK_OPEN };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct ksma_access access = an_exec();
		struct ksma_policy_verdict v;
		struct ksma_policy *policy;

		assert_ok(ksma_policy_open(names[i], &policy));
		assert_int_equal(ksma_policy_hooks(policy), expected[i]);
		ksma_policy_match(policy, &access, &v);
		assert_true(v.appraise && v.measure);
		access.func = KSMA_FUNC_MODULE_CHECK;
		access.mask = KSMA_MAY_READ;
		ksma_policy_match(policy, &access, &v);
		assert_int_equal(v.appraise, i >= 1);
		access.func = KSMA_FUNC_FILE_CHECK;
		ksma_policy_match(policy, &access, &v);
		assert_int_equal(v.appraise, i >= 2);
		access.fsmagic = 0x9fa0;
		ksma_policy_match(policy, &access, &v);
		assert_false(v.appraise || v.measure);
		/* A program in a tmpfs, or in memory alone, is appraised like any other. */
		access = an_exec();
		access.fsmagic = 0x01021994;
		ksma_policy_match(policy, &access, &v);
		assert_true(v.appraise);
		ksma_policy_destroy(policy);
	}
	assert_null(ksma_policy_builtin("none"));
}

static void test_open(void **state)
{
	char path[] = "/tmp/ksma-policy-XXXXXX";
	struct ksma_policy *policy = NULL;
	_cleanup_close_ int fd = mkstemp(path);

	(void)state;
	assert_error_says(ksma_policy_open("/nowhere/at/all", &policy), KSMA_ERROR_OS,
			  "none of exec, exec+modules, all-root-reads");
	assert_int_equal(write(fd, "appraise\n", 9), 9);
	assert_ok(ksma_policy_open(path, &policy));
	ksma_policy_destroy(policy);
	unlink(path);
}

static struct ksma_error *parse_all(void *state)
{
	struct ksma_policy *policy = NULL;
	struct ksma_error *error = parse(
		"appraise fsname=ext4 fs_subtype=x path=/**\nmeasure\naudit path=/x\n", &policy);

	(void)state;
	if (error)
		assert_null(policy);
	ksma_policy_destroy(policy);
	return error;
}

static void test_without_memory(void **state)
{
	(void)state;
	assert_true(fail_alloc_each(parse_all, NULL, FAIL_ALLOC_STRICT) > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	       cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),	       cmocka_unit_test(test_first_match_wins),
		cmocka_unit_test(test_conditions),     cmocka_unit_test(test_mask),
		cmocka_unit_test(test_unknown),	       cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_builtin),	       cmocka_unit_test(test_open),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
