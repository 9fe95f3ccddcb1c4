/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory backends of a running QEMU: where they lie in its address space, and our read-only mappings of those that are
 * shared. */
#include "guest/ram.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#include "guest/sigbus.h"

enum { RAM_THP = 2 << 20 };

void ksma_ram_deinit(struct ksma_ram *ram)
{
	for (size_t i = 0; i < ram->count; i++) {
		struct ksma_backing *b = &ram->items[i];

		ksma_sigbus_unguard(b->guard);
		if (b->map)
			munmap(b->map, b->size);
		if (b->fd >= 0)
			close(b->fd);
	}
	free(ram->items);
	*ram = (struct ksma_ram){ 0 };
}

struct ksma_backing *ksma_ram_find(struct ksma_ram *ram, const char *name)
{
	for (size_t i = 0; i < ram->count; i++)
		if (strcmp(ram->items[i].name, name) == 0)
			return &ram->items[i];
	return NULL;
}

struct ksma_error *ksma_ram_init(const struct ksma_mtree *layout, struct ksma_ram *ret_ram)
{
	struct ksma_ram ram = { 0 };

	for (size_t i = 0; i < layout->count; i++) {
		const struct ksma_mtree_range *range = &layout->items[i];
		struct ksma_backing *b = ksma_ram_find(&ram, range->backend);

		if (!b) {
			struct ksma_error *error = KSMA_ARRAY_PUSH(&ram, &b);

			if (error) {
				ksma_ram_deinit(&ram);
				return error;
			}
			memcpy(b->name, range->backend, sizeof(b->name));
			b->fd = b->guard = -1;
			b->gpa = range->gpa;
			b->gpa_offset = range->offset;
		}
		if (range->offset + range->size > b->size)
			b->size = range->offset + range->size;
	}
	*ret_ram = ram;
	return NULL;
}

static uint64_t length_of(const struct ksma_mapping *m)
{
	return m->end - m->start;
}

static bool is_shared_file(const struct ksma_mapping *m)
{
	return m->inode && m->shared && m->writable && !m->executable;
}

static bool is_anonymous(const struct ksma_mapping *m)
{
	return !m->inode && !m->shared && m->readable && m->writable && !m->executable;
}

static bool is_taken(const struct ksma_ram *ram, const struct ksma_mapping *m)
{
	for (size_t i = 0; i < ram->count; i++)
		if (ram->items[i].mapping == m)
			return true;
	return false;
}

static void take(struct ksma_backing *b, const struct ksma_mapping *m, uint64_t hva)
{
	b->mapping = m;
	b->hva = hva;
	b->file_offset = m->offset + (hva - m->start);
}

void ksma_ram_match_unique(struct ksma_ram *ram, const struct ksma_host_maps *maps)
{
	for (size_t i = 0; i < ram->count; i++) {
		const struct ksma_mapping *found = NULL;
		size_t fits = 0;

		for (size_t j = 0; j < ram->count; j++)
			fits += ram->items[j].size == ram->items[i].size;
		for (size_t j = 0; j < maps->count && fits == 1; j++) {
			if (length_of(&maps->items[j]) != ram->items[i].size ||
			    !is_shared_file(&maps->items[j]))
				continue;
			if (found)
				fits++;
			found = &maps->items[j];
		}
		if (found && fits == 1 && !ram->items[i].hva)
			take(&ram->items[i], found, found->start);
	}
}

struct ksma_error *ksma_backing_set_hva(struct ksma_backing *backing,
					const struct ksma_host_maps *maps, uint64_t hva)
{
	const struct ksma_mapping *m = ksma_host_maps_find(maps, hva);
	uint64_t start = hva - backing->gpa_offset;

	if (!m || start > hva || (m->inode && start < m->start))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "memory backend %s is not where the monitor says",
					 backing->name);
	if (m->inode && start + backing->size > m->end)
		backing->size = m->end - start;
	backing->mapping = m;
	backing->hva = start;
	backing->file_offset = m->inode ? m->offset + (start - m->start) : 0;
	return NULL;
}

/* The lowest descriptor of QEMU on that file: equal backends are told apart by the order in which they were made. */
static int descriptor_of(int pid, const struct ksma_mapping *m)
{
	struct dirent *entry;
	int lowest = INT32_MAX;
	char path[64];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	folder = opendir(path);
	if (!folder)
		return lowest;
	while ((entry = readdir(folder))) {
		struct stat st;

		if (isdigit((unsigned char)entry->d_name[0]) && atoi(entry->d_name) < lowest &&
		    fstatat(dirfd(folder), entry->d_name, &st, 0) == 0 && st.st_ino == m->inode &&
		    S_ISREG(st.st_mode))
			lowest = atoi(entry->d_name);
	}
	closedir(folder);
	return lowest;
}

/* Does a mapping fit a backend? Fits exactly, or ends with it: anonymous neighbours may have been merged. */
static bool fits(const struct ksma_host_maps *maps, const struct ksma_mapping *m,
		 const struct ksma_backing *b, const struct ksma_cmdline_backend *wanted)
{
	const char *name = ksma_mapping_name(maps, m);
	uint64_t length = length_of(m);

	if (wanted->kind == KSMA_BACKEND_RAM && !wanted->share) {
		if (!is_anonymous(m) || strcmp(name, "[heap]") == 0 || strcmp(name, "[stack]") == 0)
			return false;
		return length == b->size || (length > b->size && (m->end - b->size) % RAM_THP == 0);
	}
	if (!m->inode || !m->writable || m->executable || length != b->size)
		return false;
	if (wanted->kind == KSMA_BACKEND_MEMFD || wanted->kind == KSMA_BACKEND_RAM)
		return m->shared == wanted->share;
	/* -mem-path and mem-path= may be a folder, in which QEMU makes and removes a file. */
	return !wanted->path || strncmp(name, wanted->path, strlen(wanted->path)) == 0 ||
	       wanted->path[0] != '/';
}

static struct ksma_error *match_one(struct ksma_ram *ram, struct ksma_backing *b, int pid,
				    const struct ksma_host_maps *maps,
				    const struct ksma_cmdline_backend *wanted)
{
	const struct ksma_mapping *best = NULL;
	int best_order = 0;

	for (size_t i = 0; i < maps->count; i++) {
		const struct ksma_mapping *m = &maps->items[i];
		int order;

		if (!fits(maps, m, b, wanted) || is_taken(ram, m))
			continue;
		/* Exact before merged; files by descriptor; anonymous memory is given out from the top down. */
		order = m->inode ? descriptor_of(pid, m) : (length_of(m) == b->size ? -1 : 0);
		if (!best || order < best_order || (order == best_order && !m->inode)) {
			best = m;
			best_order = order;
		}
	}
	if (!best)
		return ksma_error_create(
			KSMA_ERROR_NOT_PRESENT,
			"no memory of the guest's size (backend %s, %llu MiB) is mapped in "
			"process %d",
			b->name, (unsigned long long)(b->size >> 20), pid);
	take(b, best, best->end - b->size);
	return NULL;
}

struct ksma_error *ksma_ram_match_cmdline(struct ksma_ram *ram, int pid,
					  const struct ksma_host_maps *maps,
					  const struct ksma_cmdline *cmdline)
{
	/* In the order of the command line, for that is the order in which QEMU makes them. */
	for (size_t i = 0; i < cmdline->backend_count; i++) {
		struct ksma_backing *b = ksma_ram_find(ram, cmdline->backends[i].id);

		if (b && !b->hva)
			KSMA_TRY(match_one(ram, b, pid, maps, &cmdline->backends[i]));
	}
	return NULL;
}

static struct ksma_error *map_one(struct ksma_backing *b, int pid)
{
	_cleanup_close_ int fd = -1;
	size_t page = KSMA_PAGE_SIZE;
	struct statfs fs;
	struct stat st;
	void *map;

	KSMA_TRY(ksma_mapping_open(pid, b->mapping, &fd));
	if (fstat(fd, &st) < 0)
		return ksma_error_os(errno, "memory file of backend %s", b->name);
	if (fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC)
		page = (size_t)fs.f_bsize;
	b->huge = page != KSMA_PAGE_SIZE;
	if (!ksma_in_range(b->file_offset, b->size, (uint64_t)st.st_size))
		return ksma_error_create(KSMA_ERROR_LOST,
					 "the memory file of backend %s is shorter than its memory",
					 b->name);
	map = mmap(NULL, b->size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, (off_t)b->file_offset);
	if (map == MAP_FAILED)
		return ksma_error_os(errno, "map %llu MiB of backend %s",
				     (unsigned long long)(b->size >> 20), b->name);
	b->guard = ksma_sigbus_guard(map, b->size, page);
	if (b->guard < 0) {
		munmap(map, b->size);
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "too many guests are open in this process");
	}
	madvise(map, b->size, MADV_DONTDUMP);
	b->map = map;
	b->fd = TAKE_FD(fd);
	return NULL;
}

/* A private mapping of a file is copied out of QEMU, which may have pages of its own; the file only tells where it holds data. */
static struct ksma_error *open_private(struct ksma_backing *b, int pid)
{
	b->copied_file = true;
	return ksma_mapping_open(pid, b->mapping, &b->fd);
}

/* Maps one backend, or leaves it to be copied. A file may be out of reach (shared anonymous memory has no descriptor, and
 * map_files is root's); its memory is copied then, too, and all of it counts as data. */
static struct ksma_error *reach(struct ksma_backing *b, int pid)
{
	bool shared = is_shared_file(b->mapping) && b->file_offset % KSMA_PAGE_SIZE == 0;
	struct ksma_error *error = shared ? map_one(b, pid) : open_private(b, pid);

	if (!error || error->code != KSMA_ERROR_PERMISSION)
		return error;
	ksma_error_destroy(error);
	b->copied_file = true;
	return NULL;
}

struct ksma_error *ksma_ram_map(struct ksma_ram *ram, int pid)
{
	for (size_t i = 0; i < ram->count; i++) {
		struct ksma_backing *b = &ram->items[i];

		if (!b->mapping)
			return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
						 "memory backend %s was not found in process %d",
						 b->name, pid);
		if (b->mapping->inode)
			KSMA_TRY(reach(b, pid));
		b->mapping = NULL;
	}
	return NULL;
}

struct ksma_error *ksma_ram_regions(struct ksma_ram *ram, const struct ksma_mtree *layout,
				    struct ksma_guest *guest)
{
	if (layout->count > KSMA_MAX_REGIONS)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "the guest's memory is in over %d pieces",
					 KSMA_MAX_REGIONS);
	for (size_t i = 0; i < layout->count; i++) {
		const struct ksma_mtree_range *range = &layout->items[i];
		const struct ksma_backing *b = ksma_ram_find(ram, range->backend);

		if (!b || !ksma_in_range(range->offset, range->size, b->size))
			return ksma_error_create(
				KSMA_ERROR_BAD_DATA,
				"memory backend %s is smaller than what the guest sees of it",
				range->backend);
		guest->regions[i] = (struct ksma_ram_region){
			.gpa = range->gpa,
			.size = range->size,
			.map = b->map ? b->map + range->offset : NULL,
			.hva = b->hva + range->offset,
			.file_offset = b->file_offset + range->offset,
			.fd = b->fd,
		};
	}
	guest->region_count = layout->count;
	return NULL;
}

const struct ksma_backing *ksma_ram_at(const struct ksma_ram *ram, uint64_t hva)
{
	for (size_t i = 0; i < ram->count; i++)
		if (hva - ram->items[i].hva < ram->items[i].size)
			return &ram->items[i];
	return NULL;
}

bool ksma_ram_is_damaged(const struct ksma_ram *ram)
{
	for (size_t i = 0; i < ram->count; i++) {
		const struct ksma_backing *b = &ram->items[i];
		struct stat st;

		if (!b->map)
			continue;
		if (ksma_sigbus_faults(b->guard) || fstat(b->fd, &st) < 0 ||
		    !ksma_in_range(b->file_offset, b->size, (uint64_t)st.st_size))
			return true;
	}
	return false;
}
