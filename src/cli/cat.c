/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma cat: a file as the guest's processes see it, out of the guest's page cache. */
#include <inttypes.h>
#include <sys/stat.h>

#include "cli/output.h"
#include "linux/lookup.h"
#include "linux/processes.h"

enum {
	MISSING_MAX = 1 << 18, /* pages: a size that is a lie is not written out as zeros */
	TYPE_MASK = 0170000,
};

/* A file, and what of it is in memory. */
struct file {
	struct ksma_paths paths;
	struct ksma_page_cache_reader reader;
	struct ksma_inode_identity identity;
	struct ksma_cached_folios folios;
	uint64_t pages, cached, dirty, away;
};

static void file_deinit(struct file *file)
{
	free(file->folios.items);
}

/* "/proc/12/exe", "/proc/12/fd/3": the kernel's own links, which lead to deleted files and memfds too. @ret_fd -1: the program */
static bool is_link_of_process(const char *path, int32_t *ret_pid, int32_t *ret_fd)
{
	int end = 0;

	*ret_fd = -1;
	if (sscanf(path, "/proc/%" SCNd32 "/exe%n", ret_pid, &end) == 1 && end && !path[end])
		return *ret_pid >= 0;
	end = 0;
	return sscanf(path, "/proc/%" SCNd32 "/fd/%" SCNd32 "%n", ret_pid, ret_fd, &end) == 2 &&
	       !path[end] && *ret_pid >= 0 && *ret_fd >= 0;
}

/* The struct file of a program, or of a descriptor; 0 when there is none. */
static struct ksma_error *find_opened(struct ksma_kernel *kernel, int32_t pid, int32_t fd,
				      uint64_t *ret_opened)
{
	const struct ksma_offsets *off = &kernel->off;
	struct ksma_fds fds = { 0 };
	uint64_t task, mm;

	*ret_opened = 0;
	KSMA_TRY(ksma_task_find(kernel, pid, &task));
	if (fd < 0) {
		KSMA_TRY(KSMA_NEED(kernel, mm_struct__exe_file));
		if (ksma_kernel_u64(kernel, task + (uint32_t)off->task_struct__mm, &mm) && mm)
			ksma_kernel_u64(kernel, mm + (uint32_t)off->mm_struct__exe_file,
					ret_opened);
		return NULL;
	}
	KSMA_TRY(ksma_task_fds(kernel, task, &fds));
	for (size_t i = 0; i < fds.count; i++)
		if (fds.items[i].fd == fd)
			*ret_opened = fds.items[i].file;
	free(fds.items);
	return NULL;
}

static struct ksma_error *find_inode(struct cli *cli, struct file *file, const char *path,
				     uint64_t *ret_inode)
{
	struct ksma_place root, place;
	struct ksma_file_facts facts;
	int32_t pid, fd;
	uint64_t opened;

	if (path[0] != '/')
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "'%s' is no path of the guest: those start with a slash",
					 path);
	if (is_link_of_process(path, &pid, &fd)) {
		KSMA_TRY(find_opened(cli->kernel, pid, fd, &opened));
		if (opened == 0 || !ksma_file_read(&file->paths, opened, &facts))
			return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
						 "the process has no such file");
		*ret_inode = facts.inode;
		return NULL;
	}
	KSMA_TRY(ksma_lookup_root(&file->paths, &root));
	KSMA_TRY(ksma_lookup(&file->paths, &file->reader, &root, &root, path, &place));
	*ret_inode = place.inode;
	return NULL;
}

static void count(struct file *file)
{
	file->pages =
		file->identity.size / KSMA_PAGE_SIZE + (file->identity.size % KSMA_PAGE_SIZE != 0);
	for (size_t i = 0; i < file->folios.count; i++) {
		const struct ksma_cached_folio *folio = &file->folios.items[i];
		uint64_t inside = folio->index < file->pages ? file->pages - folio->index : 0;

		if (inside > folio->pages)
			inside = folio->pages;
		if (folio->flags & KSMA_CACHED_AWAY)
			file->away += inside;
		else if (folio->flags & KSMA_CACHED_UPTODATE)
			file->cached += inside;
		if (folio->flags & KSMA_CACHED_DIRTY)
			file->dirty += inside;
	}
}

static struct ksma_error *look_at(struct cli *cli, const char *path, struct file *file)
{
	struct ksma_error *error;
	uint64_t inode, real;

	KSMA_TRY(ksma_paths_init(&file->paths, cli->kernel));
	KSMA_TRY(ksma_page_cache_init(&file->reader, cli->kernel));
	error = find_inode(cli, file, path, &inode);
	if (error)
		return ksma_error_prefix(error, "%s", path);
	if (!ksma_inode_identify(&file->reader, inode, &file->identity))
		return ksma_error_fault(inode, "%s: the inode at 0x%llx is not in memory", path,
					(unsigned long long)inode);
	if ((file->identity.mode & TYPE_MASK) != S_IFREG)
		return ksma_error_create(KSMA_ERROR_INVALID, "%s is no regular file", path);
	if (strcmp(file->identity.fstype, "overlay") == 0) {
		KSMA_TRY(ksma_overlay_real(&file->reader, inode, &real));
		if (!ksma_inode_identify(&file->reader, real, &file->identity))
			return ksma_error_fault(real, "%s: the inode at 0x%llx is not in memory",
						path, (unsigned long long)real);
	}
	KSMA_TRY(ksma_page_cache_list(&file->reader, &file->identity, &file->folios));
	count(file);
	return NULL;
}

static void say_missing(const struct file *file, struct ksma_coverage *coverage)
{
	if (file->cached < file->pages)
		ksma_coverage_gap(coverage,
				  file->cached ? KSMA_COVERAGE_PARTIAL : KSMA_COVERAGE_UNKNOWN,
				  "%" PRIu64 " of %" PRIu64
				  " pages are not in the guest's page cache (%" PRIu64
				  " of them in its swap)",
				  file->pages - file->cached, file->pages, file->away);
}

/* One page, or zeros where it is not there. */
static struct ksma_error *write_page(struct cli *cli, const struct file *file, uint64_t index)
{
	const struct ksma_cached_folio *folio = ksma_cached_folio_at(&file->folios, index);
	uint64_t left = file->identity.size - index * KSMA_PAGE_SIZE;
	uint8_t page[KSMA_PAGE_SIZE] = { 0 };

	if (folio && folio->flags & KSMA_CACHED_UPTODATE &&
	    !ksma_guest_try_read(cli->guest, ksma_cached_gpa(folio, index), page, sizeof(page)))
		return ksma_error_fault(ksma_cached_gpa(folio, index), "a page could not be read");
	fwrite(page, 1, left < sizeof(page) ? (size_t)left : sizeof(page), stdout);
	return NULL;
}

static struct ksma_error *write_pages(struct cli *cli, const struct file *file)
{
	if (file->pages - file->cached > MISSING_MAX)
		return ksma_error_create(
			KSMA_ERROR_LIMIT,
			"%" PRIu64
			" pages of the file are not in memory, more than are written as zeros: --json tells which are there",
			file->pages - file->cached);
	cli_output_begin(cli);
	for (uint64_t i = 0; i < file->pages && !ferror(stdout); i++)
		KSMA_TRY(write_page(cli, file, i));
	return NULL;
}

static void print_identity(struct cli_json *json, const struct ksma_inode_identity *file)
{
	cli_json_object(json, "file");
	cli_json_number(json, "inode", file->number);
	cli_json_number(json, "major", ksma_dev_major(file->dev));
	cli_json_number(json, "minor", ksma_dev_minor(file->dev));
	cli_json_text(json, "device", file->id);
	cli_json_text(json, "fstype", file->fstype);
	cli_json_number(json, "mode", file->mode);
	cli_json_number(json, "uid", file->uid);
	cli_json_number(json, "gid", file->gid);
	cli_json_number(json, "size", file->size);
	cli_json_number(json, "generation", file->generation);
	cli_json_number(json, "version", file->version);
	cli_json_signed(json, "ctime_s", file->ctime_s);
	cli_json_number(json, "ctime_ns", file->ctime_ns);
	cli_json_close(json);
}

static void print_json(struct cli *cli, const char *path, const struct file *file,
		       const struct cli_look *look)
{
	struct cli_json json;

	cli_document_begin(cli, &json);
	cli_json_text(&json, "path", path);
	print_identity(&json, &file->identity);
	cli_json_number(&json, "pages", file->pages);
	cli_json_number(&json, "cached", file->cached);
	cli_json_number(&json, "dirty", file->dirty);
	cli_json_number(&json, "swapped", file->away);
	cli_json_array(&json, "pieces");
	for (size_t i = 0; i < file->folios.count; i++) {
		const struct ksma_cached_folio *folio = &file->folios.items[i];

		if (!(folio->flags & KSMA_CACHED_UPTODATE))
			continue;
		cli_json_object(&json, NULL);
		cli_json_number(&json, "offset", folio->index * KSMA_PAGE_SIZE);
		cli_json_number(&json, "length", folio->pages * KSMA_PAGE_SIZE);
		cli_json_hex(&json, "frame", folio->gpa);
		cli_json_bool(&json, "dirty", folio->flags & KSMA_CACHED_DIRTY);
		cli_json_close(&json);
	}
	cli_json_close(&json);
	cli_json_look(&json, look);
	cli_document_end(&json);
}

struct ksma_error *cli_cat(struct cli *cli)
{
	_cleanup_(file_deinit) struct file file = { .pages = 0 };
	_cleanup_look_ struct cli_look look = { 0 };

	if (!cli_has(cli, CLI_JSON) && isatty(STDOUT_FILENO))
		return ksma_error_create(
			KSMA_ERROR_INVALID,
			"raw guest bytes could command a terminal: send them to a file or a program");
	KSMA_TRY(cli_open_kernel(cli));
	look = cli_look_begin("cat");
	KSMA_TRY(look_at(cli, cli->operands[1], &file));
	say_missing(&file, &look.coverage);
	cli_look_end(cli, &look);
	if (cli_has(cli, CLI_JSON))
		print_json(cli, cli->operands[1], &file, &look);
	else
		KSMA_TRY(write_pages(cli, &file));
	cli_warn_look(cli, &look);
	return NULL;
}
