/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A running QEMU as a guest: its process, its memory, its monitor. */
#ifndef KSMA_GUEST_LIVE_H
#define KSMA_GUEST_LIVE_H

#include "guest/cmdline.h"
#include "guest/guest.h"
#include "guest/monitor.h"
#include "guest/ram.h"

/* /proc/PID/pagemap: which pages of QEMU there are. */
struct ksma_pagemap {
	int fd; /* -1 until it is needed */
	uint64_t *entries;
	uint64_t first; /* page number of the first */
	size_t count;
	uint64_t epoch; /* of the guest when they were read */
};

/* What guest->priv of a live guest is. */
struct ksma_live {
	int pid;
	int pidfd; /* holds the identity of the process: a reused pid is not taken for it */
	struct ksma_pagemap pagemap;
	char *binary;
	struct ksma_cmdline cmdline;
	struct ksma_ram ram;
	struct ksma_monitor *monitor; /* NULL in memory-only mode */
	char *monitor_problem;	      /* why there is no monitor, or NULL */
	unsigned resets, migrations;  /* events that were reported already */
};

/* Opens the guest of a QEMU process. @return as ksma_guest_open() */
struct ksma_error *ksma_live_open(int pid, const struct ksma_guest_options *options,
				  struct ksma_guest **ret_guest) KSMA_MUST_CHECK;

/* LOST when the process has exited. */
struct ksma_error *ksma_live_check(struct ksma_live *live) KSMA_MUST_CHECK;

/* Reads the registers of all vCPUs through the monitor; ops->registers of a live guest (registers.c). */
struct ksma_error *ksma_live_registers(struct ksma_guest *guest, unsigned flags,
				       struct ksma_registers *ret_registers) KSMA_MUST_CHECK;

/* Reads anonymous memory of the process; ops of a live guest (fetch.c). */
struct ksma_error *ksma_live_fetch_page(struct ksma_guest *guest,
					const struct ksma_ram_region *region, uint64_t gpa,
					uint8_t *buffer) KSMA_MUST_CHECK;
struct ksma_error *ksma_live_fetch_pages(struct ksma_guest *guest,
					 const struct ksma_ram_region *region, uint64_t gpa,
					 uint8_t *const *pages, size_t count) KSMA_MUST_CHECK;
bool ksma_live_next_data(struct ksma_guest *guest, const struct ksma_ram_region *region,
			 uint64_t offset, uint64_t *ret_offset, uint64_t *ret_length);

#endif
