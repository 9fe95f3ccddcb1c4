/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a file lies, whatever way it was reached: bind mounts, chroots and other mount namespaces give it names, but do not move it. */
#ifndef KSMA_LINUX_TRUE_PATH_H
#define KSMA_LINUX_TRUE_PATH_H

#include "linux/paths.h"

/* The name that the file has in the guest's first process through a mount of its whole file system, the oldest where there are several;
 * through a mount of a part that holds it, where the whole is nowhere in sight; and else the name that ksma_path_show() gives, `end`
 * of which then tells. The way is that of an attacker who may mount what he likes: the name is for finding out what the file
 * ought to be, and proves nothing by itself.
 * @return true when there is a text */
bool ksma_path_true(struct ksma_paths *paths, uint64_t mnt, uint64_t dentry,
		    struct ksma_path *ret_path);

#endif
