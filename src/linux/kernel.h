/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's Linux kernel as data: its address space, symbols, types, and the places of the members that we read. */
#ifndef KSMA_LINUX_KERNEL_H
#define KSMA_LINUX_KERNEL_H

#include "base/budget.h"
#include "guest/guest.h"
#include <ksma/kernel.h>
#include "linux/btf.h"
#include "linux/symbols.h"
#include "x86/space.h"

/* Byte offset of a member, or KSMA_NO_MEMBER. */
enum { KSMA_NO_MEMBER = -1 };

/* The members we know, from offsets.def: kernel->off.task_struct__tasks, kernel->size.task_struct. */
struct ksma_offsets {
#define MEMBER(type, member) int32_t type##__##member;
#define NESTED(type, name, path) int32_t type##__##name;
#define SIZE(type)
#define ENUMERATOR(name)
#include "linux/offsets.def"
#undef MEMBER
#undef NESTED
#undef SIZE
#undef ENUMERATOR
};

/* Sizes of types in bytes, 0 when the kernel has no such type. */
struct ksma_sizes {
#define MEMBER(type, member)
#define NESTED(type, name, path)
#define SIZE(type) uint32_t type;
#define ENUMERATOR(name)
#include "linux/offsets.def"
#undef MEMBER
#undef NESTED
#undef SIZE
#undef ENUMERATOR
};

/* Values of enumerators, KSMA_NO_MEMBER when the kernel has none. */
struct ksma_enumerators {
#define MEMBER(type, member)
#define NESTED(type, name, path)
#define SIZE(type)
#define ENUMERATOR(name) int32_t name;
#include "linux/offsets.def"
#undef MEMBER
#undef NESTED
#undef SIZE
#undef ENUMERATOR
};

enum { KSMA_MAX_CPUS = 512 };

/* What a check remembers of this boot of this guest from one look to the next; destroyed with the kernel. */
enum ksma_memory_of {
	KSMA_MEMORY_OF_CREDENTIALS,
	KSMA_MEMORY_OF_SETTINGS,
	KSMA_MEMORY_OF_KALLSYMS,
	KSMA_MEMORY_OF_LOG,
	KSMA_MEMORIES
};

struct ksma_memory {
	void *data; /* NULL at first */
	void (*destroy)(void *data);
};

struct ksma_kernel {
	struct ksma_guest *guest; /* borrowed */
	struct ksma_space
		space; /* the kernel's own (init_top_pgt, or the kernel half of a register CR3) */
	struct ksma_symbols symbols;
	struct ksma_btf *btf; /* made on demand: use ksma_kernel_btf() */
	struct ksma_offsets off;
	struct ksma_sizes size;
	struct ksma_enumerators enums;

	bool have_registers;		 /* the register view below was read at open */
	struct ksma_registers registers; /* basic registers at open; empty in memory-only mode */
	uint64_t text, etext;		 /* _stext, _etext */
	uint64_t image, image_end;	 /* _text, _end */
	uint64_t virtual_slide;	   /* KASLR: _text minus its link address 0xffffffff81000000 */
	uint64_t physical_base;	   /* guest physical address of _text */
	uint64_t page_offset;	   /* page_offset_base: the direct map */
	uint64_t vmemmap, vmalloc; /* vmemmap_base, vmalloc_base */
	uint64_t modules_start, modules_end; /* the module area of the image mapping */
	uint64_t per_cpu[KSMA_MAX_CPUS];     /* __per_cpu_offset[] of possible CPUs, 0 beyond */
	unsigned cpus;			     /* possible CPUs (nr_cpu_ids) */
	bool cpus_left_out; /* there are more of them, or their number is not known */
	struct ksma_kernel_info info;

	struct ksma_module_symbols *module_symbols; /* made on demand: see module_symbols.h */
	struct ksma_memory memories[KSMA_MEMORIES];
	void *reference; /* of the checks: what this kernel's code is held against; ended by the next */
	void (*reference_destroy)(void *reference);
	struct ksma_kernel_priv *priv; /* of kernel.c: tables, identity */
};

/* Ends what checks remember of the kernel, so that their next look is their first. */
void ksma_kernel_forget(struct ksma_kernel *kernel);

/* The type information, decoded when first asked for (a cached kernel needs none of it for the known members).
 * @ret_btf belongs to the kernel */
struct ksma_error *ksma_kernel_btf(struct ksma_kernel *kernel,
				   const struct ksma_btf **ret_btf) KSMA_MUST_CHECK;

/* True while the tables that the symbols came from are in the guest's memory what they were when the kernel was opened.
 * @ret_gva about where they are not; @ret_unread a part of them cannot be read now, and counts as the same */
bool ksma_kernel_tables_same(struct ksma_kernel *kernel, uint64_t *ret_gva, bool *ret_unread);

/* Address of a symbol, or 0. Per-CPU symbols yield their offset: see ksma_kernel_per_cpu(). */
uint64_t ksma_kernel_symbol(const struct ksma_kernel *kernel, const char *name);

/* Address of a symbol; NOT_PRESENT names it. */
struct ksma_error *ksma_kernel_need_symbol(const struct ksma_kernel *kernel, const char *name,
					   uint64_t *ret_address) KSMA_MUST_CHECK;

/* Address of a per-CPU variable on one CPU, or 0. */
uint64_t ksma_kernel_per_cpu(const struct ksma_kernel *kernel, const char *name, unsigned cpu);

/* For how many seconds the kernel's clock has stood still with nobody to say why (no registers: paused, or another kernel runs);
 * 0 when it moves, or is known to be the one that runs. As of the last ksma_kernel_refresh(). */
uint64_t ksma_kernel_still_s(const struct ksma_kernel *kernel);

/* When a refresh last found that the kernel's clock had moved since the one before, CLOCK_MONOTONIC. */
uint64_t ksma_kernel_moved_ns(const struct ksma_kernel *kernel);

/* Has the clock stood still for a second, and QEMU hardly run since then? Then the guest is paused, or idles, and nothing writes over a kernel
 * that is no more. Known without a monitor only. */
bool ksma_kernel_rests(const struct ksma_kernel *kernel);
/* A kernel in the midst of patching itself: one of its locks for that is held. */
struct ksma_patching {
	const char *lock;
	uint64_t since_ns; /* CLOCK_MONOTONIC: since when looks have seen the same task hold it */
	bool stopped; /* the clock has stood still for seconds as well: whatever stopped it, it did so on its way */
};

/* As of now; the clock as of the last ksma_kernel_refresh(). @return false when none is held, or nobody can tell */
bool ksma_kernel_patching(struct ksma_kernel *kernel, struct ksma_patching *ret_patching);

/* True inside [_stext, _etext). */
static inline bool ksma_kernel_is_text(const struct ksma_kernel *kernel, uint64_t gva)
{
	return gva >= kernel->text && gva < kernel->etext;
}

/* UNSUPPORTED, naming the member, when a member that a reader needs is missing:
 * KSMA_TRY(KSMA_NEED(kernel, task_struct__tasks)); */
struct ksma_error *ksma_kernel_missing_member(const char *member) KSMA_MUST_CHECK;
#define KSMA_NEED(kernel, field)                                                                   \
	((kernel)->off.field == KSMA_NO_MEMBER ? ksma_kernel_missing_member(#field) : NULL)

/* Quiet reads of kernel memory, for walks: false when not mapped. */
static inline bool ksma_kernel_u64(struct ksma_kernel *kernel, uint64_t gva, uint64_t *ret)
{
	return ksma_space_try_read(&kernel->space, gva, ret, 8);
}

static inline bool ksma_kernel_u32(struct ksma_kernel *kernel, uint64_t gva, uint32_t *ret)
{
	return ksma_space_try_read(&kernel->space, gva, ret, 4);
}

static inline bool ksma_kernel_bytes(struct ksma_kernel *kernel, uint64_t gva, void *buffer,
				     size_t length)
{
	return ksma_space_try_read(&kernel->space, gva, buffer, length);
}

/* A string of at most size-1 bytes; bytes that are not printable ASCII or UTF-8 are kept: whoever prints them escapes them. */
bool ksma_kernel_string(struct ksma_kernel *kernel, uint64_t gva, char *buffer, size_t size);

/* Walks a circular doubly linked list of `struct list_head` from its head (the head itself is not reported).
 * Calls fn with the address of each entry's list_head. Checks next->prev == current at each step: a mismatch is a torn read or
 * tampering and ends the walk with BAD_DATA; LIMIT when the budget ends. fn returns false to stop early.
 * The caller decides whether to retry. */
typedef bool (*ksma_list_fn)(void *arg, uint64_t entry);
struct ksma_error *ksma_kernel_list(struct ksma_kernel *kernel, uint64_t head,
				    struct ksma_budget *budget, ksma_list_fn fn,
				    void *arg) KSMA_MUST_CHECK;

/* Walks a `struct hlist_head` in the same way: every entry names the place that points to it. */
struct ksma_error *ksma_kernel_hlist(struct ksma_kernel *kernel, uint64_t head,
				     struct ksma_budget *budget, ksma_list_fn fn,
				     void *arg) KSMA_MUST_CHECK;

/* Visits every entry of an xarray or radix tree (struct xarray at `root`): fn(arg, index, entry) for value and pointer entries;
 * internal nodes, retry and zero entries are not reported. IDRs hold their tree in idr_rt. */
typedef bool (*ksma_xarray_fn)(void *arg, uint64_t index, uint64_t entry);
struct ksma_error *ksma_kernel_xarray(struct ksma_kernel *kernel, uint64_t root,
				      struct ksma_budget *budget, ksma_xarray_fn fn,
				      void *arg) KSMA_MUST_CHECK;

/* The entry of one index of an xarray: a value or a pointer, 0 when there is none. An entry that covers several indices is found at each.
 * @return NULL, UNSUPPORTED, FAULT or BAD_DATA (the tree changed meanwhile, or was tampered with) */
struct ksma_error *ksma_kernel_xarray_load(struct ksma_kernel *kernel, uint64_t root,
					   uint64_t index, uint64_t *ret_entry) KSMA_MUST_CHECK;

/* Visits every node of a red-black tree (struct rb_root at `root`) in order, without recursion. fn gets the rb_node's address. */
struct ksma_error *ksma_kernel_rbtree(struct ksma_kernel *kernel, uint64_t root,
				      struct ksma_budget *budget, ksma_list_fn fn,
				      void *arg) KSMA_MUST_CHECK;

/* Visits every present entry of a maple tree (struct maple_tree at `root`): fn(arg, first index, entry). */
struct ksma_error *ksma_kernel_maple(struct ksma_kernel *kernel, uint64_t root,
				     struct ksma_budget *budget, ksma_xarray_fn fn,
				     void *arg) KSMA_MUST_CHECK;

#endif
