/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the check of settings works out: apart, so that it can be tested. */
#ifndef KSMA_CHECKS_SETTINGS_H
#define KSMA_CHECKS_SETTINGS_H

#include "base/util.h"

/* How values are ordered: a higher rank is stricter. */
enum ksma_rank {
	KSMA_RANK_VALUE,
	KSMA_RANK_BPF, /* sysctl_unprivileged_bpf_disabled: 0, then 2, then 1 */
};

#define KSMA_NEVER_FINAL INT64_MAX

struct ksma_setting {
	const char *symbol;
	unsigned size; /* bytes; of 4 bytes: signed */
	const char *what;
	enum ksma_rank rank;
	int64_t final_rank; /* from here on the kernel has no way back */
};

int64_t ksma_setting_rank(enum ksma_rank rank, int64_t value);

/* True when a word of the kernel's command line is exactly `word`. */
bool ksma_command_line_has(const char *line, const char *word);

/* The letters that the kernel prints for taints: "OE". @return buffer */
const char *ksma_taint_letters(uint64_t taints, char buffer[65]);

#endif
