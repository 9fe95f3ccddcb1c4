/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One process of the host: is it a QEMU system emulator, and what does its command line say. */
#ifndef KSMA_GUEST_PROCESS_H
#define KSMA_GUEST_PROCESS_H

#include "guest/cmdline.h"

struct ksma_host_process {
	int pid, parent;
	unsigned threads;
	uint64_t start_time; /* clock ticks since boot */
	bool running;	     /* not a zombie */
	bool x86;
	uint64_t cpu_ticks; /* of all its threads, in ticks of _SC_CLK_TCK */
	char *binary; /* path of the executable, without " (deleted)"; argv[0] where it may not be read */
	struct ksma_cmdline cmdline;
};

/* Reads about a process. @ret_process freed with ksma_host_process_free(); untouched on error
 * @return NULL, NOT_PRESENT (no such process), INVALID (not a QEMU system emulator), PERMISSION, NOMEM */
struct ksma_error *ksma_host_process_read(int pid,
					  struct ksma_host_process *ret_process) KSMA_MUST_CHECK;
void ksma_host_process_free(struct ksma_host_process *process);

/* The processor time that all threads of a process took, in nanoseconds (/proc/PID/stat, in ticks of 10 ms). @return false when it cannot be
 * read */
bool ksma_host_process_cpu(int pid, uint64_t *ret_ns);

/* Is this the name of a QEMU system emulator: "/usr/bin/qemu-system-x86_64", "/usr/libexec/qemu-kvm", "/usr/bin/kvm",
 * ".qemu-system-x86_64-wrapped"? *ret_x86 tells whether it is one of x86 */
bool ksma_host_process_is_qemu(const char *path, bool *ret_x86);

/* Reads the fields of /proc/PID/stat. @return false where it is no such text */
bool ksma_host_process_parse_stat(const char *text, struct ksma_host_process *process);

#endif
