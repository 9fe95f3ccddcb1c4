/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ring of the kernel log: whoever owns the guest's kernel writes its head, its descriptors and its text. */
#include "kernel_input.h"

#include "checks/log.h"
#include "linux/clock.h"
#include <ksma/linux.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* What the check makes of the same ring. */
static void judge(struct ksma_kernel *kernel)
{
	static char text[KSMA_LOG_TEXT_MAX];
	struct ksma_budget budget = { .nodes = KERNEL_INPUT_NODES };
	struct ksma_log_descriptor descriptor;
	struct ksma_log_info info;
	struct ksma_log_ring ring;
	struct ksma_error *error = ksma_log_ring_open(kernel, &ring);
	uint64_t id, position;

	for (uint64_t i = 0; !error && i < 1ull << ring.count_bits && i < 256; i++)
		if (ksma_log_judge(&ring, (ring.tail + i) & KSMA_LOG_ID_MASK, &descriptor, &info,
				   text) == KSMA_LOG_SOUND)
			ksma_log_taint(text, info.text_length);
	if (!error)
		ksma_log_follow(&ring, &budget, &id, &position);
	ksma_error_destroy(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_error *error;
	struct fake_kernel *k;
	struct ksma_log log;
	uint64_t ns;

	if (length > KERNEL_INPUT_MAX)
		return 0;
	k = kernel_of_input(data, length);
	fake_layout_log(&k->kernel);
	k->kernel.off.prb_data_ring__head_lpos = 16;
	k->kernel.off.prb_data_ring__tail_lpos = 24;
	fake_layout_clock(&k->kernel);
	fake_kernel_symbol(k, "prb", 8);
	fake_kernel_symbol(k, "tk_core", 8);
	error = ksma_linux_log(&k->kernel, &coverage, &log);
	if (!error) {
		for (size_t i = 0; i < log.count; i++)
			if (log.items[i].level > 7 || strlen(log.items[i].text) > UINT16_MAX)
				abort();
		ksma_log_free(&log);
	}
	ksma_error_destroy(error);
	judge(&k->kernel);
	ksma_error_destroy(ksma_linux_boot_time(&k->kernel, &ns));
	ksma_coverage_deinit(&coverage);
	fake_kernel_destroy(k);
	return 0;
}
