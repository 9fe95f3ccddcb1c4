/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the check of file systems: what is mounted, what is open and mapped, and the trees of devices, /sys and /proc/sys. */
#ifndef KSMA_CHECKS_VFS_H
#define KSMA_CHECKS_VFS_H

#include "checks/registry.h"
#include "linux/module_symbols.h"

/* A table that was looked at for the file system at hand. */
struct ksma_vfs_known {
	uint64_t table;
	const char *type;
	uint64_t fs_type;
};

/* Where the members lie, worked out once. All of them exist, unless said otherwise. */
struct ksma_vfs {
	struct ksma_sweep *sweep;
	struct ksma_kernel *kernel;
	struct {
		int32_t type, root, xattr /* may be missing */, inodes, s_op, export_op, d_op;
	} super;
	struct {
		int32_t i_op, i_fop, a_ops, dentry /* the first alias */, sb_list;
	} inode;
	struct {
		int32_t inode, d_op, alias;
	} dentry;
	struct {
		int32_t f_op, inode, dentry, private, mode;
	} file;
	struct {
		int32_t name, owner;
	} type;
	unsigned inodes_left, maps_left, nodes_left;
	uint64_t seq_read, seq_read_iter; /* functions that tell a sequence from another file */
	int32_t read, read_iter;	  /* in file_operations */
	int32_t seq_op, seq_file;	  /* in seq_file: op, file */
	/* The file system that is looked at. */
	char name[64]; /* "file system ext4" */
	uint64_t fs_type;
	const struct ksma_module *module; /* of the file system, or NULL: part of the kernel */
	bool open;			  /* its files may have operations of any module */
	struct ksma_vfs_known known[64];  /* of those seen, some */
};

/* Every mounted file system with its inodes. */
struct ksma_error *ksma_vfs_supers(struct ksma_vfs *vfs) KSMA_MUST_CHECK;
/* Every open file, and every mapping, of every process. */
struct ksma_error *ksma_vfs_processes(struct ksma_vfs *vfs) KSMA_MUST_CHECK;
/* Character devices, /sys and /proc/sys. */
struct ksma_error *ksma_vfs_trees(struct ksma_vfs *vfs) KSMA_MUST_CHECK;

/* An inode of any file system: its tables, with no regard to whose they are. */
struct ksma_error *ksma_vfs_inode(struct ksma_vfs *vfs, uint64_t inode,
				  const char *holder) KSMA_MUST_CHECK;

#endif
