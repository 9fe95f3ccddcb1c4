/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File systems that are mounted and what they hold in memory; what processes have open and mapped. */
#include "checks/vfs.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "linux/processes.h"
#include "linux/retry.h"

enum { MAX_HANDLERS = 64, WINDOW = 2048, LIST_TRIES = 24, FMODE_READ = 1 };

/* Others put files of their own into these, with operations of their own. */
static bool is_open(const char *name)
{
	static const char *const names[] = {
		"anon_inodefs", "bdev",	      "binder",	     "binderfs",    "bpf",
		"configfs",	"cpuset",     "dax",	     "debugfs",	    "devtmpfs",
		"dmabuf",	"drm",	      "efivarfs",    "functionfs",  "fusectl",
		"infiniband",	"nfsd",	      "ocfs2_dlmfs", "pidfs",	    "pstore",
		"resctrl",	"rpc_pipefs", "securityfs",  "selinuxfs",   "smackfs",
		"sockfs",	"tracefs",    "xenfs",	     "guest_memfd", "kvm-guest-memory"
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* A table of an object of the file system at hand; whose it is is asked once for each. */
static struct ksma_error *check_table(struct ksma_vfs *v, const char *type, const char *member,
				      uint64_t place, uint64_t table)
{
	uint32_t kind = (uint32_t)(v->fs_type >> 3) | 1u << 31;
	bool new;

	struct ksma_vfs_known *known = &v->known[(table >> 4 ^ table >> 10) % ARRAY_SIZE(v->known)];

	/* Nearly all inodes of a file system share a few tables. */
	if (!table ||
	    (known->table == table && known->type == type && known->fs_type == v->fs_type))
		return NULL;
	*known = (struct ksma_vfs_known){ table, type, v->fs_type };
	KSMA_TRY(ksma_sweep_table(v->sweep, type, table, v->name));
	if (v->open || !ksma_sweep_is_kernel(table) || ksma_sweep_in_image(v->kernel, table))
		return NULL;
	KSMA_TRY(ksma_sweep_see(v->sweep, table, kind, &new));
	return new ? ksma_sweep_belongs(v->sweep, member, place, v->module, v->name) : NULL;
}

struct ksma_error *ksma_vfs_inode(struct ksma_vfs *v, uint64_t inode, const char *holder)
{
	uint64_t table;

	if (!inode)
		return NULL;
	if (ksma_kernel_u64(v->kernel, inode + (uint64_t)v->inode.i_op, &table))
		KSMA_TRY(ksma_sweep_table(v->sweep, "inode_operations", table, holder));
	if (ksma_kernel_u64(v->kernel, inode + (uint64_t)v->inode.i_fop, &table))
		KSMA_TRY(ksma_sweep_table(v->sweep, "file_operations", table, holder));
	if (ksma_kernel_u64(v->kernel, inode + (uint64_t)v->inode.a_ops, &table))
		KSMA_TRY(ksma_sweep_table(v->sweep, "address_space_operations", table, holder));
	return NULL;
}

/* An inode of the file system at hand, and a name of it. */
static struct ksma_error *check_inode(struct ksma_vfs *v, uint64_t inode)
{
	uint64_t table, alias;

	if (!ksma_kernel_u64(v->kernel, inode + (uint64_t)v->inode.i_op, &table))
		return NULL; /* it went away */
	KSMA_TRY(
		check_table(v, "inode_operations", "i_op", inode + (uint64_t)v->inode.i_op, table));
	if (ksma_kernel_u64(v->kernel, inode + (uint64_t)v->inode.i_fop, &table))
		KSMA_TRY(check_table(v, "file_operations", "i_fop",
				     inode + (uint64_t)v->inode.i_fop, table));
	if (ksma_kernel_u64(v->kernel, inode + (uint64_t)v->inode.a_ops, &table))
		KSMA_TRY(check_table(v, "address_space_operations", "a_ops",
				     inode + (uint64_t)v->inode.a_ops, table));
	if (!ksma_kernel_u64(v->kernel, inode + (uint64_t)v->inode.dentry, &alias) ||
	    !ksma_sweep_is_kernel(alias))
		return NULL;
	alias -= (uint64_t)v->dentry.alias;
	if (ksma_kernel_u64(v->kernel, alias + (uint64_t)v->dentry.d_op, &table))
		return check_table(v, "dentry_operations", "d_op", alias + (uint64_t)v->dentry.d_op,
				   table);
	return NULL;
}

/* The parts of the next inode lie far apart: they are on their way while this one is looked at. */
static void fetch_next(struct ksma_vfs *v, uint64_t node)
{
	const struct ksma_space *space = &v->kernel->space;
	uint64_t next;

	if (!ksma_kernel_u64(v->kernel, node, &next))
		return;
	next -= (uint64_t)v->inode.sb_list;
	ksma_space_prefetch(space, next + (uint64_t)v->inode.i_op);
	ksma_space_prefetch(space, next + (uint64_t)v->inode.i_fop);
	ksma_space_prefetch(space, next + (uint64_t)v->inode.a_ops);
	ksma_space_prefetch(space, next + (uint64_t)v->inode.dentry);
}

/* The inodes of one file system, along its list. */
struct inodes {
	struct ksma_vfs *vfs;
	bool disks; /* they are block devices */
	struct ksma_error *error;
};

static struct ksma_error *check_disk(struct ksma_vfs *v, uint64_t inode)
{
	int32_t inode_at = ksma_sweep_offset(v->sweep, "bdev_inode", "vfs_inode"),
		bdev_at = ksma_sweep_offset(v->sweep, "bdev_inode", "bdev"),
		disk_at = ksma_sweep_offset(v->sweep, "block_device", "bd_disk");
	uint64_t disk;

	if (inode_at < 0 || bdev_at < 0 || disk_at < 0 ||
	    !ksma_kernel_u64(v->kernel,
			     inode - (uint64_t)inode_at + (uint64_t)bdev_at + (uint64_t)disk_at,
			     &disk) ||
	    !ksma_sweep_is_kernel(disk))
		return NULL;
	return ksma_sweep_object(v->sweep, "gendisk", disk, "a disk");
}

static bool take_inode(void *arg, uint64_t node)
{
	struct inodes *inodes = arg;
	struct ksma_vfs *v = inodes->vfs;
	uint64_t inode = node - (uint64_t)v->inode.sb_list;

	if (!v->inodes_left) {
		ksma_coverage_gap(v->sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "too many inodes in memory: not all were looked at");
		return false;
	}
	v->inodes_left--;
	ksma_sweep_goes_on(v->sweep);
	fetch_next(v, node);
	inodes->error = check_inode(v, inode);
	if (!inodes->error && inodes->disks)
		inodes->error = check_disk(v, inode);
	return !inodes->error;
}

/* Inodes come and go: the list is looked through again until it holds still for as long as that takes. */
static struct ksma_error *check_inodes(struct ksma_vfs *v, uint64_t super, bool disks)
{
	struct inodes inodes = { .vfs = v, .disks = disks };
	struct ksma_error *error;
	unsigned attempt = 0, tries = 0;

	do {
		struct ksma_budget budget = ksma_budget_default();

		error = ksma_kernel_list(v->kernel, super + (uint64_t)v->super.inodes, &budget,
					 take_inode, &inodes);
		if (inodes.error) {
			ksma_error_destroy(error);
			return inodes.error;
		}
		if (error && error->code == KSMA_ERROR_BAD_DATA &&
		    !ksma_kernel_is_copied(v->kernel) && ++tries < LIST_TRIES) {
			ksma_error_destroy(TAKE_PTR(error));
			continue;
		}
		if (!ksma_kernel_retry(v->kernel, &attempt, &error))
			break;
	} while (true);
	return ksma_coverage_take(v->sweep->look->coverage, KSMA_COVERAGE_PARTIAL, error, v->name);
}

/* s_xattr: an array of pointers, up to a null one. */
static struct ksma_error *check_xattr(struct ksma_vfs *v, uint64_t super)
{
	uint64_t handlers, handler;

	if (v->super.xattr == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(v->kernel, super + (uint64_t)v->super.xattr, &handlers))
		return NULL;
	for (unsigned i = 0; handlers && i < MAX_HANDLERS; i++) {
		uint64_t place = handlers + 8ull * i;

		if (!ksma_kernel_u64(v->kernel, place, &handler) || !handler)
			return NULL;
		KSMA_TRY(check_table(v, "xattr_handler", "s_xattr", place, handler));
	}
	return NULL;
}

/* Which file system it is, and whose. */
static void meet(struct ksma_vfs *v, uint64_t super, char *name, size_t size)
{
	uint64_t at, owner = 0;

	v->fs_type = 0;
	*name = 0;
	if (ksma_kernel_u64(v->kernel, super + (uint64_t)v->super.type, &v->fs_type) &&
	    ksma_kernel_u64(v->kernel, v->fs_type + (uint64_t)v->type.name, &at))
		ksma_kernel_string(v->kernel, at, name, size);
	ksma_sweep_clean_name(name);
	snprintf(v->name, sizeof(v->name), "file system %s", name);
	v->open = is_open(name);
	if (!ksma_kernel_u64(v->kernel, v->fs_type + (uint64_t)v->type.owner, &owner))
		v->open = true; /* it went away */
	v->module = owner ? ksma_module_owner(v->kernel, owner) : NULL;
}

static struct ksma_error *take_super(void *arg, const struct ksma_registry *row, uint64_t super)
{
	struct ksma_vfs *v = arg;
	const struct {
		const char *type, *member;
		int32_t at;
	} tables[] = { { "super_operations", "s_op", v->super.s_op },
		       { "export_operations", "s_export_op", v->super.export_op },
		       { "dentry_operations", "s_d_op", v->super.d_op } };
	uint64_t table, root, inode;
	char name[32];

	(void)row;
	meet(v, super, name, sizeof(name));
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		if (ksma_kernel_u64(v->kernel, super + (uint64_t)tables[i].at, &table))
			KSMA_TRY(check_table(v, tables[i].type, tables[i].member,
					     super + (uint64_t)tables[i].at, table));
	KSMA_TRY(ksma_sweep_object(v->sweep, "super_block", super, v->name));
	KSMA_TRY(check_xattr(v, super));
	if (ksma_kernel_u64(v->kernel, super + (uint64_t)v->super.root, &root) && root &&
	    ksma_kernel_u64(v->kernel, root + (uint64_t)v->dentry.inode, &inode) && inode) {
		if (ksma_kernel_u64(v->kernel, root + (uint64_t)v->dentry.d_op, &table))
			KSMA_TRY(check_table(v, "dentry_operations", "d_op",
					     root + (uint64_t)v->dentry.d_op, table));
		KSMA_TRY(check_inode(v, inode));
	}
	return check_inodes(v, super, strcmp(name, "bdev") == 0);
}

struct ksma_error *ksma_vfs_supers(struct ksma_vfs *v)
{
	static const struct ksma_registry row = {
		"super_blocks", KSMA_REGISTRY_LIST, "super_block", "s_list", 0, true, NULL
	};

	return ksma_registry_visit(v->sweep, &row, take_super, v);
}

/* A file that is open for reading by seq_read() has its sequence in private_data; one that is only written to may have anything there
 * (ftrace_regex_open()), unless the sequence says that it belongs to the file. */
static bool is_sequence(struct ksma_vfs *v, uint64_t file, uint64_t seq)
{
	uint64_t back;
	uint32_t mode;

	if (ksma_kernel_u64(v->kernel, seq + (uint64_t)v->seq_file, &back) && back == file)
		return true;
	return ksma_kernel_u32(v->kernel, file + (uint64_t)v->file.mode, &mode) &&
	       mode & FMODE_READ;
}

/* The sequence behind an open file: what fills /proc and much of /sys line by line. */
static struct ksma_error *check_sequence(struct ksma_vfs *v, uint64_t f_op, uint64_t file,
					 const char *holder)
{
	uint64_t read, read_iter, seq, op;

	if (!ksma_kernel_u64(v->kernel, f_op + (uint64_t)v->read, &read) ||
	    !ksma_kernel_u64(v->kernel, f_op + (uint64_t)v->read_iter, &read_iter) ||
	    !((read && read == v->seq_read) || (read_iter && read_iter == v->seq_read_iter)) ||
	    !ksma_kernel_u64(v->kernel, file + (uint64_t)v->file.private, &seq) || !seq ||
	    !is_sequence(v, file, seq) ||
	    !ksma_kernel_u64(v->kernel, seq + (uint64_t)v->seq_op, &op) ||
	    !ksma_sweep_is_kernel(op))
		return NULL;
	/* single_open() makes a table for one file, in memory of its own: only what it leads to matters. */
	return ksma_sweep_object(v->sweep, "seq_operations", op, holder);
}

static struct ksma_error *check_file(struct ksma_vfs *v, uint64_t file, const char *holder)
{
	uint64_t f_op, inode, dentry, table;

	if (!ksma_kernel_u64(v->kernel, file + (uint64_t)v->file.f_op, &f_op) || !f_op)
		return NULL; /* it was closed */
	KSMA_TRY(ksma_sweep_table(v->sweep, "file_operations", f_op, holder));
	KSMA_TRY(check_sequence(v, f_op, file, holder));
	if (ksma_kernel_u64(v->kernel, file + (uint64_t)v->file.inode, &inode))
		KSMA_TRY(ksma_vfs_inode(v, inode, holder));
	if (ksma_kernel_u64(v->kernel, file + (uint64_t)v->file.dentry, &dentry) && dentry &&
	    ksma_kernel_u64(v->kernel, dentry + (uint64_t)v->dentry.d_op, &table))
		KSMA_TRY(ksma_sweep_table(v->sweep, "dentry_operations", table, holder));
	return NULL;
}

/* True when a process is no more what it was: it ended, or runs another program. */
static bool is_gone(struct ksma_vfs *v, const struct ksma_process *process)
{
	uint64_t mm;
	uint32_t pid;

	return !ksma_kernel_u64(v->kernel, process->task + (uint64_t)v->kernel->off.task_struct__mm,
				&mm) ||
	       !ksma_kernel_u32(v->kernel,
				process->task + (uint64_t)v->kernel->off.task_struct__pid, &pid) ||
	       mm != process->mm || (int32_t)pid != process->pid;
}

static struct ksma_error *check_files(struct ksma_vfs *v, const struct ksma_process *process)
{
	struct ksma_fds fds = { 0 };
	struct ksma_error *error = ksma_task_fds(v->kernel, process->task, &fds);
	char holder[64];

	if (error && (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST))
		return error;
	if (error && is_gone(v, process))
		ksma_error_destroy(TAKE_PTR(error));
	if (error) {
		ksma_coverage_error(v->sweep->look->coverage, KSMA_COVERAGE_PARTIAL, error,
				    "files of a process");
		return NULL;
	}
	for (size_t i = 0; i < fds.count && !error; i++) {
		snprintf(holder, sizeof(holder), "file %d of process %d", fds.items[i].fd,
			 process->pid);
		error = check_file(v, fds.items[i].file, holder);
	}
	free(fds.items);
	return error;
}

/* The mappings of one process: what handles a page fault in them. */
struct maps {
	struct ksma_vfs *vfs;
	int32_t vm_ops;
	const char *holder;
	struct ksma_error *error;
};

static bool take_map(void *arg, uint64_t index, uint64_t area)
{
	struct maps *maps = arg;
	uint64_t ops;

	(void)index;
	if (!maps->vfs->maps_left) {
		ksma_coverage_gap(maps->vfs->sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "too many mappings: not all were looked at");
		return false;
	}
	maps->vfs->maps_left--;
	ksma_sweep_goes_on(maps->vfs->sweep);
	if (ksma_kernel_u64(maps->vfs->kernel, area + (uint64_t)maps->vm_ops, &ops) && ops)
		maps->error = ksma_sweep_table(maps->vfs->sweep, "vm_operations_struct", ops,
					       maps->holder);
	return !maps->error;
}

static struct ksma_error *walk_maps(struct maps *maps, uint64_t mm)
{
	struct ksma_kernel *kernel = maps->vfs->kernel;
	const struct ksma_offsets *off = &kernel->off;
	struct ksma_budget budget = ksma_budget_default();
	uint64_t area;

	if (off->mm_struct__mm_mt != KSMA_NO_MEMBER)
		return ksma_kernel_maple(kernel, mm + (uint64_t)off->mm_struct__mm_mt, &budget,
					 take_map, maps);
	if (off->mm_struct__mmap == KSMA_NO_MEMBER ||
	    off->vm_area_struct__vm_next == KSMA_NO_MEMBER)
		return ksma_kernel_missing_member("mm_struct.mmap");
	if (!ksma_kernel_u64(kernel, mm + (uint64_t)off->mm_struct__mmap, &area))
		return ksma_error_fault(mm, "mm_struct at 0x%" PRIx64 " is not mapped", mm);
	while (area && take_map(maps, 0, area))
		if (!ksma_kernel_u64(kernel, area + (uint64_t)off->vm_area_struct__vm_next, &area))
			return ksma_error_fault(area, "a mapping at 0x%" PRIx64 " is not mapped",
						area);
	return NULL;
}

static struct ksma_error *check_maps(struct ksma_vfs *v, const struct ksma_process *process)
{
	char holder[48];
	struct maps maps = { .vfs = v,
			     .vm_ops = ksma_sweep_offset(v->sweep, "vm_area_struct", "vm_ops"),
			     .holder = holder };
	struct ksma_error *error;
	unsigned attempt = 0;

	if (!process->mm || maps.vm_ops == KSMA_NO_MEMBER)
		return NULL;
	snprintf(holder, sizeof(holder), "a mapping of process %d", process->pid);
	do {
		error = walk_maps(&maps, process->mm);
		if (maps.error) {
			ksma_error_destroy(error);
			return maps.error;
		}
	} while (error && !is_gone(v, process) && ksma_kernel_retry(v->kernel, &attempt, &error));
	if (error && is_gone(v, process))
		ksma_error_destroy(TAKE_PTR(error));
	return ksma_coverage_take(v->sweep->look->coverage, KSMA_COVERAGE_PARTIAL, error, holder);
}

struct ksma_error *ksma_vfs_processes(struct ksma_vfs *v)
{
	struct ksma_processes processes = { 0 };
	struct ksma_error *error;

	KSMA_TRY(ksma_linux_processes(v->kernel, 0, v->sweep->look->coverage, &processes));
	error = NULL;
	for (size_t i = 0; i < processes.count && !error; i++) {
		if (processes.items[i].kernel_thread)
			continue;
		error = check_files(v, &processes.items[i]);
		if (!error)
			error = check_maps(v, &processes.items[i]);
	}
	ksma_processes_free(&processes);
	return error;
}
