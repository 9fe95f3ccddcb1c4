/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest that begins to boot: its kernel is found as soon as it is there, and what it did before is read from its own counters.
 *
 * Nobody knows where KASLR puts the kernel, so nothing can be stood at yet. The guest runs in slices; between two it stands, and its memory is searched.
 * Time spent searching does not pass for the guest's processors. Source: fs/file_table.c for nr_files, init/main.c for system_state. */
#include "signed/guard.h"

#include "linux/processes.h"

enum {
	SLICE_MS = 20,
	SEARCH_S = 600, /* a guest may wait in its boot menu */
	CPUS_TOLD = 4096,
};

struct ksma_error *signed_guard_find_kernel(struct signed_guard *guard)
{
	uint64_t until = ksma_now_ns() + SEARCH_S * UINT64_C(1000000000);
	struct ksma_error *last = NULL;

	while (ksma_now_ns() < until) {
		bool stopped;

		KSMA_TRY(ksma_engine_resume(guard->engine));
		KSMA_TRY(ksma_engine_serve(guard->engine, SLICE_MS, false, &stopped));
		KSMA_TRY(ksma_engine_pause(guard->engine));
		ksma_error_destroy(last);
		last = ksma_guest_refresh(guard->cli->guest);
		if (last && last->code == KSMA_ERROR_LOST) /* a reset is told once */
			ksma_error_destroy(last);
		else if (last)
			return last;
		last = cli_open_guest_kernel(guard->cli);
		if (!last)
			return NULL;
		if (last->code == KSMA_ERROR_NOMEM)
			return last;
	}
	return last ? ksma_error_prefix(last, "the guest did not come to its kernel")
		    : ksma_error_create(KSMA_ERROR_TIMEOUT, "the guest did not come to its kernel");
}

/* A percpu_counter: what was added up, and what each processor has not added yet. */
static bool read_counter(struct ksma_kernel *kernel, uint64_t counter, int64_t *ret_value)
{
	const struct ksma_offsets *off = &kernel->off;
	uint64_t sum, area;
	uint32_t part;

	if (!counter || off->percpu_counter__count < 0 || off->percpu_counter__counters < 0 ||
	    !ksma_kernel_u64(kernel, counter + (uint32_t)off->percpu_counter__count, &sum) ||
	    !ksma_kernel_u64(kernel, counter + (uint32_t)off->percpu_counter__counters, &area))
		return false;
	for (unsigned cpu = 0; area && cpu < kernel->cpus && cpu < KSMA_MAX_CPUS; cpu++)
		if (kernel->per_cpu[cpu] &&
		    ksma_kernel_u32(kernel, area + kernel->per_cpu[cpu], &part))
			sum += (uint64_t)(int64_t)(int32_t)part;
	*ret_value = (int64_t)sum;
	return true;
}

void signed_guard_progress(struct ksma_kernel *kernel, int64_t *ret_files, bool *ret_before_init)
{
	uint64_t at = ksma_kernel_symbol(kernel, "system_state");
	uint32_t state = 1;

	*ret_files = -1;
	read_counter(kernel, ksma_kernel_symbol(kernel, "nr_files"), ret_files);
	*ret_before_init = at && ksma_kernel_u32(kernel, at, &state) && state == 0 &&
			   ksma_init_is_to_come(kernel);
}
