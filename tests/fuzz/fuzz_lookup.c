/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees of names, mounts and links: whoever owns the guest's kernel hangs them together as they like, in circles too. */
#include "kernel_input.h"
#include "linux/lookup.h"

/* Where they lie in the input. */
enum { ROOT_MOUNT = 64, ROOT_DENTRY = 256, PAGES = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static void layout(struct ksma_kernel *kernel)
{
	struct ksma_offsets *off = &kernel->off;

	fake_layout_containers(kernel);
	fake_layout_page_cache(kernel);
	off->inode__i_link = 72;
	off->inode__i_rdev = 80;
	off->dentry__d_parent = 16;
	off->dentry__d_name_len = 24;
	off->dentry__d_name_name = 32;
	off->dentry__d_hash_pprev = 40;
	off->dentry__d_op = 48;
	off->dentry__d_children = 56;
	off->dentry__d_sib = 64;
	kernel->size.dentry = 112;
	off->mount__mnt_parent = 0;
	off->mount__mnt_mountpoint = 8;
	off->mount__mnt = 16;
	off->mount__mnt_mounts = 40;
	off->mount__mnt_child = 56;
	off->vfsmount__mnt_root = 0;
	off->vfsmount__mnt_sb = 8;
	off->file__f_path_mnt = 0;
	off->file__f_path_dentry = 8;
	off->file__f_inode = 16;
	off->fs_struct__root_mnt = 0;
	off->fs_struct__root_dentry = 8;
	off->fs_struct__pwd_mnt = 16;
	off->fs_struct__pwd_dentry = 24;
	off->task_struct__fs = 8;
	off->pid_namespace__child_reaper = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static const char *const names[] = { "/a/b",	       "/a/../b/./a", "a//b/",
					     "/a/a/a/a/a/a/a", "..",	      "/" };
	struct ksma_page_cache_reader reader;
	struct ksma_place root, cwd, place;
	struct ksma_paths paths;
	struct fake_kernel *k;
	uint64_t gpa;

	if (length > KERNEL_INPUT_MAX)
		return 0;
	k = kernel_of_input(data, length);
	layout(&k->kernel);
	if (!ksma_space_try_translate(&k->kernel.space, 0, &gpa))
		abort();
	k->kernel.vmemmap = PAGES - gpa / 4096 * 64;
	if (ksma_page_cache_init(&reader, &k->kernel) || ksma_paths_init(&paths, &k->kernel))
		abort();
	root = (struct ksma_place){ .mnt = ROOT_MOUNT + 16, .dentry = ROOT_DENTRY };
	cwd = root;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		ksma_error_destroy(ksma_lookup(&paths, &reader, &root, &cwd, names[i], &place));
	ksma_error_destroy(ksma_lookup_task(&paths, 0, &root, &cwd));
	fake_kernel_destroy(k);
	return 0;
}
