/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ties vCPUs to the kernel's processors. */
#include "checks/cpus.h"

#define CR0_PG (1ull << 31)
/* CPU_ENTRY_AREA_PER_CPU of asm/pgtable_areas.h: behind the page that is the read-only interrupt table. */
#define ENTRY_AREAS (0xfffffe0000000000ull + KSMA_PAGE_SIZE)

enum { MAX_ENTRY_AREAS = 1 << 23 /* CPU_ENTRY_AREA_MAP_SIZE, 512 GiB, holds 2 million */ };

bool ksma_vcpu_runs(const struct ksma_vcpu *vcpu)
{
	return vcpu->cr0 & CR0_PG;
}

unsigned ksma_vcpu_cpu(const struct ksma_kernel *kernel, const struct ksma_vcpu *vcpu)
{
	for (unsigned i = 0; i < kernel->cpus; i++)
		if (kernel->per_cpu[i] && (vcpu->gs.base == kernel->per_cpu[i] ||
					   vcpu->kernel_gs_base == kernel->per_cpu[i]))
			return i;
	return vcpu->index < kernel->cpus ? vcpu->index : KSMA_MAX_CPUS;
}

bool ksma_cpu_is_online(struct ksma_kernel *kernel, unsigned cpu)
{
	uint64_t mask = ksma_kernel_symbol(kernel, "__cpu_online_mask"), word;

	if (!mask || !ksma_kernel_u64(kernel, mask + 8ul * (cpu / 64), &word))
		return true;
	return word >> (cpu % 64) & 1;
}

uint64_t ksma_cpu_entry_area(struct ksma_kernel *kernel, unsigned cpu)
{
	/* Placed at random since 97e3d26b5e5f "x86/mm: Randomize per-cpu entry area". */
	uint64_t place = ksma_kernel_per_cpu(kernel, "_cea_offset", cpu), offset = cpu;

	if (!kernel->size.cpu_entry_area ||
	    (place && (!ksma_kernel_u64(kernel, place, &offset) || offset > MAX_ENTRY_AREAS)))
		return 0;
	return ENTRY_AREAS + offset * kernel->size.cpu_entry_area;
}

uint64_t ksma_cpu_entry_stack_top(struct ksma_kernel *kernel, unsigned cpu)
{
	uint64_t area = ksma_cpu_entry_area(kernel, cpu);

	if (!area || kernel->off.cpu_entry_area__entry_stack_page == KSMA_NO_MEMBER ||
	    !kernel->size.entry_stack_page)
		return 0;
	return area + (uint64_t)kernel->off.cpu_entry_area__entry_stack_page +
	       kernel->size.entry_stack_page;
}
