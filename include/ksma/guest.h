/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One guest seen from outside: a live QEMU process or a memory dump, as physical memory and registers. */
#ifndef KSMA_GUEST_H
#define KSMA_GUEST_H

#include <ksma/error.h>
#include <ksma/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ksma_guest;

enum ksma_guest_kind {
	KSMA_GUEST_LIVE,       /* a running QEMU */
	KSMA_GUEST_DUMP_ELF,   /* dump-guest-memory, ELF */
	KSMA_GUEST_DUMP_KDUMP, /* dump-guest-memory, kdump-compressed */
	KSMA_GUEST_DUMP_RAW,   /* bytes from physical address 0 */
};

/* How guest memory is reached. */
enum ksma_ram_access {
	KSMA_RAM_MAPPED, /* a shared mapping: reading is a memcpy */
	KSMA_RAM_COPIED, /* process_vm_readv or a compressed dump: pages are copied through a cache */
};

/* How the physical layout was learned; in falling order of trust. */
enum ksma_layout_source {
	KSMA_LAYOUT_MONITOR, /* QMP told us */
	KSMA_LAYOUT_COMMAND_LINE, /* derived from the command line and /proc/PID/maps, to be verified through page tables */
	KSMA_LAYOUT_FILE, /* the dump's own headers */
};

/* One run of guest RAM. */
struct ksma_ram_region {
	uint64_t gpa;
	uint64_t size;
	const uint8_t
		*map; /* host mapping of the whole region, or NULL when pages must be copied */
	uint64_t hva; /* address in QEMU (live), else 0 */
	uint64_t file_offset; /* offset in its backing file */
	int fd;		      /* backing file for hole detection, or -1 */
};

/* One vCPU's state. Values not known are 0 and their `has_` flag is false. */
struct ksma_segment {
	uint64_t base;
	uint32_t limit;
	uint16_t selector;
	uint32_t flags;
};

struct ksma_vcpu {
	unsigned index;
	bool has_general; /* rip..r15, rflags */
	bool has_msrs;	  /* star, lstar, cstar, fmask, sysenter_*, kernel_gs_base */
	bool has_debug;	  /* dr */
	bool halted;
	uint64_t gpr[16]; /* rax rcx rdx rbx rsp rbp rsi rdi r8..r15, in encoding order */
	uint64_t rip, rflags;
	uint64_t cr0, cr2, cr3, cr4, efer;
	uint64_t dr[8];
	struct ksma_segment es, cs, ss, ds, fs, gs, ldt, tr, gdt,
		idt; /* gdt and idt use base and limit only */
	uint64_t star, lstar, cstar, fmask;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t kernel_gs_base;
};

/* The registers of all vCPUs at one moment. Freed with ksma_registers_free(). */
struct ksma_registers {
	struct ksma_vcpu *vcpus;
	size_t count;
	uint64_t pause_us; /* how long the guest was paused or kicked for it, as far as known */
};

enum {
	KSMA_REGISTERS_BASIC = 0, /* `info registers`: a kick of each vCPU */
	KSMA_REGISTERS_MSRS = 1,  /* with MSRs: the device state, a pause of a few milliseconds */
};

struct ksma_guest_options {
	bool memory_only; /* never touch the monitor: no registers, layout from the command line */
	const char *
		monitor; /* a QMP unix socket to use instead of those on the command line, or NULL */
	unsigned monitor_timeout_ms; /* 0 means 2000 */
};

/* What is known of the guest without looking inside. Strings belong to the guest object. */
struct ksma_guest_info {
	enum ksma_guest_kind kind;
	const char *name;	 /* may be "" */
	const char *uuid;	 /* may be "" */
	const char *path;	 /* dump file, or the QEMU binary */
	const char *machine;	 /* may be "" */
	const char *accelerator; /* "kvm", "tcg", or "" */
	int pid;		 /* -1 for a dump */
	uint64_t ram_bytes;
	size_t vcpus; /* 0 when not known */
	enum ksma_ram_access access;
	enum ksma_layout_source layout;
	const char *monitor;	     /* the monitor in use, or "" */
	const char *monitor_problem; /* why there is none, or "" */
};

/* Opens a guest.
 *
 * `spec` is a name, a UUID, a QEMU pid, or the path of a memory dump. A name that fits several guests is an error that lists them.
 *
 * @options     may be NULL
 * @ret_guest   owned by the caller, ended with ksma_guest_destroy(); untouched on error
 * @return NULL, or NOT_PRESENT, INVALID (ambiguous), PERMISSION, BAD_DATA, UNSUPPORTED, LOST (it has exited or migrated), OS, NOMEM
 */
struct ksma_error *ksma_guest_open(const char *spec, const struct ksma_guest_options *options,
				   struct ksma_guest **ret_guest) KSMA_MUST_CHECK;
void ksma_guest_destroy(struct ksma_guest *guest);

const struct ksma_guest_info *ksma_guest_info(const struct ksma_guest *guest);

/* The RAM regions, by rising address; they belong to the guest. */
void ksma_guest_regions(const struct ksma_guest *guest, const struct ksma_ram_region **ret_regions,
			size_t *ret_count);

/* Reads guest physical memory. Crosses region borders; a hole is FAULT with the first address that is not RAM.
 * One thread a guest. No exit, no pause, no write happens in the guest. */
struct ksma_error *ksma_guest_read(struct ksma_guest *guest, ksma_gpa gpa, void *buffer,
				   size_t length) KSMA_MUST_CHECK;

/* Forgets cached pages, so that later reads see the guest as it is from now on. Notices a guest that is gone, was reset
 * or rebooted. @return NULL or LOST */
struct ksma_error *ksma_guest_refresh(struct ksma_guest *guest) KSMA_MUST_CHECK;

/* Reads the registers of all vCPUs. @flags KSMA_REGISTERS_*
 * @return NULL, or UNSUPPORTED (memory only, raw dump, no monitor), TIMEOUT, LOST, BAD_DATA, NOMEM */
struct ksma_error *ksma_guest_registers(struct ksma_guest *guest, unsigned flags,
					struct ksma_registers *ret_registers) KSMA_MUST_CHECK;
void ksma_registers_free(struct ksma_registers *registers);

/* One QEMU process of the host, found through /proc. */
struct ksma_guest_entry {
	int pid;
	char *name, *uuid, *binary, *machine, *accelerator;
	uint64_t ram_bytes;
	unsigned vcpus;
	char **monitors; /* QMP unix socket paths, NULL-terminated */
	bool running;	 /* the process is not a zombie */
};

struct ksma_guest_list {
	struct ksma_guest_entry *entries;
	size_t count;
};

/* Lists every QEMU system emulator of the host, however started. Processes that vanish meanwhile are left out. */
struct ksma_error *ksma_guest_discover(struct ksma_guest_list *ret_list) KSMA_MUST_CHECK;
void ksma_guest_list_free(struct ksma_guest_list *list);

#ifdef __cplusplus
}
#endif
#endif
