/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is hooked into the kernel by its own means: whose function it leads to, and what it may do there.
 *
 * The policy that all checks of tracing share is decision 220. */
#ifndef KSMA_CHECKS_HOOKS_H
#define KSMA_CHECKS_HOOKS_H

#include "checks/check.h"

/* Whose function a hook leads to. */
enum ksma_hook_target {
	KSMA_HOOK_NONE,	   /* NULL */
	KSMA_HOOK_KERNEL,  /* the start of a function of the kernel */
	KSMA_HOOK_MODULE,  /* of a module on the list */
	KSMA_HOOK_BPF,	   /* a BPF program or trampoline that the kernel names */
	KSMA_HOOK_UNKNOWN, /* of a module whose symbols could not be read: a gap was recorded */
	KSMA_HOOK_STRAY,   /* code of somebody, but no function starts there */
	KSMA_HOOK_NOBODY,  /* code of nobody: a hidden module, or no module at all */
};

enum ksma_hook_target ksma_hook_target(struct ksma_look *look, uint64_t function);

/* What is said of one hook. */
struct ksma_hook {
	const char *id;	  /* after "check/", the same at each boot */
	const char *what; /* "the pre_handler of a kprobe on tcp4_seq_show" */
	uint64_t place;	  /* of the pointer, or of the struct that holds it */
	uint64_t function;
};

/* Reports a hook that leads to code of nobody, or into the middle of code, as critical.
 * @ret_finding may be NULL; NULL when there is nothing to report, else for more evidence */
struct ksma_error *ksma_hook_check(struct ksma_look *look, const struct ksma_hook *hook,
				   struct ksma_finding **ret_finding) KSMA_MUST_CHECK;

/* The same for the pointer at `offset` of an object: none when this kernel has no such member, or the object went away.
 * @ret_target may be NULL */
struct ksma_error *ksma_hook_member(struct ksma_look *look, uint64_t object, int32_t offset,
				    const char *id, const char *what,
				    enum ksma_hook_target *ret_target) KSMA_MUST_CHECK;

/* A module on the list that has itself called where it tells: see the table of decision 220.
 * @id after "check/module/MODULE/" */
struct ksma_error *ksma_hook_of_module(struct ksma_look *look, enum ksma_severity severity,
				       const char *id, const char *what, uint64_t function,
				       struct ksma_finding **ret_finding) KSMA_MUST_CHECK;

/* True where changing a function changes what the tools of the guest are told, or who may do what. */
bool ksma_hook_is_sensitive(const char *function);

/* The function at an address, without offset and module; "0x…" when it has no name. @return buffer */
const char *ksma_hook_name(struct ksma_kernel *kernel, uint64_t gva, char *buffer, size_t size);

#endif
