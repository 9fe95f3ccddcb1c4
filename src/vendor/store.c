/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the store of vendor references: opens it, lists it, finds an object by build id and maps it. Writing is the ingester's. */
#include "vendor/store.h"

#include <dirent.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

KSMA_API const char *ksma_vendor_default_path(void)
{
	const char *path = getenv("KSMA_VENDOR");

	return path && *path ? path : "/var/lib/kvm-sma/vendor";
}

KSMA_API const char *ksma_vendor_path(const struct ksma_vendor *vendor)
{
	return vendor->path;
}

/* Who may write here decides what a guest ought to be. */
static struct ksma_error *check_owner(const struct ksma_vendor *vendor)
{
	struct stat st;

	if (fstat(vendor->fd, &st) < 0)
		return ksma_error_os(errno, "cannot look at %s", vendor->path);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & (S_IWGRP | S_IWOTH))
		return ksma_error_create(
			KSMA_ERROR_PERMISSION,
			"the vendor store %s may be written by others: it must belong to root or you, mode 755",
			vendor->path);
	return NULL;
}

/* Reads a small file below `fd`. @ret_text has a NUL after its end */
static struct ksma_error *read_small(int fd, const char *name, size_t limit, char **ret_text,
				     size_t *ret_length)
{
	_cleanup_close_ int file = openat(fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_free_ char *text = NULL;
	size_t length = 0;

	if (file < 0)
		return ksma_error_os(errno, "cannot open %s of the vendor store", name);
	text = malloc(limit + 2);
	if (!text)
		return ksma_error_nomem();
	while (length <= limit) {
		ssize_t n = read(file, text + length, limit + 1 - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ksma_error_os(errno, "cannot read %s of the vendor store", name);
		if (n == 0)
			break;
		length += (size_t)n;
	}
	if (length > limit)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "%s of the vendor store is too long",
					 name);
	text[length] = 0;
	*ret_length = length;
	*ret_text = TAKE_PTR(text);
	return NULL;
}

static struct ksma_error *check_format(const struct ksma_vendor *vendor)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	struct ksma_error *error = read_small(vendor->fd, "format", 256, &text, &length);

	if (error && error->errnum == ENOENT) {
		ksma_error_destroy(error);
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "%s is no vendor store",
					 vendor->path);
	}
	KSMA_TRY(error);
	if (strcmp(text, KSMA_VENDOR_FORMAT) != 0)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "the vendor store %s is of another version of ksma",
					 vendor->path);
	return NULL;
}

KSMA_API struct ksma_error *ksma_vendor_open(const char *path, struct ksma_vendor **ret_vendor)
{
	struct ksma_vendor *vendor = calloc(1, sizeof(*vendor));
	struct ksma_error *error;

	if (!vendor)
		return ksma_error_nomem();
	vendor->fd = -1;
	error = ksma_strdup(path ? path : ksma_vendor_default_path(), &vendor->path);
	if (!error) {
		vendor->fd = open(vendor->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (vendor->fd < 0 && errno == ENOENT)
			error = ksma_error_create(KSMA_ERROR_NOT_PRESENT,
						  "there is no vendor store at %s", vendor->path);
		else if (vendor->fd < 0)
			error = ksma_error_os(errno, "cannot open the vendor store %s",
					      vendor->path);
	}
	if (!error)
		error = check_owner(vendor);
	if (!error)
		error = check_format(vendor);
	if (error)
		ksma_vendor_close(vendor);
	else
		*ret_vendor = vendor;
	return error;
}

KSMA_API void ksma_vendor_close(struct ksma_vendor *vendor)
{
	if (!vendor)
		return;
	if (vendor->fd >= 0)
		close(vendor->fd);
	free(vendor->path);
	free(vendor);
}

/* Opens a folder below the store. @ret_dir NULL when it is not there */
static struct ksma_error *open_folder(struct ksma_vendor *vendor, const char *name, DIR **ret_dir)
{
	int fd = openat(vendor->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	*ret_dir = NULL;
	if (fd < 0)
		return errno == ENOENT
			       ? NULL
			       : ksma_error_os(errno, "cannot open %s of the vendor store %s", name,
					       vendor->path);
	*ret_dir = fdopendir(fd);
	if (!*ret_dir) {
		close(fd);
		return ksma_error_nomem();
	}
	return NULL;
}

/* Adds one entry. One that is gone meanwhile was removed. */
static struct ksma_error *add_entry(DIR *dir, const char *folder, const char *name,
				    struct ksma_vendor_entries *entries)
{
	_cleanup_(ksma_vendor_entry_deinit) struct ksma_vendor_entry entry = { 0 };
	_cleanup_free_ char *text = NULL;
	struct ksma_vendor_entry *slot;
	struct ksma_error *error;
	size_t length;

	error = read_small(dirfd(dir), name, KSMA_VENDOR_MAX_ENTRY, &text, &length);
	if (error && error->errnum == ENOENT) {
		ksma_error_destroy(error);
		return NULL;
	}
	KSMA_TRY(error);
	KSMA_TRY(ksma_vendor_entry_parse(folder, name, text, length, &entry));
	KSMA_TRY(KSMA_ARRAY_PUSH(entries, &slot));
	*slot = entry;
	memset(&entry, 0, sizeof(entry));
	return NULL;
}

/* Adds the entries of the index folder that `folder` begins with, whose names begin with `prefix`. */
static struct ksma_error *read_folder(struct ksma_vendor *vendor, const char *folder,
				      const char *prefix, struct ksma_vendor_entries *entries)
{
	_cleanup_(close_dir) DIR *dir = NULL;
	char path[16], two[3];
	struct dirent *d;

	snprintf(two, sizeof(two), "%.2s", folder);
	snprintf(path, sizeof(path), "index/%s", two);
	KSMA_TRY(open_folder(vendor, path, &dir));
	while (dir && (errno = 0, d = readdir(dir)))
		if (d->d_name[0] != '.' && strncmp(d->d_name, prefix, strlen(prefix)) == 0)
			KSMA_TRY(add_entry(dir, two, d->d_name, entries));
	return dir && errno ? ksma_error_os(errno, "cannot read the vendor store %s", vendor->path)
			    : NULL;
}

struct ksma_error *ksma_vendor_entries_at(struct ksma_vendor *vendor, const char *name,
					  struct ksma_vendor_entries *entries)
{
	const char *folder = name + strlen("index/");

	return read_folder(vendor, folder, folder + strlen("ab/"), entries);
}

static int compare_entries(const void *a, const void *b)
{
	const struct ksma_vendor_entry *x = a, *y = b;
	int order = (int)x->kind - (int)y->kind;

	if (!order)
		order = strverscmp(x->release, y->release);
	if (!order)
		order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->sha256, y->sha256);
}

KSMA_API struct ksma_error *ksma_vendor_list(struct ksma_vendor *vendor,
					     struct ksma_vendor_entries *ret_entries)
{
	_cleanup_(ksma_vendor_entries_free) struct ksma_vendor_entries entries = { 0 };
	_cleanup_(close_dir) DIR *dir = NULL;
	struct dirent *d;

	KSMA_TRY(open_folder(vendor, "index", &dir));
	while (dir && (errno = 0, d = readdir(dir)))
		if (d->d_name[0] != '.')
			KSMA_TRY(read_folder(vendor, d->d_name, "", &entries));
	if (dir && errno)
		return ksma_error_os(errno, "cannot read the vendor store %s", vendor->path);
	if (entries.count)
		qsort(entries.items, entries.count, sizeof(*entries.items), compare_entries);
	*ret_entries = entries;
	memset(&entries, 0, sizeof(entries));
	return NULL;
}

KSMA_API void ksma_vendor_entries_free(struct ksma_vendor_entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		ksma_vendor_entry_deinit(&entries->items[i]);
	free(entries->items);
	memset(entries, 0, sizeof(*entries));
}

static struct ksma_error *map_object(struct ksma_vendor *vendor,
				     const struct ksma_vendor_entry *entry,
				     const uint8_t **ret_data)
{
	char name[KSMA_VENDOR_NAME_BUFFER];
	_cleanup_close_ int fd = -1;
	struct stat st;
	void *data;

	ksma_vendor_object_name(entry->sha256, name);
	fd = openat(vendor->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return ksma_error_os(errno, "cannot open %s of the vendor store %s", name,
				     vendor->path);
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t)st.st_size != entry->size)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "%s of the vendor store %s has another size than it had",
					 name, vendor->path);
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return ksma_error_os(errno, "cannot map %s of the vendor store %s", name,
				     vendor->path);
	*ret_data = data;
	return NULL;
}

/* A copy of the entry's texts. */
static struct ksma_error *copy_entry(const struct ksma_vendor_entry *from,
				     struct ksma_vendor_entry *ret_entry)
{
	_cleanup_(ksma_vendor_entry_deinit) struct ksma_vendor_entry entry = *from;

	entry.name = entry.release = entry.package = entry.version = NULL;
	entry.architecture = entry.file = entry.source = entry.signer = NULL;
	KSMA_TRY(ksma_strdup(from->name, &entry.name));
	KSMA_TRY(ksma_strdup(from->release, &entry.release));
	KSMA_TRY(ksma_strdup(from->package, &entry.package));
	KSMA_TRY(ksma_strdup(from->version, &entry.version));
	KSMA_TRY(ksma_strdup(from->architecture, &entry.architecture));
	KSMA_TRY(ksma_strdup(from->file, &entry.file));
	KSMA_TRY(ksma_strdup(from->source, &entry.source));
	KSMA_TRY(ksma_strdup(from->signer, &entry.signer));
	*ret_entry = entry;
	memset(&entry, 0, sizeof(entry));
	return NULL;
}

struct ksma_error *ksma_vendor_map(struct ksma_vendor *vendor,
				   const struct ksma_vendor_entry *entry,
				   struct ksma_vendor_object *ret_object)
{
	_cleanup_(ksma_vendor_object_deinit) struct ksma_vendor_object object = { 0 };

	KSMA_TRY(copy_entry(entry, &object.entry));
	KSMA_TRY(map_object(vendor, entry, &object.data));
	object.length = entry->size;
	*ret_object = object;
	memset(&object, 0, sizeof(object));
	return NULL;
}

void ksma_vendor_object_forget(const struct ksma_vendor_object *object)
{
	if (object->data)
		madvise((void *)(uintptr_t)object->data, object->length, MADV_DONTNEED);
}

KSMA_API void ksma_vendor_object_deinit(struct ksma_vendor_object *object)
{
	if (object->data)
		munmap((void *)(uintptr_t)object->data, object->length);
	ksma_vendor_entry_deinit(&object->entry);
	memset(object, 0, sizeof(*object));
}

KSMA_API struct ksma_error *ksma_vendor_find(struct ksma_vendor *vendor, enum ksma_vendor_kind kind,
					     const uint8_t *build_id, size_t build_id_length,
					     struct ksma_vendor_object *ret_object)
{
	_cleanup_(ksma_vendor_entries_free) struct ksma_vendor_entries entries = { 0 };
	char id[2 * KSMA_VENDOR_BUILD_ID_MAX + 2];
	const struct ksma_vendor_entry *best = NULL;

	if (build_id_length == 0 || build_id_length > KSMA_VENDOR_BUILD_ID_MAX)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
					 "a build id of %zu bytes is in no vendor store",
					 build_id_length);
	ksma_hex_format(build_id, build_id_length, id);
	id[2 * build_id_length] = '-';
	id[2 * build_id_length + 1] = 0;
	KSMA_TRY(read_folder(vendor, id, id + 2, &entries));
	for (size_t i = 0; i < entries.count; i++) {
		const struct ksma_vendor_entry *e = &entries.items[i];

		if (e->kind == kind &&
		    (!best || e->signature > best->signature ||
		     (e->signature == best->signature && strcmp(e->sha256, best->sha256) < 0)))
			best = e;
	}
	id[2 * build_id_length] = 0;
	if (!best)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
					 "the vendor store %s has no %s of build id %s",
					 vendor->path, ksma_vendor_kind_name(kind), id);
	return ksma_vendor_map(vendor, best, ret_object);
}
