/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patches vendor bytes as a booting kernel patches itself: the same tables, the same order, the same encodings.
 *
 * What comes out is what the guest's memory has to hold, byte for byte; nothing is compared here, and no guest is read but
 * through a callback for the few places whose content is a variable of the kernel. Source: arch/x86/kernel/alternative.c,
 * paravirt.c, static_call.c and callthunks.c of 5.10, 6.1, 6.12 and 7.2. The tables are a vendor's, from a package: whatever
 * they say is bounded, and an entry that makes no sense is counted and left out. */
#ifndef KSMA_VENDOR_PATCH_H
#define KSMA_VENDOR_PATCH_H

#include "base/util.h"

enum {
	KSMA_PATCH_WORDS = 32, /* of x86_capability: 22 or 23, and two of bugs */
	KSMA_PATCH_PARTS = 48,
	KSMA_PATCH_LENGTH = 254, /* longest site: MAX_PATCH_LEN */
	KSMA_ENDBR_LENGTH = 4,
};

/* True for an ENDBR64, and for what the kernel writes over one that nothing jumps to. */
bool ksma_patch_is_endbr(const uint8_t code[KSMA_ENDBR_LENGTH]);

/* A run of memory as it ought to be. */
struct ksma_patch_part {
	uint64_t gva;
	uint8_t *bytes;
	size_t size;
};

/* A table of patch sites: bytes as they lie in memory after relocation, and where. */
struct ksma_patch_table {
	uint64_t gva;
	const uint8_t *bytes;
	size_t size;
};

enum ksma_patch_kind {
	KSMA_PATCH_NONE,
	KSMA_PATCH_ALTERNATIVE,
	KSMA_PATCH_PARAVIRT,
	KSMA_PATCH_RETPOLINE,
	KSMA_PATCH_RETURN,
	KSMA_PATCH_CALL,    /* call depth tracking */
	KSMA_PATCH_SEAL,    /* an ENDBR that nothing calls indirectly */
	KSMA_PATCH_LOCK,    /* a LOCK prefix, dropped on one processor */
	KSMA_PATCH_RUNTIME, /* a constant known since boot */
	KSMA_PATCH_JUMP_LABEL,
	KSMA_PATCH_STATIC_CALL,
	KSMA_PATCH_FTRACE,
	KSMA_PATCH_KPROBE,
	KSMA_PATCH_KINDS
};

/* The NOPs that a kernel writes: 5.10 knows several tables, later ones one, which grew from 8 to 11 bytes. */
enum ksma_patch_nops { KSMA_NOPS_K8, KSMA_NOPS_P6, KSMA_NOPS_11 };

/* Addresses in the patched kernel, 0 where it has no such thing. */
struct ksma_patch_symbols {
	uint64_t return_thunk;	  /* __x86_return_thunk */
	uint64_t return_target;	  /* the value of x86_return_thunk */
	uint64_t its_return;	  /* its_return_thunk */
	uint64_t indirect_thunks; /* __x86_indirect_thunk_array */
	uint64_t bug, nop;	  /* BUG_func or paravirt_BUG, nop_func or _paravirt_nop */
	uint64_t identity;	  /* _paravirt_ident_64 */
	uint64_t pv_ops;
	uint64_t return0, warn_trap, static_return;
	uint64_t native_unlock, native_preempted; /* their callee-saving thunks */
};

/* Operations that 5.10 replaces by an instruction or two whatever pv_ops holds, by their place in pv_ops; -1: there is no such. */
enum ksma_patch_operation {
	KSMA_OPERATION_SAVE_FLAGS,
	KSMA_OPERATION_RESTORE_FLAGS,
	KSMA_OPERATION_DISABLE,
	KSMA_OPERATION_ENABLE,
	KSMA_OPERATION_READ_CR2,
	KSMA_OPERATION_READ_CR3,
	KSMA_OPERATION_WRITE_CR3,
	KSMA_OPERATION_WBINVD,
	KSMA_OPERATIONS
};

struct ksma_patch {
	struct ksma_patch_part parts[KSMA_PATCH_PARTS];
	size_t part_count, last;
	uint32_t features[KSMA_PATCH_WORDS];
	enum ksma_patch_nops nops;
	size_t entry; /* size of an entry of .altinstructions; 0: found out from the first table, and kept */
	struct ksma_patch_symbols symbols;
	int32_t operations[KSMA_OPERATIONS]; /* of pv_ops, counted in pointers */
	int32_t iret;			     /* the one that is jumped to, or -1 */
	/* Reads the guest: only variables that say which encoding a site holds. */
	bool (*read)(void *arg, uint64_t gva, void *buffer, size_t size);
	/* An indirect branch may lead to a thunk made at boot (arch/x86/kernel/alternative.c, its_allocate_thunk()): its target in the
	 * guest when it is one, or 0. */
	uint64_t (*its_thunk)(void *arg, uint64_t site, size_t length, unsigned reg);
	/* True for the start of a function of the kernel's image: what a variable names otherwise is not believed. */
	bool (*is_function)(void *arg, uint64_t gva);
	void *arg;
	size_t count[KSMA_PATCH_KINDS]; /* sites that were looked at */
	size_t bad;			/* entries that make no sense */
};

/* The bytes of [gva, gva+length) when one part holds all of them, else NULL. */
uint8_t *ksma_patch_at(struct ksma_patch *p, uint64_t gva, size_t length);

bool ksma_patch_pointer(struct ksma_patch *p, uint64_t slot, uint64_t *ret_function);

bool ksma_patch_feature(const struct ksma_patch *p, unsigned feature);
bool ksma_patch_wants_return_thunk(const struct ksma_patch *p, uint64_t site);
/* Writes NOPs as the kernel would into a whole run. */
void ksma_patch_nops(const struct ksma_patch *p, uint8_t *to, size_t length);
/* The one NOP of 5 bytes that a running kernel swaps in. */
const uint8_t *ksma_patch_nop5(const struct ksma_patch *p);
/* A CALL or JMP rel32 at `site`. */
void ksma_patch_branch(uint8_t *to, uint8_t opcode, uint64_t site, uint64_t target);

void ksma_patch_retpolines(struct ksma_patch *p, const struct ksma_patch_table *table);
void ksma_patch_returns(struct ksma_patch *p, const struct ksma_patch_table *table);
void ksma_patch_alternatives(struct ksma_patch *p, const struct ksma_patch_table *table);
void ksma_patch_seals(struct ksma_patch *p, const struct ksma_patch_table *table);
/* @start, end  only the locks of this range were patched */
void ksma_patch_locks(struct ksma_patch *p, const struct ksma_patch_table *table, uint64_t start,
		      uint64_t end);
/* @inlined  5.10: short operations become instructions (native_patch()) */
void ksma_patch_paravirt(struct ksma_patch *p, const struct ksma_patch_table *table, bool inlined);
/* @shift  the last byte of a shift, else an 8-byte constant */
void ksma_patch_runtime(struct ksma_patch *p, const struct ksma_patch_table *table, uint64_t value,
			bool shift);

/* A call through a static call's trampoline or at one of its sites, as the function that it leads to says.
 * @return how many bytes of `to`, which has room for 6, were written */
size_t ksma_patch_static_call(const struct ksma_patch *p, const uint8_t *vendor, uint64_t site,
			      uint64_t function, bool tail, uint8_t *to);

/* How a table's entries name their sites. */
bool ksma_patch_table_holds(const struct ksma_patch_table *table, enum ksma_patch_kind kind,
			    uint64_t gva);

/* "alternative", "jump label": for evidence. */
const char *ksma_patch_kind_name(enum ksma_patch_kind kind);

#endif
