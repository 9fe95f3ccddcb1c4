/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Do file systems still call the functions that they were made with? What is mounted, open or mapped is looked at, each table once. */
#include "checks/vfs.h"

#include "base/bytes.h"

enum { MAX_INODES = 1 << 20, MAX_MAPS = 1 << 18, MAX_NODES = 1 << 19 };

static const struct ksma_registry rows[] = {
	{ "misc_list", KSMA_REGISTRY_LIST, "miscdevice", "list", 0, false, "name" },
	{ "quota_formats", KSMA_REGISTRY_CHAIN, "quota_format_type", "qf_next", 0, false, NULL },
};

/* A member under the first of its names that this kernel has. */
static int32_t either(const struct ksma_sweep *sweep, const char *type, const char *a,
		      const char *b)
{
	int32_t at = ksma_sweep_offset(sweep, type, a);

	return at != KSMA_NO_MEMBER ? at : ksma_sweep_offset(sweep, type, b);
}

static struct ksma_error *vfs_init(struct ksma_vfs *v, struct ksma_sweep *s)
{
	*v = (struct ksma_vfs){
		.sweep = s,
		.kernel = s->kernel,
		.super = { .type = ksma_sweep_offset(s, "super_block", "s_type"),
			   .root = ksma_sweep_offset(s, "super_block", "s_root"),
			   .xattr = ksma_sweep_offset(s, "super_block", "s_xattr"),
			   .inodes = ksma_sweep_offset(s, "super_block", "s_inodes"),
			   .s_op = ksma_sweep_offset(s, "super_block", "s_op"),
			   .export_op = ksma_sweep_offset(s, "super_block", "s_export_op"),
			   .d_op = either(s, "super_block", "s_d_op", "__s_d_op") },
		.inode = { .i_op = ksma_sweep_offset(s, "inode", "i_op"),
			   .i_fop = ksma_sweep_offset(s, "inode", "i_fop"),
			   .a_ops = ksma_sweep_offset(s, "inode", "i_data.a_ops"),
			   .dentry = ksma_sweep_offset(s, "inode", "i_dentry"),
			   .sb_list = ksma_sweep_offset(s, "inode", "i_sb_list") },
		.dentry = { .inode = ksma_sweep_offset(s, "dentry", "d_inode"),
			    .d_op = ksma_sweep_offset(s, "dentry", "d_op"),
			    .alias = either(s, "dentry", "d_u.d_alias", "d_alias") },
		.file = { .f_op = ksma_sweep_offset(s, "file", "f_op"),
			  .inode = ksma_sweep_offset(s, "file", "f_inode"),
			  .dentry = ksma_sweep_offset(s, "file", "f_path.dentry"),
			  .private = ksma_sweep_offset(s, "file", "private_data"),
			  .mode = ksma_sweep_offset(s, "file", "f_mode") },
		.type = { .name = ksma_sweep_offset(s, "file_system_type", "name"),
			  .owner = ksma_sweep_offset(s, "file_system_type", "owner") },
		.inodes_left = MAX_INODES,
		.maps_left = MAX_MAPS,
		.nodes_left = MAX_NODES,
		.seq_read = ksma_kernel_symbol(s->kernel, "seq_read"),
		.seq_read_iter = ksma_kernel_symbol(s->kernel, "seq_read_iter"),
		.read = ksma_sweep_offset(s, "file_operations", "read"),
		.read_iter = ksma_sweep_offset(s, "file_operations", "read_iter"),
		.seq_op = ksma_sweep_offset(s, "seq_file", "op"),
		.seq_file = ksma_sweep_offset(s, "seq_file", "file"),
	};
	if (v->super.type < 0 || v->super.root < 0 || v->super.inodes < 0 || v->super.s_op < 0 ||
	    v->super.export_op < 0 || v->super.d_op < 0)
		return ksma_kernel_missing_member("super_block as it is known here");
	if (v->inode.i_op < 0 || v->inode.i_fop < 0 || v->inode.a_ops < 0 || v->inode.dentry < 0 ||
	    v->inode.sb_list < 0)
		return ksma_kernel_missing_member("inode as it is known here");
	if (v->dentry.inode < 0 || v->dentry.d_op < 0 || v->dentry.alias < 0 || v->file.f_op < 0 ||
	    v->file.inode < 0 || v->file.dentry < 0 || v->file.private < 0 || v->read < 0 ||
	    v->read_iter < 0 || v->seq_op < 0 || v->seq_file < 0 || v->file.mode < 0 ||
	    v->type.name < 0 || v->type.owner < 0)
		return ksma_kernel_missing_member("dentry or file as it is known here");
	return NULL;
}

/* The kinds of file systems are chained by hand, or in a list of the usual kind (fs/filesystems.c, 7.2). */
static struct ksma_error *check_types(struct ksma_sweep *sweep)
{
	static const struct ksma_registry
		chain = { "file_systems", KSMA_REGISTRY_CHAIN, "file_system_type", "next", 0, true,
			  "name" },
		list = { "file_systems", KSMA_REGISTRY_HLIST, "file_system_type", "list", 0, true,
			 "name" };
	bool chained = ksma_sweep_offset(sweep, "file_system_type", "next") != KSMA_NO_MEMBER;

	return ksma_registry_sweep(sweep, chained ? &chain : &list, 1, NULL, NULL);
}

static struct ksma_error *check_all(struct ksma_sweep *sweep)
{
	struct ksma_vfs vfs;

	KSMA_TRY(vfs_init(&vfs, sweep));
	KSMA_TRY(check_types(sweep));
	KSMA_TRY(ksma_registry_sweep(sweep, rows, ARRAY_SIZE(rows), NULL, NULL));
	KSMA_TRY(ksma_vfs_supers(&vfs));
	KSMA_TRY(ksma_vfs_processes(&vfs));
	return ksma_vfs_trees(&vfs);
}

static struct ksma_error *run(struct ksma_look *look)
{
	return ksma_sweep_run(look, check_all);
}

const struct ksma_check ksma_check_vfs = {
	.info = {
		.name = "vfs",
		.title = "File systems, devices, /sys and /proc/sys",
		.attack = "T1564",
		.needs = "memory",
		.structures = "file_systems, super_blocks with all their inodes, dentries and address spaces; open files and mappings of every process; "
			      "cdev_map, misc_list, disks; the trees of kernfs_node and ctl_table: super_operations, inode_operations, file_operations, "
			      "dentry_operations, address_space_operations, export_operations, xattr_handler, vm_operations_struct, seq_operations, "
			      "kernfs_ops, sysfs_ops, device_attribute, proc_handler, block_device_operations",
		.why = "An object that is given a table of its own hides files, or reads along what is written, with every table of the kernel intact.",
		.cost = "16 ms",
		.false_alarms = "None known: the tables of a file system's objects are the kernel's or those of its own module and of modules that it uses. "
				"File systems that exist for others to put files into (debugfs, tracefs, anon_inodefs, …) may hold tables of any listed "
				"module. Drivers that copy file_operations at run time (dvb) would be reported.",
		.todo = "What the guest shows of that file or folder is not to be believed: look at its disk from the host, and at the "
			"owner of the function found.",
	},
	.run = run,
};
