/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a file of a running guest holds: its pages in the guest's memory, over the disk. */
#include "files/contents.h"

#include <sys/stat.h>

#include "files/mounted.h"
#include "linux/lookup.h"
#include "linux/retry.h"

enum { LINKS_MAX = 40 };

struct ksma_content_reader {
	struct ksma_kernel *kernel;
	struct ksma_page_cache_reader reader;
	struct ksma_paths paths;
	struct ksma_mounts_on_disks mounts;
	struct ksma_content *last; /* of ksma_content_reader_pages() */
	uint64_t next;		   /* page that it would go on with */
};

struct ksma_content {
	struct ksma_content_reader *contents;
	struct ksma_inode_identity
		identity; /* of a file on the disk only: its super block, and inode 0 */
	uint32_t number;
	uint64_t size;
	struct ksma_ext4_file *file; /* NULL until the disk is needed */
};

struct ksma_error *ksma_content_reader_create(struct ksma_kernel *kernel,
					      struct ksma_content_reader **ret_contents)
{
	struct ksma_content_reader *contents = calloc(1, sizeof(*contents));
	struct ksma_error *error;

	if (!contents)
		return ksma_error_nomem();
	contents->kernel = kernel;
	contents->mounts.kernel = kernel;
	contents->mounts.reader = &contents->reader;
	error = ksma_page_cache_init(&contents->reader, kernel);
	if (!error)
		error = ksma_paths_init(&contents->paths, kernel);
	if (error)
		ksma_content_reader_destroy(contents);
	else
		*ret_contents = contents;
	return error;
}

void ksma_content_reader_destroy(struct ksma_content_reader *contents)
{
	if (!contents)
		return;
	ksma_content_reader_rest(contents);
	ksma_coverage_deinit(&contents->mounts.coverage);
	free(contents);
}

struct ksma_error *ksma_content_reader_connect(struct ksma_content_reader *contents)
{
	return ksma_mounted_connect(&contents->mounts);
}

void ksma_content_reader_rest(struct ksma_content_reader *contents)
{
	ksma_content_close(contents->last);
	contents->last = NULL;
	ksma_mounted_rest(&contents->mounts);
}

const struct ksma_coverage *ksma_content_reader_coverage(const struct ksma_content_reader *contents)
{
	return &contents->mounts.coverage;
}

static struct ksma_error *identify(struct ksma_content_reader *contents, uint64_t inode,
				   struct ksma_inode_identity *ret)
{
	uint64_t real;

	if (!ksma_inode_identify(&contents->reader, inode, ret))
		return ksma_error_fault(inode, "the inode at 0x%llx is not in memory",
					(unsigned long long)inode);
	if (!S_ISREG(ret->mode))
		return ksma_error_create(KSMA_ERROR_INVALID, "not a regular file");
	if (strcmp(ret->fstype, "overlay") != 0)
		return NULL;
	KSMA_TRY(ksma_overlay_real(&contents->reader, inode, &real));
	if (!ksma_inode_identify(&contents->reader, real, ret))
		return ksma_error_fault(real, "the inode at 0x%llx is not in memory",
					(unsigned long long)real);
	return NULL;
}

struct ksma_error *ksma_content_open(struct ksma_content_reader *contents, uint64_t inode,
				     struct ksma_content **ret_content)
{
	struct ksma_content *content = calloc(1, sizeof(*content));
	struct ksma_error *error;

	if (!content)
		return ksma_error_nomem();
	content->contents = contents;
	error = identify(contents, inode, &content->identity);
	content->size = content->identity.size;
	content->number = (uint32_t)content->identity.number;
	if (error)
		ksma_content_close(content);
	else
		*ret_content = content;
	return error;
}

void ksma_content_close(struct ksma_content *content)
{
	if (!content)
		return;
	ksma_ext4_file_close(content->file);
	free(content);
}

uint64_t ksma_content_size(const struct ksma_content *content)
{
	return content->size;
}

const struct ksma_inode_identity *ksma_content_identity(const struct ksma_content *content)
{
	return content->identity.inode ? &content->identity : NULL;
}

/* The disk's side of the file, as the guest has its metadata now. */
static struct ksma_error *open_on_disk(struct ksma_content *content,
				       struct ksma_ext4_file **ret_file)
{
	const struct ksma_ext4_inode *inode;
	struct ksma_ext4_file *file = NULL;
	struct ksma_ext4 *fs;

	KSMA_TRY(ksma_mounted_find(&content->contents->mounts, &content->identity, &fs));
	ksma_ext4_forget(fs);
	KSMA_TRY(ksma_ext4_file_open(fs, content->number, &file));
	inode = ksma_ext4_file_inode(file);
	if (content->identity.inode && inode->generation != content->identity.generation) {
		ksma_ext4_file_close(file);
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "inode %u is another file on the disk than in memory",
					 content->number);
	}
	*ret_file = file;
	return NULL;
}

/* Bytes behind the end of the file are nobody's: a mapping shows what lies there, a read does not. */
static void cut(const struct ksma_content *content, uint64_t index, uint8_t *page)
{
	uint64_t start = index * KSMA_PAGE_SIZE;

	if (content->size < start + KSMA_PAGE_SIZE) {
		size_t inside = content->size > start ? (size_t)(content->size - start) : 0;

		memset(page + inside, 0, KSMA_PAGE_SIZE - inside);
	}
}

static struct ksma_error *find(struct ksma_content *content, uint64_t index,
			       struct ksma_cached_folio *ret_folio)
{
	memset(ret_folio, 0, sizeof(*ret_folio));
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): who opens it says so when it cannot */
	return content->identity.inode ? ksma_page_cache_find(&content->contents->reader,
							      &content->identity, index, ret_folio)
				       : NULL;
}

static bool has_bytes(const struct ksma_cached_folio *folio)
{
	return folio->pages && (folio->flags & KSMA_CACHED_UPTODATE);
}

/* One look. A page that came or went between the first step and the last may have been read from the wrong side: look again. */
static struct ksma_error *look(struct ksma_content *content, uint64_t index, uint8_t *page,
			       enum ksma_content_from *ret_from)
{
	struct ksma_cached_folio folio, after;

	KSMA_TRY(find(content, index, &folio));
	if (folio.flags & KSMA_CACHED_AWAY)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "page %llu is in the guest's swap",
					 (unsigned long long)index);
	if (has_bytes(&folio)) {
		KSMA_TRY(ksma_guest_read(content->contents->kernel->guest,
					 (ksma_gpa){ ksma_cached_gpa(&folio, index) }, page,
					 KSMA_PAGE_SIZE));
		*ret_from =
			folio.flags & KSMA_CACHED_DIRTY ? KSMA_CONTENT_DIRTY : KSMA_CONTENT_CACHE;
	} else {
		if (!content->file)
			KSMA_TRY(open_on_disk(content, &content->file));
		KSMA_TRY(ksma_ext4_file_read(content->file, index * KSMA_PAGE_SIZE, page,
					     KSMA_PAGE_SIZE));
		*ret_from = KSMA_CONTENT_DISK;
	}
	KSMA_TRY(find(content, index, &after));
	if (has_bytes(&folio) != has_bytes(&after) ||
	    (has_bytes(&folio) && ksma_cached_gpa(&folio, index) != ksma_cached_gpa(&after, index)))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "page %llu came or went while it was read",
					 (unsigned long long)index);
	return NULL;
}

struct ksma_error *ksma_content_page(struct ksma_content *content, uint64_t index,
				     uint8_t page[KSMA_PAGE_SIZE], enum ksma_content_from *ret_from)
{
	enum ksma_content_from from = KSMA_CONTENT_CACHE;
	struct ksma_error *error;
	unsigned attempt = 0;

	if (index >= UINT64_MAX / KSMA_PAGE_SIZE)
		return ksma_error_create(KSMA_ERROR_INVALID, "no file has so many pages");
	do
		error = look(content, index, page, &from);
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): who opens it says so when it cannot */
	while (ksma_kernel_retry(content->contents->kernel, &attempt, &error));
	if (error)
		return error;
	cut(content, index, page);
	if (ret_from)
		*ret_from = from;
	return NULL;
}

struct ksma_error *ksma_content_settled(struct ksma_content *content, bool *ret_settled)
{
	struct ksma_inode_identity now;
	struct ksma_ext4_file *file = NULL;

	*ret_settled = false;
	if (content->identity.inode &&
	    (!ksma_inode_identify(&content->contents->reader, content->identity.inode, &now) ||
	     !ksma_inode_is_same(&now, &content->identity)))
		return NULL;
	if (content->file) {
		struct ksma_error *error = open_on_disk(content, &file);

		if (error && error->code == KSMA_ERROR_NOT_PRESENT) {
			ksma_error_destroy(error);
			return NULL;
		}
		KSMA_TRY(error);
		*ret_settled = ksma_ext4_file_is_same(file, content->file);
		ksma_ext4_file_close(file);
		return NULL;
	}
	*ret_settled = true;
	return NULL;
}

struct ksma_error *ksma_content_xattr(struct ksma_content *content, const char *name,
				      uint8_t **ret_value, size_t *ret_length)
{
	struct ksma_ext4 *fs;

	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): who opens it says so when it cannot */
	KSMA_TRY(ksma_mounted_find(&content->contents->mounts, &content->identity, &fs));
	ksma_ext4_forget(fs);
	return ksma_ext4_xattr(fs, content->number, name, ret_value, ret_length);
}

static struct ksma_error *open_identified(struct ksma_content_reader *reader,
					  const struct ksma_inode_identity *file,
					  struct ksma_content **ret_content)
{
	struct ksma_content *content = calloc(1, sizeof(*content));

	if (!content)
		return ksma_error_nomem();
	content->contents = reader;
	content->identity = *file;
	content->number = (uint32_t)file->number;
	content->size = file->size;
	*ret_content = content;
	return NULL;
}

struct ksma_error *ksma_content_reader_disk_page(struct ksma_content_reader *reader,
						 const struct ksma_inode_identity *file,
						 uint64_t index, uint8_t page[KSMA_PAGE_SIZE])
{
	struct ksma_content *content = NULL;
	struct ksma_error *error;

	KSMA_TRY(open_identified(reader, file, &content));
	error = open_on_disk(content, &content->file);
	if (!error)
		error = ksma_ext4_file_read(content->file, index * KSMA_PAGE_SIZE, page,
					    KSMA_PAGE_SIZE);
	ksma_content_close(content);
	return error;
}

struct ksma_error *ksma_content_reader_pages(struct ksma_content_reader *reader,
					     const struct ksma_inode_identity *file, uint64_t index,
					     uint64_t count, uint8_t *pages)
{
	if (!reader->last || index != reader->next ||
	    !ksma_inode_is_same(&reader->last->identity, file)) {
		ksma_content_close(reader->last);
		reader->last = NULL;
		KSMA_TRY(open_identified(reader, file, &reader->last));
	}
	for (uint64_t i = 0; i < count; i++)
		KSMA_TRY(ksma_content_page(reader->last, index + i, pages + i * KSMA_PAGE_SIZE,
					   NULL));
	reader->next = index + count;
	return NULL;
}

struct ksma_error *ksma_content_reader_xattr(struct ksma_content_reader *reader,
					     const struct ksma_inode_identity *file,
					     const char *name, uint8_t *buffer, size_t size,
					     size_t *ret_length)
{
	_cleanup_free_ uint8_t *value = NULL;
	struct ksma_content *content = NULL;
	struct ksma_error *error;
	size_t length = 0;

	KSMA_TRY(open_identified(reader, file, &content));
	error = ksma_content_xattr(content, name, &value, &length);
	ksma_content_close(content);
	if (error && error->code == KSMA_ERROR_NOT_PRESENT) {
		ksma_error_destroy(error);
		*ret_length = 0;
		return NULL;
	}
	if (error)
		return error;
	if (length > size)
		return ksma_error_create(KSMA_ERROR_LIMIT, "%s of %zu bytes", name, length);
	memcpy(buffer, value, length);
	*ret_length = length;
	return NULL;
}

/* A file may be in memory though none of its names is. */
struct inode_search {
	struct ksma_kernel *kernel;
	uint64_t number, inode;
};

static bool is_inode(void *arg, uint64_t entry)
{
	struct inode_search *search = arg;
	const struct ksma_offsets *off = &search->kernel->off;
	uint64_t inode = entry - (uint32_t)off->inode__i_sb_list, number;

	if (!ksma_kernel_u64(search->kernel, inode + (uint32_t)off->inode__i_ino, &number) ||
	    number != search->number)
		return true;
	search->inode = inode;
	return false;
}

static struct ksma_error *find_in_memory(struct ksma_content_reader *contents, uint64_t sb,
					 uint64_t number, uint64_t *ret_inode)
{
	struct ksma_kernel *kernel = contents->kernel;
	const struct ksma_offsets *off = &kernel->off;
	struct ksma_error *error;
	unsigned attempt = 0;

	KSMA_TRY(KSMA_NEED(kernel, super_block__s_inodes));
	KSMA_TRY(KSMA_NEED(kernel, inode__i_sb_list));
	do {
		struct inode_search search = { .kernel = kernel, .number = number };
		struct ksma_budget budget = ksma_budget_default();

		error = ksma_kernel_list(kernel, sb + (uint32_t)off->super_block__s_inodes, &budget,
					 is_inode, &search);
		*ret_inode = search.inode;
	} while (ksma_kernel_retry(kernel, &attempt, &error));
	return error;
}

/* A path, taken apart: what the guest has in memory, and what follows it. */
static struct ksma_error *lookup_known(struct ksma_content_reader *contents, const char *path,
				       struct ksma_place *ret_place, const char **ret_rest)
{
	_cleanup_free_ char *known = NULL;
	struct ksma_place root;
	size_t length = strlen(path);

	KSMA_TRY(ksma_lookup_root(&contents->paths, &root));
	KSMA_TRY(ksma_strdup(path, &known));
	for (;;) {
		struct ksma_error *error = ksma_lookup(&contents->paths, &contents->reader, &root,
						       &root, *known ? known : "/", ret_place);

		if (!error || error->code != KSMA_ERROR_NOT_PRESENT || length == 0) {
			*ret_rest = path + length;
			return error;
		}
		ksma_error_destroy(error);
		while (length > 0 && path[length - 1] == '/')
			length--;
		while (length > 0 && path[length - 1] != '/')
			length--;
		known[length] = '\0';
	}
}

/* Puts a link's target in the place of the path that led to it. */
static struct ksma_error *follow(const char *target, const char *path, char **ret_path)
{
	size_t directory = (size_t)(strrchr(path, '/') - path) + 1;

	if (*target == '/')
		return ksma_strdup(target, ret_path);
	return ksma_asprintf(ret_path, "%.*s%s", (int)directory, path, target);
}

/* A file of which nothing is in memory. */
static struct ksma_error *open_uncached(struct ksma_content_reader *contents,
					const struct ksma_inode_identity *directory,
					const struct ksma_ext4_inode *found,
					struct ksma_content **ret_content)
{
	struct ksma_content *content = NULL;

	if (!S_ISREG(found->mode))
		return ksma_error_create(KSMA_ERROR_INVALID, "not a regular file");
	content = calloc(1, sizeof(*content));
	if (!content)
		return ksma_error_nomem();
	content->contents = contents;
	content->identity = *directory;
	content->identity.inode = content->identity.mapping = 0;
	content->number = found->number;
	content->size = found->size;
	*ret_content = content;
	return NULL;
}

/* What a name led to. An inode that is not in use has no name: the file was replaced between the two looks. */
static struct ksma_error *stat_named(struct ksma_ext4 *fs, uint32_t number,
				     struct ksma_ext4_inode *ret_inode)
{
	struct ksma_error *error = ksma_ext4_stat(fs, number, ret_inode);

	if (error && error->code == KSMA_ERROR_NOT_PRESENT)
		error->code = KSMA_ERROR_BAD_DATA;
	return error;
}

/* One round: to an inode, or to another path that a link of the disk leads to. */
static struct ksma_error *open_round(struct ksma_content_reader *contents, const char *path,
				     struct ksma_content **ret_content, char **ret_path)
{
	struct ksma_inode_identity directory;
	_cleanup_free_ char *target = NULL;
	struct ksma_ext4_inode found;
	struct ksma_place place;
	struct ksma_ext4 *fs;
	const char *rest;
	uint64_t inode;
	uint32_t number;

	KSMA_TRY(lookup_known(contents, path, &place, &rest));
	if (!*rest)
		return ksma_content_open(contents, place.inode, ret_content);
	if (!ksma_inode_identify(&contents->reader, place.inode, &directory))
		return ksma_error_fault(place.inode, "a directory that is not in memory");
	KSMA_TRY(ksma_mounted_find(&contents->mounts, &directory, &fs));
	ksma_ext4_forget(fs);
	KSMA_TRY(ksma_ext4_lookup_from(fs, (uint32_t)directory.number, rest, &number, &target));
	if (target)
		return ksma_strdup(target, ret_path);
	KSMA_TRY(find_in_memory(contents, directory.sb, number, &inode));
	KSMA_TRY(stat_named(fs, number, &found));
	if (S_ISLNK(found.mode)) {
		KSMA_TRY(ksma_ext4_readlink(fs, number, &target));
		return follow(target, path, ret_path);
	}
	if (inode)
		return ksma_content_open(contents, inode, ret_content);
	return open_uncached(contents, &directory, &found, ret_content);
}

struct ksma_error *ksma_content_open_path(struct ksma_content_reader *contents, const char *path,
					  struct ksma_content **ret_content)
{
	_cleanup_free_ char *at = NULL;

	if (*path != '/' || strlen(path) >= KSMA_EXT4_PATH_MAX)
		return ksma_error_create(KSMA_ERROR_INVALID, "%.64s: not an absolute path", path);
	KSMA_TRY(ksma_strdup(path, &at));
	for (unsigned links = 0; links <= LINKS_MAX; links++) {
		struct ksma_content *content = NULL;
		struct ksma_error *error;
		unsigned attempt = 0;
		char *next = NULL;

		do
			error = open_round(contents, at, &content, &next);
		while (ksma_kernel_retry(contents->kernel, &attempt, &error));
		if (error)
			return ksma_error_prefix(error, "%s", path);
		if (content) {
			*ret_content = content;
			return NULL;
		}
		free(at);
		at = next;
		if (!at || strlen(at) >= KSMA_EXT4_PATH_MAX)
			break;
	}
	return ksma_error_create(KSMA_ERROR_LIMIT, "%s: links without an end", path);
}
