/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The policies that we bring. */
#include "guard/policy.h"

#define EXEC_RULES                                                                                 \
	"# What is executed, and what is mapped to be executed.\n"                                 \
	"appraise func=BPRM_CHECK\n"                                                               \
	"appraise func=MMAP_CHECK mask=MAY_EXEC\n"                                                 \
	"measure func=BPRM_CHECK\n"                                                                \
	"measure func=MMAP_CHECK mask=MAY_EXEC\n"

#define KERNEL_RULES                                                                               \
	"# What the kernel takes in by itself.\n"                                                  \
	"appraise func=MODULE_CHECK\n"                                                             \
	"appraise func=FIRMWARE_CHECK\n"                                                           \
	"appraise func=KEXEC_KERNEL_CHECK\n"                                                       \
	"appraise func=KEXEC_INITRAMFS_CHECK\n"                                                    \
	"appraise func=POLICY_CHECK\n"                                                             \
	"measure func=MODULE_CHECK\n"                                                              \
	"measure func=FIRMWARE_CHECK\n"                                                            \
	"measure func=KEXEC_KERNEL_CHECK\n"                                                        \
	"measure func=KEXEC_INITRAMFS_CHECK\n"                                                     \
	"measure func=POLICY_CHECK\n"

/* Files that the kernel makes up when they are read hold nothing that could have been signed. */
#define MADE_UP(action)                                                                            \
	action " func=FILE_CHECK fsmagic=0x9fa0 # proc\n" action                                   \
	       " func=FILE_CHECK fsmagic=0x62656572 # sysfs\n" action                              \
	       " func=FILE_CHECK fsmagic=0x64626720 # debugfs\n" action                            \
	       " func=FILE_CHECK fsmagic=0x74726163 # tracefs\n" action                            \
	       " func=FILE_CHECK fsmagic=0x01021994 # tmpfs\n" action                              \
	       " func=FILE_CHECK fsmagic=0x1cd1 # devpts\n" action                                 \
	       " func=FILE_CHECK fsmagic=0x42494e4d # binfmt_misc\n" action                        \
	       " func=FILE_CHECK fsmagic=0x73636673 # securityfs\n" action                         \
	       " func=FILE_CHECK fsmagic=0xf97cff8c # selinuxfs\n" action                          \
	       " func=FILE_CHECK fsmagic=0x43415d53 # smackfs\n" action                            \
	       " func=FILE_CHECK fsmagic=0x27e0eb # cgroup\n" action                               \
	       " func=FILE_CHECK fsmagic=0x63677270 # cgroup2\n" action                            \
	       " func=FILE_CHECK fsmagic=0x6e736673 # nsfs\n" action                               \
	       " func=FILE_CHECK fsmagic=0xde5e81e4 # efivarfs\n" action                           \
	       " func=FILE_CHECK fsmagic=0x6165676c # pstore\n" action                             \
	       " func=FILE_CHECK fsmagic=0xcafe4a11 # bpf\n" action                                \
	       " func=FILE_CHECK fsmagic=0x62656570 # configfs\n" action                           \
	       " func=FILE_CHECK fsmagic=0x19800202 # mqueue\n"

#define READ_RULES                                                                                 \
	"# What root reads.\n" MADE_UP("dont_appraise")                                            \
		MADE_UP("dont_measure") "appraise func=FILE_CHECK mask=^MAY_READ uid=0\n"          \
					"appraise func=FILE_CHECK mask=^MAY_READ euid=0\n"         \
					"measure func=FILE_CHECK mask=^MAY_READ uid=0\n"           \
					"measure func=FILE_CHECK mask=^MAY_READ euid=0\n"

const char *ksma_policy_builtin(const char *name)
{
	static const struct {
		const char *name, *text;
	} policies[] = {
		{ "exec", EXEC_RULES },
		{ "exec+modules", EXEC_RULES KERNEL_RULES },
		{ "all-root-reads", EXEC_RULES KERNEL_RULES READ_RULES },
	};

	for (size_t i = 0; i < ARRAY_SIZE(policies); i++)
		if (strcmp(policies[i].name, name) == 0)
			return policies[i].text;
	return NULL;
}
