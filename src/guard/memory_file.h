/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file that the kernel has in its own memory already: a module, firmware, an image for kexec. */
#ifndef KSMA_GUARD_MEMORY_FILE_H
#define KSMA_GUARD_MEMORY_FILE_H

#include "guard/stop.h"

struct ksma_sha256;

enum { KSMA_MEMORY_FILE_MAX = 256 << 20 };

/* What is needed to judge one. `manifest` may be NULL. */
struct ksma_memory_judge {
	struct ksma_kernel *kernel;
	const struct ksma_policy *policy;
	struct ksma_manifest *manifest;
	bool distrusts; /* there is none any more that is to be believed */
	struct ksma_sha256 *sha256;
};

/* Holds the bytes that the kernel is about to use against what was decided about the file that they came from: they have to be that file's.
 * What came from none (init_module()) has to be what some file of the manifest ought to be, where the policy asks for anything. */
void ksma_memory_file_judge(const struct ksma_memory_judge *judge, const struct ksma_stop *stop,
			    struct ksma_decision *decision);

#endif
