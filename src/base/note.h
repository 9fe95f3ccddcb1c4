/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ELF notes, as they lie in files and in a kernel's memory: the build id among them. */
#ifndef KSMA_BASE_NOTE_H
#define KSMA_BASE_NOTE_H

#include "base/bytes.h"

/* Looks through a run of notes for the GNU build id. @return its bytes inside `notes`, or NULL */
const uint8_t *ksma_note_build_id(const void *notes, size_t length, size_t *ret_length);

#endif
