/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way to a guest's debugger socket: one guard a guest, nobody's debugger is taken away, and what was opened is closed. */
#ifndef KSMA_GUARD_ATTACH_H
#define KSMA_GUARD_ATTACH_H

#include "guard/keeper.h"
#include "guest/gdb_server.h"
#include "guest/gdbstub.h"
#include "guest/live.h"

/* What a guard holds of a guest. */
struct ksma_attachment {
	struct ksma_monitor *monitor; /* borrowed */
	int lock;		      /* held while a guard is there: the file has its pid */
	char *address;		      /* of the debugger's socket */
	bool ours;		      /* we had QEMU open it */
	bool paused;		      /* by somebody else */
	unsigned limit_ms;	      /* see ksma_keeper_start() */
	struct ksma_gdb *gdb;
	struct ksma_keeper *keeper;
};

/* The guest stands afterwards, without breakpoints. @limit_ms see ksma_keeper_start() @from_start it stands where it was started
 * with -S, and nobody else is to let it run @ret_attachment ended with ksma_attachment_end()
 * @return NULL, PERMISSION (a debugger or another guard is there), UNSUPPORTED (no monitor) */
struct ksma_error *ksma_attach(struct ksma_guest *guest, unsigned limit_ms, bool from_start,
			       struct ksma_attachment *ret_attachment) KSMA_MUST_CHECK;

/* Starts another keeper in the place of one that was ended. @standing the guest does */
struct ksma_error *ksma_attachment_keep(struct ksma_attachment *attachment,
					bool standing) KSMA_MUST_CHECK;

/* Lets go of the guest, whatever state it is in, by the keeper; closes the socket where it is ours. */
void ksma_attachment_end(struct ksma_attachment *attachment);

#endif
