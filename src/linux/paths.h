/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of files as the guest's own /proc shows them: dentries and mounts, followed up to the root that init has. */
#ifndef KSMA_LINUX_PATHS_H
#define KSMA_LINUX_PATHS_H

#include "linux/window.h"

enum {
	KSMA_PATH_MAX = 4096, /* PATH_MAX: what /proc itself can show */
	KSMA_NAME_MAX = 255,
};

/* Layouts and the root, worked out once for many paths. In the caller's storage; holds no resources. */
struct ksma_paths {
	struct ksma_kernel *kernel;
	uint64_t root_mnt, root_dentry;	  /* of process 1; 0: not known */
	uint64_t rename_lock, mount_lock; /* seqlocks, or 0 */
	struct ksma_window dentry, mount, inode, file;
};

/* Where the walk up ended. */
enum ksma_path_end {
	KSMA_PATH_AT_ROOT,   /* the root that was asked for */
	KSMA_PATH_ELSEWHERE, /* the root of another tree of mounts */
	KSMA_PATH_ESCAPED,   /* a tree of dentries that its mount does not hold */
	KSMA_PATH_UNREADABLE, /* memory that is not there, a name that is none, too long, or a tree that kept changing */
};

/* A name under construction: it grows from the end of the buffer to the front. */
struct ksma_path {
	char buffer[KSMA_PATH_MAX + 64];
	char *text; /* NUL-terminated, any other byte may occur; NULL when unreadable */
	bool deleted;
	enum ksma_path_end end;
};

/* What struct file and its inode say. */
struct ksma_file_facts {
	uint64_t mnt, dentry; /* f_path */
	uint64_t inode;
	uint64_t position;
	uint32_t flags, mode; /* f_flags, f_mode */
};

struct ksma_inode_facts {
	uint64_t number, sb, private; /* i_ino, i_sb, i_private */
	uint32_t mode, dev, rdev;     /* dev_t as the kernel keeps it, see ksma_dev_major() */
};

/* A dentry as it was copied. */
struct ksma_dentry_facts {
	uint64_t address, parent, inode, op, sb;
	bool unhashed; /* no name finds it: deleted, or never had one */
	char name[KSMA_NAME_MAX + 1];
	size_t length;
};

/* A mount as far as a path needs it. `vfsmount` is what struct path points at: it lies inside struct mount. */
struct ksma_mount_facts {
	uint64_t vfsmount, parent, mountpoint, root;
	bool topmost;
};

/* dev_t inside the kernel: 12 bits of major, 20 of minor (include/linux/kdev_t.h) */
static inline uint32_t ksma_dev_major(uint32_t dev)
{
	return dev >> 20;
}

static inline uint32_t ksma_dev_minor(uint32_t dev)
{
	return dev & 0xfffff;
}

/* @return NULL or UNSUPPORTED */
struct ksma_error *ksma_paths_init(struct ksma_paths *paths,
				   struct ksma_kernel *kernel) KSMA_MUST_CHECK;

/* The name of (mnt, dentry) as readlink of /proc/PID/fd/N gives it to the guest's init. @return true when there is a text */
bool ksma_path_show(struct ksma_paths *paths, uint64_t mnt, uint64_t dentry,
		    struct ksma_path *ret_path);

/* The same, but from another root, and never a made-up name: what mountinfo says of a mount point. */
bool ksma_path_below(struct ksma_paths *paths, uint64_t mnt, uint64_t dentry, uint64_t root_mnt,
		     uint64_t root_dentry, struct ksma_path *ret_path);

/* The name inside its own file system, as mountinfo says it of a mount's root. */
bool ksma_path_inside(struct ksma_paths *paths, uint64_t dentry, struct ksma_path *ret_path);

bool ksma_dentry_read(struct ksma_paths *paths, uint64_t address,
		      struct ksma_dentry_facts *ret_facts);
bool ksma_mount_read(struct ksma_paths *paths, uint64_t vfsmount,
		     struct ksma_mount_facts *ret_facts);
bool ksma_file_read(struct ksma_paths *paths, uint64_t file, struct ksma_file_facts *ret_facts);
bool ksma_inode_read(struct ksma_paths *paths, uint64_t inode, struct ksma_inode_facts *ret_facts);

/* The path that a mapping of `file` is shown with: behind an overlay the file that does the work has a name of its own. */
void ksma_file_user_path(struct ksma_paths *paths, uint64_t file, struct ksma_file_facts *facts);

/* Name of a super block's file system type: "ext4". @return false when unreadable */
bool ksma_super_type(struct ksma_kernel *kernel, uint64_t sb, char *buffer, size_t size);

/* Path of a kernfs node (a cgroup's) from the root of its tree. */
bool ksma_kernfs_path(struct ksma_kernel *kernel, uint64_t node, struct ksma_path *ret_path);

#endif
