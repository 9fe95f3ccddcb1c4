/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of the export of a guest's disks, whoever is left to bring it about. */
#ifndef KSMA_GUEST_DISKS_WATCH_H
#define KSMA_GUEST_DISKS_WATCH_H

#include "guest/monitor.h"

#define KSMA_DISKS_EXPORT "ksma-disk-" /* what ids of our exports begin with, a number after it */

/* Ends the server of `folder` unless another process of ours uses it. Where exports of somebody else have joined it, only ours are taken
 * back. @return false where the monitor could not be asked: another try may do */
bool ksma_disks_withdraw(struct ksma_monitor *monitor, const char *folder);

/* Starts a process that waits for our death, and then withdraws. It has no terminal, no descriptors and no parent to wait for it. A monitor
 * through libvirt has none: its library does not bear a fork. @ret_pipe for ksma_disks_watch_end(), -1 where there is no process */
struct ksma_error *ksma_disks_watch_start(struct ksma_monitor *monitor, const char *folder,
					  int *ret_pipe) KSMA_MUST_CHECK;

/* Ends the watch. @withdrawn is all in order? Where not, the process goes on trying in our place */
void ksma_disks_watch_end(int pipe, bool withdrawn);

#endif
