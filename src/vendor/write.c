/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes to a folder below tmp/ first, has it reach the disk, then renames objects into place, and only then their entries. */
#include "vendor/write.h"

#include <dirent.h>
#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { BLOCK = 4096, CHUNK = 1 << 20 };

struct item {
	char *index, *object; /* names below the store */
	enum ksma_vendor_signature signature;
	bool known; /* the object was there before */
	bool object_placed, index_placed;
};

struct ksma_vendor_writer {
	struct ksma_vendor *vendor;
	char name[64]; /* "tmp/PID-NUMBER" */
	int fd;	       /* that folder, with a lock on it */
	struct {
		struct item *items;
		size_t count, capacity;
	} list;
};

static struct ksma_error *os_error(const struct ksma_vendor *vendor, const char *what)
{
	return ksma_error_os(errno, "cannot %s the vendor store %s", what, vendor->path);
}

/* mkdir -p */
static struct ksma_error *make_folders(const char *path)
{
	_cleanup_free_ char *copy = NULL;

	KSMA_TRY(ksma_strdup(path, &copy));
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return ksma_error_os(errno, "cannot make %s", copy);
		*p = '/';
	}
	if (mkdir(copy, 0755) < 0 && errno != EEXIST)
		return ksma_error_os(errno, "cannot make %s", copy);
	return NULL;
}

static struct ksma_error *write_bytes(const struct ksma_vendor *vendor, int fd, const char *data,
				      size_t length)
{
	while (length) {
		ssize_t n = write(fd, data, length < CHUNK ? length : CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return os_error(vendor, "write to");
		data += n;
		length -= (size_t)n;
	}
	return NULL;
}

/* Writes a file below `folder`. Pages of zeros, of which kernels have many, become holes. */
static struct ksma_error *write_file(const struct ksma_vendor *vendor, int folder, const char *name,
				     const char *data, size_t length)
{
	static const char zeros[BLOCK];
	_cleanup_close_ int fd =
		openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	size_t at = 0;

	if (fd < 0 || ftruncate(fd, (off_t)length) < 0)
		return os_error(vendor, "write to");
	while (at < length) {
		size_t end = at;

		while (length - end >= BLOCK && memcmp(data + end, zeros, BLOCK) != 0)
			end += BLOCK;
		if (length - end < BLOCK)
			end = length;
		if (end > at) {
			if (lseek(fd, (off_t)at, SEEK_SET) < 0)
				return os_error(vendor, "write to");
			KSMA_TRY(write_bytes(vendor, fd, data + at, end - at));
		}
		at = end < length ? end + BLOCK : end;
	}
	return NULL;
}

static struct ksma_error *make_folder(const struct ksma_vendor *vendor, const char *name)
{
	if (mkdirat(vendor->fd, name, 0755) < 0 && errno != EEXIST)
		return os_error(vendor, "make folders in");
	return NULL;
}

/* The lock of those who write. @ret_fd closing it lets go */
static struct ksma_error *lock(const struct ksma_vendor *vendor, int *ret_fd)
{
	_cleanup_close_ int fd =
		openat(vendor->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return os_error(vendor, "write to");
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return os_error(vendor, "lock");
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

/* The file that makes a folder a store comes last. */
static struct ksma_error *fill_store(const struct ksma_vendor *vendor)
{
	_cleanup_close_ int locked = -1;
	struct ksma_error *error;

	KSMA_TRY(lock(vendor, &locked));
	KSMA_TRY(make_folder(vendor, "objects"));
	KSMA_TRY(make_folder(vendor, "index"));
	KSMA_TRY(make_folder(vendor, "tmp"));
	if (faccessat(vendor->fd, "format", F_OK, 0) == 0)
		return NULL;
	if (unlinkat(vendor->fd, "format.new", 0) < 0 && errno != ENOENT)
		return os_error(vendor, "write to");
	error = write_file(vendor, vendor->fd, "format.new", KSMA_VENDOR_FORMAT,
			   strlen(KSMA_VENDOR_FORMAT));
	if (!error && renameat(vendor->fd, "format.new", vendor->fd, "format") < 0)
		error = os_error(vendor, "write to");
	return error;
}

/* Only an empty folder, or one that an earlier attempt began, becomes a store. */
static struct ksma_error *check_empty(const struct ksma_vendor *vendor)
{
	static const char *const ours[] = { ".",   "..",   "lost+found", "objects",   "index",
					    "tmp", "lock", "format",	 "format.new" };
	int fd = openat(vendor->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct ksma_error *error = NULL;
	struct dirent *d;

	if (!dir)
		return os_error(vendor, "open");
	while (!error && (d = readdir(dir))) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
			known |= strcmp(d->d_name, ours[i]) == 0;
		if (!known)
			error = ksma_error_create(
				KSMA_ERROR_INVALID,
				"%s holds other things (%s): a vendor store needs a folder of its own",
				vendor->path, d->d_name);
	}
	closedir(dir);
	return error;
}

struct ksma_error *ksma_vendor_create(const char *path, struct ksma_vendor **ret_vendor)
{
	struct ksma_vendor fresh = { .path = (char *)(uintptr_t)path, .fd = -1 };
	struct ksma_error *error = ksma_vendor_open(path, ret_vendor);

	if (!error || error->code != KSMA_ERROR_NOT_PRESENT)
		return error;
	ksma_error_destroy(error);
	if (!path)
		fresh.path = (char *)(uintptr_t)ksma_vendor_default_path();
	KSMA_TRY(make_folders(fresh.path));
	fresh.fd = open(fresh.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fresh.fd < 0)
		return os_error(&fresh, "open");
	error = check_empty(&fresh);
	if (!error)
		error = fill_store(&fresh);
	close(fresh.fd);
	return error ? error : ksma_vendor_open(path, ret_vendor);
}

/* Empties and removes a folder below tmp/; it holds files only. */
static void remove_folder(const struct ksma_vendor *vendor, const char *name, int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *d;

	if (!dir) {
		if (copy >= 0)
			close(copy);
		return;
	}
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.')
			unlinkat(fd, d->d_name, 0);
	closedir(dir);
	unlinkat(vendor->fd, name, AT_REMOVEDIR);
}

/* Whoever was killed holds no lock any more. */
static void remove_stale(const struct ksma_vendor *vendor)
{
	int tmp = openat(vendor->fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = tmp < 0 ? NULL : fdopendir(tmp);
	struct dirent *d;

	if (!dir) {
		if (tmp >= 0)
			close(tmp);
		return;
	}
	while ((d = readdir(dir))) {
		_cleanup_close_ int fd = -1;
		char name[300];

		if (d->d_name[0] == '.')
			continue;
		fd = openat(tmp, d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		snprintf(name, sizeof(name), "tmp/%s", d->d_name);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			remove_folder(vendor, name, fd);
	}
	closedir(dir);
}

struct ksma_error *ksma_vendor_begin(struct ksma_vendor *vendor,
				     struct ksma_vendor_writer **ret_writer)
{
	_cleanup_close_ int locked = -1, fd = -1;
	struct ksma_vendor_writer *writer;
	char name[sizeof(writer->name)];

	KSMA_TRY(lock(vendor, &locked));
	remove_stale(vendor);
	for (unsigned i = 0;; i++) {
		snprintf(name, sizeof(name), "tmp/%d-%u", (int)getpid(), i);
		if (mkdirat(vendor->fd, name, 0755) == 0)
			break;
		if (errno != EEXIST)
			return os_error(vendor, "write to");
	}
	fd = openat(vendor->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return os_error(vendor, "write to");
	writer = calloc(1, sizeof(*writer));
	if (!writer)
		return ksma_error_nomem();
	writer->vendor = vendor;
	memcpy(writer->name, name, sizeof(name));
	writer->fd = TAKE_FD(fd);
	*ret_writer = writer;
	return NULL;
}

static bool object_there(const struct ksma_vendor *vendor, const char *name, size_t length)
{
	struct stat st;

	return fstatat(vendor->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == length;
}

struct ksma_error *ksma_vendor_put(struct ksma_vendor_writer *writer, const void *data,
				   size_t length, const struct ksma_vendor_entry *entry,
				   bool *ret_known)
{
	char name[KSMA_VENDOR_NAME_BUFFER], file[32];
	struct ksma_vendor_entry sized = *entry;
	_cleanup_free_ char *text = NULL;
	size_t number = writer->list.count, text_length;
	struct item *item;

	if (length == 0 || length > KSMA_VENDOR_MAX_OBJECT)
		return ksma_error_create(KSMA_ERROR_LIMIT, "it has %zu bytes, above 1 GiB", length);
	sized.size = length;
	KSMA_TRY(ksma_vendor_entry_format(&sized, &text, &text_length));
	KSMA_TRY(KSMA_ARRAY_PUSH(&writer->list, &item));
	item->signature = entry->signature;
	ksma_vendor_index_name(entry, name);
	KSMA_TRY(ksma_strdup(name, &item->index));
	ksma_vendor_object_name(entry->sha256, name);
	KSMA_TRY(ksma_strdup(name, &item->object));
	item->known = object_there(writer->vendor, item->object, length);
	if (!item->known) {
		snprintf(file, sizeof(file), "%zu.object", number);
		KSMA_TRY(write_file(writer->vendor, writer->fd, file, data, length));
	}
	snprintf(file, sizeof(file), "%zu.index", number);
	KSMA_TRY(write_file(writer->vendor, writer->fd, file, text, text_length));
	*ret_known = item->known;
	return NULL;
}

/* "objects/ab" for "objects/ab/cdef…" */
static struct ksma_error *make_parent(const struct ksma_vendor *vendor, const char *name)
{
	char parent[16];

	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(name, '/') - name), name);
	return make_folder(vendor, parent);
}

static struct ksma_error *place(struct ksma_vendor_writer *writer, size_t number, const char *what,
				const char *name)
{
	char file[32];

	KSMA_TRY(make_parent(writer->vendor, name));
	snprintf(file, sizeof(file), "%zu.%s", number, what);
	if (renameat(writer->fd, file, writer->vendor->fd, name) < 0)
		return os_error(writer->vendor, "write to");
	return NULL;
}

static struct ksma_error *place_objects(struct ksma_vendor_writer *writer)
{
	for (size_t i = 0; i < writer->list.count; i++) {
		struct item *item = &writer->list.items[i];

		if (item->known) {
			if (faccessat(writer->vendor->fd, item->object, F_OK, 0) < 0)
				return ksma_error_create(
					KSMA_ERROR_LOST,
					"%s was removed from the vendor store meanwhile: try again",
					item->object);
			continue;
		}
		KSMA_TRY(place(writer, i, "object", item->object));
		item->object_placed = true;
	}
	return NULL;
}

/* What is said of the object already, and says more than we can. */
static bool better_there(struct ksma_vendor *vendor, const struct item *item)
{
	_cleanup_(ksma_vendor_entries_free) struct ksma_vendor_entries entries = { 0 };
	_cleanup_error_ struct ksma_error *error =
		ksma_vendor_entries_at(vendor, item->index, &entries);

	return !error && entries.count && entries.items[0].signature > item->signature;
}

static struct ksma_error *place_entries(struct ksma_vendor_writer *writer)
{
	for (size_t i = 0; i < writer->list.count; i++) {
		struct item *item = &writer->list.items[i];

		if (item->known && better_there(writer->vendor, item))
			continue;
		KSMA_TRY(place(writer, i, "index", item->index));
		item->index_placed = true;
	}
	return NULL;
}

/* Takes back what nobody had before. */
static void undo(struct ksma_vendor_writer *writer)
{
	for (size_t i = 0; i < writer->list.count; i++) {
		const struct item *item = &writer->list.items[i];

		if (item->known)
			continue;
		if (item->index_placed)
			unlinkat(writer->vendor->fd, item->index, 0);
		if (item->object_placed)
			unlinkat(writer->vendor->fd, item->object, 0);
	}
}

static struct ksma_error *reach_disk(const struct ksma_vendor *vendor)
{
	return syncfs(vendor->fd) < 0 ? os_error(vendor, "write to") : NULL;
}

struct ksma_error *ksma_vendor_commit(struct ksma_vendor_writer *writer)
{
	_cleanup_close_ int locked = -1;
	struct ksma_error *error;

	if (!writer->list.count)
		return NULL;
	/* One call for all: thousands of fsync() take a minute. */
	KSMA_TRY(reach_disk(writer->vendor));
	KSMA_TRY(lock(writer->vendor, &locked));
	error = place_objects(writer);
	if (!error)
		error = reach_disk(writer->vendor);
	if (!error)
		error = place_entries(writer);
	if (!error)
		error = reach_disk(writer->vendor);
	if (error)
		undo(writer);
	return error;
}

void ksma_vendor_writer_destroy(struct ksma_vendor_writer *writer)
{
	if (!writer)
		return;
	remove_folder(writer->vendor, writer->name, writer->fd);
	close(writer->fd);
	for (size_t i = 0; i < writer->list.count; i++) {
		free(writer->list.items[i].index);
		free(writer->list.items[i].object);
	}
	free(writer->list.items);
	free(writer);
}

struct ksma_error *ksma_vendor_remove(struct ksma_vendor *vendor,
				      const struct ksma_vendor_entry *entries, size_t count)
{
	_cleanup_close_ int locked = -1;

	KSMA_TRY(lock(vendor, &locked));
	for (size_t i = 0; i < count; i++) {
		char name[KSMA_VENDOR_NAME_BUFFER];

		/* The entry first: what no entry names is not there. */
		ksma_vendor_index_name(&entries[i], name);
		if (unlinkat(vendor->fd, name, 0) < 0 && errno != ENOENT)
			return os_error(vendor, "remove from");
		ksma_vendor_object_name(entries[i].sha256, name);
		if (unlinkat(vendor->fd, name, 0) < 0 && errno != ENOENT)
			return os_error(vendor, "remove from");
	}
	return reach_disk(vendor);
}
