/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fence around the parsers of packages: limits, a list of forbidden system calls, and Landlock where there is one. */
#include "ingest/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif

#define GIB (1ull << 30)
/* include/uapi/linux/landlock.h from 5.19; this machine's headers may be older than its kernel. */
#define ACCESS_REFER (1ull << 13)

enum { ABI_WITH_REFER = 2, X32_BIT = 0x40000000 };

static const uint32_t forbidden[] = {
#ifndef SANITIZED /* whose search for leaks traces itself */
	__NR_ptrace,
#endif
	__NR_execve,
	__NR_execveat,
	__NR_socket,
	__NR_socketpair,
	__NR_connect,
	__NR_bind,
	__NR_process_vm_readv,
	__NR_mount,
	__NR_umount2,
	__NR_process_vm_writev,
	__NR_bpf,
	__NR_userfaultfd,
	__NR_perf_event_open,
	__NR_init_module,
	__NR_finit_module,
	__NR_kexec_load,
	__NR_keyctl,
	__NR_add_key,
	__NR_unshare,
	__NR_setns,
	__NR_pidfd_open,
	__NR_pidfd_getfd,
	__NR_io_uring_setup,
};

/* On one architecture only; each forbidden call fails with EPERM. */
static struct ksma_error *forbid_calls(void)
{
	struct sock_filter program[7 + 2 * ARRAY_SIZE(forbidden)];
	struct sock_fprog filter = { .filter = program };
	unsigned short n = 0;

	program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						    offsetof(struct seccomp_data, arch));
	program[n++] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						    offsetof(struct seccomp_data, nr));
	/* the same calls by their x32 numbers */
	program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
		program[n++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, forbidden[i], 0, 1);
		program[n++] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	}
	program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	filter.len = n;
	/* A host whose kernel has no filters is no reason to fail. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0 && errno != EINVAL)
		return ksma_error_os(errno, "cannot forbid system calls");
	return NULL;
}

/* Writing is for the store alone. */
static struct ksma_error *fence_files(const char *store)
{
	const uint64_t writing = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
				 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
				 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
				 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
				 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |
				 ACCESS_REFER;
	struct landlock_ruleset_attr rules = { .handled_access_fs =
						       writing | LANDLOCK_ACCESS_FS_EXECUTE };
	struct landlock_path_beneath_attr beneath = { .allowed_access = writing };
	_cleanup_close_ int fd = -1, folder = -1;

	if (syscall(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) <
	    ABI_WITH_REFER)
		return NULL;
	fd = (int)syscall(__NR_landlock_create_ruleset, &rules, sizeof(rules), 0);
	folder = open(store, O_PATH | O_DIRECTORY | O_CLOEXEC);
	beneath.parent_fd = folder;
	if (fd < 0 || folder < 0 ||
	    syscall(__NR_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0 ||
	    syscall(__NR_landlock_restrict_self, fd, 0) < 0)
		return ksma_error_os(errno, "cannot fence in the reading of packages");
	return NULL;
}

static void limit(int resource, rlim_t value)
{
	struct rlimit l;

	if (getrlimit(resource, &l) < 0)
		return;
	if (l.rlim_max > value)
		l.rlim_max = value;
	l.rlim_cur = l.rlim_max;
	setrlimit(resource, &l);
}

struct ksma_error *ingest_confine(const char *store)
{
	/* A file that grows too large is an error that is told, not a death. */
	signal(SIGXFSZ, SIG_IGN);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, GIB);
#ifndef SANITIZED
	limit(RLIMIT_AS, 8 * GIB);
#endif
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return ksma_error_os(errno, "cannot give up privileges");
	KSMA_TRY(fence_files(store));
	return forbid_calls();
}
