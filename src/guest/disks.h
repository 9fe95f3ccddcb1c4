/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The disks of a running guest, as its QEMU reads them at this moment.
 *
 * QEMU itself exports the block node below the guest's device, read-only, to a socket in a folder of ours. It has room for one such
 * server: where the operator runs one, this is refused with a word, and while ours is up the operator cannot start one, so it should not be
 * held for long. Several processes of ours share one. The last to close ends it; where all were killed, a child that watches each of them
 * ends it, and should that be gone too, the next one that opens takes it over. See docs/decisions/0260. */
#ifndef KSMA_GUEST_DISKS_H
#define KSMA_GUEST_DISKS_H

#include "base/block.h"
#include <ksma/guest.h>

enum { KSMA_DISKS_MAX = 64 };

struct ksma_disk {
	char *device; /* the name by which the monitor knows it, or "" */
	char *qdev;   /* the path of the guest's device in QEMU, or "" */
	char *node;   /* block node on top */
	char *format; /* "qcow2", "raw", … */
	char *file;   /* on the host; for people */
	uint64_t size;
	struct ksma_block *block; /* NULL until ksma_disks_read() */
};

struct ksma_disks {
	struct ksma_disk *items;
	size_t count, capacity;
	/* inside */
	struct ksma_monitor *monitor; /* the guest's */
	char *folder, *socket;
	int users; /* the lock that says that we are here */
	int watch; /* our end of the child's pipe */
	int child;
	bool serving;
};

/* Lists the guest's disks that have a medium; exports nothing yet. The guest must outlive it.
 * @return NULL, UNSUPPORTED (no monitor, a dump), TIMEOUT, LOST, BAD_DATA, NOMEM */
struct ksma_error *ksma_disks_open(struct ksma_guest *guest,
				   struct ksma_disks *ret_disks) KSMA_MUST_CHECK;

/* Has QEMU export disk `i`, and connects to it: disks->items[i].block, until the disks are closed.
 * @return NULL, UNSUPPORTED (an NBD server of the operator's, no way to pass a socket to QEMU), TIMEOUT, PERMISSION, LOST, OS, NOMEM */
struct ksma_error *ksma_disks_read(struct ksma_disks *disks, size_t i) KSMA_MUST_CHECK;

/* Takes the exports back; zeroed and closed ones are fine. */
void ksma_disks_close(struct ksma_disks *disks);

#endif
