/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's Linux kernel, understood from the guest's own memory. */
#ifndef KSMA_KERNEL_H
#define KSMA_KERNEL_H

#include <ksma/guest.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ksma_kernel;

enum { KSMA_BUILD_ID_MAX = 32 };

/* What a kernel or module says it was built as (ld --build-id). The guest's word: equal to the vendor's only when bytes are. */
struct ksma_build_id {
	uint8_t bytes[KSMA_BUILD_ID_MAX];
	size_t length; /* 0: not known */
};

struct ksma_kernel_options {
	const char *
		types; /* a BTF file, or an ELF with .BTF, for a kernel that carries none; or NULL */
	const char *
		cache_dir; /* where tables of kernels seen before lie; NULL: no cache; "" the default place */
};

struct ksma_kernel_info {
	char release[65], version[65], machine[65], nodename[65]; /* as uname gives them */
	char *banner;						  /* linux_banner */
	char *command_line;					  /* saved_command_line */
	uint64_t virtual_slide;
	uint64_t physical_base;
	unsigned paging_levels;
	bool kpti;
	bool from_registers;   /* found through a vCPU's registers, else by search */
	bool types_from_guest; /* BTF of the guest itself */
	bool cached;	       /* symbols and members came from the cache, verified byte for byte */
	size_t symbols;
	unsigned cpus;
	struct ksma_build_id build_id; /* from the kernel's own notes */
	uint64_t
		boot_time_ns; /* wall clock of boot, nanoseconds since the epoch; 0 when not known */
};

/* Finds and understands the kernel of a guest.
 *
 * @options    may be NULL: no cache, types from the guest
 * @ret_kernel owned by the caller, ended with ksma_kernel_destroy() before the guest; untouched on error
 * @return NULL, NOT_PRESENT (no Linux kernel found), UNSUPPORTED (no types: says how to get them), BAD_DATA, LOST, NOMEM */
struct ksma_error *ksma_kernel_open(struct ksma_guest *guest,
				    const struct ksma_kernel_options *options,
				    struct ksma_kernel **ret_kernel) KSMA_MUST_CHECK;
void ksma_kernel_destroy(struct ksma_kernel *kernel);
const struct ksma_kernel_info *ksma_kernel_info(const struct ksma_kernel *kernel);

/* Looks at the guest afresh: drops cached pages and translations, and notices a reboot.
 * @return NULL, or LOST when the kernel at this address is not the one that was opened: open again */
struct ksma_error *ksma_kernel_refresh(struct ksma_kernel *kernel) KSMA_MUST_CHECK;

/* Reads kernel virtual memory. @return NULL or FAULT with the first address that is not mapped */
struct ksma_error *ksma_kernel_read(struct ksma_kernel *kernel, ksma_gva gva, void *buffer,
				    size_t length) KSMA_MUST_CHECK;

/* Kernel symbol by name. @return NULL or NOT_PRESENT */
struct ksma_error *ksma_kernel_lookup(struct ksma_kernel *kernel, const char *name,
				      ksma_gva *ret_gva) KSMA_MUST_CHECK;

/* "name+0x12" ("name" where it starts), "name+0x12 [module]" or "0xffff…" for a kernel address. Always terminates. @return true when a symbol was found */
bool ksma_kernel_describe(struct ksma_kernel *kernel, ksma_gva gva, char *buffer, size_t size);

#ifdef __cplusplus
}
#endif
#endif
