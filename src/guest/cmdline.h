/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A QEMU command line, as far as it tells what the guest is, how its memory is made, and where its monitors listen.
 *
 * Written by whoever starts guests: a person, libvirt (JSON objects, sockets passed by number), Proxmox. The last of repeated
 * options wins, as in QEMU; options that say nothing here are passed over. Options of configuration files (-readconfig) are
 * not seen. Source: qemu-options.hx, softmmu/vl.c and util/keyval.c of QEMU. */
#ifndef KSMA_GUEST_CMDLINE_H
#define KSMA_GUEST_CMDLINE_H

#include "base/util.h"

enum { KSMA_CMDLINE_MAX = 2 << 20, KSMA_CMDLINE_BACKENDS = 64, KSMA_CMDLINE_MONITORS = 16 };

enum ksma_backend_kind {
	KSMA_BACKEND_RAM,
	KSMA_BACKEND_FILE,
	KSMA_BACKEND_MEMFD,
	KSMA_BACKEND_OTHER
};

/* A memory backend: an -object, or the one that QEMU makes itself for -m. */
struct ksma_cmdline_backend {
	char *id;
	enum ksma_backend_kind kind;
	uint64_t size;
	char *path; /* mem-path, or NULL */
	bool share;
	bool in_machine; /* part of the machine's main memory, in the order of the guest's nodes */
	int node;	 /* NUMA node, or -1 */
	bool dimm;	 /* a DIMM's */
	uint64_t dimm_address; /* 0: QEMU chooses */
};

struct ksma_cmdline {
	char *name, *uuid, *machine, *accelerator; /* never NULL */
	uint64_t ram_bytes;
	unsigned vcpus;
	uint64_t max_ram_below_4g; /* 0: not given */
	char *machine_backend;	   /* -machine memory-backend=, or NULL */
	char *mem_path;		   /* -mem-path, or NULL */
	bool numa_memdev;
	bool incoming, stopped;
	bool encrypted; /* confidential guest: memory is not readable from outside */
	bool libvirt;	/* libvirt holds a monitor by descriptor */
	bool libvirt_session;
	bool human_monitor;			   /* has a monitor that is not QMP */
	char *monitors[KSMA_CMDLINE_MONITORS + 1]; /* QMP server sockets, NULL-terminated */
	size_t monitor_count;
	struct ksma_cmdline_backend backends[KSMA_CMDLINE_BACKENDS];
	size_t backend_count;
};

/* Reads the words of /proc/PID/cmdline (each ended by NUL; the last may lack it).
 * @ret_cmdline freed with ksma_cmdline_free(); untouched on error @return NULL or NOMEM */
struct ksma_error *ksma_cmdline_parse(const char *words, size_t length,
				      struct ksma_cmdline *ret_cmdline) KSMA_MUST_CHECK;
void ksma_cmdline_free(struct ksma_cmdline *cmdline);

/* "1G", "512" (in units of `unit` bytes), "0x40000000", "1.5g". @return false where it is no size */
bool ksma_cmdline_size(const char *text, uint64_t unit, uint64_t *ret_size);

#endif
