/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of a process that calls itself QEMU: any user of the host can start one with any words. */
#include "guest/cmdline.h"
#include "guest/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* Words are divided by newlines here, so that inputs can be read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_cmdline cmdline;
	struct ksma_mtree layout;
	struct ksma_error *error;
	uint64_t end = 0;
	char *words;

	if (length > 1 << 16)
		return 0;
	words = malloc(length + 1);
	if (!words)
		return 0;
	for (size_t i = 0; i < length; i++)
		words[i] = data[i] == '\n' ? 0 : (char)data[i];
	error = ksma_cmdline_parse(words, length, &cmdline);
	free(words);
	if (error) {
		ksma_error_destroy(error);
		return 0;
	}
	if (cmdline.monitors[cmdline.monitor_count] || !cmdline.name || !cmdline.machine)
		abort();
	error = ksma_layout_from_cmdline(&cmdline, &layout);
	if (!error) {
		for (size_t i = 0; i < layout.count; i++) {
			if (layout.items[i].gpa < end || layout.items[i].size == 0)
				abort();
			end = layout.items[i].gpa + layout.items[i].size;
		}
		ksma_mtree_free(&layout);
	}
	ksma_error_destroy(error);
	ksma_cmdline_free(&cmdline);
	return 0;
}
