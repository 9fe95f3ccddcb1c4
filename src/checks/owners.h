/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who owns a piece of kernel code: the image, a module on the list, BPF, an ftrace or kprobe trampoline, or nobody. */
#ifndef KSMA_CHECKS_OWNERS_H
#define KSMA_CHECKS_OWNERS_H

#include "base/budget.h"
#include "linux/kernel.h"

enum ksma_owner_kind {
	KSMA_OWNER_KERNEL, /* [_stext, _etext) and the image's init text while it lives */
	KSMA_OWNER_MODULE, /* code of a module on the list */
	KSMA_OWNER_BPF,	   /* a program, trampoline or dispatcher that bpf_kallsyms names */
	KSMA_OWNER_BPF_PACK, /* a pack of BPF code: programs of unprivileged users have no name in it */
	KSMA_OWNER_FTRACE,   /* an ftrace trampoline */
	KSMA_OWNER_KPROBE,   /* an instruction slot page */
	KSMA_OWNER_REALMODE, /* the real-mode trampoline in the direct map */
	KSMA_OWNER_ITS,	     /* thunks against indirect target selection */
};

struct ksma_owner {
	uint64_t start, end;
	enum ksma_owner_kind kind;
	char name[64];
};

struct ksma_owner_list {
	struct ksma_owner *items; /* sorted by start */
	size_t count, capacity;
};

struct ksma_owners {
	struct ksma_owner_list exact;  /* functions, programs, the text of modules */
	struct ksma_owner_list areas;  /* pages and packs that hold such things */
	struct ksma_coverage coverage; /* what of the owners could not be read */
};

/* Gathers the owners of all kernel code. What cannot be read is a gap in `coverage` of the result.
 * @ret_owners ended with ksma_owners_deinit() */
struct ksma_error *ksma_owners_init(struct ksma_kernel *kernel,
				    struct ksma_owners *ret_owners) KSMA_MUST_CHECK;
void ksma_owners_deinit(struct ksma_owners *owners);

/* Init code is given back, and all but text is made not executable, before the kernel says that it runs. Whatever it says, never
 * true of one that executes its init, or has run for longer than the boot may take (five minutes at 1000 Hz, more at less). */
bool ksma_owners_is_booting(struct ksma_kernel *kernel);

/* Up to where the pages of the image may be executable: its text, and all of it while the kernel is still booting. */
uint64_t ksma_owners_image_code_end(struct ksma_kernel *kernel);

/* The owner of an address, or NULL. */
const struct ksma_owner *ksma_owners_find(const struct ksma_owners *owners, uint64_t gva);

/* True when something owns a byte of the page at `gva`, which is page-aligned. */
bool ksma_owners_has_page(const struct ksma_owners *owners, uint64_t gva);

/* True when a function of the kernel or of a module on the list starts at this address (by symbol; past an ENDBR or not). */
bool ksma_owners_is_function(struct ksma_kernel *kernel, const struct ksma_owners *owners,
			     uint64_t gva);

const char *ksma_owner_kind_name(enum ksma_owner_kind kind);

#endif
