/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What traffic control does with the packets of a network device: its queueing disciplines, and the filters that they ask. */
#ifndef KSMA_LINUX_TRAFFIC_CONTROL_H
#define KSMA_LINUX_TRAFFIC_CONTROL_H

#include "linux/kernel.h"

struct ksma_tc_objects {
	uint64_t *items; /* each once */
	size_t count, capacity;
};

struct ksma_tc {
	struct ksma_tc_objects qdiscs;	/* struct Qdisc */
	struct ksma_tc_objects filters; /* struct tcf_proto, of all chains */
	char classful
		[16]; /* a discipline whose classes may have filters of their own: those are not seen. Empty: there is none */
};

/* Reads what hangs from a struct net_device. Torn looks are repeated.
 * @ret_tc  to be ended with ksma_tc_deinit(), on errors too
 * @return NULL, BAD_DATA or FAULT (still torn, or tampered with), LIMIT (more than a device has), NOMEM, LOST */
struct ksma_error *ksma_tc_read(struct ksma_kernel *kernel, uint64_t device,
				struct ksma_tc *ret_tc) KSMA_MUST_CHECK;
void ksma_tc_deinit(struct ksma_tc *tc);

#endif
