/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Goes from a file's super block to all mounts of it, and takes the one that shows the whole of it to the guest's first process.
 *
 * super_block.s_mounts was a list of mounts, the oldest first, and is a chain of them since 6.17 (struct mount.mnt_next_for_sb), the
 * newest first. Source: fs/namespace.c, alloc_vfsmnt() and its callers. */
#include "linux/true_path.h"

enum { MOUNTS_MAX = 4096 };

struct search {
	struct ksma_paths *paths;
	uint64_t dentry, whole; /* the file; the root of its file system */
	bool found, found_whole;
	struct ksma_path *best;
	struct ksma_path other; /* under construction */
};

/* Whether the dentry lies at or below `root`, which is of the same file system. */
static bool lies_below(struct search *search, uint64_t root)
{
	uint64_t at = search->dentry;
	struct ksma_dentry_facts facts;

	for (unsigned step = 0; step < KSMA_PATH_MAX && at != root; step++) {
		if (!ksma_dentry_read(search->paths, at, &facts) || facts.parent == at)
			return false;
		at = facts.parent;
	}
	return at == root;
}

/* @return whether to look on */
static bool consider(struct search *search, uint64_t vfsmount, bool oldest_first)
{
	struct ksma_paths *paths = search->paths;
	struct ksma_mount_facts mount;
	bool whole;

	if (!ksma_mount_read(paths, vfsmount, &mount))
		return false;
	whole = mount.root == search->whole;
	if ((search->found && !whole && oldest_first) || (search->found_whole && !whole) ||
	    !lies_below(search, mount.root) ||
	    !ksma_path_below(paths, vfsmount, search->dentry, paths->root_mnt, paths->root_dentry,
			     &search->other) ||
	    search->other.end != KSMA_PATH_AT_ROOT)
		return true;
	memcpy(search->best->buffer, search->other.buffer, sizeof(search->best->buffer));
	search->best->text = search->best->buffer + (search->other.text - search->other.buffer);
	search->best->end = search->other.end;
	search->best->deleted = false;
	search->found = true;
	search->found_whole = whole;
	return !(whole && oldest_first);
}

struct visit {
	struct search *search;
	int32_t link; /* of mnt_instance, from the vfsmount */
};

static bool visit_listed(void *arg, uint64_t entry)
{
	struct visit *visit = arg;

	return consider(visit->search, entry - (uint64_t)(int64_t)visit->link, true);
}

static void look_through(struct search *search, uint64_t sb)
{
	struct ksma_kernel *kernel = search->paths->kernel;
	const struct ksma_offsets *off = &kernel->off;
	struct ksma_budget budget = ksma_budget_default();
	uint64_t at;

	budget.nodes = MOUNTS_MAX;
	if (off->super_block__s_mounts < 0)
		return;
	if (off->mount__mnt_instance >= 0) {
		struct visit visit = { search, off->mount__mnt_instance - off->mount__mnt };

		/* A list that is torn has been good for what was found on it. */
		ksma_error_destroy(ksma_kernel_list(kernel,
						    sb + (uint32_t)off->super_block__s_mounts,
						    &budget, visit_listed, &visit));
		return;
	}
	if (off->mount__mnt_next_for_sb < 0 ||
	    !ksma_kernel_u64(kernel, sb + (uint32_t)off->super_block__s_mounts, &at))
		return;
	while (at && ksma_budget_spend(&budget) &&
	       consider(search, at + (uint32_t)off->mount__mnt, false))
		if (!ksma_kernel_u64(kernel, at + (uint32_t)off->mount__mnt_next_for_sb, &at))
			return;
}

bool ksma_path_true(struct ksma_paths *paths, uint64_t mnt, uint64_t dentry,
		    struct ksma_path *ret_path)
{
	struct ksma_kernel *kernel = paths->kernel;
	struct search search = { .paths = paths, .dentry = dentry, .best = ret_path };
	struct ksma_dentry_facts facts;

	if (!ksma_path_show(paths, mnt, dentry, ret_path))
		return false;
	/* What was deleted, or hangs in no tree, lies nowhere. */
	if (ret_path->deleted || kernel->off.super_block__s_root < 0 ||
	    !ksma_dentry_read(paths, dentry, &facts) || facts.parent == dentry ||
	    !ksma_kernel_u64(kernel, facts.sb + (uint32_t)kernel->off.super_block__s_root,
			     &search.whole))
		return true;
	look_through(&search, facts.sb);
	return true;
}
