/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walks down the guest's dentry cache.
 *
 * Source: fs/namei.c, fs/dcache.c, fs/namespace.c. A directory's names are a list of its own, d_subdirs, and since da549bdd15c2 ("dentry:
 * switch the lists of children to hlist", 6.8) d_children; the kernel's hash table of names is not needed for it. */
#include "linux/lookup.h"

#include "linux/retry.h"

#include <sys/stat.h>

enum {
	LINKS_MAX = 40, /* MAXSYMLINKS */
	STEPS_MAX = KSMA_PATH_MAX,
	MOUNTS_MAX = 1 << 10, /* on top of each other */
	TYPE_MASK = 0170000,
};

struct walk {
	struct ksma_paths *paths;
	struct ksma_page_cache_reader *reader;
	struct ksma_place root, here;
	char rest[2 * KSMA_PATH_MAX]; /* of the name */
	unsigned links;
};

/* A search among the names of a directory, or the mounts on a mount. */
struct search {
	struct ksma_paths *paths;
	uint64_t dentry; /* the parent, or the mount point */
	const char *name;
	size_t length;
	uint64_t found; /* dentry, or vfsmount */
	uint64_t inode;
	bool torn;
};

static bool take_child(struct search *search, uint64_t address)
{
	struct ksma_dentry_facts facts;

	if (!ksma_dentry_read(search->paths, address, &facts) || facts.parent != search->dentry) {
		search->torn = true;
		return false;
	}
	if (facts.unhashed || facts.length != search->length ||
	    memcmp(facts.name, search->name, search->length) != 0)
		return true;
	search->found = address;
	search->inode = facts.inode;
	return false;
}

static bool on_child(void *arg, uint64_t entry)
{
	struct search *search = arg;

	return take_child(search, entry - (uint32_t)search->paths->kernel->off.dentry__d_child);
}

static bool on_sibling(void *arg, uint64_t entry)
{
	struct search *search = arg;

	return take_child(search, entry - (uint32_t)search->paths->kernel->off.dentry__d_sib);
}

static struct ksma_error *changed(void)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA,
				 "the tree of names changed while it was read");
}

static struct ksma_error *search_children(struct search *search)
{
	struct ksma_kernel *kernel = search->paths->kernel;
	const struct ksma_offsets *off = &kernel->off;
	struct ksma_budget budget = ksma_budget_default();

	search->found = 0;
	search->torn = false;
	if (off->dentry__d_children >= 0 && off->dentry__d_sib >= 0)
		KSMA_TRY(ksma_kernel_hlist(kernel,
					   search->dentry + (uint32_t)off->dentry__d_children,
					   &budget, on_sibling, search));
	else if (off->dentry__d_subdirs >= 0 && off->dentry__d_child >= 0)
		KSMA_TRY(ksma_kernel_list(kernel, search->dentry + (uint32_t)off->dentry__d_subdirs,
					  &budget, on_child, search));
	else
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"this kernel's struct dentry is of a form that ksma does not know");
	return search->torn ? changed() : NULL;
}

static bool on_mount(void *arg, uint64_t entry)
{
	struct search *search = arg;
	const struct ksma_offsets *off = &search->paths->kernel->off;
	uint64_t vfsmount = entry - (uint32_t)off->mount__mnt_child + (uint32_t)off->mount__mnt;
	struct ksma_mount_facts facts;

	if (!ksma_mount_read(search->paths, vfsmount, &facts)) {
		search->torn = true;
		return false;
	}
	if (facts.mountpoint != search->dentry)
		return true;
	search->found = vfsmount;
	search->inode = facts.root;
	return false;
}

static struct ksma_error *search_mounts(struct search *search, uint64_t vfsmount)
{
	struct ksma_kernel *kernel = search->paths->kernel;
	const struct ksma_offsets *off = &kernel->off;
	struct ksma_budget budget = ksma_budget_default();

	search->found = 0;
	search->torn = false;
	KSMA_TRY(KSMA_NEED(kernel, mount__mnt_mounts));
	KSMA_TRY(KSMA_NEED(kernel, mount__mnt_child));
	KSMA_TRY(ksma_kernel_list(
		kernel, vfsmount - (uint32_t)off->mount__mnt + (uint32_t)off->mount__mnt_mounts,
		&budget, on_mount, search));
	return search->torn ? changed() : NULL;
}

static struct ksma_error *
searched(struct search *search, struct ksma_error *(*how)(struct search *, uint64_t), uint64_t of)
{
	struct ksma_error *error;
	unsigned attempt = 0;

	do
		error = how(search, of);
	while (ksma_kernel_retry(search->paths->kernel, &attempt, &error));
	return error;
}

static struct ksma_error *children(struct search *search, uint64_t of)
{
	search->dentry = of;
	return search_children(search);
}

static struct ksma_error *inode_of(struct ksma_paths *paths, uint64_t dentry, uint64_t *ret_inode)
{
	struct ksma_dentry_facts facts;

	if (!ksma_dentry_read(paths, dentry, &facts))
		return ksma_error_fault(dentry, "the dentry at 0x%llx is not in memory",
					(unsigned long long)dentry);
	*ret_inode = facts.inode;
	return NULL;
}

/* Goes to what is mounted here, and on that. */
static struct ksma_error *cross_mounts(struct ksma_paths *paths, struct ksma_place *place)
{
	struct search search = { .paths = paths };

	for (unsigned i = 0; i < MOUNTS_MAX; i++) {
		search.dentry = place->dentry;
		KSMA_TRY(searched(&search, search_mounts, place->mnt));
		if (search.found == 0)
			return inode_of(paths, place->dentry, &place->inode);
		place->mnt = search.found;
		place->dentry = search.inode;
	}
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "mounts lie on each other without an end");
}

/* "..": not above the root, and out of a mount at its root. */
static struct ksma_error *go_up(struct walk *walk)
{
	struct ksma_place *here = &walk->here;
	struct ksma_dentry_facts facts;
	struct ksma_mount_facts mount;

	for (unsigned i = 0; i < MOUNTS_MAX; i++) {
		if (here->dentry == walk->root.dentry && here->mnt == walk->root.mnt)
			return NULL;
		if (!ksma_mount_read(walk->paths, here->mnt, &mount))
			return changed();
		if (here->dentry != mount.root || mount.topmost)
			break;
		here->mnt = mount.parent;
		here->dentry = mount.mountpoint;
	}
	if (!ksma_dentry_read(walk->paths, here->dentry, &facts))
		return changed();
	here->dentry = facts.parent;
	return cross_mounts(walk->paths, here);
}

/* The target of a link: i_link where it is short, else the first page of its content. */
static struct ksma_error *read_link(struct walk *walk, uint64_t inode, char *target, size_t size)
{
	struct ksma_kernel *kernel = walk->paths->kernel;
	struct ksma_inode_identity file;
	struct ksma_cached_folio folio;
	uint64_t at = 0;

	if (kernel->off.inode__i_link >= 0 &&
	    ksma_kernel_u64(kernel, inode + (uint32_t)kernel->off.inode__i_link, &at) && at &&
	    ksma_kernel_string(kernel, at, target, size))
		return NULL;
	if (!ksma_inode_identify(walk->reader, inode, &file))
		return changed();
	KSMA_TRY(ksma_page_cache_find(walk->reader, &file, 0, &folio));
	if (folio.pages == 0 || !(folio.flags & KSMA_CACHED_UPTODATE) || file.size >= size ||
	    file.size >= KSMA_PAGE_SIZE ||
	    !ksma_guest_try_read(kernel->guest, folio.gpa, target, (size_t)file.size))
		return ksma_error_create(
			KSMA_ERROR_NOT_PRESENT,
			"where a symbolic link leads is not in the guest's memory");
	target[file.size] = 0;
	return NULL;
}

/* Puts the target of a link before what is left of the name. */
static struct ksma_error *follow(struct walk *walk, uint64_t inode)
{
	char target[KSMA_PATH_MAX], rest[sizeof(walk->rest)];
	int length;

	if (++walk->links > LINKS_MAX)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
					 "more than %d symbolic links in one name", LINKS_MAX);
	KSMA_TRY(read_link(walk, inode, target, sizeof(target)));
	length = snprintf(rest, sizeof(rest), "%s/%s", target, walk->rest);
	if (length < 0 || (size_t)length >= sizeof(rest))
		return ksma_error_create(KSMA_ERROR_LIMIT, "the name is too long");
	memcpy(walk->rest, rest, (size_t)length + 1);
	if (target[0] == '/')
		walk->here = walk->root;
	return NULL;
}

static struct ksma_error *step_down(struct walk *walk, const char *name, size_t length)
{
	struct search search = { .paths = walk->paths, .name = name, .length = length };
	struct ksma_place next = walk->here;
	struct ksma_inode_facts inode;

	KSMA_TRY(searched(&search, children, walk->here.dentry));
	if (search.found == 0 || search.inode == 0)
		return ksma_error_create(
			KSMA_ERROR_NOT_PRESENT,
			"'%.*s' is not among the names that the guest has in memory: it does not exist, or was not used lately",
			(int)length, name);
	next.dentry = search.found;
	KSMA_TRY(cross_mounts(walk->paths, &next));
	if (!ksma_inode_read(walk->paths, next.inode, &inode))
		return changed();
	if ((inode.mode & TYPE_MASK) == S_IFLNK)
		return follow(walk, next.inode);
	walk->here = next;
	return NULL;
}

struct ksma_error *ksma_lookup(struct ksma_paths *paths, struct ksma_page_cache_reader *reader,
			       const struct ksma_place *root, const struct ksma_place *cwd,
			       const char *name, struct ksma_place *ret_place)
{
	struct walk walk = { .paths = paths,
			     .reader = reader,
			     .root = *root,
			     .here = name[0] == '/' ? *root : *cwd };
	char part[KSMA_NAME_MAX + 1];

	if (strlen(name) >= KSMA_PATH_MAX)
		return ksma_error_create(KSMA_ERROR_INVALID, "the name is too long");
	strcpy(walk.rest, name);
	for (unsigned step = 0; step < STEPS_MAX; step++) {
		size_t slashes = strspn(walk.rest, "/"), length = strcspn(walk.rest + slashes, "/");

		if (length == 0) {
			*ret_place = walk.here;
			return NULL;
		}
		if (length > KSMA_NAME_MAX)
			return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
						 "a part of the name is too long");
		memcpy(part, walk.rest + slashes, length);
		part[length] = 0;
		memmove(walk.rest, walk.rest + slashes + length,
			strlen(walk.rest + slashes + length) + 1);
		if (strcmp(part, "..") == 0)
			KSMA_TRY(go_up(&walk));
		else if (strcmp(part, ".") != 0)
			KSMA_TRY(step_down(&walk, part, length));
	}
	return ksma_error_create(KSMA_ERROR_LIMIT, "the name has too many parts");
}

struct ksma_error *ksma_lookup_root(struct ksma_paths *paths, struct ksma_place *ret_root)
{
	struct ksma_place root = { .mnt = paths->root_mnt, .dentry = paths->root_dentry };

	if (root.mnt == 0 || root.dentry == 0)
		return ksma_error_create(
			KSMA_ERROR_NOT_PRESENT,
			"the guest has no process 1 whose root directory names start at");
	KSMA_TRY(inode_of(paths, root.dentry, &root.inode));
	*ret_root = root;
	return NULL;
}

struct ksma_error *ksma_lookup_task(struct ksma_paths *paths, uint64_t task,
				    struct ksma_place *ret_root, struct ksma_place *ret_cwd)
{
	struct ksma_kernel *kernel = paths->kernel;
	const struct ksma_offsets *off = &kernel->off;
	struct ksma_place root = { 0 }, cwd = { 0 };
	uint64_t fs;

	KSMA_TRY(KSMA_NEED(kernel, fs_struct__pwd_mnt));
	KSMA_TRY(KSMA_NEED(kernel, fs_struct__pwd_dentry));
	if (!ksma_kernel_u64(kernel, task + (uint32_t)off->task_struct__fs, &fs) || fs == 0 ||
	    !ksma_kernel_u64(kernel, fs + (uint32_t)off->fs_struct__root_mnt, &root.mnt) ||
	    !ksma_kernel_u64(kernel, fs + (uint32_t)off->fs_struct__root_dentry, &root.dentry) ||
	    !ksma_kernel_u64(kernel, fs + (uint32_t)off->fs_struct__pwd_mnt, &cwd.mnt) ||
	    !ksma_kernel_u64(kernel, fs + (uint32_t)off->fs_struct__pwd_dentry, &cwd.dentry))
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
					 "the process has no root directory");
	KSMA_TRY(inode_of(paths, root.dentry, &root.inode));
	KSMA_TRY(inode_of(paths, cwd.dentry, &cwd.inode));
	*ret_root = root;
	*ret_cwd = cwd;
	return NULL;
}
