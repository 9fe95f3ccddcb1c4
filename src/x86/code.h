/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machine code for people to read, and where a piece of it goes on to. */
#ifndef KSMA_X86_CODE_H
#define KSMA_X86_CODE_H

#include "base/util.h"

/* Writes up to `count` instructions of code at `gva` as "endbr64; push rbp; call 0xffffffff81000000". What is no instruction is
 * "(bad)" and ends it. Always terminates; what does not fit is left out as a whole.
 * @return how many bytes the written instructions have */
size_t ksma_code_format(const uint8_t *code, size_t length, uint64_t gva, unsigned count,
			char *buffer, size_t size);

/* Writes bytes as "48 89 e5". Cut to fit; always terminates. @return buffer */
const char *ksma_code_hex(const uint8_t *code, size_t length, char *buffer, size_t size);

/* How code leaves at once for somewhere else. */
enum ksma_code_jump {
	KSMA_CODE_STAYS,
	KSMA_CODE_JUMPS,    /* to `target` */
	KSMA_CODE_INDIRECT, /* to where the eight bytes at `target` point */
};

/* Follows code from its first instruction through ENDBR, NOPs and moves of constants up to the jump that ends it: jmp TARGET,
 * jmp [rip+N], mov REG, TARGET with jmp REG, push TARGET with ret. */
enum ksma_code_jump ksma_code_follow(const uint8_t *code, size_t length, uint64_t gva,
				     uint64_t *ret_target);

#endif
