/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Build ids in a guest's memory: by them the vendor's reference is found. They are the guest's word, and prove nothing. */
#ifndef KSMA_LINUX_BUILD_ID_H
#define KSMA_LINUX_BUILD_ID_H

#include "linux/kernel.h"

/* From the kernel's notes, between __start_notes and __stop_notes. `ret_id` has length 0 when there is none to be read. */
void ksma_build_id_of_kernel(struct ksma_kernel *kernel, struct ksma_build_id *ret_id);

/* Of a module whose struct module was read into `bytes`: the member build_id where there is one, else .note.gnu.build-id as
 * /sys/module/NAME/notes has it (kernel/module/sysfs.c, add_notes_attrs()). */
void ksma_build_id_of_module(struct ksma_kernel *kernel, const uint8_t *bytes,
			     struct ksma_build_id *ret_id);

#endif
