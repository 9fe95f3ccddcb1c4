/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which accesses to files are appraised or measured: rules in the language of the kernel's IMA, and the rules that we bring.
 *
 * The language is that of security/integrity/ima/ima_policy.c up to 7.2 (Documentation/ABI/testing/ima_policy), with two words of
 * ours, path= and trust=. For each of measure, appraise and audit the first rule that matches decides, as in the kernel. A rule
 * that the guard cannot honour is refused when the policy is read, with its line and what to write instead; docs/policy.md lists
 * them. Who writes the policy is the operator; what it is matched with comes from the guest. */
#ifndef KSMA_GUARD_POLICY_H
#define KSMA_GUARD_POLICY_H

#include "base/util.h"

/* What is being done with the file; each is the place in the kernel from which IMA asks (enum ima_hooks). */
enum ksma_access_func {
	KSMA_FUNC_ANY,		      /* of a rule only: it names no func */
	KSMA_FUNC_FILE_CHECK,	      /* it was opened */
	KSMA_FUNC_MMAP_CHECK,	      /* it is mapped, and may be executed from there */
	KSMA_FUNC_MMAP_CHECK_REQPROT, /* the same, when the program itself asked for PROT_EXEC */
	KSMA_FUNC_BPRM_CHECK,  /* it is executed, with the credentials of who called execve */
	KSMA_FUNC_CREDS_CHECK, /* the same with the credentials that the new program gets */
	KSMA_FUNC_MODULE_CHECK,
	KSMA_FUNC_FIRMWARE_CHECK,
	KSMA_FUNC_KEXEC_KERNEL_CHECK,
	KSMA_FUNC_KEXEC_INITRAMFS_CHECK,
	KSMA_FUNC_POLICY_CHECK, /* the guest's own IMA policy, loaded by path */
	KSMA_FUNCS
};

/* As in the kernel's include/linux/fs.h. */
enum {
	KSMA_MAY_EXEC = 1,
	KSMA_MAY_WRITE = 2,
	KSMA_MAY_READ = 4,
	KSMA_MAY_APPEND = 8,
};

/* Which of the members of an access could be read. What is asked of one that could not counts as met in a rule that asks for
 * more (appraise, measure, audit), and as not met in one that asks for less (dont_…). */
enum {
	KSMA_KNOWN_CREDENTIALS = 1 << 0, /* uid … setgid */
	KSMA_KNOWN_OWNER = 1 << 1,	 /* fowner, fgroup */
	KSMA_KNOWN_FSMAGIC = 1 << 2,
	KSMA_KNOWN_FSUUID = 1 << 3,
	KSMA_KNOWN_FSNAME = 1 << 4,
	KSMA_KNOWN_FS_SUBTYPE = 1 << 5,
	KSMA_KNOWN_PATH = 1 << 6,
	KSMA_KNOWN_ALL = (1 << 7) - 1,
};

/* One access to a file. Strings are borrowed, and are the guest's. */
struct ksma_access {
	enum ksma_access_func func;		   /* never ANY */
	unsigned mask;				   /* KSMA_MAY_… */
	unsigned known;				   /* KSMA_KNOWN_… */
	uint32_t uid, euid, suid, gid, egid, sgid; /* as the initial user namespace numbers them */
	bool setuid, setgid;			   /* CAP_SETUID, CAP_SETGID are effective */
	uint32_t fowner, fgroup;		   /* of the inode */
	uint64_t fsmagic;
	uint8_t fsuuid[16];	/* super_block s_uuid; all zero when the file system has none */
	const char *fsname;	/* "ext4" */
	const char *fs_subtype; /* NULL: it has none */
	const char *path; /* where the file lies, from the root of the guest's first process */
};

/* What makes a file one that is as it ought to be. */
enum ksma_suffices {
	KSMA_SUFFICES_MANIFEST, /* the signed manifest says so of its path */
	KSMA_SUFFICES_CONTENTS, /* the signed manifest knows the contents, whatever the path */
	KSMA_SUFFICES_IMA,	/* its own security.ima signature says so */
	KSMA_SUFFICES_EITHER,
	KSMA_SUFFICES_BOTH,
};

enum ksma_ima_template { KSMA_TEMPLATE_IMA_NG, KSMA_TEMPLATE_IMA_SIG };

/* Hash algorithms of security.ima, as include/uapi/linux/hash_info.h numbers them: bit 1 << number. */
enum { KSMA_IMA_HASHES = 23 };

/* Kinds of signatures that security.ima may hold: bits, 0 is any. */
enum {
	KSMA_SIGNATURE_FILE = 1 << 0,	/* of the file's hash: imasig, version 2 */
	KSMA_SIGNATURE_VERITY = 1 << 1, /* of its fs-verity digest: sigv3 */
};

/* What is to be done about an access. Lines are those of the policy's text, 0 where no rule spoke. */
struct ksma_policy_verdict {
	bool appraise, measure, audit;
	unsigned appraise_line, measure_line, audit_line;
	bool unsure; /* a rule was applied, or passed over, because something could not be read */
	enum ksma_suffices trust; /* of appraise */
	uint32_t hashes;	  /* of appraise: what security.ima may be hashed with; 0 is any */
	uint32_t signatures;	  /* of appraise: KSMA_SIGNATURE_…; 0 is any */
	unsigned pcr;		  /* of measure */
	enum ksma_ima_template template; /* of measure */
};

/* Where the guest has to be looked at. */
enum {
	KSMA_HOOK_EXEC = 1 << 0, /* security_bprm_check: BPRM_CHECK, CREDS_CHECK */
	KSMA_HOOK_MMAP = 1 << 1, /* security_mmap_file: MMAP_CHECK */
	KSMA_HOOK_MPROTECT =
		1 << 2, /* security_file_mprotect: a mapping that becomes executable later */
	KSMA_HOOK_KERNEL_READ =
		1
		<< 3, /* security_kernel_read_file and _post_read_file: what the kernel reads by itself */
	KSMA_HOOK_KERNEL_DATA =
		1
		<< 4, /* security_kernel_load_data: the same with no file, from a program's memory */
	KSMA_HOOK_OPEN = 1 << 5, /* ima_file_check or security_file_post_open: FILE_CHECK */
};

struct ksma_policy;

/* Reads a policy of `length` bytes; `name` is for errors. Rules may use any credential, file system or path condition of the
 * language. INVALID names the line and the cure; LIMIT when it is longer than any policy. @ret_policy ended with
 * ksma_policy_destroy() */
struct ksma_error *ksma_policy_parse(const char *name, const char *text, size_t length,
				     struct ksma_policy **ret_policy) KSMA_MUST_CHECK;

/* The same from a file, or one that we bring: "exec", "exec+modules", "all-root-reads". A file of such a name is opened by a path
 * with a slash: ./exec. */
struct ksma_error *ksma_policy_open(const char *name_or_path,
				    struct ksma_policy **ret_policy) KSMA_MUST_CHECK;
void ksma_policy_destroy(struct ksma_policy *policy);

/* The text of a policy that we bring, or NULL. */
const char *ksma_policy_builtin(const char *name);

/* Decides what is to be done about an access. Never fails and never calls anything: it is asked while the guest stands still. */
void ksma_policy_match(const struct ksma_policy *policy, const struct ksma_access *access,
		       struct ksma_policy_verdict *ret_verdict);

/* The mask with which the kernel asks at `func`, or 0 where it varies. */
unsigned ksma_func_mask(enum ksma_access_func func);

/* Adds what a second question about the same access gave. Where both ask, the first rule's demands stay, unless they differ: then
 * all of them have to be met. */
void ksma_policy_verdict_add(struct ksma_policy_verdict *verdict,
			     const struct ksma_policy_verdict *more);

/* KSMA_HOOK_… that cover the policy, and no more. */
unsigned ksma_policy_hooks(const struct ksma_policy *policy);

/* Whether a rule asks for the files' own signatures. */
bool ksma_policy_wants_signatures(const struct ksma_policy *policy);

size_t ksma_policy_rules(const struct ksma_policy *policy);

/* "BPRM_CHECK" and so on; "manifest" and so on. */
const char *ksma_access_func_name(enum ksma_access_func func);
const char *ksma_suffices_name(enum ksma_suffices trust);

#endif
