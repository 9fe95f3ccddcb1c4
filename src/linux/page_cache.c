/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Goes from an inode to the frames that hold its pages.
 *
 * An inode's i_mapping has an xarray of pointers to struct page or struct folio, indexed by page; a value in it is the shadow of a
 * page that was evicted, or for shmem its place in swap. struct page lies in the array at vmemmap, so that its address is its frame.
 * A large folio has one entry that covers several indices, or (before 5.17, 6b24ca4a1a8d "mm: Use multi-index entries in the page
 * cache") the same entry at each.
 * Source: mm/filemap.c, include/linux/pagemap.h, include/linux/mm_types.h, include/linux/page-flags.h, fs/overlayfs/ovl_entry.h. */
#include "linux/page_cache.h"

#include "linux/retry.h"

#include <sys/stat.h>

enum {
	PAGES_MAX = 1 << 24,	/* of one list: 64 GiB in small pages */
	FOLIO_MAX = 1 << 18,	/* a page of 1 GiB */
	I_VERSION_SHIFT = 1,	/* include/linux/iversion.h */
	OVL_UPPERDATA = 3,	/* bit of ovl_inode.flags: fs/overlayfs/overlayfs.h */
	HUGETLBFS = 0x958458f6, /* include/uapi/linux/magic.h */
};

/* i_ctime was a timespec64, then so under another name (13bc24457850 "fs: rename i_ctime field to __i_ctime", 6.6), and is two
 * numbers since 3aa63a569c64 ("fs: switch timespec64 fields in inode to discrete integers", 6.11). */
static int32_t ctime_seconds(const struct ksma_offsets *off)
{
	if (off->inode__i_ctime_sec >= 0)
		return off->inode__i_ctime_sec;
	return off->inode____i_ctime_tv_sec >= 0 ? off->inode____i_ctime_tv_sec
						 : off->inode__i_ctime_tv_sec;
}

static int32_t ctime_nanoseconds(const struct ksma_offsets *off)
{
	if (off->inode__i_ctime_nsec >= 0)
		return off->inode__i_ctime_nsec;
	return off->inode____i_ctime_tv_nsec >= 0 ? off->inode____i_ctime_tv_nsec
						  : off->inode__i_ctime_tv_nsec;
}

static void add_windows(struct ksma_page_cache_reader *reader)
{
	const struct ksma_offsets *off = &reader->kernel->off;

	ksma_window_add(&reader->inode, off->inode__i_mode, 2);
	ksma_window_add(&reader->inode, off->inode__i_uid, 4);
	ksma_window_add(&reader->inode, off->inode__i_gid, 4);
	ksma_window_add(&reader->inode, off->inode__i_sb, 8);
	ksma_window_add(&reader->inode, off->inode__i_mapping, 8);
	ksma_window_add(&reader->inode, off->inode__i_ino, 8);
	ksma_window_add(&reader->inode, off->inode__i_size, 8);
	ksma_window_add(&reader->inode, off->inode__i_generation, 4);
	ksma_window_add(&reader->inode, off->inode__i_version, 8);
	ksma_window_add(&reader->inode, ctime_seconds(off), 8);
	ksma_window_add(&reader->inode, ctime_nanoseconds(off), 4);
	ksma_window_add(&reader->sb, off->super_block__s_dev, 4);
	ksma_window_add(&reader->sb, off->super_block__s_magic, 8);
	ksma_window_add(&reader->sb, off->super_block__s_id, 32);
	ksma_window_add(&reader->sb, off->super_block__s_uuid, 16);
	ksma_window_add(&reader->folio, off->page__flags, 8);
	ksma_window_add(&reader->folio, reader->mapping, 8);
	ksma_window_add(&reader->folio, reader->index, 8);
}

/* The number of pages is in the second struct page: compound_nr, since 5.17 also folio's _folio_nr_pages, _nr_pages since 6.15
 * (f9b9fd8ba0d1 and its neighbours in mm_types.h), all of which the kernel fills. */
static int32_t pages_offset(const struct ksma_kernel *kernel)
{
	const struct ksma_offsets *off = &kernel->off;

	if (off->folio___nr_pages >= 0)
		return off->folio___nr_pages;
	if (off->folio___folio_nr_pages >= 0)
		return off->folio___folio_nr_pages;
	return off->page__compound_nr >= 0 ? off->page__compound_nr + (int32_t)kernel->size.page
					   : KSMA_NO_MEMBER;
}

static struct ksma_error *check_members(const struct ksma_kernel *kernel)
{
	KSMA_TRY(KSMA_NEED(kernel, inode__i_mode));
	KSMA_TRY(KSMA_NEED(kernel, inode__i_sb));
	KSMA_TRY(KSMA_NEED(kernel, inode__i_mapping));
	KSMA_TRY(KSMA_NEED(kernel, inode__i_ino));
	KSMA_TRY(KSMA_NEED(kernel, inode__i_size));
	KSMA_TRY(KSMA_NEED(kernel, super_block__s_dev));
	KSMA_TRY(KSMA_NEED(kernel, super_block__s_magic));
	KSMA_TRY(KSMA_NEED(kernel, super_block__s_type));
	KSMA_TRY(KSMA_NEED(kernel, file_system_type__name));
	KSMA_TRY(KSMA_NEED(kernel, address_space__host));
	KSMA_TRY(KSMA_NEED(kernel, address_space__i_pages));
	KSMA_TRY(KSMA_NEED(kernel, address_space__nrpages));
	KSMA_TRY(KSMA_NEED(kernel, page__flags));
	if (kernel->enums.PG_uptodate < 0 || kernel->enums.PG_head < 0 || kernel->size.page == 0 ||
	    kernel->size.page > 4096 || kernel->vmemmap == 0)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"this kernel's struct page, or where the array of them lies, is not known");
	return NULL;
}

struct ksma_error *ksma_page_cache_init(struct ksma_page_cache_reader *reader,
					struct ksma_kernel *kernel)
{
	const struct ksma_offsets *off = &kernel->off;
	struct ksma_page_cache_reader made = { .kernel = kernel };

	KSMA_TRY(check_members(kernel));
	/* The kernel uses struct page for folios until 5.16, and drops their members from it in 6.x, one by one. */
	made.mapping = off->folio__mapping >= 0 ? off->folio__mapping : off->page__mapping;
	made.index = off->folio__index >= 0 ? off->folio__index : off->page__index;
	made.pages = pages_offset(kernel);
	if (made.mapping < 0 || made.index < 0 || made.pages < 0)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"this kernel's struct folio is of a form that ksma does not know");
	/* Until a08c7193e4f1 ("mm/filemap: remove hugetlb special casing in filemap.c", 6.7), which also removed this function. */
	made.huge_units = ksma_kernel_symbol(kernel, "hugetlb_basepage_index") != 0;
	add_windows(&made);
	KSMA_TRY(ksma_window_check(&made.inode, "inode"));
	KSMA_TRY(ksma_window_check(&made.sb, "super_block"));
	KSMA_TRY(ksma_window_check(&made.folio, "folio"));
	*reader = made;
	return NULL;
}

static bool identify_sb(struct ksma_page_cache_reader *reader, struct ksma_inode_identity *identity)
{
	struct ksma_kernel *kernel = reader->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint8_t bytes[KSMA_WINDOW_MAX];
	uint64_t type, name;
	const uint8_t *p;

	if (!ksma_window_read(kernel, &reader->sb, identity->sb, bytes))
		return false;
	identity->dev = ksma_window_u32(&reader->sb, bytes, off->super_block__s_dev);
	identity->magic = ksma_window_u64(&reader->sb, bytes, off->super_block__s_magic);
	p = ksma_window_at(&reader->sb, bytes, off->super_block__s_id, sizeof(identity->id));
	if (p)
		memcpy(identity->id, p, sizeof(identity->id) - 1);
	p = ksma_window_at(&reader->sb, bytes, off->super_block__s_uuid, sizeof(identity->uuid));
	if (p)
		memcpy(identity->uuid, p, sizeof(identity->uuid));
	return ksma_kernel_u64(kernel, identity->sb + (uint32_t)off->super_block__s_type, &type) &&
	       ksma_kernel_u64(kernel, type + (uint32_t)off->file_system_type__name, &name) &&
	       ksma_kernel_string(kernel, name, identity->fstype, sizeof(identity->fstype));
}

bool ksma_inode_identify(struct ksma_page_cache_reader *reader, uint64_t inode,
			 struct ksma_inode_identity *ret_identity)
{
	const struct ksma_offsets *off = &reader->kernel->off;
	const struct ksma_window *w = &reader->inode;
	struct ksma_inode_identity identity;
	uint8_t bytes[KSMA_WINDOW_MAX];
	const uint8_t *mode;

	if (inode == 0 || !ksma_window_read(reader->kernel, w, inode, bytes))
		return false;
	mode = ksma_window_at(w, bytes, off->inode__i_mode, 2);
	memset(&identity, 0, sizeof(identity));
	identity.inode = inode;
	identity.sb = ksma_window_u64(w, bytes, off->inode__i_sb);
	identity.mapping = ksma_window_u64(w, bytes, off->inode__i_mapping);
	identity.number = ksma_window_u64(w, bytes, off->inode__i_ino);
	identity.generation = ksma_window_u32(w, bytes, off->inode__i_generation);
	identity.mode = mode ? ksma_le16(mode) : 0;
	identity.uid = ksma_window_u32(w, bytes, off->inode__i_uid);
	identity.gid = ksma_window_u32(w, bytes, off->inode__i_gid);
	identity.size = ksma_window_u64(w, bytes, off->inode__i_size);
	identity.version = ksma_window_u64(w, bytes, off->inode__i_version) >> I_VERSION_SHIFT;
	identity.ctime_s = (int64_t)ksma_window_u64(w, bytes, ctime_seconds(off));
	identity.ctime_ns = ksma_window_u32(w, bytes, ctime_nanoseconds(off));
	if (!identify_sb(reader, &identity))
		return false;
	*ret_identity = identity;
	return true;
}

bool ksma_inode_is_same(const struct ksma_inode_identity *a, const struct ksma_inode_identity *b)
{
	return a->inode == b->inode && a->sb == b->sb && a->mapping == b->mapping &&
	       a->dev == b->dev && strcmp(a->id, b->id) == 0 && strcmp(a->fstype, b->fstype) == 0 &&
	       a->magic == b->magic && memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0 &&
	       a->number == b->number && a->generation == b->generation && a->mode == b->mode &&
	       a->uid == b->uid && a->gid == b->gid && a->size == b->size &&
	       a->version == b->version && a->ctime_s == b->ctime_s && a->ctime_ns == b->ctime_ns;
}

static struct ksma_error *no_folio(uint64_t mapping, uint64_t index, const char *how)
{
	return ksma_error_create(
		KSMA_ERROR_BAD_DATA,
		"the page cache at 0x%llx: page %llu %s (it changed while it was read, or was tampered with)",
		(unsigned long long)mapping, (unsigned long long)index, how);
}

static unsigned translate_flags(const struct ksma_enumerators *enums, uint64_t flags)
{
	const struct {
		int32_t bit;
		unsigned flag;
	} bits[] = {
		{ enums->PG_uptodate, KSMA_CACHED_UPTODATE },
		{ enums->PG_dirty, KSMA_CACHED_DIRTY },
		{ enums->PG_writeback, KSMA_CACHED_WRITEBACK },
		{ enums->PG_locked, KSMA_CACHED_LOCKED },
		{ enums->PG_hwpoison, KSMA_CACHED_POISONED },
	};
	unsigned result = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		if (bits[i].bit >= 0 && bits[i].bit < 64 && (flags >> bits[i].bit & 1))
			result |= bits[i].flag;
	return result;
}

/* Reads the folio of an entry of `mapping`. What it says of itself has to fit: whose it is, how large, and that it holds `index`. */
static struct ksma_error *read_folio(struct ksma_page_cache_reader *reader,
				     const struct ksma_inode_identity *file, uint64_t entry,
				     uint64_t index, struct ksma_cached_folio *ret)
{
	struct ksma_kernel *kernel = reader->kernel;
	uint64_t distance = entry - kernel->vmemmap, frame = distance / kernel->size.page, flags;
	uint8_t bytes[KSMA_WINDOW_MAX];
	struct ksma_cached_folio folio;
	uint32_t pages = 1;

	if (entry < kernel->vmemmap || distance % kernel->size.page || frame >> 40 ||
	    !ksma_guest_is_ram(kernel->guest, frame * KSMA_PAGE_SIZE))
		return no_folio(file->mapping, index, "is no struct page");
	if (!ksma_window_read(kernel, &reader->folio, entry, bytes))
		return no_folio(file->mapping, index, "has a struct page that is not in memory");
	if (ksma_window_u64(&reader->folio, bytes, reader->mapping) != file->mapping)
		return no_folio(file->mapping, index, "belongs to another file");
	flags = ksma_window_u64(&reader->folio, bytes, kernel->off.page__flags);
	if ((flags >> (kernel->enums.PG_head & 63) & 1) &&
	    !ksma_kernel_u32(kernel, entry + (uint32_t)reader->pages, &pages))
		return no_folio(file->mapping, index, "has a struct page that is not in memory");
	folio = (struct ksma_cached_folio){
		.index = ksma_window_u64(&reader->folio, bytes, reader->index),
		.pages = pages,
		.gpa = frame * KSMA_PAGE_SIZE,
		.flags = translate_flags(&kernel->enums, flags),
	};
	if (pages == 0 || pages > FOLIO_MAX || (pages & (pages - 1)) || frame % pages)
		return no_folio(file->mapping, index, "is in a folio of no possible size");
	if (file->magic == HUGETLBFS && reader->huge_units) {
		if (folio.index != index || folio.index > UINT64_MAX / pages)
			return no_folio(file->mapping, index, "is in a folio of another place");
		folio.index *= pages;
	} else if (index - folio.index >= pages || folio.index % pages) {
		return no_folio(file->mapping, index, "is in a folio of another place");
	}
	if (!ksma_guest_is_ram(kernel->guest, (frame + pages - 1) * KSMA_PAGE_SIZE))
		return no_folio(file->mapping, index, "is in a folio that is not all RAM");
	*ret = folio;
	return NULL;
}

/* In the cache of shmem a value is a place in swap; elsewhere it is the memory of a page that was evicted. */
static bool has_swap(const struct ksma_inode_identity *file)
{
	return strcmp(file->fstype, "tmpfs") == 0 || strcmp(file->fstype, "devtmpfs") == 0 ||
	       strcmp(file->fstype, "rootfs") == 0;
}

struct list_walk {
	struct ksma_page_cache_reader *reader;
	const struct ksma_inode_identity *file;
	struct ksma_cached_folios *folios;
	uint64_t next; /* first index that the folios so far do not hold */
	uint64_t pages;
	struct ksma_error *error;
};

static struct ksma_error *take(struct list_walk *walk, uint64_t index, uint64_t entry)
{
	struct ksma_cached_folio folio = { .index = index, .pages = 1, .flags = KSMA_CACHED_AWAY };
	struct ksma_cached_folio *item;

	if (!(entry & 1)) {
		KSMA_TRY(read_folio(walk->reader, walk->file, entry, index, &folio));
		/* Before 5.17 a large folio is at each of its indices. */
		if (folio.index + folio.pages == walk->next)
			return NULL;
	} else if (!has_swap(walk->file)) {
		return NULL;
	}
	if (folio.index < walk->next)
		return no_folio(walk->file->mapping, index, "is in two folios");
	walk->pages += folio.pages;
	if (walk->pages > PAGES_MAX)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "the page cache at 0x%llx holds more than %d pages",
					 (unsigned long long)walk->file->mapping, PAGES_MAX);
	KSMA_TRY(KSMA_ARRAY_PUSH(walk->folios, &item));
	*item = folio;
	walk->next = folio.index + folio.pages;
	return NULL;
}

static bool on_entry(void *arg, uint64_t index, uint64_t entry)
{
	struct list_walk *walk = arg;

	walk->error = take(walk, index, entry);
	return !walk->error;
}

/* The tree of the file, after a look at whose it is. */
static struct ksma_error *find_tree(struct ksma_page_cache_reader *reader,
				    const struct ksma_inode_identity *file, uint64_t *ret_root)
{
	struct ksma_kernel *kernel = reader->kernel;
	uint64_t host;

	if (!ksma_kernel_u64(kernel, file->mapping + (uint32_t)kernel->off.address_space__host,
			     &host))
		return ksma_error_fault(file->mapping, "the address space at 0x%llx is not mapped",
					(unsigned long long)file->mapping);
	/* A block device's cache belongs to the inode of the device, whichever file opened it. */
	if (host != file->inode && !S_ISBLK(file->mode))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the page cache at 0x%llx is that of another inode",
					 (unsigned long long)file->mapping);
	*ret_root = file->mapping + (uint32_t)kernel->off.address_space__i_pages;
	return NULL;
}

static struct ksma_error *list_once(struct ksma_page_cache_reader *reader,
				    const struct ksma_inode_identity *file,
				    struct ksma_cached_folios *folios)
{
	struct list_walk walk = { .reader = reader, .file = file, .folios = folios };
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_error *error;
	uint64_t root;

	folios->count = 0;
	KSMA_TRY(find_tree(reader, file, &root));
	error = ksma_kernel_xarray(reader->kernel, root, &budget, on_entry, &walk);
	if (!walk.error)
		return error;
	ksma_error_destroy(error);
	return walk.error;
}

struct ksma_error *ksma_page_cache_list(struct ksma_page_cache_reader *reader,
					const struct ksma_inode_identity *file,
					struct ksma_cached_folios *ret_folios)
{
	struct ksma_cached_folios folios = { 0 };
	struct ksma_error *error;
	unsigned attempt = 0;

	do
		error = list_once(reader, file, &folios);
	while (ksma_kernel_retry(reader->kernel, &attempt, &error));
	if (error) {
		free(folios.items);
		return error;
	}
	*ret_folios = folios;
	return NULL;
}

struct ksma_error *ksma_page_cache_find(struct ksma_page_cache_reader *reader,
					const struct ksma_inode_identity *file, uint64_t index,
					struct ksma_cached_folio *ret_folio)
{
	struct ksma_cached_folio folio = { .index = index };
	bool huge = file->magic == HUGETLBFS && reader->huge_units;
	uint64_t root, entry;

	/* Of what size its pages are, only a page can tell. */
	if (huge)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "a page of hugetlbfs is looked up by listing its file");
	KSMA_TRY(find_tree(reader, file, &root));
	KSMA_TRY(ksma_kernel_xarray_load(reader->kernel, root, index, &entry));
	if (entry & 1 && has_swap(file)) {
		folio.pages = 1;
		folio.flags = KSMA_CACHED_AWAY;
	} else if (entry && !(entry & 1)) {
		KSMA_TRY(read_folio(reader, file, entry, index, &folio));
	}
	*ret_folio = folio;
	return NULL;
}

const struct ksma_cached_folio *ksma_cached_folio_at(const struct ksma_cached_folios *folios,
						     uint64_t index)
{
	size_t low = 0, high = folios->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct ksma_cached_folio *folio = &folios->items[middle];

		if (index - folio->index < folio->pages)
			return folio;
		if (folio->index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* True for an inode that is none of the overlay's and has a page cache of its own. */
static bool is_real(struct ksma_page_cache_reader *reader, uint64_t inode, uint64_t overlay_sb)
{
	struct ksma_kernel *kernel = reader->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t mapping, host, sb;

	return inode && ksma_kernel_u64(kernel, inode + (uint32_t)off->inode__i_sb, &sb) &&
	       sb != overlay_sb &&
	       ksma_kernel_u64(kernel, inode + (uint32_t)off->inode__i_mapping, &mapping) &&
	       ksma_kernel_u64(kernel, mapping + (uint32_t)off->address_space__host, &host) &&
	       host == inode;
}

/* The inode of a dentry of another file system than the overlay's, or 0. */
static uint64_t inode_of_dentry(struct ksma_page_cache_reader *reader, uint64_t dentry,
				uint64_t overlay_sb)
{
	struct ksma_kernel *kernel = reader->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t inode, sb, inode_sb;

	if (dentry == 0 || off->dentry__d_inode < 0 || off->dentry__d_sb < 0 ||
	    !ksma_kernel_u64(kernel, dentry + (uint32_t)off->dentry__d_inode, &inode) ||
	    !ksma_kernel_u64(kernel, dentry + (uint32_t)off->dentry__d_sb, &sb) ||
	    !is_real(reader, inode, overlay_sb) ||
	    !ksma_kernel_u64(kernel, inode + (uint32_t)off->inode__i_sb, &inode_sb) ||
	    inode_sb != sb)
		return 0;
	return inode;
}

/* The overlay is a module, and the types of modules are not read: what lies behind the VFS's inode in struct ovl_inode is told by
 * what it points to. It is the upper dentry, and then, for the lower layer: an inode until 5.19, a pair of layer and dentry
 * (ffa5723c6d25 "ovl: store lower path in ovl_inode"), or since 6.5 a pointer to a count and such pairs (0af950f57fef
 * "ovl: move ovl_entry into ovl_inode"). */
struct ksma_error *ksma_overlay_real(struct ksma_page_cache_reader *reader, uint64_t inode,
				     uint64_t *ret_inode)
{
	struct ksma_kernel *kernel = reader->kernel;
	uint64_t behind = inode + kernel->size.inode, words[3], flags, sb, real, dentry;

	if (kernel->size.inode == 0 ||
	    !ksma_kernel_u64(kernel, inode + (uint32_t)kernel->off.inode__i_sb, &sb) ||
	    !ksma_kernel_u64(kernel, inode - 8, &flags) ||
	    !ksma_kernel_bytes(kernel, behind, words, sizeof(words)))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the overlay's inode at 0x%llx is not in memory",
					 (unsigned long long)inode);
	real = inode_of_dentry(reader, words[0], sb);
	if (words[0] == 0 || (real && !(flags >> OVL_UPPERDATA & 1))) {
		uint64_t upper = real;

		if (is_real(reader, words[1], sb))
			real = words[1];
		else if (!(real = inode_of_dentry(reader, words[2], sb)) &&
			 ksma_kernel_u64(kernel, words[1] + 16, &dentry))
			real = inode_of_dentry(reader, dentry, sb);
		/* Only the attributes were copied up where there is content below. */
		if (!real)
			real = upper;
	}
	if (!real)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"the file behind the overlay's inode at 0x%llx could not be told",
			(unsigned long long)inode);
	*ret_inode = real;
	return NULL;
}
