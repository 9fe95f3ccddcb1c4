/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The processors as the kernel counts them, and which vCPU is which of them. */
#ifndef KSMA_CHECKS_CPUS_H
#define KSMA_CHECKS_CPUS_H

#include "linux/kernel.h"

/* The number of the processor that a vCPU is to the kernel: by the per-CPU area that its GS points to, else by the vCPU's own number.
 * KSMA_MAX_CPUS when it is none of the kernel's. */
unsigned ksma_vcpu_cpu(const struct ksma_kernel *kernel, const struct ksma_vcpu *vcpu);

/* True when the kernel says that it runs on this processor; true too where it does not say. */
bool ksma_cpu_is_online(struct ksma_kernel *kernel, unsigned cpu);

/* Where a processor's struct cpu_entry_area lies (asm/cpu_entry_area.h), or 0 when the kernel's types do not say it. */
uint64_t ksma_cpu_entry_area(struct ksma_kernel *kernel, unsigned cpu);

/* Where the stacks for interrupts of one processor end: the top of its entry stack, or 0. */
uint64_t ksma_cpu_entry_stack_top(struct ksma_kernel *kernel, unsigned cpu);

/* Paging is on: the vCPU was started. */
bool ksma_vcpu_runs(const struct ksma_vcpu *vcpu);

#endif
