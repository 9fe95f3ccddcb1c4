/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the check of the network: its registries, one network namespace, one device, one socket. */
#ifndef KSMA_CHECKS_NETWORK_H
#define KSMA_CHECKS_NETWORK_H

#include "checks/registry.h"

/* Where things lie that are looked at piece by piece, worked out once. KSMA_NO_MEMBER where this kernel has no such thing. */
struct ksma_network {
	struct ksma_sweep *sweep;
	char net[32]; /* of the network namespace that is looked at: "", or its number */
	unsigned nets;
};

/* The hooks of packet filters that `place` points to (struct nf_hook_entries); a null pointer is none. */
struct ksma_error *ksma_network_filters(struct ksma_network *network, uint64_t place,
					const char *holder) KSMA_MUST_CHECK;

/* Everything that hangs from a struct net_device. */
struct ksma_error *ksma_network_device(struct ksma_network *network,
				       uint64_t device) KSMA_MUST_CHECK;

#endif
