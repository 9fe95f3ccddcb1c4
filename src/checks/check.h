/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a check is made of. One file a check; the table in table.c is the only list of them. */
#ifndef KSMA_CHECKS_CHECK_H
#define KSMA_CHECKS_CHECK_H

#include "base/budget.h"
#include <ksma/check.h>
#include "linux/kernel.h"

struct ksma_owners;
struct ksma_pages;

/* One look of one check. */
struct ksma_look {
	struct ksma_kernel *kernel;
	const struct ksma_registers
		*registers;	       /* NULL when there are none: say so in the coverage */
	const char *registers_problem; /* why there are none */
	const char *check;	       /* name */
	const char *attack;
	struct ksma_findings *findings;
	struct ksma_coverage *coverage;
	const struct ksma_owners
		*owners;    /* who owns which kernel code, made once a pass; see checks/owners.h */
	const char *vendor; /* folder of the vendor store, or NULL: the usual one */
	const char *baseline; /* folder of first looks that outlive the command, or NULL */
	const char *
		reference; /* set by a check that holds code against something: "vendor" or "baseline" */
	struct ksma_names
		*baselined;	  /* takes what has no vendor's build; see ksma_look_baselined() */
	struct ksma_pages *pages; /* of the pass: ask ksma_look_pages() of checks/pages.h */
	void *extra; /* of a check that is not in the table: what its program keeps for it */
	uint64_t
		held; /* bytes of shared memory to hold, the guest's pages first of all; 0: all, for they are looked at again */
	bool passing; /* set by a check whose gaps are the moment's, so that it is looked at again for as long as there is time */
};

struct ksma_check {
	struct ksma_check_info info;
	bool needs_registers;
	/* Adds findings and gaps. An error is a gap of the whole check ("unknown"), except LOST, which ends the pass. */
	struct ksma_error *(*run)(struct ksma_look *look);
};

/* Says of a module that it is held against its first look only. */
struct ksma_error *ksma_look_baselined(struct ksma_look *look, const char *name) KSMA_MUST_CHECK;

/* A check of another program, besides those of the table: it needs a library that ksma does not link. */
struct ksma_more_checks {
	const struct ksma_check *check;
	void *extra; /* of its looks */
};

/* Adds a finding; `id` by a format after "check/". Evidence is added to the returned finding, which stays valid until the next one. */
struct ksma_error *ksma_finding_add(struct ksma_look *look, enum ksma_severity severity,
				    struct ksma_finding **ret_finding, const char *id_format, ...)
	KSMA_PRINTF(4, 5) KSMA_MUST_CHECK;
struct ksma_error *ksma_finding_title(struct ksma_finding *finding, const char *format, ...)
	KSMA_PRINTF(2, 3) KSMA_MUST_CHECK;
struct ksma_error *ksma_finding_text(struct ksma_finding *finding, const char *key,
				     const char *format, ...) KSMA_PRINTF(3, 4) KSMA_MUST_CHECK;
struct ksma_error *ksma_finding_number(struct ksma_finding *finding, const char *key,
				       uint64_t value) KSMA_MUST_CHECK;
/* An address: "0xffffffff81234567" under `key`, and what lies there under `key`_symbol. */
struct ksma_error *ksma_finding_address(struct ksma_look *look, struct ksma_finding *finding,
					const char *key, uint64_t gva) KSMA_MUST_CHECK;
/* A code address: as above; who owns it under `key`_owner ("kernel", "module ext4", … or "nobody"); the page frame under `key`_frame;
 * its first instructions under `key`_code; and where they jump on to at once, followed to the end, under `key`_leads_to. */
struct ksma_error *ksma_finding_code(struct ksma_look *look, struct ksma_finding *finding,
				     const char *key, uint64_t gva) KSMA_MUST_CHECK;
/* Code as it is, or as it ought to be: "e8 fb ff ff ff" under `key`, and the instructions under `key`_code. */
struct ksma_error *ksma_finding_bytes(struct ksma_finding *finding, const char *key,
				      const uint8_t *bytes, size_t length,
				      uint64_t gva) KSMA_MUST_CHECK;
/* Joins the names whose bit is set in `bits`: "list, sysfs". Cut to fit; always terminates. @return buffer */
const char *ksma_finding_names(unsigned bits, const char *const *names, size_t count, char *buffer,
			       size_t size);
void ksma_finding_deinit(struct ksma_finding *finding);
void ksma_findings_deinit(struct ksma_findings *findings);

/* The table of checks. */
extern const struct ksma_check *const ksma_checks[];
extern const size_t ksma_checks_count;

extern const struct ksma_check ksma_check_lstar;
extern const struct ksma_check ksma_check_idt;
extern const struct ksma_check ksma_check_syscall_table;
extern const struct ksma_check ksma_check_modules;
extern const struct ksma_check ksma_check_processes;
extern const struct ksma_check ksma_check_proc_ops;
extern const struct ksma_check ksma_check_paths;
extern const struct ksma_check ksma_check_credentials;
extern const struct ksma_check ksma_check_page_tables;
extern const struct ksma_check ksma_check_ftrace;
extern const struct ksma_check ksma_check_kprobes;
extern const struct ksma_check ksma_check_uprobes;
extern const struct ksma_check ksma_check_tracepoints;
extern const struct ksma_check ksma_check_perf;
extern const struct ksma_check ksma_check_livepatch;
extern const struct ksma_check ksma_check_settings;
extern const struct ksma_check ksma_check_text;
extern const struct ksma_check ksma_check_rodata;
extern const struct ksma_check ksma_check_module_text;
extern const struct ksma_check ksma_check_after_init;
extern const struct ksma_check ksma_check_control_registers;
extern const struct ksma_check ksma_check_debug_registers;
extern const struct ksma_check ksma_check_gdt;
extern const struct ksma_check ksma_check_bpf;
extern const struct ksma_check ksma_check_io_uring;
extern const struct ksma_check ksma_check_notifiers;
extern const struct ksma_check ksma_check_tty;
extern const struct ksma_check ksma_check_binfmt;
extern const struct ksma_check ksma_check_network;
extern const struct ksma_check ksma_check_lsm;
extern const struct ksma_check ksma_check_vfs;
extern const struct ksma_check ksma_check_registries;
extern const struct ksma_check ksma_check_timers;
extern const struct ksma_check ksma_check_interrupts;
extern const struct ksma_check ksma_check_kthreads;
extern const struct ksma_check ksma_check_kallsyms;
extern const struct ksma_check ksma_check_tasks;
extern const struct ksma_check ksma_check_namespaces;
extern const struct ksma_check ksma_check_log;

#endif
