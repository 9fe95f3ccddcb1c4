/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory areas of a process, as /proc/PID/maps lists them.
 *
 * Source: fs/proc/task_mmu.c (show_map_vma, get_vma_name), include/linux/mm.h, arch/x86/entry/vsyscall/vsyscall_64.c. */
#include "linux/areas.h"
#include "linux/processes.h"
#include "linux/retry.h"

enum {
	VSYSCALL_NONE = 2,     /* enum of vsyscall_mode */
	HAS_VSYSCALL = 1 << 1, /* bit MM_CONTEXT_HAS_VSYSCALL */
	NAME_LENGTH = 256,
};

struct look {
	struct ksma_kernel *kernel;
	struct ksma_paths paths;
	struct ksma_area_reader reader;
	uint64_t task, mm;
	uint64_t brk, start_brk, start_stack;
	struct ksma_areas areas;
	struct ksma_maps maps;
	size_t unreadable;
	uint64_t first_unreadable;
};

/* @ret_torn it is worth another try */
static struct ksma_error *collect(struct look *look, bool *ret_torn)
{
	struct ksma_kernel *kernel = look->kernel;
	const struct ksma_offsets *off = &kernel->off;

	*ret_torn = true;
	look->areas.count = 0;
	if (!ksma_kernel_u64(kernel, look->mm + (uint32_t)off->mm_struct__brk, &look->brk) ||
	    !ksma_kernel_u64(kernel, look->mm + (uint32_t)off->mm_struct__start_brk,
			     &look->start_brk) ||
	    !ksma_kernel_u64(kernel, look->mm + (uint32_t)off->mm_struct__start_stack,
			     &look->start_stack))
		return NULL;
	return ksma_areas_read(&look->reader, look->mm, &look->areas, ret_torn);
}

/* The heap has an exact border since the kernel has locks for single areas (6.4 to 6.6: "mm: factor out VMA stack and heap
 * checks"); before it, an area that only touches it was called heap too. */
static bool is_heap(const struct look *look, const struct ksma_area *area)
{
	if (look->kernel->off.vm_area_struct__vm_lock_seq >= 0)
		return area->start < look->brk && area->end > look->start_brk;
	return area->start <= look->brk && area->end >= look->start_brk;
}

static bool is_stack(const struct look *look, const struct ksma_area *area)
{
	return area->start <= look->start_stack && area->end >= look->start_stack;
}

/* prctl(PR_SET_VMA_ANON_NAME). Until 6.2 the name shared its place with the links of file mappings. */
static bool anon_name(struct look *look, const struct ksma_area *area, const char *format,
		      char *buffer, size_t size)
{
	const struct ksma_offsets *off = &look->kernel->off;
	bool shares = off->vm_area_struct__shared_rb >= 0 &&
		      off->vm_area_struct__anon_name == off->vm_area_struct__shared_rb;
	char name[NAME_LENGTH];
	uint64_t at;

	if (off->vm_area_struct__anon_name < 0 || off->anon_vma_name__name < 0 ||
	    (area->file && shares) ||
	    !ksma_kernel_u64(look->kernel, area->address + (uint32_t)off->vm_area_struct__anon_name,
			     &at) ||
	    at == 0 ||
	    !ksma_kernel_string(look->kernel, at + (uint32_t)off->anon_vma_name__name, name,
				sizeof(name)))
		return false;
	snprintf(buffer, size, "[%s:%s]", format, name);
	return true;
}

static struct ksma_error *name_plain(struct look *look, const struct ksma_area *area,
				     struct ksma_map *map)
{
	char name[NAME_LENGTH + 16];

	if (ksma_area_special_name(&look->reader, area, name, sizeof(name)))
		return ksma_strdup(name, &map->path);
	if (is_heap(look, area))
		return ksma_strdup("[heap]", &map->path);
	if (is_stack(look, area))
		return ksma_strdup("[stack]", &map->path);
	if (anon_name(look, area, "anon", name, sizeof(name)))
		return ksma_strdup(name, &map->path);
	return NULL;
}

static struct ksma_error *name_file(struct look *look, const struct ksma_area *area,
				    struct ksma_map *map, bool *ret_whole)
{
	char name[NAME_LENGTH + 16];
	struct ksma_inode_facts inode;
	struct ksma_file_facts facts;
	struct ksma_path path;

	*ret_whole = false;
	if (!ksma_file_read(&look->paths, area->file, &facts))
		return NULL;
	ksma_file_user_path(&look->paths, area->file, &facts);
	if (!ksma_inode_read(&look->paths, facts.inode, &inode))
		return NULL;
	map->inode = inode.number;
	map->major = ksma_dev_major(inode.dev);
	map->minor = ksma_dev_minor(inode.dev);
	map->offset = area->pgoff << 12;
	*ret_whole = true;
	if (anon_name(look, area, "anon_shmem", name, sizeof(name)))
		return ksma_strdup(name, &map->path);
	*ret_whole = ksma_path_show(&look->paths, facts.mnt, facts.dentry, &path);
	return *ret_whole ? ksma_strdup(path.text, &map->path) : NULL;
}

static struct ksma_error *describe(struct look *look, const struct ksma_area *area)
{
	struct ksma_map *map;
	bool whole = true;

	KSMA_TRY(KSMA_ARRAY_PUSH(&look->maps, &map));
	map->start = area->start;
	map->end = area->end;
	map->flags = area->flags;
	map->perms[0] = area->flags & KSMA_VM_READ ? 'r' : '-';
	map->perms[1] = area->flags & KSMA_VM_WRITE ? 'w' : '-';
	map->perms[2] = area->flags & KSMA_VM_EXEC ? 'x' : '-';
	map->perms[3] = area->flags & KSMA_VM_MAYSHARE ? 's' : 'p';
	if (!area->file)
		return name_plain(look, area, map);
	KSMA_TRY(name_file(look, area, map, &whole));
	if (!whole && look->unreadable++ == 0)
		look->first_unreadable = area->start;
	return NULL;
}

/* The page of the old vsyscalls is in no tree; the kernel keeps one made-up area for it. */
static struct ksma_error *add_gate(struct look *look)
{
	struct ksma_kernel *kernel = look->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t gate = ksma_kernel_symbol(kernel, "gate_vma"),
		 mode_at = ksma_kernel_symbol(kernel, "vsyscall_mode"), flags;
	struct ksma_area area;
	uint32_t mode;

	if (!gate || !mode_at || !ksma_kernel_u32(kernel, mode_at, &mode) ||
	    mode >= VSYSCALL_NONE || !ksma_area_read(&look->reader, gate, &area))
		return NULL;
	/* A flag of mm->context since 5.11; before it, all programs had the page but those of 32 bits. */
	if (off->mm_struct__context_flags >= 0) {
		if (!ksma_kernel_u64(kernel, look->mm + (uint32_t)off->mm_struct__context_flags,
				     &flags) ||
		    !(flags & HAS_VSYSCALL))
			return NULL;
	} else if (off->mm_struct__context_ia32_compat >= 0) {
		if (!ksma_kernel_u64(kernel,
				     look->mm + (uint32_t)off->mm_struct__context_ia32_compat,
				     &flags) ||
		    (flags & 0xffff))
			return NULL;
	}
	area.file = 0;
	KSMA_TRY(describe(look, &area));
	free(look->maps.items[look->maps.count - 1].path);
	look->maps.items[look->maps.count - 1].path = NULL;
	return ksma_strdup("[vsyscall]", &look->maps.items[look->maps.count - 1].path);
}

/* True when the areas, and whose they are, have not changed since they were read. */
static bool is_unchanged(struct look *look)
{
	struct ksma_kernel *kernel = look->kernel;
	struct ksma_area now;
	uint32_t count;
	uint64_t mm;

	if (!ksma_kernel_u64(kernel, look->task + (uint32_t)kernel->off.task_struct__mm, &mm) ||
	    mm != look->mm ||
	    !ksma_kernel_u32(kernel, look->mm + (uint32_t)kernel->off.mm_struct__map_count,
			     &count) ||
	    count != look->areas.count)
		return false;
	for (size_t i = 0; i < look->areas.count; i++)
		if (!ksma_area_read(&look->reader, look->areas.items[i].address, &now) ||
		    memcmp(&now, &look->areas.items[i], sizeof(now)) != 0)
			return false;
	return true;
}

/* @ret_done false: it changed meanwhile */
static struct ksma_error *attempt(struct look *look, bool *ret_done)
{
	struct ksma_kernel *kernel = look->kernel;
	uint32_t flags;
	bool torn;

	*ret_done = false;
	ksma_maps_free(&look->maps);
	look->unreadable = 0;
	if (!ksma_kernel_u64(kernel, look->task + (uint32_t)kernel->off.task_struct__mm,
			     &look->mm) ||
	    !ksma_kernel_u32(kernel, look->task + (uint32_t)kernel->off.task_struct__flags, &flags))
		return NULL;
	if (look->mm == 0 || (flags & KSMA_PF_KTHREAD)) {
		*ret_done = true;
		return NULL;
	}
	KSMA_TRY(collect(look, &torn));
	for (size_t i = 0; i < look->areas.count; i++)
		KSMA_TRY(describe(look, &look->areas.items[i]));
	KSMA_TRY(add_gate(look));
	if (torn)
		return NULL;
	if (ksma_kernel_is_copied(kernel))
		KSMA_TRY(ksma_kernel_refresh(kernel));
	*ret_done = is_unchanged(look);
	return NULL;
}

static struct ksma_error *look_until_stable(struct look *look, struct ksma_coverage *coverage)
{
	bool done = false, again = true;
	unsigned looks = 0;

	while (!done && again) {
		KSMA_TRY(attempt(look, &done));
		if (!done)
			KSMA_TRY(ksma_kernel_look_again(look->kernel, &looks, &again));
	}
	if (!done)
		ksma_coverage_gap(
			coverage, KSMA_COVERAGE_PARTIAL,
			"the memory areas kept changing, or do not hang together, in %u looks: %zu are listed",
			looks, look->maps.count);
	if (look->unreadable)
		ksma_coverage_gap(
			coverage, KSMA_COVERAGE_PARTIAL,
			"the files of %zu memory areas are not wholly in memory, that at 0x%llx the first",
			look->unreadable, (unsigned long long)look->first_unreadable);
	return NULL;
}

static struct ksma_error *check_members(const struct ksma_kernel *kernel)
{
	KSMA_TRY(KSMA_NEED(kernel, task_struct__mm));
	KSMA_TRY(KSMA_NEED(kernel, task_struct__flags));
	KSMA_TRY(KSMA_NEED(kernel, mm_struct__brk));
	KSMA_TRY(KSMA_NEED(kernel, mm_struct__start_brk));
	KSMA_TRY(KSMA_NEED(kernel, mm_struct__start_stack));
	return NULL;
}

KSMA_API struct ksma_error *ksma_linux_maps(struct ksma_kernel *kernel, int32_t pid,
					    struct ksma_coverage *coverage,
					    struct ksma_maps *ret_maps)
{
	struct look look = { .kernel = kernel };
	struct ksma_error *error;

	KSMA_TRY(check_members(kernel));
	KSMA_TRY(ksma_paths_init(&look.paths, kernel));
	KSMA_TRY(ksma_area_reader_init(&look.reader, kernel));
	KSMA_TRY(ksma_task_find(kernel, pid, &look.task));
	error = look_until_stable(&look, coverage);
	free(look.areas.items);
	if (error) {
		ksma_maps_free(&look.maps);
		return ksma_error_prefix(error, "memory areas of process %d", pid);
	}
	*ret_maps = look.maps;
	return NULL;
}

KSMA_API void ksma_maps_free(struct ksma_maps *maps)
{
	for (size_t i = 0; i < maps->count; i++)
		free(maps->items[i].path);
	free(maps->items);
	*maps = (struct ksma_maps){ 0 };
}
