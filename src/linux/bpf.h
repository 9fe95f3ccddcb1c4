/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the reader of BPF: programs by their ids, and the places from which programs are reached. */
#ifndef KSMA_LINUX_BPF_H
#define KSMA_LINUX_BPF_H

#include "linux/kernel.h"
#include <ksma/linux.h>

/* A walk through the places. */
struct ksma_bpf_reader {
	struct ksma_kernel *kernel;
	struct ksma_coverage *coverage;
	struct ksma_bpf *bpf;
	struct ksma_budget budget; /* of all that is walked in one reading */
	struct ksma_error *error;  /* of a callback: NOMEM */
	const char *kind;	   /* of the attachments that are added */
	char where[96];
};

/* Notes that `program` is reached from reader->kind and reader->where. A NULL program, and one that is part of the kernel's image
 * (the dummy that takes the place of one that was removed), is none. */
struct ksma_error *ksma_bpf_attach(struct ksma_bpf_reader *reader,
				   uint64_t program) KSMA_MUST_CHECK;

/* Looks for programs in all the places that this kernel has. What cannot be read is a gap. @return NULL, LOST, NOMEM */
struct ksma_error *ksma_bpf_attachments(struct ksma_bpf_reader *reader) KSMA_MUST_CHECK;

/* Notes the programs that traffic control calls for a network device's packets; reader->where names the device.
 * @return NULL, NOMEM or LIMIT */
struct ksma_error *ksma_bpf_attach_tc(struct ksma_bpf_reader *reader,
				      uint64_t device) KSMA_MUST_CHECK;

#endif
